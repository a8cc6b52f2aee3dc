#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/signalfd.h>

#include "../../../kernel/linux/signal_int.h"
#include "fake_mm.h"
#include "fake_sched.h"
#include "kern/errno.h"
#include "kern/poll.h"
#include "kern/string.h"
#include "linux_fixture.h"

#define P    (&fixture_proc)
#define T(i) (&fixture_task[i])

static unsigned notified;

void poll_notify_all(struct poll_head *h, uint32_t events)
{
	(void)events;
	assert_ptr_equal(h, &P->signal_poll);
	notified++;
}

static void handler(int sig)
{
	(void)sig;
}

static int setup(void **state)
{
	(void)state;
	fixture_reset();
	for (int i = 1; i <= NSIG_ALL; i++)
		P->action[i].sa_handler = handler;
	notified = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	signal_flush_locked(P, ~0ul);
	assert_int_equal(P->nqueued, 0);
	assert_int_equal(fake_locks_held(), 0);
	assert_int_equal(fake_mm_live(), 0);
	return 0;
}

static int send(uint32_t tid, int sig, int value)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_signo = sig;
	info.si_code = SI_QUEUE;
	info.si_value.sival_int = value;
	return signal_send(P, tid, &info);
}

/* The number that thread (i) takes, and its value; 0: nothing. */
static int take(unsigned i, int *value)
{
	siginfo_t info;
	int sig = signal_take_locked(T(i), ~T(i)->blocked, &info);

	if (value)
		*value = info.si_value.sival_int;
	if (sig)
		assert_int_equal(info.si_signo, sig);
	return sig;
}

static void test_to_the_process(void **state)
{
	(void)state;
	assert_int_equal(send(0, SIGUSR1, 1), 0);
	assert_true(fixture_woken(0));
	assert_false(fixture_woken(1));
	assert_int_equal(notified, 1);
	/* Any thread may take it, once. */
	assert_int_equal(take(2, NULL), SIGUSR1);
	assert_int_equal(take(0, NULL), 0);
}

static void test_to_a_thread(void **state)
{
	(void)state;
	assert_int_equal(send(103, SIGUSR1, 1), 0);
	assert_true(fixture_woken(2));
	assert_false(fixture_woken(0));
	assert_int_equal(take(0, NULL), 0);
	assert_int_equal(take(2, NULL), SIGUSR1);
	assert_int_equal(send(999, SIGUSR1, 1), -ESRCH);
}

static void test_who_is_woken(void **state)
{
	(void)state;
	T(0)->blocked = T(1)->blocked = SIGBIT(SIGUSR1);
	send(0, SIGUSR1, 1);
	assert_false(fixture_woken(0) || fixture_woken(1));
	assert_true(fixture_woken(2));
	/* It blocks it before it has taken it: the next one must be told. */
	fixture_become(2);
	signal_set_blocked(SIGBIT(SIGUSR1));
	assert_true(fixture_woken(3));
	fixture_become(3);
	signal_set_blocked(SIGBIT(SIGUSR1));
	for (unsigned i = 0; i < FIXTURE_THREADS; i++)
		assert_false(fixture_woken(i));
	/* Whoever unblocks it first gets it. */
	fixture_become(1);
	signal_set_blocked(0);
	assert_true(fixture_woken(1));
	assert_int_equal(take(1, NULL), SIGUSR1);
}

static void test_thread_goes_with_a_signal(void **state)
{
	(void)state;
	send(0, SIGUSR1, 1);
	send(101, SIGUSR2, 1);
	assert_true(fixture_woken(0));
	list_del(&T(0)->link);
	P->leader = NULL;
	signal_task_gone(T(0));
	assert_true(fixture_woken(1));
	assert_int_equal(T(0)->pending.set, 0);
	assert_int_equal(take(1, NULL), SIGUSR1);
}

static void test_ordinary_signals_do_not_queue(void **state)
{
	int value;

	(void)state;
	send(0, SIGUSR1, 1);
	send(0, SIGUSR1, 2);
	assert_int_equal(take(0, &value), SIGUSR1);
	assert_int_equal(value, 1);
	assert_int_equal(take(0, NULL), 0);
}

