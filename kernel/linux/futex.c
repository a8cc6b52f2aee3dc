#include "futex_int.h"

#include <linux/futex.h>

#include "kern/arch.h"
#include "kern/clock.h"
#include "kern/errno.h"
#include "kern/num.h"
#include "kern/signal.h"
#include "kern/vm.h"
#include "task_int.h"

/* In the low bits of a key, which the word's alignment leaves free. */
#define FUTEX_KEY_SHARED 1

/* How long it is worth to look at the word before sleeping, ns. */
#define SPIN_MIN   1000u
#define SPIN_FIRST 8000u
#define SPIN_MAX   50000u
#define SPIN_LOCK  20000u /* a lock's, at most */
/* Waits without a look, when it was never enough. */
#define SPIN_PAUSE 64

#define ANY_BIT    FUTEX_BITSET_MATCH_ANY

struct futex_bucket futex_buckets[FUTEX_NBUCKET];

/* Where a waiter is while it is being woken. */
static struct futex_bucket waking;

void futex_init(void)
{
	for (unsigned i = 0; i < FUTEX_NBUCKET; i++)
		list_init(&futex_buckets[i].waiters);
}

int futex_shared_key(uint32_t *user, struct futex_key *key)
{
	uint64_t place[2];
	int r = vm_futex_key(proc_self()->vm, (uintptr_t)user, place);

	if (r != 0)
		return r;
	/* Memory that is not shared has this kind of key to itself as well. */
	key->a = place[0];
	key->b = place[1] | FUTEX_KEY_SHARED;
	return 0;
}

/* --- queues: the bucket's lock is held ----------------------------------- */

void futex_withdraw(struct futex_bucket *b)
{
	unsigned n = atomic_load_explicit(&b->nwait, memory_order_relaxed);

	atomic_store_explicit(&b->nwait, n - 1, memory_order_relaxed);
}

/* Before those that are less urgent. */
static NOINLINE void insert_urgent(
    struct futex_bucket *b, struct futex_waiter *new)
{
	struct futex_waiter *w;
	struct list *at = &b->waiters;

	list_foreach (w, &b->waiters, link) {
		if (w->thread->rt_priority < new->thread->rt_priority) {
			at = &w->link;
			break;
		}
	}
	list_add_tail(at, &new->link);
}

static inline void insert(struct futex_bucket *b, struct futex_waiter *w)
{
	atomic_store_explicit(&w->bucket, b, memory_order_relaxed);
	if (likely(!w->thread->rt_priority))
		list_add_tail(&b->waiters, &w->link);
	else
		insert_urgent(b, w);
}

void futex_enqueue(struct futex_bucket *b, struct futex_waiter *w)
{
	insert(b, w);
}

static inline void unqueue(struct futex_bucket *b, struct futex_waiter *w)
{
	list_del(&w->link);
	futex_withdraw(b);
}

void futex_take(struct futex_chain *c, struct futex_waiter *w)
{
	unqueue(w->bucket, w);
	atomic_store_explicit(&w->bucket, &waking, memory_order_relaxed);
	w->next = NULL;
	*c->last = w;
	c->last = &w->next;
}

void futex_move(
    struct futex_waiter *w, struct futex_bucket *b, const struct futex_key *key)
{
	unqueue(w->bucket, w);
	futex_announce(b);
	w->key = *key;
	insert(b, w);
}

static bool waits_for_lock(const struct futex_waiter *w)
{
	return w->bitset == 0 || w->requeue;
}

/* Take up to (n) waiters of (key) whose bits meet (bitset).  Their number, or
 * -EINVAL when one waits for a lock. */
static int take_waiters(struct futex_bucket *b, const struct futex_key *key,
    unsigned n, uint32_t bitset, struct futex_chain *c)
{
	struct futex_waiter *w, *next;
	int taken = 0;

	if (n == 0)
		return 0;
	list_foreach_safe (w, next, &b->waiters, link) {
		if (!futex_key_equal(&w->key, key))
			continue;
		if (unlikely(waits_for_lock(w)))
			return -EINVAL;
		if (!(w->bitset & bitset))
			continue;
		futex_take(c, w);
		if ((unsigned)++taken == n)
			break;
	}
	return taken;
}

/* --- sleeping and waking -------------------------------------------------- */

void futex_wake_chain(struct futex_chain *c)
{
	struct futex_waiter *w, *next;

	for (w = c->first; w; w = next) {
		struct thread *t = w->thread;

		next = w->next;
		atomic_store_explicit(&w->bucket, NULL, memory_order_release);
		(void)thread_wake(t, 0);
	}
}

