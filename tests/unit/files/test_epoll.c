#include "files_fixture.h"

#include "kern/evfile.h"

#define N 8

static struct file *ep;
static struct fake_file ff[N];
static struct epoll_event out[16];

static int setup(void **state)
{
	files_setup(state);
	ep = epoll_create();
	assert_non_null(ep);
	for (int i = 0; i < N; i++)
		fake_file_init(&ff[i]);
	return 0;
}

/* In both orders: the set may go before the files or after them. */
static int teardown(void **state)
{
	if (*state)
		file_put(ep);
	for (int i = 0; i < N; i++) {
		if (!ff[i].released)
			file_put(ff[i].file);
	}
	if (!*state)
		file_put(ep);
	return files_teardown(state);
}

static int ctl(int op, int i, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data = (uint64_t)i };

	return epoll_ctl(ep, op, i, ff[i].file, &ev);
}

static int wait_until(struct file *f, int max, uint64_t deadline)
{
	int n = epoll_try(f, out, max);

	return n || !deadline ? n : epoll_wait(f, out, max, deadline);
}

static int wait_now(int max)
{
	memset(out, 0xee, sizeof(out));
	return wait_until(ep, max, 0);
}

static void level_triggered_stays(void **state)
{
	(void)state;
	ff[0].events = EPOLLIN | EPOLLOUT;
	assert_int_equal(ctl(EPOLL_CTL_ADD, 0, EPOLLIN), 0);
	assert_int_equal(ctl(EPOLL_CTL_ADD, 0, EPOLLIN), -EEXIST);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(wait_now(16), 1);
		assert_int_equal(out[0].events, EPOLLIN);
		assert_int_equal(out[0].data, 0);
	}
	ff[0].events = 0;
	assert_int_equal(wait_now(16), 0);
	fake_file_set(&ff[0], EPOLLOUT); /* not asked for */
	assert_int_equal(wait_now(16), 0);
	fake_file_set(&ff[0], EPOLLHUP); /* always is */
	assert_int_equal(wait_now(16), 1);
	assert_int_equal(out[0].events, EPOLLHUP);
}

static void edge_triggered_tells_once(void **state)
{
	(void)state;
	ff[1].events = EPOLLIN;
	assert_int_equal(ctl(EPOLL_CTL_ADD, 1, EPOLLIN | EPOLLET), 0);
	assert_int_equal(wait_now(16), 1);
	assert_int_equal(wait_now(16), 0);
	fake_file_set(&ff[1], EPOLLIN);
	fake_file_set(&ff[1], EPOLLIN);
	assert_int_equal(wait_now(16), 1);
	assert_int_equal(wait_now(16), 0);
	assert_int_equal(ctl(EPOLL_CTL_MOD, 1, EPOLLIN | EPOLLET), 0);
	assert_int_equal(wait_now(16), 1);
}

static void one_shot_is_off_until_modified(void **state)
{
	(void)state;
	ff[2].events = EPOLLIN;
	assert_int_equal(ctl(EPOLL_CTL_ADD, 2, EPOLLIN | EPOLLONESHOT), 0);
	assert_int_equal(wait_now(16), 1);
	fake_file_set(&ff[2], EPOLLIN | EPOLLHUP);
	assert_int_equal(wait_now(16), 0);
	assert_int_equal(ctl(EPOLL_CTL_MOD, 2, EPOLLIN | EPOLLONESHOT), 0);
	assert_int_equal(wait_now(16), 1);
	assert_int_equal(out[0].events, EPOLLIN | EPOLLHUP);
	assert_int_equal(wait_now(16), 0);
}

/* Its head does not walk its entries for an event that none wants; what is
 * asked for later is heard of. */
