/*
 * All of a mutex is one word: bit 0 while it is taken, bit 1 while the owner's
 * queue holds waiters, and above them the newest of those who have come since,
 * a stack that anybody pushes on by compare-and-swap.  Only the owner takes
 * from it, so that it needs no lock: it turns the stack into its queue, which
 * the next owner inherits.
 *
 * Unlocking does not hand over: it takes one waiter off, frees the mutex and
 * wakes that one, which tries again, so that a thread that runs need not wait
 * for one that has yet to.  While there are waiters and the mutex is free, one
 * that has been woken is on its way; whoever is faster finds the waiters when
 * it unlocks.  One that lost goes before those that have not been woken yet,
 * and gets the mutex handed over when it has lost too often.
 *
 * A waiter pushes itself only by the compare-and-swap that finds the mutex
 * taken, and the owner's unlock either comes before it, or sees it.
 */

#include "kern/arch.h"
#include "kern/panic.h"
#include "sched_int.h"

#define LOCKED 1ul
#define QUEUED 2ul
#define FLAGS  (LOCKED | QUEUED)

#ifndef LOST_MAX /* a test has a smaller one */
#define LOST_MAX 3
#endif
#define SPIN_MAX 400 /* looks at a mutex whose owner runs */

enum { WAITING, WOKEN, HANDED_OVER };

/* On its thread's stack. */
struct mutex_waiter {
	struct mutex_waiter *next;
	struct thread *thread;
	_Atomic unsigned told; /* by who unlocks, who then forgets us */
	unsigned lost;         /* how often it was woken for nothing */
};

static struct mutex_waiter *stack_of(uintptr_t word)
{
	return (struct mutex_waiter *)(word & ~FLAGS);
}

void mutex_init(struct mutex *m)
{
	*m = (struct mutex)MUTEX_INIT(*m);
}

bool mutex_held(const struct mutex *m)
{
	return atomic_load_explicit(&m->owner, memory_order_relaxed) ==
	       thread_self();
}

static void owner_set(struct mutex *m, struct thread *t)
{
	atomic_store_explicit(&m->owner, t, memory_order_relaxed);
}

/* --- locking -------------------------------------------------------------- */

/* For a mutex that is free and that nobody waits for. */
static bool lock_fast(struct mutex *m)
{
	uintptr_t free = 0;

	return atomic_compare_exchange_strong_explicit(&m->word, &free, LOCKED,
	    memory_order_acquire, memory_order_relaxed);
}

static bool take_if_free(struct mutex *m)
{
	uintptr_t old = atomic_load_explicit(&m->word, memory_order_relaxed);

	while (!(old & LOCKED))
		if (atomic_compare_exchange_weak_explicit(&m->word, &old,
			old | LOCKED, memory_order_acquire,
			memory_order_relaxed))
			return true;
	return false;
}

bool mutex_trylock(struct mutex *m)
{
	if (!take_if_free(m))
		return false;
	owner_set(m, thread_self());
	return true;
}

/* Does a cpu run the owner?  With preemption off it is not freed meanwhile. */
static bool owner_runs(struct mutex *m)
{
	struct thread *t;
	bool runs;

	preempt_disable();
	t = atomic_load_explicit(&m->owner, memory_order_relaxed);
	runs = !t || atomic_load_explicit(&t->on_cpu, memory_order_relaxed);
	preempt_enable();
	return runs;
}

/* What another cpu holds it gives up sooner than we would sleep and wake. */
static bool take_by_looking(struct mutex *m)
{
	for (unsigned i = 0; i < SPIN_MAX && sched_may_spin(); i++) {
		if (take_if_free(m))
			return true;
		if (!owner_runs(m))
			return false;
		cpu_relax();
	}
	return false;
}

/* Take the mutex (true), or push (w) on its stack. */
static bool take_or_push(struct mutex *m, struct mutex_waiter *w)
{
	uintptr_t old = atomic_load_explicit(&m->word, memory_order_relaxed);

	atomic_store_explicit(&w->told, WAITING, memory_order_relaxed);
	for (;;) {
		uintptr_t new = old | LOCKED;

		if (old & LOCKED) {
			w->next = stack_of(old);
			new = (uintptr_t)w | (old & FLAGS);
		}
		if (atomic_compare_exchange_weak_explicit(&m->word, &old, new,
			memory_order_acq_rel, memory_order_relaxed))
			return !(old & LOCKED);
	}
}

