#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <linux/mman.h>
#include <cmocka.h>

#include "kern/errno.h"
#include "kern/num.h"
#include "kern/rand.h"
#include "kern/sched.h"
#include "kern/shrink.h"
#include "kernel/mm/vm_int.h"
#include "fake_mm.h"
#include "fake_pgtable.h"
#include "fake_sched.h"
#include "vm_fixture.h"

struct vm_space *s;
static long live_before;
int64_t anon_pages;

uint64_t rand_u64(void)
{
	return 12345;
}

void mm_account_anon(int64_t pages)
{
	anon_pages += pages;
}

uint64_t fixture_free = 1ull << 29;
int64_t huge_pages;

uint64_t page_free_bytes(void)
{
	return fixture_free;
}

void mm_account_huge(int64_t pages)
{
	huge_pages += pages;
}

size_t shrink_lazily(size_t target)
{
	return fake_shrinker->shrink(fake_shrinker, target, true);
}

/* --- an object of 16 pages, like a page cache ------------------------- */

static int obj_page(
    struct vm_object *obj, uint64_t index, bool write, void **out)
{
	struct object *o = (struct object *)obj;
	void (*hook)(struct object *) = o->before_return;

	if (index >= OBJ_PAGES)
		return -EFAULT;
	if (!o->page[index]) {
		o->page[index] = page_alloc(0, 0);
		if (!o->page[index])
			return -ENOMEM;
		memset(o->page[index], 'a' + (int)index, PG);
	}
	if (write)
		o->written |= 1u << index;
	page_get(o->page[index]);
	*out = o->page[index];
	if (hook) {
		o->before_return = NULL;
		hook(o);
	}
	return 0;
}

static void obj_get(struct vm_object *obj)
{
	((struct object *)obj)->refs++;
}

static void obj_put(struct vm_object *obj)
{
	((struct object *)obj)->refs--;
}

static int obj_sync(struct vm_object *obj, uint64_t first, uint64_t n)
{
	for (uint64_t i = first; i < first + n; i++)
		((struct object *)obj)->synced |= 1u << i;
	return 0;
}

const struct vm_object_ops obj_ops = {
	.page = obj_page, .get = obj_get, .put = obj_put, .sync = obj_sync
};

void obj_drop(struct object *o, unsigned first)
{
	for (unsigned i = first; i < OBJ_PAGES; i++) {
		if (o->page[i])
			page_put(o->page[i]);
		o->page[i] = NULL;
	}
}

/* --- helpers ----------------------------------------------------------- */

int setup(void **state)
{
	(void)state;
	live_before = fake_mm_live();
	s = vm_space_create();
	return s ? 0 : -1;
}

int teardown(void **state)
{
	(void)state;
	vm_space_put(s);
	assert_int_equal(fake_mm_live(), live_before);
	assert_int_equal(anon_pages, 0);
	assert_int_equal(huge_pages, 0);
	assert_int_equal(fake_locks_held(), 0);
	assert_int_equal(fake_pt_entries(), 0);
	return 0;
}

void map_at(uintptr_t at, size_t len, unsigned prot, unsigned flags,
    struct object *o, uint64_t off)
{
	assert_int_equal(vm_map(s, &at, len, prot, flags | VM_FIXED,
			     o ? &o->obj : NULL, off),
	    0);
}

/* What a program's access would do: the byte's address, or NULL. */
static unsigned char *access_at(uintptr_t va, unsigned access, int *err)
{
	unsigned prot = 0;
	uint64_t pa;
	size_t size;

	*err = 0;
	for (int i = 0; i < 2; i++) {
		if (pt_lookup(s->pt, va, &pa, &size, &prot, NULL, NULL) &&
		    !(prot & PT_NONE) &&
		    (!(access & VM_WRITE) || (prot & PT_WRITE))) {
			if (access & VM_WRITE)
				fake_pt_written(s->pt, va);
			return (unsigned char *)pa_to_va(pa) + va % size;
		}
		if (i == 0)
			*err = vm_fault(s, va, access);
		if (*err)
			return NULL;
	}
	fail_msg("vm_fault() resolved nothing at %lx", va);
	return NULL;
}

int peek(uintptr_t va)
{
	int err;
	unsigned char *p = access_at(va, VM_READ, &err);

	return p ? *p : err;
}

int poke(uintptr_t va, unsigned char c)
{
	int err;
	unsigned char *p = access_at(va, VM_WRITE, &err);

	if (p)
		*p = c;
	return err;
}

static void count_vma(const struct vm_info *i, void *arg)
{
	(void)i;
	++*(unsigned *)arg;
}

unsigned nvma(void)
{
	unsigned n = 0;

	vm_foreach(s, count_vma, &n);
	return n;
}
