/* Transparent pages of 2 MiB: docs/adr/0006-huge-pages.md. */

#include "kern/errno.h"
#include "kern/num.h"
#include "vm_int.h"

#define HUGE_ORDER 9

/*
 * Free memory that large pages leave: on a small machine what a program does
 * not use of them would be missed, a large one needs all but a little.
 */
#define SPARE_MAX (256ul << 20)

enum huge_mode { HUGE_ALWAYS, HUGE_MADVISE, HUGE_NEVER };

const char *const vm_huge_modes[4] = { "always", "madvise", "never", NULL };

bool vm_huge_wanted(const struct vma *v, uintptr_t va)
{
	uintptr_t base = ALIGN_DOWN(va, PAGE_SIZE_2M);
	unsigned mode;

	if (base < v->start || v->end - base < PAGE_SIZE_2M)
		return false;
	if ((v->flags & (VM_NOHUGE | VM_GROWSDOWN | VM_STACK)) ||
	    v->space->no_huge)
		return false;
	mode = atomic_load_explicit(&vm_tune.huge, memory_order_relaxed);
	return mode == HUGE_ALWAYS ||
	       (mode == HUGE_MADVISE && (v->flags & VM_HUGE));
}

void vm_space_no_huge(struct vm_space *s, bool none)
{
	s->no_huge = none;
}

void *vm_huge_alloc(void)
{
	uint64_t spare = MIN(mm_total_bytes() / 2, SPARE_MAX);

	if (page_free_bytes() < spare + PAGE_SIZE_2M)
		return NULL;
	return page_alloc_run(HUGE_ORDER, PAGE_ZERO | PAGE_USER);
}

int vm_huge_cut(struct vm_space *s, uintptr_t va)
{
	int r;

	if (IS_ALIGNED(va, PAGE_SIZE_2M))
		return 0;
	mutex_lock(&s->pt_lock);
	r = pt_split(s->pt, va);
	mutex_unlock(&s->pt_lock);
	if (r > 0)
		mm_account_huge(-1);
	return MIN(r, 0);
}

uint64_t vm_huge_bytes(struct vma *v)
{
	uintptr_t va = ALIGN_UP(v->start, PAGE_SIZE_2M);
	struct pgtable *pt = v->space->pt;
	uint64_t bytes = 0, pa;
	size_t size;

	if (v->obj || v->resident == 0)
		return 0;
	mutex_lock(&v->space->pt_lock);
	while (va < v->end && (va = pt_next(pt, va, v->end)) < v->end) {
		va = ALIGN_DOWN(va, PAGE_SIZE_2M);
		if (pt_lookup(pt, va, &pa, &size, NULL, NULL, NULL) &&
		    size == PAGE_SIZE_2M)
			bytes += size;
		va += PAGE_SIZE_2M;
	}
	mutex_unlock(&v->space->pt_lock);
	return bytes;
}
