#ifndef EXPLORE_H
#define EXPLORE_H

/*
 * Every interleaving of a few processors, for the kernel's own source files.
 *
 * This header is included before all else (-include) where such a file is
 * compiled.  Its atomic operations become points where any processor may go on
 * instead, and each processor has a store buffer, as an x86 does: a store is
 * seen by others when the explorer says so, and a sequentially consistent one,
 * a read-modify-write or a fence empties it first.  Memory orders weaker than
 * that cost nothing on an x86, and are not told apart.
 *
 * explore() walks all states, a state being the bytes of what x_region() has
 * been told, of the live stacks and of the explorer itself.  It ends with what
 * is wrong: an assertion, or a state in which nobody can go on.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- the kernel's words -------------------------------------------------- */

uint64_t x_load(const volatile void *p, size_t n);
void x_store(volatile void *p, size_t n, uint64_t v, bool seq_cst);
uint64_t x_exchange(volatile void *p, size_t n, uint64_t v);
bool x_cas(volatile void *p, size_t n, uint64_t *old, uint64_t v);
uint64_t x_fetch(volatile void *p, size_t n, char op, uint64_t v);
void x_fence(bool seq_cst);
unsigned long x_irq_save(void);
void x_irq_restore(unsigned long flags);

#define X_TYPE(p)   __typeof__((void)0, *(p))
#define X_OUT(p, v) ((X_TYPE(p))(uintptr_t)(v))
#define X_IN(p, v)  ((uintptr_t)(X_TYPE(p))(v))

#undef atomic_load
#undef atomic_load_explicit
#undef atomic_store
#undef atomic_store_explicit
#undef atomic_exchange
#undef atomic_exchange_explicit
#undef atomic_compare_exchange_strong
#undef atomic_compare_exchange_strong_explicit
#undef atomic_compare_exchange_weak
#undef atomic_compare_exchange_weak_explicit
#undef atomic_fetch_add
#undef atomic_fetch_or
#undef atomic_fetch_and
#undef atomic_thread_fence

#define atomic_load(p)                 X_OUT(p, x_load(p, sizeof(*(p))))
#define atomic_load_explicit(p, order) atomic_load(p)
#define atomic_store_explicit(p, v, order) \
	x_store(p, sizeof(*(p)), X_IN(p, v), (order) == memory_order_seq_cst)
#define atomic_store(p, v) x_store(p, sizeof(*(p)), X_IN(p, v), true)

#define atomic_exchange(p, v)                                             \
	({                                                                \
		uint64_t x_was = x_exchange(p, sizeof(*(p)), X_IN(p, v)); \
		X_OUT(p, x_was);                                          \
	})
#define atomic_exchange_explicit(p, v, order) atomic_exchange(p, v)

#define atomic_compare_exchange_strong(p, old, v)                       \
	({                                                              \
		uint64_t x_old = (uintptr_t) * (old);                   \
		bool x_ok = x_cas(p, sizeof(*(p)), &x_old, X_IN(p, v)); \
		*(old) = X_OUT(p, x_old);                               \
		x_ok;                                                   \
	})
#define atomic_compare_exchange_weak(p, old, v) \
	atomic_compare_exchange_strong(p, old, v)
#define atomic_compare_exchange_strong_explicit(p, old, v, yes, no) \
	atomic_compare_exchange_strong(p, old, v)
#define atomic_compare_exchange_weak_explicit(p, old, v, yes, no) \
	atomic_compare_exchange_strong(p, old, v)
#define atomic_fetch_add(p, v)                                              \
	({                                                                  \
		uint64_t x_was = x_fetch(p, sizeof(*(p)), '+', X_IN(p, v)); \
		X_OUT(p, x_was);                                            \
	})
#define atomic_fetch_or(p, v)                                               \
	({                                                                  \
		uint64_t x_was = x_fetch(p, sizeof(*(p)), '|', X_IN(p, v)); \
		X_OUT(p, x_was);                                            \
	})
#define atomic_fetch_and(p, v)                                              \
	({                                                                  \
		uint64_t x_was = x_fetch(p, sizeof(*(p)), '&', X_IN(p, v)); \
		X_OUT(p, x_was);                                            \
	})
#define atomic_thread_fence(order) x_fence((order) == memory_order_seq_cst)

/* What is inline in the headers is explored as well. */
#include "kern/arch.h"
#include "kern/compiler.h"
#include "kern/sched.h"

/* --- for the test -------------------------------------------------------- */

#define X_CPUS 3

struct x_ctx; /* a context that a processor can run: a stack */

void x_reset(void);
/* Mutable memory of the model: all of it that is not on its stacks. */
void x_region(void *p, size_t n);
struct x_ctx *x_ctx_new(void (*fn)(void *), void *arg);
void x_cpu_start(unsigned cpu, struct x_ctx *);
/* The contexts that must have ended, when nobody can go on. */
void x_must_end(struct x_ctx *);
/* Sequentially consistent stores to [p, p + n) are taken for plain ones. */
void x_weaken(const void *p, size_t n);
/* A compare-and-swap of (p) is a look and a store. */
void x_tear(const void *p);
/* What is called from now on runs on (cpu), and is not explored. */
void x_boot(unsigned cpu);
/* NULL when nothing is wrong.  Prints how many states there are. */
const char *explore(void);

/* --- for the model, on one of its stacks --------------------------------- */

unsigned x_cpu(void); /* where we run */
void x_point(void);   /* others may go on here */
/* Go on when (ready)(arg), which looks at memory only. */
void x_wait(bool (*ready)(void *), void *arg);
unsigned x_choose(unsigned n); /* any number below n */
void x_fail(const char *why);
void x_switch(struct x_ctx *to);
void x_interrupt(unsigned cpu, void (*fn)(void)); /* an IPI */
void x_halt(void); /* interrupts on; until one has come */

#define irq_save()         x_irq_save()
#define irq_restore(flags) x_irq_restore(flags)
#define irq_disable()      ((void)x_irq_save())
#define irq_enable()       x_irq_restore(IRQ_FLAG_IF)

#endif /* EXPLORE_H */
