/*
 * kernel/sched/mutex.c and waitq.c in every interleaving: three threads, each
 * on a processor of its own.  With a barrier taken away a thread must be found
 * to sleep for ever: that is the test of the test.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/sched/sched_int.h"

static struct model {
	struct thread t[X_CPUS];
	struct mutex mutex;
	struct waitq queue;
	unsigned inside, done, tokens;
} m;
static unsigned rounds;

struct thread *thread_self(void)
{
	return &m.t[x_cpu()];
}

static void enter(void)
{
	if (m.inside++)
		x_fail("two owners");
	x_point();
	m.inside--;
}

static void take_turns(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < rounds; i++) {
		mutex_lock(&m.mutex);
		enter();
		m.done++;
		mutex_unlock(&m.mutex);
	}
}

/* The first waits on the queue with the mutex, the others wake it. */
static void wait_for_token(void *arg)
{
	(void)arg;
	mutex_lock(&m.mutex);
	while (m.tokens < X_CPUS - 1)
		(void)waitq_wait_mutex(&m.queue, &m.mutex, TIME_NEVER, 0);
	enter();
	mutex_unlock(&m.mutex);
}

static void give_token(void *arg)
{
	(void)arg;
	mutex_lock(&m.mutex);
	enter();
	m.tokens++;
	waitq_wake(&m.queue, 1);
	mutex_unlock(&m.mutex);
}

static void start(void (*first)(void *), void (*others)(void *), unsigned n)
{
	memset(&m, 0, sizeof(m));
	x_reset();
	x_region(&m, sizeof(m));
	mutex_init(&m.mutex);
	waitq_init(&m.queue);
	for (unsigned i = 0; i < n; i++) {
		struct x_ctx *ctx = x_ctx_new(i ? others : first, NULL);

		list_init(&m.t[i].wait_link);
		x_cpu_start(i, ctx);
		x_must_end(ctx);
	}
}

static void test_two(void **state)
{
	(void)state;
	rounds = 3;
	start(take_turns, take_turns, 2);
	assert_null(explore());
}

static void test_three(void **state)
{
	(void)state;
	rounds = 1;
	start(take_turns, take_turns, 3);
	assert_null(explore());
}

static void test_waitq(void **state)
{
	(void)state;
	start(wait_for_token, give_token, 3);
	assert_null(explore());
}

/* A thread's state set without a barrier before it looks whether it must sleep:
 * the wake-up that comes in between is lost. */
static void test_no_barrier(void **state)
{
	(void)state;
	rounds = 1;
	start(take_turns, take_turns, 2);
	for (unsigned i = 0; i < 2; i++)
		x_weaken((void *)&m.t[i].state, sizeof(m.t[i].state));
	assert_string_equal(explore(), "nobody can go on");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two),
		cmocka_unit_test(test_three),
		cmocka_unit_test(test_waitq),
		cmocka_unit_test(test_no_barrier),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
