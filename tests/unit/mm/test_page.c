/* Compiled with the file under test, to begin each test from boot. */
#include "kernel/mm/page.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "kern/balloon.h"
#include "kern/sched.h"
#include "mm_fixture.h"

#define MIB (1ull << 20)

static struct mm_cpu mm_cpu;
static unsigned shrink_calls;
static unsigned soon_calls;
static void *shrink_page;

bool mm_may_block(void)
{
	return true;
}

void mm_reclaim_soon(size_t bytes)
{
	soon_calls += bytes != 0;
}

bool mm_reclaim(size_t bytes)
{
	shrink_calls++;
	assert_true(bytes >= PAGE_SIZE);
	if (!shrink_page)
		return false;
	page_free(shrink_page, 0);
	shrink_page = NULL;
	return true;
}

/* Begin again with the memory map that the test has made. */
static void boot(void)
{
	memset(free_head, 0, sizeof(free_head));
	memset(free_tail, 0, sizeof(free_tail));
	memset(&mm_cpu, 0, sizeof(mm_cpu));
	nrange = cur_range = 0;
	cur_pfn = free_pages = untouched_pages = total_pages = 0;
	shrink_calls = soon_calls = 0;
	mark_min = mark_low = mark_high = 0;
	shrink_page = NULL;
	cpu_self()->mm = &mm_cpu;
	page_init();
}

static int teardown(void **state)
{
	(void)state;
	fixture_destroy();
	return 0;
}

static uint64_t free_bytes(void)
{
	struct mm_stats st;

	page_stats(&st);
	return st.free;
}

/* Likewise, with nothing but (bytes) from 0 on: how many of them are free. */
static uint64_t boot_ram(uint64_t bytes)
{
	fixture_create(bytes);
	fixture_ram(0, bytes);
	boot();
	return free_bytes();
}

static void *take(unsigned order)
{
	return page_alloc(order, PAGE_ATOMIC);
}

/* All that (flags) can have, chained through their first words. */
static uint64_t take_more(void **chain, unsigned flags)
{
	uint64_t n = 0;
	void *p;

	while ((p = page_alloc(0, flags)) != NULL) {
		*(void **)p = *chain;
		*chain = p;
		n++;
	}
	return n;
}

static uint64_t take_all(void **chain)
{
	*chain = NULL;
	return take_more(chain, PAGE_ATOMIC);
}

static void give_all(void *chain)
{
	while (chain) {
		void *next = *(void **)chain;

		page_free(chain, 0);
		chain = next;
	}
}

static void test_start_does_not_grow(void **state)
{
	uint64_t small, large;

	(void)state;
	boot_ram(64 * MIB);
	assert_non_null(take(0));
	small = fixture_touched();
	fixture_destroy();

	boot_ram(16384 * MIB);
	assert_non_null(take(0));
	large = fixture_touched();
	assert_true(large <= small + 4 * PAGE_SIZE);
	assert_true(large <= 64 * PAGE_SIZE);
}

static void test_reserved_is_never_given(void **state)
{
	uint64_t n;
	void *chain;

	(void)state;
	fixture_create(32 * MIB);
	fixture_ram(0, 0x9f000);
	fixture_ram(MIB, 23 * MIB);
	fixture_ram(26 * MIB + 123, 4 * MIB);
	fixture_module(10 * MIB + 5, 3 * MIB);
	boot();
	n = take_all(&chain);
	assert_true(n > 0);
	for (void *p = chain; p; p = *(void **)p) {
		uint64_t pa = va_to_pa(p);

		assert_true(pa >= MIB);
		assert_false(pa >= FIXTURE_IMAGE_PA &&
			     pa < FIXTURE_IMAGE_PA + FIXTURE_IMAGE_LEN);
		assert_false(pa >= 10 * MIB && pa < 13 * MIB + PAGE_SIZE);
		assert_false(pa >= 24 * MIB && pa < 26 * MIB + PAGE_SIZE);
		assert_true(pa + PAGE_SIZE <= 30 * MIB + 123);
		assert_false(p >= (void *)page_array &&
			     p < (void *)(page_array + max_pfn));
	}
	assert_int_equal(free_bytes(), 0);
	give_all(chain);
	assert_int_equal(free_bytes(), n * PAGE_SIZE);
}

static void test_merges(void **state)
{
	void *chain, *block[8];
	unsigned n = 0, m = 0;

	(void)state;
	boot_ram(32 * MIB);
	while (n < 8 && (block[n] = take(PAGE_ORDER_MAX)) != NULL) {
		assert_int_equal(
		    va_to_pa(block[n]) % (PAGE_SIZE << PAGE_ORDER_MAX), 0);
		n++;
	}
	assert_true(n >= 5);
	while (m < n)
		page_free(block[m++], PAGE_ORDER_MAX);
	assert_true(take_all(&chain) > 5 * 1024);
	give_all(chain);
	pcp_drain(&mm_cpu, 0);
	for (m = 0; m < n; m++)
		assert_non_null(take(PAGE_ORDER_MAX));
}

#define NSLOT 200

