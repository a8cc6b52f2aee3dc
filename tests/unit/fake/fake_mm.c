#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "kern/mm.h"
#include "kern/num.h"
#include "kern/shrink.h"
#include "fake_mm.h"

/* References of a page live beside it: a test may fill the whole page. */
struct fake_page {
	struct fake_page *next;
	void *va;
	unsigned refs, order;
	char *run; /* the block it is a part of */
	size_t run_len;
};

#define BUCKETS 4096

static struct fake_page *pages[BUCKETS];
static pthread_mutex_t pages_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_long fail_countdown, live;
static atomic_bool failed;
static _Atomic int64_t file_bytes;

void fake_mm_fail_nth(long n)
{
	atomic_store(&failed, false);
	atomic_store(&fail_countdown, n);
}

bool fake_mm_failed(void)
{
	return atomic_load(&failed);
}

long fake_mm_live(void)
{
	return atomic_load(&live);
}

int64_t fake_mm_file_bytes(void)
{
	return atomic_load(&file_bytes);
}

static bool must_fail(void)
{
	long n = atomic_load(&fail_countdown);

	while (n > 0) {
		if (!atomic_compare_exchange_weak(&fail_countdown, &n, n - 1))
			continue;
		if (n == 1)
			atomic_store(&failed, true);
		return n == 1;
	}
	return false;
}

static void *get(size_t align, size_t size)
{
	void *p;

	if (must_fail() || posix_memalign(&p, align, size) != 0)
		return NULL;
	atomic_fetch_add(&live, 1);
	memset(p, 0xa5, size);
	return p;
}

static void put(void *p)
{
	if (p) {
		atomic_fetch_sub(&live, 1);
		free(p);
	}
}

static struct fake_page **page_slot(const void *va)
{
	struct fake_page **pp = &pages[((uintptr_t)va >> 12) % BUCKETS];

	while (*pp && (*pp)->va != va)
		pp = &(*pp)->next;
	return pp;
}

void *page_alloc(unsigned order, unsigned flags)
{
	size_t size = PAGE_SIZE << order;
	struct fake_page *fp, **pp;
	void *p;

	if (order > PAGE_ORDER_MAX)
		abort();
	p = get(size, size);
	if (!p)
		return NULL;
	if (flags & PAGE_ZERO)
		memset(p, 0, size);
	fp = malloc(sizeof(*fp));
	*fp = (struct fake_page){ .va = p, .refs = 1, .order = order };
	pthread_mutex_lock(&pages_lock);
	pp = page_slot(p);
	if (*pp)
		abort();
	*pp = fp;
	pthread_mutex_unlock(&pages_lock);
	return p;
}

static bool run_is_gone(const struct fake_page *fp)
{
	for (size_t i = 0; i < fp->run_len; i++)
		if (*page_slot(fp->run + i * PAGE_SIZE))
			return false;
	return true;
}

/* Drops a reference; frees the page with the last one. */
static void page_drop(void *p, unsigned order, bool must_be_last)
{
	struct fake_page **pp, *fp;

	pthread_mutex_lock(&pages_lock);
	pp = page_slot(p);
	fp = *pp;
	if (!fp || fp->order != order || fp->refs == 0)
		abort();
	if (must_be_last && fp->refs != 1)
		abort();
	if (--fp->refs != 0) {
		pthread_mutex_unlock(&pages_lock);
		return;
	}
	*pp = fp->next;
	if (fp->run)
		p = run_is_gone(fp) ? fp->run : NULL;
	pthread_mutex_unlock(&pages_lock);
	free(fp);
	put(p);
}

void page_free(void *p, unsigned order)
{
	page_drop(p, order, true);
}

void page_put(void *p)
{
	page_drop(p, 0, false);
}

void page_get(void *p)
{
	pthread_mutex_lock(&pages_lock);
	if (!*page_slot(p))
		abort();
	(*page_slot(p))->refs++;
	pthread_mutex_unlock(&pages_lock);
}

