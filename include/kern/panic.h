#ifndef KERN_PANIC_H
#define KERN_PANIC_H

/* kernel/base/panic.c */

#include <stdbool.h>

#include "compiler.h"

struct trapframe;

/*
 * Print the reason, the registers and a symbolised backtrace, then stop the
 * machine as crashed (PLATFORM_CRASH).  Any context; stops other cpus first.
 */
_Noreturn void panic(const char *fmt, ...) PRINTF_LIKE(1, 2) COLD;
_Noreturn void panic_trap(const struct trapframe *, const char *fmt, ...)
    PRINTF_LIKE(2, 3) COLD;

/*
 * Our own invariants, always compiled in.  Never on input: what a program, a
 * peer or a file can cause is an error, not an assertion.
 */
#define assert(x) \
	(likely(x) ? (void)0 : panic("%s:%d: %s", __FILE__, __LINE__, #x))

/*
 * ./configure --enable-debug: what costs too much to be always there, such as
 * filling freed memory (kernel/mm/slab.c) and asking of every lock that may
 * sleep whether one may (kernel/sched/sched_int.h).
 */
#ifdef CONFIG_DEBUG
#define DEBUG_CHECKS true
#else
#define DEBUG_CHECKS false
#endif

#endif /* KERN_PANIC_H */