static void test_real_time_order(void **state)
{
	int value;

	(void)state;
	for (int i = 0; i < 3; i++) {
		send(0, 40, i);
		send(0, 35, 10 + i);
	}
	send(0, SIGTERM, 7);
	send(0, SIGSEGV, 8);
	assert_int_equal(take(0, NULL), SIGSEGV);
	assert_int_equal(take(0, NULL), SIGTERM);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(take(0, &value), 35);
		assert_int_equal(value, 10 + i);
	}
	for (int i = 0; i < 3; i++) {
		assert_int_equal(take(0, &value), 40);
		assert_int_equal(value, i);
	}
	assert_int_equal(take(0, NULL), 0);
	assert_int_equal(P->pending.set, 0);
}

static void test_own_before_shared(void **state)
{
	(void)state;
	send(0, SIGUSR1, 1);
	send(101, SIGUSR2, 1);
	assert_int_equal(take(0, NULL), SIGUSR2);
	assert_int_equal(take(0, NULL), SIGUSR1);
}

static void test_ignored(void **state)
{
	(void)state;
	P->action[SIGUSR1].sa_handler = SIG_IGN;
	P->action[SIGCHLD].sa_handler = SIG_DFL;
	P->action[SIGTERM].sa_handler = SIG_DFL;
	send(0, SIGUSR1, 1);
	send(0, SIGCHLD, 1);
	assert_int_equal(P->pending.set, 0);
	/* Blocked: its action may still change. */
	T(1)->blocked = SIGBIT(SIGUSR1);
	send(102, SIGUSR1, 1);
	assert_int_equal(T(1)->pending.set, SIGBIT(SIGUSR1));
	send(0, SIGTERM, 1);
	assert_int_equal(take(0, NULL), SIGTERM);
}

static void test_kill(void **state)
{
	(void)state;
	send(0, SIGKILL, 1);
	assert_true(P->exiting);
	assert_int_equal(P->fatal_signal, SIGKILL);
	/* Nothing more is taken in. */
	send(0, SIGTERM, 1);
	assert_int_equal(P->pending.set, 0);
}

static void test_never_blocked(void **state)
{
	(void)state;
	signal_set_blocked(~0ul);
	assert_int_equal(T(0)->blocked, ~(SIGBIT(SIGKILL) | SIGBIT(SIGSTOP)));
}

/* sigtimedwait takes what is blocked. */
static void test_waited_for(void **state)
{
	(void)state;
	for (unsigned i = 0; i < FIXTURE_THREADS; i++)
		T(i)->blocked = SIGBIT(SIGUSR1);
	T(2)->waited = SIGBIT(SIGUSR1);
	send(0, SIGUSR1, 1);
	assert_true(fixture_woken(2));
	assert_false(fixture_woken(0));
	assert_int_equal(take(2, NULL), 0);
	T(2)->blocked = 0;
	assert_int_equal(take(2, NULL), SIGUSR1);
}

static void test_too_many(void **state)
{
	int r = 0, n = 0;

	(void)state;
	while ((r = send(0, 40, n)) == 0)
		n++;
	assert_int_equal(r, -EAGAIN);
	assert_in_range(n, 1000, 100000);
	/* Ordinary signals come through, without their details. */
	assert_int_equal(send(0, SIGTERM, 5), 0);
	assert_int_equal(take(0, NULL), SIGTERM);
}

static void test_no_memory(void **state)
{
	(void)state;
	fake_mm_fail_nth(1);
	assert_int_equal(send(0, 40, 1), -EAGAIN);
	fake_mm_fail_nth(1);
	assert_int_equal(send(0, SIGTERM, 1), 0);
	fake_mm_fail_nth(0);
	assert_int_equal(take(0, NULL), SIGTERM);
	assert_int_equal(take(0, NULL), 0);
}

static unsigned taken_count;

static void taken(struct sigentry *e, siginfo_t *info)
{
	(void)e;
	info->si_value.sival_int = 77;
	taken_count++;
}

