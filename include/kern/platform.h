#ifndef KERN_PLATFORM_H
#define KERN_PLATFORM_H

/*
 * What the core asks of the machine under it.  One per hypervisor; chosen at
 * boot by the CPUID signature, never at configure time.  The platform with a
 * NULL signature ("pc") is taken when no other matches: plain QEMU TCG.
 * Implemented by xen/xen.c and virtio/kvm.c; kernel/dev/platform.c chooses.
 */

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"

enum platform_halt {
	PLATFORM_POWEROFF,
	PLATFORM_REBOOT,
	PLATFORM_HALT,
	PLATFORM_CRASH
};

struct pvclock_time;

struct platform {
	const char *name;      /* "xen", "kvm", "pc" */
	const char *cpuid_sig; /* 12 bytes at leaf 0x40000000 + n*0x100 */

	/*
	 * Before memory and interrupts: hypercall page, early console.  Sees
	 * boot_info.  Returns 0 or -errno (then the boot panics).
	 */
	int (*early)(uint32_t cpuid_base);

	/* Early and panic output; any context. */
	void (*putc)(char);

	/* Thread context, memory and interrupts work: clock, console. */
	int (*init)(void);

	/*
	 * Find the devices: device_add() for each; later ones at run time.
	 * Thread context, all cpus are up.
	 */
	void (*probe)(void);

	/* On each cpu as it comes up (also the first), interrupts off. */
	void (*cpu_init)(unsigned cpu);

	/* ns since an arbitrary start, never goes back.  NULL: the TSC. */
	uint64_t (*clock_mono)(void);
	/* ns since 1970.  NULL: the RTC. */
	uint64_t (*clock_wall)(void);
	/* The first cpu's time, when clock_mono() is made of it: for programs
	 * to read, as long as it says PVCLOCK_TSC_STABLE.  NULL: none. */
	const volatile struct pvclock_time *(*clock_area)(void);

	/*
	 * One-shot event on this cpu at (deadline), mono ns; in the past means
	 * now; UINT64_MAX stops it.  It arrives as timer_interrupt().
	 * NULL: the local APIC's.
	 */
	void (*timer_set)(uint64_t deadline);

	/* Send IPI (vector) to (cpu).  NULL: the local APIC. */
	void (*ipi)(unsigned cpu, unsigned vector);

	/* Does not return.  (status) is the program's exit status. */
	void (*halt)(enum platform_halt how, int status);
};

#define PLATFORM(p) LINKER_SET_ADD(platform_set, struct platform, p)

extern const struct platform *platform;

/* kernel/dev/platform.c */
void platform_choose(void);
_Noreturn void platform_halt(enum platform_halt how, int status);

/*
 * The host asked for an orderly stop (xl shutdown, ACPI, Ctrl-Alt-Del): tell
 * the program (SIGTERM), and halt when it has gone.  Any context.  Set by
 * kernel/linux; before that the machine halts at once.
 */
extern void (*shutdown_request)(enum platform_halt how);

#endif /* KERN_PLATFORM_H */
