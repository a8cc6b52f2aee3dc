#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/futex.h>

#include "../../../kernel/linux/futex_int.h"
#include "fake_sched.h"
#include "kern/errno.h"
#include "kern/signal.h"
#include "linux_fixture.h"

#define ANY FUTEX_BITSET_MATCH_ANY

/* FUTEX_OP() shifts into the sign. */
#define OP(op, oparg, cmp, cmparg)                      \
	((uint32_t)(op) << 28 | (uint32_t)(cmp) << 24 | \
	    ((uint32_t)(oparg)&0xfff) << 12 | ((uint32_t)(cmparg)&0xfff))

static uint32_t word, word2, lock_a, lock_b;

/* What happens while the thread under test sleeps. */
static long result;

static void (*on_signal_pending)(void);

bool signal_pending(void)
{
	if (on_signal_pending)
		on_signal_pending();
	return thread_self()->interrupted;
}

static int setup(void **state)
{
	(void)state;
	fixture_reset();
	futex_init();
	word = word2 = lock_a = lock_b = 0;
	result = -1;
	fake_sleep_hook = NULL;
	sched_ncpu = 1;
	on_signal_pending = NULL;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(fake_locks_held(), 0);
	assert_int_equal(fake_timers_pending(), 0);
	return 0;
}

static void wake_one(void *arg)
{
	result = futex_wake(arg, false, 1, ANY);
}

static void test_wait_and_wake(void **state)
{
	(void)state;
	assert_int_equal(futex_wait(&word, false, 1, TIME_NEVER, ANY), -EAGAIN);
	assert_int_equal(futex_wake(&word, false, 1, ANY), 0);
	fake_sleep_hook = wake_one;
	fake_sleep_arg = &word;
	assert_int_equal(futex_wait(&word, false, 0, TIME_NEVER, ANY), 0);
	assert_int_equal(result, 1);
	/* Nobody is left behind. */
	assert_int_equal(futex_wake(&word, false, 1, ANY), 0);
}

static void test_timeout(void **state)
{
	(void)state;
	assert_int_equal(
	    futex_wait(&word, false, 0, fake_clock_now() + 5, ANY), -ETIMEDOUT);
	assert_int_equal(futex_wake(&word, false, 1, ANY), 0);
}

/* A signal: made again after its handler, with the limit there was. */
static void test_interrupted(void **state)
{
	(void)state;
	thread_self()->interrupted = true;
	assert_int_equal(
	    futex_wait(&word, false, 0, TIME_NEVER, ANY), -ERESTARTSYS);
	assert_int_equal(futex_wait(&word, false, 0, fake_clock_now() + 5, ANY),
	    -ERESTART_RESTARTBLOCK);
	thread_self()->interrupted = false;
	assert_int_equal(futex_wake(&word, false, 1, ANY), 0);
}

static void stray_then_wake(void *arg)
{
	/* A mutex wakes without its lock held: it may come this late. */
	if (result++ < 0)
		thread_wake(thread_self(), 0);
	else
		wake_one(arg);
}

static void test_stray_wake(void **state)
{
	(void)state;
	fake_sleep_hook = stray_then_wake;
	fake_sleep_arg = &word;
	assert_int_equal(futex_wait(&word, false, 0, TIME_NEVER, ANY), 0);
	assert_int_equal(result, 1);
}

static unsigned looks;

static void change_at_third(void)
{
	if (++looks == 3)
		word = 1;
}

static void time_goes_on(void)
{
	looks++;
	fake_clock_advance(1000);
}

static void wake_soon(void *arg)
{
	fake_clock_advance(1000);
	wake_one(arg);
}

static void test_spin(void **state)
{
	struct task *t = &fixture_task[0];

	(void)state;
	sched_ncpu = 2;
	looks = 0;
	fixture_on_load = change_at_third;
	assert_int_equal(futex_wait(&word, false, 0, TIME_NEVER, ANY), -EAGAIN);
	assert_int_equal(looks, 3);
	assert_int_equal(t->spin, 16000);
}

