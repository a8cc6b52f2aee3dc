#include "futex_int.h"

#include <linux/futex.h>

#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/num.h"
#include "kern/signal.h"
#include "task_int.h"

/*
 * Locks whose word holds the owner's thread id.  The kernel hands them over to
 * the most urgent waiter, and lends the owner the priority of the most urgent
 * one that waits for any of its locks; an owner that waits itself passes it on.
 */

/* How many owners may wait for each other. */
#define CHAIN_MAX 1024

/*
 * Protects pi_waiters, pi_blocked, pi_lent and pi_gone of all tasks, and the
 * owner of each waiter: a chain goes through many locks.  A spinlock inside
 * the buckets' ones; only contended locks come here.
 */
static struct spinlock pi_lock = SPINLOCK_INIT;

/* Bring the word's page in for writing: 0 or -EFAULT.  No lock is held. */
static int touch(uint32_t *user)
{
	uint32_t now;
	int r = user_load32(user, &now);

	return r == 0 ? user_cmpxchg32(user, now, now, &now) : r;
}

int futex_touch(uint32_t *user, int r)
{
	if (r != -EFAULT)
		return r;
	return touch(user) == 0 ? 1 : -EFAULT;
}

int futex_swap_nofault(uint32_t *user, uint32_t old, uint32_t new)
{
	uint32_t now;
	int r = user_cmpxchg32(user, old, new, &now);

	return r != 0 ? r : now != old;
}

struct futex_waiter *futex_pi_top(struct futex_bucket *b,
    const struct futex_key *key, const struct futex_waiter *except)
{
	struct futex_waiter *w, *top = NULL;

	list_foreach (w, &b->waiters, link) {
		if (w == except || w->bitset || !futex_key_equal(&w->key, key))
			continue;
		if (!top || w->thread->rt_priority > top->thread->rt_priority)
			top = w;
	}
	return top;
}

struct task *futex_pi_owner(uint32_t tid)
{
	struct thread *t = thread_find(tid);
	struct task *task = t ? t->task : NULL;

	/* With preemption off neither is freed. */
	if (t)
		thread_put(t);
	return task;
}

/* A robust lock's word is changed before its owner cannot be found any more, or
 * not be waited for: who saw it before that must look again. */
int futex_pi_orphan(const uint32_t *user, uint32_t tid)
{
	uint32_t now;
	int r = user_load32_nofault(user, &now);

	if (r != 0)
		return r;
	return (now & FUTEX_TID_MASK) == tid ? -ESRCH : 1;
}

/* --- chains: pi_lock is held ---------------------------------------------- */

static struct task *next_owner(const struct task *t)
{
	return t->pi_blocked ? t->pi_blocked->owner : NULL;
}

/* The waiters of (t)'s locks have changed: so may what they lend to it, to the
 * owner of what it waits for, and so on. */
static void lend(struct task *t)
{
	for (unsigned n = 0; t && n < CHAIN_MAX; n++, t = next_owner(t)) {
		const struct futex_waiter *w;
		int most = 0;

		list_foreach (w, &t->pi_waiters, owned)
			most = MAX(most, w->thread->rt_priority);
		if (most == t->pi_lent)
			return;
		t->pi_lent = most;
		thread_lend_priority(t->thread, most);
	}
}

static bool waits_for(const struct task *owner, const struct task *t)
{
	unsigned n = 0;

	for (; owner; owner = next_owner(owner))
		if (owner == t || ++n == CHAIN_MAX)
			return true;
	return false;
}

static void set_owner(struct futex_waiter *w, struct task *owner)
{
	if (w->owner)
		list_del(&w->owned);
	w->owner = owner;
	if (owner)
		list_add_tail(&owner->pi_waiters, &w->owned);
}

/* --- owners: the bucket is locked ----------------------------------------- */

