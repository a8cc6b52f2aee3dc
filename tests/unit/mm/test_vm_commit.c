/* What a program may have: limits, and what is promised. */

#include "vm_fixture.h"

static uint64_t committed(void)
{
	uint64_t limit, used;

	vm_commit_stats(&limit, &used);
	return used;
}

static int try_map(uintptr_t at, size_t len, unsigned prot, unsigned flags)
{
	return vm_map(s, &at, len, prot, flags | VM_FIXED, NULL, 0);
}

static int done(void **state)
{
	int r = teardown(state);

	vm_tune.overcommit = 0;
	assert_int_equal(committed(), 0);
	return r;
}

static void test_what_counts(void **state)
{
	struct object o = { .obj = { &obj_ops } };

	(void)state;
	assert_int_equal(try_map(BASE, 8 * PG, RW, 0), 0);
	assert_int_equal(committed(), 8 * PG);
	assert_int_equal(try_map(2 * BASE, 8 * PG, VM_READ, 0), 0);
	assert_int_equal(try_map(3 * BASE, 8 * PG, RW, VM_NORESERVE), 0);
	map_at(4 * BASE, 8 * PG, RW, VM_SHARED, &o, 0);
	assert_int_equal(committed(), 8 * PG);
	map_at(5 * BASE, 8 * PG, RW, 0, &o, 0);
	assert_int_equal(committed(), 16 * PG);
	assert_int_equal(vm_protect(s, 2 * BASE, PG, RW), 0);
	assert_int_equal(committed(), 17 * PG);
	/* what was promised stays so */
	assert_int_equal(vm_protect(s, 2 * BASE, PG, VM_READ), 0);
	assert_int_equal(committed(), 17 * PG);
	assert_int_equal(vm_unmap(s, BASE + 2 * PG, 3 * PG), 0);
	assert_int_equal(committed(), 14 * PG);
	assert_int_equal(s->data, 5 * PG + 8 * PG + 8 * PG);
	assert_int_equal(
	    vm_remap(s, BASE, 2 * PG, 5 * PG, MREMAP_MAYMOVE, 0) > 0, true);
	assert_int_equal(committed(), 17 * PG);
	assert_int_equal(vm_unmap(s, BASE, 16 * BASE), 0);
	assert_int_equal(vm_unmap(s, USER_MIN, USER_MAX - USER_MIN), 0);
	assert_int_equal(committed(), 0);
	assert_int_equal(s->data, 0);
	assert_int_equal(s->size, 0);
	obj_drop(&o, 0);
}

static void test_modes(void **state)
{
	uint64_t total = mm_total_bytes(), limit, used;

	(void)state;
	assert_int_equal(try_map(BASE, total + PG, RW, 0), -ENOMEM);
	assert_int_equal(try_map(BASE, total, RW, 0), 0);
	assert_int_equal(try_map(BASE + total, total, RW, 0), 0);
	vm_tune.overcommit = 1;
	assert_int_equal(try_map(BASE, 4 * total, RW, 0), 0);
	assert_int_equal(vm_unmap(s, BASE, 4 * total), 0);
	vm_tune.overcommit = 2;
	vm_commit_stats(&limit, &used);
	assert_int_equal(used, 0);
	assert_true(limit <= total / 2 && limit > total / 3);
	limit = ALIGN_DOWN(limit, PG);
	assert_int_equal(try_map(BASE, limit + PG, RW, 0), -ENOMEM);
	assert_int_equal(try_map(BASE, limit - PG, RW, 0), 0);
	/* now that promises are kept, no reserve is no way around */
	assert_int_equal(
	    try_map(BASE + limit, 2 * PG, RW, VM_NORESERVE), -ENOMEM);
	assert_int_equal(try_map(BASE + limit, 2 * PG, VM_READ, 0), 0);
	assert_int_equal(vm_protect(s, BASE + limit, 2 * PG, RW), -ENOMEM);
	assert_int_equal(vm_protect(s, BASE + limit, PG, RW), 0);
	assert_int_equal(
	    vm_remap(s, BASE, limit - PG, limit, MREMAP_MAYMOVE, 0), -ENOMEM);
	assert_int_equal(vm_unmap(s, BASE, PG), 0);
	assert_int_equal(try_map(BASE, PG, RW, 0), 0);
}

static void test_limits(void **state)
{
	struct vm_limits l = { 16 * PG, UINT64_MAX, UINT64_MAX };

	(void)state;
	vm_set_limits(s, &l);
	assert_int_equal(try_map(BASE, 12 * PG, RW, 0), 0);
	assert_int_equal(try_map(2 * BASE, 5 * PG, 0, 0), -ENOMEM);
	assert_int_equal(try_map(BASE + 8 * PG, 8 * PG, RW, 0), 0);
	assert_int_equal(try_map(BASE + 8 * PG, 9 * PG, RW, 0), -ENOMEM);
	assert_int_equal(s->size, 16 * PG);
	assert_int_equal(
	    vm_remap(s, BASE, 16 * PG, 17 * PG, MREMAP_MAYMOVE, 0), -ENOMEM);
	vm_brk_init(s, 3 * BASE);
	assert_int_equal(vm_brk(s, 3 * BASE + PG), 3 * BASE);
	l = (struct vm_limits){ UINT64_MAX, 17 * PG, UINT64_MAX };
	vm_set_limits(s, &l);
	assert_int_equal(vm_brk(s, 3 * BASE + PG), 3 * BASE + PG);
	assert_int_equal(vm_brk(s, 3 * BASE + 2 * PG), 3 * BASE + PG);
	assert_int_equal(try_map(2 * BASE, 5 * PG, VM_READ, 0), 0);
	assert_int_equal(vm_protect(s, 2 * BASE, PG, RW), -ENOMEM);
	assert_int_equal(try_map(4 * BASE, PG, RW, VM_GROWSDOWN), 0);
}

/* Each allocation fails in turn: what is counted stays right. */
static void test_no_memory(void **state)
{
	bool failed;
	long n = 1;

	(void)state;
	do {
		fake_mm_fail_nth(n++);
		if (try_map(BASE, 600 * PG, RW, 0) == 0) {
			(void)poke(BASE, 1);
			(void)poke(BASE + 513 * PG, 1);
			(void)vm_unmap(s, BASE + 2 * PG, PG);
			(void)vm_protect(s, BASE + 4 * PG, PG, VM_READ);
			(void)vm_advise(s, BASE, 20 * PG, MADV_FREE);
			(void)vm_advise(s, BASE, 8 * PG, MADV_NOHUGEPAGE);
			(void)vm_lock(s, BASE + 6 * PG, PG, true, true);
			(void)vm_remap(
			    s, BASE, 2 * PG, 4 * PG, MREMAP_MAYMOVE, 0);
			(void)vm_advise(s, BASE, 600 * PG, MADV_DONTNEED);
		}
		failed = fake_mm_failed();
		fake_mm_fail_nth(0);
		vm_unlock_all(s);
		assert_int_equal(vm_unmap(s, PG * 16, USER_MAX - PG * 16), 0);
		assert_int_equal(committed(), 0);
		assert_int_equal(s->data + s->size + s->locked, 0);
		assert_int_equal(anon_pages, 0);
	} while (failed);
	assert_true(n > 8);
}

#define C(f) cmocka_unit_test_setup_teardown(f, setup, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		C(test_what_counts),
		C(test_modes),
		C(test_limits),
		C(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