/*
 * The bucket of (w), locked, wherever a requeue has put it; NULL when somebody
 * has woken us, and is done with (w).
 */
static struct futex_bucket *lock_bucket_of(struct futex_waiter *w)
{
	struct futex_bucket *b;

	for (;;) {
		b = atomic_load_explicit(&w->bucket, memory_order_acquire);
		if (!b)
			return NULL;
		if (b == &waking) {
			cpu_relax(); /* it runs, with preemption off */
			continue;
		}
		spin_lock(&b->lock);
		if (w->bucket == b)
			return b;
		spin_unlock(&b->lock);
	}
}

/* Up again with (r), but perhaps nobody has taken (w) off its queue. */
static NOINLINE int sleep_ends(struct futex_waiter *w, int r, uint64_t deadline)
{
	struct futex_bucket *b;

	while ((b = lock_bucket_of(w)) != NULL && r == 0)
		/* that was a stray wake-up */
		r = sleep_unlock(&b->lock, deadline, WAIT_INTR);
	if (!b)
		return 0;
	unqueue(b, w);
	if (w->owner)
		futex_pi_leave(w);
	spin_unlock(&b->lock);
	return r;
}

static inline bool was_woken(const struct futex_waiter *w)
{
	return !atomic_load_explicit(&w->bucket, memory_order_acquire);
}

static inline int sleep_on(
    struct futex_bucket *b, struct futex_waiter *w, uint64_t deadline)
{
	int r = sleep_unlock(&b->lock, deadline, WAIT_INTR);

	return likely(was_woken(w)) ? 0 : sleep_ends(w, r, deadline);
}

int futex_sleep(
    struct futex_bucket *b, struct futex_waiter *w, uint64_t deadline)
{
	return sleep_on(b, w, deadline);
}

/* --- wait and wake ------------------------------------------------------- */

/*
 * Another cpu will change the word soon: see it, rather than sleep and have
 * that cpu wake us.  Only while nobody else wants this cpu.
 */
static bool spin(const uint32_t *user, uint32_t val, uint64_t until)
{
	uint32_t now;

	while (sched_may_spin() && !signal_pending()) {
		for (unsigned i = 0; i < 16; i++) {
			if (user_load32(user, &now) != 0)
				return false;
			if (now != val)
				return true;
			cpu_relax();
		}
		if (clock_mono() >= until)
			break;
	}
	return false;
}

/*
 * Leave a lock to its owner for a while, and its cache line: each time we come
 * back for it, he must wake somebody when he lets go.
 */
static void stay_away(uint64_t until)
{
	while (sched_may_spin() && !signal_pending() && clock_mono() < until)
		for (unsigned i = 0; i < 16; i++)
			cpu_relax();
}

/* How long (t) shall look; 0: not at all. */
static uint64_t spin_budget(struct task *t)
{
	if (t->spin_pause) {
		t->spin_pause--;
		return 0;
	}
	return t->spin ? t->spin : SPIN_FIRST;
}

/*
 * After a look of (budget): twice as long when a longer one would have been
 * worth it, else half.  On a host with too few processors a look takes long
 * whatever it sees: that is no success.
 */
static void spin_adapt(struct task *t, uint64_t budget, uint64_t waited)
{
	t->spin = (uint32_t)(waited < SPIN_MAX ? MIN(2 * budget, SPIN_MAX)
					       : budget / 2);
	if (t->spin >= SPIN_MIN)
		return;
	t->spin = SPIN_FIRST;
	t->spin_pause = SPIN_PAUSE;
}

/* The word is not what it should be, or not there: 0: try again. */
static NOINLINE int wait_refused(
    const uint32_t *user, struct futex_bucket *b, int r)
{
	uint32_t now;

	futex_withdraw(b);
	spin_release(&b->lock);
	preempt_enable();
	return r == 0 ? -EAGAIN : user_load32(user, &now);
}

/* 1: the word is (val), (w) is queued on (b), and its lock is held; else it is
 * not, and 0: try again, or not: -EAGAIN, -EFAULT. */
static inline int compare_and_queue(struct futex_bucket *b, uint32_t *user,
    uint32_t val, struct futex_waiter *w)
{
	uint32_t now;
	int r;

	preempt_disable();
	spin_take(&b->lock);
	futex_announce(b);
	r = user_load32_nofault(user, &now);
	if (unlikely(r != 0 || now != val))
		return wait_refused(user, b, r);
	insert(b, w);
	return 1;
}

