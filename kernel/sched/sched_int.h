#ifndef SCHED_INT_H
#define SCHED_INT_H

/* Private to kernel/sched. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "kern/percpu.h"
#include "kern/rbtree.h"
#include "kern/sched.h"

#define SCHED_LATENCY    (6 * NSEC_PER_MSEC) /* bound on a sleeper's credit */
#define SCHED_SLICE      (3 * NSEC_PER_MSEC)
#define SCHED_SLICE_IDLE (1 * NSEC_PER_MSEC) /* when a cpu has nothing to do */
#define SCHED_WAKE_GRAIN (500 * NSEC_PER_USEC) /* lead that preempts */

#define CPU_NONE         (~0u)

/*
 * One per cpu, touched by that cpu only and with interrupts off, except for
 * the fields that say otherwise.  So there is no lock.
 */
struct runq {
	struct cpu *cpu;
	struct rb_root tree;   /* SCHED_OTHER threads by vruntime */
	struct rb_node *first; /* its leftmost */
	struct list rt;        /* FIFO and RR, highest priority first */
	uint64_t min_vruntime; /* never goes back */
	struct thread *switched_from;
	struct thread *leaving;   /* to another cpu, once switched from */
	struct timer slice;       /* armed while threads compete */
	uint64_t balance_at;      /* when to look for a less busy cpu */
	uint64_t idle_since;      /* any cpu reads */
	uint64_t idle_length;     /* of the last idle period */
	_Atomic uint64_t idle_ns; /* any cpu reads */
	_Atomic uint32_t nready;  /* queued, not running; any cpu reads */
	_Atomic bool busy;        /* runs a thread; any cpu reads */

	/* Other cpus write these two. */
	_Atomic(struct thread *) incoming ALIGNED(CACHE_LINE);
	_Atomic uint32_t pull_for; /* a cpu that would take a thread */
} ALIGNED(CACHE_LINE);

/* runq.c */
void runq_init(struct runq *, struct cpu *);
void runq_enqueue(struct runq *, struct thread *, bool at_head);
void runq_dequeue(struct runq *, struct thread *);
struct thread *runq_pick(struct runq *);         /* still queued; NULL: none */
void runq_leave(struct runq *, struct thread *); /* vruntime becomes a lag */
void runq_arrive(struct runq *, struct thread *, uint64_t now);
void runq_charge(struct runq *, struct thread *, uint64_t ns);
void runq_yield(struct runq *, struct thread *);
/* Should (t), queued, run instead of (current)? */
bool runq_preempts(
    const struct runq *, const struct thread *t, const struct thread *current);
/* A queued thread that may run on (cpu); NULL: none. */
struct thread *runq_find_for(struct runq *, unsigned cpu);
bool runq_push_incoming(struct runq *, struct thread *); /* true: was empty */
struct thread *runq_take_incoming(struct runq *);        /* oldest first */

/* sched.c */
void schedule(void); /* interrupts off */
void sched_entry(void *thread);
void sched_kick(unsigned cpu);
void sched_resched(unsigned cpu); /* its thread's affinity has changed */

/* balance.c */
bool affinity_has(const struct thread *, unsigned cpu);
unsigned balance_choose(struct thread *);
/* Give (t), queued on (rq), to another cpu. */
void balance_push(struct runq *rq, struct thread *t, unsigned cpu);
void balance_new(struct thread *);
void balance_sleeps(struct thread *);
void balance_idle(struct cpu *, bool idle);
bool balance_any_idle(void);
void balance_pull(struct cpu *);
void balance_serve(struct runq *);
void balance_periodic(struct runq *, uint64_t now);

/* idle.c */
void idle_main(void *);

/* thread.c */
void thread_adopt(struct cpu *); /* the boot context is thread 0 */
struct thread *thread_idle(struct cpu *);
void thread_reap(struct thread *); /* dead and switched away from */

/* timer.c */
void timer_cpu_init(struct cpu *);
void timer_resched(void); /* a remote cpu put an earlier timer on ours */

/* stat.c */
void stat_init(void);

/* rcu.c, work.c: start their threads */
void rcu_init(void);
void work_init_thread(void);
void rcu_quiescent(struct cpu *); /* interrupts off */

#endif /* SCHED_INT_H */
