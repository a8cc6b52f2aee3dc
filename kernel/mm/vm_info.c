/* What /proc and futexes ask. */

#include "kern/errno.h"
#include "kern/num.h"
#include "vm_int.h"

void vm_foreach(
    struct vm_space *s, void (*fn)(const struct vm_info *, void *), void *arg)
{
	struct rb_node *n;

	rwlock_read(&s->lock);
	for (n = rb_first(&s->vmas); n; n = rb_next(n)) {
		struct vma *v = rb_entry(n, struct vma, node);
		struct vm_info info = {
			.start = v->start,
			.end = v->end,
			.prot = v->prot,
			.flags = v->flags,
			.off = v->obj ? v->off : 0,
			.obj = v->obj,
			.resident = v->resident << PAGE_SHIFT,
			.huge = vm_huge_bytes(v),
		};

		fn(&info, arg);
	}
	rwlock_unlock(&s->lock);
}

static void add_usage(const struct vm_info *i, void *arg)
{
	struct vm_usage *u = arg;
	uint64_t len = i->end - i->start;

	u->size += len;
	u->resident += i->resident;
	if (i->flags & (VM_STACK | VM_GROWSDOWN))
		u->stack += len;
	else if (i->prot & VM_EXEC)
		u->text += len;
	else if ((i->prot & VM_WRITE) && !(i->flags & VM_SHARED))
		u->data += len;
	if (i->flags & VM_LOCKED)
		u->locked += len;
}

void vm_usage(struct vm_space *s, struct vm_usage *u)
{
	*u = (struct vm_usage){
		.minflt = atomic_load(&s->minflt),
		.majflt = atomic_load(&s->majflt),
	};
	vm_foreach(s, add_usage, u);
}

/*
 * Private memory is known by its address, shared memory by the object and the
 * offset: the page behind either may change while somebody waits.
 */
int vm_futex_key(struct vm_space *s, uintptr_t addr, uint64_t key[2])
{
	struct vma *v;
	int err = 0;

	rwlock_read(&s->lock);
	v = vma_find(s, addr);
	if (!v || v->start > addr || !(v->prot & VM_PROT)) {
		err = -EFAULT;
	} else if (v->obj && (v->flags & VM_SHARED)) {
		key[0] = (uintptr_t)v->obj;
		key[1] = v->off + (addr - v->start);
	} else {
		key[0] = (uintptr_t)s;
		key[1] = addr;
	}
	rwlock_unlock(&s->lock);
	return err;
}
