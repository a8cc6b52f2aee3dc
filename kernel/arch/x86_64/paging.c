/*
 * Page tables after boot.  The caller serialises changes of one table, except
 * that entries which are empty are filled by compare-and-swap; the processors
 * change accessed and dirty bits at any time.  So all entries are written
 * atomically.  Source: Intel SDM volume 3, 4.5.
 *
 * No entry has the user bit: program and kernel run at one privilege level.
 */

#include "kern/compiler.h"
#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/panic.h"
#include "kern/sched.h"

#include "arch_int.h"

#define ENTRIES   512u
#define TOP       3u       /* the level of the PML4 */
#define PTE_NONE  0x200ull /* with P clear: PT_NONE */

#define PTE_TABLE (PTE_P | PTE_W | PTE_A)

typedef _Atomic uint64_t pte_t;

static _Atomic uint64_t ntables; /* of all but the kernel's at boot */

static void *table_alloc(unsigned flags)
{
	void *t = page_alloc(0, flags);

	if (t)
		atomic_fetch_add_explicit(&ntables, 1, memory_order_relaxed);
	return t;
}

static void table_free(void *t)
{
	atomic_fetch_sub_explicit(&ntables, 1, memory_order_relaxed);
	page_free(t, 0);
}

uint64_t pgtable_bytes(void)
{
	return atomic_load_explicit(&ntables, memory_order_relaxed) * PAGE_SIZE;
}

static pte_t *table_at(uint64_t entry)
{
	return direct_map(entry & PTE_ADDR);
}

static unsigned index_of(uintptr_t va, unsigned level)
{
	return va >> (12 + 9 * level) & (ENTRIES - 1);
}

static size_t level_size(unsigned level)
{
	return 1ul << (12 + 9 * level);
}

static bool is_leaf(uint64_t e, unsigned level)
{
	return level == 0 ? e != 0 : (e & PTE_PS) != 0;
}

static uint64_t bits_of(unsigned prot)
{
	uint64_t e = prot & PT_NONE ? PTE_NONE : PTE_P;

	if (prot & PT_WRITE)
		e |= PTE_W;
	if (!(prot & PT_EXEC))
		e |= PTE_NX;
	if (prot & PT_UNCACHED)
		e |= PTE_PCD | PTE_PWT;
	if (prot & PT_GLOBAL)
		e |= PTE_G;
	if (prot & PT_DIRTY)
		e |= PTE_D;
	return e;
}

static unsigned prot_of(uint64_t e)
{
	unsigned prot = 0;

	if (e & PTE_W)
		prot |= PT_WRITE;
	if (!(e & PTE_NX))
		prot |= PT_EXEC;
	if (e & PTE_PCD)
		prot |= PT_UNCACHED;
	if (e & PTE_G)
		prot |= PT_GLOBAL;
	if (e & PTE_NONE)
		prot |= PT_NONE;
	return prot;
}

/* The entry that maps (va), its level in *level; NULL when nothing does. */
static pte_t *leaf_find(struct pgtable *pt, uintptr_t va, unsigned *level)
{
	pte_t *t = (pte_t *)pt;

	for (unsigned l = TOP;; l--) {
		pte_t *e = &t[index_of(va, l)];
		uint64_t v = *e;

		if (!v)
			return NULL;
		if (is_leaf(v, l)) {
			*level = l;
			return e;
		}
		t = table_at(v);
	}
}

/* Put a table of 4 KiB entries in the place of the 2 MiB page at (e). */
static int leaf_split(pte_t *e)
{
	uint64_t *t = table_alloc(0);
	uint64_t old = *e;

	if (!t)
		return -ENOMEM;
	do {
		uint64_t small = old & ~(uint64_t)PTE_PS;

		for (unsigned i = 0; i < ENTRIES; i++)
			t[i] = small + i * PAGE_SIZE;
	} while (
	    !atomic_compare_exchange_weak(e, &old, va_to_pa(t) | PTE_TABLE));
	return 0;
}

