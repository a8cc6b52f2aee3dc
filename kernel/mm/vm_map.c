/* mmap, munmap, mprotect and brk. */

#include "kern/errno.h"
#include "kern/num.h"
#include "vm_int.h"

void vm_populate(struct vm_space *s, uintptr_t addr, size_t len, unsigned prot)
{
	unsigned access = prot & VM_WRITE ? VM_FAULT_WRITE : VM_FAULT_READ;

	if (!(prot & VM_PROT))
		return;
	for (uintptr_t va = addr; va < addr + len; va += PAGE_SIZE)
		if (vm_fault(s, va, access))
			return;
}

/* Write and execute together, that is a decision of the caller's. */
static int check_wx(const struct vm_space *s, unsigned prot)
{
	bool wx = (prot & VM_WRITE) && (prot & VM_EXEC);

	return wx && !s->allow_wx ? -EACCES : 0;
}

/* Where the mapping goes; the space is locked for writing. */
static int place(
    struct vm_space *s, uintptr_t *addr, size_t len, unsigned flags)
{
	uintptr_t hint = *addr;

	if (flags & VM_FIXED) {
		if (hint < USER_MIN)
			return -EPERM;
		if (!vm_range_ok(hint, len))
			return -ENOMEM;
		if (!(flags & VM_NOREPLACE))
			return vm_unmap_locked(s, hint, len);
		return vm_range_free(s, hint, len) ? 0 : -EEXIST;
	}
	if (hint && !(flags & VM_32BIT) && vm_range_ok(hint, len) &&
	    vm_range_free(s, hint, len))
		return 0;
	*addr = vm_find_gap(s, len, flags);
	return *addr ? 0 : -ENOMEM;
}

/* Does (v) say the same, so that it could become longer instead? */
static bool alike(const struct vma *v, unsigned prot, unsigned flags,
    const struct vm_object *obj)
{
	return v->prot == prot && v->flags == (flags & VM_KEPT) &&
	       v->obj == obj && !(v->flags & VM_GROWSDOWN);
}

/*
 * Let a neighbour grow over [at, end), which is free: most new mappings touch
 * one that says the same.  False: none does.
 */
static bool extend(struct vm_space *s, uintptr_t at, uintptr_t end,
    unsigned prot, unsigned flags, struct vm_object *obj, uint64_t off)
{
	struct vma *next = vma_find(s, at), *prev = vma_before(s, next);

	if (prev && prev->end == at && alike(prev, prot, flags, obj) &&
	    (!obj || prev->off + (at - prev->start) == off)) {
		vma_resize(prev, prev->start, end);
		if (next && next->start == end)
			(void)vma_merge(prev);
		return true;
	}
	if (next && next->start == end && alike(next, prot, flags, obj) &&
	    (!obj || next->off == off + (end - at))) {
		vma_resize(next, at, next->end);
		return true;
	}
	return false;
}

/* Bytes of [addr, addr + len) that are mapped. */
static uint64_t mapped_in(struct vm_space *s, uintptr_t addr, size_t len)
{
	uintptr_t end = addr + len;
	struct vma *v = vma_find(s, addr);
	uint64_t n = 0;

	for (; v && v->start < end; v = vma_next(v))
		n += MIN(v->end, end) - MAX(v->start, addr);
	return n;
}

/* May there be such a mapping?  Sets VM_ACCOUNT where it counts. */
static int admit(struct vm_space *s, uintptr_t addr, size_t len, unsigned prot,
    unsigned *flags)
{
	size_t more = len;

	if (!vm_limits_allow(s, more, prot, *flags)) {
		/* what it replaces does not count */
		if (!(*flags & VM_FIXED) || !vm_range_ok(addr, len))
			return -ENOMEM;
		more -= mapped_in(s, addr, len);
		if (!vm_limits_allow(s, more, prot, *flags))
			return -ENOMEM;
	}
	if (!vm_accounts(prot, *flags))
		return 0;
	*flags |= VM_ACCOUNT;
	return vm_may_commit(len);
}

