/*
 * Page faults.  Anonymous memory that is touched first, the most frequent
 * case, goes without a lock but the space's: see vm_int.h.  Any other page is
 * found or made without pt_lock, then installed under it if nothing has
 * happened meanwhile: another thread may have resolved the same fault, and
 * vm_object_zap() may have dropped the page.
 */

#include "kern/errno.h"
#include "kern/num.h"
#include "kern/shrink.h"
#include "kern/string.h"
#include "kern/trace.h"
#include "vm_int.h"

TRACEPOINT(exceptions, page_fault, "address%x,access");

#define RETRY 1

/* What is mapped at an address now. */
struct mapped {
	void *page; /* NULL: nothing */
	unsigned prot;
};

static struct mapped look(struct vm_space *s, uintptr_t va)
{
	struct mapped m = { NULL, 0 };
	uint64_t pa;
	size_t size;

	if (pt_lookup(s->pt, va, &pa, &size, &m.prot, NULL, NULL))
		m.page = pa_to_va(ALIGN_DOWN(pa, PAGE_SIZE));
	return m;
}

static bool satisfies(const struct mapped *m, unsigned access)
{
	return m->page && !(m->prot & PT_NONE) &&
	       (!(access & VM_FAULT_WRITE) || (m->prot & PT_WRITE)) &&
	       (!(access & VM_FAULT_EXEC) || (m->prot & PT_EXEC));
}

static bool allowed(const struct vma *v, unsigned access)
{
	if (access & VM_FAULT_WRITE)
		return v->prot & VM_WRITE;
	if (access & VM_FAULT_EXEC)
		return v->prot & VM_EXEC;
	return v->prot & VM_PROT; /* x86 cannot write without reading */
}

/*
 * Replace (old) (NULL: nothing) by (page) at (va), unless things have changed.
 * Takes over the caller's reference when it returns 0.
 */
static int install(struct vma *v, uintptr_t va, void *old, void *page,
    unsigned prot, uint64_t seq)
{
	struct vm_space *s = v->space;
	int err = RETRY;

	mutex_lock(&s->pt_lock);
	if (look(s, va).page == old && s->zap_seq == seq) {
		err = pt_map(s->pt, va, va_to_pa(page), PAGE_SIZE, prot);
		if (!err && !old)
			v->resident++;
	}
	mutex_unlock(&s->pt_lock);
	if (!err && old) {
		if (old != page)
			pt_flush(s->pt, va, PAGE_SIZE);
		page_put(old);
	}
	return err;
}

/*
 * A write to a private mapping: (from) is what the new page begins as, and
 * what is mapped if (mapped).  The caller's reference keeps it.
 */
static int fault_copy(
    struct vma *v, uintptr_t va, void *from, bool mapped, uint64_t seq)
{
	void *page = page_alloc(0, PAGE_USER);
	int err;

	if (!page)
		return -ENOMEM;
	memcpy(page, from, PAGE_SIZE);
	/* It is no zeroed page that could be dropped: see vm_advise.c. */
	err = install(v, va, mapped ? from : NULL, page,
	    vm_pt_prot(v->prot) | PT_DIRTY, seq);
	if (err)
		page_put(page);
	return err;
}

/* What fault_mapped() found. */
enum mapped_result { MAPPED_DONE, MAPPED_NOTHING, MAPPED_COPY, MAPPED_SHARED };

/*
 * Something is mapped at (va): make it accessible when that is all it takes.
 * MAPPED_COPY: *page is the page to copy, with a reference; MAPPED_SHARED: the
 * object has to hear of the first write to *page.
 */
static enum mapped_result fault_mapped(
    struct vma *v, uintptr_t va, unsigned access, void **page)
{
	struct vm_space *s = v->space;
	unsigned prot = vm_pt_prot(v->prot);
	enum mapped_result r = MAPPED_DONE;
	bool mine, write = access & VM_FAULT_WRITE;
	struct mapped m;

	mutex_lock(&s->pt_lock);
	m = look(s, va);
	*page = m.page;
	mine = m.page && !(v->flags & VM_SHARED) && page_refs(m.page) == 1;
	if (!mine)
		prot &= ~PT_WRITE;
	if (!m.page) {
		r = MAPPED_NOTHING;
	} else if (satisfies(&m, access)) {
		prot = m.prot;
	} else if (mine || !write) {
		(void)pt_protect(s->pt, va, PAGE_SIZE, prot);
	} else if (v->flags & VM_SHARED) {
		r = MAPPED_SHARED;
	} else {
		page_get(m.page);
		r = MAPPED_COPY;
	}
	mutex_unlock(&s->pt_lock);
	/* More is allowed than before: only a stale entry of this cpu's could
	 * tell, and the fault itself has dropped that. */
	return r;
}

