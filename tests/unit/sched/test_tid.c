/* Ten thousand threads, and ids that go round. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel/sched/sched_int.h"

#define N      10000
#define ID_MAX 4194304u

static struct thread t[N];

void preempt_resched(void)
{
}

struct thread *thread_self(void)
{
	return &t[7];
}

static bool count(struct thread *th, void *arg)
{
	(void)th;
	++*(unsigned *)arg;
	return true;
}

static unsigned number(void)
{
	unsigned n = 0;

	thread_foreach(count, &n);
	return n;
}

static void test_find(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N; i++) {
		t[i].refs = 1;
		tid_add(&t[i]);
	}
	assert_int_equal(number(), N);
	for (unsigned i = 0; i < N; i++) {
		assert_ptr_equal(thread_find(t[i].id), &t[i]);
		assert_int_equal(t[i].refs, 2);
	}
	assert_null(thread_find(0));
	assert_null(thread_find(t[N - 1].id + 1));
	t[5].exited = true;
	t[6].refs = 0;
	assert_null(thread_find(t[5].id));
	assert_null(thread_find(t[6].id));
	assert_int_equal(number(), N - 1);
	t[5].exited = false;
	t[6].refs = 1;
	/* Every other one goes, from the middle of the chains. */
	for (unsigned i = 0; i < N; i += 2)
		tid_del(&t[i]);
	assert_int_equal(number(), N / 2);
	for (unsigned i = 0; i < N; i++)
		assert_ptr_equal(thread_find(t[i].id), i % 2 ? &t[i] : NULL);
}

/* An id is given again only when its thread has gone. */
static void test_wrap(void **state)
{
	uint32_t before = t[N - 1].id, kept = t[1].id;
	struct thread *one = &t[0];

	(void)state;
	one->refs = 1;
	do {
		tid_add(one);
		assert_int_not_equal(one->id, kept);
		assert_true(one->id > 0 && one->id < ID_MAX);
		before = one->id;
		tid_del(one);
	} while (before != t[2].id);
	tid_add(one);
	assert_int_equal(one->id, t[4].id); /* t[3] is still there */
	tid_del(one);
}

/* execve: the id is another thread's as well, until that one is gone. */
static void test_take(void **state)
{
	uint32_t id = t[1].id, was = t[7].id;

	(void)state;
	thread_take_id(id);
	assert_int_equal(t[7].id, id);
	assert_ptr_equal(thread_find(id), &t[7]);
	assert_null(thread_find(was));
	tid_del(&t[1]);
	assert_ptr_equal(thread_find(id), &t[7]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_take),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
