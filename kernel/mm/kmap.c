/*
 * Kernel mappings outside the direct map: stacks with a guard page, device
 * memory, and memory that is contiguous only virtually.  Addresses are handed
 * out upwards and are used again only when the window's end is reached, so a
 * stale pointer faults instead of hitting a stranger.
 */

#include "kern/arch.h"
#include "kern/lock.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/panic.h"
#include "kern/rbtree.h"
#include "mm_int.h"

#define NCACHED_STACKS 32

struct area {
	struct rb_node node; /* by start */
	uintptr_t start;     /* the guard page before it is not counted */
	size_t size;
};

/* A free stack, in its own first bytes. */
struct free_stack {
	struct free_stack *next;
};

/*
 * Protects all here and the kernel's page table in the KMAP window.  A
 * spinlock because devices are mapped before threads exist.
 */
static struct spinlock kmap_lock = SPINLOCK_INIT;
static struct rb_root areas;
static uintptr_t cursor = KMAP_BASE;
static struct free_stack *stacks;
static unsigned nstacks;           /* in the cache */
static _Atomic uint64_t nkstack;   /* all there are */
static _Atomic uint64_t vmalloced; /* bytes */

uint64_t kstack_bytes(void)
{
	return atomic_load(&nkstack) * KSTACK_SIZE;
}

uint64_t vmalloc_bytes(void)
{
	return atomic_load(&vmalloced);
}

/* The last area that begins at or before (va); NULL: none. */
static struct area *area_floor(uintptr_t va)
{
	struct rb_node *n = areas.node;
	struct area *best = NULL;

	while (n) {
		struct area *a = rb_entry(n, struct area, node);

		if (a->start <= va)
			best = a;
		n = n->child[a->start <= va];
	}
	return best;
}

static void area_insert(struct area *a)
{
	struct rb_node *parent = NULL, *n = areas.node;
	int side = 0;

	while (n) {
		parent = n;
		side = a->start > rb_entry(n, struct area, node)->start;
		n = n->child[side];
	}
	rb_insert(&areas, &a->node, parent, side);
}

/* Room for (size) and a guard page before it, from (va) up; 0: none. */
static uintptr_t gap_find(uintptr_t va, size_t size)
{
	struct area *a = area_floor(va);
	struct rb_node *n = a ? &a->node : rb_first(&areas);

	for (; n; n = rb_next(n)) {
		a = rb_entry(n, struct area, node);
		if (a->start >= va && a->start - va >= size + 2 * PAGE_SIZE)
			break;
		va = MAX(va, a->start + a->size);
	}
	if (KMAP_BASE + KMAP_SIZE - va < size + PAGE_SIZE)
		return 0;
	return va + PAGE_SIZE;
}

static struct area *area_alloc(size_t size)
{
	struct area *a;
	unsigned long flags;

	if (size == 0 || size > KMAP_SIZE / 2)
		return NULL;
	a = kmalloc(sizeof(*a));
	if (!a)
		return NULL;
	a->size = size;
	flags = spin_lock_irqsave(&kmap_lock);
	a->start = gap_find(cursor, size);
	if (!a->start)
		a->start = gap_find(KMAP_BASE, size);
	if (a->start) {
		area_insert(a);
		cursor = a->start + size;
	}
	spin_unlock_irqrestore(&kmap_lock, flags);
	if (!a->start) {
		kfree(a);
		return NULL;
	}
	return a;
}

static int area_map_page(uintptr_t va, uint64_t pa, unsigned prot)
{
	unsigned long flags = spin_lock_irqsave(&kmap_lock);
	int err = pt_map(pgtable_kernel(), va, pa, PAGE_SIZE, prot);

	spin_unlock_irqrestore(&kmap_lock, flags);
	return err;
}

/* The page that was there, as a physical address; false: none. */
static bool area_unmap_page(uintptr_t va, uint64_t *pa)
{
	unsigned long flags = spin_lock_irqsave(&kmap_lock);
	bool cached;
	size_t n = pt_unmap(pgtable_kernel(), va, pa, &cached);

	spin_unlock_irqrestore(&kmap_lock, flags);
	return n != 0;
}

/*
 * Unmap; the pages are freed (own) only after no cpu can reach them.  They
 * are chained through their first word meanwhile.
 */