/* Ask the object for the page; (old) is what is mapped now. */
static int fault_object(
    struct vma *v, uintptr_t va, unsigned access, void *old, uint64_t seq)
{
	uint64_t index = (v->off + (va - v->start)) >> PAGE_SHIFT;
	bool shared = v->flags & VM_SHARED;
	bool write = access & VM_FAULT_WRITE;
	unsigned prot = vm_pt_prot(v->prot);
	void *page;
	int err = v->obj->ops->page(v->obj, index, write && shared, &page);

	if (err)
		return err == -EFAULT ? -EIO : err;
	if (write && !shared) {
		err = fault_copy(v, va, page, false, seq);
		page_put(page);
		return err;
	}
	if (!write && !vm_object_is_shm(v->obj))
		prot &= ~PT_WRITE;
	err = install(v, va, old, page, prot, seq);
	if (err)
		page_put(page);
	return err;
}

static int fault_in(struct vma *v, uintptr_t va, unsigned access)
{
	/* Before the object is asked for the page: see install(). */
	uint64_t seq = atomic_load(&v->space->zap_seq);
	void *page;
	int err;

	switch (fault_mapped(v, va, access, &page)) {
	case MAPPED_DONE:
		return 0;
	case MAPPED_SHARED:
		return fault_object(v, va, access, page, seq);
	case MAPPED_COPY:
		err = fault_copy(v, va, page, true, seq);
		page_put(page);
		return err;
	case MAPPED_NOTHING:
		break;
	}
	return v->obj ? fault_object(v, va, access, NULL, seq) : RETRY;
}

/* Counted before it is there, so that whoever takes it out finds it counted. */
static void count_anon(struct vma *v, int64_t pages)
{
	atomic_fetch_add_explicit(
	    &v->resident, (uint64_t)pages, memory_order_relaxed);
	mm_account_anon(pages);
}

/* What may be a large page, where nothing is mapped yet; false: it is not. */
static bool fault_huge(struct vma *v, uintptr_t va)
{
	struct pt_slot *slot = pt_slot(v->space->pt, va, PAGE_SIZE_2M);
	void *page;

	if (!slot || !pt_slot_empty(slot))
		return false;
	page = vm_huge_alloc();
	if (!page)
		return false;
	count_anon(v, PAGE_SIZE_2M / PAGE_SIZE);
	mm_account_huge(1);
	if (pt_slot_fill(
		slot, va_to_pa(page), PAGE_SIZE_2M, vm_pt_prot(v->prot)))
		return true;
	mm_account_huge(-1);
	count_anon(v, -(int64_t)(PAGE_SIZE_2M / PAGE_SIZE));
	page_put_run(page, 9);
	return false;
}

/* Anonymous memory: a zeroed page where there is none. */
static int fault_anon(struct vma *v, uintptr_t va, unsigned access)
{
	struct pt_slot *slot;
	void *page;

	if ((access & VM_FAULT_WRITE) && vm_huge_wanted(v, va) &&
	    fault_huge(v, va))
		return 0;
	slot = pt_slot(v->space->pt, va, PAGE_SIZE);
	if (unlikely(!slot))
		return -ENOMEM;
	if (unlikely(!pt_slot_empty(slot)))
		return fault_in(v, va, access);
	page = page_alloc(0, PAGE_ZERO | PAGE_USER);
	if (unlikely(!page))
		return -ENOMEM;
	count_anon(v, 1);
	if (pt_slot_fill(slot, va_to_pa(page), PAGE_SIZE, vm_pt_prot(v->prot)))
		return 0;
	/* another thread was faster */
	count_anon(v, -1);
	page_put(page);
	return 0;
}

/* Extend a mapping that grows down to (va).  The space is locked. */
static int grow_locked(struct vm_space *s, uintptr_t va)
{
	struct vma *v = vma_find(s, va), *prev;

	if (!v || (v->start > va && !(v->flags & VM_GROWSDOWN)))
		return -EFAULT;
	if (v->start <= va)
		return 0; /* another thread did it */
	prev = vma_prev(v);
	if (v->end - va > s->limit.stack || va < USER_MIN ||
	    (prev && va - prev->end < VM_GUARD_GAP) ||
	    !vm_limits_allow(s, v->start - va, v->prot, v->flags) ||
	    ((v->flags & VM_ACCOUNT) && vm_may_commit(v->start - va)))
		return -EFAULT;
	vma_resize(v, va, v->end);
	return 0;
}

