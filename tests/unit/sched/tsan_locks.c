/* Locks and wait queues under real concurrency; built with TSan.  A lost
 * wake-up shows as a test that does not end. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sched.h>
#include <cmocka.h>

#include "kern/errno.h"
#include "kern/panic.h"
#include "kern/sched.h"
#include "kernel/sched/sched_int.h"
#include "pthread_sched.h"

#define ROUNDS 3000

static struct mutex mutex = MUTEX_INIT(mutex);
static struct spinlock spin = SPINLOCK_INIT;
static struct waitq queue = WAITQ_INIT(queue);
static unsigned counter, tokens, taken;
static unsigned wakes_given, wakes_seen; /* under the mutex */

static void add_many(size_t arg)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		if (arg == 0 && mutex_trylock(&mutex)) {
			counter++;
			mutex_unlock(&mutex);
			continue;
		}
		mutex_lock(&mutex);
		assert(mutex_held(&mutex));
		counter++;
		mutex_unlock(&mutex);
	}
}

static void test_mutex(void **state)
{
	(void)state;
	counter = 0;
	run_threads(6, add_many);
	assert_int_equal(counter, 6 * ROUNDS);
}

/* Threads 0 and 1 produce, the others consume until all is taken. */
static void spin_tokens(size_t arg)
{
	unsigned long flags = spin_lock_irqsave(&spin);

	if (arg < 2) {
		for (unsigned i = 0; i < ROUNDS; i++) {
			tokens++;
			waitq_wake(&queue, 1);
			spin_unlock_irqrestore(&spin, flags);
			flags = spin_lock_irqsave(&spin);
		}
	}
	while (arg >= 2 && taken < 2 * ROUNDS) {
		if (tokens == 0) {
			(void)waitq_wait(&queue, &spin, &flags,
			    arg == 2 ? 1 : TIME_NEVER, 0);
			continue;
		}
		tokens--;
		/* The last one ends the others. */
		if (++taken == 2 * ROUNDS)
			waitq_wake_all(&queue);
	}
	spin_unlock_irqrestore(&spin, flags);
}

static void test_waitq(void **state)
{
	(void)state;
	tokens = taken = 0;
	run_threads(5, spin_tokens);
	assert_int_equal(taken, 2 * ROUNDS);
	assert_true(list_empty(&queue.waiters));
}

/*
 * The same with a mutex that everybody fights for.  All consumers time out
 * again and again, and come back through a contended mutex while they are
 * still queued; a wake-up that goes to one of them must count.
 */
static void mutex_tokens(size_t arg)
{
	mutex_lock(&mutex);
	for (unsigned i = 0; arg < 2 && i < ROUNDS; i++) {
		tokens++;
		wakes_given += waitq_wake(&queue, 1);
		mutex_unlock(&mutex);
		sched_yield(); /* let the consumers run dry, and time out */
		mutex_lock(&mutex);
	}
	while (arg >= 2 && taken < 2 * ROUNDS) {
		if (tokens == 0) {
			/* One never times out: it relies on wake-ups. */
			int err = waitq_wait_mutex(
			    &queue, &mutex, arg == 2 ? TIME_NEVER : 1, 0);

			assert(err == 0 || err == -ETIMEDOUT);
			assert(list_empty(&thread_self()->wait_link));
			wakes_seen += err == 0;
			continue;
		}
		tokens--;
		if (++taken == 2 * ROUNDS)
			wakes_given += waitq_wake_all(&queue);
	}
	mutex_unlock(&mutex);
}

static void test_waitq_mutex(void **state)
{
	(void)state;
	tokens = taken = 0;
	run_threads(6, mutex_tokens);
	assert_int_equal(taken, 2 * ROUNDS);
	/* What was counted as a wake-up was one: no time-out swallowed it. */
	assert_true(wakes_seen >= wakes_given);
	assert_true(list_empty(&queue.waiters));
}

/* Thread 0 is interrupted by the others until it has seen it often enough. */
static _Atomic(struct thread *) victim;
static _Atomic bool victim_done;