static int map_locked(struct vm_space *s, uintptr_t *addr, size_t len,
    unsigned prot, unsigned flags, struct vm_object *obj, uint64_t off)
{
	int err = admit(s, *addr, len, prot, &flags);
	struct vma *v;

	if (!err)
		err = place(s, addr, len, flags);
	if (err)
		return err;
	if (extend(s, *addr, *addr + len, prot, flags, obj, off))
		return 0;
	if (vma_too_many(s))
		return -ENOMEM;
	v = vma_create(s, *addr, *addr + len, prot, flags, obj, off);
	if (!v)
		return -ENOMEM;
	vma_insert(v);
	return 0;
}

int vm_map(struct vm_space *s, uintptr_t *addr, size_t len, unsigned prot,
    unsigned flags, struct vm_object *obj, uint64_t off)
{
	struct vm_object *shm = NULL;
	uint64_t end;
	int err = check_wx(s, prot);

	if (err)
		return err;
	if (len == 0 || !IS_ALIGNED(*addr | len | off, PAGE_SIZE) ||
	    add_overflow(off, len, &end))
		return -EINVAL;
	if (len > USER_MAX)
		return -ENOMEM;
	if (!obj && (flags & VM_SHARED)) {
		obj = shm = shm_create(len);
		if (!obj)
			return -ENOMEM;
		off = 0;
	}
	rwlock_write(&s->lock);
	flags |= s->lock_future;
	err = map_locked(s, addr, len, prot, flags, obj, off);
	rwlock_unlock(&s->lock);
	if (shm)
		shm->ops->put(shm);
	if (!err && (flags & VM_POPULATE))
		vm_populate(s, *addr, len, prot);
	return err;
}

int vm_split_range(struct vm_space *s, uintptr_t addr, size_t len)
{
	uintptr_t cut[2] = { addr, addr + len };

	for (unsigned i = 0; i < 2; i++) {
		struct vma *v = vma_find(s, cut[i]);

		if (v && v->start < cut[i] && vma_split(v, cut[i]))
			return -ENOMEM;
	}
	return 0;
}

/* Take [start, end) off (v), of which it is an end or all. */
static void cut(
    struct vm_gather *g, struct vma *v, uintptr_t start, uintptr_t end)
{
	gather_zap(g, v, start, end);
	/* The object must not lose sight of what can be written. */
	if (v->obj)
		gather_flush(g);
	if (v->start < start) {
		vma_resize(v, v->start, start);
	} else if (end < v->end) {
		vma_resize(v, end, v->end);
	} else {
		vma_remove(v);
		vma_destroy(v);
	}
}

int vm_unmap_locked(struct vm_space *s, uintptr_t addr, size_t len)
{
	struct vma *v = vma_find(s, addr), *next;
	uintptr_t end = addr + len;
	bool touched = false;
	struct vm_gather g;

	/* A hole in the middle is all that can fail, and a large page's. */
	if (!v || v->start >= end)
		return 0;
	if (vm_huge_cut(s, addr) || vm_huge_cut(s, end))
		return -ENOMEM;
	if (v->start < addr && v->end > end && vma_split(v, end))
		return -ENOMEM;
	gather_init(&g, s);
	for (; v && v->start < end; v = next) {
		next = v->end < end ? vma_next(v) : NULL;
		touched |= v->touched;
		cut(&g, v, MAX(v->start, addr), MIN(v->end, end));
	}
	if (touched)
		gather_prune(&g, addr, end);
	gather_end(&g);
	return 0;
}

int vm_unmap(struct vm_space *s, uintptr_t addr, size_t len)
{
	int err;

	if (len == 0 || !vm_range_ok(MAX(addr, USER_MIN), 0) ||
	    !IS_ALIGNED(addr | len, PAGE_SIZE) || len > USER_MAX ||
	    addr > USER_MAX - len)
		return -EINVAL;
	rwlock_write(&s->lock);
	err = vm_unmap_locked(s, addr, len);
	rwlock_unlock(&s->lock);
	return err;
}

/*
 * What a resident page's entry becomes.  Write access is given back at once
 * only to a private page that nobody else refers to; a shared one must fault,
 * so that it is marked dirty.
 */
static unsigned new_pt_prot(const struct vma *v, uint64_t pa)
{
	unsigned p = vm_pt_prot(v->prot);

	if ((v->flags & VM_SHARED) || page_refs(pa_to_va(pa)) != 1)
		p &= ~PT_WRITE;
	return p;
}

