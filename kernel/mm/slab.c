/*
 * The heap: size classes on slabs of one to four pages; larger sizes are
 * pages.  What a slab needs to know is in its pages' metadata, so objects of a
 * power of two are aligned to their size.
 *
 * A cpu takes objects from one slab of a class, whose free objects it has
 * taken off as a whole: that list is its own, and giving back to it or taking
 * from it needs no more than interrupts off.  All other frees, of any cpu,
 * push the object onto the slab's list, by one compare-and-swap of a word:
 *
 *     free    the first free object, in units of 16 bytes from the slab's
 *             start; the next is in the object's first two bytes
 *     inuse   objects not on that list
 *     owned   some cpu has the slab, as the one it takes from or in its list
 *             of partial slabs
 *
 * Only the owner takes objects off, and all at once, so that a push cannot be
 * deceived by a head that went and came back.
 *
 * A full slab belongs to nobody.  The free that finds it full makes it its
 * own cpu's, in that same swap, and puts it into the cpu's partial list.  When
 * that grows too long its slabs go to the class's list, not owned; the free
 * that empties such a slab takes it from there and gives its pages back.  By
 * then another cpu may have taken it and done so: (listed) tells, under the
 * lock.
 */

#include "kern/arch.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/panic.h"
#include "kern/percpu.h"
#include "kern/string.h"
#include "mm_int.h"

#define SLAB_MAX     3072 /* the largest class */
#define UNIT         16u  /* of (free) */

#define FREE_END     0xffffu
#define INUSE_SHIFT  16
#define INUSE_MASK   0x7fffu
#define OWNED        (1u << 31)

#define PARTIAL_MAX  6 /* slabs that a cpu keeps of a class */
#define PARTIAL_KEEP 2

struct slab_class {
	/* A spinlock because event context allocates; taken when a cpu has no
	 * slab left, or too many. */
	struct spinlock lock;
	uint32_t partial;     /* slabs that nobody owns, with a free object */
	uint16_t size, count; /* of an object; objects in a slab */
	uint8_t order;
};

static struct slab_class classes[NCLASS];
static const uint16_t class_size[NCLASS] = { 16, 32, 48, 64, 128, 192, 256, 384,
	512, 768, 1024, 1280, 1536, 2048, SLAB_MAX };
static const uint8_t class_order[NCLASS] = { 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2,
	2, 2, 2 };
static uint8_t class_by_size[SLAB_MAX / 16 + 1];
static _Atomic uint64_t pages_used;

uint64_t slab_bytes(void)
{
	return atomic_load(&pages_used) << PAGE_SHIFT;
}

static uint32_t word(uint32_t free, uint32_t inuse, uint32_t owned)
{
	return free | inuse << INUSE_SHIFT | owned;
}

static uint32_t free_of(uint32_t w)
{
	return w & 0xffff;
}

static uint32_t inuse_of(uint32_t w)
{
	return w >> INUSE_SHIFT & INUSE_MASK;
}

static char *slab_base(struct page *slab)
{
	return pa_to_va((paddr_t)page_pfn(slab) << PAGE_SHIFT);
}

/* The link to the next free object, in a free one's first bytes. */
static uint16_t *link_at(char *base, uint32_t free)
{
	return (uint16_t *)(void *)(base + (size_t)free * UNIT);
}

static struct page *slab_of(struct page *pg)
{
	return pfn_page(page_pfn(pg) & ~((1u << pg->order) - 1));
}

/* --- with DEBUG_CHECKS --------------------------------------------------- */

#define FILL_NEW 0x5a

/* What byte (i) of a free object is, but for those of the link: nothing that a
 * user would have there in all of them. */
static uint8_t free_byte(size_t i)
{
	return (uint8_t)(0x6b + 37 * i);
}

static void fill_free(void *obj, size_t size)
{
	uint8_t *p = obj;

	for (size_t i = sizeof(uint16_t); DEBUG_CHECKS && i < size; i++)
		p[i] = free_byte(i);
}

