/*
 * The balloon: memory that the hypervisor has.  Blocks are chained through the
 * metadata of their first page; RAM that was absent at boot is taken from the
 * memory map when those are used up, so that its size costs nothing.
 */

#include "kern/balloon.h"

#include "kern/boot.h"
#include "kern/num.h"
#include "kern/shrink.h"
#include "mm_int.h"

#define BLOCK_PAGES (1ul << BALLOON_ORDER)

/* One driver at a time: no lock. */
static uint32_t kept[BALLOON_ORDER + 1]; /* page frames, by order; 0: none */
static _Atomic uint64_t npages;

/* Absent RAM that was never there: [pa, end) of entry (i), and all before. */
static struct {
	unsigned i;
	uint64_t pa, end;
} absent;

uint64_t balloon_pages(void)
{
	return atomic_load_explicit(&npages, memory_order_relaxed);
}

static void set_pages(uint64_t n)
{
	atomic_store_explicit(&npages, n, memory_order_relaxed);
}

/* --- giving away --------------------------------------------------------- */

/* What stays free is what the reclaimer works for. */
static bool enough_after(uint64_t pages)
{
	uint64_t mark[3];

	page_marks(mark);
	return page_free_bytes() >= mark[2] + (pages << PAGE_SHIFT);
}

static void *take(unsigned order)
{
	bool old;
	void *va;

	if (!enough_after(1ul << order))
		return NULL;
	old = mm_noreclaim_begin();
	va = page_alloc(order, PAGE_USER);
	mm_noreclaim_end(old);
	return va;
}

bool balloon_take(struct balloon_block *b, uint64_t most)
{
	void *va = NULL;

	b->order = BALLOON_ORDER;
	if (most >= BLOCK_PAGES)
		va = take(b->order);
	if (!va) {
		b->order = 0;
		va = take(b->order);
	}
	if (!va) {
		mm_reclaim_soon(BLOCK_PAGES << PAGE_SHIFT);
		return false;
	}
	page_leave(va, b->order);
	b->pa = va_to_pa(va);
	return true;
}

void balloon_keep(const struct balloon_block *b)
{
	uint32_t pfn = (uint32_t)(b->pa >> PAGE_SHIFT);

	page_expect(pfn)->next = kept[b->order];
	kept[b->order] = pfn;
	set_pages(npages + (1ul << b->order));
}

/* --- getting back -------------------------------------------------------- */

/* The next entry of the memory map that is absent; false: none is left. */
static bool absent_next(void)
{
	uint64_t limit = page_max_pfn() << PAGE_SHIFT;

	while (absent.pa >= absent.end) {
		const struct boot_mem *m = &boot_info.mem[absent.i];

		if (absent.i == boot_info.nmem)
			return false;
		absent.i++;
		if (m->type != BOOT_MEM_ABSENT)
			continue;
		absent.pa = m->pa;
		absent.end = MIN(m->pa + m->len, limit);
	}
	return true;
}

static bool absent_pick(struct balloon_block *b, uint64_t most)
{
	uint64_t size = PAGE_SIZE << BALLOON_ORDER;

	if (!absent_next())
		return false;
	b->pa = absent.pa;
	b->order = 0;
	if (most >= BLOCK_PAGES && IS_ALIGNED(b->pa, size) &&
	    absent.end - b->pa >= size)
		b->order = BALLOON_ORDER;
	absent.pa += PAGE_SIZE << b->order;
	return true;
}

static bool kept_pick(struct balloon_block *b, unsigned order)
{
	uint32_t pfn = kept[order];

	if (!pfn)
		return false;
	kept[order] = page_expect(pfn)->next;
	b->pa = (paddr_t)pfn << PAGE_SHIFT;
	b->order = order;
	return true;
}

/* A page of a block that was kept as a whole. */
static bool split_pick(struct balloon_block *b)
{
	if (!kept_pick(b, BALLOON_ORDER))
		return false;
	b->order = 0;
	for (uint32_t i = 1; i < BLOCK_PAGES; i++) {
		uint32_t pfn = (uint32_t)(b->pa >> PAGE_SHIFT) + i;

		page_expect(pfn)->next = kept[0];
		kept[0] = pfn;
	}
	return true;
}

bool balloon_pick(struct balloon_block *b, uint64_t most)
{
	if (!(most >= BLOCK_PAGES && kept_pick(b, BALLOON_ORDER)) &&
	    !absent_pick(b, most) && !kept_pick(b, 0) && !split_pick(b))
		return false;
	set_pages(npages - (1ul << b->order));
	return true;
}

void balloon_give(const struct balloon_block *b)
{
	page_join((uint32_t)(b->pa >> PAGE_SHIFT), b->order);
}

void balloon_init(void)
{
	uint64_t limit = page_max_pfn() << PAGE_SHIFT, n = 0;

	for (unsigned i = 0; i < boot_info.nmem; i++) {
		const struct boot_mem *m = &boot_info.mem[i];

		if (m->type == BOOT_MEM_ABSENT && m->pa < limit)
			n += MIN(m->len, limit - m->pa) >> PAGE_SHIFT;
	}
	set_pages(n);
}
