#include "pcache.h"

#include "fs_int.h"
#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/panic.h"
#include "kern/shrink.h"
#include "kern/string.h"

/*
 * A word of the tree is a page's address, with PC_USED when it was used since
 * the shrinker last came by, or PC_FILLING alone: somebody is reading the
 * page in, wait on (filled).
 */
#define PC_USED    1ul
#define PC_FILLING 2ul

/* Caches whose pages can be had again. */
static struct mutex pcache_all_lock = MUTEX_INIT(pcache_all_lock);
static struct list pcache_all = LIST_INIT(pcache_all);

static void *pc_page(uintptr_t word)
{
	return (void *)(word & ~(PC_USED | PC_FILLING));
}

static bool pcache_is_cache(const struct vnode *v)
{
	return v->ops->read_page || v->ops->read_pages;
}

int pcache_create(struct vnode *v, struct pcache_quota *q, unsigned window)
{
	struct pcache *pc = kzalloc(sizeof(*pc));

	if (!pc)
		return -ENOMEM;
	mutex_init(&pc->lock);
	waitq_init(&pc->filled);
	list_init(&pc->link);
	pc->quota = q;
	pc->window = window;
	v->pcache = pc;
	if (pcache_is_cache(v)) {
		mutex_lock(&pcache_all_lock);
		list_add_tail(&pcache_all, &pc->link);
		mutex_unlock(&pcache_all_lock);
	}
	return 0;
}

static int pcache_charge(struct pcache *pc)
{
	struct pcache_quota *q = pc->quota;

	if (!q)
		return 0;
	if (atomic_fetch_add(&q->used, 1) < q->limit)
		return 0;
	atomic_fetch_sub(&q->used, 1);
	return -ENOSPC;
}

static void pcache_uncharge(struct pcache *pc)
{
	if (pc->quota)
		atomic_fetch_sub(&pc->quota->used, 1);
}

/* The lock is held. */
static int pcache_put_in(struct pcache *pc, uint64_t index, void *page)
{
	int err = ptree_set(&pc->tree, index, (uintptr_t)page | PC_USED);

	if (err)
		return err;
	pc->npages++;
	mm_account_file((int64_t)PAGE_SIZE);
	return 0;
}

static void pcache_take_out(struct pcache *pc, uint64_t index)
{
	void *page = pc_page(ptree_clear(&pc->tree, index));

	pc->npages--;
	mm_account_file(-(int64_t)PAGE_SIZE);
	pcache_uncharge(pc);
	page_put(page);
}

/* Drop the pages of [first, end). */
static void pcache_drop(struct pcache *pc, uint64_t first, uint64_t end)
{
	mutex_lock(&pc->lock);
	while (ptree_next(&pc->tree, &first) && first < end)
		pcache_take_out(pc, first++);
	mutex_unlock(&pc->lock);
}

void pcache_destroy(struct vnode *v)
{
	struct pcache *pc = v->pcache;

	if (!pc)
		return;
	mutex_lock(&pcache_all_lock);
	list_del(&pc->link);
	mutex_unlock(&pcache_all_lock);
	pcache_drop(pc, 0, UINT64_MAX);
	kfree(pc->name);
	kfree(pc);
	v->pcache = NULL;
}

/* --- files that live here alone ------------------------------------------ */

static int pcache_add_zeroed(struct pcache *pc, uint64_t index, void **out)
{
	void *page;
	int err = pcache_charge(pc);

	if (err)
		return err;
	page = page_alloc(0, PAGE_ZERO | PAGE_USER);
	err = page ? pcache_put_in(pc, index, page) : -ENOMEM;
	if (err) {
		pcache_uncharge(pc);
		if (page)
			page_put(page);
		return err;
	}
	*out = page;
	return 0;
}

static int pcache_own_page(
    struct pcache *pc, uint64_t index, bool alloc, void **page)
{
	int err = 0;

	mutex_lock(&pc->lock);
	*page = pc_page(ptree_get(&pc->tree, index));
	if (!*page && alloc)
		err = pcache_add_zeroed(pc, index, page);
	if (*page)
		page_get(*page);
	mutex_unlock(&pc->lock);
	return err;
}