static void test_owned_entry(void **state)
{
	struct sigentry e = { .taken = taken };
	int value;

	(void)state;
	list_init(&e.link);
	e.info.si_signo = 41;
	taken_count = 0;
	assert_int_equal(signal_send_entry_locked(P, 0, &e), 0);
	assert_int_equal(signal_send_entry_locked(P, 0, &e), -EALREADY);
	assert_int_equal(take(0, &value), 41);
	assert_int_equal(value, 77);
	assert_int_equal(taken_count, 1);
	assert_int_equal(signal_send_entry_locked(P, 104, &e), 0);
	signal_cancel_entry_locked(&e);
	assert_int_equal(T(3)->pending.set, 0);
	assert_int_equal(taken_count, 1);
	signal_cancel_entry_locked(&e);
	P->action[41].sa_handler = SIG_IGN;
	assert_int_equal(signal_send_entry_locked(P, 0, &e), -ECANCELED);
	assert_int_equal(signal_send_entry_locked(P, 7, &e), -ESRCH);
}

static void test_flush(void **state)
{
	(void)state;
	send(0, 40, 1);
	send(0, 41, 1);
	send(102, 40, 1);
	send(102, SIGUSR1, 1);
	signal_flush_locked(P, SIGBIT(40));
	assert_int_equal(P->pending.set, SIGBIT(41));
	assert_int_equal(T(1)->pending.set, SIGBIT(SIGUSR1));
	assert_int_equal(P->nqueued, 2);
}

static void test_signalfd(void **state)
{
	struct signalfd_siginfo si;

	(void)state;
	send(0, 40, 5);
	assert_true(signal_pending_in(SIGBIT(40)));
	assert_false(signal_pending_in(SIGBIT(41)));
	assert_int_equal(signal_dequeue(SIGBIT(41), &si), -EAGAIN);
	assert_int_equal(signal_dequeue(SIGBIT(40), &si), 0);
	assert_int_equal(si.ssi_signo, 40);
	assert_int_equal(si.ssi_int, 5);
	assert_int_equal(si.ssi_code, SI_QUEUE);
	assert_int_equal(signal_dequeue(SIGBIT(40), &si), -EAGAIN);
}

static void test_temporary_mask(void **state)
{
	uint64_t new = SIGBIT(SIGUSR2), old;

	(void)state;
	signal_set_blocked(SIGBIT(SIGUSR1));
	send(0, SIGUSR1, 1);
	signal_mask_swap(&new, &old);
	assert_int_equal(old, SIGBIT(SIGUSR1));
	assert_true(fixture_woken(0));
	signal_restore_mask_on_return(old);
	assert_true(T(0)->restore_blocked);
	assert_int_equal(T(0)->saved_blocked, SIGBIT(SIGUSR1));
	assert_true(fixture_woken(0));
}

static void test_defaults_and_names(void **state)
{
	(void)state;
	assert_int_equal(signal_default(SIGCHLD), SIG_DO_IGNORE);
	assert_int_equal(signal_default(SIGTSTP), SIG_DO_STOP);
	assert_int_equal(signal_default(SIGCONT), SIG_DO_CONTINUE);
	assert_int_equal(signal_default(SIGSEGV), SIG_DO_TERMINATE);
	assert_int_equal(signal_default(64), SIG_DO_TERMINATE);
	assert_string_equal(signal_name(SIGSEGV), "SIGSEGV");
	assert_string_equal(signal_name(SIGSYS), "SIGSYS");
	assert_string_equal(signal_name(64), "real-time");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_to_the_process),
		TEST(test_to_a_thread),
		TEST(test_who_is_woken),
		TEST(test_thread_goes_with_a_signal),
		TEST(test_ordinary_signals_do_not_queue),
		TEST(test_real_time_order),
		TEST(test_own_before_shared),
		TEST(test_ignored),
		TEST(test_kill),
		TEST(test_never_blocked),
		TEST(test_waited_for),
		TEST(test_too_many),
		TEST(test_no_memory),
		TEST(test_owned_entry),
		TEST(test_flush),
		TEST(test_signalfd),
		TEST(test_temporary_mask),
		TEST(test_defaults_and_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
