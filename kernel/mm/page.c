/*
 * Physical pages: a buddy allocator over blocks of up to 4 MiB, extended one
 * chunk at a time from the ranges that nobody has touched yet, so that boot
 * costs the same with 16 MiB and with a terabyte; and a stack of single
 * pages on each cpu before it.
 */

#include "kern/arch.h"
#include "kern/balloon.h"
#include "kern/boot.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/panic.h"
#include "kern/percpu.h"
#include "kern/shrink.h"
#include "kern/string.h"
#include "mm_int.h"

#define CHUNK_PAGES (1u << PAGE_ORDER_MAX)
#define LOW_PAGES   256 /* the first MiB: firmware's, and SMP start-up's */
#define NRANGE      (BOOT_MEM_MAX + BOOT_MODULE_MAX + 4)
#define PCP_BATCH   (NPCP / 2)
#define ABSENT_MAX  16 /* absent memory with metadata, of what is there */

/* Usable page frames, sorted; none of them is in two. */
struct range {
	uint64_t start, end;
};

static struct range ranges[NRANGE];
static unsigned nrange;
static unsigned cur_range; /* where the next chunk comes from */
static uint64_t cur_pfn;
static uint64_t max_pfn; /* a multiple of CHUNK_PAGES */
static struct page *page_array;
static uint64_t *chunk_known; /* a bit for each chunk with metadata */
static uint64_t total_pages;
static uint64_t managed_pages; /* of them: the allocator's, free or not */
static uint64_t mark_min, mark_low, mark_high; /* page_set_marks() */

/*
 * Protects all of the buddy.  A spinlock because event context allocates; it
 * is taken once for PCP_BATCH single pages.
 */
static struct spinlock buddy_lock = SPINLOCK_INIT;
static uint32_t free_head[PAGE_ORDER_MAX + 1];
/* Reported blocks (page_report_take()) stand behind all others. */
static uint32_t free_tail[PAGE_ORDER_MAX + 1];
static uint64_t free_pages;      /* in the buddy */
static uint64_t untouched_pages; /* in ranges, not in the buddy yet */

struct page *pfn_page(uint32_t pfn)
{
	return &page_array[pfn];
}

uint32_t page_pfn(const struct page *pg)
{
	return (uint32_t)(pg - page_array);
}

static void *pfn_va(uint32_t pfn)
{
	return pa_to_va((paddr_t)pfn << PAGE_SHIFT);
}

struct page *page_of(const void *va)
{
	return &page_array[va_to_pa(va) >> PAGE_SHIFT];
}

/* --- the buddy --------------------------------------------------------- */

static void free_push(uint32_t pfn, unsigned order, bool reported)
{
	struct page *pg = pfn_page(pfn);
	uint32_t *end = reported ? &free_tail[order] : &free_head[order];

	pg->type = PAGE_FREE;
	pg->order = (uint8_t)order;
	pg->reported = reported;
	pg->prev = reported ? *end : 0;
	pg->next = reported ? 0 : *end;
	if (pg->next)
		pfn_page(pg->next)->prev = pfn;
	else
		free_tail[order] = pfn;
	if (pg->prev)
		pfn_page(pg->prev)->next = pfn;
	else
		free_head[order] = pfn;
	free_pages += 1ul << order;
}

static void free_unlink(uint32_t pfn)
{
	struct page *pg = pfn_page(pfn);

	if (pg->prev)
		pfn_page(pg->prev)->next = pg->next;
	else
		free_head[pg->order] = pg->next;
	if (pg->next)
		pfn_page(pg->next)->prev = pg->prev;
	else
		free_tail[pg->order] = pg->prev;
	free_pages -= 1ul << pg->order;
	pg->type = PAGE_RESERVED;
}

static void buddy_free(uint32_t pfn, unsigned order)
{
	while (order < PAGE_ORDER_MAX) {
		uint32_t other = pfn ^ (1u << order);
		struct page *pg = pfn_page(other);

		if (pg->type != PAGE_FREE || pg->order != order)
			break;
		free_unlink(other);
		pfn &= ~(1u << order);
		order++;
	}
	free_push(pfn, order, false);
}

/* Free [start, end) in the largest aligned blocks there are. */
static void buddy_free_range(uint64_t start, uint64_t end)
{
	while (start < end) {
		unsigned order = PAGE_ORDER_MAX;

		if (start & (CHUNK_PAGES - 1))
			order = (unsigned)__builtin_ctzll(start);
		while (start + (1ul << order) > end)
			order--;
		buddy_free((uint32_t)start, order);
		start += 1ul << order;
	}
}

