#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/sched/runq.h"

#define MS NSEC_PER_MSEC

static struct thread idle;
static struct runq rq, other_rq;
static struct cpu cpu = { .idle = &idle, .runq = &rq };
static struct cpu other_cpu = { .id = 1, .runq = &other_rq };
struct cpu *cpus[CPU_MAX] = { &cpu, &other_cpu };
static struct thread t[4];
static uint64_t ran[4], now;

static int setup(void **state)
{
	(void)state;
	memset(t, 0, sizeof(t));
	memset(ran, 0, sizeof(ran));
	now = NSEC_PER_SEC;
	runq_init(&rq, &cpu);
	for (unsigned i = 0; i < 4; i++) {
		t[i].affinity[0] = 1;
		t[i].charged_at = now;
	}
	return 0;
}

static void wake(unsigned i)
{
	if (!runq_is_near(&rq, &t[i]))
		runq_settle(&rq, &t[i], now);
	runq_enqueue(&rq, &t[i], false);
}

/* Run the next thread for (slice); it stays ready. */
static unsigned run(uint64_t slice)
{
	struct thread *next = runq_pick(&rq);
	unsigned i = (unsigned)(next - t);

	runq_dequeue(&rq, next);
	next->charged_at = now;
	now += slice;
	runq_charge(&rq, next, now);
	ran[i] += slice;
	runq_enqueue(&rq, next, false);
	return i;
}

static void test_equal_shares(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		wake(i);
	for (unsigned n = 0; n < 400; n++)
		run((1 + n % 7) * MS);
	for (unsigned i = 1; i < 4; i++)
		assert_true(
		    llabs((long long)(ran[i] - ran[0])) < 20 * (long)MS);
}

static void test_nice(void **state)
{
	(void)state;
	t[1].nice = 5; /* about a third of nice 0 */
	t[2].nice = -5;
	for (unsigned i = 0; i < 3; i++)
		wake(i);
	for (unsigned n = 0; n < 3000; n++)
		run(MS);
	assert_true(ran[0] > ran[1] * 2 && ran[0] < ran[1] * 4);
	assert_true(ran[2] > ran[0] * 2 && ran[2] < ran[0] * 4);
}

/* A long sleep must not give a thread the cpu for long. */
static void test_sleeper(void **state)
{
	unsigned n = 0;

	(void)state;
	wake(0);
	wake(1);
	run(MS);
	run(MS);
	runq_dequeue(&rq, &t[1]);
	for (unsigned i = 0; i < 1000; i++)
		run(5 * MS);
	wake(1);
	assert_true(runq_preempts(&rq, &t[1], &t[0]));
	while (run(MS) == 1)
		n++;
	assert_true(n > 0 && n <= SCHED_LATENCY / MS);
	/* From now on they share. */
	memset(ran, 0, sizeof(ran));
	for (unsigned i = 0; i < 100; i++)
		run(MS);
	assert_true(ran[0] >= 45 * MS && ran[1] >= 45 * MS);
}

/* What a thread owes is forgotten while it is away. */
static void test_debt(void **state)
{
	(void)state;
	wake(0);
	wake(1);
	runq_dequeue(&rq, &t[1]);
	now += 500 * MS;
	runq_charge(&rq, &t[1], now);
	now += 50 * MS;
	wake(1);
	for (unsigned n = 0; n < 200; n++)
		run(MS);
	assert_true(ran[1] > 40 * MS);
}

static void test_realtime(void **state)
{
	(void)state;
	t[0].policy = SCHED_FIFO;
	t[0].rt_priority = 10;
	t[1].policy = SCHED_RR;
	t[1].rt_priority = 20;
	t[2].policy = SCHED_RR;
	t[2].rt_priority = 20;
	for (unsigned i = 0; i < 4; i++)
		wake(i);
	assert_int_equal(rq.nready, 4);
	assert_int_equal(run(MS), 1);
	assert_int_equal(run(MS), 2);
	assert_int_equal(run(MS), 1);
	assert_true(runq_preempts(&rq, &t[1], &t[0]));
	assert_false(runq_preempts(&rq, &t[0], &t[1]));
	assert_true(runq_preempts(&rq, &t[0], &t[3]));
	assert_false(runq_preempts(&rq, &t[3], &t[0]));
	runq_dequeue(&rq, &t[1]);
	runq_dequeue(&rq, &t[2]);
	/* A class that changed while it was queued. */
	t[0].policy = SCHED_NORMAL;
	assert_int_equal(run(MS), 0);
	runq_dequeue(&rq, &t[0]);
	runq_dequeue(&rq, &t[3]);
	assert_null(runq_pick(&rq));
	assert_int_equal(rq.nready, 0);
}

static void test_preempted_fifo_stays_first(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		t[i].policy = SCHED_FIFO;
		t[i].rt_priority = 1;
	}
	runq_enqueue(&rq, &t[0], false);
	runq_enqueue(&rq, &t[1], true);
	assert_ptr_equal(runq_pick(&rq), &t[1]);
}

static void test_yield(void **state)
{
	(void)state;
	wake(0);
	wake(1);
	runq_dequeue(&rq, &t[0]);
	runq_yield(&rq, &t[0]);
	runq_enqueue(&rq, &t[0], false);
	assert_ptr_equal(runq_pick(&rq), &t[1]);
}

static void test_find_for(void **state)
{
	(void)state;
	t[1].affinity[0] = 3;
	wake(0);
	assert_null(runq_find_for(&rq, 1));
	wake(1);
	assert_ptr_equal(runq_find_for(&rq, 1), &t[1]);
}

/* Many threads, so that the tree behind the first one is used. */
static void test_order(void **state)
{
	static struct thread many[100];
	uint64_t last = 0;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		many[i].vruntime = i * 37 % 100 / 2;
		many[i].id = i;
		runq_enqueue(&rq, &many[i], false);
	}
	assert_int_equal(rq.nready, 100);
	for (unsigned i = 0; i < 50; i++)
		runq_dequeue(&rq, &many[i]);
	for (unsigned i = 50; i < 100; i++) {
		struct thread *first = runq_pick(&rq);

		assert_true(first->id >= 50 && first->vruntime >= last);
		last = first->vruntime;
		runq_dequeue(&rq, first);
	}
	assert_null(runq_pick(&rq));
	assert_int_equal(rq.nready, 0);
}

/* A thread takes its lead or debt along to another cpu. */
static void test_move(void **state)
{
	(void)state;
	runq_init(&other_rq, &other_cpu);
	rq.min_vruntime = 100 * MS;
	other_rq.min_vruntime = 7000 * MS;
	t[0].vruntime = 99 * MS;
	t[0].cpu = 0;
	runq_move(&t[0], 1);
	assert_int_equal(t[0].cpu, 1);
	assert_int_equal(t[0].vruntime, 6999 * MS);
	assert_true(runq_is_near(&other_rq, &t[0]));
	assert_false(runq_is_near(&rq, &t[0]));
	runq_settle(&rq, &t[0], now);
	assert_true(t[0].vruntime <= rq.min_vruntime + 10 * SCHED_LATENCY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_equal_shares, setup),
		cmocka_unit_test_setup(test_nice, setup),
		cmocka_unit_test_setup(test_sleeper, setup),
		cmocka_unit_test_setup(test_debt, setup),
		cmocka_unit_test_setup(test_realtime, setup),
		cmocka_unit_test_setup(test_preempted_fifo_stays_first, setup),
		cmocka_unit_test_setup(test_yield, setup),
		cmocka_unit_test_setup(test_find_for, setup),
		cmocka_unit_test_setup(test_order, setup),
		cmocka_unit_test_setup(test_move, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
