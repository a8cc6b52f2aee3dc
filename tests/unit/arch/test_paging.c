/*
 * kernel/arch/x86_64/paging.c over the host's memory: physical addresses are
 * pointers, the direct map begins at 0.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kern/arch.h"
#undef DIRECT_MAP_BASE
#define DIRECT_MAP_BASE 0ul

#include "kernel/arch/x86_64/paging.c"

#include "fake_mm.h"

#define VA         0x7f1234400000ul /* aligned to 2 MiB */
#define PA         0x40000000ul
#define SIZE       PAGE_SIZE_2M

#define LOWER_HALF (1ul << 47)

uint64_t paging_kernel_root;

static struct pgtable *pt;
static unsigned flushes;

void pt_flush(struct pgtable *p, uintptr_t va, size_t n)
{
	flushes++;
}

void pt_flush_free(struct pgtable *p, uintptr_t va, size_t n, void *tables)
{
	pt_flush(p, va, n);
	pt_free_tables(tables);
}

void tlb_leave(struct pgtable *p)
{
}

void panic(const char *fmt, ...)
{
	fail_msg("panic: %s", fmt);
	abort();
}

static int setup(void **state)
{
	static struct arch_cpu arch;

	cpu_self()->arch = &arch;
	paging_kernel_root = (uintptr_t)page_alloc(0, PAGE_ZERO);
	((uint64_t *)paging_kernel_root)[300] = 0x1234;
	pt = pgtable_create();
	assert_non_null(pt);
	flushes = 0;
	return 0;
}

static int teardown(void **state)
{
	pgtable_destroy(pt);
	page_free((void *)paging_kernel_root, 0);
	return fake_mm_live() != 0 || pgtable_bytes() != 0;
}

static void expect(uintptr_t va, uint64_t pa, size_t size, unsigned prot)
{
	uint64_t got_pa;
	size_t got_size;
	unsigned got_prot;
	bool a, d;

	assert_true(pt_lookup(pt, va, &got_pa, &got_size, &got_prot, &a, &d));
	assert_int_equal(got_pa, pa);
	assert_int_equal(got_size, size);
	assert_int_equal(got_prot, prot);
}

static bool absent(uintptr_t va)
{
	return !pt_lookup(pt, va, NULL, NULL, NULL, NULL, NULL);
}

static void test_upper_half_is_shared(void **state)
{
	assert_int_equal(((uint64_t *)pt)[300], 0x1234);
	assert_int_equal(((uint64_t *)pt)[0], 0);
}

static void test_map_and_unmap_small(void **state)
{
	uint64_t pa;
	bool cached;

	assert_int_equal(pt_map(pt, VA, PA, PAGE_SIZE, PT_WRITE), 0);
	expect(VA, PA, PAGE_SIZE, PT_WRITE);
	assert_true(absent(VA + PAGE_SIZE) && absent(VA - PAGE_SIZE));
	assert_int_equal(pt_unmap(pt, VA, &pa, &cached), PAGE_SIZE);
	assert_int_equal(pa, PA);
	assert_false(cached); /* no processor has looked */
	assert_int_equal(pt_unmap(pt, VA, &pa, &cached), 0);
	assert_true(absent(VA));
}

static void test_every_protection(void **state)
{
	for (unsigned prot = 0; prot < 32; prot++) {
		assert_int_equal(pt_map(pt, VA, PA, PAGE_SIZE, prot), 0);
		expect(VA, PA, PAGE_SIZE, prot);
		assert_int_equal(pt_protect(pt, VA, PAGE_SIZE, 31 - prot), 0);
		expect(VA, PA, PAGE_SIZE, 31 - prot);
	}
	assert_int_equal(pt_protect(pt, VA + PAGE_SIZE, PAGE_SIZE, 0), -ENOENT);
}

/* What the processor reads: present, no user bit, NX unless executable. */
static void test_bits(void **state)
{
	unsigned level;

	pt_map(pt, VA, PA, PAGE_SIZE, PT_EXEC);
	assert_int_equal(*leaf_find(pt, VA, &level), PA | PTE_P);
	pt_map(pt, VA, PA, PAGE_SIZE, PT_WRITE);
	assert_true(
	    *leaf_find(pt, VA, &level) == (PA | PTE_P | PTE_W | PTE_NX));
	pt_map(pt, VA, PA, PAGE_SIZE, PT_NONE | PT_WRITE);
	assert_false(*leaf_find(pt, VA, &level) & PTE_P);
}