static bool chunk_is_known(uint64_t chunk)
{
	return chunk_known[chunk / 64] >> (chunk % 64) & 1;
}

/* Write the metadata of (chunk) and free what the ranges have there. */
static void chunk_add(uint64_t chunk)
{
	uint64_t lo = chunk * CHUNK_PAGES, hi = lo + CHUNK_PAGES;

	chunk_known[chunk / 64] |= 1ull << (chunk % 64);
	memset(pfn_page((uint32_t)lo), 0, CHUNK_PAGES * sizeof(struct page));
	for (unsigned i = 0; i < nrange; i++) {
		uint64_t a = MAX(ranges[i].start, lo);
		uint64_t b = MIN(ranges[i].end, hi);

		if (a >= b)
			continue;
		buddy_free_range(a, b);
		untouched_pages -= b - a;
	}
}

/* Bring the next chunk that nobody has touched in; false: none is left. */
static bool chunk_next(void)
{
	while (cur_range < nrange) {
		uint64_t chunk;

		cur_pfn = MAX(cur_pfn, ranges[cur_range].start);
		if (cur_pfn >= ranges[cur_range].end) {
			cur_range++;
			continue;
		}
		chunk = cur_pfn / CHUNK_PAGES;
		cur_pfn = (chunk + 1) * CHUNK_PAGES;
		if (chunk_is_known(chunk))
			continue;
		chunk_add(chunk);
		return true;
	}
	return false;
}

static uint64_t pages_left(void)
{
	return free_pages + untouched_pages;
}

/* 0: there is none, or it would not leave (keep) pages. */
static uint32_t buddy_alloc(unsigned order, uint64_t keep)
{
	unsigned o;
	uint32_t pfn;

	if (pages_left() < keep + (1ul << order))
		return 0;
	do {
		for (o = order; o <= PAGE_ORDER_MAX && !free_head[o]; o++)
			;
	} while (o > PAGE_ORDER_MAX && chunk_next());
	if (o > PAGE_ORDER_MAX)
		return 0;
	pfn = free_head[o];
	free_unlink(pfn);
	while (o > order) {
		o--;
		free_push(pfn + (1u << o), o, pfn_page(pfn)->reported);
	}
	return pfn;
}

static void page_mark_used(struct page *pg, unsigned order)
{
	pg->type = PAGE_USED;
	pg->order = (uint8_t)order;
	atomic_store_explicit(&pg->refs, 1, memory_order_relaxed);
}

/* --- single pages, per cpu --------------------------------------------- */

/* Interrupts are off.  What is kept back is not hoarded: the next caller may
 * be one who would not get it. */
static void pcp_fill(struct mm_cpu *mc, uint64_t keep)
{
	uint32_t want = PCP_BATCH, pfn;

	spin_lock(&buddy_lock);
	if (pages_left() < mark_min + PCP_BATCH)
		want = 1;
	while (mc->npages < want && (pfn = buddy_alloc(0, keep)) != 0)
		mc->pages[mc->npages++] = pfn_va(pfn);
	spin_unlock(&buddy_lock);
	mm_reclaim_soon(page_shortfall());
}

static void pcp_drain(struct mm_cpu *mc, uint32_t keep)
{
	spin_lock(&buddy_lock);
	while (mc->npages > keep) {
		void *va = mc->pages[--mc->npages];

		buddy_free((uint32_t)(va_to_pa(va) >> PAGE_SHIFT), 0);
	}
	spin_unlock(&buddy_lock);
}

static void *pcp_alloc(uint64_t keep)
{
	unsigned long flags = irq_save();
	struct mm_cpu *mc = cpu_self()->mm;
	void *va = NULL;

	if (mc->npages == 0)
		pcp_fill(mc, keep);
	if (mc->npages > 0) {
		va = mc->pages[--mc->npages];
		page_mark_used(page_of(va), 0);
	}
	irq_restore(flags);
	return va;
}

static void pcp_free(void *va)
{
	unsigned long flags = irq_save();
	struct mm_cpu *mc = cpu_self()->mm;

	if (mc->npages == NPCP)
		pcp_drain(mc, NPCP - PCP_BATCH);
	mc->pages[mc->npages++] = va;
	irq_restore(flags);
}

/* --- the interface ----------------------------------------------------- */

