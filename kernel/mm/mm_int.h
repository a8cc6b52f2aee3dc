#ifndef MM_INT_H
#define MM_INT_H

/* Private to kernel/mm: page metadata and the per-cpu caches. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "kern/lock.h"
#include "kern/mm.h"

enum page_type { PAGE_RESERVED, PAGE_FREE, PAGE_USED, PAGE_SLAB, PAGE_LARGE };

/*
 * One for each page frame.  The array spans all of RAM but is written only
 * when the buddy first takes a chunk, so what lies past it is undefined.
 */
struct page {
	union {
		_Atomic uint32_t refs; /* PAGE_USED, PAGE_LARGE */
		_Atomic uint32_t slab; /* PAGE_SLAB: slab.c */
	};
	uint8_t type;
	uint8_t order; /* of the block, in its first page; of the slab,
				in all of its pages */
	union {
		uint8_t class;    /* PAGE_SLAB */
		uint8_t reported; /* PAGE_FREE: see page_report_take() */
	};
	/* On this class's list, plus one; 0: on none.  Changed under that
	 * class's lock. */
	_Atomic uint8_t listed;
	uint32_t next, prev; /* page frames on a list; 0 ends it */
};
_Static_assert(sizeof(struct page) == 16, "a power of two, and small");

/* Rounds of the shrinkers for one page: others may take what they gave. */
#define RECLAIM_TRIES 16

#define NPCP          64 /* pages that a cpu keeps at most */
#define NCLASS        15

/* What a cpu has of a class: slab.c. */
struct slab_cpu {
	struct page *slab; /* objects are taken from it; NULL: none */
	char *base;        /* of (slab) */
	uint32_t free;     /* taken off it already: the first of a list */
	uint32_t partial;  /* slabs with free objects: a list by next */
	uint32_t npartial;
};

/* Touched by its own cpu only, with interrupts off. */
struct mm_cpu {
	uint32_t npages;
	void *pages[NPCP];
	struct slab_cpu slab[NCLASS];
};

/* page.c */
void page_init(void);
struct page *page_of(const void *va);
uint32_t page_pfn(const struct page *);
struct page *pfn_page(uint32_t pfn);
void page_stats(struct mm_stats *);
uint64_t page_free_bytes(void);
/*
 * For balloon.c.  page_leave(): an allocated block is not memory any more;
 * page_join(): a block that is none, or has left, is free memory from now on.
 * page_expect(): the metadata of such a block's first page, for the caller's
 * use.  There is none at page_max_pfn() and above.
 */
void page_leave(void *va, unsigned order);
void page_join(uint32_t pfn, unsigned order);
struct page *page_expect(uint32_t pfn);
uint64_t page_max_pfn(void);
/*
 * How much is kept back, by the size of memory: below (low) the reclaimer is
 * woken, up to (high) it works, and below (min) only those get pages who
 * cannot wait.  Until this is called: nothing.
 */
void page_set_marks(void);
void page_marks(uint64_t mark[3]); /* min, low and high, bytes */
/* Bytes to reclaim; 0 while enough is free. */
size_t page_shortfall(void);
/* Give the tail of a block back: [npages, 1 << order). */
void page_trim(void *va, unsigned order, size_t npages);
void page_free_range(void *va, size_t npages);

/* slab.c */
void slab_init(void);
uint64_t slab_bytes(void);

/* balloon.c */
void balloon_init(void);

/* kmap.c */
uint64_t kstack_bytes(void);
uint64_t vmalloc_bytes(void);

/* shrink.c: may this context sleep? */
bool mm_may_block(void);

/* mm.c */
void mm_account_anon(int64_t pages);
void mm_account_huge(int64_t pages); /* of 2 MiB */

#endif /* MM_INT_H */
