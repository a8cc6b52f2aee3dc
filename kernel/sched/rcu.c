/*
 * Grace periods by counting: a cpu that switches threads, or takes
 * VECTOR_RESCHED while preemption is allowed, is in no read section and notes
 * the number of the period that runs.  When all have noted ours, the readers
 * of before have gone.
 */

#include "kern/arch.h"
#include "kern/clock.h"
#include "kern/panic.h"
#include "sched_int.h"

#define RCU_BATCH_DELAY (2 * NSEC_PER_MSEC)
#define RCU_POLL        (200 * NSEC_PER_USEC)

_Atomic uint64_t rcu_period = 1;
static struct mpsc queue;
static struct waitq wait = WAITQ_INIT(wait);
static struct spinlock wait_lock = SPINLOCK_INIT;

static void wait_for_cpu(struct cpu *c, uint64_t want)
{
	bool kicked = false;

	while (
	    atomic_load_explicit(&c->rcu_seen, memory_order_acquire) < want) {
		if (!kicked)
			cpu_ipi(c->id, VECTOR_RESCHED);
		kicked = true;
		thread_sleep_until(clock_mono() + RCU_POLL, 0);
	}
}

void rcu_synchronize(void)
{
	uint64_t want = atomic_fetch_add(&rcu_period, 1) + 1;
	unsigned long flags = irq_save();
	struct cpu *self = cpu_self();

	assert(self->preempt_off == 0);
	rcu_quiescent(self);
	irq_restore(flags);
	for (unsigned i = 0; i < CPU_MAX && cpus[i]; i++)
		if (cpus[i]->online)
			wait_for_cpu(cpus[i], want);
}

void rcu_call(struct rcu_head *h, void (*fn)(struct rcu_head *))
{
	unsigned long flags;

	h->fn = fn;
	if (!mpsc_push(&queue, &h->node))
		return;
	flags = spin_lock_irqsave(&wait_lock);
	waitq_wake_all(&wait);
	spin_unlock_irqrestore(&wait_lock, flags);
}

static void wait_for_calls(void)
{
	unsigned long flags = spin_lock_irqsave(&wait_lock);

	while (mpsc_empty(&queue))
		waitq_wait(&wait, &wait_lock, &flags, TIME_NEVER, 0);
	spin_unlock_irqrestore(&wait_lock, flags);
}

static void rcu_main(void *arg)
{
	struct mpsc_node *n, *next;

	(void)arg;
	for (;;) {
		wait_for_calls();
		thread_sleep_until(clock_mono() + RCU_BATCH_DELAY, 0);
		n = mpsc_take(&queue);
		rcu_synchronize();
		for (; n; n = next) {
			struct rcu_head *h =
			    container_of(n, struct rcu_head, node);

			next = n->next;
			h->fn(h);
		}
	}
}

void rcu_init(void)
{
	struct thread *t;

	if (thread_create(&t, "rcu", rcu_main, NULL, -1))
		panic("no memory for the rcu thread");
	thread_start(t);
}
