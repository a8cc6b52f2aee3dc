/*
 * Wake-ups of epolls, eventfds and pipes under real concurrency; built with
 * TSan.  A lost wake-up shows as a test that does not end.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sched.h>
#include <cmocka.h>

#include "kern/evfile.h"
#include "kern/file.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/pipe.h"
#include "kern/sched.h"
#include "kernel/fs/files_int.h"
#include "pthread_sched.h"

/* --- memory: the locks and counters of fake_mm.c would hide races ------- */

void *kzalloc(size_t n)
{
	return calloc(1, n);
}

void *kmalloc_array(size_t n, size_t size)
{
	return calloc(n, size);
}

void kfree(void *p)
{
	free(p);
}

void *page_alloc(unsigned order, unsigned flags)
{
	(void)flags;
	return aligned_alloc(PAGE_SIZE, PAGE_SIZE << order);
}

void page_put(void *p)
{
	free(p);
}

/* Nothing is destroyed while anybody else runs. */
void rcu_call(struct rcu_head *h, void (*fn)(struct rcu_head *))
{
	fn(h);
}

void rcu_synchronize(void)
{
}

/* --- transfers --------------------------------------------------------- */

static long get(struct file *f, void *buf, size_t n)
{
	struct uio u;

	uio_init(&u, buf, n, true);
	return f->ops->read(f, &u, &f->pos);
}

static long put(struct file *f, const void *buf, size_t n)
{
	struct uio u;

	uio_init(&u, (void *)(uintptr_t)buf, n, true);
	return f->ops->write(f, &u, &f->pos);
}

#define ROUNDS 2000

/* --- an eventfd whose readers and writers block ------------------------ */

static struct file *event;
static _Atomic uint64_t sum;

static void count_both_ways(size_t arg)
{
	/* Two do not fit. */
	uint64_t v = UINT64_MAX / 2 + 1;

	for (unsigned i = 0; i < ROUNDS; i++) {
		if (arg & 1) {
			assert_int_equal(put(event, &v, 8), 8);
		} else {
			assert_int_equal(get(event, &v, 8), 8);
			sum += v != UINT64_MAX / 2 + 1;
		}
	}
}

static void eventfd_loses_no_wakeup(void **state)
{
	(void)state;
	sum = 0;
	event = eventfd_create(0, false, 0);
	run_threads(6, count_both_ways);
	assert_int_equal(sum, 0);
	file_put(event);
}

static void count_down(size_t arg)
{
	uint64_t v = 3;

	/* One writes as many as three read, in threes. */
	for (unsigned i = 0; i < ROUNDS; i++) {
		if (arg == 0) {
			assert_int_equal(put(event, &v, 8), 8);
		} else {
			uint64_t one = 0;

			assert_int_equal(get(event, &one, 8), 8);
			sum += one;
		}
	}
}

static void a_semaphore_wakes_all_it_can_serve(void **state)
{
	(void)state;
	sum = 0;
	event = eventfd_create(0, true, 0);
	run_threads(4, count_down);
	assert_int_equal(sum, 3 * ROUNDS);
	file_put(event);
}

/* --- one epoll for level, edge and one-shot ---------------------------- */

#define EVENTS  6
#define WAITERS 3
#define POSTERS 2

static struct file *ep, *events[EVENTS], *stop;
static _Atomic unsigned posting;

/* A counter whose poll() lets others run between its look and its answer. */
struct slow {
	_Atomic uint64_t count;
	struct poll_head poll;
};

static uint32_t slow_poll(struct file *f, struct poll_entry *pe)
{
	struct slow *s = f->priv;
	uint64_t count;

	poll_wait(&s->poll, pe);
	count = s->count;
	sched_yield();
	return count ? EPOLLIN : 0;
}

static void slow_release(struct file *f)
{
	struct slow *s = f->priv;

	poll_head_destroy(&s->poll);
	free(s);
}

static const struct file_ops slow_ops = {
	.poll = slow_poll,
	.release = slow_release,
};

static struct file *slow_create(void)
{
	struct slow *s = calloc(1, sizeof(*s));

	poll_head_init(&s->poll);
	return file_new(&slow_ops, O_RDWR, s);
}

/* Each is the last one for all that anybody knows. */
static void post(unsigned i)
{
	struct slow *s = events[i]->priv;

	s->count++;
	poll_notify(&s->poll, EPOLLIN);
	while (s->count > 0)
		sched_yield();
}

static void watch(int op, unsigned i)
{
	static const uint32_t how[3] = { 0, EPOLLET, EPOLLONESHOT };
	struct epoll_event ev = { EPOLLIN | how[i % 3], i };

	assert_int_equal(epoll_ctl(ep, op, (int)i, events[i], &ev), 0);
}

static int wait_some(struct epoll_event *ev, int max)
{
	int n = epoll_try(ep, ev, max);

	return n ? n : epoll_wait(ep, ev, max, TIME_NEVER);
}

static void take(unsigned i)
{
	struct slow *s = events[i]->priv;

	sum += atomic_exchange(&s->count, 0);
	if (i % 3 == 2)
		watch(EPOLL_CTL_MOD, i);
}

static void wait_or_post(size_t arg)
{
	struct epoll_event ev[2];
	uint64_t one = 1;

	for (unsigned i = 0; arg >= WAITERS && i < ROUNDS; i++)
		post((i / 8 + (unsigned)arg) % EVENTS);
	/* Level-triggered: it ends all. */
	if (arg >= WAITERS && --posting == 0) {
		while (sum < POSTERS * ROUNDS)
			sched_yield();
		put(stop, &one, 8);
	}
	while (arg < WAITERS) {
		int n = wait_some(ev, 1 + (int)arg % 2);

		for (int i = 0; i < n; i++) {
			if (ev[i].data == EVENTS)
				return;
			take((unsigned)ev[i].data);
		}
	}
}

static void epoll_loses_no_wakeup(void **state)
{
	struct epoll_event ev = { EPOLLIN, EVENTS };

	(void)state;
	sum = 0;
	posting = POSTERS;
	ep = epoll_create();
	stop = eventfd_create(0, false, 0);
	epoll_ctl(ep, EPOLL_CTL_ADD, EVENTS, stop, &ev);
	for (unsigned i = 0; i < EVENTS; i++) {
		events[i] = slow_create();
		watch(EPOLL_CTL_ADD, i);
	}
	run_threads(WAITERS + POSTERS, wait_or_post);
	assert_int_equal(sum, POSTERS * ROUNDS);
	for (unsigned i = 0; i < EVENTS; i++)
		file_put(events[i]);
	file_put(stop);
	file_put(ep);
}

/* --- a pipe that is full or empty most of the time --------------------- */

static struct file *end[2];

static void pass_bytes(size_t arg)
{
	char buf[3000] = { 0 };
	long left = ROUNDS * 100L;

	while (left > 0) {
		long n = MIN(left, (long)sizeof(buf));

		n = arg & 1 ? put(end[1], buf, (size_t)n)
			    : get(end[0], buf, (size_t)n);
		assert_true(n > 0);
		left -= n;
	}
}

static void a_pipe_passes_all_bytes(void **state)
{
	(void)state;
	assert_int_equal(pipe_create(end, 0), 0);
	assert_int_equal(pipe_set_size(end[0], PAGE_SIZE), PAGE_SIZE);
	run_threads(4, pass_bytes);
	file_put(end[0]);
	file_put(end[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(eventfd_loses_no_wakeup),
		cmocka_unit_test(a_semaphore_wakes_all_it_can_serve),
		cmocka_unit_test(epoll_loses_no_wakeup),
		cmocka_unit_test(a_pipe_passes_all_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