/* Have a table at (e), this thread's or another's; false: no memory. */
static NOINLINE bool table_make(pte_t *e)
{
	void *table = table_alloc(PAGE_ZERO);
	uint64_t none = 0;

	if (!table)
		return false;
	if (!atomic_compare_exchange_strong(
		e, &none, va_to_pa(table) | PTE_TABLE))
		table_free(table);
	return true;
}

/* The entry for (va) at (level), making the tables above it. */
static pte_t *entry_make(struct pgtable *pt, uintptr_t va, unsigned level)
{
	pte_t *t = (pte_t *)pt;

	for (unsigned l = TOP;; l--) {
		pte_t *e = &t[index_of(va, l)];

		if (l == level)
			return e;
		if (!*e && !table_make(e))
			return NULL;
		if (is_leaf(*e, l) && leaf_split(e))
			return NULL;
		t = table_at(*e);
	}
}

struct pt_slot {
	pte_t entry;
};

static struct pt_slot *slot_of(pte_t *e)
{
	return (struct pt_slot *)(uintptr_t)e;
}

struct pt_slot *pt_slot(struct pgtable *pt, uintptr_t va, size_t size)
{
	unsigned level = size == PAGE_SIZE ? 0 : 1;
	pte_t *t = (pte_t *)pt, *e;

#pragma GCC unroll 4
	for (unsigned l = TOP; l > 0; l--) {
		e = &t[index_of(va, l)];
		if (l == level)
			return slot_of(e);
		if (unlikely(!*e) && !table_make(e))
			return NULL;
		if (unlikely(is_leaf(*e, l)))
			return slot_of(e);
		t = table_at(*e);
	}
	return slot_of(&t[index_of(va, 0)]);
}

bool pt_slot_empty(const struct pt_slot *slot)
{
	return slot->entry == 0;
}

bool pt_slot_fill(struct pt_slot *slot, uint64_t pa, size_t size, unsigned prot)
{
	uint64_t none = 0, bits = bits_of(prot);

	if (size > PAGE_SIZE)
		bits |= PTE_PS;
	return atomic_compare_exchange_strong(&slot->entry, &none, pa | bits);
}

int pt_map(
    struct pgtable *pt, uintptr_t va, uint64_t pa, size_t size, unsigned prot)
{
	unsigned level = size == PAGE_SIZE ? 0 : 1;
	pte_t *e = entry_make(pt, va, level);
	uint64_t old;

	assert(size == level_size(level) && IS_ALIGNED(va | pa, size));
	if (!e)
		return -ENOMEM;
	old = atomic_exchange(e, pa | bits_of(prot) | (level ? PTE_PS : 0));
	if (old && !is_leaf(old, level)) {
		void *t = direct_map(old & PTE_ADDR);

		/* processors may still walk through it */
		*(void **)t = NULL;
		pt_flush_free(pt, va, size, t);
	}
	return 0;
}

size_t pt_unmap(struct pgtable *pt, uintptr_t va, uint64_t *pa, bool *cached)
{
	unsigned level;
	pte_t *e = leaf_find(pt, va, &level);
	uint64_t old;

	if (!e)
		return 0;
	old = atomic_exchange(e, 0);
	*pa = old & PTE_ADDR;
	/* A processor sets A before it remembers an entry: SDM 4.10.2.3. */
	*cached = (old & PTE_P) && (old & PTE_A);
	return level_size(level);
}

/* A processor that has not set D yet does so, atomically, before it writes,
 * and faults when the entry is not present by then. */
size_t pt_unmap_clean(
    struct pgtable *pt, uintptr_t va, uint64_t *pa, bool *cached)
{
	unsigned level;
	pte_t *e = leaf_find(pt, va, &level);
	uint64_t old = e ? *e : 0;

	do {
		if (!old || (old & PTE_D))
			return 0;
	} while (!atomic_compare_exchange_weak(e, &old, 0));
	*pa = old & PTE_ADDR;
	*cached = (old & PTE_P) && (old & PTE_A);
	return level_size(level);
}

