/* Boot of the memory management, and statistics. */

#include "kern/arch.h"
#include "kern/balloon.h"
#include "kern/mm.h"
#include "kern/panic.h"
#include "kern/percpu.h"
#include "mm_int.h"

static struct mm_cpu boot_mm_cpu;
static _Atomic int64_t file_bytes;
static _Atomic int64_t anon_pages;
static _Atomic int64_t huge_pages; /* of 2 MiB */

void mm_account_file(int64_t delta)
{
	atomic_fetch_add_explicit(&file_bytes, delta, memory_order_relaxed);
}

void mm_account_anon(int64_t pages)
{
	atomic_fetch_add_explicit(&anon_pages, pages, memory_order_relaxed);
}

void mm_account_huge(int64_t pages)
{
	atomic_fetch_add_explicit(&huge_pages, pages, memory_order_relaxed);
}

static uint64_t positive(int64_t n)
{
	return n > 0 ? (uint64_t)n : 0;
}

/* The counts are read while they change: never below nothing. */
static uint64_t rest_of(const struct mm_stats *st)
{
	uint64_t known = st->free + st->reserved + st->slab + st->kstacks +
			 st->page_tables + st->vmalloc + st->anon +
			 st->file_cache;

	return st->total > known ? st->total - known : 0;
}

void mm_stats(struct mm_stats *st)
{
	*st = (struct mm_stats){ 0 };
	page_stats(st);
	st->slab = slab_bytes();
	st->kstacks = kstack_bytes();
	st->page_tables = pgtable_bytes();
	st->vmalloc = vmalloc_bytes();
	st->anon = positive(atomic_load(&anon_pages)) << PAGE_SHIFT;
	st->anon_huge = positive(atomic_load(&huge_pages)) * PAGE_SIZE_2M;
	st->file_cache = positive(atomic_load(&file_bytes));
	st->rest = rest_of(st);
	st->balloon = balloon_pages() << PAGE_SHIFT;
}

void mm_init(void)
{
	cpu_self()->mm = &boot_mm_cpu;
	page_init();
	balloon_init();
	slab_init();
}

void mm_cpu_init(struct cpu *c)
{
	if (c->mm)
		return;
	c->mm = kzalloc(sizeof(*c->mm));
	if (!c->mm)
		panic("no memory for cpu %u", c->id);
}
