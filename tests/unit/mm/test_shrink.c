/* Compiled with the file under test: the test is its thread. */
#include "kernel/mm/shrink.c"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "fake_sched.h"

#define N   4
#define MIB (1ul << 20)

/* What a shrinker was asked for, and what it has left to give. */
struct fake {
	struct shrinker s;
	size_t asked, has;
	bool hard, lies;
	unsigned calls;
};

static struct fake fakes[N];
static uint64_t free_now, shortfall;

uint64_t page_free_bytes(void)
{
	return free_now;
}

size_t page_shortfall(void)
{
	return shortfall;
}

void page_set_marks(void)
{
}

bool irq_enabled(void)
{
	return true;
}

static size_t give(struct shrinker *s, size_t target, bool hard)
{
	struct fake *f = container_of(s, struct fake, s);
	size_t n = MIN(target, f->has);

	f->calls++;
	f->asked = target;
	f->hard = hard;
	if (f->lies)
		return target;
	/* Allocating here must not wait for itself. */
	assert_false(thread_self()->frees_memory && mm_reclaim(1));
	f->has -= n;
	free_now += n;
	return n;
}

static int setup(void **state)
{
	(void)state;
	memset(fakes, 0, sizeof(fakes));
	free_now = shortfall = 0;
	rc.soft = rc.hard = 0;
	rc.soft_after = 0;
	rc.running = true;
	for (unsigned i = 0; i < N; i++) {
		fakes[i].s.name = "fake";
		fakes[i].s.shrink = give;
		shrinker_register(&fakes[i].s);
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N; i++)
		shrinker_unregister(&fakes[i].s);
	assert_int_equal(nshrinkers, 0);
	assert_int_equal(fake_locks_held(), 0);
	fake_sleep_hook = NULL;
	thread_self()->no_reclaim = false;
	return 0;
}

static void test_shares(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N; i++)
		fakes[i].has = 1000;
	assert_int_equal(shrink_round(400, false), 400);
	for (unsigned i = 0; i < N; i++) {
		assert_int_equal(fakes[i].asked, 100);
		assert_false(fakes[i].hard);
		assert_int_equal(fakes[i].s.soft, 1);
		assert_int_equal(fakes[i].s.freed, 100);
	}
	/* What one has not, the later ones are asked for.  The first of the
	 * round before is the last now. */
	for (unsigned i = 0; i < N; i++)
		fakes[i].has = i == 0 ? 1000 : 0;
	assert_int_equal(shrink_round(400, true), 400);
	assert_int_equal(fakes[0].has, 600);
	assert_int_equal(fakes[0].calls, 2);
	/* What is short of the shares then is asked for again. */
	assert_int_equal(shrink_round(400, true), 400);
	assert_int_equal(fakes[0].has, 200);
	assert_true(fakes[0].calls > 3);
	assert_true(fakes[0].hard);
}

/* A target that one can give alone falls on each in turn. */
static void test_rotation(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N; i++)
		fakes[i].has = 1000;
	for (unsigned i = 0; i < 3 * N; i++)
		assert_int_equal(shrink_round(1, false), 1);
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(fakes[i].calls, 3);
}

/* The thread's turn while the test, another thread, sleeps. */
static void step(void *arg)
{
	static struct thread reclaim = { .id = 99 };
	struct thread *asker = thread_self();

	(void)arg;
	cpu_self()->current = &reclaim;
	mm_frees_memory(true);
	fake_sleep_hook = NULL;
	reclaim_step();
	fake_sleep_hook = step;
	cpu_self()->current = asker;
}

static void test_hard(void **state)
{
	(void)state;
	fake_sleep_hook = step;
	fakes[2].has = PAGE_SIZE;
	assert_true(mm_reclaim(PAGE_SIZE));
	assert_true(fakes[2].hard);
	assert_int_equal(fakes[2].has, 0);
	assert_false(mm_reclaim(PAGE_SIZE));
	/* Softly and hard, and again: a lock may have been busy. */
	assert_int_equal(fakes[2].calls, 3 + 4);
	/* What is given softly is enough. */
	fakes[2].has = MIB;
	assert_true(mm_reclaim(PAGE_SIZE));
	assert_false(fakes[2].hard);
}

static void test_no_wait(void **state)
{
	bool old = mm_noreclaim_begin();

	(void)state;
	fakes[0].has = PAGE_SIZE;
	assert_false(mm_reclaim(PAGE_SIZE));
	mm_noreclaim_end(old);
	cpu_self()->preempt_off++;
	assert_false(mm_reclaim(PAGE_SIZE));
	cpu_self()->preempt_off--;
	rc.running = false;
	assert_false(mm_reclaim(PAGE_SIZE));
	assert_int_equal(fakes[0].calls, 0);
}

/* The thread does not come: the wait ends. */
static void test_patience(void **state)
{
	(void)state;
	assert_false(mm_reclaim(PAGE_SIZE));
	assert_int_equal(fakes[0].calls, 0);
}

static void test_soft(void **state)
{
	(void)state;
	fakes[0].has = 100;
	shortfall = 100;
	mm_reclaim_soon(0);
	assert_int_equal(rc.soft, 0);
	mm_reclaim_soon(100);
	reclaim_step();
	assert_false(fakes[0].hard);
	/* It helped, and more is wanted: at once. */
	assert_true(rc.soft == 100 && soft_is_due());
}

/* Who only says that memory was freed does not keep the thread busy. */
static void test_liar(void **state)
{
	(void)state;
	fakes[1].lies = true;
	shortfall = 1 << 20;
	mm_reclaim_soon(shortfall);
	reclaim_step();
	assert_int_equal(rc.soft, 0);
	mm_reclaim_soon(shortfall);
	assert_false(soft_is_due());
	fake_clock_advance(SOFT_PAUSE);
	assert_true(soft_is_due());
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_shares),
		TEST(test_rotation),
		TEST(test_hard),
		TEST(test_no_wait),
		TEST(test_patience),
		TEST(test_soft),
		TEST(test_liar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