static void test_large_page_splits(void **state)
{
	uint64_t pa;
	bool cached;
	unsigned level;

	assert_int_equal(pt_map(pt, VA, PA, SIZE, PT_WRITE), 0);
	expect(VA + 5 * PAGE_SIZE, PA, SIZE, PT_WRITE);
	*leaf_find(pt, VA, &level) |= PTE_D | PTE_A;
	assert_int_equal(pt_protect(pt, VA + PAGE_SIZE, PAGE_SIZE, 0), 0);
	expect(VA, PA, PAGE_SIZE, PT_WRITE);
	expect(VA + PAGE_SIZE, PA + PAGE_SIZE, PAGE_SIZE, 0);
	expect(
	    VA + SIZE - PAGE_SIZE, PA + SIZE - PAGE_SIZE, PAGE_SIZE, PT_WRITE);
	assert_int_equal(
	    pt_unmap(pt, VA + 9 * PAGE_SIZE, &pa, &cached), PAGE_SIZE);
	assert_true(cached); /* as the whole was */
	/* all of it at once, though it is a table now */
	assert_int_equal(pt_protect(pt, VA, SIZE, PT_NONE), 0);
	expect(VA + 3 * PAGE_SIZE, PA + 3 * PAGE_SIZE, PAGE_SIZE, PT_NONE);
	assert_true(absent(VA + 9 * PAGE_SIZE));
}

static void test_small_map_inside_large(void **state)
{
	pt_map(pt, VA, PA, SIZE, PT_WRITE);
	pt_map(pt, VA + PAGE_SIZE, 0x9000, PAGE_SIZE, 0);
	expect(VA, PA, PAGE_SIZE, PT_WRITE);
	expect(VA + PAGE_SIZE, 0x9000, PAGE_SIZE, 0);
}

static void test_large_replaces_table(void **state)
{
	pt_map(pt, VA, 0x9000, PAGE_SIZE, 0);
	assert_int_equal(pt_map(pt, VA, PA, SIZE, PT_EXEC), 0);
	assert_int_equal(flushes, 1); /* before the table was freed */
	expect(VA, PA, SIZE, PT_EXEC);
}

static void test_protect_large(void **state)
{
	assert_int_equal(pt_protect(pt, VA, SIZE, 0), -ENOENT);
	pt_map(pt, VA, PA, SIZE, PT_WRITE);
	assert_int_equal(pt_protect(pt, VA, SIZE, PT_EXEC), 0);
	expect(VA, PA, SIZE, PT_EXEC);
}

static void test_next(void **state)
{
	uintptr_t end = USER_MAX;

	assert_int_equal(pt_next(pt, USER_MIN, end), end);
	pt_map(pt, VA, PA, PAGE_SIZE, 0);
	pt_map(pt, VA + 4 * SIZE, PA, SIZE, PT_NONE);
	assert_int_equal(pt_next(pt, USER_MIN, end), VA);
	assert_int_equal(pt_next(pt, USER_MIN, VA), VA);
	assert_int_equal(pt_next(pt, VA + PAGE_SIZE, end), VA + 4 * SIZE);
	assert_int_equal(pt_next(pt, VA + 4 * SIZE + PAGE_SIZE, end),
	    VA + 4 * SIZE + PAGE_SIZE);
	assert_int_equal(pt_next(pt, VA + 5 * SIZE, end), end);
	assert_int_equal(
	    pt_next(pgtable_kernel(), KMAP_BASE, KMAP_BASE + KMAP_SIZE),
	    KMAP_BASE + KMAP_SIZE);
}

static void test_clean(void **state)
{
	unsigned level;
	bool a, d;

	pt_map(pt, VA, PA, PAGE_SIZE, PT_WRITE);
	pt_map(pt, VA + SIZE, PA, SIZE, PT_WRITE);
	*leaf_find(pt, VA, &level) |= PTE_A | PTE_D;
	*leaf_find(pt, VA + SIZE, &level) |= PTE_A | PTE_D;
	pt_clean(pt, VA, 2 * SIZE, false, true);
	assert_true(pt_lookup(pt, VA, NULL, NULL, NULL, &a, &d));
	assert_true(a && !d);
	assert_true(pt_lookup(pt, VA + SIZE, NULL, NULL, NULL, &a, &d));
	assert_true(a && !d);
	pt_clean(pt, VA, PAGE_SIZE, true, true);
	assert_true(pt_lookup(pt, VA, NULL, NULL, NULL, &a, &d));
	assert_false(a || d);
}