int futex_wait_queued(
    uint32_t *user, uint32_t val, struct futex_waiter *w, uint64_t deadline)
{
	struct futex_bucket *b = futex_bucket(&w->key);
	int r;

	w->thread = thread_self();
	do
		r = compare_and_queue(b, user, val, w);
	while (r == 0); /* the page has been brought in */
	return r < 0 ? r : sleep_on(b, w, deadline);
}

static NOINLINE int spin_then_wait(
    uint32_t *user, uint32_t val, struct futex_waiter *w, uint64_t deadline)
{
	struct task *t = task_self();
	uint64_t budget = spin_budget(t), begin;
	bool seen = false;
	int r = -EAGAIN;

	t->wait_word = user;
	if (!budget)
		return futex_wait_queued(user, val, w, deadline);
	begin = clock_mono();
	if (t->lock_word == user)
		stay_away(MIN(begin + MIN(budget, SPIN_LOCK), deadline));
	else
		seen = spin(user, val, MIN(begin + budget, deadline));
	if (!seen)
		r = futex_wait_queued(user, val, w, deadline);
	spin_adapt(t, budget, clock_mono() - begin);
	return r;
}

static long wait_again(struct restart *rs)
{
	return futex_wait((uint32_t *)rs->arg[0], rs->arg[1],
	    (uint32_t)rs->arg[2], rs->deadline, (uint32_t)rs->arg[3]);
}

static NOINLINE long wait_interrupted(uint32_t *user, bool shared, uint32_t val,
    uint64_t deadline, uint32_t bitset)
{
	if (deadline == TIME_NEVER)
		return -ERESTARTSYS;
	task_self()->restart = (struct restart){ wait_again, deadline,
		{ (uintptr_t)user, shared, val, bitset } };
	return -ERESTART_RESTARTBLOCK;
}

static inline void waiter_init(struct futex_waiter *w, uint32_t bitset)
{
	w->bitset = bitset;
	w->requeue = false;
	w->owner = NULL;
	w->thread = thread_self();
}

long futex_wait_any(uint32_t *user, bool shared, uint32_t val,
    uint64_t deadline, uint32_t bitset)
{
	struct futex_waiter w;
	int r;

	if (bitset == 0)
		return -EINVAL;
	waiter_init(&w, bitset);
	r = futex_key(user, shared, &w.key);
	if (r != 0)
		return r;
	if (sched_may_spin())
		r = spin_then_wait(user, val, &w, deadline);
	else
		r = futex_wait_queued(user, val, &w, deadline);
	if (r != -EINTR)
		return r;
	return wait_interrupted(user, shared, val, deadline, bitset);
}

/* On one cpu: no look first, no loop, nothing that is rare. */
long futex_wait_simply(uint32_t *user, uint32_t val)
{
	struct futex_waiter w;
	struct futex_bucket *b;
	int r;

	if (unlikely(cpu_count() > 1 || futex_key(user, false, &w.key) != 0))
		return futex_wait_any(user, false, val, TIME_NEVER, ANY_BIT);
	waiter_init(&w, ANY_BIT);
	b = futex_bucket(&w.key);
	r = compare_and_queue(b, user, val, &w);
	if (unlikely(r < 0))
		return r;
	if (unlikely(r == 0))
		return futex_wait_any(user, false, val, TIME_NEVER, ANY_BIT);
	r = sleep_on(b, &w, TIME_NEVER);
	return likely(r != -EINTR) ? r : -ERESTARTSYS;
}

/*
 * The program has changed the word and then we look at the count; who waits
 * counts himself and then looks at the word.  One sees the other.
 */
static bool nobody_waits(const struct futex_bucket *b)
{
	atomic_thread_fence(memory_order_seq_cst);
	return atomic_load_explicit(&b->nwait, memory_order_relaxed) == 0;
}

static NOINLINE long wake_many(struct futex_bucket *b,
    const struct futex_key *key, unsigned n, uint32_t bitset)
{
	struct futex_chain chain;
	int r;

	futex_chain_init(&chain);
	preempt_disable();
	spin_lock(&b->lock);
	r = take_waiters(b, key, n, bitset, &chain);
	spin_unlock(&b->lock);
	futex_wake_chain(&chain);
	preempt_enable();
	return r;
}

/* Who waits for a word and then wakes others by it has had a lock. */
static inline void learn_lock(const uint32_t *user)
{
	struct task *t = task_self();

	if (unlikely(t->wait_word == user))
		t->lock_word = user;
}