/* Did an entry allow more than it does now?  Only then can a translation that
 * some cpu remembers do harm; one that allows too little faults and is gone. */
static bool narrows(unsigned old, unsigned new)
{
	return !(old & PT_NONE) &&
	       ((new &PT_NONE) || (old & ~new &(PT_WRITE | PT_EXEC)));
}

static void protect_pages(struct vma *v)
{
	struct vm_space *s = v->space;
	uintptr_t va = v->start;
	bool flush = false;
	unsigned prot, new;
	uint64_t pa;
	size_t size;

	if (v->resident == 0)
		return;
	mutex_lock(&s->pt_lock);
	for (; (va = pt_next(s->pt, va, v->end)) < v->end; va += size) {
		size = PAGE_SIZE;
		if (!pt_lookup(s->pt, va, &pa, &size, &prot, NULL, NULL))
			continue;
		new = new_pt_prot(v, pa);
		flush |= narrows(prot, new);
		(void)pt_protect(s->pt, va, size, new);
	}
	mutex_unlock(&s->pt_lock);
	if (flush)
		pt_flush(s->pt, v->start, v->end - v->start);
}

static int protect_one(struct vma *v, unsigned prot)
{
	bool charge = vm_accounts(prot, v->flags) && !(v->flags & VM_ACCOUNT);
	uint64_t len = v->end - v->start;

	if ((prot & VM_WRITE) && (v->flags & VM_NOWRITE))
		return -EACCES;
	if (charge && vm_may_commit(len))
		return -ENOMEM;
	if (vm_is_data(prot, v->flags) && !vm_is_data(v->prot, v->flags) &&
	    v->space->data + len > v->space->limit.data)
		return -ENOMEM;
	if (v->prot != prot) {
		vma_set_prot(v, prot, v->flags | (charge ? VM_ACCOUNT : 0));
		protect_pages(v);
	}
	return 0;
}

/* After a change in [addr, addr + len): join what says the same now. */
void vm_merge_range(struct vm_space *s, uintptr_t addr, size_t len)
{
	struct vma *v = vma_find(s, addr);

	while (v && v->start <= addr + len) {
		v = vma_merge(v);
		v = vma_next(v);
	}
}

static int protect_locked(
    struct vm_space *s, uintptr_t addr, size_t len, unsigned prot)
{
	uintptr_t at = addr, end = addr + len;
	int err = vm_split_range(s, addr, len);
	struct vma *v;

	while (!err && at < end) {
		v = vma_find(s, at);
		if (!v || v->start > at) {
			err = -ENOMEM;
			break;
		}
		err = protect_one(v, prot);
		at = v->end;
	}
	vm_merge_range(s, addr, len);
	return err;
}

int vm_protect(struct vm_space *s, uintptr_t addr, size_t len, unsigned prot)
{
	int err = check_wx(s, prot);

	if (err)
		return err;
	if (!IS_ALIGNED(addr | len, PAGE_SIZE))
		return -EINVAL;
	if (!vm_range_ok(addr, len))
		return -ENOMEM;
	rwlock_write(&s->lock);
	err = protect_locked(s, addr, len, prot);
	rwlock_unlock(&s->lock);
	return err;
}

void vm_brk_init(struct vm_space *s, uintptr_t start)
{
	s->brk_start = s->brk = ALIGN_UP(start, PAGE_SIZE);
}

static bool brk_move(struct vm_space *s, uintptr_t want)
{
	uintptr_t old = ALIGN_UP(s->brk, PAGE_SIZE);
	uintptr_t new = ALIGN_UP(want, PAGE_SIZE);
	unsigned prot = VM_READ | VM_WRITE;

	if (new < old)
		return vm_unmap_locked(s, new, old - new) == 0;
	if (new == old)
		return true;
	return map_locked(s, &old, new - old, prot,
		   VM_FIXED | VM_NOREPLACE | VM_HEAP | s->lock_future, NULL,
		   0) == 0;
}

uintptr_t vm_brk(struct vm_space *s, uintptr_t want)
{
	uintptr_t now;

	rwlock_write(&s->lock);
	if (want >= s->brk_start && want <= USER_MAX - PAGE_SIZE &&
	    s->brk_start && brk_move(s, want))
		s->brk = want;
	now = s->brk;
	rwlock_unlock(&s->lock);
	return now;
}
