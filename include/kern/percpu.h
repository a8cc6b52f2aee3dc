#ifndef KERN_PERCPU_H
#define KERN_PERCPU_H

/*
 * The only per-cpu struct.  GS base points at it in kernel and program alike.
 * The first fields are read by assembly: kernel/arch/x86_64/offsets.h checks
 * them.  A field is touched by its own cpu only, unless it says otherwise.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

struct thread;
struct runq;     /* kernel/sched */
struct timerq;   /* kernel/sched/timer.c */
struct mm_cpu;   /* kernel/mm: page and slab caches */
struct arch_cpu; /* kernel/arch: GDT, TSS, IST stacks */

#define CPU_MAX 256

struct cpu {
	struct cpu *self;
	uint64_t kstack_top; /* of the current thread: asm */
	uint64_t scratch;    /* asm */
	struct thread *current;
	uint32_t preempt_off;      /* nesting; 0: may be preempted */
	_Atomic bool need_resched; /* another thread should run */
	_Atomic bool need_kick;    /* interrupts for other cpus were put off */
	bool in_irq;
	bool zero; /* cpu_quiet() looks at it with the four above */
	uint32_t id;
	uint32_t apic_id;
	_Atomic bool online;
	_Atomic bool idle_polling; /* no IPI needed to wake it */
	int32_t door_count;        /* kernel/arch/x86_64/site.c: asm */
	struct thread *idle;
	struct runq *runq;
	struct timerq *timerq;
	struct mm_cpu *mm;
	struct arch_cpu *arch;
	void *xen; /* xen/: vcpu_info and upcall state */
	uint64_t nirq, nswitch;
	_Atomic uint64_t rcu_seen; /* kernel/sched/rcu.c */
} ALIGNED(CACHE_LINE);

_Static_assert(
    offsetof(struct cpu, need_kick) == offsetof(struct cpu, need_resched) + 1,
    "cpu_put_off() looks at both");
_Static_assert(
    offsetof(struct cpu, preempt_off) % 8 == 0 &&
	offsetof(struct cpu, need_resched) ==
	    offsetof(struct cpu, preempt_off) + 4 &&
	offsetof(struct cpu, zero) == offsetof(struct cpu, preempt_off) + 7,
    "cpu_quiet() and cpu_may_switch() look at all of them");

extern struct cpu *cpus[CPU_MAX];   /* NULL past cpu_count() */
extern _Atomic unsigned sched_ncpu; /* kernel/sched's to write */

/* Cpus online; 1 for ever on a machine of one. */
static inline unsigned cpu_count(void)
{
	return atomic_load_explicit(&sched_ncpu, memory_order_relaxed);
}

#ifdef __KERNEL__
static inline struct cpu *cpu_self(void)
{
	struct cpu *c;
	__asm__ volatile("movq %%gs:0, %0" : "=r"(c));
	return c;
}

/* Is there anything that waits for preemption to be on?  One instruction, so
 * that it is this cpu's. */
static inline bool cpu_put_off(void)
{
	bool none;

	__asm__ volatile("cmpw $0, %%gs:%c1"
			 : "=@ccz"(none)
			 : "i"(offsetof(struct cpu, need_resched))
			 : "memory");
	return !none;
}

/* Is none of that the case, nor preemption off or an interrupt being served? */
static inline bool cpu_quiet(void)
{
	bool none;

	__asm__ volatile("cmpq $0, %%gs:%c1"
			 : "=@ccz"(none)
			 : "i"(offsetof(struct cpu, preempt_off))
			 : "memory");
	return none;
}

/* Is preemption on, and no interrupt being served?  One load, since a thread of
 * which that is so may be on another cpu by the next. */
static inline bool cpu_may_switch(void)
{
	const uint64_t need = 0xffffull << 32; /* need_resched, need_kick */
	uint64_t all;

	__asm__ volatile("movq %%gs:%c1, %0"
			 : "=r"(all)
			 : "i"(offsetof(struct cpu, preempt_off))
			 : "memory");
	return (all & ~need) == 0;
}

/*
 * One instruction, so that a migration between two loads cannot give
 * another cpu's thread.
 */
static inline struct thread *thread_self(void)
{
	struct thread *t;
	__asm__ volatile("movq %%gs:%c1, %0"
			 : "=r"(t)
			 : "i"(offsetof(struct cpu, current)));
	return t;
}
#else
struct cpu *cpu_self(void); /* host tests supply these */
struct thread *thread_self(void);

static inline bool cpu_quiet(void)
{
	struct cpu *c = cpu_self();

	return c->preempt_off == 0 && !c->need_resched && !c->need_kick &&
	       !c->in_irq;
}

static inline bool cpu_may_switch(void)
{
	struct cpu *c = cpu_self();

	return c->preempt_off == 0 && !c->in_irq;
}
#endif

#endif /* KERN_PERCPU_H */
