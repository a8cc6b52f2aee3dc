/*
 * Taking pages out of a space: they are unmapped under pt_lock, remembered,
 * and freed only after all cpus have forgotten the translations.
 */

#include "kern/num.h"
#include "vm_int.h"

void gather_init(struct vm_gather *g, struct vm_space *s)
{
	*g = (struct vm_gather){ .space = s, .start = UINTPTR_MAX };
	g->page = g->few;
	g->max = ARRAY_SIZE(g->few);
}

bool gather_room(const struct vm_gather *g)
{
	return g->n < g->max;
}

void gather_page(struct vm_gather *g, uintptr_t va, void *page)
{
	g->start = MIN(g->start, va);
	g->end = MAX(g->end, va + PAGE_SIZE);
	g->page[g->n++] = page;
}

/* Without pt_lock.  Many pages came: take a larger array from now on. */
void gather_flush(struct vm_gather *g)
{
	void **more;

	if (g->n == 0)
		return;
	pt_flush(g->space->pt, g->start, g->end - g->start);
	for (unsigned i = 0; i < g->n; i++)
		page_put(g->page[i]);
	g->n = 0;
	g->start = UINTPTR_MAX;
	g->end = 0;
	if (g->page != g->few)
		return;
	more = page_alloc(0, 0);
	if (more) {
		g->page = more;
		g->max = PAGE_SIZE / sizeof(*more);
	}
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
	uint64_t pa;
	bool dirty;

	while (va < end && v->resident > 0 && gather_room(g)) {
		va = pt_next(s->pt, va, end);
		if (va >= end)
			break;
		if (pt_unmap(s->pt, va, &pa, &dirty)) {
			gather_page(g, va, pa_to_va(pa));
			v->resident--;
			if (!v->obj)
				mm_account_anon(-1);
		}
		va += PAGE_SIZE;
	}
	return v->resident > 0 ? va : end;
}

void vma_zap(struct vma *v, uintptr_t start, uintptr_t end)
{
	struct vm_gather g;

	if (v->resident == 0)
		return;
	gather_init(&g, v->space);
	while (start < end) {
		mutex_lock(&v->space->pt_lock);
		start = zap_some(&g, v, start, end);
		mutex_unlock(&v->space->pt_lock);
		if (!gather_room(&g))
			gather_flush(&g);
	}
	gather_end(&g);
}
