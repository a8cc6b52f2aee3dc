/*
 * Whoever runs may take the lock while it is free, even if others have been
 * woken for it: a sleeper that is handed the lock holds up everybody until it
 * runs.  But a waiter at the head of the queue that was woken and found the
 * lock taken again is handed it next (handoff), so nobody starves.  Nor does a
 * writer that is not even woken, since readers overlap: only so many may pass.
 */

#include "kern/arch.h"
#include "kern/panic.h"
#include "sched_int.h"

#define PASS_MAX 16
#define SPIN_MAX 400 /* looks at a lock whose writer runs */

struct rw_waiter {
	struct list link;
	struct thread *thread;
	bool write, granted;
};

void rwlock_init(struct rwlock *l)
{
	*l = (struct rwlock){ .lock = SPINLOCK_INIT };
	list_init(&l->waiters);
}

static bool can_take(const struct rwlock *l, bool write)
{
	return write ? l->readers == 0 : l->readers >= 0;
}

/* (t): who gets it, for look_first(). */
static void take(struct rwlock *l, bool write, struct thread *t)
{
	l->readers = write ? -1 : l->readers + 1;
	if (write)
		atomic_store_explicit(&l->writer, t, memory_order_relaxed);
}

static struct rw_waiter *first_waiter(struct rwlock *l)
{
	return list_first(&l->waiters, struct rw_waiter, link);
}

/* The first waiter, and with a reader all readers that follow it, get it. */
static void hand_over(struct rwlock *l)
{
	struct rw_waiter *w;

	l->handoff = false;
	l->passed = 0;
	while ((w = first_waiter(l)) != NULL && can_take(l, w->write)) {
		struct thread *t = w->thread;

		take(l, w->write, t);
		list_del(&w->link);
		w->granted = true;
		(void)thread_wake(t, 0);
	}
}

/* The same ones may try. */
static void wake_first(struct rwlock *l)
{
	struct rw_waiter *w = first_waiter(l);

	if (!w || !can_take(l, w->write))
		return;
	if (l->handoff) {
		hand_over(l);
		return;
	}
	if (w->write) {
		(void)thread_wake(w->thread, 0);
		return;
	}
	list_foreach (w, &l->waiters, link) {
		if (w->write)
			break;
		(void)thread_wake(w->thread, 0);
	}
}

/* After a wake-up, still queued.  True: taken. */
static bool try_again(struct rwlock *l, struct rw_waiter *w)
{
	bool first = first_waiter(l) == w;

	if (!can_take(l, w->write) || (l->handoff && !first)) {
		l->handoff |= first;
		return false;
	}
	list_del(&w->link);
	take(l, w->write, w->thread);
	l->handoff = false;
	if (first)
		l->passed = 0;
	wake_first(l);
	return true;
}

/* Without waiting, even if others do. */
static bool take_at_once(struct rwlock *l, bool write)
{
	if (l->handoff || !can_take(l, write))
		return false;
	take(l, write, thread_self());
	if (first_waiter(l) && ++l->passed == PASS_MAX)
		l->handoff = true;
	return true;
}

/* Does a cpu run the writer?  With preemption off it is not freed meanwhile. */
static bool writer_runs(const struct rwlock *l)
{
	struct thread *t;
	bool runs;

	preempt_disable();
	t = atomic_load_explicit(&l->writer, memory_order_relaxed);
	runs = t && atomic_load_explicit(&t->on_cpu, memory_order_relaxed);
	preempt_enable();
	return runs;
}

/* What a writer on another cpu holds it gives up sooner than we would sleep
 * and wake. */
static void look_first(const struct rwlock *l)
{
	for (unsigned i = 0; i < SPIN_MAX && writer_runs(l); i++) {
		if (!sched_may_spin())
			return;
		cpu_relax();
	}
}

static void rwlock_take(struct rwlock *l, bool write)
{
	struct rw_waiter w = { .thread = thread_self(), .write = write };
	unsigned long flags;

	might_sleep();
	if (unlikely(atomic_load_explicit(&l->writer, memory_order_relaxed)))
		look_first(l);
	flags = spin_lock_irqsave(&l->lock);

	if (take_at_once(l, write)) {
		spin_unlock_irqrestore(&l->lock, flags);
		return;
	}
	list_add_tail(&l->waiters, &w.link);
	do {
		sleep_begin(0);
		spin_unlock(&l->lock);
		(void)sleep_end(TIME_NEVER, 0);
		spin_lock(&l->lock);
	} while (!w.granted && !try_again(l, &w));
	spin_unlock_irqrestore(&l->lock, flags);
}

bool rwlock_try_read(struct rwlock *l)
{
	unsigned long flags = spin_lock_irqsave(&l->lock);
	bool taken = take_at_once(l, false);

	spin_unlock_irqrestore(&l->lock, flags);
	return taken;
}

void rwlock_read(struct rwlock *l)
{
	rwlock_take(l, false);
}

void rwlock_write(struct rwlock *l)
{
	rwlock_take(l, true);
}

void rwlock_unlock(struct rwlock *l)
{
	unsigned long flags = spin_lock_irqsave(&l->lock);

	assert(l->readers != 0);
	if (l->readers < 0)
		atomic_store_explicit(&l->writer, NULL, memory_order_relaxed);
	l->readers = l->readers < 0 ? 0 : l->readers - 1;
	wake_first(l);
	spin_unlock_irqrestore(&l->lock, flags);
}