static void an_event_nobody_wants_costs_nothing(void **state)
{
	struct epoll_event pri = { .events = EPOLLPRI };
	struct file *f = ff[0].file;

	(void)state;
	assert_int_equal(ctl(EPOLL_CTL_ADD, 0, EPOLLIN | EPOLLET), 0);
	assert_false(ff[0].head.wanted & EPOLLOUT);
	fake_file_set(&ff[0], EPOLLOUT);
	assert_int_equal(wait_now(16), 0);
	assert_int_equal(ctl(EPOLL_CTL_MOD, 0, EPOLLOUT | EPOLLET), 0);
	assert_int_equal(wait_now(16), 1);
	fake_file_set(&ff[0], EPOLLOUT);
	assert_int_equal(wait_now(16), 1);
	/* What a second one wants comes on top, and goes with the last. */
	assert_int_equal(epoll_ctl(ep, EPOLL_CTL_ADD, 100, f, &pri), 0);
	assert_int_equal(
	    ff[0].head.wanted & (EPOLLPRI | EPOLLOUT), EPOLLPRI | EPOLLOUT);
	fake_file_set(&ff[0], EPOLLPRI);
	assert_int_equal(wait_now(16), 1);
	assert_int_equal(ctl(EPOLL_CTL_DEL, 0, 0), 0);
	assert_int_equal(epoll_ctl(ep, EPOLL_CTL_DEL, 100, f, NULL), 0);
	assert_int_equal(ff[0].head.wanted, 0);
}

static void deleting_and_closing_forget(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		ff[i].events = EPOLLIN;
		assert_int_equal(ctl(EPOLL_CTL_ADD, i, EPOLLIN), 0);
	}
	assert_int_equal(ctl(EPOLL_CTL_DEL, 0, 0), 0);
	assert_int_equal(ctl(EPOLL_CTL_DEL, 0, 0), -ENOENT);
	assert_int_equal(ctl(EPOLL_CTL_MOD, 0, EPOLLIN), -ENOENT);
	fake_file_set(&ff[0], EPOLLIN);
	file_put(ff[1].file); /* its last reference */
	assert_int_equal(ff[1].released, 1);
	assert_int_equal(wait_now(16), 2);
	assert_int_equal(out[0].data, 2);
	assert_int_equal(out[1].data, 3);
}

/* With room for two, everybody has its turn. */
static void a_short_buffer_is_fair(void **state)
{
	unsigned seen = 0;

	(void)state;
	for (int i = 0; i < 6; i++) {
		ff[i].events = EPOLLIN;
		assert_int_equal(ctl(EPOLL_CTL_ADD, i, EPOLLIN), 0);
	}
	for (int i = 0; i < 3; i++) {
		assert_int_equal(wait_now(2), 2);
		seen |= 1u << out[0].data | 1u << out[1].data;
	}
	assert_int_equal(seen, 0x3f);
}

static void only_the_ready_are_asked(void **state)
{
	unsigned asked = 0;

	(void)state;
	for (int i = 0; i < N; i++)
		assert_int_equal(ctl(EPOLL_CTL_ADD, i, EPOLLIN), 0);
	for (int i = 0; i < N; i++)
		ff[i].polled = 0;
	fake_file_set(&ff[5], EPOLLIN);
	assert_int_equal(wait_now(16), 1);
	for (int i = 0; i < N; i++)
		asked += ff[i].polled;
	assert_int_equal(asked, 1);
}

static void thousands_are_found_again(void **state)
{
	struct epoll_event ev = { .events = EPOLLIN };

	(void)state;
	for (int fd = 0; fd < 5000; fd++) {
		ev.data = (uint64_t)fd;
		assert_int_equal(
		    epoll_ctl(ep, EPOLL_CTL_ADD, fd, ff[0].file, &ev), 0);
	}
	assert_int_equal(
	    epoll_ctl(ep, EPOLL_CTL_ADD, 4999, ff[0].file, &ev), -EEXIST);
	for (int fd = 0; fd < 5000; fd += 2)
		assert_int_equal(
		    epoll_ctl(ep, EPOLL_CTL_DEL, fd, ff[0].file, &ev), 0);
	for (int fd = 0; fd < 5000; fd++)
		assert_int_equal(
		    epoll_ctl(ep, EPOLL_CTL_MOD, fd, ff[0].file, &ev),
		    fd & 1 ? 0 : -ENOENT);
}

