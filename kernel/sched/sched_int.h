#ifndef SCHED_INT_H
#define SCHED_INT_H

/* Private to kernel/sched. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "kern/arch.h"
#include "kern/panic.h"
#include "kern/percpu.h"
#include "kern/rbtree.h"
#include "kern/sched.h"

#define SCHED_LATENCY    (6 * NSEC_PER_MSEC)
#define SCHED_CREDIT     (SCHED_LATENCY / 2) /* a sleeper's at most */
#define SCHED_SLICE      (3 * NSEC_PER_MSEC)
#define SCHED_SLICE_IDLE (1 * NSEC_PER_MSEC) /* when a cpu has nothing to do */
#define SCHED_WAKE_GRAIN (500 * NSEC_PER_USEC) /* lead that preempts */

#define CPU_NONE         (~0u)

/* For what may sleep, also where it need not.  At boot the idle thread runs. */
static inline void might_sleep(void)
{
	const struct thread *t = DEBUG_CHECKS ? thread_self() : NULL;

	if (t && t != cpus[0]->idle)
		assert(irq_enabled() && cpu_may_switch());
}

/*
 * One per cpu, touched by that cpu only and with interrupts off, except for
 * the fields that say otherwise.  So there is no lock.
 */
struct runq {
	struct cpu *cpu;
	struct thread *first;  /* the SCHED_OTHER thread of least vruntime */
	struct rb_root tree;   /* the others by vruntime */
	struct list rt;        /* FIFO and RR, highest priority first */
	uint64_t min_vruntime; /* never goes back */
	struct thread *switched_from;
	struct thread *parting;   /* dead or for another cpu, once switched
				     from */
	struct timer slice;       /* armed while threads compete */
	uint64_t balance_at;      /* when to look for a less busy cpu */
	uint64_t idle_since;      /* any cpu reads */
	uint64_t idle_length;     /* of the last idle period */
	_Atomic uint64_t idle_ns; /* any cpu reads */
	uint32_t nready;          /* queued, not running; any cpu reads */
	_Atomic bool busy;        /* runs a thread; any cpu reads */
	uint64_t kicks[THREAD_CPUS_WORDS]; /* see preempt_resched() */

	/* Other cpus write these three. */
	struct mpsc incoming ALIGNED(CACHE_LINE);
	_Atomic uint32_t pull_for; /* a cpu that would take a thread */
	_Atomic bool unsorted;     /* see prio.c */
} ALIGNED(CACHE_LINE);

/* Nobody to share threads with. */
static inline bool sched_alone(void)
{
	return cpu_count() == 1;
}

static inline bool affinity_has(const struct thread *t, unsigned cpu)
{
	return READ_ONCE(t->affinity[cpu / 64]) >> (cpu % 64) & 1;
}

/*
 * The processor time of a thread is one word, so that any cpu may read it: the
 * sum while it does not run; while it does, with TIME_RUNNING, the sum less the
 * time since when.  Only the cpu that switches the thread writes it.
 */
#define TIME_RUNNING (1ull << 63)

static inline void time_starts(struct thread *t, uint64_t now)
{
	uint64_t v = atomic_load_explicit(&t->cpu_time, memory_order_relaxed);

	atomic_store_explicit(
	    &t->cpu_time, (v - now) | TIME_RUNNING, memory_order_release);
}

static inline void time_stops(struct thread *t, uint64_t now)
{
	uint64_t v = atomic_load_explicit(&t->cpu_time, memory_order_relaxed);

	atomic_store_explicit(
	    &t->cpu_time, (v + now) & ~TIME_RUNNING, memory_order_release);
}

/* sched.c */
/* Interrupts off.  The current thread sleeps: run the one whose turn it is. */
void schedule(void);
/* The same whatever the current one's state is. */
void reschedule(void);
void sched_entry(void *thread);
void sched_kick(unsigned cpu);
void sched_resched(unsigned cpu); /* its thread's affinity has changed */

/* balance.c */
unsigned balance_choose(struct thread *);
/* Give (t), queued on (rq), to another cpu. */
void balance_push(struct runq *rq, struct thread *t, unsigned cpu);
void balance_new(struct thread *);
KEEPS_REGISTERS void balance_sleeps(struct thread *);
void balance_idle(struct cpu *, bool idle);
bool balance_any_idle(void);
void balance_pull(struct cpu *);
/* Interrupts off.  Give the cpu that asked for a thread one of ours. */
void balance_serve(struct runq *);
void balance_periodic(struct runq *, uint64_t now);

/* prio.c */
void prio_sort(struct cpu *); /* interrupts off */

/* idle.c */
void idle_main(void *);

/* thread.c */
void thread_adopt(struct cpu *); /* the boot context is thread 0 */
struct thread *thread_idle(struct cpu *);
void thread_reap(struct thread *); /* dead and switched away from */

/* tid.c */
void tid_add(struct thread *); /* gives it its id */
void tid_del(struct thread *);

/* timer.c */
void timer_cpu_init(struct cpu *);
void timer_resched(void); /* a remote cpu put an earlier timer on ours */

/* stat.c */
void stat_init(void);

/* waitq.c: instead of sleep_end(), when there is no more need to sleep. */
void sleep_cancel(void);

/* rcu.c, work.c: start their threads */
void rcu_init(void);
void work_init_thread(void);

extern _Atomic uint64_t rcu_period;

/* Interrupts off: (c), the caller's cpu, is in no read section. */
static inline void rcu_quiescent(struct cpu *c)
{
	/* Acquire: readers after this see what the updater removed before it
	 * began the period.  Release: readers before this are done. */
	uint64_t now = atomic_load_explicit(&rcu_period, memory_order_acquire);

	if (atomic_load_explicit(&c->rcu_seen, memory_order_relaxed) != now)
		atomic_store_explicit(&c->rcu_seen, now, memory_order_release);
}

#endif /* SCHED_INT_H */