/* Like page_alloc(), never waits, leaves (keep) pages. */
static void *page_get_free(unsigned order, uint64_t keep)
{
	unsigned long flags;
	uint32_t pfn;

	if (order == 0)
		return pcp_alloc(keep);
	flags = spin_lock_irqsave(&buddy_lock);
	pfn = buddy_alloc(order, keep);
	if (pfn)
		page_mark_used(pfn_page(pfn), order);
	spin_unlock_irqrestore(&buddy_lock, flags);
	mm_reclaim_soon(page_shortfall());
	return pfn ? pfn_va(pfn) : NULL;
}

/* Only what is kept back is left. */
static void *page_alloc_short(unsigned order, unsigned flags)
{
	const struct thread *t = thread_self();
	void *va = NULL;

	if ((flags & PAGE_ATOMIC) || !mm_may_block())
		return page_get_free(order, 0);
	if (t->frees_memory || (t->no_reclaim && !(flags & PAGE_USER)))
		return page_get_free(order, mark_min / 2);
	if (t->no_reclaim)
		return NULL;
	for (unsigned i = 0; !va && i < RECLAIM_TRIES; i++) {
		if (!mm_reclaim(PAGE_SIZE << order))
			break;
		va = page_get_free(order, mark_min);
	}
	return va;
}

void *page_alloc(unsigned order, unsigned flags)
{
	void *va;

	assert(order <= PAGE_ORDER_MAX);
	va = page_get_free(order, mark_min);
	if (unlikely(!va))
		va = page_alloc_short(order, flags);
	if (va && (flags & PAGE_ZERO))
		memset(va, 0, PAGE_SIZE << order);
	return va;
}

void page_free(void *va, unsigned order)
{
	struct page *pg = page_of(va);
	unsigned long flags;

	assert(pg->type == PAGE_USED && pg->order == order);
	assert(atomic_load_explicit(&pg->refs, memory_order_relaxed) == 1);
	pg->type = PAGE_RESERVED;
	if (order == 0) {
		pcp_free(va);
		return;
	}
	flags = spin_lock_irqsave(&buddy_lock);
	buddy_free(page_pfn(pg), order);
	spin_unlock_irqrestore(&buddy_lock, flags);
}

void page_trim(void *va, unsigned order, size_t npages)
{
	uint64_t pfn = va_to_pa(va) >> PAGE_SHIFT;
	unsigned long flags = spin_lock_irqsave(&buddy_lock);

	/* The tail's metadata says nothing that the buddy could misread: only
	 * a block's first page is ever PAGE_FREE. */
	buddy_free_range(pfn + npages, pfn + (1ul << order));
	spin_unlock_irqrestore(&buddy_lock, flags);
}

void page_free_range(void *va, size_t npages)
{
	uint64_t pfn = va_to_pa(va) >> PAGE_SHIFT;
	unsigned long flags = spin_lock_irqsave(&buddy_lock);

	pfn_page((uint32_t)pfn)->type = PAGE_RESERVED;
	buddy_free_range(pfn, pfn + npages);
	spin_unlock_irqrestore(&buddy_lock, flags);
}

void page_get(void *va)
{
	struct page *pg = page_of(va);

	assert(pg->type == PAGE_USED && pg->order == 0);
	atomic_fetch_add_explicit(&pg->refs, 1, memory_order_relaxed);
}

void page_put(void *va)
{
	struct page *pg = page_of(va);
	uint32_t old;

	assert(pg->type == PAGE_USED && pg->order == 0);
	old = atomic_fetch_sub_explicit(&pg->refs, 1, memory_order_acq_rel);
	assert(old != 0);
	if (old != 1)
		return;
	pg->type = PAGE_RESERVED;
	pcp_free(va);
}

void *page_alloc_run(unsigned order, unsigned flags)
{
	void *va = page_alloc(order, flags);
	struct page *pg;

	if (!va)
		return NULL;
	pg = page_of(va);
	for (size_t i = 0; i < 1ul << order; i++)
		page_mark_used(&pg[i], 0);
	return va;
}

/* All of them at once if nobody else holds one: else they come back apart. */
void page_put_run(void *va, unsigned order)
{
	struct page *pg = page_of(va);
	size_t n = 1ul << order, i = 0;

	while (i < n && page_refs((char *)va + i * PAGE_SIZE) == 1)
		i++;
	if (i < n) {
		for (i = 0; i < n; i++)
			page_put((char *)va + i * PAGE_SIZE);
		return;
	}
	for (i = 1; i < n; i++)
		pg[i].type = PAGE_RESERVED;
	pg->order = (uint8_t)order;
	page_free(va, order);
}

unsigned page_refs(const void *va)
{
	return atomic_load_explicit(&page_of(va)->refs, memory_order_acquire);
}