int pcache_insert(struct vnode *v, uint64_t index, void *page)
{
	struct pcache *pc = v->pcache;
	int err = pcache_charge(pc);

	if (err)
		return err;
	mutex_lock(&pc->lock);
	err = pcache_put_in(pc, index, page);
	mutex_unlock(&pc->lock);
	if (err)
		pcache_uncharge(pc);
	return err;
}

/* --- files that are read in ---------------------------------------------- */

/* A run of absent pages that this thread fills. */
struct pcache_fill {
	uint64_t first;
	unsigned n;
	void *page[PCACHE_WINDOW_MAX];
};

/* Claim (index) and the absent pages around it in its window.  Locked. */
static int pcache_claim(struct vnode *v, uint64_t index, struct pcache_fill *f)
{
	struct pcache *pc = v->pcache;
	uint64_t npages = (v->size + PAGE_SIZE - 1) >> PAGE_SHIFT;
	uint64_t lo = ALIGN_DOWN(index, pc->window);
	uint64_t hi = MIN(lo + pc->window, npages);

	for (f->first = index; f->first > lo; f->first--)
		if (ptree_get(&pc->tree, f->first - 1))
			break;
	for (f->n = 0; f->first + f->n < hi; f->n++) {
		uint64_t i = f->first + f->n;

		if (ptree_get(&pc->tree, i))
			break;
		if (ptree_set(&pc->tree, i, PC_FILLING))
			break;
	}
	return f->first + f->n > index ? 0 : -ENOMEM;
}

static int pcache_fill_alloc(struct pcache_fill *f)
{
	unsigned i;

	for (i = 0; i < f->n; i++) {
		f->page[i] = page_alloc(0, PAGE_USER);
		if (!f->page[i])
			break;
	}
	if (i == f->n)
		return 0;
	while (i > 0)
		page_put(f->page[--i]);
	return -ENOMEM;
}

static int pcache_fill_read(struct vnode *v, struct pcache_fill *f)
{
	int err;

	if (v->ops->read_pages)
		return v->ops->read_pages(v, f->first, f->n, f->page);
	for (unsigned i = 0; i < f->n; i++) {
		err = v->ops->read_page(v, f->first + i, f->page[i]);
		if (err)
			return err;
	}
	return 0;
}

/* Publish what was claimed, or give the claim back.  Locked. */
static void pcache_settle(
    struct pcache *pc, const struct pcache_fill *f, bool ok)
{
	for (unsigned i = 0; i < f->n; i++) {
		int err = 0;

		if (ok)
			err = pcache_put_in(pc, f->first + i, f->page[i]);
		else
			ptree_clear(&pc->tree, f->first + i);
		assert(!err); /* the slot was there */
	}
	waitq_wake_all(&pc->filled);
}

/* Read (index) and its neighbours.  Locked; unlocks while it reads. */
static int pcache_fill(struct vnode *v, uint64_t index)
{
	struct pcache *pc = v->pcache;
	struct pcache_fill f;
	int err;

	err = pcache_claim(v, index, &f);
	mutex_unlock(&pc->lock);
	if (!err)
		err = pcache_fill_alloc(&f);
	if (!err) {
		err = pcache_fill_read(v, &f);
		for (unsigned i = 0; err && i < f.n; i++)
			page_put(f.page[i]);
	}
	mutex_lock(&pc->lock);
	pcache_settle(pc, &f, !err);
	return err;
}

static int pcache_read_page(struct vnode *v, uint64_t index, void **page)
{
	struct pcache *pc = v->pcache;
	uintptr_t word;
	int err = 0;

	*page = NULL;
	if (index >= (v->size + PAGE_SIZE - 1) >> PAGE_SHIFT)
		return 0;
	mutex_lock(&pc->lock);
	while (!err) {
		word = ptree_get(&pc->tree, index);
		if (pc_page(word))
			break;
		if (word & PC_FILLING)
			waitq_wait_mutex(&pc->filled, &pc->lock, TIME_NEVER, 0);
		else
			err = pcache_fill(v, index);
	}
	if (!err) {
		if (!(word & PC_USED))
			ptree_set(&pc->tree, index, word | PC_USED);
		*page = pc_page(word);
		page_get(*page);
	}
	mutex_unlock(&pc->lock);
	return err;
}

