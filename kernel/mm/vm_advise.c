/* madvise. */

#include <linux/mman.h>

#include "kern/errno.h"
#include "kern/num.h"
#include "vm_int.h"

static int drop(struct vma *v, uintptr_t a, uintptr_t b)
{
	if (vm_huge_cut(v->space, a) || vm_huge_cut(v->space, b))
		return -ENOMEM;
	vma_zap(v, a, b);
	return 0;
}

/* What needs the space locked for reading only: mappings do not change. */
static int advise_pages(struct vma *v, uintptr_t a, uintptr_t b, int advice)
{
	switch (advice) {
	case MADV_DONTNEED:
		return v->flags & VM_LOCKED ? -EINVAL : drop(v, a, b);
	case MADV_DONTNEED_LOCKED:
		return drop(v, a, b);
	case MADV_FREE:
		if (v->obj || (v->flags & VM_LOCKED))
			return -EINVAL;
		return vma_lazy_free(v, a, b);
	case MADV_COLD:
	case MADV_PAGEOUT:
		return v->flags & VM_LOCKED ? -EINVAL : 0;
	case MADV_WIPEONFORK:
		return v->obj ? -EINVAL : 0;
	default:
		return 0; /* hints */
	}
}

static bool is_known(int advice)
{
	switch (advice) {
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_WILLNEED:
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_FREE:
	case MADV_DONTFORK:
	case MADV_DOFORK:
	case MADV_MERGEABLE:
	case MADV_UNMERGEABLE:
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
	case MADV_DONTDUMP:
	case MADV_DODUMP:
	case MADV_WIPEONFORK:
	case MADV_KEEPONFORK:
	case MADV_COLD:
	case MADV_PAGEOUT:
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
		return true;
	default:
		return false;
	}
}

/* The range begins and ends between mappings. */
static int advise_huge(struct vma *v, uintptr_t a, uintptr_t b, int advice)
{
	(void)a;
	(void)b;
	v->flags &= ~(VM_HUGE | VM_NOHUGE);
	v->flags |= advice == MADV_HUGEPAGE ? VM_HUGE : VM_NOHUGE;
	return 0;
}

static int huge_range(
    struct vm_space *s, uintptr_t addr, size_t len, int advice)
{
	int err;

	rwlock_write(&s->lock);
	err = vm_split_range(s, addr, len);
	if (!err)
		err = vma_for_range(s, addr, len, advise_huge, advice);
	vm_merge_range(s, addr, len);
	rwlock_unlock(&s->lock);
	return err;
}

/* Pages are there when it returns 0; errors are madvise(2)'s. */
int vm_populate_range(
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

	if (!is_known(advice) || !IS_ALIGNED(addr | len, PAGE_SIZE))
		return -EINVAL;
	if (len == 0)
		return 0;
	if (!vm_range_ok(addr, len))
		return -ENOMEM;
	switch (advice) {
	case MADV_POPULATE_READ:
		return vm_populate_range(s, addr, len, VM_FAULT_READ);
	case MADV_POPULATE_WRITE:
		return vm_populate_range(s, addr, len, VM_FAULT_WRITE);
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
		return huge_range(s, addr, len, advice);
	default:
		break;
	}
	rwlock_read(&s->lock);
	err = vma_for_range(s, addr, len, advise_pages, advice);
	rwlock_unlock(&s->lock);
	return err;
}
