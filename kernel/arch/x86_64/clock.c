/*
 * Time: the platform's clock or the TSC, one timer per cpu, and how fast both
 * run.
 */

#include "kern/boot.h"
#include "kern/clock.h"
#include "kern/compiler.h"
#include "kern/log.h"
#include "kern/num.h"
#include "kern/platform.h"
#include "kern/sched.h"
#include "kern/vdso.h"

#include "apic.h"
#include "arch_int.h"
#include "time.h"

#define KHZ            1000ull

#define PIT_HZ         1193182ull
#define PIT_CHANNEL0   0x40
#define PIT_COMMAND    0x43
#define PIT_LATCH0     0x00
#define PIT_STATUS0    0xe2 /* read back: latch the status of channel 0 */
#define PIT_STATUS_OUT 0x80
#define PIT_MODE0_CH0  0x30 /* count down once, low byte then high byte */
#define PIT_WINDOW     2386 /* 2 ms */
#define PIT_POLLS_MAX  100000u

/* platform->clock_mono() minus clock_mono(). */
static uint64_t platform_base;
static bool use_platform;

static uint64_t apic_hz;
static uint64_t apic_mul, tsc_mul; /* ticks per ns, 32.32 */
static _Atomic uint64_t wall_offset;

/* A spinlock: no sleeping where the time is set from a platform's event. */
static struct spinlock wall_lock = SPINLOCK_INIT;
static struct vdso_data *published; /* wall_lock */

uint64_t clock_mono(void)
{
	if (unlikely(use_platform))
		return platform->clock_mono() - platform_base;
	return tsc_scale(tsc_now() - boot_info.entry_tsc);
}

uint64_t clock_wall(void)
{
	return clock_mono() + wall_offset;
}