int futex_pi_attach(struct futex_waiter *w, struct task *owner,
    const struct futex_waiter *other)
{
	struct task *t = w->thread->task;
	int r = 0;

	spin_lock(&pi_lock);
	if (owner->pi_gone)
		r = -ESRCH;
	else if (other && other->owner != owner)
		r = -EINVAL;
	else if (waits_for(owner, t))
		r = -EDEADLK;
	if (r == 0) {
		set_owner(w, owner);
		t->pi_blocked = w;
		lend(owner);
	}
	spin_unlock(&pi_lock);
	return r;
}

void futex_pi_leave(struct futex_waiter *w)
{
	struct task *owner;

	spin_lock(&pi_lock);
	owner = w->owner;
	set_owner(w, NULL);
	w->thread->task->pi_blocked = NULL;
	lend(owner);
	spin_unlock(&pi_lock);
}

void futex_pi_adopt(
    struct futex_bucket *b, const struct futex_key *key, struct task *owner)
{
	struct task *old = NULL;
	struct futex_waiter *w;

	spin_lock(&pi_lock);
	list_foreach (w, &b->waiters, link) {
		if (w->bitset || !futex_key_equal(&w->key, key))
			continue;
		old = w->owner;
		set_owner(w, owner);
	}
	lend(old);
	lend(owner);
	spin_unlock(&pi_lock);
}

/* (w) goes on with (result); the others of (key) wait for it now. */
static void give(struct futex_bucket *b, const struct futex_key *key,
    struct futex_waiter *w, int result, struct futex_chain *c)
{
	struct task *t = w->thread->task;

	w->result = result;
	futex_pi_leave(w);
	futex_take(c, w);
	if (result == 0)
		futex_pi_adopt(b, key, t);
}

/* --- lock ----------------------------------------------------------------- */

/*
 * One look at the word with the queue locked: 0: taken; -EINPROGRESS: it is
 * another's, (w) waits for him and the waiters' bit is set; 1: look again.
 */
static int try_take(
    uint32_t *user, struct futex_bucket *b, struct futex_waiter *w, bool try)
{
	uint32_t self = thread_self()->id, now, tid, new;
	struct futex_waiter *other = futex_pi_top(b, &w->key, NULL);
	struct task *owner;
	int r = user_load32_nofault(user, &now);

	if (r != 0)
		return r;
	tid = now & FUTEX_TID_MASK;
	if (tid == self)
		return -EDEADLK;
	if (tid == 0) {
		new = self | (now & FUTEX_OWNER_DIED) |
		      (other ? FUTEX_WAITERS : 0);
		r = futex_swap_nofault(user, now, new);
		if (r == 0 && other)
			futex_pi_adopt(b, &w->key, task_self());
		return r;
	}
	owner = futex_pi_owner(tid);
	if (!owner)
		return futex_pi_orphan(user, tid);
	if (try)
		return -EAGAIN;
	r = now & FUTEX_WAITERS
		? 0
		: futex_swap_nofault(user, now, now | FUTEX_WAITERS);
	if (r == 0)
		r = futex_pi_attach(w, owner, other);
	if (r == -ESRCH)
		return futex_pi_orphan(user, tid);
	return r == 0 ? -EINPROGRESS : r;
}

long futex_lock_pi(
    uint32_t *user, bool shared, uint64_t deadline, bool try_only)
{
	struct futex_waiter w = { .thread = thread_self(), .user = user };
	struct futex_bucket *b;
	int r = futex_key(user, shared, &w.key);

	if (r != 0)
		return r;
	b = futex_bucket(&w.key);
	do {
		spin_lock(&b->lock);
		futex_announce(b);
		r = try_take(user, b, &w, try_only);
		if (r == -EINPROGRESS) {
			futex_enqueue(b, &w);
			r = futex_sleep(b, &w, deadline);
			if (r == 0)
				r = w.result;
		} else {
			futex_withdraw(b);
			spin_unlock(&b->lock);
			r = futex_touch(user, r);
		}
	} while (r == 1);
	return r == -EINTR ? -ERESTARTNOINTR : r;
}

