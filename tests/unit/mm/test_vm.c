#include "vm_fixture.h"

static void test_anonymous(void **state)
{
	(void)state;
	map_at(BASE, 4 * PG, RW, 0, NULL, 0);
	assert_int_equal(fake_pt_entries(), 0);
	assert_int_equal(peek(BASE), 0);
	assert_int_equal(poke(BASE + PG + 5, 7), 0);
	assert_int_equal(peek(BASE + PG + 5), 7);
	assert_int_equal(fake_pt_entries(), 2);
	assert_int_equal(peek(BASE + 4 * PG), -EFAULT);
	assert_int_equal(vm_unmap(s, BASE + PG, PG), 0);
	assert_int_equal(peek(BASE + PG), -EFAULT);
	assert_int_equal(nvma(), 2);
}

static void test_errors(void **state)
{
	uintptr_t at = BASE;

	(void)state;
	assert_int_equal(
	    vm_map(s, &at, PG, VM_WRITE | VM_EXEC, 0, NULL, 0), -EACCES);
	assert_int_equal(vm_map(s, &at, 0, RW, 0, NULL, 0), -EINVAL);
	assert_int_equal(vm_map(s, &at, USER_MAX, RW, 0, NULL, 0), -ENOMEM);
	assert_int_equal(vm_map(s, &at, 2ul << 30, RW, 0, NULL, 0), -ENOMEM);
	at = 0;
	assert_int_equal(
	    vm_map(s, &at, 2ul << 30, RW, VM_NORESERVE, NULL, 0), 0);
	map_at(BASE, PG, VM_READ, 0, NULL, 0);
	at = BASE;
	assert_int_equal(
	    vm_map(s, &at, PG, RW, VM_FIXED | VM_NOREPLACE, NULL, 0), -EEXIST);
	assert_int_equal(poke(BASE, 1), -EACCES);
	assert_int_equal(vm_fault(s, BASE, VM_FAULT_EXEC), -EACCES);
	assert_int_equal(vm_fault(s, 0, VM_FAULT_READ), -EFAULT);
	assert_int_equal(vm_fault(s, USER_MAX, VM_FAULT_READ), -EFAULT);
	assert_int_equal(vm_protect(s, BASE, PG, VM_WRITE | VM_EXEC), -EACCES);
	assert_int_equal(vm_protect(s, BASE, 2 * PG, RW), -ENOMEM);
	assert_int_equal(vm_unmap(s, BASE + 1, PG), -EINVAL);
}

static void test_placement(void **state)
{
	uintptr_t a = 0, b = 0, c = BASE, d = 0;

	(void)state;
	assert_int_equal(vm_map(s, &a, 3 * PG, RW, 0, NULL, 0), 0);
	assert_int_equal(vm_map(s, &b, PG, VM_READ, 0, NULL, 0), 0);
	assert_int_equal(b, a - PG); /* top down, close together */
	assert_int_equal(vm_map(s, &c, PG, RW, 0, NULL, 0), 0);
	assert_int_equal(c, BASE); /* a free hint is taken */
	assert_int_equal(vm_map(s, &c, PG, RW, 0, NULL, 0), 0);
	assert_int_not_equal(c, BASE);
	/* A hole of the right size is found again. */
	assert_int_equal(vm_unmap(s, a + PG, PG), 0);
	assert_int_equal(vm_map(s, &d, PG, VM_READ, 0, NULL, 0), 0);
	assert_int_equal(d, a + PG);
	d = 0;
	assert_int_equal(vm_map(s, &d, PG, RW, VM_32BIT, NULL, 0), 0);
	assert_true(d < 1ul << 31);
}

