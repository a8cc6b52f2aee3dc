/*
 * The owner's word is the lock: NULL, or the thread that holds it, with bit 0
 * set while somebody sleeps on the list.  Unlocking does not hand over, so a
 * running thread may take the mutex before the one that was woken; that one
 * goes back to the head of the list.
 */

#include "kern/arch.h"
#include "kern/panic.h"
#include "sched_int.h"

#define WAITERS 1ul

/* On its thread's stack: the thread may still be on a wait queue by its
 * wait_link when it comes here from waitq_wait_mutex(). */
struct waiter {
	struct list link;
	struct thread *thread;
};

static struct thread *with_bit(const struct thread *t, bool waiters)
{
	return (struct thread *)((uintptr_t)t | (waiters ? WAITERS : 0));
}

static struct thread *owner_of(const struct thread *word)
{
	return (struct thread *)((uintptr_t)word & ~WAITERS);
}

void mutex_init(struct mutex *m)
{
	atomic_init(&m->owner, NULL);
	m->lock = (struct spinlock)SPINLOCK_INIT;
	list_init(&m->waiters);
}

/* One compare-and-swap for a mutex that is free and that nobody waits for. */
static bool lock_fast(struct mutex *m, struct thread *self)
{
	struct thread *free = NULL;

	return atomic_compare_exchange_strong_explicit(
	    &m->owner, &free, self, memory_order_acquire, memory_order_relaxed);
}

bool mutex_trylock(struct mutex *m)
{
	struct thread *self = thread_self(), *woken = with_bit(NULL, true);

	/* Free, but the one that was woken has not come yet. */
	return lock_fast(m, self) ||
	       atomic_compare_exchange_strong_explicit(&m->owner, &woken,
		   with_bit(self, true), memory_order_acquire,
		   memory_order_relaxed);
}

bool mutex_held(const struct mutex *m)
{
	return owner_of(atomic_load_explicit(
		   &m->owner, memory_order_relaxed)) == thread_self();
}

/*
 * m->lock is held: take the mutex, or set bit 0 so that its owner's unlock
 * comes to the list.  True: taken.
 */
static bool take_or_mark(struct mutex *m, struct thread *self)
{
	struct thread *old =
	    atomic_load_explicit(&m->owner, memory_order_relaxed);

	for (;;) {
		struct thread *new =
		    owner_of(old) ? with_bit(old, true)
				  : with_bit(self, !list_empty(&m->waiters));

		if (atomic_compare_exchange_weak_explicit(&m->owner, &old, new,
			memory_order_acquire, memory_order_relaxed))
			return !owner_of(old);
	}
}

static NOINLINE void lock_slow(struct mutex *m, struct thread *self)
{
	struct waiter w = { .thread = self };
	unsigned long flags;
	bool first = true;

	assert(!mutex_held(m));
	list_init(&w.link);
	flags = spin_lock_irqsave(&m->lock);
	while (!take_or_mark(m, self)) {
		sleep_begin(0);
		if (first)
			list_add_tail(&m->waiters, &w.link);
		else
			list_add(&m->waiters, &w.link);
		first = false;
		spin_unlock(&m->lock);
		(void)sleep_end(TIME_NEVER, 0);
		spin_lock(&m->lock);
		/* Still there after a stray wake-up. */
		list_del(&w.link);
	}
	spin_unlock_irqrestore(&m->lock, flags);
}

void mutex_lock(struct mutex *m)
{
	struct thread *self = thread_self();

	if (unlikely(!lock_fast(m, self)))
		lock_slow(m, self);
}

/*
 * The wake-up, which may be an exit to the hypervisor, comes after the lock is
 * free, or the woken thread spins for it.  By then it may be up already, even
 * asleep again elsewhere: a stray wake-up does no harm.  Nor is it freed, as
 * preemption is off: see rcu_quiescent().
 */
static NOINLINE void unlock_slow(struct mutex *m)
{
	unsigned long flags;
	struct waiter *w;
	struct thread *t;

	preempt_disable();
	flags = spin_lock_irqsave(&m->lock);
	w = list_first(&m->waiters, struct waiter, link);
	t = w ? w->thread : NULL;
	if (w)
		list_del(&w->link);
	atomic_store_explicit(&m->owner,
	    with_bit(NULL, !list_empty(&m->waiters)), memory_order_release);
	spin_unlock_irqrestore(&m->lock, flags);
	if (t)
		(void)thread_wake(t, 0);
	preempt_enable();
}

void mutex_unlock(struct mutex *m)
{
	struct thread *self = thread_self();

	if (unlikely(!atomic_compare_exchange_strong_explicit(&m->owner, &self,
		NULL, memory_order_release, memory_order_relaxed))) {
		assert(mutex_held(m));
		unlock_slow(m);
	}
}
