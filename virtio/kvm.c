/*
 * QEMU or another monitor with KVM: the PC of pc.c with KVM's clock.
 * Source: Linux, Documentation/virt/kvm/x86/{cpuid,msr}.rst.
 */

#include "kern/arch.h"
#include "kern/compiler.h"
#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/percpu.h"
#include "kern/platform.h"
#include "kern/pvclock.h"

#include "pc_int.h"

#define KVM_CPUID_FEATURES       1 /* + base */
#define KVM_FEATURE_CLOCKSOURCE2 3
#define KVM_MSR_WALL_CLOCK       0x4b564d00
#define KVM_MSR_SYSTEM_TIME      0x4b564d01
#define KVM_SYSTEM_TIME_ON       1

#define WALL_TRIES               1000

struct kvm_wall_clock {
	uint32_t version, sec, nsec;
} ALIGNED(4);

/* The host writes 32 bytes that must not cross a page. */
static struct pvclock_time kvm_time[CPU_MAX] ALIGNED(64);
static struct kvm_wall_clock kvm_wall;
static bool kvm_has_clock;

static void kvm_cpu_init(unsigned cpu)
{
	if (kvm_has_clock)
		wrmsr(KVM_MSR_SYSTEM_TIME,
		    va_to_pa(&kvm_time[cpu]) | KVM_SYSTEM_TIME_ON);
}

static int kvm_early(uint32_t base)
{
	uint32_t r[4];
	uint64_t hz;

	cpuid(base + KVM_CPUID_FEATURES, 0, r);
	kvm_has_clock = r[0] >> KVM_FEATURE_CLOCKSOURCE2 & 1;
	kvm_cpu_init(0); /* the clock is read before cpu_init() */
	hz = kvm_has_clock ? pvclock_tsc_hz(&kvm_time[0]) : 0;
	if (hz != 0)
		tsc_set_hz(hz);
	return pc_early(base);
}

/* Each cpu has its own. */
static uint64_t kvm_clock_mono(void)
{
	unsigned long flags;
	uint64_t now;

	if (!kvm_has_clock)
		return tsc_to_ns(tsc_read());
	flags = irq_save();
	now = pvclock_ns(&kvm_time[cpu_self()->id]);
	irq_restore(flags);
	return now;
}

static const volatile struct pvclock_time *kvm_clock_area(void)
{
	return kvm_has_clock ? &kvm_time[0] : NULL;
}

/* The time of day when the system time was 0; the host writes it when asked. */
static uint64_t kvm_clock_wall(void)
{
	struct kvm_wall_clock w = { 0 };

	wrmsr(KVM_MSR_WALL_CLOCK, va_to_pa(&kvm_wall));
	for (unsigned i = 0; i < WALL_TRIES; i++) {
		w.version = READ_ONCE(kvm_wall.version);
		barrier();
		w.sec = READ_ONCE(kvm_wall.sec);
		w.nsec = READ_ONCE(kvm_wall.nsec);
		barrier();
		if (!(w.version & 1) &&
		    w.version == READ_ONCE(kvm_wall.version))
			break;
		cpu_relax();
	}
	return w.sec * 1000000000ull + w.nsec + kvm_clock_mono();
}

static const struct platform kvm_platform = {
	.name = "kvm",
	.cpuid_sig = "KVMKVMKVM\0\0\0",
	.early = kvm_early,
	.putc = pc_putc,
	.init = pc_init,
	.probe = pc_probe,
	.cpu_init = kvm_cpu_init,
	.clock_mono = kvm_clock_mono,
	.clock_wall = kvm_clock_wall,
	.clock_area = kvm_clock_area,
	.halt = pc_halt,
};
PLATFORM(kvm_platform);
