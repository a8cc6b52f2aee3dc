/* msync, mlock and mincore. */

#include <linux/mman.h>

#include "kern/errno.h"
#include "kern/num.h"
#include "kern/string.h"
#include "vm_int.h"

int vma_for_range(struct vm_space *s, uintptr_t addr, size_t len,
    int (*fn)(struct vma *, uintptr_t, uintptr_t, int), int arg)
{
	uintptr_t at = addr, end = addr + len;
	int err = 0, hole = 0;

	while (!err && at < end) {
		struct vma *v = vma_find(s, at);

		if (!v || v->start >= end)
			return -ENOMEM;
		if (v->start > at)
			hole = -ENOMEM;
		at = MAX(at, v->start);
		err = fn(v, at, MIN(end, v->end), arg);
		at = v->end;
	}
	return err ? err : hole;
}

/* Writes fault from now on, so that what follows is noticed again. */
static void write_protect(struct vma *v, uintptr_t a, uintptr_t b)
{
	struct pgtable *pt = v->space->pt;
	bool flush = false;
	unsigned prot;
	uint64_t pa;
	size_t size;

	mutex_lock(&v->space->pt_lock);
	for (uintptr_t va = a; (va = pt_next(pt, va, b)) < b; va += PAGE_SIZE)
		if (pt_lookup(pt, va, &pa, &size, &prot, NULL, NULL) &&
		    (prot & PT_WRITE)) {
			(void)pt_protect(pt, va, PAGE_SIZE, prot & ~PT_WRITE);
			flush = true;
		}
	mutex_unlock(&v->space->pt_lock);
	if (flush)
		pt_flush(pt, a, b - a);
}

static int sync_one(struct vma *v, uintptr_t a, uintptr_t b, int flags)
{
	if ((flags & MS_INVALIDATE) && (v->flags & VM_LOCKED))
		return -EBUSY;
	if (!(flags & MS_SYNC) || !(v->flags & VM_SHARED) || !v->obj ||
	    !v->obj->ops->sync)
		return 0;
	write_protect(v, a, b);
	return v->obj->ops->sync(v->obj,
	    (v->off + (a - v->start)) >> PAGE_SHIFT, (b - a) >> PAGE_SHIFT);
}

int vm_sync(struct vm_space *s, uintptr_t addr, size_t len, int flags)
{
	int err;

	if (!vm_range_ok(addr, len))
		return -ENOMEM;
	rwlock_read(&s->lock);
	err = vma_for_range(s, addr, len, sync_one, flags);
	rwlock_unlock(&s->lock);
	return err;
}

/* --- mlock ---------------------------------------------------------------- */

/* The range begins and ends between mappings: vm_split_range(). */
static int lock_one(struct vma *v, uintptr_t a, uintptr_t b, int lock)
{
	uint64_t len = b - a;

	if (!!(v->flags & VM_LOCKED) == lock)
		return 0;
	v->flags ^= VM_LOCKED;
	v->space->locked += lock ? len : -len;
	return 0;
}

/*
 * Bring the pages in: for writing where that would copy them, so that they
 * stay.  What is not allowed at all is -ENOMEM, as what is not mapped is.
 */
static int lock_populate(struct vm_space *s, uintptr_t addr, uintptr_t end)
{
	int err = 0;

	while (!err && addr < end) {
		unsigned access = VM_FAULT_READ;
		uintptr_t stop = end;
		struct vma *v;

		rwlock_read(&s->lock);
		v = vma_find(s, addr);
		if (v && v->start <= addr) {
			stop = MIN(end, v->end);
			if ((v->prot & VM_WRITE) && !(v->flags & VM_SHARED))
				access = VM_FAULT_WRITE;
		}
		rwlock_unlock(&s->lock);
		err = vm_populate_range(s, addr, stop - addr, access);
		addr = stop;
	}
	return err && err != -EAGAIN ? -ENOMEM : err;
}

int vm_lock(
    struct vm_space *s, uintptr_t addr, size_t len, bool lock, bool populate)
{
	int err;

	if (!vm_range_ok(addr, len))
		return -ENOMEM;
	rwlock_write(&s->lock);
	err = vm_split_range(s, addr, len);
	if (!err)
		err = vma_for_range(s, addr, len, lock_one, lock);
	vm_merge_range(s, addr, len);
	rwlock_unlock(&s->lock);
	if (!err && lock && populate)
		err = lock_populate(s, addr, addr + len);
	return err;
}

/* One mapping after another; what has no access is left out. */
static void populate_all(struct vm_space *s)
{
	uintptr_t at = 0;
	struct vma *v;

	for (;;) {
		uintptr_t start, end;
		unsigned prot;

		rwlock_read(&s->lock);
		v = vma_find(s, at);
		if (v) {
			start = v->start;
			end = v->end;
			prot = v->flags & VM_LOCKED ? v->prot : 0;
		}
		rwlock_unlock(&s->lock);
		if (!v)
			return;
		vm_populate(s, start, end - start, prot);
		at = end;
	}
}

static void lock_each(struct vm_space *s, bool lock)
{
	for (struct rb_node *n = rb_first(&s->vmas); n; n = rb_next(n)) {
		struct vma *v = rb_entry(n, struct vma, node);

		(void)lock_one(v, v->start, v->end, lock);
	}
	vm_merge_range(s, USER_MIN, USER_MAX - USER_MIN);
}

void vm_lock_all(struct vm_space *s, bool now, bool populate, unsigned future)
{
	rwlock_write(&s->lock);
	s->lock_future = future;
	if (now)
		lock_each(s, true);
	rwlock_unlock(&s->lock);
	if (now && populate)
		populate_all(s);
}

void vm_unlock_all(struct vm_space *s)
{
	rwlock_write(&s->lock);
	s->lock_future = 0;
	lock_each(s, false);
	rwlock_unlock(&s->lock);
}

/* --- mincore -------------------------------------------------------------- */

static int incore_one(struct vma *v, uintptr_t a, uintptr_t b, int unused)
{
	(void)v;
	(void)a;
	(void)b;
	(void)unused;
	return 0;
}

int vm_incore(struct vm_space *s, uintptr_t addr, size_t len, uint8_t *vec)
{
	int err;

	if (!vm_range_ok(addr, len))
		return -ENOMEM;
	memset(vec, 0, len >> PAGE_SHIFT);
	rwlock_read(&s->lock);
	err = vma_for_range(s, addr, len, incore_one, 0);
	mutex_lock(&s->pt_lock);
	for (uintptr_t va = addr;
	     (va = pt_next(s->pt, va, addr + len)) < addr + len;
	     va += PAGE_SIZE)
		vec[(va - addr) >> PAGE_SHIFT] = 1;
	mutex_unlock(&s->pt_lock);
	rwlock_unlock(&s->lock);
	return err;
}