/* One block of the host's: it stays until all of its pages are put. */
void *page_alloc_run(unsigned order, unsigned flags)
{
	size_t n = 1ul << order;
	char *p = get(PAGE_SIZE << order, PAGE_SIZE << order);

	if (!p)
		return NULL;
	if (flags & PAGE_ZERO)
		memset(p, 0, PAGE_SIZE << order);
	pthread_mutex_lock(&pages_lock);
	for (size_t i = 0; i < n; i++) {
		struct fake_page *fp = malloc(sizeof(*fp));

		*fp = (struct fake_page){ .va = p + i * PAGE_SIZE,
			.refs = 1,
			.run = p,
			.run_len = n };
		*page_slot(fp->va) = fp;
	}
	pthread_mutex_unlock(&pages_lock);
	return p;
}

void page_put_run(void *p, unsigned order)
{
	for (size_t i = 0; i < 1ul << order; i++)
		page_put((char *)p + i * PAGE_SIZE);
}

unsigned page_refs(const void *p)
{
	unsigned refs;

	pthread_mutex_lock(&pages_lock);
	if (!*page_slot(p))
		abort();
	refs = (*page_slot(p))->refs;
	pthread_mutex_unlock(&pages_lock);
	return refs;
}

paddr_t va_to_pa(const void *p)
{
	return (paddr_t)(uintptr_t)p;
}

void *pa_to_va(paddr_t pa)
{
	return (void *)(uintptr_t)pa;
}

void mm_free_boot_range(paddr_t pa, uint64_t len)
{
	(void)pa;
	(void)len;
}

/* The alignment that kern/mm.h promises for (size). */
static size_t kmalloc_align(size_t size)
{
	if (IS_POW2(size) && size > CACHE_LINE)
		return MIN(size, PAGE_SIZE);
	return size >= CACHE_LINE ? CACHE_LINE : 16;
}

void *kmalloc(size_t size)
{
	return get(kmalloc_align(size), size ? size : 1);
}

void *kzalloc(size_t size)
{
	void *p = kmalloc(size);

	return p ? memset(p, 0, size) : NULL;
}

void *kmalloc_array(size_t n, size_t size)
{
	size_t bytes;

	if (mul_overflow(n, size, &bytes))
		return NULL;
	return kzalloc(bytes);
}

void *krealloc(void *old, size_t size)
{
	void *p = kmalloc(size);
	size_t old_size;

	if (!p || !old)
		return p;
	old_size = malloc_usable_size(old);
	memcpy(p, old, MIN(old_size, size));
	kfree(old);
	return p;
}

void kfree(void *p)
{
	put(p);
}

char *kstrdup(const char *s)
{
	size_t n = strlen(s) + 1;
	char *p = kmalloc(n);

	return p ? memcpy(p, s, n) : NULL;
}

void *kstack_alloc(void)
{
	return get(PAGE_SIZE, KSTACK_SIZE);
}

void kstack_free(void *p)
{
	put(p);
}

void *vmalloc(size_t size)
{
	void *p = get(PAGE_SIZE, size);

	return p ? memset(p, 0, size) : NULL;
}

void vfree(void *p)
{
	put(p);
}

/* "Device memory" at a physical address that the test chose: itself. */
void *mmio_map(paddr_t pa, size_t size)
{
	(void)size;
	return must_fail() ? NULL : pa_to_va(pa);
}

void mmio_unmap(void *p, size_t size)
{
	(void)p;
	(void)size;
}

uint64_t mm_total_bytes(void)
{
	return 1ull << 30;
}

void mm_stats(struct mm_stats *st)
{
	*st = (struct mm_stats){
		.total = mm_total_bytes(),
		.free = 1ull << 29,
		.file_cache = (uint64_t)atomic_load(&file_bytes),
	};
}

void mm_account_file(int64_t delta)
{
	atomic_fetch_add(&file_bytes, delta);
}

struct shrinker *fake_shrinker;

void shrinker_register(struct shrinker *s)
{
	fake_shrinker = s;
}

void shrinker_unregister(struct shrinker *s)
{
	(void)s;
}

bool mm_reclaim(size_t bytes)
{
	(void)bytes;
	return false;
}

bool mm_noreclaim_begin(void)
{
	return false;
}

void mm_noreclaim_end(bool old)
{
	(void)old;
}