int pcache_page(struct vnode *v, uint64_t index, bool alloc, void **page)
{
	if (pcache_is_cache(v))
		return pcache_read_page(v, index, page);
	return pcache_own_page(v->pcache, index, alloc, page);
}

/* --- reading and writing ------------------------------------------------- */

long pcache_read(struct vnode *v, struct uio *u, uint64_t off)
{
	long done = 0, r;

	while (u->left > 0) {
		uint64_t size = v->size; /* another may truncate it now */
		size_t at = off & (PAGE_SIZE - 1), n;
		void *page;

		if (off >= size)
			break;
		n = MIN(PAGE_SIZE - at, size - off);
		r = pcache_page(v, off >> PAGE_SHIFT, false, &page);
		if (r)
			return done ? done : r;
		n = MIN(n, u->left);
		if (page) {
			r = uio_put(u, (char *)page + at, n);
			page_put(page);
		} else {
			r = uio_zero(u, n);
		}
		if (r < 0)
			return done ? done : r;
		done += r;
		off += (uint64_t)r;
		if ((size_t)r < n)
			break;
	}
	return done;
}

long pcache_write(struct vnode *v, struct uio *u, uint64_t off)
{
	long done = 0, r;

	while (u->left > 0) {
		size_t at = off & (PAGE_SIZE - 1);
		size_t n = MIN(PAGE_SIZE - at, u->left);
		void *page;

		r = pcache_page(v, off >> PAGE_SHIFT, true, &page);
		if (r)
			return done ? done : r;
		r = uio_get(u, (char *)page + at, n);
		page_put(page);
		if (r < 0)
			return done ? done : r;
		done += r;
		off += (uint64_t)r;
		if (off > v->size)
			v->size = off;
		if ((size_t)r < n)
			break;
	}
	return done;
}

/* --- holes --------------------------------------------------------------- */

static int pcache_zero_part(
    struct vnode *v, uint64_t index, size_t from, size_t to)
{
	void *page;
	int err = pcache_page(v, index, false, &page);

	if (err || !page)
		return err;
	memset((char *)page + from, 0, to - from);
	page_put(page);
	return 0;
}

int pcache_resize(struct vnode *v, uint64_t size)
{
	uint64_t first = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
	size_t tail = size & (PAGE_SIZE - 1);
	bool less = size < v->size;
	int err;

	v->size = size;
	if (!less)
		return 0;
	vm_object_zap(&v->object, first, UINT64_MAX - first);
	pcache_drop(v->pcache, first, UINT64_MAX);
	err =
	    tail ? pcache_zero_part(v, size >> PAGE_SHIFT, tail, PAGE_SIZE) : 0;
	return err;
}

int pcache_punch(struct vnode *v, uint64_t off, uint64_t len)
{
	uint64_t end = off + len;
	uint64_t first = (off + PAGE_SIZE - 1) >> PAGE_SHIFT;
	uint64_t last = end >> PAGE_SHIFT;
	size_t head = off & (PAGE_SIZE - 1), tail = end & (PAGE_SIZE - 1);
	int err = 0;

	if (first > last)
		return pcache_zero_part(v, last, head, tail);
	if (head)
		err = pcache_zero_part(v, first - 1, head, PAGE_SIZE);
	if (!err && tail)
		err = pcache_zero_part(v, last, 0, tail);
	if (err || first == last)
		return err;
	vm_object_zap(&v->object, first, last - first);
	pcache_drop(v->pcache, first, last);
	return 0;
}

uint64_t pcache_seek(struct vnode *v, uint64_t off, bool hole)
{
	struct pcache *pc = v->pcache;
	uint64_t index = off >> PAGE_SHIFT, size = v->size;

	if (pcache_is_cache(v))
		return hole ? size : off;
	mutex_lock(&pc->lock);
	if (!hole && !ptree_next(&pc->tree, &index))
		index = UINT64_MAX >> PAGE_SHIFT;
	while (
	    hole && index << PAGE_SHIFT < size && ptree_get(&pc->tree, index))
		index++;
	mutex_unlock(&pc->lock);
	return MIN(MAX(off, index << PAGE_SHIFT), size);
}

uint64_t pcache_pages(const struct vnode *v)
{
	return v->pcache ? v->pcache->npages : 0;
}

/* --- mappings ------------------------------------------------------------ */

