/*
 * The other processors: started one by one with INIT and STARTUP, stopped for
 * a panic.  Source: Intel SDM volume 3, 8.4.
 */

#include "kern/clock.h"
#include "kern/compiler.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/panic.h"
#include "kern/platform.h"
#include "kern/sched.h"
#include "kern/string.h"

#include "apic.h"
#include "arch_int.h"
#include "fpu.h"

#define START_AGAIN_NS   (1 * NSEC_PER_MSEC)
#define START_GIVE_UP_NS (2 * NSEC_PER_SEC)
#define START_SLOW_NS    (30 * NSEC_PER_SEC)

extern char trampoline_start[], trampoline_end[], trampoline_jump[];
void smp_cpu_main(struct cpu *c);

struct cpu *smp_next; /* taken by the processor that starts */

static uint64_t trampoline_pa; /* 0: no room below 1 MiB */
static _Atomic bool stopping;

/* Before the allocator gets to see the memory map. */
void smp_reserve(void)
{
	trampoline_pa = bootmem_carve(&boot_info, PAGE_SIZE, 0xa0000, 0, 0);
}

static void trampoline_install(void)
{
	char *page = direct_map(trampoline_pa);
	uint32_t at;

	memcpy(page, trampoline_start,
	    (size_t)(trampoline_end - trampoline_start));
	page += trampoline_jump - trampoline_start;
	memcpy(&at, page, sizeof(at));
	at += (uint32_t)trampoline_pa;
	memcpy(page, &at, sizeof(at));
}

/* The new processor's first C. */
void smp_cpu_main(struct cpu *c)
{
	cpu_load(c);
	fpu_cpu_init();
	apic_cpu_init();
	if (platform->cpu_init)
		platform->cpu_init(c->id);
	sched_cpu_start();
}

static struct cpu *cpu_create(unsigned id, uint32_t apic_id)
{
	struct cpu *c = kzalloc(sizeof(*c));

	if (!c || cpu_alloc_arch(c)) {
		kfree(c);
		return NULL;
	}
	c->self = c;
	c->id = id;
	c->apic_id = apic_id;
	c->arch->pgtable = pgtable_kernel();
	mm_cpu_init(c);
	sched_cpu_init(c);
	/* until the first switch to its idle thread */
	c->kstack_top = c->arch->tss.ist[IST_MCE - 1];
	return c;
}

static bool wait_online(struct cpu *c, uint64_t ns)
{
	uint64_t until = clock_mono() + ns;

	while (!c->online && clock_mono() < until)
		cpu_relax();
	return c->online;
}

static bool cpu_start(struct cpu *c)
{
	uint32_t startup =
	    APIC_DELIVER_STARTUP | (uint32_t)(trampoline_pa >> PAGE_SHIFT);

	__atomic_store_n(&smp_next, c, __ATOMIC_SEQ_CST);
	apic_send(c->apic_id, APIC_DELIVER_INIT);
	apic_send(c->apic_id, startup);
	if (wait_online(c, START_AGAIN_NS))
		return true;
	/* harmless for one that runs already */
	if (__atomic_load_n(&smp_next, __ATOMIC_SEQ_CST))
		apic_send(c->apic_id, startup);
	if (wait_online(c, START_GIVE_UP_NS))
		return true;
	/* on a busy host it may be on its way: then it has taken (c) */
	if (__atomic_exchange_n(&smp_next, NULL, __ATOMIC_SEQ_CST))
		return false;
	return wait_online(c, START_SLOW_NS);
}

void smp_start(void)
{
	const struct apic_topology *t = &apic_topology;
	unsigned id = 1;

	if (t->ncpu < 2)
		return;
	if (!trampoline_pa) {
		log_warn("smp: no memory below 1 MiB to start others from");
		return;
	}
	trampoline_install();
	for (unsigned i = 0; i < t->ncpu && id < CPU_MAX; i++) {
		struct cpu *c;

		if (t->cpu_apic_id[i] == cpus[0]->apic_id)
			continue;
		c = cpu_create(id, t->cpu_apic_id[i]);
		if (!c || !cpu_start(c)) {
			log_warn("smp: processor %u did not start",
			    t->cpu_apic_id[i]);
			break;
		}
		id++;
	}
	log_info("smp: %u processors", id);
}

void arch_hang(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

void arch_triple_fault(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} PACKED none = { 0, 0 };

	__asm__ volatile("lidt %0; ud2" ::"m"(none));
	arch_hang();
}

void smp_stop_check(void)
{
	if (stopping)
		arch_hang();
}

void arch_stop_others(void)
{
	unsigned self = cpu_self()->id;

	stopping = true;
	if (!apic_present())
		return;
	for (unsigned i = 0; i < CPU_MAX && cpus[i]; i++)
		if (i != self && cpus[i]->online)
			apic_send(cpus[i]->apic_id, APIC_DELIVER_NMI);
}
