/* Large pages, and memory that is freed lazily. */

#include "vm_fixture.h"

#define LARGE PAGE_SIZE_2M
#define N     (LARGE / PG)

static size_t size_at(uintptr_t va)
{
	size_t size = 0;

	(void)pt_lookup(s->pt, va, NULL, &size, NULL, NULL, NULL);
	return size;
}

static void test_first_write_maps_2m(void **state)
{
	(void)state;
	map_at(BASE, 3 * LARGE, RW, 0, NULL, 0);
	assert_int_equal(poke(BASE + LARGE + 5, 1), 0);
	assert_int_equal(size_at(BASE + LARGE), LARGE);
	assert_int_equal(anon_pages, N);
	assert_int_equal(huge_pages, 1);
	assert_int_equal(peek(BASE + 2 * LARGE - 1), 0);
	/* a read needs but one page, and keeps it small */
	assert_int_equal(peek(BASE), 0);
	assert_int_equal(poke(BASE + PG, 1), 0);
	assert_int_equal(size_at(BASE), PG);
	assert_int_equal(anon_pages, N + 2);
}

static void test_when_not(void **state)
{
	struct object o = { .obj = { &obj_ops } };
	uintptr_t at = BASE;

	(void)state;
	map_at(at, LARGE - PG, RW, 0, NULL, 0);
	assert_int_equal(poke(at, 1), 0); /* not all of it is mapped */
	assert_int_equal(size_at(at), PG);
	at += 2 * LARGE;
	map_at(at, LARGE, RW, 0, NULL, 0);
	assert_int_equal(vm_advise(s, at, LARGE, MADV_NOHUGEPAGE), 0);
	assert_int_equal(poke(at, 1), 0);
	assert_int_equal(size_at(at), PG);
	at += 2 * LARGE;
	map_at(at, LARGE, RW, 0, NULL, 0);
	fixture_free = 64ul << 20; /* little is free */
	assert_int_equal(poke(at, 1), 0);
	fixture_free = 1ul << 29;
	assert_int_equal(size_at(at), PG);
	at += 2 * LARGE;
	map_at(at, LARGE, RW, 0, &o, 0);
	assert_int_equal(poke(at, 1), 0);
	assert_int_equal(size_at(at), PG);
	at += 2 * LARGE;
	vm_tune.huge = 1; /* madvise */
	map_at(at, 2 * LARGE, RW, 0, NULL, 0);
	assert_int_equal(vm_advise(s, at, LARGE, MADV_HUGEPAGE), 0);
	assert_int_equal(poke(at, 1), 0);
	assert_int_equal(poke(at + LARGE, 1), 0);
	assert_int_equal(size_at(at), LARGE);
	assert_int_equal(size_at(at + LARGE), PG);
	vm_tune.huge = 0;
	at += 2 * LARGE;
	map_at(at, 2 * LARGE, RW, 0, NULL, 0);
	vm_space_no_huge(s, true);
	assert_int_equal(poke(at, 1), 0);
	vm_space_no_huge(s, false);
	assert_int_equal(poke(at + LARGE, 1), 0);
	assert_int_equal(size_at(at), PG);
	assert_int_equal(size_at(at + LARGE), LARGE);
	assert_int_equal(vm_unmap(s, BASE, 16 * LARGE), 0);
	obj_drop(&o, 0);
}

static void fill(uintptr_t at)
{
	for (size_t i = 0; i < N; i++)
		assert_int_equal(
		    poke(at + i * PG, (unsigned char)(i % 251)), 0);
}

static void expect(uintptr_t at, size_t first, size_t n)
{
	for (size_t i = first; i < first + n; i++)
		assert_int_equal(peek(at + i * PG), i % 251);
}

/* (n) large pages, each of them whole. */
static void map_large(size_t n)
{
	map_at(BASE, n * LARGE, RW, 0, NULL, 0);
	for (size_t i = 0; i < n; i++)
		fill(BASE + i * LARGE);
	assert_int_equal(huge_pages, n);
}

static void test_cuts(void **state)
{
	(void)state;
	map_large(2);
	assert_int_equal(vm_unmap(s, BASE + 100 * PG, PG), 0);
	assert_int_equal(huge_pages, 1);
	assert_int_equal(anon_pages, 2 * N - 1);
	expect(BASE, 0, 100);
	expect(BASE, 101, N - 101);
	assert_int_equal(peek(BASE + 100 * PG), -EFAULT);
	/* over both, and the second as a whole */
	assert_int_equal(vm_protect(s, BASE + 200 * PG, N * PG, VM_READ), 0);
	assert_int_equal(huge_pages, 0);
	expect(BASE, 101, N - 101);
	expect(BASE + LARGE, 0, N);
	assert_int_equal(poke(BASE + LARGE, 1), -EACCES);
}

