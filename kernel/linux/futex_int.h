#ifndef LINUX_FUTEX_INT_H
#define LINUX_FUTEX_INT_H

/*
 * Futexes: threads that wait for a word of the program's memory to change.
 * futex.c (queues, wait, wake, requeue), futex_pi.c (locks handed over by the
 * kernel), futex_robust.c (locks of threads that died), sys_futex.c.
 * Source: futex(2)
 */

#include <stdbool.h>
#include <stdint.h>

#include <linux/futex.h>

#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/list.h"
#include "kern/lock.h"
#include "kern/sched.h"
#include "task_int.h"

/* Where a futex is: a space and address, or a physical place when shared. */
struct futex_key {
	uint64_t a, b;
};

struct futex_bucket;

/* One who waits; on his own kernel stack. */
struct futex_waiter {
	struct list link; /* the bucket's lock */
	/* Where it is queued; the waker's mark while it is being woken; NULL
	 * when it has been: the waiter's stack is his own again. */
	_Atomic(struct futex_bucket *) bucket;
	struct futex_waiter *next; /* in a struct futex_chain */
	struct futex_key key;
	uint32_t bitset; /* 0: waits for a lock of futex_pi.c */
	bool requeue;    /* waits to be moved to the lock (target) */
	struct thread *thread;

	/* Of who waits for a lock; the first two are futex_pi.c's lock's. */
	struct task *owner; /* whom it lends its priority */
	struct list owned;  /* on owner->pi_waiters */
	uint32_t *user;
	int result; /* 0: has the lock; 1: must look again; -errno */
	struct futex_key target;
};

struct futex_bucket {
	/* A spinlock: the word is compared and the waiter queued under it, in
	 * a handful of instructions. */
	struct spinlock lock;
	/* Waiters, and who is about to become one; changed under the lock. */
	_Atomic unsigned nwait;
	struct list waiters; /* in order of arrival */
} ALIGNED(CACHE_LINE);

/*
 * Waiters that have been taken off their queue, to be woken once its lock is
 * free.  Preemption stays off in between, so that none of them is freed.
 */
struct futex_chain {
	struct futex_waiter *first, **last;
};

void futex_init(void);

#define FUTEX_NBUCKET 512
extern struct futex_bucket futex_buckets[FUTEX_NBUCKET];

static inline struct futex_bucket *futex_bucket(const struct futex_key *key)
{
	uint64_t x = (key->a ^ key->b) * 0x9e3779b97f4a7c15ul;

	return &futex_buckets[x >> 32 & (FUTEX_NBUCKET - 1)];
}

int futex_shared_key(uint32_t *user, struct futex_key *key); /* 0, -EFAULT */

/* 0, -EINVAL, -EFAULT. */
static inline int futex_key(uint32_t *user, bool shared, struct futex_key *key)
{
	if (unlikely((uintptr_t)user & 3))
		return -EINVAL;
	if (unlikely(!user_range_ok(user, sizeof(*user))))
		return -EFAULT;
	if (unlikely(shared))
		return futex_shared_key(user, key);
	key->a = (uintptr_t)thread_self()->vm;
	key->b = (uintptr_t)user;
	return 0;
}

static inline bool futex_key_equal(
    const struct futex_key *x, const struct futex_key *y)
{
	return x->a == y->a && x->b == y->b;
}

static inline void futex_chain_init(struct futex_chain *c)
{
	c->first = NULL;
	c->last = &c->first;
}

/* b->lock is held for these.  The word is looked at between the first two. */
static inline void futex_announce(struct futex_bucket *b)
{
	/* Sequentially consistent: see nobody_waits(). */
	atomic_fetch_add(&b->nwait, 1);
}
void futex_withdraw(struct futex_bucket *b);
/* After futex_announce(); w->key, bitset and thread are set. */
void futex_enqueue(struct futex_bucket *b, struct futex_waiter *w);
void futex_take(struct futex_chain *c, struct futex_waiter *w);
/* To another queue, whose bucket (b) is locked as well. */
void futex_move(struct futex_waiter *w, struct futex_bucket *b,
    const struct futex_key *key);

void futex_wake_chain(struct futex_chain *c);

/*
 * (w) is on (b), whose lock is held and is let go: sleep until woken, or
 * -ETIMEDOUT, -EINTR.  (w) is on no list afterwards.
 */
int futex_sleep(
    struct futex_bucket *b, struct futex_waiter *w, uint64_t deadline);

