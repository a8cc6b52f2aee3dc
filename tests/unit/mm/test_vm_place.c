/* Where mappings go, and how they join. */

#include "vm_fixture.h"

static uintptr_t place_anywhere(size_t len)
{
	uintptr_t at = 0;

	assert_int_equal(vm_map(s, &at, len, VM_READ, 0, NULL, 0), 0);
	return at;
}

/* What the search must find, by looking at every page below (roof). */
static uintptr_t highest_gap(const bool *taken, size_t npages, size_t want)
{
	size_t run = 0;

	for (size_t i = npages; i-- > 0;) {
		run = taken[i] ? 0 : run + 1;
		if (run == want)
			return i;
	}
	return SIZE_MAX;
}

#define NGAP 600

/* Against a search of all pages, with mappings that cannot join. */
static void test_gap_search(void **state)
{
	static bool taken[NGAP];
	uintptr_t base = ALIGN_DOWN(s->mmap_base, PG) - NGAP * PG;
	unsigned found = 0;

	(void)state;
	memset(taken, 0, sizeof(taken));
	srand(11);
	for (unsigned i = 0; i < 4000; i++) {
		unsigned a = (unsigned)rand() % NGAP;
		unsigned n = 1 + (unsigned)rand() % 6;
		unsigned prot = rand() % 2 ? VM_READ : RW;
		uintptr_t at = 0;
		size_t want;

		if (rand() % 2) {
			n = MIN(n, NGAP - a);
			vm_unmap(s, base + a * PG, n * PG);
			memset(taken + a, 0, n);
			continue;
		}
		want = highest_gap(taken, NGAP, n);
		if (want == SIZE_MAX)
			continue;
		assert_int_equal(vm_map(s, &at, n * PG, prot, 0, NULL, 0), 0);
		assert_int_equal(at, base + want * PG);
		memset(taken + want, 1, n);
		found++;
	}
	assert_true(found > 1000);
}

static void test_gap_search_at_the_edges(void **state)
{
	uintptr_t top = place_anywhere(PG), at = 0;

	(void)state;
	assert_int_equal(top + PG, s->mmap_base);
	/* what lies across the roof moves it */
	assert_int_equal(vm_unmap(s, top, PG), 0);
	map_at(s->mmap_base - PG, 3 * PG, RW, 0, NULL, 0);
	assert_int_equal(place_anywhere(PG), s->mmap_base - 2 * PG);
	/* nothing is placed in the gap that a stack grows into */
	map_at(s->mmap_base - 1024 * PG, PG, RW, VM_GROWSDOWN, NULL, 0);
	map_at(s->mmap_base - 1023 * PG, 1021 * PG, RW, 0, NULL, 0);
	assert_int_equal(
	    place_anywhere(PG), s->mmap_base - (1024 + 256 + 1) * PG);
	/* a full lower part: above the base then */
	assert_int_equal(
	    vm_map(s, &at, s->mmap_base - (1ul << 33), VM_READ, 0, NULL, 0), 0);
	at = 0;
	assert_int_equal(vm_map(s, &at, 1ul << 33, VM_READ, 0, NULL, 0), 0);
	assert_true(at >= s->mmap_base);
}

static void test_neighbours_grow(void **state)
{
	struct object o = { .obj = { &obj_ops } };
	long live;

	(void)state;
	map_at(BASE, 2 * PG, RW, 0, NULL, 0);
	live = fake_mm_live();
	map_at(BASE + 2 * PG, PG, RW, 0, NULL, 0);
	map_at(BASE - PG, PG, RW, 0, NULL, 0);
	assert_int_equal(nvma(), 1);
	/* taken off again at either end: still nothing is allocated */
	fake_mm_fail_nth(1);
	assert_int_equal(vm_unmap(s, BASE - PG, PG), 0);
	assert_int_equal(vm_unmap(s, BASE + 2 * PG, PG), 0);
	fake_mm_fail_nth(0);
	assert_int_equal(fake_mm_live(), live);
	/* between two that it joins */
	map_at(BASE + 3 * PG, PG, RW, 0, NULL, 0);
	assert_int_equal(nvma(), 2);
	map_at(BASE + 2 * PG, PG, RW, 0, NULL, 0);
	assert_int_equal(nvma(), 1);
	/* files only where the offset goes on */
	map_at(BASE + 8 * PG, PG, VM_READ, 0, &o, 4 * PG);
	map_at(BASE + 9 * PG, PG, VM_READ, 0, &o, 6 * PG);
	assert_int_equal(nvma(), 3);
	map_at(BASE + 9 * PG, PG, VM_READ, 0, &o, 5 * PG);
	map_at(BASE + 7 * PG, PG, VM_READ, 0, &o, 3 * PG);
	assert_int_equal(nvma(), 2);
	for (int i = 0; i < 3; i++)
		assert_int_equal(peek(BASE + (7 + i) * PG), 'd' + i);
	assert_int_equal(vm_unmap(s, BASE + 8 * PG, PG), 0);
	assert_int_equal(peek(BASE + 7 * PG), 'd');
	assert_int_equal(peek(BASE + 9 * PG), 'f');
	assert_int_equal(o.refs, 2);
	assert_int_equal(vm_unmap(s, BASE, 16 * PG), 0);
	obj_drop(&o, 0);
}

static void test_too_many_mappings(void **state)
{
	uintptr_t at = 0;
	unsigned n = 0;

	(void)state;
	/* every other page, so that none can join */
	for (;; n++) {
		at = BASE + 2 * n * PG;
		if (vm_map(s, &at, PG, RW, VM_FIXED, NULL, 0) != 0)
			break;
	}
	assert_int_equal(n, 65530);
	assert_int_equal(s->nvma, n);
	/* one that can become longer does; a hole cannot be made */
	map_at(BASE + PG, PG, RW, 0, NULL, 0);
	map_at(BASE + 2 * (n - 1) * PG, 3 * PG, RW, 0, NULL, 0);
	at = BASE + 2 * n * PG + 8 * PG;
	assert_int_equal(vm_map(s, &at, PG, RW, VM_FIXED, NULL, 0), 0);
	assert_int_equal(
	    vm_unmap(s, BASE + 2 * (n - 1) * PG + PG, PG), -ENOMEM);
	assert_int_equal(
	    vm_protect(s, BASE + 2 * (n - 1) * PG, PG, VM_READ), -ENOMEM);
	assert_int_equal(vm_unmap(s, BASE, 3 * PG), 0);
	assert_int_equal(vm_unmap(s, BASE + 2 * (n - 1) * PG + PG, PG), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_gap_search),
		T(test_gap_search_at_the_edges),
		T(test_neighbours_grow),
		T(test_too_many_mappings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