static void test_spin_on_nothing(void **state)
{
	uint32_t *nothing = (uint32_t *)64;

	(void)state;
	sched_ncpu = 2;
	assert_int_equal(
	    futex_wait(nothing, false, 0, TIME_NEVER, ANY), -EFAULT);
}

/* Who waits for a word and wakes others by it leaves it to its owner. */
static void test_spin_lock(void **state)
{
	struct task *t = &fixture_task[0];
	uint64_t begin;

	(void)state;
	sched_ncpu = 2;
	looks = 0;
	fixture_on_load = change_at_third;
	assert_int_equal(futex_wait(&word, false, 0, TIME_NEVER, ANY), -EAGAIN);
	assert_int_equal(futex_wake(&word, false, 1, ANY), 0);
	fixture_on_load = time_goes_on;
	on_signal_pending = time_goes_on;
	for (unsigned us = 16; us <= 20; us += 4) {
		looks = 0;
		begin = fake_clock_now();
		assert_int_equal(
		    futex_wait(&word, false, 0, TIME_NEVER, ANY), -EAGAIN);
		assert_int_equal(fake_clock_now() - begin, us * 1000);
		assert_int_equal(looks, us);
	}
	assert_int_equal(t->spin, 50000);
	/* A deadline is kept, and another word may be anything. */
	assert_int_equal(
	    futex_wait(&word, false, 1, fake_clock_now() + 5000, ANY),
	    -ETIMEDOUT);
	assert_int_equal(
	    futex_wait(&word2, false, 1, TIME_NEVER, ANY), -EAGAIN);
	assert_int_equal(futex_wake(&word, false, 1, ANY), 0);
	begin = fake_clock_now();
	assert_int_equal(futex_wait(&word, false, 0, TIME_NEVER, ANY), -EAGAIN);
	assert_int_equal(fake_clock_now() - begin, 20000);
}

/* Looks for nothing get shorter, and then there are none for a while. */
static void test_spin_in_vain(void **state)
{
	struct task *t = &fixture_task[0];
	uint32_t least = 8000;

	(void)state;
	sched_ncpu = 2;
	fixture_on_load = time_goes_on;
	for (int i = 0; i < 4; i++) {
		looks = 0;
		assert_int_equal(
		    futex_wait(&word, false, 0, fake_clock_now() + 200000, ANY),
		    -ETIMEDOUT);
		assert_true(looks > 0 && looks <= least / 1000 + 16);
		least /= 2;
	}
	looks = 0;
	for (int i = 0; i < 64; i++)
		assert_int_equal(
		    futex_wait(&word, false, 0, fake_clock_now() + 200000, ANY),
		    -ETIMEDOUT);
	assert_int_equal(looks, 0);
	assert_int_equal(t->spin, 8000);
	/* What was nearly worth it makes them longer. */
	fake_sleep_hook = wake_soon;
	fake_sleep_arg = &word;
	assert_int_equal(futex_wait(&word, false, 0, TIME_NEVER, ANY), 0);
	assert_int_equal(t->spin, 16000);
	assert_int_equal(futex_wake(&word, false, 1, ANY), 0);
}

static void test_page_not_there(void **state)
{
	(void)state;
	fake_sleep_hook = wake_one;
	fake_sleep_arg = &word;
	fixture_fault_at = 1;
	assert_int_equal(futex_wait(&word, false, 0, TIME_NEVER, ANY), 0);
	assert_int_equal(result, 1);
}

static void test_arguments(void **state)
{
	uint32_t *odd = (uint32_t *)(void *)((char *)&word + 1);

	(void)state;
	assert_int_equal(futex_wait(odd, false, 0, TIME_NEVER, ANY), -EINVAL);
	assert_int_equal(futex_wake(odd, false, 1, ANY), -EINVAL);
	assert_int_equal(futex_wait(&word, false, 0, TIME_NEVER, 0), -EINVAL);
	assert_int_equal(futex_wake(&word, false, 1, 0), -EINVAL);
	assert_int_equal(
	    futex_wake((uint32_t *)(UINT64_MAX - 3), false, 1, ANY), -EFAULT);
	assert_int_equal(
	    futex_requeue(&word, &word2, false, UINT32_MAX, 1, NULL), -EINVAL);
}

