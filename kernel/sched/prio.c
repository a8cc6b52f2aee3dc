/*
 * Whom a thread's policy and priority put before whom.  The program sets a
 * base; what runs is the more urgent of that and what waiters lend.  A queue
 * is its cpu's alone: another cpu leaves a mark and has it sort again.
 */

#include <linux/sched.h>

#include "kern/arch.h"
#include "kern/num.h"
#include "runq.h"

/* A spinlock: a lock's owner is boosted with the lock's queue locked.
 * Protects base_policy, base_priority and lent of every thread. */
static struct spinlock prio_lock = SPINLOCK_INIT;

static bool is_rt(int policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

/* A queued thread of (rq) that is not where its class belongs. */
static struct thread *misplaced(struct runq *rq)
{
	struct rb_node *n;

	if (rq->first && is_rt(rq->first->policy))
		return rq->first;
	for (n = rb_first(&rq->tree); n; n = rb_next(n)) {
		struct thread *t = rb_entry(n, struct thread, run_node);

		if (is_rt(t->policy))
			return t;
	}
	return NULL;
}

void prio_sort(struct cpu *c)
{
	struct list old;
	struct thread *t;

	atomic_store(&c->runq->unsorted, false);
	list_init(&old);
	while ((t = list_first(&c->runq->rt, struct thread, run_link))) {
		runq_dequeue(c->runq, t);
		list_add_tail(&old, &t->run_link);
	}
	while ((t = misplaced(c->runq))) {
		runq_dequeue(c->runq, t);
		list_add_tail(&old, &t->run_link);
	}
	while ((t = list_first(&old, struct thread, run_link))) {
		list_del(&t->run_link);
		runq_enqueue(c->runq, t, false);
	}
	/* What runs here may be the one that has changed. */
	atomic_store_explicit(&c->need_resched, true, memory_order_relaxed);
}

/*
 * Interrupts off.  (t) may be on its way to another cpu meanwhile: whoever
 * queues it after this fence sees the new priority, and before it t->cpu was
 * written.
 */
static void sort_queue_of(const struct thread *t)
{
	unsigned cpu;

	atomic_thread_fence(memory_order_seq_cst);
	cpu = READ_ONCE(t->cpu);
	if (cpus[cpu] == cpu_self()) {
		prio_sort(cpus[cpu]);
		return;
	}
	atomic_store(&cpus[cpu]->runq->unsorted, true);
	sched_resched(cpu);
}

/* prio_lock is held. */
static void prio_apply(struct thread *t)
{
	int base = is_rt(t->base_policy) ? t->base_priority : 0;
	int priority = MAX(base, t->lent);
	int policy = t->lent > base ? SCHED_FIFO : t->base_policy;

	if (t->policy == policy && t->rt_priority == priority)
		return;
	WRITE_ONCE(t->policy, policy);
	WRITE_ONCE(t->rt_priority, priority);
	sort_queue_of(t);
}

void thread_set_policy(struct thread *t, int policy, int rt_priority)
{
	unsigned long flags = spin_lock_irqsave(&prio_lock);

	t->base_policy = policy;
	t->base_priority = rt_priority;
	prio_apply(t);
	spin_unlock_irqrestore(&prio_lock, flags);
}

void thread_lend_priority(struct thread *t, int rt_priority)
{
	unsigned long flags = spin_lock_irqsave(&prio_lock);

	t->lent = rt_priority;
	prio_apply(t);
	spin_unlock_irqrestore(&prio_lock, flags);
}