/* Empty (e), which maps (size) bytes at (va). */
static void take(pte_t *e, uintptr_t va, size_t size, struct pt_batch *b)
{
	uint64_t old = atomic_exchange(e, 0);

	b->pa[b->n++] = (old & PTE_ADDR) | (size == PAGE_SIZE ? 0 : PT_GONE_2M);
	if (!(old & PTE_P) || !(old & PTE_A))
		return; /* see pt_unmap() */
	b->first = MIN(b->first, va);
	b->last = MAX(b->last, va + size);
}

uintptr_t pt_unmap_range(
    struct pgtable *pt, uintptr_t va, uintptr_t end, struct pt_batch *b)
{
	while (va < end && b->n < b->max) {
		pte_t *t = (pte_t *)pt, *e;
		unsigned l = TOP;
		uintptr_t stop;

		while (*(e = &t[index_of(va, l)]) && l && !is_leaf(*e, l)) {
			t = table_at(*e);
			l--;
		}
		/* a table of small pages is worth going along */
		stop = l ? ALIGN_DOWN(va, level_size(l)) + level_size(l)
			 : ALIGN_DOWN(va, level_size(1)) + level_size(1);
		if (l && *e)
			take(
			    e, ALIGN_DOWN(va, level_size(l)), level_size(l), b);
		if (l)
			va = stop;
		for (; va < MIN(stop, end) && b->n < b->max;
		     va += PAGE_SIZE, e++)
			if (*e)
				take(e, va, PAGE_SIZE, b);
	}
	return MIN(va, end);
}

int pt_move(struct pgtable *pt, uintptr_t from, uintptr_t to, bool *cached)
{
	unsigned level;
	pte_t *src = leaf_find(pt, from, &level), *dst;
	uint64_t old;

	*cached = false;
	if (!src)
		return -ENOENT;
	assert(level == 0);
	dst = entry_make(pt, to, 0);
	if (!dst)
		return -ENOMEM;
	old = atomic_exchange(src, 0);
	*cached = (old & PTE_P) && (old & PTE_A);
	atomic_store(dst, old);
	return 0;
}

int pt_split(struct pgtable *pt, uintptr_t va)
{
	unsigned level;
	pte_t *e = leaf_find(pt, va, &level);

	if (!e || level == 0)
		return 0;
	return leaf_split(e) ? -ENOMEM : 1;
}

/*
 * Another processor may walk through what is unlinked until the flush: the
 * link to the next in the chain, which is the address of a page, is an entry
 * that is not present to it.
 */
static void prune(pte_t *t, unsigned level, uintptr_t va, uintptr_t last,
    uintptr_t floor, uintptr_t roof, void **chain)
{
	size_t size = level_size(level);
	uintptr_t top = ALIGN_DOWN(va, size * ENTRIES);

	for (unsigned i = index_of(va, level); i <= index_of(last, level);
	     i++) {
		uintptr_t base = top + i * size;
		uint64_t e = t[i];
		void *sub;

		if (!e || is_leaf(e, level))
			continue;
		sub = direct_map(e & PTE_ADDR);
		if (level > 1)
			prune(sub, level - 1, MAX(va, base),
			    MIN(last, base + size - 1), floor, roof, chain);
		if (base < floor || base + size > roof)
			continue;
		atomic_store(&t[i], 0);
		*(void **)sub = *chain;
		*chain = sub;
	}
}

void pt_prune(struct pgtable *pt, uintptr_t va, uintptr_t end, uintptr_t floor,
    uintptr_t roof, void **tables)
{
	assert(floor <= va && va < end && end <= roof &&
	       roof <= USER_MAX + PAGE_SIZE);
	prune((pte_t *)pt, TOP, va, end - 1, floor, roof, tables);
}

void pt_free_tables(void *tables)
{
	while (tables) {
		void *t = tables;

		tables = *(void **)t;
		table_free(t);
	}
}