void mm_free_boot_range(paddr_t pa, uint64_t len)
{
	uint64_t start = ALIGN_UP(pa, PAGE_SIZE) >> PAGE_SHIFT;
	uint64_t end = (pa + len) >> PAGE_SHIFT;
	unsigned long flags;

	end = MIN(end, max_pfn);
	while (start < end) {
		uint64_t chunk = start / CHUNK_PAGES;
		uint64_t stop = MIN(end, (chunk + 1) * CHUNK_PAGES);

		flags = spin_lock_irqsave(&buddy_lock);
		if (!chunk_is_known(chunk))
			chunk_add(chunk);
		buddy_free_range(start, stop);
		managed_pages += stop - start;
		spin_unlock_irqrestore(&buddy_lock, flags);
		start = stop;
	}
}

uint64_t mm_total_bytes(void)
{
	return total_pages << PAGE_SHIFT;
}

uint64_t page_free_bytes(void)
{
	uint64_t n = READ_ONCE(free_pages) + READ_ONCE(untouched_pages);

	for (unsigned i = 0; i < CPU_MAX && cpus[i]; i++)
		if (cpus[i]->mm)
			n += READ_ONCE(cpus[i]->mm->npages);
	return n << PAGE_SHIFT;
}

void page_stats(struct mm_stats *st)
{
	st->total = mm_total_bytes();
	st->reserved = (total_pages - managed_pages) << PAGE_SHIFT;
	st->free = page_free_bytes();
}

/* --- memory that comes and goes ----------------------------------------- */

void page_leave(void *va, unsigned order)
{
	struct page *pg = page_of(va);
	unsigned long flags = spin_lock_irqsave(&buddy_lock);

	assert(pg->type == PAGE_USED && pg->order == order);
	pg->type = PAGE_RESERVED;
	total_pages -= 1ul << order;
	managed_pages -= 1ul << order;
	spin_unlock_irqrestore(&buddy_lock, flags);
	page_set_marks();
}

struct page *page_expect(uint32_t pfn)
{
	unsigned long flags = spin_lock_irqsave(&buddy_lock);

	if (!chunk_is_known(pfn / CHUNK_PAGES))
		chunk_add(pfn / CHUNK_PAGES);
	spin_unlock_irqrestore(&buddy_lock, flags);
	return pfn_page(pfn);
}

void page_join(uint32_t pfn, unsigned order)
{
	unsigned long flags;

	(void)page_expect(pfn);
	flags = spin_lock_irqsave(&buddy_lock);
	total_pages += 1ul << order;
	managed_pages += 1ul << order;
	buddy_free(pfn, order);
	spin_unlock_irqrestore(&buddy_lock, flags);
	page_set_marks();
}

uint64_t page_max_pfn(void)
{
	return max_pfn;
}

/* --- what the hypervisor may have meanwhile ------------------------------ */

void *page_report_take(unsigned least, unsigned *order)
{
	unsigned long flags = spin_lock_irqsave(&buddy_lock);
	uint32_t pfn = 0;

	for (unsigned o = PAGE_ORDER_MAX + 1; !pfn && o-- > least;) {
		pfn = free_head[o];
		*order = o;
		if (pfn && (pfn_page(pfn)->reported ||
			       pages_left() < mark_high + (1ul << o)))
			pfn = 0;
	}
	if (pfn) {
		free_unlink(pfn);
		page_mark_used(pfn_page(pfn), *order);
	}
	spin_unlock_irqrestore(&buddy_lock, flags);
	return pfn ? pfn_va(pfn) : NULL;
}

/* Blocks that are not all reported are not joined: they would be none. */
static bool other_is_reported(uint32_t pfn, unsigned order)
{
	const struct page *pg = pfn_page(pfn ^ (1u << order));

	return pg->type == PAGE_FREE && pg->order == order && pg->reported;
}

void page_report_done(void *va, unsigned order, bool reported)
{
	uint32_t pfn = page_pfn(page_of(va));
	unsigned long flags;

	if (!reported) {
		page_free(va, order);
		return;
	}
	flags = spin_lock_irqsave(&buddy_lock);
	pfn_page(pfn)->type = PAGE_RESERVED;
	while (order < PAGE_ORDER_MAX && other_is_reported(pfn, order)) {
		free_unlink(pfn ^ (1u << order));
		pfn &= ~(1u << order++);
	}
	free_push(pfn, order, true);
	spin_unlock_irqrestore(&buddy_lock, flags);
}

/* --- what is kept back --------------------------------------------------- */

