#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "kern/mm.h"
#include "kernel/sched/sched_int.h"

static struct cpu cpu[2] = { { .id = 0 }, { .id = 1 } };
static struct cpu *here = &cpu[0];
static uint64_t now;
static uint64_t hardware[2]; /* what each cpu's event is set to */
static unsigned hardware_sets, ipis[2];

struct cpu *cpu_self(void)
{
	return here;
}

uint64_t clock_mono(void)
{
	return now;
}

void arch_timer_set(uint64_t deadline)
{
	hardware[here->id] = deadline;
	hardware_sets++;
}

void cpu_ipi(unsigned id, unsigned vector)
{
	assert_int_equal(vector, VECTOR_RESCHED);
	assert_int_not_equal(id, here->id);
	ipis[id]++;
}

void preempt_resched(void)
{
}

void *kzalloc(size_t n)
{
	return calloc(1, n);
}

static int setup(void **state)
{
	(void)state;
	timer_cpu_init(&cpu[0]);
	timer_cpu_init(&cpu[1]);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(cpu[1].timerq);
	return 0;
}

/* The hardware fires on (id) at (at). */
static void fire(unsigned id, uint64_t at)
{
	here = &cpu[id];
	now = at;
	hardware[id] = TIME_NEVER;
	timer_interrupt();
	here = &cpu[0];
}

static struct timer *fired[64];
static unsigned nfired;

static void note(struct timer *t)
{
	fired[nfired++] = t;
}

static void test_order(void **state)
{
	struct timer t[32];

	(void)state;
	nfired = 0;
	for (unsigned i = 0; i < 32; i++) {
		timer_init(&t[i], note);
		timer_set(&t[i], 1000 + (i * 7) % 32);
	}
	assert_int_equal(hardware[0], 1000);
	fire(0, 1009);
	assert_int_equal(nfired, 10);
	assert_int_equal(hardware[0], 1010);
	fire(0, 2000);
	assert_int_equal(nfired, 32);
	for (unsigned i = 1; i < 32; i++)
		assert_true(fired[i - 1]->deadline < fired[i]->deadline);
	assert_int_equal(hardware[0], TIME_NEVER);
	for (unsigned i = 0; i < 32; i++)
		assert_false(timer_cancel(&t[i]));
}

/* Only an earlier event is worth a write to the hardware. */
static void test_programming(void **state)
{
	struct timer a, b;

	(void)state;
	timer_init(&a, note);
	timer_init(&b, note);
	timer_set(&a, 5000);
	hardware_sets = 0;
	timer_set(&b, 6000);
	assert_int_equal(hardware_sets, 0);
	timer_set(&b, 4000);
	assert_int_equal(hardware_sets, 1);
	assert_true(timer_cancel(&b));
	assert_int_equal(hardware_sets, 1);
	nfired = 0;
	fire(0, 4000); /* for nothing */
	assert_int_equal(nfired, 0);
	assert_int_equal(hardware[0], 5000);
	timer_set(&a, 7000); /* moves it */
	fire(0, 5000);
	assert_int_equal(nfired, 0);
	assert_true(timer_cancel(&a));
	assert_false(timer_cancel(&a));
}

static struct timer periodic;

static void again(struct timer *t)
{
	nfired++;
	if (nfired < 5)
		timer_set(t, t->deadline + 10);
}

static void test_set_from_its_function(void **state)
{
	(void)state;
	nfired = 0;
	timer_init(&periodic, again);
	timer_set(&periodic, 10000);
	fire(0, 10025);
	assert_int_equal(nfired, 3);
	assert_int_equal(hardware[0], 10030);
	fire(0, 20000);
	assert_int_equal(nfired, 5);
}

static void test_other_cpu(void **state)
{
	struct timer t;

	(void)state;
	nfired = 0;
	here = &cpu[1];
	timer_init(&t, note);
	timer_set(&t, 30000);
	assert_ptr_equal(t.cpu, &cpu[1]);
	here = &cpu[0];
	timer_set(&t, 30500); /* comes to the cpu that sets it */
	assert_ptr_equal(t.cpu, &cpu[0]);
	assert_int_equal(hardware[0], 30500);
	fire(1, 30000);
	assert_int_equal(nfired, 0);
	here = &cpu[1];
	assert_true(timer_cancel(&t)); /* from afar */
	fire(0, 31000);
	assert_int_equal(nfired, 0);
}

static struct timer busy;

/* Runs on cpu 0; meanwhile cpu 1 sets the timer again. */
static void set_elsewhere(struct timer *t)
{
	if (nfired++)
		return;
	here = &cpu[1];
	timer_set(t, 40100);
	here = &cpu[0];
}

static void test_set_while_running(void **state)
{
	(void)state;
	nfired = ipis[0] = 0;
	timer_init(&busy, set_elsewhere);
	timer_set(&busy, 40000);
	fire(0, 40000);
	/* It stays at home, so that it cannot run on both at once. */
	assert_ptr_equal(busy.cpu, &cpu[0]);
	assert_int_equal(ipis[0], 1);
	timer_resched();
	assert_int_equal(hardware[0], 40100);
	fire(0, 40100);
	assert_int_equal(nfired, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_programming),
		cmocka_unit_test(test_set_from_its_function),
		cmocka_unit_test(test_other_cpu),
		cmocka_unit_test(test_set_while_running),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