static void test_private_file(void **state)
{
	struct object o = { .obj = { &obj_ops } };

	(void)state;
	map_at(BASE, 4 * PG, RW, 0, &o, 2 * PG);
	assert_int_equal(peek(BASE), 'c');
	assert_int_equal(poke(BASE, 'X'), 0);
	assert_int_equal(peek(BASE), 'X');
	assert_int_equal(peek(BASE + 1), 'c');
	assert_int_equal(o.page[2][0], 'c');
	assert_int_equal(poke(BASE + PG, 'Y'), 0);
	assert_int_equal(o.page[3][0], 'd');
	assert_int_equal(o.written, 0);
	/* Dropping the copy shows the file again. */
	assert_int_equal(vm_advise(s, BASE, PG, MADV_DONTNEED), 0);
	assert_int_equal(peek(BASE), 'c');
	map_at(BASE + 4 * PG, 2 * PG, RW, 0, &o, 15 * PG);
	assert_int_equal(peek(BASE + 4 * PG), 'p');
	assert_int_equal(peek(BASE + 5 * PG), -EIO);
	assert_int_equal(vm_unmap(s, BASE, 8 * PG), 0);
	assert_int_equal(o.refs, 0);
	obj_drop(&o, 0);
}

static void test_shared_file(void **state)
{
	struct object o = { .obj = { &obj_ops } };

	(void)state;
	map_at(BASE, 4 * PG, RW, VM_SHARED, &o, 0);
	map_at(BASE + 8 * PG, 4 * PG, RW, VM_SHARED, &o, 0);
	assert_int_equal(peek(BASE), 'a');
	assert_int_equal(o.written, 0);
	assert_int_equal(poke(BASE, 'X'), 0);
	assert_int_equal(o.written, 1);
	assert_int_equal(peek(BASE + 8 * PG), 'X');
	assert_int_equal(page_refs(o.page[0]), 3);
	/* After msync a write is noticed again. */
	assert_int_equal(vm_sync(s, BASE, 2 * PG, MS_SYNC), 0);
	assert_int_equal(o.synced, 3);
	o.written = 0;
	assert_int_equal(poke(BASE, 'Y'), 0);
	assert_int_equal(o.written, 1);
	/* mprotect does not hide a first write either. */
	o.written = 0;
	assert_int_equal(vm_protect(s, BASE, PG, VM_READ), 0);
	assert_int_equal(poke(BASE, 'Z'), -EACCES);
	assert_int_equal(vm_protect(s, BASE, PG, RW), 0);
	assert_int_equal(poke(BASE, 'Z'), 0);
	assert_int_equal(o.written, 1);
	map_at(BASE, PG, VM_READ, VM_SHARED | VM_NOWRITE, &o, 0);
	assert_int_equal(vm_protect(s, BASE, PG, RW), -EACCES);
	assert_int_equal(vm_unmap(s, BASE, 16 * PG), 0);
	assert_int_equal(o.refs, 0);
	obj_drop(&o, 0);
}

static void test_zap(void **state)
{
	struct object o = { .obj = { &obj_ops } };

	(void)state;
	map_at(BASE, 4 * PG, RW, VM_SHARED, &o, 2 * PG);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(poke(BASE + i * PG, 'X'), 0);
	obj_drop(&o, 4);
	vm_object_zap(&o.obj, 4, 100);
	assert_int_equal(fake_pt_entries(), 2);
	assert_int_equal(peek(BASE + PG), 'X');
	assert_int_equal(peek(BASE + 2 * PG), 'e');
	vm_object_zap(&o.obj, 0, UINT64_MAX);
	assert_int_equal(fake_pt_entries(), 0);
	assert_int_equal(vm_unmap(s, BASE, 4 * PG), 0);
	obj_drop(&o, 0);
}

static void truncate_now(struct object *o)
{
	obj_drop(o, 0);
	vm_object_zap(&o->obj, 0, OBJ_PAGES);
}

/* The page is truncated between the object's answer and the mapping. */
static void test_zap_during_fault(void **state)
{
	struct object o = { .obj = { &obj_ops } };

	(void)state;
	map_at(BASE, PG, RW, VM_SHARED, &o, 0);
	o.before_return = truncate_now;
	assert_int_equal(poke(BASE, 'X'), 0);
	assert_non_null(o.page[0]); /* asked again */
	assert_int_equal(o.page[0][0], 'X');
	assert_int_equal(vm_unmap(s, BASE, PG), 0);
	obj_drop(&o, 0);
}

