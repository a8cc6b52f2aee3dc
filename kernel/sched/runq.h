#ifndef SCHED_RUNQ_H
#define SCHED_RUNQ_H

/*
 * A cpu's run queue: what it orders, and how.  Its cpu, with interrupts off,
 * unless said otherwise.  What every switch does is inline, for the case of a
 * fair thread and an empty tree.
 */

#include <linux/sched.h>

#include "sched_int.h"

void runq_init(struct runq *, struct cpu *);

static inline bool runq_is_rt(const struct thread *t)
{
	return t->policy == SCHED_FIFO || t->policy == SCHED_RR;
}

/* vruntime wraps in 500 years; compare as a difference all the same. */
static inline bool runq_before(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b) < 0;
}

/* --- the queue ----------------------------------------------------------- */

/* The slow paths of runq_enqueue() and runq_dequeue(). */
void runq_insert(struct runq *, struct thread *, bool at_head);
void runq_remove(struct runq *, struct thread *);

/* (t) is fair, and none is queued. */
static inline void runq_enqueue_only(struct runq *rq, struct thread *t)
{
	rq->nready = 1;
	t->rt_queued = false;
	rq->first = t;
}

static inline void runq_enqueue(struct runq *rq, struct thread *t, bool at_head)
{
	if (likely(rq->nready == 0 && !runq_is_rt(t))) {
		runq_enqueue_only(rq, t);
		return;
	}
	rq->nready++;
	runq_insert(rq, t, at_head);
}

/* The only one queued, which is fair. */
static inline void runq_dequeue_only(struct runq *rq)
{
	rq->nready = 0;
	rq->first = NULL;
}

static inline void runq_dequeue(struct runq *rq, struct thread *t)
{
	rq->nready--;
	if (likely(rq->first == t && !rq->tree.node))
		rq->first = NULL;
	else
		runq_remove(rq, t);
}

/* The one to run next, still queued; NULL: none. */
static inline struct thread *runq_pick(struct runq *rq)
{
	if (likely(list_empty(&rq->rt)))
		return rq->first;
	return list_first(&rq->rt, struct thread, run_link);
}

/* A queued thread that may run on (cpu); NULL: none. */
struct thread *runq_find_for(struct runq *rq, unsigned cpu);
/* (t), running, lets one other go first. */
void runq_yield(struct runq *, struct thread *t);

/* --- time ---------------------------------------------------------------- */

/* runq_charge()'s slow path: weighted, or after a suspension. */
KEEPS_REGISTERS void runq_charge_weighted(struct thread *t, uint64_t now);

/* Bring the vruntime of (t), which runs, up to (now). */
static inline void runq_charge(struct runq *rq, struct thread *t, uint64_t now)
{
	uint64_t ns = now - t->charged_at, v;

	if (likely(ns <= NSEC_PER_SEC && t->nice == 0 &&
		   t->policy != SCHED_IDLE)) {
		t->vruntime += ns;
		t->charged_at = now;
	} else {
		CALL_KEEPING2(runq_charge_weighted, t, now);
	}
	v = t->vruntime;
	if (rq->first && runq_before(rq->first->vruntime, v))
		v = rq->first->vruntime;
	if (runq_before(rq->min_vruntime, v))
		rq->min_vruntime = v;
}

/*
 * Is the vruntime of (t), which was away, near enough to this queue's?  What
 * has not been charged yet, a slice at most, is not looked at.
 */
static inline bool runq_is_near(const struct runq *rq, const struct thread *t)
{
	return t->vruntime - (rq->min_vruntime - SCHED_CREDIT) <=
	       SCHED_CREDIT + SCHED_WAKE_GRAIN;
}

/* Bring it there. */
void runq_settle(struct runq *rq, struct thread *t, uint64_t now);

/* (t) goes to (cpu), and its vruntime with it.  Any cpu that owns (t). */
void runq_move(struct thread *t, unsigned cpu);

/* May (t) go before (current), both fair? */
static inline bool runq_leads(
    const struct thread *t, const struct thread *current)
{
	return runq_before(t->vruntime + SCHED_WAKE_GRAIN, current->vruntime);
}

/* Should (t), queued, run instead of (current), by what that is charged? */
static inline bool runq_preempts(
    const struct runq *rq, const struct thread *t, const struct thread *current)
{
	if (current == rq->cpu->idle)
		return true;
	if (unlikely(runq_is_rt(t)))
		return !runq_is_rt(current) ||
		       t->rt_priority > current->rt_priority;
	if (unlikely(runq_is_rt(current)))
		return false;
	return runq_leads(t, current);
}

#endif /* SCHED_RUNQ_H */