static void interrupts(size_t arg)
{
	if (arg == 0) {
		atomic_store(&victim, thread_self());
		for (unsigned i = 0; i < ROUNDS; i++) {
			unsigned long flags = spin_lock_irqsave(&spin);
			int err;

			err = waitq_wait(
			    &queue, &spin, &flags, TIME_NEVER, WAIT_INTR);
			spin_unlock_irqrestore(&spin, flags);
			assert(err == -EINTR);
			thread_clear_interrupt();
		}
		atomic_store(&victim_done, true);
	}
	while (arg != 0 && !atomic_load(&victim_done))
		if (atomic_load(&victim))
			thread_interrupt(atomic_load(&victim));
}

static void test_interrupt(void **state)
{
	(void)state;
	run_threads(3, interrupts);
	assert_true(list_empty(&queue.waiters));
}

static struct rwlock rw;
static unsigned left, right;

static void read_write(size_t arg)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		if ((i + arg) % 8 == 0) {
			rwlock_write(&rw);
			left++;
			right++;
		} else {
			rwlock_read(&rw);
			assert(left == right);
		}
		rwlock_unlock(&rw);
	}
}

static void test_rwlock(void **state)
{
	(void)state;
	rwlock_init(&rw);
	run_threads(6, read_write);
	assert_int_equal(left, right);
	assert_true(left >= 6 * (ROUNDS / 8));
	assert_int_equal(rw.readers, 0);
	assert_true(list_empty(&rw.waiters));
}

/*
 * Threads 1 and 2 read by turns, each until the other one reads, so that the
 * lock is never free; thread 0 must be able to write all the same.
 */
static _Atomic unsigned reads[3];
static _Atomic bool reads_end, written;
static unsigned reads_before, reads_after;

static void wait_for_other(size_t other, unsigned seen)
{
	for (unsigned i = 0; i < 1000 && reads[other] == seen; i++)
		sched_yield();
}

static void overlap(size_t arg)
{
	if (arg == 0) {
		while (!reads[1] || !reads[2])
			sched_yield();
		reads_before = reads[1];
		rwlock_write(&rw);
		reads_after = reads[1];
		written = true;
		rwlock_unlock(&rw);
		return;
	}
	while (arg == 2 && !reads[1])
		sched_yield();
	while (!written && !reads_end) {
		unsigned seen;

		rwlock_read(&rw);
		seen = reads[3 - arg];
		if (++reads[arg] == 20 * ROUNDS)
			reads_end = true;
		if (!written)
			wait_for_other(3 - arg, seen);
		rwlock_unlock(&rw);
	}
}

static void test_rwlock_writer(void **state)
{
	(void)state;
	rwlock_init(&rw);
	run_threads(3, overlap);
	assert_false(reads_end);
	assert_true(reads_after - reads_before < ROUNDS);
}

/* Threads 1 and up push their nodes; thread 0 takes them. */
#define PUSHERS 4

static struct mpsc mpsc;
static struct token {
	struct mpsc_node node;
	unsigned from, n;
} nodes[PUSHERS][ROUNDS];
static _Atomic unsigned notified;

static void push_and_take(size_t arg)
{
	unsigned expect[PUSHERS] = { 0 }, n = 0;

	for (unsigned i = 0; arg > 0 && i < ROUNDS; i++) {
		struct token *t = &nodes[arg - 1][i];

		t->n = i;
		t->from = (unsigned)arg - 1;
		if (mpsc_push(&mpsc, &t->node))
			atomic_fetch_add(&notified, 1);
	}
	while (arg == 0 && n < PUSHERS * ROUNDS) {
		struct mpsc_node *at = mpsc_take(&mpsc), *next;

		for (; at; at = next, n++) {
			struct token *t = container_of(at, struct token, node);

			next = at->next;
			assert(t->n == expect[t->from]);
			expect[t->from]++;
		}
	}
}

static void test_mpsc(void **state)
{
	(void)state;
	run_threads(PUSHERS + 1, push_and_take);
	assert_true(notified > 0);
	assert_true(mpsc_empty(&mpsc));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mutex),
		cmocka_unit_test(test_waitq),
		cmocka_unit_test(test_waitq_mutex),
		cmocka_unit_test(test_interrupt),
		cmocka_unit_test(test_rwlock),
		cmocka_unit_test(test_rwlock_writer),
		cmocka_unit_test(test_mpsc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