/* Sleep until somebody has told us; true: the mutex is ours. */
static bool wait_until_told(struct mutex_waiter *w)
{
	unsigned long flags = irq_save();

	while (atomic_load(&w->told) == WAITING) {
		sleep_begin(0);
		/* Pairs with tell(): one of us sees what the other stored. */
		if (atomic_load(&w->told) == WAITING)
			(void)sleep_end(TIME_NEVER, 0);
		else
			sleep_cancel();
	}
	irq_restore(flags);
	return atomic_load(&w->told) == HANDED_OVER;
}

static NOINLINE void lock_slow(struct mutex *m)
{
	struct mutex_waiter w = { .thread = thread_self() };

	assert(!mutex_held(m));
	while (
	    !take_by_looking(m) && !take_or_push(m, &w) && !wait_until_told(&w))
		w.lost++;
}

void mutex_lock(struct mutex *m)
{
	might_sleep();
	if (unlikely(!lock_fast(m)))
		lock_slow(m);
	owner_set(m, thread_self());
}

/* --- unlocking: the queue is the owner's --------------------------------- */

static void queue_first(struct mutex *m, struct mutex_waiter *w)
{
	w->next = m->first;
	if (!m->first)
		m->last = w;
	m->first = w;
}

/* Put the chain (first) to (last) at the queue's end. */
static void queue_chain(
    struct mutex *m, struct mutex_waiter *first, struct mutex_waiter *last)
{
	last->next = NULL;
	if (m->first)
		m->last->next = first;
	else
		m->first = first;
	m->last = last;
}

/* The newest comes first from the stack, and goes last to the queue. */
static void queue_stack(struct mutex *m, struct mutex_waiter *w)
{
	struct mutex_waiter *chain = NULL, *last = NULL, *next;

	for (; w; w = next) {
		next = w->next;
		if (w->lost) {
			queue_first(m, w);
			continue;
		}
		w->next = chain;
		chain = w;
		if (!last)
			last = w;
	}
	if (chain)
		queue_chain(m, chain, last);
}

static struct mutex_waiter *queue_take(struct mutex *m)
{
	struct mutex_waiter *w = m->first;

	m->first = w->next;
	return w;
}

/* Keep the stack, which may have grown, and set the flags. */
static void word_update(struct mutex *m, uintptr_t flags)
{
	uintptr_t old = atomic_load_explicit(&m->word, memory_order_relaxed);

	while (!atomic_compare_exchange_weak_explicit(&m->word, &old,
	    (old & ~FLAGS) | flags, memory_order_release, memory_order_relaxed))
		;
}

/*
 * From here on (w) may be gone, and its thread, too, may be up already, even
 * asleep again elsewhere: a stray wake-up does no harm.  Nor is it freed, as
 * preemption is off: see rcu_quiescent().
 */
static void tell(struct mutex_waiter *w, unsigned what)
{
	struct thread *t = w->thread;

	/* Before the state is looked at: pairs with wait_until_told(). */
	atomic_store_explicit(&w->told, what, memory_order_release);
	(void)thread_wake(t, 0);
}

static NOINLINE void unlock_slow(struct mutex *m)
{
	struct mutex_waiter *w;
	uintptr_t queued;

	preempt_disable();
	queued = atomic_load_explicit(&m->word, memory_order_relaxed) & QUEUED;
	queue_stack(m, stack_of(atomic_exchange_explicit(
			   &m->word, LOCKED | queued, memory_order_acquire)));
	w = queue_take(m);
	queued = m->first ? QUEUED : 0;
	if (w->lost < LOST_MAX) {
		word_update(m, queued);
		tell(w, WOKEN);
	} else {
		owner_set(m, w->thread);
		word_update(m, LOCKED | queued);
		tell(w, HANDED_OVER);
	}
	preempt_enable();
}

void mutex_unlock(struct mutex *m)
{
	uintptr_t alone = LOCKED;

	assert(mutex_held(m));
	owner_set(m, NULL);
	if (unlikely(!atomic_compare_exchange_strong_explicit(&m->word, &alone,
		0, memory_order_release, memory_order_relaxed)))
		unlock_slow(m);
}
