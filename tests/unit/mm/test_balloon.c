/* kernel/mm/balloon.c on the page allocator: memory that goes and comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kern/balloon.h"
#include "kern/boot.h"
#include "kern/num.h"
#include "kern/percpu.h"
#include "kern/shrink.h"
#include "kernel/mm/mm_int.h"
#include "mm_fixture.h"

#define MIB (1ull << 20)

static size_t soon;
static struct mm_cpu mm_cpu;

bool mm_may_block(void)
{
	return true;
}

bool mm_noreclaim_begin(void)
{
	bool old = thread_self()->no_reclaim;

	thread_self()->no_reclaim = true;
	return old;
}

void mm_noreclaim_end(bool old)
{
	thread_self()->no_reclaim = old;
}

void mm_reclaim_soon(size_t bytes)
{
	soon += bytes;
}

bool mm_reclaim(size_t bytes)
{
	(void)bytes;
	return false;
}

static uint64_t total(void)
{
	struct mm_stats st;

	page_stats(&st);
	assert_true(st.free + st.reserved <= st.total);
	return st.total;
}

/* 64 MiB are there, 32 are not. */
static int setup(void **state)
{
	(void)state;
	fixture_create(96 * MIB);
	fixture_ram(0, 64 * MIB);
	boot_info.mem[boot_info.nmem++] = (struct boot_mem){ 64 * MIB,
		32 * MIB - 8 * PAGE_SIZE, BOOT_MEM_ABSENT };
	cpu_self()->mm = &mm_cpu;
	page_init();
	balloon_init();
	page_set_marks();
	return 0;
}

/* One process, one boot: the tests go on where the last one ended. */
static void test_absent(void **state)
{
	uint64_t want = 32 * MIB / PAGE_SIZE - 8, n = 0;
	struct balloon_block b;

	(void)state;
	assert_int_equal(total(), 64 * MIB);
	assert_int_equal(balloon_pages(), want);
	assert_true(balloon_pick(&b, UINT64_MAX));
	assert_int_equal(b.order, BALLOON_ORDER);
	assert_true(b.pa >= 64 * MIB);
	assert_int_equal(balloon_pages(), want - (1u << BALLOON_ORDER));
	/* Refused in the middle: one page more, the others stay. */
	for (unsigned i = 0; i < 1u << BALLOON_ORDER; i++) {
		struct balloon_block p = { b.pa + i * PAGE_SIZE, 0 };

		if (i == 0)
			balloon_give(&p);
		else
			balloon_keep(&p);
	}
	assert_int_equal(total(), 64 * MIB + PAGE_SIZE);
	assert_int_equal(balloon_pages(), want - 1);
	while (balloon_pick(&b, UINT64_MAX)) {
		assert_true(b.pa >= 64 * MIB);
		assert_true(b.pa < 96 * MIB - 8 * PAGE_SIZE);
		balloon_give(&b);
		n++;
	}
	assert_int_equal(balloon_pages(), 0);
	assert_int_equal(total(), 96 * MIB - 8 * PAGE_SIZE);
	assert_true(n < 600 + 511);
}

static void test_take_all_and_back(void **state)
{
	uint64_t before = page_free_bytes(), all = total(), mark[3];
	struct balloon_block b;

	(void)state;
	soon = 0;
	while (balloon_take(&b, UINT64_MAX)) {
		memset(pa_to_va(b.pa), 0xee, PAGE_SIZE << b.order);
		balloon_keep(&b);
	}
	/* What the reclaimer works for is left; it is asked for more. */
	page_marks(mark);
	assert_true(page_free_bytes() >= mark[2]);
	assert_true(page_free_bytes() < mark[2] + 2 * MIB);
	assert_true(soon > 0);
	assert_int_equal(total() + balloon_pages() * PAGE_SIZE, all);
	while (balloon_pick(&b, UINT64_MAX))
		balloon_give(&b);
	assert_int_equal(total(), all);
	assert_int_equal(page_free_bytes(), before);
}

/* Memory that is ours again can be allocated, each page once. */
static void test_random(void **state)
{
	static struct balloon_block out[64];
	static void *mine[512];
	unsigned nout = 0, nmine = 0;
	uint64_t before = page_free_bytes(), all = total();

	(void)state;
	srand(7);
	for (unsigned i = 0; i < 20000; i++) {
		switch (rand() % 4) {
		case 0:
			if (nout < ARRAY_SIZE(out) &&
			    balloon_take(&out[nout], rand() % 1024))
				nout++;
			break;
		case 1:
			if (nout > 0) {
				nout--;
				if (rand() % 2)
					balloon_keep(&out[nout]);
				else
					balloon_give(&out[nout]);
			} else {
				struct balloon_block b;

				if (balloon_pick(&b, rand() % 1024))
					balloon_give(&b);
			}
			break;
		case 2:
			if (nmine < ARRAY_SIZE(mine) &&
			    (mine[nmine] = page_alloc(0, PAGE_ATOMIC))) {
				memset(mine[nmine], (int)nmine, PAGE_SIZE);
				nmine++;
			}
			break;
		default:
			if (nmine > 0) {
				unsigned char *p = mine[--nmine];

				assert_int_equal(p[0], nmine & 0xff);
				assert_int_equal(p[4095], nmine & 0xff);
				page_free(p, 0);
			}
			break;
		}
	}
	while (nmine > 0)
		page_free(mine[--nmine], 0);
	while (nout > 0)
		balloon_give(&out[--nout]);
	for (struct balloon_block b; balloon_pick(&b, UINT64_MAX);)
		balloon_give(&b);
	assert_int_equal(total(), all);
	assert_int_equal(page_free_bytes(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_take_all_and_back),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
