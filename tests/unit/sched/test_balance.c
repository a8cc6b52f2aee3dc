/* kernel/sched/balance.c among 128 processors: all words of a cpu mask. */

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "kern/clock.h"
#include "kernel/sched/runq.h"

#define NCPU 128

static struct cpu cpu[NCPU];
static struct runq rq[NCPU];
static struct thread idle[NCPU], running[NCPU], t[400];
static unsigned here, kicked[NCPU], asked[NCPU];
struct cpu *cpus[CPU_MAX];

struct cpu *cpu_self(void)
{
	return &cpu[here];
}

uint64_t clock_mono(void)
{
	return NSEC_PER_SEC;
}

void cpu_ipi(unsigned id, unsigned vector)
{
	(void)vector;
	asked[id]++;
}

void sched_kick(unsigned id)
{
	kicked[id]++;
}

/* Every cpu runs something long. */
static int setup(void **state)
{
	(void)state;
	memset(running, 0, sizeof(running));
	memset(t, 0, sizeof(t));
	memset(kicked, 0, sizeof(kicked));
	memset(asked, 0, sizeof(asked));
	here = 0;
	for (unsigned i = 0; i < NCPU; i++) {
		cpus[i] = &cpu[i];
		cpu[i] = (struct cpu){ .id = i, .idle = &idle[i] };
		cpu[i].runq = &rq[i];
		cpu[i].online = true;
		cpu[i].current = &running[i];
		balance_new(&running[i]);
		runq_init(&rq[i], &cpu[i]);
		balance_idle(&cpu[i], false);
	}
	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		memset(t[i].affinity, 0xff, sizeof(t[i].affinity));
	return 0;
}

static void becomes_idle(unsigned i)
{
	cpu[i].current = &idle[i];
	balance_idle(&cpu[i], true);
}

static void test_idle_beyond_64(void **state)
{
	(void)state;
	assert_false(balance_any_idle());
	t[0].cpu = 3;
	assert_int_equal(balance_choose(&t[0]), 3); /* nobody is idle */
	becomes_idle(100);
	assert_true(balance_any_idle());
	assert_int_equal(balance_choose(&t[0]), 100);
	/* Where it may not go. */
	t[0].affinity[1] = ~(1ull << (100 - 64));
	assert_int_equal(balance_choose(&t[0]), 3);
	/* Nor stay. */
	memset(t[0].affinity, 0, sizeof(t[0].affinity));
	t[0].affinity[1] = 1ull << (127 - 64);
	assert_int_equal(balance_choose(&t[0]), 127);
}

/* All threads begin on one cpu; those that become idle ask it for theirs. */
static void test_pull(void **state)
{
	unsigned given = 0;

	(void)state;
	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		t[i].cpu = 70;
		runq_enqueue(&rq[70], &t[i], false);
	}
	for (unsigned i = 0; i < NCPU; i++) {
		if (i == 70)
			continue;
		here = i;
		becomes_idle(i);
		balance_pull(&cpu[i]);
		assert_int_equal(rq[70].pull_for, i);
		here = 70;
		balance_serve(&rq[70]);
		assert_false(mpsc_empty(&rq[i].incoming));
		assert_int_equal(kicked[i], 1);
		given++;
	}
	assert_int_equal(asked[70], given);
	assert_int_equal(rq[70].nready, sizeof(t) / sizeof(t[0]) - given);
}

/* With all cpus busy the load is evened out now and then. */
static void test_periodic(void **state)
{
	(void)state;
	for (unsigned i = 0; i < NCPU; i++)
		for (unsigned n = 0; n < (i == 90 ? 1 : 3); n++) {
			struct thread *th = &t[3 * i + n];

			th->cpu = i;
			runq_enqueue(&rq[i], th, false);
		}
	here = 5;
	balance_periodic(&rq[5], NSEC_PER_SEC);
	assert_int_equal(kicked[90], 1);
	assert_int_equal(rq[5].nready, 2);
	/* Not again at once. */
	balance_periodic(&rq[5], NSEC_PER_SEC);
	assert_int_equal(rq[5].nready, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_idle_beyond_64, setup),
		cmocka_unit_test_setup(test_pull, setup),
		cmocka_unit_test_setup(test_periodic, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
