#include "files_fixture.h"

#include "kern/poll.h"
#include "kernel/linux/syscalls.h"

#include <asm/poll.h>
#include <linux/time_types.h>

static struct fake_file ff[8];
static struct pollfd pf[8];
static uint64_t mask = 1, mask_at_sleep;
static bool restore;

int signal_mask_swap(const uint64_t *new, uint64_t *old)
{
	*old = mask;
	mask = *new;
	return 0;
}

void signal_restore_mask_on_return(uint64_t old)
{
	mask = old;
	restore = true;
}

static void open_files(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		fake_file_init(&ff[i]);
		pf[i] = (struct pollfd){ fd_of(ff[i].file), POLLIN, 99 };
	}
}

static bool nobody_waits(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (!list_empty(&ff[i].head.entries) ||
		    !list_empty(&ff[i].head2.entries))
			return false;
	}
	return true;
}

static void poll_tells_each(void **state)
{
	(void)state;
	open_files(3);
	ff[0].events = EPOLLIN | EPOLLOUT;
	ff[1].events = EPOLLOUT;
	ff[2].events = EPOLLHUP;
	pf[3] = (struct pollfd){ 700, POLLIN, 99 };
	pf[4] = (struct pollfd){ -1, POLLIN, 99 };
	assert_int_equal(sys_poll(pf, 5, -1), 3);
	assert_int_equal(pf[0].revents, POLLIN);
	assert_int_equal(pf[1].revents, 0);
	assert_int_equal(pf[2].revents, POLLHUP);
	assert_int_equal(pf[3].revents, POLLNVAL);
	assert_int_equal(pf[4].revents, 0);
	assert_true(nobody_waits(3));
}

static void wake(void *arg)
{
	mask_at_sleep = mask;
	fake_file_set(arg, EPOLLIN);
}

/* With few files and with many, which go by different ways. */
static void poll_sleeps_until_woken(void **state)
{
	uint64_t now = fake_clock_now();

	(void)state;
	open_files(8);
	for (unsigned n = 5; n <= 8; n += 3) {
		ff[4].events = 0;
		assert_int_equal(sys_poll(pf, n, 3), 0);
		fake_sleep_hook = wake;
		fake_sleep_arg = &ff[4];
		assert_int_equal(sys_poll(pf, n, -1), 1);
		assert_int_equal(pf[4].revents, POLLIN);
		fake_sleep_hook = NULL;
		assert_true(nobody_waits(n));
	}
	assert_true(fake_clock_now() >= now + 6000000);
}

static void a_second_head_wakes_as_well(void **state)
{
	(void)state;
	open_files(1);
	ff[0].two_heads = true;
	fake_sleep_hook = wake;
	fake_sleep_arg = &ff[0];
	assert_int_equal(sys_poll(pf, 1, -1), 1);
	assert_true(nobody_waits(1));
	ff[0].events = 0;
	fake_mm_fail_nth(1);
	assert_int_equal(sys_poll(pf, 1, -1), -ENOMEM);
	assert_true(nobody_waits(1));
}

static void poll_checks_its_arguments(void **state)
{
	(void)state;
	open_files(8);
	assert_int_equal(sys_poll(pf, 1025, 0), -EINVAL);
	fake_user_fault(pf, sizeof(pf));
	assert_int_equal(sys_poll(pf, 1, 0), -EFAULT);
	assert_int_equal(sys_poll(pf, 8, 0), -EFAULT);
	fake_user_fault(NULL, 0);
	for (long n = 1; n < 3; n++) {
		fake_mm_fail_nth(n);
		assert_int_equal(sys_poll(pf, 8, 1), -ENOMEM);
	}
	assert_int_equal(sys_poll(NULL, 0, 1), 0);
}

