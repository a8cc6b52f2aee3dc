/*
 * Taking pages out of a space: they are unmapped under pt_lock, remembered,
 * and freed only after all cpus have forgotten the translations.
 */

#include "kern/num.h"
#include "kern/string.h"
#include "vm_int.h"

void gather_init(struct vm_gather *g, struct vm_space *s)
{
	*g = (struct vm_gather){ .space = s, .start = UINTPTR_MAX };
	g->page = g->few;
	g->max = ARRAY_SIZE(g->few);
}

/* Many pages came: a larger array saves a flush, which all cpus wait for. */
bool gather_room(struct vm_gather *g)
{
	void **more;

	if (g->n < g->max)
		return true;
	if (g->page != g->few)
		return false;
	more = page_alloc(0, PAGE_ATOMIC);
	if (!more)
		return false;
	memcpy(more, g->few, sizeof(g->few));
	g->page = more;
	g->max = PAGE_SIZE / sizeof(*more);
	return true;
}

void gather_page(struct vm_gather *g, void *page)
{
	g->page[g->n++] = page;
}

void gather_stale(struct vm_gather *g, uintptr_t start, uintptr_t end)
{
	g->start = MIN(g->start, start);
	g->end = MAX(g->end, end);
}

/* Without pt_lock. */
void gather_flush(struct vm_gather *g)
{
	if (g->start < g->end)
		pt_flush_free(
		    g->space->pt, g->start, g->end - g->start, g->tables);
	for (unsigned i = 0; i < g->n; i++)
		page_put(g->page[i]);
	g->n = 0;
	g->tables = NULL;
	g->start = UINTPTR_MAX;
	g->end = 0;
}

void gather_end(struct vm_gather *g)
{
	gather_flush(g);
	if (g->page != g->few)
		page_free(g->page, 0);
}

/* pt_lock is held.  Returns where to go on: (end), or where room ran out. */
static uintptr_t zap_some(
    struct vm_gather *g, struct vma *v, uintptr_t va, uintptr_t end)
{
	struct vm_space *s = v->space;
	uintptr_t first = 0, last = 0;
	void *had = g->tables;
	uint64_t pa;
	bool cached;

	while (va < end && v->resident > 0 && gather_room(g)) {
		va = pt_next(s->pt, va, end);
		if (va >= end)
			break;
		if (pt_unmap(s->pt, va, &pa, &cached)) {
			gather_page(g, pa_to_va(pa));
			if (cached)
				gather_stale(g, va, va + PAGE_SIZE);
			first = first ? first : va;
			last = va;
			v->resident--;
			if (!v->obj)
				mm_account_anon(-1);
		}
		va += PAGE_SIZE;
	}
	if (first) {
		pt_prune(s->pt, first, last + PAGE_SIZE - first, &g->tables);
		if (g->tables != had)
			gather_stale(g, first, last + PAGE_SIZE);
	}
	return v->resident > 0 ? va : end;
}

void gather_zap(
    struct vm_gather *g, struct vma *v, uintptr_t start, uintptr_t end)
{
	while (start < end && v->resident > 0) {
		mutex_lock(&v->space->pt_lock);
		start = zap_some(g, v, start, end);
		mutex_unlock(&v->space->pt_lock);
		if (!gather_room(g))
			gather_flush(g);
	}
}

void vma_zap(struct vma *v, uintptr_t start, uintptr_t end)
{
	struct vm_gather g;

	gather_init(&g, v->space);
	gather_zap(&g, v, start, end);
	gather_end(&g);
}