static bool is_filled_free(const void *obj, size_t size)
{
	const uint8_t *p = obj;

	for (size_t i = sizeof(uint16_t); i < size; i++)
		if (p[i] != free_byte(i))
			return false;
	return true;
}

/* (obj) leaves the heap; NULL: there was none. */
static void *check_alloc(void *obj, unsigned class)
{
	size_t size = class_size[class];

	if (!DEBUG_CHECKS || !obj)
		return obj;
	if (!is_filled_free(obj, size))
		panic("heap: %p, one of %zu bytes, was written to after it "
		      "was freed",
		    obj, size);
	return memset(obj, FILL_NEW, size);
}

static void check_free(void *obj, unsigned class)
{
	size_t size = class_size[class];

	if (!DEBUG_CHECKS)
		return;
	if (is_filled_free(obj, size))
		panic("heap: %p, one of %zu bytes, is freed twice", obj, size);
	fill_free(obj, size);
}

/* --- slabs --------------------------------------------------------------- */

/* Owned by the caller. */
static struct page *slab_create(unsigned class)
{
	const struct slab_class *sc = &classes[class];
	void *va = page_alloc(sc->order, 0);
	struct page *slab;
	uint32_t step = sc->size / UNIT;

	if (!va)
		return NULL;
	slab = page_of(va);
	for (unsigned i = 0; i < 1u << sc->order; i++) {
		slab[i].type = PAGE_SLAB;
		slab[i].order = sc->order;
		slab[i].class = (uint8_t) class;
	}
	for (uint32_t i = 0; i < sc->count; i++) {
		uint16_t *obj = link_at(va, i * step);

		*obj =
		    (uint16_t)(i + 1u < sc->count ? (i + 1) * step : FREE_END);
		fill_free(obj, sc->size);
	}
	atomic_store(&slab->listed, 0);
	atomic_store_explicit(
	    &slab->slab, word(0, 0, OWNED), memory_order_release);
	atomic_fetch_add(&pages_used, 1ul << sc->order);
	return slab;
}

static void slab_destroy(struct page *slab)
{
	unsigned order = slab->order;

	atomic_fetch_sub(&pages_used, 1ul << order);
	for (unsigned i = 1; i < 1u << order; i++)
		slab[i].type = PAGE_RESERVED;
	slab->type = PAGE_USED;
	atomic_store_explicit(&slab->refs, 1, memory_order_relaxed);
	page_free(slab_base(slab), order);
}

/* Take all free objects of (slab), which this cpu owns.  Returns the first. */
static uint32_t take_all(struct page *slab, const struct slab_class *sc)
{
	return free_of(atomic_exchange_explicit(&slab->slab,
	    word(FREE_END, sc->count, OWNED), memory_order_acquire));
}

/* False: an object has come back meanwhile. */
static bool leave_full(struct page *slab, const struct slab_class *sc)
{
	uint32_t full = word(FREE_END, sc->count, OWNED);

	return atomic_compare_exchange_strong_explicit(&slab->slab, &full,
	    full & ~OWNED, memory_order_release, memory_order_relaxed);
}

/* --- a class's list ------------------------------------------------------ */

static void list_push(struct slab_class *sc, struct page *slab)
{
	uint32_t pfn = page_pfn(slab);

	slab->prev = 0;
	slab->next = sc->partial;
	if (slab->next)
		pfn_page(slab->next)->prev = pfn;
	sc->partial = pfn;
	atomic_store_explicit(
	    &slab->listed, (uint8_t)(sc - classes + 1), memory_order_relaxed);
}

static void list_unlink(struct slab_class *sc, struct page *slab)
{
	if (slab->prev)
		pfn_page(slab->prev)->next = slab->next;
	else
		sc->partial = slab->next;
	if (slab->next)
		pfn_page(slab->next)->prev = slab->prev;
	atomic_store_explicit(&slab->listed, 0, memory_order_relaxed);
}

/* A slab of the list, owned by the caller from now on; NULL: none. */
static struct page *list_take(struct slab_class *sc)
{
	struct page *slab = NULL;

