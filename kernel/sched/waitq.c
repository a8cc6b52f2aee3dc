/*
 * Sleeping without losing a wake-up.  The sleeper's order is: state to
 * SLEEPING and on the queue, release the lock, schedule(); the owner's lock
 * makes the first two one step for waitq_wake().  Time-outs and interrupts do
 * not take that lock: they only change the state, and the sleeper takes
 * itself off the queue.  Interrupts stay off in between, so that the thread
 * cannot be preempted while it is SLEEPING but still running.
 */

#include "kern/arch.h"
#include "kern/clock.h"
#include "kern/errno.h"
#include "kern/panic.h"
#include "sched_int.h"

struct sleep_timer {
	struct timer timer;
	struct thread *thread;
};

static void sleep_expired(struct timer *tm)
{
	struct sleep_timer *st = container_of(tm, struct sleep_timer, timer);

	thread_wake(st->thread, -ETIMEDOUT);
}

static inline void begin(struct thread *t, unsigned how)
{
	atomic_store_explicit(
	    &t->intr_sleep, how & WAIT_INTR, memory_order_relaxed);
	t->wait_status = 0;
	/*
	 * Sequentially consistent: pairs with thread_interrupt(), which sets
	 * interrupted and then looks at the state; end() looks at interrupted
	 * after this.  One of the two sees the other.
	 */
	atomic_store(&t->state, THREAD_SLEEPING);
}

void sleep_begin(unsigned how)
{
	begin(thread_self(), how);
}

/* Back to RUNNING; false: somebody has made us READY and queued us. */
static bool sleep_abort(struct thread *t)
{
	uint32_t sleeping = THREAD_SLEEPING;

	return atomic_compare_exchange_strong(
	    &t->state, &sleeping, THREAD_RUNNING);
}

void sleep_cancel(void)
{
	/* Otherwise we are on a queue, and have to come off it. */
	if (!sleep_abort(thread_self()))
		schedule();
}

static NOINLINE void sleep_until(struct thread *t, uint64_t deadline)
{
	struct sleep_timer st = { .thread = t };

	timer_init(&st.timer, sleep_expired);
	timer_set(&st.timer, deadline);
	schedule();
	timer_cancel(&st.timer);
}

static inline int end(uint64_t deadline, unsigned how)
{
	struct thread *t = thread_self();
	int status;

	if ((how & WAIT_INTR) && atomic_load(&t->interrupted) &&
	    sleep_abort(t)) {
		t->wait_status = -EINTR;
		preempt_resched(); /* instead of schedule(): what was put off */
	} else if (likely(deadline == TIME_NEVER))
		schedule();
	else
		sleep_until(t, deadline);
	t = thread_self();
	atomic_store_explicit(&t->intr_sleep, false, memory_order_relaxed);
	status = t->wait_status;
	/* thread_interrupt() may have meant an earlier sleep of ours. */
	return status == -EINTR && !(how & WAIT_INTR) ? 0 : status;
}

int sleep_end(uint64_t deadline, unsigned how)
{
	return end(deadline, how);
}

int sleep_unlock(struct spinlock *lock, uint64_t deadline, unsigned how)
{
	int status;

	irq_disable();
	begin(thread_self(), how);
	spin_release(lock);
	preempt_enable_no_resched();
	status = end(deadline, how);
	irq_enable();
	return status;
}

int waitq_wait(struct waitq *q, struct spinlock *lock, unsigned long *flags,
    uint64_t deadline, unsigned how)
{
	struct thread *t = thread_self();
	int err;

	sleep_begin(how);
	list_add_tail(&q->waiters, &t->wait_link);
	spin_unlock(lock);
	err = sleep_end(deadline, how);
	irq_restore(*flags);
	*flags = spin_lock_irqsave(lock);
	list_del(&t->wait_link);
	return err;
}

int waitq_wait_mutex(
    struct waitq *q, struct mutex *m, uint64_t deadline, unsigned how)
{
	struct thread *t = thread_self();
	unsigned long flags = irq_save();
	int err;

	sleep_begin(how);
	list_add_tail(&q->waiters, &t->wait_link);
	mutex_unlock(m);
	err = sleep_end(deadline, how);
	irq_restore(flags);
	mutex_lock(m);
	/*
	 * A waker may have chosen us while we waited for the mutex after a
	 * time-out: then the wake-up is ours, and must not be lost.
	 */
	if (list_empty(&t->wait_link))
		return 0;
	list_del(&t->wait_link);
	return err;
}

unsigned waitq_wake(struct waitq *q, unsigned n)
{
	unsigned woken = 0;

	while (woken < n && !list_empty(&q->waiters)) {
		struct thread *t =
		    list_first(&q->waiters, struct thread, wait_link);

		list_del(&t->wait_link);
		/* False: a time-out was first; wake another one for it. */
		if (thread_wake(t, 0))
			woken++;
	}
	return woken;
}

void thread_interrupt(struct thread *t)
{
	unsigned long flags;

	atomic_store(&t->interrupted, true);
	if (atomic_load(&t->intr_sleep) && thread_wake(t, -EINTR))
		return;
	/* Running the program: make it pass the way out of the kernel. */
	flags = irq_save();
	if (t->on_cpu && t->cpu != cpu_self()->id)
		cpu_ipi(t->cpu, VECTOR_RESCHED);
	irq_restore(flags);
}

void thread_clear_interrupt(void)
{
	atomic_store(&thread_self()->interrupted, false);
}

int thread_sleep_until(uint64_t deadline, unsigned how)
{
	unsigned long flags;
	int err;

	do {
		flags = irq_save();
		sleep_begin(how);
		err = sleep_end(deadline, how);
		irq_restore(flags);
		if (err == -EINTR)
			return err;
	} while (clock_mono() < deadline);
	return 0;
}
