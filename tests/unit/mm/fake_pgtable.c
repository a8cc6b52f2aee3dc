#include <stdlib.h>
#include <string.h>

#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/mm.h"
#include "fake_pgtable.h"

#define NBUCKET 4096

struct entry {
	struct entry *next;
	struct pgtable *pt;
	uintptr_t va;
	uint64_t pa;
	size_t size;
	unsigned prot;
	bool stale; /* unmapped, not flushed */
	bool clean; /* not written since it was made so */
};

struct pgtable {
	int unused;
};

static struct entry *table[NBUCKET];
static struct pgtable kernel_pt;
static long fail_nth;

static struct entry **slot_of(struct pgtable *pt, uintptr_t va)
{
	struct entry **e = &table[(va >> PAGE_SHIFT) % NBUCKET];

	while (*e && ((*e)->pt != pt || (*e)->va != va))
		e = &(*e)->next;
	return e;
}

static struct entry *find(struct pgtable *pt, uintptr_t va)
{
	struct entry *e = *slot_of(pt, va & ~(PAGE_SIZE - 1));

	if (e && !e->stale)
		return e;
	e = *slot_of(pt, va & ~(PAGE_SIZE_2M - 1));
	return e && !e->stale && e->size == PAGE_SIZE_2M ? e : NULL;
}

static unsigned count(bool stale)
{
	unsigned n = 0;

	for (unsigned i = 0; i < NBUCKET; i++)
		for (struct entry *e = table[i]; e; e = e->next)
			n += e->stale == stale;
	return n;
}

unsigned fake_pt_entries(void)
{
	return count(false);
}

unsigned fake_pt_stale(void)
{
	return count(true);
}

void fake_pt_fail_nth(long n)
{
	fail_nth = n;
}

struct pgtable *pgtable_create(void)
{
	return kzalloc(sizeof(struct pgtable));
}

static void drop(bool stale_only, struct pgtable *pt, uintptr_t a, uintptr_t b)
{
	for (unsigned i = 0; i < NBUCKET; i++) {
		struct entry **p = &table[i];

		while (*p) {
			struct entry *e = *p;

			if (e->pt != pt || (stale_only && !e->stale) ||
			    e->va < a || e->va >= b) {
				p = &e->next;
				continue;
			}
			*p = e->next;
			free(e);
		}
	}
}

void pgtable_destroy(struct pgtable *pt)
{
	drop(false, pt, 0, UINTPTR_MAX);
	kfree(pt);
}

struct pgtable *pgtable_kernel(void)
{
	return &kernel_pt;
}

static void make(
    struct pgtable *pt, uintptr_t va, uint64_t pa, size_t size, unsigned prot)
{
	struct entry **p = slot_of(pt, va);

	if (va % size || pa % size)
		abort();
	if (!*p) {
		*p = calloc(1, sizeof(**p));
		(*p)->pt = pt;
		(*p)->va = va;
	}
	(*p)->pa = pa;
	(*p)->size = size;
	(*p)->prot = prot & ~PT_DIRTY;
	(*p)->stale = (*p)->clean = false;
}

int pt_map(
    struct pgtable *pt, uintptr_t va, uint64_t pa, size_t size, unsigned prot)
{
	if (size != PAGE_SIZE)
		abort();
	if (fail_nth > 0 && --fail_nth == 0)
		return -ENOMEM;
	make(pt, va, pa, size, prot);
	return 0;
}

size_t pt_unmap(struct pgtable *pt, uintptr_t va, uint64_t *pa, bool *cached)
{
	struct entry *e = find(pt, va);

	if (!e)
		return 0;
	*pa = e->pa;
	*cached = true;
	e->stale = true;
	return e->size;
}

size_t pt_unmap_clean(
    struct pgtable *pt, uintptr_t va, uint64_t *pa, bool *cached)
{
	struct entry *e = find(pt, va);

	return e && e->clean ? pt_unmap(pt, va, pa, cached) : 0;
}

struct pt_slot {
	struct pgtable *pt;
	uintptr_t va;
	size_t size;
};

/* One thread at a time. */
struct pt_slot *pt_slot(struct pgtable *pt, uintptr_t va, size_t size)
{
	static struct pt_slot slot;

	if (fail_nth > 0 && --fail_nth == 0)
		return NULL;
	slot = (struct pt_slot){ pt, va & ~(size - 1), size };
	return &slot;
}

bool pt_slot_empty(const struct pt_slot *slot)
{
	uintptr_t end = slot->va + slot->size;

	return pt_next(slot->pt, slot->va, end) == end;
}

