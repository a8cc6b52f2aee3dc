#ifndef VIRTIO_PVCLOCK_H
#define VIRTIO_PVCLOCK_H

/*
 * The paravirtual clock: the host says what the TSC was at a moment and how
 * fast it runs.  Linux, Documentation/virt/kvm/x86/msr.rst, MSR_KVM_SYSTEM_TIME_NEW.
 */

#include <stdint.h>

struct pvclock_info {
	uint32_t version; /* odd while the host writes */
	uint32_t pad0;
	uint64_t tsc;
	uint64_t system_time; /* ns, at (tsc) */
	uint32_t mul;         /* ns per (shifted) tick, times 2^32 */
	int8_t shift;
	uint8_t flags;
	uint8_t pad[2];
};

#define PVCLOCK_TSC_STABLE 1 /* all cpus' clocks agree */

/* ns; never less than what was returned before, on any cpu.  Any context. */
uint64_t pvclock_read(const struct pvclock_info *, uint64_t (*tsc)(void));

#endif /* VIRTIO_PVCLOCK_H */