static void wrong_wakes_first(void *arg)
{
	/* Another word, another kind of key, other bits. */
	assert_int_equal(futex_wake(&word2, false, 1, ANY), 0);
	assert_int_equal(futex_wake(&word, true, 1, ANY), 0);
	assert_int_equal(futex_wake(&word, false, 1, 0x10), 0);
	assert_int_equal(futex_wake(&word, false, 0, ANY), 0);
	result = futex_wake(&word, false, 5, 0x21);
	(void)arg;
}

static void test_who_is_meant(void **state)
{
	(void)state;
	fake_sleep_hook = wrong_wakes_first;
	assert_int_equal(futex_wait(&word, false, 0, TIME_NEVER, 0x20), 0);
	assert_int_equal(result, 1);
}

static void move_then_wake(void *arg)
{
	uint32_t right = 0, wrong = 9;

	assert_int_equal(
	    futex_requeue(&word, &word2, false, 0, 1, &wrong), -EAGAIN);
	assert_int_equal(futex_requeue(&word, &word2, false, 0, 1, &right), 1);
	assert_int_equal(futex_wake(&word, false, 1, ANY), 0);
	result = futex_wake(&word2, false, 1, ANY);
	(void)arg;
}

static void test_requeue(void **state)
{
	(void)state;
	fake_sleep_hook = move_then_wake;
	assert_int_equal(futex_wait(&word, false, 0, TIME_NEVER, ANY), 0);
	assert_int_equal(result, 1);
}

static void just_move(void *arg)
{
	(void)arg;
	assert_int_equal(futex_requeue(&word, &word2, false, 0, 1, NULL), 1);
}

/* A waiter that was moved must find its own queue to leave it. */
static void test_timeout_after_requeue(void **state)
{
	(void)state;
	fake_sleep_hook = just_move;
	assert_int_equal(
	    futex_wait(&word, false, 0, fake_clock_now() + 5, ANY), -ETIMEDOUT);
	assert_int_equal(futex_wake(&word, false, 1, ANY), 0);
	assert_int_equal(futex_wake(&word2, false, 1, ANY), 0);
}

/* Several waiters, put on the queue by hand: order and counts. */
static struct futex_waiter crowd[5];

static void gather(uint32_t *at)
{
	struct futex_bucket *b;
	struct futex_key key;

	assert_int_equal(futex_key(at, false, &key), 0);
	b = futex_bucket(&key);
	for (int i = 0; i < 5; i++) {
		crowd[i] = (struct futex_waiter){ .key = key,
			.thread = thread_self() };
		crowd[i].bitset = 1u << i;
		futex_announce(b);
		futex_enqueue(b, &crowd[i]);
	}
}

static unsigned woken(void)
{
	unsigned set = 0;

	for (unsigned i = 0; i < 5; i++)
		set |= (unsigned)(crowd[i].bucket == NULL) << i;
	return set;
}

static void test_order(void **state)
{
	(void)state;
	gather(&word);
	assert_int_equal(futex_wake(&word, false, 2, ANY), 2);
	assert_int_equal(woken(), 0x3);
	assert_int_equal(futex_wake(&word, false, 9, 0x10), 1);
	assert_int_equal(woken(), 0x13);
	assert_int_equal(futex_requeue(&word, &word2, false, 1, 1, NULL), 2);
	assert_int_equal(woken(), 0x17);
	assert_int_equal(futex_wake(&word, false, 9, ANY), 0);
	assert_int_equal(futex_wake(&word2, false, 9, ANY), 1);
	assert_int_equal(woken(), 0x1f);
}

static void test_requeue_to_itself(void **state)
{
	(void)state;
	gather(&word);
	assert_int_equal(futex_requeue(&word, &word, false, 1, 3, NULL), 4);
	assert_int_equal(futex_wake(&word, false, 9, ANY), 4);
}

