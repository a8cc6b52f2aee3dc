/*
 * The local APIC: x2APIC where the processor has it, else by its page.
 * Source: Intel SDM volume 3, chapter 10.
 */

#include "kern/clock.h"
#include "kern/compiler.h"
#include "kern/panic.h"
#include "kern/platform.h"
#include "kern/sched.h"

#include "apic.h"
#include "arch_int.h"
#include "time.h"

#define REG_ID          0x02
#define REG_TPR         0x08
#define REG_EOI         0x0b
#define REG_LDR         0x0d
#define REG_SPURIOUS    0x0f
#define REG_ESR         0x28
#define REG_ICR         0x30
#define REG_ICR_HIGH    0x31
#define REG_LVT_TIMER   0x32
#define REG_LVT_THERMAL 0x33
#define REG_LVT_PERF    0x34
#define REG_LVT_LINT0   0x35
#define REG_LVT_LINT1   0x36
#define REG_LVT_ERROR   0x37
#define REG_TIMER_INIT  0x38
#define REG_TIMER_NOW   0x39
#define REG_TIMER_DIV   0x3e

#define BASE_X2APIC     (1ull << 10)
#define BASE_ENABLE     (1ull << 11)
#define BASE_ADDR       0xffffff000ull

#define SPURIOUS_ENABLE 0x100u
#define LVT_MASKED      0x10000u
#define LVT_NMI         0x400u
#define LVT_DEADLINE    0x40000u
#define ICR_PENDING     0x1000u
#define TIMER_DIV_1     0xbu

static volatile uint32_t *apic_page;
static bool x2apic, deadline_mode;

static uint32_t apic_read(unsigned reg)
{
	if (x2apic)
		return (uint32_t)rdmsr(MSR_X2APIC + reg);
	return apic_page[reg * 4];
}

static void apic_write(unsigned reg, uint32_t v)
{
	if (x2apic)
		wrmsr(MSR_X2APIC + reg, v);
	else
		apic_page[reg * 4] = v;
}

bool apic_present(void)
{
	return x2apic || apic_page;
}

uint32_t apic_id(void)
{
	uint32_t id = apic_read(REG_ID);

	return x2apic ? id : id >> 24;
}

void apic_eoi(void)
{
	if (apic_present())
		apic_write(REG_EOI, 0);
}

void apic_send(uint32_t id, uint32_t command)
{
	unsigned long flags = irq_save();

	command |= APIC_LEVEL_ASSERT;
	if (x2apic) {
		/* the write is not ordered after stores to memory */
		__asm__ volatile("mfence; lfence" ::: "memory");
		wrmsr(MSR_X2APIC + REG_ICR, (uint64_t)id << 32 | command);
	} else {
		while (apic_read(REG_ICR) & ICR_PENDING)
			cpu_relax();
		apic_write(REG_ICR_HIGH, id << 24);
		apic_write(REG_ICR, command);
	}
	irq_restore(flags);
}

static void timer_vector(void *arg)
{
	(void)arg;
	timer_interrupt();
}

void apic_init(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);

	x2apic = cpu_features.x2apic;
	if (!x2apic) {
		apic_page = mmio_map(base & BASE_ADDR, PAGE_SIZE);
		if (!apic_page)
			panic("no memory to map the local APIC");
	}
	deadline_mode = cpu_features.tsc_deadline;
	irq_vector_set(VECTOR_TIMER, timer_vector, NULL);
}

/* The firmware's mode may be either; from x2APIC there is no way back. */
static void apic_enable(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE) | BASE_ENABLE;

	wrmsr(MSR_APIC_BASE, base);
	if (x2apic)
		wrmsr(MSR_APIC_BASE, base | BASE_X2APIC);
}

void apic_cpu_init(void)
{
	apic_enable();
	apic_write(REG_TPR, 0);
	apic_write(REG_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
	apic_write(REG_LVT_LINT0, LVT_MASKED);
	apic_write(REG_LVT_LINT1, LVT_NMI);
	apic_write(REG_LVT_ERROR, LVT_MASKED);
	apic_write(REG_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
	cpu_self()->apic_id = apic_id();
	if (platform->timer_set)
		return;
	apic_write(REG_TIMER_DIV, TIMER_DIV_1);
	if (deadline_mode) {
		apic_write(REG_LVT_TIMER, LVT_DEADLINE | VECTOR_TIMER);
		/* the mode must be in force before the first deadline */
		__asm__ volatile("mfence" ::: "memory");
	} else {
		apic_write(REG_LVT_TIMER, VECTOR_TIMER);
	}
}

bool apic_timer_needs_hz(void)
{
	return !deadline_mode;
}

void apic_timer_count_start(void)
{
	apic_write(REG_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
	apic_write(REG_TIMER_INIT, UINT32_MAX);
}

uint32_t apic_timer_count_stop(void)
{
	uint32_t left = apic_read(REG_TIMER_NOW);

	apic_write(REG_TIMER_INIT, 0);
	apic_write(REG_LVT_TIMER, VECTOR_TIMER);
	return UINT32_MAX - left;
}

void apic_timer_stop(void)
{
	if (deadline_mode)
		wrmsr(MSR_TSC_DEADLINE, 0);
	else
		apic_write(REG_TIMER_INIT, 0);
}

void apic_timer_deadline(uint64_t tsc)
{
	wrmsr(MSR_TSC_DEADLINE, tsc ? tsc : 1);
}

void apic_timer_count(uint32_t ticks)
{
	apic_write(REG_TIMER_INIT, ticks ? ticks : 1);
}