void page_set_marks(void)
{
	mark_min = MIN(MAX(total_pages / 256, 64ul), 2048ul);
	mark_low = 4 * mark_min;
	mark_high = 6 * mark_min;
}

void page_marks(uint64_t mark[3])
{
	mark[0] = mark_min << PAGE_SHIFT;
	mark[1] = mark_low << PAGE_SHIFT;
	mark[2] = mark_high << PAGE_SHIFT;
}

size_t page_shortfall(void)
{
	uint64_t left = READ_ONCE(free_pages) + READ_ONCE(untouched_pages);

	return left < mark_low ? (mark_high - left) << PAGE_SHIFT : 0;
}

/* --- boot -------------------------------------------------------------- */

static void range_add(uint64_t start, uint64_t end)
{
	if (start < end && nrange < NRANGE)
		ranges[nrange++] = (struct range){ start, end };
}

/* Take [start, end) out of the ranges; both are page frames. */
static void range_reserve(uint64_t start, uint64_t end)
{
	for (unsigned i = 0; i < nrange; i++) {
		struct range *r = &ranges[i];
		struct range tail = { MAX(end, r->start), r->end };

		if (end <= r->start || start >= r->end)
			continue;
		r->end = MAX(start, r->start);
		if (tail.start >= tail.end)
			continue;
		if (r->start == r->end) {
			*r = tail;
			continue;
		}
		assert(nrange < NRANGE);
		memmove(r + 2, r + 1, (nrange - i - 1) * sizeof(*r));
		r[1] = tail;
		nrange++;
		i++;
	}
}

static void range_reserve_bytes(uint64_t pa, uint64_t len)
{
	range_reserve(
	    pa >> PAGE_SHIFT, ALIGN_UP(pa + len, PAGE_SIZE) >> PAGE_SHIFT);
}

static void ranges_collect(void)
{
	for (unsigned i = 0; i < boot_info.nmem; i++) {
		const struct boot_mem *m = &boot_info.mem[i];

		if (m->type != BOOT_MEM_RAM)
			continue;
		total_pages += m->len >> PAGE_SHIFT;
		range_add(ALIGN_UP(m->pa, PAGE_SIZE) >> PAGE_SHIFT,
		    (m->pa + m->len) >> PAGE_SHIFT);
	}
	range_reserve(0, LOW_PAGES);
	range_reserve_bytes(va_to_pa(kernel_start),
	    arch_boot_pa_end() - va_to_pa(kernel_start));
	for (unsigned i = 0; i < boot_info.nmodule; i++)
		range_reserve_bytes(
		    boot_info.module[i].pa, boot_info.module[i].len);
}

/* Take (bytes) from the end of the largest range. */
static void *range_carve(uint64_t bytes)
{
	uint64_t n = ALIGN_UP(bytes, PAGE_SIZE) >> PAGE_SHIFT;
	struct range *best = &ranges[0];

	for (unsigned i = 1; i < nrange; i++)
		if (ranges[i].end - ranges[i].start > best->end - best->start)
			best = &ranges[i];
	if (nrange == 0 || best->end - best->start <= n)
		panic("not enough memory to start");
	best->end -= n;
	return pa_to_va(best->end << PAGE_SHIFT);
}

/*
 * Where the metadata has to end.  It is there for memory that may come, too,
 * but not for so much that it would fill what there is.
 */
static uint64_t last_pfn(void)
{
	uint64_t end = ranges[nrange - 1].end;
	uint64_t most = end + total_pages * ABSENT_MAX;

	for (unsigned i = 0; i < boot_info.nmem; i++) {
		const struct boot_mem *m = &boot_info.mem[i];

		if (m->type == BOOT_MEM_ABSENT)
			end =
			    MAX(end, MIN((m->pa + m->len) >> PAGE_SHIFT, most));
	}
	return end;
}

void page_init(void)
{
	uint64_t bitmap;

	ranges_collect();
	if (nrange == 0)
		panic("the loader gave no usable memory");
	max_pfn = ALIGN_UP(last_pfn(), CHUNK_PAGES);
	/* Page frame numbers are 32 bits wide in struct page. */
	max_pfn = MIN(max_pfn, 1ull << 32);
	range_reserve(max_pfn, UINT64_MAX);
	page_array = range_carve(max_pfn * sizeof(struct page));
	bitmap = ALIGN_UP(max_pfn / CHUNK_PAGES, 64) / 8;
	chunk_known = range_carve(bitmap);
	memset(chunk_known, 0, bitmap);
	for (unsigned i = 0; i < nrange; i++)
		untouched_pages += ranges[i].end - ranges[i].start;
	managed_pages = untouched_pages;
}