static void area_free(struct area *a, bool own)
{
	void *chain = NULL;
	unsigned long flags;
	uint64_t pa;

	for (size_t off = 0; off < a->size; off += PAGE_SIZE) {
		if (!area_unmap_page(a->start + off, &pa) || !own)
			continue;
		*(void **)pa_to_va(pa) = chain;
		chain = pa_to_va(pa);
	}
	pt_flush(pgtable_kernel(), a->start, a->size);
	while (chain) {
		void *page = chain;

		chain = *(void **)page;
		page_free(page, 0);
	}
	flags = spin_lock_irqsave(&kmap_lock);
	rb_remove(&areas, &a->node);
	spin_unlock_irqrestore(&kmap_lock, flags);
	kfree(a);
}

static struct area *area_exact(const void *va)
{
	unsigned long flags = spin_lock_irqsave(&kmap_lock);
	struct area *a = area_floor((uintptr_t)va);

	spin_unlock_irqrestore(&kmap_lock, flags);
	assert(a && a->start == (uintptr_t)va);
	return a;
}

/* An area of fresh pages. */
static void *area_alloc_pages(size_t size, unsigned page_flags)
{
	struct area *a = area_alloc(size);

	if (!a)
		return NULL;
	for (size_t off = 0; off < size; off += PAGE_SIZE) {
		void *page = page_alloc(0, page_flags);

		if (!page ||
		    area_map_page(a->start + off, va_to_pa(page), PT_WRITE)) {
			if (page)
				page_free(page, 0);
			area_free(a, true);
			return NULL;
		}
	}
	return (void *)a->start;
}

void *vmalloc(size_t size)
{
	void *va;

	if (size > KMAP_SIZE / 2)
		return NULL;
	size = ALIGN_UP(size, PAGE_SIZE);
	va = area_alloc_pages(size, PAGE_ZERO);
	if (va)
		atomic_fetch_add(&vmalloced, size);
	return va;
}

void vfree(void *va)
{
	struct area *a;

	if (!va)
		return;
	a = area_exact(va);
	atomic_fetch_sub(&vmalloced, a->size);
	area_free(a, true);
}

void *kstack_alloc(void)
{
	unsigned long flags = spin_lock_irqsave(&kmap_lock);
	struct free_stack *s = stacks;
	void *va;

	if (s) {
		stacks = s->next;
		nstacks--;
	}
	spin_unlock_irqrestore(&kmap_lock, flags);
	if (s)
		return s;
	va = area_alloc_pages(KSTACK_SIZE, 0);
	if (va)
		atomic_fetch_add(&nkstack, 1);
	return va;
}

bool kstack_recycle(void *va)
{
	unsigned long flags = spin_lock_irqsave(&kmap_lock);
	struct free_stack *s = va;
	bool keep = nstacks < NCACHED_STACKS;

	if (keep) {
		s->next = stacks;
		stacks = s;
		nstacks++;
	}
	spin_unlock_irqrestore(&kmap_lock, flags);
	return keep;
}

void kstack_free(void *va)
{
	if (!va || kstack_recycle(va))
		return;
	atomic_fetch_sub(&nkstack, 1);
	area_free(area_exact(va), true);
}

void *mmio_map(paddr_t pa, size_t size)
{
	paddr_t first = ALIGN_DOWN(pa, PAGE_SIZE);
	paddr_t end;
	struct area *a;

	if (size == 0 || add_overflow(pa, size, &end) ||
	    end > UINT64_MAX - PAGE_SIZE)
		return NULL;
	a = area_alloc(ALIGN_UP(end, PAGE_SIZE) - first);
	if (!a)
		return NULL;
	for (size_t off = 0; off < a->size; off += PAGE_SIZE) {
		if (area_map_page(
			a->start + off, first + off, PT_WRITE | PT_UNCACHED)) {
			area_free(a, false);
			return NULL;
		}
	}
	return (void *)(a->start + (pa - first));
}

void mmio_unmap(void *va, size_t size)
{
	struct area *a;

	if (!va)
		return;
	a = area_exact((void *)ALIGN_DOWN((uintptr_t)va, PAGE_SIZE));
	assert(size <= a->size);
	area_free(a, false);
}