/* An entry that a processor cannot remember needs no flush. */
static void test_unmap_says_cached(void **state)
{
	unsigned level;
	uint64_t pa;
	bool cached;

	pt_map(pt, VA, PA, PAGE_SIZE, PT_WRITE);
	*leaf_find(pt, VA, &level) |= PTE_A;
	pt_unmap(pt, VA, &pa, &cached);
	assert_true(cached);
	pt_map(pt, VA, PA, PAGE_SIZE, PT_NONE);
	*leaf_find(pt, VA, &level) |= PTE_A;
	pt_unmap(pt, VA, &pa, &cached);
	assert_false(cached);
}

static unsigned chain_free(void *tables)
{
	uint64_t before = pgtable_bytes();

	pt_free_tables(tables);
	return (unsigned)((before - pgtable_bytes()) / PAGE_SIZE);
}

static void unmap(uintptr_t va)
{
	uint64_t pa;
	bool cached;

	assert_true(pt_unmap(pt, va, &pa, &cached) > 0);
}

static void test_prune_takes_empty_tables(void **state)
{
	uint64_t root = pgtable_bytes();
	void *tables = NULL;

	pt_map(pt, VA, PA, PAGE_SIZE, 0);
	pt_map(pt, VA + PAGE_SIZE, PA, PAGE_SIZE, 0);
	pt_map(pt, VA + SIZE, PA, PAGE_SIZE, PT_NONE);
	assert_int_equal(pgtable_bytes() - root, 4 * PAGE_SIZE);
	unmap(VA);
	pt_prune(pt, VA, VA + PAGE_SIZE, 0, VA + PAGE_SIZE, &tables);
	assert_null(tables); /* a neighbour is in it */
	unmap(VA + PAGE_SIZE);
	pt_prune(pt, VA + PAGE_SIZE, VA + 2 * PAGE_SIZE, 0, VA + SIZE, &tables);
	assert_non_null(tables);
	assert_int_equal(chain_free(tables), 1);
	expect(VA + SIZE, PA, PAGE_SIZE, PT_NONE);
	tables = NULL;
	unmap(VA + SIZE);
	pt_prune(pt, VA + SIZE, VA + SIZE + PAGE_SIZE, 0, LOWER_HALF, &tables);
	assert_int_equal(chain_free(tables), 3); /* and those above it */
	assert_int_equal(pgtable_bytes(), root);
	assert_int_equal(pt_next(pt, 0, USER_MAX), USER_MAX);
}

static void test_slots(void **state)
{
	struct pt_slot *slot = pt_slot(pt, VA + PAGE_SIZE, PAGE_SIZE);

	assert_non_null(slot);
	assert_true(absent(VA + PAGE_SIZE));
	assert_true(pt_slot_empty(slot));
	assert_true(pt_slot_fill(slot, PA, PAGE_SIZE, PT_WRITE));
	expect(VA + PAGE_SIZE, PA, PAGE_SIZE, PT_WRITE);
	assert_false(pt_slot_fill(slot, PA + PAGE_SIZE, PAGE_SIZE, 0));
	assert_false(pt_slot_empty(pt_slot(pt, VA + PAGE_SIZE, PAGE_SIZE)));
	expect(VA + PAGE_SIZE, PA, PAGE_SIZE, PT_WRITE);
	/* that of a large page is not empty */
	pt_map(pt, VA + SIZE, PA, SIZE, 0);
	assert_false(
	    pt_slot_empty(pt_slot(pt, VA + SIZE + 5 * PAGE_SIZE, PAGE_SIZE)));
}