static void test_random(void **state)
{
	struct {
		unsigned char *p;
		unsigned order, tag;
	} slot[NSLOT] = { 0 };
	uint64_t before;

	(void)state;
	before = boot_ram(24 * MIB);
	srand(1);
	for (unsigned i = 0; i < 20000; i++) {
		unsigned k = (unsigned)rand() % NSLOT;
		unsigned order = (unsigned)rand() % 40;

		if (slot[k].p) {
			size_t len = PAGE_SIZE << slot[k].order;

			assert_int_equal(*slot[k].p, slot[k].tag);
			assert_int_equal(slot[k].p[len - 1], slot[k].tag);
			page_free(slot[k].p, slot[k].order);
			slot[k].p = NULL;
			continue;
		}
		slot[k].order = order = order > 10 ? order % 3 : order % 8;
		slot[k].tag = i & 0xff;
		slot[k].p = take(order);
		if (!slot[k].p)
			continue;
		memset(slot[k].p, (int)slot[k].tag, PAGE_SIZE << order);
	}
	for (unsigned k = 0; k < NSLOT; k++)
		if (slot[k].p)
			page_free(slot[k].p, slot[k].order);
	assert_int_equal(free_bytes(), before);
}

static void test_references(void **state)
{
	uint64_t before;
	void *p;

	(void)state;
	before = boot_ram(16 * MIB);
	p = page_alloc(0, PAGE_ZERO);
	page_get(p);
	assert_int_equal(page_refs(p), 2);
	page_put(p);
	assert_int_equal(free_bytes(), before - PAGE_SIZE);
	page_put(p);
	assert_int_equal(free_bytes(), before);
	if (fixture_expect_panic() == 0) {
		page_put(p);
		fail_msg("freed twice");
	}
}

static void test_module_comes_back(void **state)
{
	uint64_t before;
	void *chain;

	(void)state;
	fixture_create(32 * MIB);
	fixture_ram(0, 32 * MIB);
	/* In a chunk that nobody has touched, and across two. */
	fixture_module(19 * MIB + 100, 2 * MIB);
	boot();
	before = free_bytes();
	mm_free_boot_range(19 * MIB + 100, 2 * MIB);
	/* Neither the first page nor the last belongs to it alone. */
	assert_int_equal(free_bytes(), before + 2 * MIB - PAGE_SIZE);
	assert_int_equal(take_all(&chain), (before + 2 * MIB) / PAGE_SIZE - 1);
}

static void test_shrinker(void **state)
{
	void *chain;

	(void)state;
	boot_ram(16 * MIB);
	take_all(&chain);
	assert_int_equal(shrink_calls, 0);
	assert_null(page_alloc(0, 0));
	assert_int_equal(shrink_calls, 1);
	shrink_page = chain;
	chain = *(void **)chain;
	assert_non_null(page_alloc(0, 0));
	assert_int_equal(shrink_calls, 2);
}

/* A reserve for those who cannot wait, half of it for who works at it. */
static void test_reserve(void **state)
{
	void *chain = NULL;
	uint64_t n;

	(void)state;
	boot_ram(64 * MIB);
	page_set_marks();
	take_more(&chain, PAGE_USER);
	assert_int_equal(pages_left(), mark_min);
	assert_int_equal(shrink_calls, 1);
	assert_true(soon_calls > 0);
	assert_null(page_alloc(3, 0));
	thread_self()->no_reclaim = true;
	assert_null(page_alloc(0, PAGE_USER));
	n = take_more(&chain, 0);
	thread_self()->no_reclaim = false;
	assert_int_equal(n, mark_min / 2);
	page_free(chain, 0);
	thread_self()->frees_memory = true;
	chain = page_alloc(0, PAGE_USER);
	assert_non_null(chain);
	assert_null(page_alloc(0, PAGE_USER));
	thread_self()->frees_memory = false;
	assert_null(page_alloc(0, 0));
	n += take_more(&chain, PAGE_ATOMIC);
	assert_int_equal(n, mark_min);
	give_all(chain);
	assert_int_equal(page_shortfall(), 0);
}

/* Each free block is offered once, and again after it was allocated. */
static void test_report(void **state)
{
	uint64_t before, n = 0;
	void *p, *chain;
	unsigned order;

	(void)state;
	boot_ram(64 * MIB);
	take_all(&chain);
	give_all(chain);
	before = free_bytes();
	p = page_report_take(9, &order);
	assert_non_null(p);
	page_report_done(p, order, false); /* not taken: it comes again */
	for (; (p = page_report_take(9, &order)) != NULL; n += 1u << order) {
		assert_true(order >= 9);
		memset(p, 0xdd, PAGE_SIZE << order);
		page_report_done(p, order, true);
	}
	assert_true(n * PAGE_SIZE > before / 2);
	assert_int_equal(free_bytes(), before);
	/* All of it can be had, and is news when it comes back. */
	assert_int_equal(take_all(&chain), before / PAGE_SIZE);
	assert_null(page_report_take(0, &order));
	give_all(chain);
	p = page_report_take(9, &order);
	assert_non_null(p);
	page_report_done(p, order, false);
	assert_int_equal(free_bytes(), before);
}

static void test_trim(void **state)
{
	uint64_t before;
	void *p;

	(void)state;
	before = boot_ram(16 * MIB);
	p = take(4);
	page_trim(p, 4, 9);
	assert_int_equal(free_bytes(), before - 9 * PAGE_SIZE);
	page_free_range(p, 9);
	assert_int_equal(free_bytes(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_start_does_not_grow, teardown),
		cmocka_unit_test_teardown(
		    test_reserved_is_never_given, teardown),
		cmocka_unit_test_teardown(test_merges, teardown),
		cmocka_unit_test_teardown(test_random, teardown),
		cmocka_unit_test_teardown(test_references, teardown),
		cmocka_unit_test_teardown(test_module_comes_back, teardown),
		cmocka_unit_test_teardown(test_shrinker, teardown),
		cmocka_unit_test_teardown(test_reserve, teardown),
		cmocka_unit_test_teardown(test_report, teardown),
		cmocka_unit_test_teardown(test_trim, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
