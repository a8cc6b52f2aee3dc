/* madvise, msync, mlock and mincore. */

#include <linux/mman.h>

#include "kern/errno.h"
#include "kern/num.h"
#include "kern/string.h"
#include "vm_int.h"

static int drop_pages(struct vma *v, uintptr_t a, uintptr_t b, int advice)
{
	if (v->flags & VM_LOCKED)
		return -EINVAL;
	if (advice == MADV_FREE && (v->obj || (v->flags & VM_SHARED)))
		return -EINVAL;
	vma_zap(v, a, b);
	return 0;
}

static int advise_one(struct vma *v, uintptr_t a, uintptr_t b, int advice)
{
	switch (advice) {
	case MADV_DONTNEED:
	case MADV_FREE:
		return drop_pages(v, a, b, advice);
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_WILLNEED:
	case MADV_DONTFORK:
	case MADV_DOFORK:
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
	case MADV_DONTDUMP:
	case MADV_DODUMP:
	case MADV_WIPEONFORK:
	case MADV_KEEPONFORK:
	case MADV_COLD:
	case MADV_PAGEOUT:
		return 0; /* hints */
	default:
		return -EINVAL;
	}
}

/* Call (fn) for each mapping's part of the range; holes: -ENOMEM at the end.
 * The space is locked. */
static int for_range(struct vm_space *s, uintptr_t addr, size_t len,
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

static int populate(
    struct vm_space *s, uintptr_t addr, size_t len, unsigned access)
{
	int err = 0;

	for (uintptr_t va = addr; !err && va < addr + len; va += PAGE_SIZE)
		err = vm_fault(s, va, access);
	if (err == -EFAULT)
		return -ENOMEM;
	return err == -EACCES ? -EINVAL : err == -EIO ? -EFAULT : err;
}

int vm_advise(struct vm_space *s, uintptr_t addr, size_t len, int advice)
{
	int err;

	if (!IS_ALIGNED(addr | len, PAGE_SIZE))
		return -EINVAL;
	if (!vm_range_ok(addr, len))
		return -ENOMEM;
	if (advice == MADV_POPULATE_READ)
		return populate(s, addr, len, VM_FAULT_READ);
	if (advice == MADV_POPULATE_WRITE)
		return populate(s, addr, len, VM_FAULT_WRITE);
	/* Pages go under pt_lock: the mappings themselves do not change. */
	rwlock_read(&s->lock);
	err = for_range(s, addr, len, advise_one, advice);
	rwlock_unlock(&s->lock);
	return err;
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
	err = for_range(s, addr, len, sync_one, flags);
	rwlock_unlock(&s->lock);
	return err;
}

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

int vm_lock(struct vm_space *s, uintptr_t addr, size_t len, bool lock)
{
	int err;

	if (!vm_range_ok(addr, len))
		return -ENOMEM;
	rwlock_write(&s->lock);
	err = vm_split_range(s, addr, len);
	if (!err)
		err = for_range(s, addr, len, lock_one, lock);
	vm_merge_range(s, addr, len);
	rwlock_unlock(&s->lock);
	if (!err && lock) {
		err = populate(s, addr, len, VM_FAULT_READ);
		/* Memory without access is locked, but has no pages. */
		if (err == -EINVAL)
			err = 0;
	}
	return err;
}

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
	err = for_range(s, addr, len, incore_one, 0);
	mutex_lock(&s->pt_lock);
	for (uintptr_t va = addr;
	     (va = pt_next(s->pt, va, addr + len)) < addr + len;
	     va += PAGE_SIZE)
		vec[(va - addr) >> PAGE_SHIFT] = 1;
	mutex_unlock(&s->pt_lock);
	rwlock_unlock(&s->lock);
	return err;
}
