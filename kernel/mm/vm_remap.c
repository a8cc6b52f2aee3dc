/* mremap(2). */

#include <linux/mman.h>

#include "kern/errno.h"
#include "kern/num.h"
#include "vm_int.h"

/* pt_lock is held; large pages go in pieces. */
static int move_page(
    struct vm_space *s, uintptr_t va, uintptr_t to, bool *flush)
{
	bool cached;
	int r = pt_split(s->pt, va);

	if (r < 0)
		return r;
	if (r > 0)
		mm_account_huge(-1);
	r = pt_move(s->pt, va, to, &cached);
	*flush |= cached;
	return r;
}

/*
 * Move the resident pages of [from, from + len) in (v) to (to) in (dst).
 * Table memory for (to) may run out: what has gone goes back, where the
 * tables are still there.
 */
static int move_pages(
    struct vma *v, struct vma *dst, uintptr_t from, uintptr_t to, size_t len)
{
	struct vm_space *s = v->space;
	uintptr_t va = from, end = from + len;
	bool flush = false;
	int err = 0;

	if (v->resident == 0)
		return 0;
	mutex_lock(&s->pt_lock);
	for (; (va = pt_next(s->pt, va, end)) < end; va += PAGE_SIZE) {
		err = move_page(s, va, to + (va - from), &flush);
		if (err)
			break;
		v->resident--;
		dst->resident++;
	}
	mutex_unlock(&s->pt_lock);
	if (flush)
		pt_flush(s->pt, from, len);
	return err;
}

/* A new mapping at (to) with (v)'s pages; the old range is left empty. */
static int move_vma(struct vma *v, uintptr_t old, size_t old_len, uintptr_t to,
    size_t new_len, bool keep)
{
	struct vm_space *s = v->space;
	uint64_t off = v->obj ? v->off + (old - v->start) : 0;
	struct vma *dst;
	int err;

	if (vma_too_many(s))
		return -ENOMEM;
	dst = vma_create(s, to, to + new_len, v->prot, v->flags, v->obj, off);
	if (!dst)
		return -ENOMEM;
	dst->touched = v->touched;
	dst->lazy = v->lazy;
	vma_insert(dst);
	err = move_pages(v, dst, old, to, MIN(old_len, new_len));
	if (err) {
		(void)move_pages(dst, v, to, old, MIN(old_len, new_len));
		vma_remove(dst);
		vma_destroy(dst);
		return err;
	}
	if (!keep)
		err = vm_unmap_locked(s, old, old_len);
	(void)vma_merge(dst);
	return err;
}

static int check_fixed(struct vm_space *s, uintptr_t old, size_t old_len,
    uintptr_t new, size_t new_len)
{
	if (!vm_range_ok(new, new_len))
		return -EINVAL;
	if (old < new + new_len &&new < old + old_len)
		return -EINVAL;
	return vm_unmap_locked(s, new, new_len);
}

/* Where it moves to: given, or any; 0: there is no room. */
static uintptr_t destination(
    struct vm_space *s, size_t len, unsigned flags, uintptr_t given)
{
	return flags & MREMAP_FIXED ? given : vm_find_gap(s, len, 0);
}

/* A second mapping of the same shared memory: old_len 0. */
static long duplicate(struct vm_space *s, uintptr_t old, size_t len,
    unsigned flags, uintptr_t new)
{
	struct vma *v = vma_find(s, old), *dst;

	if (!v || v->start > old)
		return -EFAULT;
	if (!(v->flags & VM_SHARED))
		return -EINVAL;
	if (!(flags & MREMAP_MAYMOVE) || vma_too_many(s))
		return -ENOMEM;
	new = destination(s, len, flags, new);
	if (!new)
		return -ENOMEM;
	dst = vma_create(s, new, new + len, v->prot, v->flags, v->obj,
	    v->off + (old - v->start));
	if (!dst)
		return -ENOMEM;
	vma_insert(dst);
	(void)vma_merge(dst);
	return (long)new;
}

/* Room directly behind (v)? */
static bool can_extend(
    const struct vma *v, uintptr_t old, size_t old_len, size_t new_len)
{
	return v->end == old + old_len && vm_range_ok(old, new_len) &&
	       vm_range_free(v->space, v->end, new_len - old_len);
}

static bool may_grow(const struct vma *v, size_t more)
{
	return vm_limits_allow(v->space, more, v->prot, v->flags) &&
	       (!(v->flags & VM_ACCOUNT) || vm_may_commit(more) == 0);
}

static long remap_locked(struct vm_space *s, uintptr_t old, size_t old_len,
    size_t new_len, unsigned flags, uintptr_t new)
{
	bool keep = flags & MREMAP_DONTUNMAP;
	struct vma *v;
	int err;

	if (flags & MREMAP_FIXED) {
		err = check_fixed(s, old, old_len, new, new_len);
		if (err)
			return err;
	}
	if (old_len == 0)
		return duplicate(s, old, new_len, flags, new);
	/* A smaller one is cut first, wherever it goes. */
	if (new_len < old_len) {
		err = vm_unmap_locked(s, old + new_len, old_len - new_len);
		if (err)
			return err;
		old_len = new_len;
	}
	v = vma_find(s, old);
	if (!v || v->start > old || v->end - old < old_len)
		return -EFAULT;
	if (!may_grow(v, keep ? new_len : new_len - old_len))
		return -ENOMEM;
	if (!(flags & MREMAP_FIXED) && !keep) {
		if (old_len == new_len)
			return (long)old;
		if (can_extend(v, old, old_len, new_len)) {
			vma_resize(v, v->start, old + new_len);
			(void)vma_merge(v);
			return (long)old;
		}
	}
	if (!(flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	new = destination(s, new_len, flags, new);
	if (!new)
		return -ENOMEM;
	err = move_vma(v, old, old_len, new, new_len, keep);
	return err ? err : (long)new;
}

long vm_remap(struct vm_space *s, uintptr_t old, size_t old_len, size_t new_len,
    unsigned flags, uintptr_t new_addr)
{
	unsigned prot = 0;
	struct vma *v;
	long r;

	if ((flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) &&
	    !(flags & MREMAP_MAYMOVE))
		return -EINVAL;
	if ((flags & MREMAP_DONTUNMAP) && old_len != new_len)
		return -EINVAL;
	if (new_len == 0 || !IS_ALIGNED(old_len, PAGE_SIZE) ||
	    !IS_ALIGNED(new_len, PAGE_SIZE) || !IS_ALIGNED(old, PAGE_SIZE))
		return -EINVAL;
	if (!vm_range_ok(old, old_len))
		return -EFAULT;
	rwlock_write(&s->lock);
	r = remap_locked(s, old, old_len, new_len, flags, new_addr);
	v = r > 0 ? vma_find(s, (uintptr_t)r) : NULL;
	if (v && (v->flags & VM_LOCKED))
		prot = v->prot;
	rwlock_unlock(&s->lock);
	if (prot && new_len > old_len)
		vm_populate(s, (uintptr_t)r + old_len, new_len - old_len, prot);
	return r;
}