/* --- unlock --------------------------------------------------------------- */

/* Give the word to the next in line, or to nobody; 0, 1: look again. */
static int hand_over(uint32_t *user, struct futex_bucket *b,
    const struct futex_key *key, struct futex_chain *c)
{
	struct futex_waiter *w = futex_pi_top(b, key, NULL);
	uint32_t now, new = 0;
	int r = user_load32_nofault(user, &now);

	if (r != 0)
		return r;
	if ((now & FUTEX_TID_MASK) != thread_self()->id)
		return -EPERM;
	if (w && w->owner != task_self())
		return -EINVAL;
	if (w)
		new = w->thread->id |
		      (futex_pi_top(b, key, w) ? FUTEX_WAITERS : 0);
	r = futex_swap_nofault(user, now, new);
	if (r == 0 && w)
		give(b, key, w, 0, c);
	return r;
}

/* The owner dies with the word, or has let go of it in its robust list. */
static int hand_over_dead(uint32_t *user, struct futex_bucket *b,
    const struct futex_key *key, struct futex_chain *c)
{
	struct futex_waiter *w = futex_pi_top(b, key, NULL);
	uint32_t now, owner, new;
	int r;

	if (!w || w->owner != task_self())
		return 0;
	r = user_load32_nofault(user, &now);
	if (r != 0)
		return r;
	owner = now & FUTEX_TID_MASK;
	if (owner != 0 && owner != thread_self()->id) {
		give(b, key, w, 1, c); /* let him look for himself */
		return 0;
	}
	new = w->thread->id | FUTEX_OWNER_DIED |
	      (futex_pi_top(b, key, w) ? FUTEX_WAITERS : 0);
	r = futex_swap_nofault(user, now, new);
	if (r == 0)
		give(b, key, w, 0, c);
	return r;
}

static int pass_on(uint32_t *user, const struct futex_key *key,
    int (*how)(uint32_t *, struct futex_bucket *, const struct futex_key *,
	struct futex_chain *))
{
	struct futex_bucket *b = futex_bucket(key);
	struct futex_chain chain;
	int r;

	do {
		futex_chain_init(&chain);
		preempt_disable();
		spin_lock(&b->lock);
		r = how(user, b, key, &chain);
		spin_unlock(&b->lock);
		futex_wake_chain(&chain);
		preempt_enable();
		r = futex_touch(user, r);
	} while (r == 1);
	return r;
}

long futex_unlock_pi(uint32_t *user, bool shared)
{
	struct futex_key key;
	int r = futex_key(user, shared, &key);

	return r == 0 ? pass_on(user, &key, hand_over) : r;
}

/* --- ends and changes of threads ------------------------------------------ */

/* The word has gone: nobody can have the lock. */
static int give_up(uint32_t *user, struct futex_bucket *b,
    const struct futex_key *key, struct futex_chain *c)
{
	struct futex_waiter *w;

	(void)user;
	while ((w = futex_pi_top(b, key, NULL)) != NULL)
		give(b, key, w, -EFAULT, c);
	return 0;
}

void futex_exit_pi(struct task *t)
{
	struct futex_waiter *w;
	struct futex_key key;
	uint32_t *user;

	for (;;) {
		spin_lock(&pi_lock);
		w = list_first(&t->pi_waiters, struct futex_waiter, owned);
		if (!w) {
			t->pi_gone = true;
			spin_unlock(&pi_lock);
			return;
		}
		key = w->key;
		user = w->user;
		spin_unlock(&pi_lock);
		if (pass_on(user, &key, hand_over_dead) != 0)
			(void)pass_on(user, &key, give_up);
	}
}

void futex_pi_priority_set(struct thread *th)
{
	struct task *t;

	spin_lock(&pi_lock);
	t = th->task;
	if (t)
		lend(next_owner(t));
	spin_unlock(&pi_lock);
}