static void test_protect(void **state)
{
	(void)state;
	map_at(BASE, 8 * PG, RW, 0, NULL, 0);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(poke(BASE + i * PG, (unsigned char)i), 0);
	assert_int_equal(vm_protect(s, BASE + 2 * PG, 2 * PG, 0), 0);
	assert_int_equal(nvma(), 3);
	assert_int_equal(peek(BASE + 2 * PG), -EACCES);
	assert_int_equal(fake_pt_entries(), 8); /* kept */
	assert_int_equal(vm_protect(s, BASE + 2 * PG, 2 * PG, RW), 0);
	assert_int_equal(nvma(), 1);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(peek(BASE + i * PG), i);
}

static void test_remap(void **state)
{
	uintptr_t to;

	(void)state;
	map_at(BASE, 4 * PG, RW, 0, NULL, 0);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(poke(BASE + i * PG, (unsigned char)i), 0);
	/* In place, then blocked. */
	assert_int_equal(vm_remap(s, BASE, 4 * PG, 6 * PG, 0, 0), BASE);
	assert_int_equal(nvma(), 1);
	map_at(BASE + 6 * PG, PG, VM_READ, 0, NULL, 0);
	assert_int_equal(vm_remap(s, BASE, 6 * PG, 7 * PG, 0, 0), -ENOMEM);
	to = (uintptr_t)vm_remap(s, BASE, 6 * PG, 8 * PG, MREMAP_MAYMOVE, 0);
	assert_true(to > BASE);
	assert_int_equal(peek(BASE), -EFAULT);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(peek(to + i * PG), i);
	/* The middle to a fixed place, over what is there. */
	assert_int_equal(vm_remap(s, to + PG, 2 * PG, PG,
			     MREMAP_MAYMOVE | MREMAP_FIXED, BASE + 6 * PG),
	    BASE + 6 * PG);
	assert_int_equal(peek(BASE + 6 * PG), 1);
	assert_int_equal(peek(to + PG), -EFAULT);
	assert_int_equal(peek(to + 2 * PG), -EFAULT);
	assert_int_equal(peek(to + 3 * PG), 3);
	assert_int_equal(
	    vm_remap(s, to + PG, PG, 2 * PG, MREMAP_MAYMOVE, 0), -EFAULT);
	assert_int_equal(
	    vm_remap(s, to, PG, PG, MREMAP_MAYMOVE | MREMAP_FIXED, to),
	    -EINVAL);
}

