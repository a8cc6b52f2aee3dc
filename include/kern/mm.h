#ifndef KERN_MM_H
#define KERN_MM_H

/* Physical pages and the kernel's heap.  kernel/mm/ */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

struct cpu;

typedef uint64_t paddr_t;

#define PAGE_SHIFT     12
#define PAGE_SIZE      (1ul << PAGE_SHIFT)
#define PAGE_SIZE_2M   (1ul << 21)
#define PAGE_ORDER_MAX 10 /* 4 MiB */

#define PAGE_ZERO      1u
#define PAGE_ATOMIC    2u /* do not wait; may take the last page */
#define PAGE_USER      4u /* a program's or file's data: never the last */

/*
 * 2^order pages, aligned to their size, at their address in the direct map;
 * NULL when there is none.  Any context: one that may sleep waits for the
 * shrinkers (shrink.h) while only a small reserve is left, which is for
 * PAGE_ATOMIC and for contexts that must not sleep.
 */
void *page_alloc(unsigned order, unsigned flags) MUST_CHECK;
void page_free(void *, unsigned order);

/* References on one page (order 0): page_alloc() gives one; the last
 * page_put() frees.  For pages that a cache, mappings and I/O share. */
void page_get(void *);
void page_put(void *);
unsigned page_refs(const void *);

/* 2^order adjacent pages, aligned to their size, each with its reference as if
 * they had been allocated one by one.  As page_alloc() else. */
void *page_alloc_run(unsigned order, unsigned flags) MUST_CHECK;
/* page_put() for each of them. */
void page_put_run(void *, unsigned order);

/* Addresses of the direct map and of the kernel's image. */
paddr_t va_to_pa(const void *);
void *pa_to_va(paddr_t); /* RAM only */

/* Kernel heap; aligned to 16, to a cache line from 64 bytes on, and sizes that
 * are powers of two up to a page to their size.  Any context.  NULL when there
 * is none; kfree(NULL) does nothing. */
void *kmalloc(size_t) MUST_CHECK;
void *kzalloc(size_t) MUST_CHECK;
void *kmalloc_array(size_t n, size_t size) MUST_CHECK; /* checked, zeroed */
void *krealloc(void *, size_t) MUST_CHECK;
void kfree(void *);
char *kstrdup(const char *) MUST_CHECK;

/* Guarded kernel stack: returns its lowest byte. */
#define KSTACK_SIZE (16ul * 1024)
void *kstack_alloc(void);
void kstack_free(void *);
/* Keep it for the next kstack_alloc(); false: there are enough, it is still the
 * caller's.  Any context. */
bool kstack_recycle(void *);

/* Device memory, uncached.  Thread context. */
void *mmio_map(paddr_t, size_t);
void mmio_unmap(void *, size_t);

/* Virtually contiguous zeroed memory of separate pages.  Thread context. */
void *vmalloc(size_t) MUST_CHECK;
void vfree(void *);

/* Bytes.  total = free + reserved + all the others. */
struct mm_stats {
	uint64_t total, free;
	uint64_t reserved; /* never the allocator's: kernel image, metadata */
	uint64_t slab, kstacks, page_tables, vmalloc;
	uint64_t anon, file_cache; /* kept by vm and the page cache */
	uint64_t rest;             /* whole pages of drivers, sockets, pipes */
	uint64_t anon_huge;        /* of anon: in pages of 2 MiB */
	uint64_t balloon;          /* with the hypervisor; not in total */
};
void mm_stats(struct mm_stats *);
uint64_t mm_total_bytes(void); /* mm_stats.total, for less */
/* Count (delta) bytes of page cache. */
void mm_account_file(int64_t delta);

/* Give back memory that the loader filled, a boot module when its contents are
 * no longer needed.  Whole pages inside [pa, pa + len).  Thread context. */
void mm_free_boot_range(paddr_t pa, uint64_t len);

/* Boot: before it nothing can be allocated.  kernel/main.c */
void mm_init(void);
void mm_cpu_init(struct cpu *c);

#endif /* KERN_MM_H */