static int pcache_object_page(
    struct vm_object *obj, uint64_t index, bool write, void **page)
{
	struct vnode *v = container_of(obj, struct vnode, object);
	int err;

	(void)write; /* nothing here is ever written back */
	if (index >= (v->size + PAGE_SIZE - 1) >> PAGE_SHIFT)
		return -EIO;
	err = pcache_page(v, index, true, page);
	/* tmpfs is full: SIGBUS, as Linux does. */
	if (err == -ENOSPC)
		return -EIO;
	return err ? err : *page ? 0 : -EIO;
}

static void pcache_object_get(struct vm_object *obj)
{
	vnode_get(container_of(obj, struct vnode, object));
}

static void pcache_object_put(struct vm_object *obj)
{
	vnode_put(container_of(obj, struct vnode, object));
}

static const char *pcache_object_name(struct vm_object *obj)
{
	struct vnode *v = container_of(obj, struct vnode, object);

	return v->pcache ? v->pcache->name : NULL;
}

static void pcache_object_ident(
    struct vm_object *obj, uint64_t *dev, uint64_t *ino)
{
	struct vnode *v = container_of(obj, struct vnode, object);

	*dev = v->mount ? v->mount->dev : 0;
	*ino = v->ino;
}

const struct vm_object_ops pcache_object_ops = {
	.page = pcache_object_page,
	.get = pcache_object_get,
	.put = pcache_object_put,
	.name = pcache_object_name,
	.ident = pcache_object_ident,
};

/* The first name stays: it may be shown while it is asked for again. */
void pcache_set_name(struct vnode *v, const char *name)
{
	struct pcache *pc = v->pcache;
	char *copy = kstrdup(name);

	mutex_lock(&pc->lock);
	if (!pc->name) {
		pc->name = copy;
		copy = NULL;
	}
	mutex_unlock(&pc->lock);
	kfree(copy);
}

/* --- memory runs short --------------------------------------------------- */

/* Locked.  A page that a mapping or a copy refers to stays; so does, unless
 * (hard), one that was used since the last time. */
static size_t pcache_shrink_one(struct pcache *pc, size_t target, bool hard)
{
	uint64_t index = 0;
	size_t freed = 0;
	uintptr_t word;

	for (; freed < target; index++) {
		word = ptree_next(&pc->tree, &index);
		if (!word)
			break;
		if (!pc_page(word) || page_refs(pc_page(word)) > 1)
			continue;
		if ((word & PC_USED) && !hard) {
			ptree_set(&pc->tree, index, word & ~PC_USED);
			continue;
		}
		pcache_take_out(pc, index);
		freed += PAGE_SIZE;
	}
	return freed;
}

/* Only tries a cache's lock: under it memory is allocated. */
static size_t pcache_shrink(struct shrinker *s, size_t target, bool hard)
{
	struct pcache *pc, *tmp;
	struct list seen = LIST_INIT(seen);
	size_t freed = 0;

	(void)s;
	mutex_lock(&pcache_all_lock);
	list_foreach_safe (pc, tmp, &pcache_all, link) {
		if (freed >= target)
			break;
		if (!mutex_trylock(&pc->lock))
			continue;
		freed += pcache_shrink_one(pc, target - freed, hard);
		mutex_unlock(&pc->lock);
		/* Begin with the others next time. */
		list_del(&pc->link);
		list_add_tail(&seen, &pc->link);
	}
	list_foreach_safe (pc, tmp, &seen, link) {
		list_del(&pc->link);
		list_add_tail(&pcache_all, &pc->link);
	}
	mutex_unlock(&pcache_all_lock);
	return freed;
}

uint64_t pcache_reclaimable(void)
{
	struct pcache *pc;
	uint64_t n = 0;

	mutex_lock(&pcache_all_lock);
	list_foreach (pc, &pcache_all, link)
		n += READ_ONCE(pc->npages) * PAGE_SIZE;
	mutex_unlock(&pcache_all_lock);
	return n;
}

static struct shrinker pcache_shrinker = {
	.name = "page cache",
	.shrink = pcache_shrink,
};

void pcache_shrink_all(void)
{
	pcache_shrink(&pcache_shrinker, SIZE_MAX, true);
}

void pcache_init(void)
{
	shrinker_register(&pcache_shrinker);
}