static void publish_wall(struct vdso_data *d)
{
	__atomic_store_n(&d->seq, d->seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	WRITE_ONCE(d->wall_offset, wall_offset);
	__atomic_store_n(&d->seq, d->seq + 1, __ATOMIC_RELEASE);
}

void clock_wall_set(uint64_t ns)
{
	unsigned long flags = spin_lock_irqsave(&wall_lock);

	wall_offset = ns - clock_mono();
	if (published)
		publish_wall(published);
	spin_unlock_irqrestore(&wall_lock, flags);
}

void clock_publish(struct vdso_data *d)
{
	unsigned long flags = spin_lock_irqsave(&wall_lock);

	d->tsc_base = boot_info.entry_tsc;
	d->ns_mul = tsc_ns_mul;
	d->mono_base = platform_base;
	if (!use_platform)
		d->clock = VDSO_CLOCK_TSC;
	else if (platform->clock_area && (d->pvclock = platform->clock_area()))
		d->clock = VDSO_CLOCK_PVCLOCK;
	publish_wall(d);
	published = d;
	spin_unlock_irqrestore(&wall_lock, flags);
}

void arch_timer_set(uint64_t deadline)
{
	uint64_t now, ticks;

	if (platform->timer_set) {
		if (deadline < UINT64_MAX - platform_base)
			deadline += platform_base;
		platform->timer_set(deadline);
		return;
	}
	if (deadline == TIME_NEVER) {
		apic_timer_stop();
		return;
	}
	now = clock_mono();
	deadline = deadline > now ? deadline - now : 0;
	if (!apic_timer_needs_hz()) {
		apic_timer_deadline(
		    tsc_read() +
		    (uint64_t)((unsigned __int128)deadline * tsc_mul >> 32));
		return;
	}
	/* too far for the counter: an early interrupt asks again */
	ticks = (uint64_t)((unsigned __int128)deadline * apic_mul >> 32);
	apic_timer_count((uint32_t)MIN(ticks, (uint64_t)UINT32_MAX));
}

/* Leaves 0x15 and 0x16, then the timing leaf of KVM and VMware. */
static uint64_t cpuid_tsc_hz(void)
{
	uint32_t r[4];

	if (cpu_features.max_leaf >= 0x15) {
		cpuid(0x15, 0, r);
		if (r[0] && r[1] && r[2])
			return (uint64_t)r[2] * r[1] / r[0];
	}
	if (!cpu_features.hypervisor)
		return 0;
	cpuid(0x40000000, 0, r);
	if (r[0] < 0x40000010 || r[0] > 0x400000ff)
		return 0;
	cpuid(0x40000010, 0, r);
	return r[0] * KHZ;
}

static uint64_t cpuid_apic_hz(void)
{
	uint32_t r[4];

	if (!cpu_features.hypervisor)
		return 0;
	cpuid(0x40000000, 0, r);
	if (r[0] < 0x40000010 || r[0] > 0x400000ff)
		return 0;
	cpuid(0x40000010, 0, r);
	return r[1] * KHZ;
}

static unsigned pit_count(uint64_t *tsc)
{
	unsigned lo;

	*tsc = tsc_read();
	outb(PIT_COMMAND, PIT_LATCH0);
	lo = inb(PIT_CHANNEL0);
	return lo | (unsigned)inb(PIT_CHANNEL0) << 8;
}

/*
 * The timer chip counts while the kernel boots: nothing waits for it but for
 * what then lacks of the window.  Its interrupt goes nowhere.
 */
static struct {
	unsigned count;
	uint64_t tsc;
} pit_start;

static void pit_begin(void)
{
	outb(PIT_COMMAND, PIT_MODE0_CH0);
	outb(PIT_CHANNEL0, 0xff);
	outb(PIT_CHANNEL0, 0xff);
	pit_start.count = pit_count(&pit_start.tsc);
}

void clock_early_init(void)
{
	uint64_t hz;

	if (tsc_hz()) /* the platform knew */
		return;
	hz = cpuid_tsc_hz();
	if (hz)
		tsc_set_hz(hz);
	else
		pit_begin();
}

/* Has it gone past 0 (a slow host), or is there none? */
static bool pit_expired(void)
{
	outb(PIT_COMMAND, PIT_STATUS0);
	return inb(PIT_CHANNEL0) & PIT_STATUS_OUT;
}

static bool measure_by_pit(void)
{
	for (unsigned i = 0; i < PIT_POLLS_MAX; i++) {
		uint64_t tsc;
		unsigned passed = pit_start.count - pit_count(&tsc);

		if (pit_expired())
			return false;
		if (passed < PIT_WINDOW)
			continue;
		tsc_set_hz((tsc - pit_start.tsc) * PIT_HZ / passed);
		return true;
	}
	return false;
}

static uint64_t apic_start_tsc;

/* The local APIC counts while the rest comes up, too. */
void clock_apic_start(void)
{
	if (platform->timer_set || !apic_timer_needs_hz())
		return;
	apic_hz = cpuid_apic_hz();
	if (apic_hz)
		return;
	apic_start_tsc = tsc_read();
	apic_timer_count_start();
}

static void measure_apic(void)
{
	uint64_t window = tsc_hz() / 1000, passed;
	uint32_t ticks;

	do
		passed = tsc_read() - apic_start_tsc;
	while (passed < window);
	ticks = apic_timer_count_stop();
	apic_hz = (uint64_t)ticks * (tsc_hz() / KHZ) / passed * KHZ;
}

static void measure_tsc(void)
{
	if (measure_by_pit())
		return;
	pit_begin(); /* once more, from now on */
	if (measure_by_pit())
		return;
	log_warn("clock: no way to measure the TSC: 1 GHz assumed");
	tsc_set_hz(1000000000);
}

static void measure(void)
{
	if (!tsc_hz())
		measure_tsc();
	if (apic_start_tsc)
		measure_apic();
	apic_mul = (apic_hz << 32) / NSEC_PER_SEC;
	tsc_mul = tsc_hz() / KHZ * (1ull << 32) / (NSEC_PER_SEC / KHZ);
}

void clock_init(void)
{
	uint64_t wall;

	measure();
	if (platform->clock_mono) {
		uint64_t now = tsc_scale(tsc_now() - boot_info.entry_tsc);

		platform_base = platform->clock_mono() - now;
		use_platform = true;
	}
	wall = platform->clock_wall ? platform->clock_wall() : rtc_read();
	clock_wall_set(wall);
	log_info("clock: TSC %lu kHz%s, wall %lu s",
	    (unsigned long)(tsc_hz() / 1000),
	    use_platform ? ", platform clock" : "",
	    (unsigned long)(wall / NSEC_PER_SEC));
}