long futex_wake_any(uint32_t *user, bool shared, unsigned n, uint32_t bitset)
{
	struct futex_bucket *b;
	struct futex_key key;
	int r;

	learn_lock(user);
	if (bitset == 0)
		return -EINVAL;
	r = futex_key(user, shared, &key);
	if (r != 0)
		return r;
	b = futex_bucket(&key);
	return nobody_waits(b) ? 0 : wake_many(b, &key, n, bitset);
}

/* The first waiter, if he is whom take_waiters() would take for any bit. */
static inline struct futex_waiter *first_of(
    struct futex_bucket *b, const struct futex_key *key)
{
	struct futex_waiter *w =
	    list_entry(b->waiters.next, struct futex_waiter, link);

	if (&w->link != &b->waiters && futex_key_equal(&w->key, key) &&
	    !waits_for_lock(w))
		return w;
	return NULL;
}

/*
 * The most frequent case, one waiter at the head of his bucket, needs no
 * chain: the thread is all that is left of the waiter, and preemption is off
 * until it has been woken.  -1: it is not that case.
 */
static inline long wake_first(
    struct futex_bucket *b, const struct futex_key *key)
{
	struct futex_waiter *w;
	struct thread *t;

	preempt_disable();
	spin_take(&b->lock);
	w = first_of(b, key);
	if (unlikely(!w)) {
		spin_release(&b->lock);
		preempt_enable();
		return -1;
	}
	t = w->thread;
	w->link.prev->next = w->link.next;
	w->link.next->prev = w->link.prev;
	futex_withdraw(b);
	atomic_store_explicit(&w->bucket, NULL, memory_order_release);
	spin_release(&b->lock);
	(void)thread_wake(t, 0);
	preempt_enable();
	return 1;
}

long futex_wake_simply(uint32_t *user)
{
	struct futex_key key;
	struct futex_bucket *b;
	long r;

	learn_lock(user);
	if (unlikely(futex_key(user, false, &key) != 0))
		return futex_wake_any(user, false, 1, ANY_BIT);
	b = futex_bucket(&key);
	if (nobody_waits(b))
		return 0;
	r = wake_first(b, &key);
	return likely(r > 0) ? r : futex_wake_any(user, false, 1, ANY_BIT);
}

/* Of a thread that goes: as Linux, only who waits by the shared key. */
void futex_wake_word(uint32_t *user, unsigned n)
{
	(void)futex_wake(user, true, n, FUTEX_BITSET_MATCH_ANY);
}

/* --- two futexes ---------------------------------------------------------- */

static void lock_both(struct futex_bucket *x, struct futex_bucket *y)
{
	if (x > y) {
		lock_both(y, x);
		return;
	}
	spin_lock(&x->lock);
	if (x != y)
		spin_lock(&y->lock);
}

static void unlock_both(struct futex_bucket *x, struct futex_bucket *y)
{
	spin_unlock(&x->lock);
	if (x != y)
		spin_unlock(&y->lock);
}

void futex_unlock_both_and_wake(
    struct futex_bucket *x, struct futex_bucket *y, struct futex_chain *c)
{
	preempt_disable();
	unlock_both(x, y);
	futex_wake_chain(c);
	preempt_enable();
}

int futex_lock_both(uint32_t *user, const uint32_t *cmp, struct futex_bucket *x,
    struct futex_bucket *y)
{
	uint32_t now;
	int r;

	for (;;) {
		lock_both(x, y);
		r = cmp ? user_load32_nofault(user, &now) : 0;
		if (r == 0 && (!cmp || now == *cmp))
			return 0;
		unlock_both(x, y);
		if (r == 0)
			return -EAGAIN;
		r = user_load32(user, &now);
		if (r != 0)
			return r;
	}
}

/* Those that are there already count as moved: so they do on Linux. */
static int move_waiters(struct futex_bucket *from, const struct futex_key *key,
    struct futex_bucket *to, const struct futex_key *to_key, unsigned n)
{
	bool stay = futex_key_equal(key, to_key);
	struct futex_waiter *w, *next;
	int moved = 0;

	if (n == 0)
		return 0;
	/* What is moved within one bucket comes by again, with another key. */
	list_foreach_safe (w, next, &from->waiters, link) {
		if (!futex_key_equal(&w->key, key))
			continue;
		if (waits_for_lock(w))
			return -EINVAL;
		if (!stay)
			futex_move(w, to, to_key);
		if ((unsigned)++moved == n)
			break;
	}
	return moved;
}