static void ppoll_swaps_the_mask(void **state)
{
	struct __kernel_timespec ts = { 0, 5000 };
	uint64_t want = 0xf0;

	(void)state;
	open_files(1);
	mask = 1;
	fake_sleep_hook = wake;
	fake_sleep_arg = &ff[0];
	assert_int_equal(sys_ppoll(pf, 1, NULL, &want, 8), 1);
	assert_int_equal(mask_at_sleep, 0xf0);
	assert_int_equal(mask, 1);
	assert_false(restore);
	ff[0].events = 0;
	fake_sleep_hook = NULL;
	fake_signal_pending = true;
	pf[0].revents = POLLIN;
	assert_int_equal(sys_ppoll(pf, 1, NULL, &want, 8), -EINTR);
	assert_int_equal(pf[0].revents, 0); /* as on Linux */
	assert_true(restore);
	fake_signal_pending = false;
	assert_int_equal(sys_ppoll(pf, 1, &ts, &want, 4), -EINVAL);
	assert_int_equal(sys_ppoll(pf, 1, &ts, NULL, 0), 0);
	assert_int_equal(ts.tv_nsec, 0); /* what is left */
	ts.tv_nsec = 1000000000;
	assert_int_equal(sys_ppoll(pf, 1, &ts, NULL, 0), -EINVAL);
}

static void select_answers_in_bits(void **state)
{
	uint64_t in[2] = { 0x7, ~0ull }, out[2] = { 0x6, 0 }, ex[2] = { 0 };

	(void)state;
	open_files(3);
	ff[0].events = EPOLLIN;
	ff[1].events = EPOLLIN | EPOLLOUT;
	assert_int_equal(sys_select(3, in, out, ex, NULL), 3);
	assert_int_equal(in[0], 3);
	assert_int_equal(out[0], 2);
	assert_int_equal(in[1], ~0ull); /* not looked at */
	assert_true(nobody_waits(3));
	in[0] = 0x1f;
	assert_int_equal(sys_select(5, in, NULL, NULL, NULL), -EBADF);
	assert_int_equal(in[0], 0x1f);
	assert_int_equal(sys_select(-1, in, NULL, NULL, NULL), -EINVAL);
}

/* An exceptional condition is not what a hang-up is. */
static void select_sleeps_on_what_it_asked(void **state)
{
	struct __kernel_old_timeval tv = { 0, 7 };
	uint64_t ex = 1, now = fake_clock_now();

	(void)state;
	open_files(1);
	ff[0].events = EPOLLHUP;
	assert_int_equal(sys_select(1, NULL, NULL, &ex, &tv), 0);
	assert_true(fake_clock_now() >= now + 7000);
	assert_int_equal(ex, 0);
	assert_int_equal(tv.tv_usec, 0);
	ex = 1;
	ff[0].events = EPOLLPRI;
	assert_int_equal(sys_select(1, NULL, NULL, &ex, NULL), 1);
}

static void select_may_run_out_of_memory(void **state)
{
	struct __kernel_old_timeval tv = { 0, 7 };
	uint64_t in[5] = { 1 };

	(void)state;
	open_files(1);
	for (long n = 1; n < 3; n++) {
		fake_mm_fail_nth(n);
		assert_int_equal(sys_select(1, in, NULL, NULL, &tv), -ENOMEM);
	}
	/* Sets that are too long for the stack. */
	for (long n = 1; n < 4; n++) {
		fake_mm_fail_nth(n);
		assert_int_equal(sys_select(300, in, NULL, NULL, &tv), -ENOMEM);
	}
	fake_mm_fail_nth(0);
	ff[0].events = EPOLLIN;
	assert_int_equal(sys_select(300, in, NULL, NULL, &tv), 1);
	assert_int_equal(in[0], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILES_TEST(poll_tells_each),
		FILES_TEST(poll_sleeps_until_woken),
		FILES_TEST(a_second_head_wakes_as_well),
		FILES_TEST(poll_checks_its_arguments),
		FILES_TEST(ppoll_swaps_the_mask),
		FILES_TEST(select_answers_in_bits),
		FILES_TEST(select_sleeps_on_what_it_asked),
		FILES_TEST(select_may_run_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