	spin_lock(&sc->lock);
	if (sc->partial) {
		slab = pfn_page(sc->partial);
		list_unlink(sc, slab);
		atomic_fetch_or_explicit(
		    &slab->slab, OWNED, memory_order_relaxed);
	}
	spin_unlock(&sc->lock);
	return slab;
}

/* Nobody owned (slab) when its last object came back. */
static void slab_emptied(struct slab_class *sc, struct page *slab)
{
	uint8_t mine = (uint8_t)(sc - classes + 1);
	bool empty;

	spin_lock(&sc->lock);
	empty =
	    atomic_load_explicit(&slab->listed, memory_order_relaxed) == mine &&
	    inuse_of(atomic_load_explicit(&slab->slab, memory_order_acquire)) ==
		0;
	if (empty)
		list_unlink(sc, slab);
	spin_unlock(&sc->lock);
	if (empty)
		slab_destroy(slab);
}

/* --- a cpu's slabs; interrupts are off ----------------------------------- */

static void partial_push(struct slab_cpu *c, struct page *slab)
{
	slab->next = c->partial;
	c->partial = page_pfn(slab);
	c->npartial++;
}

static struct page *partial_pop(struct slab_cpu *c)
{
	struct page *slab;

	if (!c->partial)
		return NULL;
	slab = pfn_page(c->partial);
	c->partial = slab->next;
	c->npartial--;
	return slab;
}

/* All but (keep) slabs go to the class, or back to the page allocator. */
static void partial_unload(
    struct slab_cpu *c, struct slab_class *sc, uint32_t keep)
{
	uint32_t empty = 0;
	struct page *slab;

	spin_lock(&sc->lock);
	while (c->npartial > keep) {
		slab = partial_pop(c);
		if (inuse_of(atomic_fetch_and_explicit(
			&slab->slab, ~OWNED, memory_order_acq_rel)) > 0) {
			list_push(sc, slab);
		} else {
			slab->next = empty;
			empty = page_pfn(slab);
		}
	}
	spin_unlock(&sc->lock);
	while (empty) {
		slab = pfn_page(empty);
		empty = slab->next;
		slab_destroy(slab);
	}
}

/* Have free objects in (c); false: a new slab is needed. */
static bool refill(struct slab_cpu *c, struct slab_class *sc)
{
	struct page *slab = c->slab;

	if (slab && leave_full(slab, sc))
		slab = NULL;
	if (!slab)
		slab = partial_pop(c);
	if (!slab)
		slab = list_take(sc);
	c->slab = slab;
	if (!slab)
		return false;
	c->base = slab_base(slab);
	c->free = take_all(slab, sc);
	return true;
}

/* --- the heap ------------------------------------------------------------ */

static void *slab_alloc_cpu(unsigned class)
{
	unsigned long flags = irq_save();
	struct slab_cpu *c = &cpu_self()->mm->slab[class];
	uint16_t *obj = NULL;

	if (likely(c->free != FREE_END && c->slab) ||
	    refill(c, &classes[class])) {
		obj = link_at(c->base, c->free);
		c->free = *obj;
	}
	irq_restore(flags);
	return obj;
}

static void *slab_alloc(unsigned class)
{
	void *obj = slab_alloc_cpu(class);

	while (unlikely(!obj)) {
		struct page *slab = slab_create(class);
		unsigned long flags;

		if (!slab)
			return NULL;
		flags = irq_save();
		partial_push(&cpu_self()->mm->slab[class], slab);
		irq_restore(flags);
		obj = slab_alloc_cpu(class);
	}
	return obj;
}

/* To a slab that is not the one this cpu takes from. */
static void slab_push(
    struct slab_cpu *c, struct page *slab, char *base, uint32_t free)
{
	struct slab_class *sc = &classes[slab->class];
	uint32_t old, new;
	bool was_full;

