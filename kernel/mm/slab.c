/*
 * The heap: size classes on slabs of one to eight pages, a magazine of free
 * objects for each class on each cpu before them; larger sizes are pages.
 * What a slab needs to know is in its pages' metadata, so objects of a power
 * of two are aligned to their size.
 */

#include "kern/arch.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/panic.h"
#include "kern/percpu.h"
#include "kern/string.h"
#include "mm_int.h"

#define SLAB_MAX 3072 /* the largest class */
#define FREE_END 0xffff

struct slab_class {
	/* A spinlock because event context allocates; taken once for half a
	 * magazine. */
	struct spinlock lock;
	uint32_t partial;     /* slabs with a free object */
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

static uint16_t *obj_at(
    struct page *slab, const struct slab_class *sc, unsigned i)
{
	char *base = pa_to_va((paddr_t)page_pfn(slab) << PAGE_SHIFT);

	return (uint16_t *)(void *)(base + (size_t)i * sc->size);
}

static struct page *slab_of(const void *obj)
{
	struct page *pg = page_of(obj);

	return pfn_page(page_pfn(pg) & ~((1u << pg->order) - 1));
}

static void partial_add(struct slab_class *sc, struct page *slab)
{
	uint32_t pfn = page_pfn(slab);

	slab->prev = 0;
	slab->next = sc->partial;
	if (slab->next)
		pfn_page(slab->next)->prev = pfn;
	sc->partial = pfn;
}

static void partial_del(struct slab_class *sc, struct page *slab)
{
	if (slab->prev)
		pfn_page(slab->prev)->next = slab->next;
	else
		sc->partial = slab->next;
	if (slab->next)
		pfn_page(slab->next)->prev = slab->prev;
}

static struct page *slab_create(unsigned class)
{
	struct slab_class *sc = &classes[class];
	void *va = page_alloc(sc->order, 0);
	struct page *slab;

	if (!va)
		return NULL;
	slab = page_of(va);
	for (unsigned i = 0; i < 1u << sc->order; i++) {
		slab[i].type = PAGE_SLAB;
		slab[i].order = sc->order;
		slab[i].class = (uint8_t) class;
	}
	slab->inuse = 0;
	slab->free = 0;
	for (unsigned i = 0; i < sc->count; i++)
		*obj_at(slab, sc, i) =
		    (uint16_t)(i + 1 < sc->count ? i + 1 : FREE_END);
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
	page_free(pa_to_va((paddr_t)page_pfn(slab) << PAGE_SHIFT), order);
}

/* The class is locked; (slab) is on its list. */
static void *obj_take(struct slab_class *sc, struct page *slab)
{
	uint16_t *obj;

	assert(slab->free < sc->count);
	obj = obj_at(slab, sc, slab->free);
	slab->free = *obj;
	slab->inuse++;
	if (slab->free == FREE_END)
		partial_del(sc, slab);
	return obj;
}

/* The class is locked.  Returns a slab that may be destroyed, or NULL. */
static struct page *obj_give(struct slab_class *sc, void *obj)
{
	struct page *slab = slab_of(obj);
	size_t off = (size_t)((char *)obj - (char *)obj_at(slab, sc, 0));

	assert(slab->type == PAGE_SLAB && slab->inuse > 0);
	assert(off % sc->size == 0);
	if (slab->free == FREE_END)
		partial_add(sc, slab);
	*(uint16_t *)obj = slab->free;
	slab->free = (uint16_t)(off / sc->size);
	if (--slab->inuse > 0)
		return NULL;
	/* One empty slab is kept, against a new one at every other call. */
	if (!slab->next && !slab->prev)
		return NULL;
	partial_del(sc, slab);
	return slab;
}

/* Interrupts are off. */
static void mag_fill(struct magazine *mag, struct slab_class *sc)
{
	spin_lock(&sc->lock);
	while (mag->n < NMAG / 2 && sc->partial)
		mag->obj[mag->n++] = obj_take(sc, pfn_page(sc->partial));
	spin_unlock(&sc->lock);
}

static void mag_drain(struct magazine *mag, struct slab_class *sc)
{
	struct page *empty[NMAG];
	unsigned n = 0;

	spin_lock(&sc->lock);
	while (mag->n > NMAG / 2) {
		empty[n] = obj_give(sc, mag->obj[--mag->n]);
		n += empty[n] != NULL;
	}
	spin_unlock(&sc->lock);
	while (n > 0)
		slab_destroy(empty[--n]);
}

static void *mag_alloc(unsigned class)
{
	unsigned long flags = irq_save();
	struct magazine *mag = &cpu_self()->mm->mag[class];
	void *obj = NULL;

	if (unlikely(mag->n == 0))
		mag_fill(mag, &classes[class]);
	if (mag->n > 0)
		obj = mag->obj[--mag->n];
	irq_restore(flags);
	return obj;
}

static void *slab_alloc(unsigned class)
{
	struct slab_class *sc = &classes[class];
	void *obj = mag_alloc(class);

	while (unlikely(!obj)) {
		struct page *slab = slab_create(class);
		unsigned long flags;

		if (!slab)
			return NULL;
		flags = spin_lock_irqsave(&sc->lock);
		partial_add(sc, slab);
		obj = obj_take(sc, slab);
		spin_unlock_irqrestore(&sc->lock, flags);
	}
	return obj;
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
	if (size > SLAB_MAX)
		return large_alloc(size);
	return slab_alloc(class_by_size[(size + 15) / 16]);
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
	unsigned long flags;
	struct magazine *mag;
	struct page *pg;
	unsigned class;

	if (!p)
		return;
	pg = page_of(p);
	if (pg->type != PAGE_SLAB) {
		large_free(p, pg);
		return;
	}
	class = pg->class;
	flags = irq_save();
	mag = &cpu_self()->mm->mag[class];
	if (unlikely(mag->n == NMAG))
		mag_drain(mag, &classes[class]);
	mag->obj[mag->n++] = p;
	irq_restore(flags);
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