static void a_fault_loses_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		ff[i].events = EPOLLIN;
		assert_int_equal(ctl(EPOLL_CTL_ADD, i, EPOLLIN | EPOLLET), 0);
	}
	fake_user_fault(&out[1], sizeof(out[1]));
	assert_int_equal(wait_until(ep, 16, 0), 1);
	fake_user_fault(out, sizeof(out));
	assert_int_equal(wait_until(ep, 16, 0), -EFAULT);
	fake_user_fault(NULL, 0);
	assert_int_equal(wait_now(16), 2);
	assert_int_equal(out[0].data, 1);
	assert_int_equal(out[1].data, 2);
}

static void ready_soon(void *arg)
{
	fake_file_set(arg, EPOLLIN);
}

static void advance(void *arg)
{
	(void)arg;
	fake_clock_advance(500);
}

static void waiting_ends(void **state)
{
	uint64_t now = fake_clock_now();

	(void)state;
	assert_int_equal(ctl(EPOLL_CTL_ADD, 0, EPOLLIN), 0);
	assert_int_equal(wait_until(ep, 16, now + 1000), 0);
	assert_true(fake_clock_now() >= now + 1000);
	fake_sleep_hook = ready_soon;
	fake_sleep_arg = &ff[0];
	assert_int_equal(wait_until(ep, 16, TIME_NEVER), 1);
	ff[0].events = 0;
	fake_sleep_hook = advance;
	thread_self()->interrupted = true;
	assert_int_equal(wait_until(ep, 16, TIME_NEVER), -EINTR);
	/* An event wins over the signal. */
	ready_soon(&ff[0]);
	assert_int_equal(wait_until(ep, 16, TIME_NEVER), 1);
}

static void arguments_are_checked(void **state)
{
	struct epoll_event ev = { .events = EPOLLIN };

	(void)state;
	assert_int_equal(wait_until(ep, 0, 0), -EINVAL);
	assert_int_equal(wait_until(ep, -1, 0), -EINVAL);
	assert_int_equal(wait_until(ep, INT32_MAX, 0), -EINVAL);
	assert_int_equal(wait_until(ff[0].file, 1, 0), -EINVAL);
	assert_int_equal(epoll_ctl(ep, EPOLL_CTL_ADD, 0, ep, &ev), -EINVAL);
	assert_int_equal(
	    epoll_ctl(ff[0].file, EPOLL_CTL_ADD, 0, ff[1].file, &ev), -EINVAL);
	assert_int_equal(ctl(77, 0, EPOLLIN), -EINVAL);
	assert_int_equal(
	    ctl(EPOLL_CTL_ADD, 0, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT),
	    -EINVAL);
	assert_int_equal(ctl(EPOLL_CTL_ADD, 0, EPOLLIN | EPOLLEXCLUSIVE), 0);
	assert_int_equal(ctl(EPOLL_CTL_MOD, 0, EPOLLIN), -EINVAL);
}

static int nest(struct file *outer, int fd, struct file *inner)
{
	struct epoll_event ev = { .events = EPOLLIN, .data = (uint64_t)fd };

	return epoll_ctl(outer, EPOLL_CTL_ADD, fd, inner, &ev);
}

static void nested_sets_tell_the_outer(void **state)
{
	struct file *inner = epoll_create(), *middle = epoll_create();
	struct epoll_event ev = { .events = EPOLLIN };

	(void)state;
	assert_int_equal(nest(ep, 10, middle), 0);
	assert_int_equal(nest(middle, 11, inner), 0);
	assert_int_equal(nest(inner, 12, ep), -ELOOP);
	assert_int_equal(nest(middle, 12, ep), -ELOOP);
	assert_int_equal(
	    epoll_ctl(inner, EPOLL_CTL_ADD, 0, ff[0].file, &ev), 0);
	assert_int_equal(wait_now(16), 0);
	fake_file_set(&ff[0], EPOLLIN);
	assert_int_equal(wait_now(16), 1);
	assert_int_equal(out[0].data, 10);
	assert_int_equal(wait_until(inner, 16, 0), 1);
	ff[0].events = 0;
	assert_int_equal(wait_now(16), 0);
	file_put(middle);
	fake_file_set(&ff[0], EPOLLIN);
	assert_int_equal(wait_now(16), 0);
	file_put(inner);
}

