#include "futex_int.h"

#include <linux/futex.h>

#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/signal.h"
#include "task_int.h"

/*
 * Locks whose word holds the owner's thread id, handed over by the kernel to
 * who has waited longest.  The owner's priority is deliberately not raised.
 */

/* Bring the word's page in for writing: 0 or -EFAULT.  No lock is held. */
static int touch(uint32_t *user)
{
	uint32_t now;
	int r = user_load32(user, &now);

	return r == 0 ? user_cmpxchg32(user, now, now, &now) : r;
}

/* With preemption off these do not page in: -EFAULT.  1: it has changed. */
static int swap_nofault(uint32_t *user, uint32_t old, uint32_t new)
{
	uint32_t now;
	int r = user_cmpxchg32(user, old, new, &now);

	return r != 0 ? r : now != old;
}

static struct futex_waiter *next_waiter(struct futex_bucket *b,
    const struct futex_key *key, const struct futex_waiter *after)
{
	struct futex_waiter *w;

	list_foreach (w, &b->waiters, link) {
		if (w == after)
			after = NULL;
		else if (!after && w->bitset == 0 &&
			 futex_key_equal(&w->key, key))
			return w;
	}
	return NULL;
}

static bool thread_exists(uint32_t tid)
{
	struct thread *t = thread_find(tid);

	if (t)
		thread_put(t);
	return t != NULL;
}

/*
 * One look at the word with the queue locked: 0: taken; -EINPROGRESS: it is
 * another's and the waiters' bit is set; 1: look again.
 */
static int try_take(uint32_t *user, struct futex_bucket *b,
    const struct futex_key *key, bool try_only)
{
	uint32_t self = thread_self()->id, now, owner, new;
	int r = user_load32_nofault(user, &now);

	if (r != 0)
		return r;
	owner = now & FUTEX_TID_MASK;
	if (owner == self)
		return -EDEADLK;
	if (owner == 0) {
		new = self | (now & FUTEX_OWNER_DIED) |
		      (next_waiter(b, key, NULL) ? FUTEX_WAITERS : 0);
		return swap_nofault(user, now, new);
	}
	if (try_only)
		return -EAGAIN;
	if (!thread_exists(owner))
		return -ESRCH;
	r = now & FUTEX_WAITERS ? 0
				: swap_nofault(user, now, now | FUTEX_WAITERS);
	return r == 0 ? -EINPROGRESS : r;
}

long futex_lock_pi(
    uint32_t *user, bool shared, uint64_t deadline, bool try_only)
{
	struct futex_waiter w = { .bitset = 0 };
	struct futex_bucket *b;
	int r = futex_key(user, shared, &w.key);

	if (r != 0)
		return r;
	b = futex_bucket(&w.key);
	for (;;) {
		spin_lock(&b->lock);
		futex_announce(b);
		r = try_take(user, b, &w.key, try_only);
		if (r == -EINPROGRESS)
			break;
		futex_withdraw(b);
		spin_unlock(&b->lock);
		if (r == -EFAULT)
			r = touch(user) == 0 ? 1 : -EFAULT;
		if (r != 1)
			return r;
	}
	futex_enqueue(b, &w);
	r = futex_sleep(b, &w, deadline);
	return r == -EINTR ? -ERESTARTNOINTR : r;
}

/* Give the word to the next in line, or to nobody; 0, 1: look again. */
static int hand_over(uint32_t *user, struct futex_bucket *b,
    const struct futex_key *key, uint32_t died, struct futex_chain *c)
{
	struct futex_waiter *w = next_waiter(b, key, NULL);
	uint32_t now, new = died;
	int r = user_load32_nofault(user, &now);

	if (r != 0)
		return r;
	if ((now & FUTEX_TID_MASK) != thread_self()->id)
		return -EPERM;
	if (w)
		new |= w->thread->id |
		       (next_waiter(b, key, w) ? FUTEX_WAITERS : 0);
	r = swap_nofault(user, now, new);
	if (r == 0 && w)
		futex_take(c, w);
	return r;
}

static long pass_on(uint32_t *user, bool shared, uint32_t died)
{
	struct futex_chain chain;
	struct futex_bucket *b;
	struct futex_key key;
	int r = futex_key(user, shared, &key);

	if (r != 0)
		return r;
	b = futex_bucket(&key);
	futex_chain_init(&chain);
	do {
		preempt_disable();
		spin_lock(&b->lock);
		r = hand_over(user, b, &key, died, &chain);
		spin_unlock(&b->lock);
		futex_wake_chain(&chain);
		preempt_enable();
		if (r == -EFAULT)
			r = touch(user) == 0 ? 1 : -EFAULT;
	} while (r == 1);
	return r;
}

long futex_unlock_pi(uint32_t *user, bool shared)
{
	return pass_on(user, shared, 0);
}

int futex_pi_owner_died(uint32_t *user)
{
	/* Who waits may have come by either kind of key. */
	struct futex_key key;
	bool shared;

	if (futex_key(user, false, &key) != 0)
		return -EFAULT;
	spin_lock(&futex_bucket(&key)->lock);
	shared = !next_waiter(futex_bucket(&key), &key, NULL);
	spin_unlock(&futex_bucket(&key)->lock);
	return (int)pass_on(user, shared, FUTEX_OWNER_DIED);
}