static void test_large_slots(void **state)
{
	struct pt_slot *slot = pt_slot(pt, VA + PAGE_SIZE, SIZE);

	assert_true(pt_slot_empty(slot));
	assert_true(pt_slot_fill(slot, PA, SIZE, PT_WRITE));
	expect(VA + 7 * PAGE_SIZE, PA, SIZE, PT_WRITE);
	assert_int_equal(pt_split(pt, VA + SIZE), 0);
	fake_mm_fail_nth(1);
	assert_int_equal(pt_split(pt, VA + 9 * PAGE_SIZE), -ENOMEM);
	fake_mm_fail_nth(0);
	expect(VA, PA, SIZE, PT_WRITE);
	assert_int_equal(pt_split(pt, VA + 9 * PAGE_SIZE), 1);
	assert_int_equal(pt_split(pt, VA + 9 * PAGE_SIZE), 0);
	expect(VA + 7 * PAGE_SIZE, PA + 7 * PAGE_SIZE, PAGE_SIZE, PT_WRITE);
	/* the table of small pages stays in the way */
	assert_false(pt_slot_empty(pt_slot(pt, VA, SIZE)));
	assert_false(pt_slot_fill(pt_slot(pt, VA, SIZE), PA, SIZE, 0));
}

static void test_move(void **state)
{
	bool accessed, dirty, cached;
	unsigned level;

	pt_map(pt, VA, PA, PAGE_SIZE, PT_WRITE);
	atomic_fetch_or(leaf_find(pt, VA, &level), PTE_A | PTE_D);
	assert_int_equal(pt_move(pt, VA, VA + 3 * SIZE, &cached), 0);
	assert_true(cached);
	assert_true(absent(VA));
	expect(VA + 3 * SIZE, PA, PAGE_SIZE, PT_WRITE);
	assert_true(
	    pt_lookup(pt, VA + 3 * SIZE, NULL, NULL, NULL, &accessed, &dirty));
	assert_true(accessed && dirty);
	assert_int_equal(pt_move(pt, VA, VA + SIZE, &cached), -ENOENT);
	fake_mm_fail_nth(1);
	assert_int_equal(
	    pt_move(pt, VA + 3 * SIZE, VA + 4 * SIZE, &cached), -ENOMEM);
	fake_mm_fail_nth(0);
	expect(VA + 3 * SIZE, PA, PAGE_SIZE, PT_WRITE);
}

static void test_slots_without_memory(void **state)
{
	uint64_t before = pgtable_bytes();

	/* one table more is there each time */
	for (long n = 1; n <= 3; n++) {
		fake_mm_fail_nth(MIN(n, 2));
		assert_null(pt_slot(pt, VA, PAGE_SIZE));
	}
	fake_mm_fail_nth(0);
	assert_non_null(pt_slot(pt, VA, PAGE_SIZE));
	assert_int_equal(pgtable_bytes() - before, 3 * PAGE_SIZE);
}

static struct pt_batch batch(uint64_t *pa, unsigned max)
{
	return (struct pt_batch){ pa, 0, max, UINTPTR_MAX, 0 };
}

static void touch(uintptr_t va)
{
	unsigned level;

	atomic_fetch_or(leaf_find(pt, va, &level), PTE_A);
}

static void test_unmap_range(void **state)
{
	struct pt_batch b;
	uint64_t pa[4];

	pt_map(pt, VA + 511 * PAGE_SIZE, PA, PAGE_SIZE, 0);
	pt_map(pt, VA + SIZE, 2 * SIZE, SIZE, PT_NONE);
	pt_map(pt, VA + 2 * SIZE, PA + PAGE_SIZE, PAGE_SIZE, 0);
	pt_map(pt, VA + 2 * SIZE + PAGE_SIZE, PA, PAGE_SIZE, 0);
	touch(VA + 511 * PAGE_SIZE);
	touch(VA + SIZE); /* no access: remembered by nobody */
	b = batch(pa, 3);
	assert_int_equal(pt_unmap_range(pt, USER_MIN, USER_MAX, &b),
	    VA + 2 * SIZE + PAGE_SIZE);
	assert_int_equal(b.n, 3);
	assert_int_equal(pa[0], PA);
	assert_int_equal(pa[1], 2 * SIZE | PT_GONE_2M);
	assert_int_equal(pa[2], PA + PAGE_SIZE);
	assert_int_equal(b.first, VA + 511 * PAGE_SIZE);
	assert_int_equal(b.last, VA + SIZE);
	b = batch(pa, 4);
	assert_int_equal(pt_unmap_range(pt, VA, VA + 2 * SIZE + PAGE_SIZE, &b),
	    VA + 2 * SIZE + PAGE_SIZE);
	assert_int_equal(b.n, 0);
	assert_true(b.first > b.last);
	assert_int_equal(
	    pt_unmap_range(pt, VA, VA + 3 * SIZE, &b), VA + 3 * SIZE);
	assert_int_equal(b.n, 1);
	assert_int_equal(pt_next(pt, 0, USER_MAX), USER_MAX);
}

