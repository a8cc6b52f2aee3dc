/*
 * Taking pages out of a space: they are unmapped under pt_lock, remembered,
 * and freed only after all cpus have forgotten the translations.
 */

#include "kern/num.h"
#include "kern/string.h"
#include "vm_int.h"

void gather_init(struct vm_gather *g, struct vm_space *s)
{
	g->space = s;
	g->tables = NULL;
	g->gone =
	    (struct pt_batch){ g->few, 0, ARRAY_SIZE(g->few), UINTPTR_MAX, 0 };
}

/*
 * pt_lock is held.  False: no room, flush without it.  Many pages came: a
 * larger array saves flushes, which all cpus wait for.
 */
static bool gather_room(struct vm_gather *g)
{
	uint64_t *more;

	if (g->gone.n < g->gone.max)
		return true;
	if (g->gone.pa != g->few)
		return false;
	more = page_alloc(0, PAGE_ATOMIC);
	if (!more)
		return false;
	memcpy(more, g->few, sizeof(g->few));
	g->gone.pa = more;
	g->gone.max = PAGE_SIZE / sizeof(*more);
	return true;
}

/* Without pt_lock. */
void gather_flush(struct vm_gather *g)
{
	struct pt_batch *b = &g->gone;

	if (b->first < b->last)
		pt_flush_free(
		    g->space->pt, b->first, b->last - b->first, g->tables);
	for (unsigned i = 0; i < b->n; i++) {
		if (b->pa[i] & PT_GONE_2M)
			page_put_run(pa_to_va(b->pa[i] & ~PT_GONE_2M), 9);
		else
			page_put(pa_to_va(b->pa[i]));
	}
	g->tables = NULL;
	b->n = 0;
	b->first = UINTPTR_MAX;
	b->last = 0;
}

void gather_end(struct vm_gather *g)
{
	gather_flush(g);
	if (g->gone.pa != g->few)
		page_free(g->gone.pa, 0);
}

void gather_account(struct vm_gather *g, struct vma *v, unsigned first)
{
	int64_t pages = g->gone.n - first, huge = 0;

	for (unsigned i = first; i < g->gone.n; i++)
		huge += g->gone.pa[i] & PT_GONE_2M;
	pages += huge * (int64_t)(PAGE_SIZE_2M / PAGE_SIZE - 1);
	atomic_fetch_sub(&v->resident, (uint64_t)pages);
	if (v->obj)
		return;
	mm_account_anon(-pages);
	if (huge)
		mm_account_huge(-huge);
}

/* pt_lock is held.  Returns where to go on: (end), or where room ran out. */
static uintptr_t zap_some(
    struct vm_gather *g, struct vma *v, uintptr_t va, uintptr_t end)
{
	unsigned n;

	while (va < end && gather_room(g)) {
		n = g->gone.n;
		va = pt_unmap_range(v->space->pt, va, end, &g->gone);
		if (g->gone.n > n)
			gather_account(g, v, n);
	}
	return va;
}

void gather_zap(
    struct vm_gather *g, struct vma *v, uintptr_t start, uintptr_t end)
{
	while (start < end && v->resident > 0) {
		mutex_lock(&v->space->pt_lock);
		start = zap_some(g, v, start, end);
		mutex_unlock(&v->space->pt_lock);
		if (start < end)
			gather_flush(g);
	}
}

void gather_prune(struct vm_gather *g, uintptr_t start, uintptr_t end)
{
	struct vma *next = vma_find(g->space, start);
	struct vma *prev = vma_before(g->space, next);
	uintptr_t roof = next ? next->start : USER_MAX + PAGE_SIZE;

	mutex_lock(&g->space->pt_lock);
	pt_prune(
	    g->space->pt, start, end, prev ? prev->end : 0, roof, &g->tables);
	mutex_unlock(&g->space->pt_lock);
	if (!g->tables)
		return;
	g->gone.first = MIN(g->gone.first, start);
	g->gone.last = MAX(g->gone.last, end);
}

void vma_zap(struct vma *v, uintptr_t start, uintptr_t end)
{
	struct vm_gather g;

	gather_init(&g, v->space);
	gather_zap(&g, v, start, end);
	gather_end(&g);
}
