#ifndef KERN_PVCLOCK_H
#define KERN_PVCLOCK_H

/*
 * The paravirtual clock that Xen and KVM share: the host says what the TSC was
 * at a moment and how fast it runs, in memory of its own for each cpu.
 * kernel/arch/x86_64/pvclock.c.  Source: xen/include/public/xen.h, struct
 * vcpu_time_info; Linux, Documentation/virt/kvm/x86/msr.rst.
 */

#include <stdint.h>

struct pvclock_time {
	uint32_t version; /* odd while the host writes */
	uint32_t pad0;
	uint64_t tsc;
	uint64_t system_time; /* ns, at (tsc) */
	uint32_t mul;         /* ns per (shifted) tick, times 2^32 */
	int8_t shift;
	uint8_t flags;
	uint8_t pad[2];
};
_Static_assert(sizeof(struct pvclock_time) == 32, "pvclock_time");

#define PVCLOCK_TSC_STABLE 1 /* all cpus' clocks agree */

/*
 * ns of host time by (t), which is the running cpu's: interrupts off.  Never
 * less than what any cpu was told before.
 */
uint64_t pvclock_ns(const struct pvclock_time *t);

/* The TSC's frequency by (t); 0 when the host has not filled it in. */
uint64_t pvclock_tsc_hz(const struct pvclock_time *t);

#endif /* KERN_PVCLOCK_H */