static int requeue_locked(struct futex_bucket *b, const struct futex_key *key,
    struct futex_bucket *b2, const struct futex_key *key2, unsigned nwake,
    unsigned nmove, struct futex_chain *c)
{
	int moved = 0,
	    woken = take_waiters(b, key, nwake, FUTEX_BITSET_MATCH_ANY, c);

	if (woken >= 0)
		moved = move_waiters(b, key, b2, key2, nmove);
	return woken < 0 ? woken : moved < 0 ? moved : woken + moved;
}

long futex_requeue(uint32_t *from, uint32_t *to, bool shared, unsigned nwake,
    unsigned nmove, const uint32_t *cmp)
{
	struct futex_bucket *b, *b2;
	struct futex_key key, key2;
	struct futex_chain chain;
	int r;

	if (nwake > INT32_MAX || nmove > INT32_MAX)
		return -EINVAL;
	r = futex_key(from, shared, &key);
	if (r == 0)
		r = futex_key(to, shared, &key2);
	if (r != 0)
		return r;
	b = futex_bucket(&key);
	b2 = futex_bucket(&key2);
	r = futex_lock_both(from, cmp, b, b2);
	if (r != 0)
		return r;
	futex_chain_init(&chain);
	r = requeue_locked(b, &key, b2, &key2, nwake, nmove, &chain);
	futex_unlock_both_and_wake(b, b2, &chain);
	return r;
}

int futex_op_apply(uint32_t op, uint32_t old, uint32_t *new)
{
	int32_t arg = (int32_t)(op << 8) >> 20; /* 12 bits, signed */
	unsigned what = op >> 28;

	if (what & FUTEX_OP_OPARG_SHIFT)
		arg = (int32_t)(1u << (arg & 31));
	switch (what & 7) {
	case FUTEX_OP_SET:
		*new = (uint32_t)arg;
		return 0;
	case FUTEX_OP_ADD:
		*new = old + (uint32_t)arg;
		return 0;
	case FUTEX_OP_OR:
		*new = old | (uint32_t)arg;
		return 0;
	case FUTEX_OP_ANDN:
		*new = old & ~(uint32_t)arg;
		return 0;
	case FUTEX_OP_XOR:
		*new = old ^ (uint32_t)arg;
		return 0;
	default:
		return -ENOSYS;
	}
}

int futex_op_test(uint32_t op, uint32_t old)
{
	int32_t arg = (int32_t)(op << 20) >> 20, v = (int32_t)old;

	switch ((op >> 24) & 15) {
	case FUTEX_OP_CMP_EQ:
		return v == arg;
	case FUTEX_OP_CMP_NE:
		return v != arg;
	case FUTEX_OP_CMP_LT:
		return v < arg;
	case FUTEX_OP_CMP_LE:
		return v <= arg;
	case FUTEX_OP_CMP_GT:
		return v > arg;
	case FUTEX_OP_CMP_GE:
		return v >= arg;
	default:
		return -ENOSYS;
	}
}

static int modify_word(uint32_t *user, uint32_t op, uint32_t *old)
{
	uint32_t now, new;
	int r = user_load32(user, &now);

	while (r == 0) {
		*old = now;
		r = futex_op_apply(op, now, &new);
		if (r == 0)
			r = user_cmpxchg32(user, now, new, &now);
		if (r == 0 && now == *old)
			break;
	}
	return r;
}

/*
 * The word is changed before the queues are locked: whoever queued with the
 * old value is woken, and who comes later has seen the new one.
 */
long futex_wake_op(uint32_t *user, uint32_t *user2, bool shared, unsigned n,
    unsigned n2, uint32_t op)
{
	struct futex_bucket *b, *b2;
	struct futex_key key, key2;
	struct futex_chain chain;
	uint32_t old;
	int r, r2;

	r = futex_key(user, shared, &key);
	if (r == 0)
		r = futex_key(user2, shared, &key2);
	if (r == 0 && futex_op_test(op, 0) < 0)
		r = -ENOSYS;
	if (r == 0)
		r = modify_word(user2, op, &old);
	if (r != 0)
		return r;
	b = futex_bucket(&key);
	b2 = futex_bucket(&key2);
	futex_chain_init(&chain);
	lock_both(b, b2);
	r = take_waiters(b, &key, n, FUTEX_BITSET_MATCH_ANY, &chain);
	if (r >= 0 && futex_op_test(op, old)) {
		r2 =
		    take_waiters(b2, &key2, n2, FUTEX_BITSET_MATCH_ANY, &chain);
		r = r2 < 0 ? r2 : r + r2;
	}
	futex_unlock_both_and_wake(b, b2, &chain);
	return r;
}
