#include "files_fixture.h"

#include "kern/clock.h"
#include "kern/evfile.h"

static struct file *f;

static long take(uint64_t *v)
{
	*v = 0;
	return file_read_some(f, v, sizeof(*v));
}

static long give(uint64_t v)
{
	return file_write_some(f, &v, sizeof(v));
}

static uint32_t events(void)
{
	return f->ops->poll(f, NULL);
}

static void eventfd_counts(void **state)
{
	uint64_t v;

	(void)state;
	f = eventfd_create(2, false, O_NONBLOCK);
	assert_int_equal(events(), EPOLLIN | EPOLLOUT);
	assert_int_equal(give(5), 8);
	assert_int_equal(take(&v), 8);
	assert_int_equal(v, 7);
	assert_int_equal(take(&v), -EAGAIN);
	assert_int_equal(events(), EPOLLOUT);
	assert_int_equal(give(UINT64_MAX), -EINVAL);
	assert_int_equal(give(UINT64_MAX - 1), 8);
	assert_int_equal(events(), EPOLLIN);
	assert_int_equal(give(1), -EAGAIN);
	assert_int_equal(give(0), 8);
	assert_int_equal(file_read_some(f, &v, 7), -EINVAL);
	assert_int_equal(file_write_some(f, &v, 7), -EINVAL);
	file_put(f);
}

static void eventfd_is_a_semaphore(void **state)
{
	uint64_t v;

	(void)state;
	f = eventfd_create(2, true, O_NONBLOCK);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(take(&v), 8);
		assert_int_equal(v, 1);
	}
	assert_int_equal(take(&v), -EAGAIN);
	file_put(f);
}

static void give_soon(void *arg)
{
	(void)arg;
	fake_sleep_hook = NULL;
	give(9);
}

static void take_soon(void *arg)
{
	uint64_t v;

	(void)arg;
	fake_sleep_hook = NULL;
	take(&v);
}

static void eventfd_sleeps(void **state)
{
	uint64_t v;

	(void)state;
	f = eventfd_create(0, false, 0);
	fake_sleep_hook = give_soon;
	assert_int_equal(take(&v), 8);
	assert_int_equal(v, 9);
	assert_int_equal(give(UINT64_MAX - 1), 8);
	fake_sleep_hook = take_soon;
	assert_int_equal(give(3), 8);
	assert_int_equal(take(&v), 8);
	assert_int_equal(v, 3);
	thread_self()->interrupted = true;
	assert_int_equal(take(&v), -ERESTARTSYS);
	file_put(f);
}

static void set(bool absolute, uint64_t value, uint64_t interval)
{
	struct timerfd_spec spec = { value, interval };

	assert_int_equal(timerfd_settime(f, absolute, &spec, NULL), 0);
}

static void timerfd_fires_once(void **state)
{
	struct timerfd_spec spec;
	uint64_t v;

	(void)state;
	f = timerfd_create(false, O_NONBLOCK);
	assert_int_equal(take(&v), -EAGAIN);
	set(false, 1000, 0);
	fake_clock_advance(400);
	assert_int_equal(timerfd_gettime(f, &spec), 0);
	assert_int_equal(spec.value, 600);
	assert_int_equal(events(), 0);
	fake_clock_advance(600);
	assert_int_equal(events(), EPOLLIN);
	assert_int_equal(take(&v), 8);
	assert_int_equal(v, 1);
	assert_int_equal(take(&v), -EAGAIN);
	timerfd_gettime(f, &spec);
	assert_int_equal(spec.value, 0);
	file_put(f);
}

static void timerfd_counts_what_was_missed(void **state)
{
	struct timerfd_spec spec, old;
	uint64_t v, now = fake_clock_now();

	(void)state;
	f = timerfd_create(false, O_NONBLOCK);
	set(true, now + 100, 10);
	fake_clock_advance(99);
	assert_int_equal(take(&v), -EAGAIN);
	fake_clock_advance(36); /* 100 110 120 130 */
	timerfd_gettime(f, &spec);
	assert_int_equal(spec.value, 5);
	assert_int_equal(spec.interval, 10);
	assert_int_equal(take(&v), 8);
	assert_int_equal(v, 4);
	fake_clock_advance(5);
	assert_int_equal(take(&v), 8);
	assert_int_equal(v, 1);
	spec = (struct timerfd_spec){ 0, 0 };
	assert_int_equal(timerfd_settime(f, false, &spec, &old), 0);
	assert_int_equal(old.value, 10);
	fake_clock_advance(1000);
	assert_int_equal(take(&v), -EAGAIN);
	file_put(f);
}

static void timerfd_of_the_past_is_due(void **state)
{
	uint64_t v, wall = clock_wall();

	(void)state;
	f = timerfd_create(true, O_NONBLOCK);
	set(true, wall + 50, 0);
	fake_clock_advance(49);
	assert_int_equal(take(&v), -EAGAIN);
	fake_clock_advance(1);
	assert_int_equal(take(&v), 8);
	set(true, 1, 0);
	fake_clock_advance(0);
	assert_int_equal(take(&v), 8);
	set(false, INT64_MAX, 0);
	fake_clock_advance(1);
	assert_int_equal(take(&v), -EAGAIN);
	/* Closed while it is set. */
	file_put(f);
}

static void other_files_are_refused(void **state)
{
	struct timerfd_spec spec = { 1, 1 };

	(void)state;
	f = eventfd_create(0, false, 0);
	assert_int_equal(timerfd_settime(f, false, &spec, NULL), -EINVAL);
	assert_int_equal(timerfd_gettime(f, &spec), -EINVAL);
	file_put(f);
	for (long n = 1; n < 3; n++) {
		fake_mm_fail_nth(n);
		assert_null(eventfd_create(0, false, 0));
		fake_mm_fail_nth(n);
		assert_null(timerfd_create(false, 0));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILES_TEST(eventfd_counts),
		FILES_TEST(eventfd_is_a_semaphore),
		FILES_TEST(eventfd_sleeps),
		FILES_TEST(timerfd_fires_once),
		FILES_TEST(timerfd_counts_what_was_missed),
		FILES_TEST(timerfd_of_the_past_is_due),
		FILES_TEST(other_files_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