	old = atomic_load_explicit(&slab->slab, memory_order_relaxed);
	do {
		assert(inuse_of(old) > 0);
		was_full = free_of(old) == FREE_END && !(old & OWNED);
		*link_at(base, free) = (uint16_t)free_of(old);
		new = word(
		    free, inuse_of(old) - 1, was_full ? OWNED : old & OWNED);
		/* release: the link; acquire: what the last owner did */
	} while (!atomic_compare_exchange_weak_explicit(&slab->slab, &old, new,
	    memory_order_acq_rel, memory_order_relaxed));
	if (was_full) {
		partial_push(c, slab);
		if (c->npartial > PARTIAL_MAX)
			partial_unload(c, sc, PARTIAL_KEEP);
	} else if (!(new &OWNED) && inuse_of(new) == 0) {
		slab_emptied(sc, slab);
	}
}

static void slab_free(void *obj, struct page *pg)
{
	unsigned long flags = irq_save();
	struct slab_cpu *c = &cpu_self()->mm->slab[pg->class];
	struct page *slab = slab_of(pg);

	if (likely(slab == c->slab)) {
		*(uint16_t *)obj = (uint16_t)c->free;
		c->free = (uint32_t)((char *)obj - c->base) / UNIT;
	} else {
		char *base = slab_base(slab);

		slab_push(c, slab, base, (uint32_t)((char *)obj - base) / UNIT);
	}
	irq_restore(flags);
}

static void *large_alloc(size_t size)
{
	size_t npages = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
	unsigned order = npages > 1 ? ilog2(npages - 1) + 1 : 0;
	struct page *pg;
	void *va;

	if (size > PAGE_SIZE << PAGE_ORDER_MAX)
		return NULL;
	va = page_alloc(order, 0);
	if (!va)
		return NULL;
	pg = page_of(va);
	pg->type = PAGE_LARGE;
	pg->next = (uint32_t)npages;
	atomic_fetch_add(&pages_used, npages);
	if (npages < 1ul << order)
		page_trim(va, order, npages);
	return va;
}

void *kmalloc(size_t size)
{
	unsigned class;

	if (size > SLAB_MAX)
		return large_alloc(size);
	class = class_by_size[(size + 15) / 16];
	return check_alloc(slab_alloc(class), class);
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

static size_t heap_size(const void *p)
{
	const struct page *pg = page_of(p);

	if (pg->type == PAGE_SLAB)
		return class_size[pg->class];
	assert(pg->type == PAGE_LARGE);
	return (size_t)pg->next << PAGE_SHIFT;
}

void *krealloc(void *old, size_t size)
{
	size_t old_size = old ? heap_size(old) : 0;
	void *p;

	if (old && size <= old_size && size > old_size / 2)
		return old;
	p = kmalloc(size);
	if (!p || !old)
		return p;
	memcpy(p, old, MIN(old_size, size));
	kfree(old);
	return p;
}

static void large_free(void *p, struct page *pg)
{
	size_t npages = pg->next;

	assert(pg->type == PAGE_LARGE);
	atomic_fetch_sub(&pages_used, npages);
	if (npages == 1) {
		pg->type = PAGE_USED;
		page_free(p, 0);
		return;
	}
	page_free_range(p, npages);
}

void kfree(void *p)
{
	struct page *pg;

	if (!p)
		return;
	pg = page_of(p);
	if (likely(pg->type == PAGE_SLAB)) {
		check_free(p, pg->class);
		slab_free(p, pg);
	} else {
		large_free(p, pg);
	}
}

char *kstrdup(const char *s)
{
	size_t n = strlen(s) + 1;
	char *p = kmalloc(n);

	return p ? memcpy(p, s, n) : NULL;
}

void slab_init(void)
{
	unsigned c = 0;

	for (unsigned i = 0; i < NCLASS; i++) {
		classes[i].size = class_size[i];
		classes[i].order = class_order[i];
		classes[i].count =
		    (uint16_t)((PAGE_SIZE << class_order[i]) / class_size[i]);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(class_by_size); i++) {
		while (class_size[c] < i * 16)
			c++;
		class_by_size[i] = (uint8_t)c;
	}
}