/* What a processor walks through until the flush maps nothing. */
static void test_pruned_tables_are_not_present(void **state)
{
	void *tables = NULL;
	unsigned n = 0;

	for (unsigned i = 0; i < 3; i++) {
		pt_map(pt, VA + i * SIZE, PA, PAGE_SIZE, 0);
		unmap(VA + i * SIZE);
	}
	pt_prune(pt, VA, VA + 3 * SIZE, 0, LOWER_HALF, &tables);
	for (uint64_t *t = tables; t; t = (uint64_t *)(uintptr_t)t[0], n++)
		for (unsigned i = 0; i < ENTRIES; i++)
			assert_false(t[i] & PTE_P);
	assert_int_equal(n, 5);
	/* the place can be used again before that */
	assert_int_equal(pt_map(pt, VA, PA, PAGE_SIZE, PT_WRITE), 0);
	assert_int_equal(chain_free(tables), 5);
	expect(VA, PA, PAGE_SIZE, PT_WRITE);
}

static void test_prune_the_whole_lower_half(void **state)
{
	uint64_t root = pgtable_bytes();
	void *tables = NULL;

	pt_map(pt, USER_MIN, PA, PAGE_SIZE, 0);
	pt_map(pt, USER_MAX - PAGE_SIZE, PA, PAGE_SIZE, 0);
	pt_map(pt, VA, PA, SIZE, 0);
	unmap(USER_MIN);
	unmap(USER_MAX - PAGE_SIZE);
	unmap(VA);
	pt_prune(pt, USER_MIN, USER_MAX, 0, LOWER_HALF, &tables);
	assert_int_equal(chain_free(tables), 8);
	assert_int_equal(((uint64_t *)pt)[300], 0x1234);
	assert_int_equal(pgtable_bytes(), root);
}

/* Tables made before memory ran out are found by the next prune. */
static void test_out_of_memory_leaves_no_tables(void **state)
{
	uint64_t root = pgtable_bytes();

	for (long n = 1; n <= 4; n++) {
		void *tables = NULL;
		int err;

		fake_mm_fail_nth(n);
		err = pt_map(pt, VA, PA, PAGE_SIZE, 0);
		fake_mm_fail_nth(0);
		assert_int_equal(err, n <= 3 ? -ENOMEM : 0);
		if (!err)
			unmap(VA);
		pt_prune(pt, VA, VA + PAGE_SIZE, 0, LOWER_HALF, &tables);
		assert_int_equal(chain_free(tables), n - 1);
		assert_int_equal(pgtable_bytes(), root);
	}
}

static void test_out_of_memory_at_every_step(void **state)
{
	for (long n = 1; n <= 3; n++) {
		fake_mm_fail_nth(n);
		assert_int_equal(pt_map(pt, VA - (unsigned long)n * (1ul << 39),
				     PA, PAGE_SIZE, 0),
		    -ENOMEM);
		fake_mm_fail_nth(0);
	}
	pt_map(pt, VA, PA, SIZE, PT_WRITE);
	fake_mm_fail_nth(1);
	assert_int_equal(pt_protect(pt, VA, PAGE_SIZE, 0), -ENOMEM);
	fake_mm_fail_nth(1);
	assert_int_equal(pt_map(pt, VA, 0x9000, PAGE_SIZE, 0), -ENOMEM);
	fake_mm_fail_nth(1);
	assert_null(pgtable_create());
	fake_mm_fail_nth(0);
	expect(VA, PA, SIZE, PT_WRITE); /* as it was */
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_upper_half_is_shared),
		CASE(test_map_and_unmap_small),
		CASE(test_every_protection),
		CASE(test_bits),
		CASE(test_large_page_splits),
		CASE(test_small_map_inside_large),
		CASE(test_large_replaces_table),
		CASE(test_protect_large),
		CASE(test_next),
		CASE(test_clean),
		CASE(test_slots),
		CASE(test_large_slots),
		CASE(test_move),
		CASE(test_slots_without_memory),
		CASE(test_unmap_range),
		CASE(test_unmap_says_cached),
		CASE(test_prune_takes_empty_tables),
		CASE(test_pruned_tables_are_not_present),
		CASE(test_prune_the_whole_lower_half),
		CASE(test_out_of_memory_leaves_no_tables),
		CASE(test_out_of_memory_at_every_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