static void five_levels_and_no_more(void **state)
{
	struct file *e[6];

	(void)state;
	for (int i = 0; i < 6; i++)
		e[i] = epoll_create();
	for (int i = 1; i < 5; i++)
		assert_int_equal(nest(e[i], 20, e[i - 1]), 0);
	assert_int_equal(nest(e[5], 20, e[4]), -ELOOP);
	assert_int_equal(nest(e[0], 20, e[5]), -ELOOP);
	assert_int_equal(nest(e[5], 20, e[3]), 0);
	for (int i = 0; i < 6; i++)
		file_put(e[i]);
}

/* poll() may wait on two heads: the second must wake as well. */
static void a_file_with_two_heads(void **state)
{
	(void)state;
	ff[3].two_heads = true;
	assert_int_equal(ctl(EPOLL_CTL_ADD, 3, EPOLLIN | EPOLLET), 0);
	assert_int_equal(wait_now(16), 0);
	fake_file_set(&ff[3], EPOLLIN);
	assert_int_equal(wait_now(16), 1);
}

static void a_destroyed_head_is_an_event(void **state)
{
	(void)state;
	assert_int_equal(ctl(EPOLL_CTL_ADD, 4, EPOLLIN), 0);
	ff[4].events = EPOLLHUP;
	poll_head_destroy(&ff[4].head);
	assert_true(list_empty(&ff[4].head.entries));
	assert_int_equal(wait_now(16), 1);
	assert_int_equal(ctl(EPOLL_CTL_DEL, 4, 0), 0);
}

/* Of two idle sets that watch with EPOLLEXCLUSIVE both hear of the event
 * when nobody sleeps in either; a sleeper in the first keeps it. */
static struct file *second;

static void exclusive_event(void *arg)
{
	(void)arg;
	fake_sleep_hook = NULL;
	fake_file_set(&ff[0], EPOLLIN);
}

static void exclusive_wakes_one(void **state)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLEXCLUSIVE };

	(void)state;
	second = epoll_create();
	assert_int_equal(ctl(EPOLL_CTL_ADD, 0, EPOLLIN | EPOLLEXCLUSIVE), 0);
	assert_int_equal(
	    epoll_ctl(second, EPOLL_CTL_ADD, 0, ff[0].file, &ev), 0);
	fake_sleep_hook = exclusive_event;
	assert_int_equal(wait_until(ep, 16, TIME_NEVER), 1);
	assert_int_equal(wait_until(second, 16, 0), 0);
	file_put(second);
}

static void memory_may_run_out(void **state)
{
	struct file *e;
	long n;
	int r;

	(void)state;
	for (n = 1;; n++) {
		fake_mm_fail_nth(n);
		e = epoll_create();
		if (e)
			break;
	}
	assert_true(n > 3);
	file_put(e);
	ff[0].two_heads = true;
	for (n = 1;; n++) {
		fake_mm_fail_nth(n);
		r = ctl(EPOLL_CTL_ADD, 0, EPOLLIN);
		if (r == 0)
			break;
		assert_int_equal(r, -ENOMEM);
	}
	assert_true(n > 2);
}

#define EP_TEST(f)                                            \
	{ #f " (set first)", f, setup, teardown, (void *)1 }, \
	{                                                     \
#f " (files first)", f, setup, teardown, NULL \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EP_TEST(level_triggered_stays),
		EP_TEST(edge_triggered_tells_once),
		EP_TEST(one_shot_is_off_until_modified),
		EP_TEST(an_event_nobody_wants_costs_nothing),
		EP_TEST(deleting_and_closing_forget),
		EP_TEST(a_short_buffer_is_fair),
		EP_TEST(only_the_ready_are_asked),
		EP_TEST(thousands_are_found_again),
		EP_TEST(a_fault_loses_nothing),
		EP_TEST(waiting_ends),
		EP_TEST(arguments_are_checked),
		EP_TEST(nested_sets_tell_the_outer),
		EP_TEST(five_levels_and_no_more),
		EP_TEST(a_file_with_two_heads),
		EP_TEST(a_destroyed_head_is_an_event),
		EP_TEST(exclusive_wakes_one),
		EP_TEST(memory_may_run_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