static void test_whole_ones_stay(void **state)
{
	(void)state;
	map_large(3);
	assert_int_equal(vm_protect(s, BASE + LARGE, LARGE, VM_READ), 0);
	assert_int_equal(poke(BASE + LARGE, 1), -EACCES);
	assert_int_equal(huge_pages, 3);
	assert_int_equal(vm_advise(s, BASE, LARGE, MADV_DONTNEED), 0);
	assert_int_equal(huge_pages, 2);
	assert_int_equal(peek(BASE + PG), 0);
	expect(BASE + LARGE, 0, N);
	assert_int_equal(
	    vm_advise(s, BASE + 2 * LARGE + PG, PG, MADV_DONTNEED), 0);
	assert_int_equal(huge_pages, 1);
	assert_int_equal(peek(BASE + 2 * LARGE + PG), 0);
	expect(BASE + 2 * LARGE, 2, N - 2);
}

static void test_remap_moves_all(void **state)
{
	uintptr_t to = 4 * BASE + PG;

	(void)state;
	map_large(1);
	assert_int_equal(
	    vm_remap(s, BASE, LARGE, LARGE, MREMAP_MAYMOVE | MREMAP_FIXED, to),
	    to);
	assert_int_equal(huge_pages, 0);
	assert_int_equal(anon_pages, N);
	expect(to, 0, N);
}

/* Without memory to split a page nothing changes. */
static void test_no_memory_to_split(void **state)
{
	(void)state;
	map_at(BASE, 2 * LARGE, RW, 0, NULL, 0);
	fill(BASE);
	for (int i = 0; i < 4; i++) {
		int r = 0;

		fake_pt_fail_nth(1);
		if (i == 0)
			r = vm_unmap(s, BASE + PG, PG);
		else if (i == 1)
			r = vm_protect(s, BASE + PG, PG, VM_READ);
		else if (i == 2)
			r = vm_advise(s, BASE + PG, PG, MADV_DONTNEED);
		else
			r = (int)vm_remap(s, BASE, LARGE, LARGE,
			    MREMAP_MAYMOVE | MREMAP_FIXED, 4 * BASE);
		fake_pt_fail_nth(0);
		assert_int_equal(r, -ENOMEM);
		assert_int_equal(huge_pages, 1);
		expect(BASE, 0, N);
		assert_int_equal(nvma(), 1);
	}
}

static void test_lazy_free(void **state)
{
	(void)state;
	map_at(BASE, 8 * PG, RW, 0, NULL, 0);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(poke(BASE + i * PG, 7), 0);
	assert_int_equal(vm_advise(s, BASE, 6 * PG, MADV_FREE), 0);
	/* still there while nobody needs it; a write keeps it */
	assert_int_equal(peek(BASE + PG), 7);
	assert_int_equal(poke(BASE + 2 * PG, 8), 0);
	assert_int_equal(shrink_lazily(2 * PG), 2 * PG);
	assert_int_equal(anon_pages, 6);
	assert_int_equal(shrink_lazily(1000 * PG), 3 * PG);
	assert_int_equal(shrink_lazily(1000 * PG), 0);
	assert_int_equal(anon_pages, 3);
	assert_int_equal(peek(BASE), 0);
	assert_int_equal(peek(BASE + 2 * PG), 8);
	assert_int_equal(peek(BASE + 6 * PG), 7);
	/* what is locked or shared is not freed so */
	assert_int_equal(vm_lock(s, BASE, PG, true, true), 0);
	assert_int_equal(vm_advise(s, BASE, PG, MADV_FREE), -EINVAL);
	map_at(2 * BASE, PG, RW, VM_SHARED, NULL, 0);
	assert_int_equal(vm_advise(s, 2 * BASE, PG, MADV_FREE), -EINVAL);
}

static void test_lazy_free_of_large(void **state)
{
	(void)state;
	map_large(3);
	assert_int_equal(vm_advise(s, BASE + PG, 2 * LARGE, MADV_FREE), 0);
	assert_int_equal(huge_pages, 1); /* the middle one */
	assert_int_equal(shrink_lazily(8 * LARGE), 2 * LARGE);
	assert_int_equal(huge_pages, 0);
	assert_int_equal(anon_pages, N);
	expect(BASE, 0, 1);
	expect(BASE + 2 * LARGE, 1, N - 1);
}

/* What was moved is as lazy, and as much written, as before. */
static void test_lazy_free_then_remap(void **state)
{
	(void)state;
	map_at(BASE, 4 * PG, RW, 0, NULL, 0);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(poke(BASE + i * PG, 7), 0);
	assert_int_equal(vm_advise(s, BASE, 2 * PG, MADV_FREE), 0);
	assert_int_equal(vm_remap(s, BASE, 4 * PG, 4 * PG,
			     MREMAP_MAYMOVE | MREMAP_FIXED, 2 * BASE),
	    2 * BASE);
	assert_int_equal(shrink_lazily(100 * PG), 2 * PG);
	assert_int_equal(peek(2 * BASE + PG), 0);
	assert_int_equal(peek(2 * BASE + 2 * PG), 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_first_write_maps_2m),
		T(test_when_not),
		T(test_cuts),
		T(test_whole_ones_stay),
		T(test_remap_moves_all),
		T(test_no_memory_to_split),
		T(test_lazy_free),
		T(test_lazy_free_of_large),
		T(test_lazy_free_then_remap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
