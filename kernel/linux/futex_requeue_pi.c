#include "futex_int.h"

#include <linux/futex.h>

#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/signal.h"
#include "task_int.h"

/*
 * Condition variables whose mutex inherits priority: who is signalled gets the
 * mutex with the wake-up, or waits for it without having run in between.
 */

static struct futex_waiter *first_waiter(struct futex_bucket *b,
    const struct futex_key *key, const struct futex_waiter *after)
{
	struct futex_waiter *w;

	list_foreach (w, &b->waiters, link) {
		if (w == after)
			after = NULL;
		else if (!after && futex_key_equal(&w->key, key))
			return w;
	}
	return NULL;
}

/* Both ends of a move; both buckets are locked. */
struct move {
	struct futex_bucket *from, *to;
	struct futex_key key, key2;
	uint32_t *user2;
};

static bool movable(const struct move *m, const struct futex_waiter *w)
{
	return w->requeue && futex_key_equal(&w->target, &m->key2);
}

/*
 * The first waiter gets the free lock: 0, with (*owner) him; or whose it is,
 * with the waiters' bit set.  1: look again; -errno.
 */
static int take_for(struct move *m, struct futex_waiter *w, bool more,
    struct task **owner, struct futex_chain *c)
{
	bool others = more || futex_pi_top(m->to, &m->key2, NULL);
	uint32_t now, tid, new;
	int r = user_load32_nofault(m->user2, &now);

	if (r != 0)
		return r;
	tid = now & FUTEX_TID_MASK;
	if (tid == w->thread->id)
		return -EDEADLK;
	new = now | FUTEX_WAITERS;
	if (tid == 0)
		new = w->thread->id | (now & FUTEX_OWNER_DIED) |
		      (others ? FUTEX_WAITERS : 0);
	*owner = tid == 0 ? w->thread->task : futex_pi_owner(tid);
	if (!*owner)
		return futex_pi_orphan(m->user2, tid);
	r = now == new ? 0 : futex_swap_nofault(m->user2, now, new);
	if (r != 0 || tid != 0)
		return r;
	w->bitset = 0;
	w->result = 0;
	futex_take(c, w);
	futex_pi_adopt(m->to, &m->key2, *owner);
	return 0;
}

static int move_one(struct move *m, struct futex_waiter *w, struct task *owner)
{
	struct futex_waiter *other = futex_pi_top(m->to, &m->key2, NULL);
	int r = futex_pi_attach(w, owner, other);

	if (r == -ESRCH)
		return futex_pi_orphan(m->user2, owner->thread->id);
	if (r != 0)
		return r;
	w->bitset = 0;
	w->user = m->user2;
	futex_move(w, m->to, &m->key2);
	return 0;
}

/* How many were woken or moved, or -errno; -EPROTO: look again. */
static int requeue_locked(struct move *m, unsigned most, struct futex_chain *c)
{
	struct futex_waiter *w = first_waiter(m->from, &m->key, NULL), *next;
	struct task *owner;
	unsigned done = 0;
	int r;

	if (!w)
		return 0;
	if (!movable(m, w))
		return -EINVAL;
	next = first_waiter(m->from, &m->key, w);
	r = take_for(m, w, next && most > 1, &owner, c);
	if (r == 0 && w->bitset == 0) {
		w = next;
		done++;
	}
	for (; r == 0 && w && done < most; w = next) {
		next = first_waiter(m->from, &m->key, w);
		r = movable(m, w) ? move_one(m, w, owner) : -EINVAL;
		done += r == 0;
	}
	if (done > 0 || r == 0)
		return (int)done;
	return r == 1 ? -EPROTO : r; /* 1 would be a count */
}

long futex_cmp_requeue_pi(uint32_t *from, uint32_t *to, bool shared,
    unsigned nwake, unsigned nmove, uint32_t cmp)
{
	struct move m = { .user2 = to };
	struct futex_chain chain;
	int r;

	if (from == to || nwake != 1 || nmove > INT32_MAX)
		return -EINVAL;
	r = futex_key(from, shared, &m.key);
	if (r == 0)
		r = futex_key(to, shared, &m.key2);
	if (r != 0)
		return r;
	if (futex_key_equal(&m.key, &m.key2))
		return -EINVAL;
	m.from = futex_bucket(&m.key);
	m.to = futex_bucket(&m.key2);
	for (;;) {
		r = futex_lock_both(from, &cmp, m.from, m.to);
		if (r != 0)
			return r;
		futex_chain_init(&chain);
		r = requeue_locked(&m, nmove + 1, &chain);
		futex_unlock_both_and_wake(m.from, m.to, &chain);
		if (r == -EFAULT && futex_touch(to, r) != 1)
			return -EFAULT;
		if (r != -EFAULT && r != -EPROTO)
			return r;
	}
}

long futex_wait_requeue_pi(uint32_t *user, bool shared, uint32_t val,
    uint64_t deadline, uint32_t *user2)
{
	struct futex_waiter w = {
		.bitset = FUTEX_BITSET_MATCH_ANY, .requeue = true, .user = user2
	};
	int r;

	if (user == user2)
		return -EINVAL;
	r = futex_key(user2, shared, &w.target);
	if (r == 0)
		r = futex_key(user, shared, &w.key);
	if (r != 0)
		return r;
	if (futex_key_equal(&w.key, &w.target))
		return -EINVAL;
	r = futex_wait_queued(user, val, &w, deadline);
	if (r == 0)
		return w.result == 1 ? -EAGAIN : w.result;
	if (r == -EINTR)
		return w.bitset ? -ERESTARTNOINTR : -EAGAIN;
	return r;
}