bool pt_slot_fill(struct pt_slot *slot, uint64_t pa, size_t size, unsigned prot)
{
	if (!pt_slot_empty(slot) || size != slot->size)
		return false;
	make(slot->pt, slot->va, pa, size, prot);
	return true;
}

int pt_split(struct pgtable *pt, uintptr_t va)
{
	struct entry *e = find(pt, va);
	struct entry old;

	if (!e || e->size == PAGE_SIZE)
		return 0;
	if (fail_nth > 0 && --fail_nth == 0)
		return -ENOMEM;
	old = *e;
	for (size_t off = 0; off < old.size; off += PAGE_SIZE) {
		make(pt, old.va + off, old.pa + off, PAGE_SIZE, old.prot);
		find(pt, old.va + off)->clean = old.clean;
	}
	return 1;
}

int pt_move(struct pgtable *pt, uintptr_t from, uintptr_t to, bool *cached)
{
	struct entry *e = find(pt, from);
	bool clean = e && e->clean;
	uint64_t pa;

	*cached = false;
	if (!e)
		return -ENOENT;
	if (pt_map(pt, to, e->pa, PAGE_SIZE, e->prot))
		return -ENOMEM;
	(void)pt_unmap(pt, from, &pa, cached);
	find(pt, to)->clean = clean;
	return 0;
}

void pt_clean(
    struct pgtable *pt, uintptr_t va, size_t len, bool accessed, bool dirty)
{
	uintptr_t end = va + len;

	(void)accessed;
	while (dirty && (va = pt_next(pt, va, end)) < end) {
		find(pt, va)->clean = true;
		va += PAGE_SIZE;
	}
}

/* What the processor does at a write. */
void fake_pt_written(struct pgtable *pt, uintptr_t va)
{
	find(pt, va)->clean = false;
}

uintptr_t pt_unmap_range(
    struct pgtable *pt, uintptr_t va, uintptr_t end, struct pt_batch *b)
{
	bool cached;
	size_t size;

	while (b->n < b->max && (va = pt_next(pt, va, end)) < end) {
		size = pt_unmap(pt, va, &b->pa[b->n], &cached);
		if (size > PAGE_SIZE && (va % size || va + size > end))
			abort(); /* not cut */
		b->pa[b->n++] |= size > PAGE_SIZE ? PT_GONE_2M : 0;
		b->first = va < b->first ? va : b->first;
		va += size;
		b->last = va > b->last ? va : b->last;
	}
	return va < end ? va : end;
}

int pt_protect(struct pgtable *pt, uintptr_t va, size_t size, unsigned prot)
{
	struct entry *e = find(pt, va);

	if (!e)
		return -ENOENT;
	if (size != e->size)
		abort();
	e->prot = prot;
	return 0;
}

bool pt_lookup(struct pgtable *pt, uintptr_t va, uint64_t *pa, size_t *size,
    unsigned *prot, bool *accessed, bool *dirty)
{
	struct entry *e = find(pt, va);

	if (!e)
		return false;
	if (pa)
		*pa = e->pa;
	if (size)
		*size = e->size;
	if (prot)
		*prot = e->prot;
	if (accessed)
		*accessed = true;
	if (dirty)
		*dirty = !e->clean;
	return true;
}

uintptr_t pt_next(struct pgtable *pt, uintptr_t va, uintptr_t end)
{
	uintptr_t best = end;

	for (unsigned i = 0; i < NBUCKET; i++)
		for (struct entry *e = table[i]; e; e = e->next)
			if (e->pt == pt && !e->stale && e->va + e->size > va &&
			    e->va < best)
				best = e->va > va ? e->va : va;
	return best;
}

void pt_flush(struct pgtable *pt, uintptr_t va, size_t len)
{
	drop(true, pt, va, va + len);
}

/* There are no tables here; one page stands for all that are unlinked, so
 * that a chain which is lost shows as a leak. */
void pt_prune(struct pgtable *pt, uintptr_t va, uintptr_t end, uintptr_t floor,
    uintptr_t roof, void **tables)
{
	void **t;

	if (va < floor || end > roof || pt_next(pt, floor, roof) < roof)
		abort();
	t = kzalloc(sizeof(*t));
	if (!t)
		return;
	*t = *tables;
	*tables = t;
}

void pt_flush_free(struct pgtable *pt, uintptr_t va, size_t len, void *tables)
{
	pt_flush(pt, va, len);
	while (tables) {
		void *t = tables;

		tables = *(void **)t;
		kfree(t);
	}
}

uint64_t pgtable_bytes(void)
{
	return 0;
}
