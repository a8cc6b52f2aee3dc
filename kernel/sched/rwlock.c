/*
 * A queue in order of arrival: the lock is handed to its head by whoever
 * makes it free, so neither readers nor writers starve.
 */

#include "kern/panic.h"
#include "sched_int.h"

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

static void rwlock_take(struct rwlock *l, bool write)
{
	struct rw_waiter w = { .thread = thread_self(), .write = write };
	unsigned long flags = spin_lock_irqsave(&l->lock);

	if (list_empty(&l->waiters) && can_take(l, write)) {
		l->readers = write ? -1 : l->readers + 1;
		spin_unlock_irqrestore(&l->lock, flags);
		return;
	}
	list_add_tail(&l->waiters, &w.link);
	l->writers_waiting += write;
	while (!w.granted) {
		sleep_begin(0);
		spin_unlock(&l->lock);
		(void)sleep_end(TIME_NEVER, 0);
		spin_lock(&l->lock);
	}
	spin_unlock_irqrestore(&l->lock, flags);
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
	struct rw_waiter *w;

	assert(l->readers != 0);
	l->readers = l->readers < 0 ? 0 : l->readers - 1;
	while ((w = list_first(&l->waiters, struct rw_waiter, link)) != NULL &&
	       can_take(l, w->write)) {
		struct thread *t = w->thread;

		l->readers = w->write ? -1 : l->readers + 1;
		l->writers_waiting -= w->write;
		list_del(&w->link);
		w->granted = true;
		(void)thread_wake(t, 0);
	}
	spin_unlock_irqrestore(&l->lock, flags);
}