static void test_wake_op(void **state)
{
	(void)state;
	gather(&word2);
	word2 = 7;
	assert_int_equal(futex_wake_op(&word, &word2, false, 1, 2,
			     OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_EQ, 8)),
	    0);
	assert_int_equal(word2, 12);
	assert_int_equal(futex_wake_op(&word, &word2, false, 1, 2,
			     OP(FUTEX_OP_SET, 1, FUTEX_OP_CMP_GT, 8)),
	    2);
	assert_int_equal(word2, 1);
	assert_int_equal(futex_wake(&word2, false, 9, ANY), 3);
	assert_int_equal(
	    futex_wake_op(&word, &word2, false, 1, 1, 7u << 28), -ENOSYS);
	assert_int_equal(
	    futex_wake_op(&word, &word2, false, 1, 1, 7u << 24), -ENOSYS);
	assert_int_equal(word2, 1);
}

static void test_operations(void **state)
{
	uint32_t v;

	(void)state;
	assert_int_equal(futex_op_apply(OP(FUTEX_OP_SET, -1, 0, 0), 5, &v), 0);
	assert_int_equal(v, UINT32_MAX);
	futex_op_apply(OP(FUTEX_OP_OR, 8, 0, 0), 5, &v);
	assert_int_equal(v, 13);
	futex_op_apply(OP(FUTEX_OP_ANDN, 4, 0, 0), 5, &v);
	assert_int_equal(v, 1);
	futex_op_apply(OP(FUTEX_OP_XOR, 3, 0, 0), 5, &v);
	assert_int_equal(v, 6);
	futex_op_apply(
	    OP(FUTEX_OP_SET | FUTEX_OP_OPARG_SHIFT, 31u, 0, 0), 5, &v);
	assert_int_equal(v, 0x80000000);
	assert_true(futex_op_test(OP(0, 0, FUTEX_OP_CMP_LT, -1), -5u));
	assert_false(futex_op_test(OP(0, 0, FUTEX_OP_CMP_GE, 0), -5u));
	assert_true(futex_op_test(OP(0, 0, FUTEX_OP_CMP_LE, 7), 7));
	assert_true(futex_op_test(OP(0, 0, FUTEX_OP_CMP_NE, 7), 8));
}

/* --- locks handed over by the kernel ------------------------------------- */

static void owner_unlocks(void *arg)
{
	struct thread *me = thread_self();

	(void)arg;
	assert_int_equal(word, 102 | FUTEX_WAITERS);
	fixture_become(1);
	assert_int_equal(futex_unlock_pi(&word, false), 0);
	cpu_self()->current = me;
}

static void test_pi(void **state)
{
	(void)state;
	assert_int_equal(futex_lock_pi(&word, false, TIME_NEVER, false), 0);
	assert_int_equal(word, 101);
	assert_int_equal(
	    futex_lock_pi(&word, false, TIME_NEVER, false), -EDEADLK);
	assert_int_equal(futex_unlock_pi(&word, false), 0);
	assert_int_equal(word, 0);
	assert_int_equal(futex_unlock_pi(&word, false), -EPERM);

	word = 102;
	assert_int_equal(
	    futex_lock_pi(&word, false, TIME_NEVER, true), -EAGAIN);
	fixture_fault_at = 2;
	fake_sleep_hook = owner_unlocks;
	assert_int_equal(futex_lock_pi(&word, false, TIME_NEVER, false), 0);
	assert_int_equal(word, 101);
	/* A plain wake does not touch who waits for a lock. */
	word = 999;
	assert_int_equal(
	    futex_lock_pi(&word, false, TIME_NEVER, false), -ESRCH);
}

static void test_pi_timeout(void **state)
{
	(void)state;
	word = 102;
	assert_int_equal(
	    futex_lock_pi(&word, false, fake_clock_now() + 5, false),
	    -ETIMEDOUT);
	assert_int_equal(word, 102 | FUTEX_WAITERS);
	fixture_become(1);
	assert_int_equal(futex_unlock_pi(&word, false), 0);
	assert_int_equal(word, 0);
}

static void owner_dies(void *arg)
{
	struct thread *me = thread_self();

	(void)arg;
	fixture_become(1);
	futex_exit_pi(&fixture_task[1]);
	cpu_self()->current = me;
}