static void entry_protect(pte_t *e, unsigned prot)
{
	uint64_t keep = PTE_ADDR | PTE_PS | PTE_A | PTE_D;
	uint64_t old = *e;

	while (!atomic_compare_exchange_weak(
	    e, &old, (old & keep) | bits_of(prot)))
		;
}

/* All of the table that covers the 2 MiB at (va). */
static int table_protect(struct pgtable *pt, uintptr_t va, unsigned prot)
{
	int err = -ENOENT;

	for (unsigned i = 0; i < ENTRIES; i++) {
		unsigned level;
		pte_t *e = leaf_find(pt, va + i * PAGE_SIZE, &level);

		if (!e)
			continue;
		entry_protect(e, prot);
		err = 0;
	}
	return err;
}

int pt_protect(struct pgtable *pt, uintptr_t va, size_t size, unsigned prot)
{
	unsigned level;
	pte_t *e = leaf_find(pt, va, &level);

	if (size > PAGE_SIZE && (!e || level == 0))
		return table_protect(pt, va, prot);
	if (!e)
		return -ENOENT;
	if (size < level_size(level)) {
		if (leaf_split(e))
			return -ENOMEM;
		e = leaf_find(pt, va, &level);
	}
	entry_protect(e, prot);
	return 0;
}

bool pt_lookup(struct pgtable *pt, uintptr_t va, uint64_t *pa, size_t *size,
    unsigned *prot, bool *accessed, bool *dirty)
{
	unsigned level;
	pte_t *e = leaf_find(pt, va, &level);
	uint64_t v = e ? *e : 0;

	if (!v)
		return false;
	if (pa)
		*pa = v & PTE_ADDR;
	if (size)
		*size = level_size(level);
	if (prot)
		*prot = prot_of(v);
	if (accessed)
		*accessed = v & PTE_A;
	if (dirty)
		*dirty = v & PTE_D;
	return true;
}

/* Skip what the absent entry at the highest possible level covers. */
uintptr_t pt_next(struct pgtable *pt, uintptr_t va, uintptr_t end)
{
	while (va < end) {
		pte_t *t = (pte_t *)pt;
		unsigned l = TOP;
		uintptr_t next;
		uint64_t v;

		while ((v = t[index_of(va, l)]) && !is_leaf(v, l)) {
			t = table_at(v);
			l--;
		}
		if (v)
			return va;
		next = ALIGN_DOWN(va, level_size(l)) + level_size(l);
		if (next <= va) /* the end of the address space */
			break;
		va = next;
	}
	return end;
}

void pt_clean(
    struct pgtable *pt, uintptr_t va, size_t len, bool accessed, bool dirty)
{
	uint64_t clear = (accessed ? PTE_A : 0) | (dirty ? PTE_D : 0);
	uintptr_t end = va + len;

	while ((va = pt_next(pt, va, end)) < end) {
		unsigned level;
		pte_t *e = leaf_find(pt, va, &level);

		if (!e)
			break;
		atomic_fetch_and(e, ~clear);
		va = ALIGN_DOWN(va, level_size(level)) + level_size(level);
	}
}

struct pgtable *pgtable_kernel(void)
{
	return direct_map(paging_kernel_root);
}

/* The upper half's tables are the kernel's own, made once at boot. */
struct pgtable *pgtable_create(void)
{
	uint64_t *root = table_alloc(PAGE_ZERO);
	const uint64_t *kernel = (const uint64_t *)pgtable_kernel();

	if (!root)
		return NULL;
	for (unsigned i = ENTRIES / 2; i < ENTRIES; i++)
		root[i] = kernel[i];
	return (struct pgtable *)root;
}

static void destroy(pte_t *t, unsigned level, unsigned entries)
{
	for (unsigned i = 0; i < entries; i++)
		if (level && t[i] && !is_leaf(t[i], level))
			destroy(table_at(t[i]), level - 1, ENTRIES);
	table_free(t);
}

void pgtable_destroy(struct pgtable *pt)
{
	if (!pt)
		return;
	tlb_leave(pt);
	destroy((pte_t *)pt, TOP, ENTRIES / 2);
}
