#ifndef KERN_VDSO_H
#define KERN_VDSO_H

/*
 * The vDSO: code of the kernel's that runs as the program's, in
 * kernel/arch/x86_64/vdso/, and the page of data that it reads.  Every program
 * gets both, read-only; kernel/linux/vdso.c maps them.
 */

#include <stdint.h>

struct pvclock_time;

enum vdso_clock {
	VDSO_CLOCK_NONE, /* ask the kernel */
	VDSO_CLOCK_TSC,
	VDSO_CLOCK_PVCLOCK, /* while the host calls it stable */
};

/* Read by the program at any time, also while it is written: see (seq). */
struct vdso_data {
	uint32_t seq;   /* odd: what follows is being written */
	uint32_t clock; /* enum vdso_clock */
	/* clock_mono(): (TSC - tsc_base) * ns_mul >> 32, or the host's time
	 * less (mono_base) */
	uint64_t tsc_base, ns_mul;
	const volatile struct pvclock_time *pvclock;
	uint64_t mono_base;
	uint64_t wall_offset; /* clock_wall() less clock_mono() */
};

/* The ELF file; its entry point is where an interrupted plain call is made
 * again: a system call and a return. */
extern const char vdso_image[], vdso_image_end[];

/* Have the clocks described in (d), a page that programs can read, from now
 * on.  Boot, once.  kernel/arch/x86_64/clock.c */
void clock_publish(struct vdso_data *d);

#endif /* KERN_VDSO_H */