static void test_pi_owner_dies(void **state)
{
	(void)state;
	word = 102;
	fake_sleep_hook = owner_dies;
	assert_int_equal(futex_lock_pi(&word, false, TIME_NEVER, false), 0);
	assert_int_equal(word, 101 | FUTEX_OWNER_DIED);
	/* He cannot be waited for any more. */
	word = 102;
	assert_int_equal(
	    futex_lock_pi(&word, false, TIME_NEVER, false), -ESRCH);
}

/* A robust lock's owner dies after its word has been seen. */
static void dies_when_seen(void)
{
	fixture_on_find = NULL;
	word = (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
	fixture_task[1].pi_gone = true;
}

static void test_pi_owner_has_just_died(void **state)
{
	static const uint32_t seen[] = { 999, 102, 102 | FUTEX_WAITERS };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		word = seen[i];
		fixture_on_find = dies_when_seen;
		assert_int_equal(
		    futex_lock_pi(&word, false, TIME_NEVER, false), 0);
		assert_int_equal(word, 101 | FUTEX_OWNER_DIED);
	}
}

/* --- priority inheritance: 101 waits for 102, and so on ------------------- */

static void set_priority(unsigned i, int priority)
{
	struct thread *t = fixture_task[i].thread;

	t->base_priority = t->rt_priority = priority;
}

static int priority(unsigned i)
{
	return fixture_task[i].thread->rt_priority;
}

/* While thread 1 sleeps for lock_b of thread 2. */
static void middle_sleeps(void *arg)
{
	(void)arg;
	assert_int_equal(priority(2), 20);
	/* The other way round is a deadlock, and changes nothing. */
	fixture_become(2);
	assert_int_equal(
	    futex_lock_pi(&lock_a, false, TIME_NEVER, false), -EDEADLK);
	fake_sleep_hook = NULL;
	fixture_become(0);
	assert_int_equal(
	    futex_lock_pi(&lock_a, false, fake_clock_now() + 5, false),
	    -ETIMEDOUT);
	/* It lent while it waited, through thread 1, and no longer. */
	assert_int_equal(priority(1), 20);
	assert_int_equal(priority(2), 20);
	assert_int_equal(result, 30);
	fixture_become(2);
	assert_int_equal(futex_unlock_pi(&lock_b, false), 0);
	assert_int_equal(priority(2), 10);
	fixture_become(1);
}

static void note_priority(void)
{
	result = priority(2);
}

static void clock_hook(struct timer *t)
{
	(void)t;
	note_priority();
}

static void test_inheritance(void **state)
{
	struct timer probe;

	(void)state;
	set_priority(0, 30);
	set_priority(1, 20);
	set_priority(2, 10);
	lock_a = 102;
	lock_b = 103;
	timer_init(&probe, clock_hook);
	timer_set(&probe, fake_clock_now() + 3);
	fixture_become(1);
	fake_sleep_hook = middle_sleeps;
	assert_int_equal(futex_lock_pi(&lock_b, false, TIME_NEVER, false), 0);
	assert_int_equal(lock_b, 102);
	assert_int_equal(priority(1), 20);
}

/* Waiters put in line by hand: the most urgent gets the lock, and has then
 * what the others lend. */
static struct futex_waiter line[3];

static void stand_in_line(uint32_t *at)
{
	struct futex_bucket *b;

	for (unsigned i = 0; i < 3; i++) {
		line[i] = (struct futex_waiter){ .user = at };
		fixture_become(i);
		line[i].thread = thread_self();
		assert_int_equal(futex_key(at, false, &line[i].key), 0);
		b = futex_bucket(&line[i].key);
		futex_announce(b);
		assert_int_equal(
		    futex_pi_attach(&line[i], &fixture_task[3], NULL), 0);
		futex_enqueue(b, &line[i]);
	}
	*at = 104 | FUTEX_WAITERS;
}

