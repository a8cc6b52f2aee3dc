/*
 * MADV_FREE: pages that a program does without, and that it may find again or
 * may not.  They are made clean; one that is still clean when memory runs
 * short has not been written since, and goes.
 *
 * No page is marked for that.  A clean page of anonymous memory has either
 * been freed so or never been written: then it is zeroes, and is again when it
 * is touched next.
 */

#include "kern/errno.h"
#include "kern/num.h"
#include "kern/shrink.h"
#include "vm_int.h"

/* Protects the list; taken with a space locked, the other way only tries. */
static struct mutex lazy_lock = MUTEX_INIT(lazy_lock);
static struct list lazy_spaces = LIST_INIT(lazy_spaces);

int vma_lazy_free(struct vma *v, uintptr_t start, uintptr_t end)
{
	struct vm_space *s = v->space;

	if (vm_huge_cut(s, start) || vm_huge_cut(s, end))
		return -ENOMEM;
	mutex_lock(&lazy_lock);
	v->lazy = true;
	if (list_empty(&s->lazy_link))
		list_add_tail(&lazy_spaces, &s->lazy_link);
	mutex_unlock(&lazy_lock);
	mutex_lock(&s->pt_lock);
	pt_clean(s->pt, start, end - start, false, true);
	mutex_unlock(&s->pt_lock);
	/* A processor that remembers the page as dirty would not say again. */
	pt_flush(s->pt, start, end - start);
	return 0;
}

void vm_lazy_forget(struct vm_space *s)
{
	mutex_lock(&lazy_lock);
	list_del(&s->lazy_link);
	mutex_unlock(&lazy_lock);
}

/* pt_lock is held.  Bytes that went into (g). */
static size_t drop_page(struct vm_gather *g, struct vma *v, uintptr_t va)
{
	struct pt_batch *b = &g->gone;
	uint64_t pa;
	bool cached;
	size_t size = pt_unmap_clean(v->space->pt, va, &pa, &cached);

	if (size == 0)
		return 0;
	b->pa[b->n++] = size > PAGE_SIZE ? pa | PT_GONE_2M : pa;
	if (cached) {
		b->first = MIN(b->first, va);
		b->last = MAX(b->last, va + size);
	}
	gather_account(g, v, b->n - 1);
	return size;
}

static size_t shrink_vma(struct vma *v, size_t target)
{
	struct vm_space *s = v->space;
	uintptr_t va = v->start;
	struct vm_gather g;
	size_t got = 0;

	gather_init(&g, s);
	while (va < v->end && got < target) {
		if (!mutex_trylock(&s->pt_lock))
			break;
		while (got < target && g.gone.n < g.gone.max &&
		       (va = pt_next(s->pt, va, v->end)) < v->end) {
			got += drop_page(&g, v, va);
			va += PAGE_SIZE;
		}
		mutex_unlock(&s->pt_lock);
		gather_flush(&g);
	}
	gather_end(&g);
	if (va >= v->end)
		v->lazy = false;
	return got;
}

static size_t shrink_space(struct vm_space *s, size_t target)
{
	struct rb_node *n;
	size_t got = 0;

	if (!rwlock_try_read(&s->lock))
		return 0;
	for (n = rb_first(&s->vmas); n && got < target; n = rb_next(n)) {
		struct vma *v = rb_entry(n, struct vma, node);

		if (v->lazy && !(v->flags & VM_LOCKED))
			got += shrink_vma(v, target - got);
	}
	rwlock_unlock(&s->lock);
	return got;
}

static size_t shrink_lazy(struct shrinker *sh, size_t target, bool hard)
{
	struct vm_space *s;
	size_t got = 0;

	(void)sh;
	(void)hard;
	if (!mutex_trylock(&lazy_lock))
		return 0;
	list_foreach (s, &lazy_spaces, lazy_link)
		if (got < target)
			got += shrink_space(s, target - got);
	mutex_unlock(&lazy_lock);
	return got;
}

static struct shrinker lazy_shrinker = {
	.name = "lazyfree",
	.shrink = shrink_lazy,
};

void vm_lazy_start(void)
{
	static atomic_flag done = ATOMIC_FLAG_INIT;

	if (!atomic_flag_test_and_set(&done))
		shrinker_register(&lazy_shrinker);
}
