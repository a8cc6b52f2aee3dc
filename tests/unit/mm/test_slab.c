#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kern/num.h"
#include "kern/panic.h"
#include "kern/shrink.h"
#include "kernel/mm/mm_int.h"
#include "mm_fixture.h"

#define MIB (1ull << 20)

uint64_t kstack_bytes(void)
{
	return 0;
}

uint64_t pgtable_bytes(void)
{
	return 0;
}

uint64_t vmalloc_bytes(void)
{
	return 0;
}

bool mm_may_block(void)
{
	return true;
}

bool mm_noreclaim_begin(void)
{
	return false;
}

void mm_noreclaim_end(bool old)
{
	(void)old;
}

void mm_reclaim_soon(size_t bytes)
{
	(void)bytes;
}

bool mm_reclaim(size_t bytes)
{
	(void)bytes;
	return false;
}

static int setup(void **state)
{
	(void)state;
	fixture_create(32 * MIB);
	fixture_ram(0, 32 * MIB);
	mm_init();
	return 0;
}

static size_t promised_align(size_t size)
{
	if (IS_POW2(size) && size >= 16)
		return MIN(size, PAGE_SIZE);
	return size >= CACHE_LINE ? CACHE_LINE : 16;
}

static void test_alignment(void **state)
{
	(void)state;
	for (size_t size = 0; size < 9000; size++) {
		void *p = kmalloc(size);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % promised_align(size), 0);
		memset(p, 0xff, size);
		kfree(p);
	}
}

#define NSLOT 500

static void check(const unsigned char *p, size_t n, unsigned char tag)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(p[i], tag);
}

static void test_random(void **state)
{
	static unsigned char *p[NSLOT];
	static size_t size[NSLOT];

	(void)state;
	srand(2);
	for (unsigned i = 0; i < 30000; i++) {
		unsigned k = (unsigned)rand() % NSLOT;

		if (p[k]) {
			check(p[k], size[k], (unsigned char)k);
			kfree(p[k]);
			p[k] = NULL;
			continue;
		}
		size[k] = (size_t)rand() % (rand() % 50 ? 600 : 30000);
		p[k] = kmalloc(size[k]);
		if (p[k])
			memset(p[k], (int)k, size[k]);
	}
	for (unsigned k = 0; k < NSLOT; k++)
		kfree(p[k]);
	/* The slab that objects are taken from, and a few partial ones. */
	assert_true(slab_bytes() <= NCLASS * 7 * 4 * PAGE_SIZE);
}

static void test_resize(void **state)
{
	unsigned char *p = NULL;

	(void)state;
	for (size_t n = 1; n < 40000; n = n * 3 / 2 + 1) {
		p = krealloc(p, n);
		assert_non_null(p);
		if (n > 1)
			check(p, n / 2, 7);
		memset(p, 7, n);
	}
	p = krealloc(p, 3);
	check(p, 3, 7);
	kfree(p);
}

static void test_limits(void **state)
{
	char *s;

	(void)state;
	assert_null(kmalloc_array(SIZE_MAX / 2, 3));
	assert_null(kmalloc((PAGE_SIZE << PAGE_ORDER_MAX) + 1));
	kfree(NULL);
	s = kstrdup("osv");
	assert_string_equal(s, "osv");
	kfree(s);
}

static void test_exhaustion(void **state)
{
	struct mm_stats before, after;
	void *chain = NULL, *p;
	unsigned n = 0;

	(void)state;
	mm_stats(&before);
	while ((p = kmalloc(700)) != NULL) {
		*(void **)p = chain;
		chain = p;
		n++;
	}
	assert_true(n > 20000);
	while ((p = chain) != NULL) {
		chain = *(void **)p;
		kfree(p);
	}
	mm_stats(&after);
	assert_true(after.free + 64 * PAGE_SIZE >= before.free);
}

static void test_wrong_frees(void **state)
{
	char *p = kmalloc(100);

	(void)state;
	if (fixture_expect_panic() == 0) {
		kfree(page_alloc(0, 0));
		fail_msg("a page is no heap object");
	}
	kfree(p);
}

/* What a freed object's owner may not do, in a kernel that checks. */
static void test_after_free(void **state)
{
	char *p = kmalloc(128);

	(void)state;
	if (!DEBUG_CHECKS)
		skip();
	kfree(p);
	if (fixture_expect_panic() == 0) {
		kfree(p);
		fail_msg("it was freed already");
	}
	assert_ptr_equal(kmalloc(128), p);
	kfree(p);
	p[100] = 1;
	if (fixture_expect_panic() == 0) {
		p = kmalloc(128);
		fail_msg("%p was written to", p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alignment),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_resize),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_exhaustion),
		cmocka_unit_test(test_wrong_frees),
		cmocka_unit_test(test_after_free),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