static void test_remap_without_memory(void **state)
{
	(void)state;
	map_at(BASE, 3 * PG, RW, 0, NULL, 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(poke(BASE + i * PG, (unsigned char)i), 0);
	fake_pt_fail_nth(3);
	assert_int_equal(vm_remap(s, BASE, 3 * PG, 4 * PG,
			     MREMAP_MAYMOVE | MREMAP_FIXED, 2 * BASE),
	    -ENOMEM);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(peek(BASE + i * PG), i);
	assert_int_equal(peek(2 * BASE), -EFAULT);
}

static void test_brk(void **state)
{
	(void)state;
	vm_brk_init(s, BASE);
	assert_int_equal(vm_brk(s, 0), BASE);
	assert_int_equal(vm_brk(s, BASE + 100), BASE + 100);
	assert_int_equal(poke(BASE + 50, 1), 0);
	assert_int_equal(vm_brk(s, BASE + 3 * PG), BASE + 3 * PG);
	assert_int_equal(nvma(), 1);
	assert_int_equal(poke(BASE + 2 * PG, 1), 0);
	assert_int_equal(vm_brk(s, BASE + 10), BASE + 10);
	assert_int_equal(peek(BASE + 50), 1);
	assert_int_equal(peek(BASE + 2 * PG), -EFAULT);
	assert_int_equal(vm_brk(s, BASE - PG), BASE + 10);
	map_at(BASE + 4 * PG, PG, RW, 0, NULL, 0);
	assert_int_equal(vm_brk(s, BASE + 5 * PG), BASE + 10);
}

static void test_shared_anonymous(void **state)
{
	uint64_t k1[2], k2[2];

	(void)state;
	map_at(BASE, 4 * PG, RW, VM_SHARED, NULL, 0);
	assert_int_equal(poke(BASE + PG, 9), 0);
	assert_int_equal(vm_advise(s, BASE, 4 * PG, MADV_DONTNEED), 0);
	assert_int_equal(fake_pt_entries(), 0);
	assert_int_equal(peek(BASE + PG), 9);
	assert_int_equal(vm_futex_key(s, BASE + 8, k1), 0);
	assert_int_equal(vm_remap(s, BASE, 4 * PG, 4 * PG,
			     MREMAP_MAYMOVE | MREMAP_FIXED, 2 * BASE),
	    2 * BASE);
	assert_int_equal(peek(2 * BASE + PG), 9);
	assert_int_equal(vm_futex_key(s, 2 * BASE + 8, k2), 0);
	assert_memory_equal(k1, k2, sizeof(k1));
	assert_int_equal(vm_futex_key(s, BASE, k2), -EFAULT);
}

static void test_grows_down(void **state)
{
	(void)state;
	map_at(BASE, PG, RW, 0, NULL, 0);
	map_at(BASE + 1024 * PG, PG, RW, VM_GROWSDOWN, NULL, 0);
	assert_int_equal(poke(BASE + 1000 * PG, 1), 0);
	assert_int_equal(poke(BASE + 1020 * PG, 1), 0);
	/* The guard gap above the mapping below stays. */
	assert_int_equal(poke(BASE + 256 * PG, 1), -EFAULT);
	assert_int_equal(poke(BASE + 257 * PG, 1), 0);
	assert_false(vm_range_free(s, BASE + 2 * PG, PG));
}

static void test_advice(void **state)
{
	uint8_t vec[8];

	(void)state;
	map_at(BASE, 4 * PG, RW, 0, NULL, 0);
	map_at(BASE + 6 * PG, 2 * PG, RW, 0, NULL, 0);
	assert_int_equal(vm_advise(s, BASE, 2 * PG, MADV_POPULATE_WRITE), 0);
	assert_int_equal(fake_pt_entries(), 2);
	assert_int_equal(vm_incore(s, BASE, 4 * PG, vec), 0);
	assert_memory_equal(vec, "\1\1\0\0", 4);
	assert_int_equal(vm_incore(s, BASE, 8 * PG, vec), -ENOMEM);
	poke(BASE, 5);
	poke(BASE + 7 * PG, 5);
	/* Over the hole: all parts are done, then the hole is reported. */
	assert_int_equal(vm_advise(s, BASE, 8 * PG, MADV_DONTNEED), -ENOMEM);
	assert_int_equal(fake_pt_entries(), 0);
	assert_int_equal(peek(BASE), 0);
	assert_int_equal(vm_advise(s, BASE, PG, 9999), -EINVAL);
	assert_int_equal(vm_advise(s, BASE, PG, MADV_HUGEPAGE), 0);
	assert_int_equal(vm_lock(s, BASE + PG, 2 * PG, true, true), 0);
	assert_int_equal(s->locked, 2 * PG);
	assert_int_equal(vm_advise(s, BASE, 4 * PG, MADV_DONTNEED), -EINVAL);
	assert_int_equal(vm_lock(s, BASE, 4 * PG, false, false), 0);
	assert_int_equal(s->locked, 0);
	assert_int_equal(nvma(), 3);
}

/* --- random operations against a model of pages ------------------------ */

#define NPAGE 48

struct model {
	bool mapped;
	unsigned prot;
	unsigned char byte;
};

static struct model model[NPAGE];

static void check_model(unsigned i)
{
	uintptr_t va = BASE + i * PG;
	int want = model[i].byte;

	if (!model[i].mapped)
		want = -EFAULT;
	else if (!model[i].prot)
		want = -EACCES;
	assert_int_equal(peek(va), want);
}

static void model_step(unsigned op, unsigned a, unsigned n, unsigned prot)
{
	bool whole = true;
	unsigned i, to;
	long r;

	for (i = a; i < a + n; i++)
		whole &= model[i].mapped;
	switch (op) {
	case 0:
		map_at(BASE + a * PG, n * PG, prot, 0, NULL, 0);
		for (i = a; i < a + n; i++)
			model[i] = (struct model){ true, prot, 0 };
		break;
	case 1:
		assert_int_equal(vm_unmap(s, BASE + a * PG, n * PG), 0);
		for (i = a; i < a + n; i++)
			model[i].mapped = false;
		break;
	case 2:
		r = vm_protect(s, BASE + a * PG, n * PG, prot);
		assert_int_equal(r, whole ? 0 : -ENOMEM);
		for (i = a; i < a + n && model[i].mapped; i++)
			model[i].prot = prot;
		break;
	case 3:
		to = (a + NPAGE / 2) % NPAGE;
		if (to + n > NPAGE || (to < a + n && a < to + n) || !whole)
			break;
		r = vm_remap(s, BASE + a * PG, n * PG, n * PG,
		    MREMAP_MAYMOVE | MREMAP_FIXED, BASE + to * PG);
		for (i = 0; i < n; i++) {
			model[to + i] =
			    r < 0 ? (struct model){ 0 } : model[a + i];
			if (r >= 0)
				model[a + i].mapped = false;
		}
		/* Not in one mapping: refused, but the target has gone. */
		assert_true(r == (long)(BASE + to * PG) || r == -EFAULT);
		break;
	default:
		for (i = a; i < a + n; i++)
			if (model[i].mapped && (model[i].prot & VM_WRITE))
				assert_int_equal(
				    poke(BASE + i * PG,
					model[i].byte = (unsigned char)op),
				    0);
	}
}

static void test_model(void **state)
{
	static const unsigned prots[] = { 0, VM_READ, RW, RW,
		VM_READ | VM_EXEC };

	(void)state;
	memset(model, 0, sizeof(model));
	srand(4);
	for (unsigned step = 0; step < 4000; step++) {
		unsigned a = (unsigned)rand() % NPAGE;
		unsigned n = 1 + (unsigned)rand() % MIN(NPAGE - a, 10);

		model_step((unsigned)rand() % 9, a, n,
		    prots[(unsigned)rand() % ARRAY_SIZE(prots)]);
		for (unsigned i = 0; i < NPAGE; i++)
			if ((i + step) % 4 == 0)
				check_model(i);
		assert_int_equal(fake_pt_stale(), 0);
	}
}

/* Each allocation fails in turn; nothing leaks, nothing is half done. */
static void test_no_memory(void **state)
{
	struct object o = { .obj = { &obj_ops } };
	bool failed;
	long n = 1;

	(void)state;
	do {
		uintptr_t at = BASE;

		fake_mm_fail_nth(n++);
		if (vm_map(s, &at, 8 * PG, RW, VM_FIXED, &o.obj, 0) == 0) {
			(void)poke(BASE, 1);
			(void)vm_unmap(s, BASE + 2 * PG, PG);
			(void)vm_protect(s, BASE + 4 * PG, PG, VM_READ);
			(void)vm_remap(
			    s, BASE, 2 * PG, 4 * PG, MREMAP_MAYMOVE, 0);
		}
		at = 2 * BASE;
		if (vm_map(s, &at, 8 * PG, RW, VM_SHARED | VM_FIXED, NULL, 0) ==
		    0)
			(void)poke(at, 1);
		failed = fake_mm_failed();
		fake_mm_fail_nth(0);
		assert_int_equal(vm_unmap(s, PG * 16, USER_MAX - PG * 16), 0);
		assert_int_equal(o.refs, 0);
		assert_int_equal(nvma(), 0);
		assert_int_equal(fake_pt_entries(), 0);
	} while (failed);
	assert_true(n > 8);
	obj_drop(&o, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_anonymous),
		T(test_errors),
		T(test_placement),
		T(test_private_file),
		T(test_shared_file),
		T(test_zap),
		T(test_zap_during_fault),
		T(test_protect),
		T(test_remap),
		T(test_remap_without_memory),
		T(test_brk),
		T(test_shared_anonymous),
		T(test_grows_down),
		T(test_advice),
		T(test_model),
		T(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