static int grow(struct vm_space *s, uintptr_t va)
{
	int err;

	rwlock_write(&s->lock);
	err = grow_locked(s, va);
	rwlock_unlock(&s->lock);
	return err;
}

/* A shrinker of the program's may have to change the mappings, so nobody waits
 * for it with the space locked: vm_fault() does, and tries again. */
static int fault_locked(struct vma *v, uintptr_t va, unsigned access)
{
	bool old;
	int err;

	if (unlikely(!allowed(v, access)))
		return -EACCES;
	if (!atomic_load_explicit(&v->touched, memory_order_relaxed))
		v->touched = true;
	old = mm_noreclaim_begin();
	err = v->obj ? fault_in(v, va, access) : fault_anon(v, va, access);
	mm_noreclaim_end(old);
	return err;
}

int vm_fault(struct vm_space *s, uintptr_t addr, unsigned access)
{
	uintptr_t va = ALIGN_DOWN(addr, PAGE_SIZE);
	unsigned tries = 0;
	struct vma *v;
	int err;

	TRACE(page_fault, addr, access);
	if (addr < USER_MIN || addr >= USER_MAX)
		return -EFAULT;
	do {
		rwlock_read(&s->lock);
		v = vma_find(s, va);
		if (!v || v->start > va) {
			bool may_grow = v && (v->flags & VM_GROWSDOWN);

			rwlock_unlock(&s->lock);
			err = may_grow ? grow(s, va) : -EFAULT;
			if (err)
				return err;
			err = RETRY;
			continue;
		}
		err = fault_locked(v, va, access);
		rwlock_unlock(&s->lock);
		if (err == -ENOMEM && tries++ < RECLAIM_TRIES &&
		    mm_reclaim(PAGE_SIZE))
			err = RETRY;
	} while (err == RETRY);
	if (!err)
		atomic_fetch_add_explicit(&s->minflt, 1, memory_order_relaxed);
	return err;
}

/* --- changing code ------------------------------------------------------- */

static bool is_text(const struct vma *v, uintptr_t va)
{
	return v && v->start <= va && v->obj && (v->prot & VM_EXEC) &&
	       !(v->prot & VM_WRITE) && !(v->flags & VM_SHARED);
}

/* The page that is mapped at (va), with a reference; NULL: none, or part of a
 * larger one. */
static void *get_mapped(struct vm_space *s, uintptr_t va)
{
	void *page = NULL;
	unsigned prot;
	uint64_t pa;
	size_t size;

	mutex_lock(&s->pt_lock);
	if (pt_lookup(s->pt, va, &pa, &size, &prot, NULL, NULL) &&
	    size == PAGE_SIZE && !(prot & PT_NONE)) {
		page = pa_to_va(pa);
		page_get(page);
	}
	mutex_unlock(&s->pt_lock);
	return page;
}

static int patch_page(
    struct vma *v, uintptr_t addr, const void *from, const void *to, size_t n)
{
	uintptr_t va = ALIGN_DOWN(addr, PAGE_SIZE);
	uint64_t seq = atomic_load(&v->space->zap_seq);
	void *old = get_mapped(v->space, va);
	uint8_t *page;
	int err;

	if (!old)
		return -EAGAIN;
	page = page_alloc(0, PAGE_USER);
	if (!page) {
		page_put(old);
		return -ENOMEM;
	}
	memcpy(page, old, PAGE_SIZE);
	err = memcmp(page + (addr - va), from, n) ? -EAGAIN : 0;
	if (!err) {
		memcpy(page + (addr - va), to, n);
		err = install(
		    v, va, old, page, vm_pt_prot(v->prot) | PT_DIRTY, seq);
	}
	if (err)
		page_put(page);
	page_put(old);
	return err == RETRY ? -EAGAIN : err;
}

int vm_patch_text(struct vm_space *s, uintptr_t addr, const void *from,
    const void *to, size_t n)
{
	struct vma *v;
	int err = -EACCES;

	rwlock_read(&s->lock);
	v = vma_find(s, addr);
	if (is_text(v, ALIGN_DOWN(addr, PAGE_SIZE)))
		err = patch_page(v, addr, from, to, n);
	rwlock_unlock(&s->lock);
	return err;
}