/* Queue (w), whose key and bitset are set, and sleep if the word is (val): as
 * futex_sleep(), -EAGAIN, -EFAULT. */
int futex_wait_queued(
    uint32_t *user, uint32_t val, struct futex_waiter *w, uint64_t deadline);

/* Lock both with (*user) equal to (*cmp), if that is not NULL: 0, -EAGAIN,
 * -EFAULT. */
int futex_lock_both(uint32_t *user, const uint32_t *cmp, struct futex_bucket *x,
    struct futex_bucket *y);
void futex_unlock_both_and_wake(
    struct futex_bucket *x, struct futex_bucket *y, struct futex_chain *c);

/* What a C library does all the time: see futex_wait(), futex_wake(). */
long futex_wait_simply(uint32_t *user, uint32_t val);
long futex_wake_simply(uint32_t *user);
long futex_wait_any(uint32_t *user, bool shared, uint32_t val,
    uint64_t deadline, uint32_t bitset);
long futex_wake_any(uint32_t *user, bool shared, unsigned n, uint32_t bitset);

/* deadline is monotonic. */
static inline long futex_wait(uint32_t *user, bool shared, uint32_t val,
    uint64_t deadline, uint32_t bitset)
{
	if (!shared && deadline == TIME_NEVER &&
	    bitset == FUTEX_BITSET_MATCH_ANY)
		return futex_wait_simply(user, val);
	return futex_wait_any(user, shared, val, deadline, bitset);
}

static inline long futex_wake(
    uint32_t *user, bool shared, unsigned n, uint32_t bitset)
{
	if (!shared && n == 1 && bitset == FUTEX_BITSET_MATCH_ANY)
		return futex_wake_simply(user);
	return futex_wake_any(user, shared, n, bitset);
}

/* (cmp) NULL: move without a look at the word. */
long futex_requeue(uint32_t *from, uint32_t *to, bool shared, unsigned nwake,
    unsigned nmove, const uint32_t *cmp);
long futex_wake_op(uint32_t *user, uint32_t *user2, bool shared, unsigned n,
    unsigned n2, uint32_t op);

/* The operation that (op) encodes, pure: the new value, and whether the old
 * one meets its condition; -ENOSYS for what Linux does not know. */
int futex_op_apply(uint32_t op, uint32_t old, uint32_t *new);
int futex_op_test(uint32_t op, uint32_t old);

long futex_lock_pi(
    uint32_t *user, bool shared, uint64_t deadline, bool try_only);
long futex_unlock_pi(uint32_t *user, bool shared);
/* futex_requeue_pi.c */
long futex_wait_requeue_pi(uint32_t *user, bool shared, uint32_t val,
    uint64_t deadline, uint32_t *user2);
long futex_cmp_requeue_pi(uint32_t *from, uint32_t *to, bool shared,
    unsigned nwake, unsigned nmove, uint32_t cmp);

/* --- futex_pi.c; the bucket is locked, so that preemption is off ---------- */

/* The one to get the lock next, other than (except); NULL: none. */
struct futex_waiter *futex_pi_top(struct futex_bucket *b,
    const struct futex_key *key, const struct futex_waiter *except);
/* Whose id it is; NULL: nobody's, or no program's thread. */
struct task *futex_pi_owner(uint32_t tid);
/* The thread that the word was seen to name has gone: -ESRCH, or 1 when it has
 * let go of the word before it went.  -EFAULT: the word is not there. */
int futex_pi_orphan(const uint32_t *user, uint32_t tid);
/* (w) begins to wait for (owner), as (other) does, if that is not NULL.
 * 0, -ESRCH: he has gone; -EINVAL: (other) waits for somebody else;
 * -EDEADLK: he waits for (w)'s thread. */
int futex_pi_attach(struct futex_waiter *w, struct task *owner,
    const struct futex_waiter *other);
void futex_pi_leave(struct futex_waiter *w);
/* Everybody that waits for (key) waits for (owner) from now on. */
void futex_pi_adopt(
    struct futex_bucket *b, const struct futex_key *key, struct task *owner);

/* With preemption off this does not page in: -EFAULT.  1: it has changed. */
int futex_swap_nofault(uint32_t *user, uint32_t old, uint32_t new);
/* No lock is held.  (r), but for -EFAULT bring the word's page in for writing:
 * 1, or -EFAULT again. */
int futex_touch(uint32_t *user, int r);

#endif /* LINUX_FUTEX_INT_H */
