#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../../kernel/linux/app_timer_int.h"
#include "../../../kernel/linux/time_int.h"
#include "fake_mm.h"
#include "fake_sched.h"
#include "kern/errno.h"
#include "kern/poll.h"
#include "kern/string.h"
#include "linux_fixture.h"

#define P   (&fixture_proc)
#define SIG 40

static uint64_t cpu_time;
static struct app_timer timer;

void poll_notify_all(struct poll_head *h, uint32_t events)
{
	(void)h;
	(void)events;
}

uint64_t proc_cpu_time_locked(const struct proc *p)
{
	(void)p;
	return cpu_time;
}

uint64_t thread_cpu_time(const struct thread *t)
{
	return cpu_time / 2 + t->id - 101;
}

static void handler(int sig)
{
	(void)sig;
}

static void make(enum app_clock clock)
{
	memset(&timer, 0, sizeof(timer));
	app_timer_init(&timer, P, clock);
	timer.entry.info.si_signo = SIG;
	timer.entry.info.si_code = SI_TIMER;
}

static int setup(void **state)
{
	(void)state;
	fixture_reset();
	P->action[SIG].sa_handler = handler;
	cpu_time = 0;
	make(APP_CLOCK_MONO);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	app_timer_destroy(&timer);
	signal_flush_locked(P, ~0ul);
	assert_int_equal(fake_timers_pending(), 0);
	assert_int_equal(fake_locks_held(), 0);
	assert_int_equal(fake_mm_live(), 0);
	return 0;
}

/* Take the signal: its overrun, or -1 when there is none. */
static int take(void)
{
	siginfo_t info;

	if (signal_take_locked(&fixture_task[0], ~0ul, &info) == 0)
		return -1;
	assert_int_equal(info.si_signo, SIG);
	return info.si_overrun;
}

static void test_once(void **state)
{
	uint64_t left, interval;

	(void)state;
	app_timer_set(&timer, fake_clock_now() + 100, 0);
	app_timer_get(&timer, &left, &interval);
	assert_int_equal(left, 100);
	assert_int_equal(interval, 0);
	fake_clock_advance(99);
	assert_int_equal(take(), -1);
	fake_clock_advance(1);
	assert_int_equal(take(), 0);
	app_timer_get(&timer, &left, &interval);
	assert_int_equal(left, 0);
	fake_clock_advance(1000);
	assert_int_equal(take(), -1);
}

static void test_interval_and_overrun(void **state)
{
	uint64_t left, interval;

	(void)state;
	app_timer_set(&timer, fake_clock_now() + 100, 10);
	fake_clock_advance(100);
	assert_int_equal(take(), 0);
	fake_clock_advance(10);
	assert_int_equal(take(), 0);
	/* Not taken for a while: one signal, the rest is counted. */
	fake_clock_advance(57);
	assert_int_equal(take(), 4);
	assert_int_equal(take(), -1);
	app_timer_get(&timer, &left, &interval);
	assert_int_equal(left, 3);
	assert_int_equal(interval, 10);
	fake_clock_advance(3);
	assert_int_equal(take(), 0);
}

static void test_stop_takes_the_signal_back(void **state)
{
	(void)state;
	app_timer_set(&timer, fake_clock_now() + 100, 10);
	fake_clock_advance(100);
	app_timer_set(&timer, 0, 0);
	assert_int_equal(take(), -1);
	assert_int_equal(fake_timers_pending(), 0);
}

/* Nobody takes an ignored signal; the timer goes on, slowly. */
static void test_ignored(void **state)
{
	(void)state;
	P->action[SIG].sa_handler = SIG_IGN;
	app_timer_set(&timer, fake_clock_now() + 10, 10);
	fake_clock_advance(10);
	assert_int_equal(take(), -1);
	P->action[SIG].sa_handler = handler;
	fake_clock_advance(20);
	assert_int_equal(take(), -1);
	fake_clock_advance(NSEC_PER_MSEC);
	assert_int_equal(take(), 2);
}

static void test_silent(void **state)
{
	uint64_t left, interval;

	(void)state;
	timer.silent = true;
	app_timer_set(&timer, fake_clock_now() + 100, 0);
	fake_clock_advance(40);
	app_timer_get(&timer, &left, &interval);
	assert_int_equal(left, 60);
	fake_clock_advance(100);
	assert_int_equal(take(), -1);
	app_timer_get(&timer, &left, &interval);
	assert_int_equal(left, 0);
}

/* The clock of CPU time stands still while nobody runs. */
static void test_cpu_time(void **state)
{
	(void)state;
	make(APP_CLOCK_PROC_CPU);
	app_timer_set(&timer, 5 * NSEC_PER_MSEC, 0);
	for (int i = 0; i < 10; i++)
		fake_clock_advance(5 * NSEC_PER_MSEC);
	assert_int_equal(take(), -1);
	cpu_time = 5 * NSEC_PER_MSEC - 1;
	fake_clock_advance(5 * NSEC_PER_MSEC);
	assert_int_equal(take(), -1);
	cpu_time++;
	fake_clock_advance(5 * NSEC_PER_MSEC);
	assert_int_equal(take(), 0);
}

static void test_thread_cpu_time(void **state)
{
	(void)state;
	make(APP_CLOCK_THREAD_CPU);
	timer.cpu_tid = 102;
	timer.notify_tid = 101;
	app_timer_set(&timer, 51, 0);
	cpu_time = 98;
	fake_clock_advance(NSEC_PER_MSEC);
	assert_int_equal(take(), -1);
	cpu_time = 100;
	fake_clock_advance(NSEC_PER_MSEC);
	assert_int_equal(take(), 0);
}

static void test_destroy(void **state)
{
	(void)state;
	app_timer_set(&timer, fake_clock_now() + 10, 10);
	fake_clock_advance(10);
	app_timer_destroy(&timer);
	assert_int_equal(take(), -1);
	assert_int_equal(fake_timers_pending(), 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_once),
		TEST(test_interval_and_overrun),
		TEST(test_stop_takes_the_signal_back),
		TEST(test_ignored),
		TEST(test_silent),
		TEST(test_cpu_time),
		TEST(test_thread_cpu_time),
		TEST(test_destroy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