static void test_most_urgent_first(void **state)
{
	(void)state;
	set_priority(0, 0);
	set_priority(1, 5);
	set_priority(2, 7);
	stand_in_line(&word);
	assert_int_equal(priority(3), 7);
	/* A plain wake does not touch who waits for a lock. */
	assert_int_equal(futex_wake(&word, false, 1, ANY), -EINVAL);
	fixture_become(3);
	assert_int_equal(futex_unlock_pi(&word, false), 0);
	assert_int_equal(priority(3), 0);
	assert_int_equal(word, 103 | FUTEX_WAITERS);
	fixture_become(2);
	/* The least of the rest becomes the most urgent meanwhile. */
	set_priority(0, 9);
	futex_pi_priority_set(fixture_task[0].thread);
	assert_int_equal(priority(2), 9);
	assert_int_equal(futex_unlock_pi(&word, false), 0);
	assert_int_equal(priority(2), 7);
	assert_int_equal(word, 101 | FUTEX_WAITERS);
	fixture_become(0);
	assert_int_equal(futex_unlock_pi(&word, false), 0);
	assert_int_equal(word, 102);
	assert_int_equal(priority(0), 9);
}

/* --- condition variables with a lock that inherits ------------------------ */

static void requeue_free(void *arg)
{
	(void)arg;
	assert_int_equal(futex_wake(&word, false, 1, ANY), -EINVAL);
	assert_int_equal(
	    futex_requeue(&word, &word2, false, 0, 1, NULL), -EINVAL);
	assert_int_equal(
	    futex_cmp_requeue_pi(&word, &word2, false, 2, 1, 0), -EINVAL);
	assert_int_equal(
	    futex_cmp_requeue_pi(&word, &word2, false, 1, 1, 7), -EAGAIN);
	assert_int_equal(
	    futex_cmp_requeue_pi(&word, &lock_a, false, 1, 1, 0), -EINVAL);
	result = futex_cmp_requeue_pi(&word, &word2, false, 1, 9, 0);
}

static void requeue_owned(void *arg)
{
	struct thread *me = thread_self();

	word2 = 102;
	requeue_free(arg);
	assert_int_equal(word2, 102 | FUTEX_WAITERS);
	fixture_become(1);
	assert_int_equal(futex_unlock_pi(&word2, false), 0);
	cpu_self()->current = me;
}

static void requeue_and_leave(void *arg)
{
	word2 = 102;
	requeue_free(arg);
}

static void test_requeue_pi(void **state)
{
	(void)state;
	assert_int_equal(
	    futex_wait_requeue_pi(&word, false, 0, TIME_NEVER, &word), -EINVAL);
	assert_int_equal(
	    futex_wait_requeue_pi(&word, false, 1, TIME_NEVER, &word2),
	    -EAGAIN);
	fake_sleep_hook = requeue_free;
	assert_int_equal(
	    futex_wait_requeue_pi(&word, false, 0, TIME_NEVER, &word2), 0);
	assert_int_equal(result, 1);
	assert_int_equal(word2, 101);
	fake_sleep_hook = requeue_owned;
	assert_int_equal(
	    futex_wait_requeue_pi(&word, false, 0, TIME_NEVER, &word2), 0);
	assert_int_equal(result, 1);
	assert_int_equal(word2, 101);
	set_priority(0, 12);
	fake_sleep_hook = requeue_and_leave;
	assert_int_equal(futex_wait_requeue_pi(
			     &word, false, 0, fake_clock_now() + 5, &word2),
	    -ETIMEDOUT);
	assert_int_equal(priority(1), 0);
	assert_int_equal(futex_wake(&word2, false, 9, ANY), 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_wait_and_wake),
		TEST(test_timeout),
		TEST(test_interrupted),
		TEST(test_stray_wake),
		TEST(test_spin),
		TEST(test_spin_on_nothing),
		TEST(test_spin_lock),
		TEST(test_spin_in_vain),
		TEST(test_page_not_there),
		TEST(test_arguments),
		TEST(test_who_is_meant),
		TEST(test_requeue),
		TEST(test_timeout_after_requeue),
		TEST(test_order),
		TEST(test_requeue_to_itself),
		TEST(test_wake_op),
		TEST(test_operations),
		TEST(test_pi),
		TEST(test_pi_timeout),
		TEST(test_pi_owner_dies),
		TEST(test_pi_owner_has_just_died),
		TEST(test_inheritance),
		TEST(test_most_urgent_first),
		TEST(test_requeue_pi),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
