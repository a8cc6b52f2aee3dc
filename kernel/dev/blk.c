/* Disks: the list of them, and requests on their way to a driver. */

#include "kern/blk.h"

#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/sched.h"
#include "kern/string.h"

#define BLK_SECTOR  512u
#define SECTORS_MAX (INT64_MAX / BLK_SECTOR) /* an offset is signed */

static struct mutex blk_lock = MUTEX_INIT(blk_lock); /* protects (blks) */
static struct list blks = LIST_INIT(blks);
static unsigned blk_next_minor;

/* Wakes those who wait for a use count or the last request; its spinlock is
 * taken in event context, by blk_done(). */
static struct spinlock blk_idle_lock = SPINLOCK_INIT;
static struct waitq blk_idle = WAITQ_INIT(blk_idle);

void (*blk_dev_event)(struct blk_dev *, bool added);

static void blk_wake_idle(void)
{
	unsigned long flags = spin_lock_irqsave(&blk_idle_lock);

	waitq_wake_all(&blk_idle);
	spin_unlock_irqrestore(&blk_idle_lock, flags);
}

/* --- the list ------------------------------------------------------------ */

static struct blk_dev *blk_find(const char *name)
{
	struct blk_dev *b;

	list_foreach (b, &blks, link)
		if (strcmp(b->name, name) == 0)
			return b;
	return NULL;
}

/* What comes after the last whole sector cannot be reached. */
static uint64_t blk_whole(const struct blk_info *i, uint64_t nsectors)
{
	return ALIGN_DOWN(nsectors, i->sector_size / BLK_SECTOR);
}

static int blk_check_info(const struct blk_dev *b)
{
	const struct blk_info *i = &b->info;

	if (i->sector_size < BLK_SECTOR || !IS_POW2(i->sector_size) ||
	    i->sector_size > PAGE_SIZE)
		return -EINVAL;
	if (i->max_seg == 0 || i->nqueues == 0)
		return -EINVAL;
	return i->nsectors > SECTORS_MAX ? -EINVAL : 0;
}

int blk_dev_register(struct blk_dev *b)
{
	int err = blk_check_info(b);

	if (err) {
		log_warn("%s: a disk that makes no sense", b->name);
		return err;
	}
	b->info.nsectors = blk_whole(&b->info, b->info.nsectors);
	list_init(&b->waiting);
	b->users = b->inflight = 0;
	b->gone = false;
	mutex_lock(&blk_lock);
	if (blk_find(b->name)) {
		err = -EEXIST;
	} else {
		b->minor = blk_next_minor++;
		list_add_tail(&blks, &b->link);
	}
	mutex_unlock(&blk_lock);
	if (err)
		return err;
	log_info("%s: %llu MiB%s", b->name,
	    (unsigned long long)(b->info.nsectors >> 11),
	    b->info.readonly ? ", read-only" : "");
	if (blk_dev_event)
		blk_dev_event(b, true);
	return 0;
}

/* Take everything off the waiting list. */
static void blk_take_waiting(struct blk_dev *b, struct list *to)
{
	struct blk_req *r, *tmp;
	unsigned long flags = spin_lock_irqsave(&b->lock);

	b->gone = true;
	list_foreach_safe (r, tmp, &b->waiting, link) {
		list_del(&r->link);
		list_add_tail(to, &r->link);
	}
	spin_unlock_irqrestore(&b->lock, flags);
}

static bool blk_busy(struct blk_dev *b)
{
	unsigned long flags = spin_lock_irqsave(&b->lock);
	bool busy = b->users > 0 || b->inflight > 0;

	spin_unlock_irqrestore(&b->lock, flags);
	return busy;
}

void blk_dev_unregister(struct blk_dev *b)
{
	struct list failed = LIST_INIT(failed);
	struct blk_req *r, *tmp;
	unsigned long flags;

	mutex_lock(&blk_lock);
	list_del(&b->link);
	mutex_unlock(&blk_lock);
	blk_take_waiting(b, &failed);
	list_foreach_safe (r, tmp, &failed, link) {
		list_del(&r->link);
		blk_done(b, r, -EIO);
	}
	if (blk_dev_event)
		blk_dev_event(b, false);
	flags = spin_lock_irqsave(&blk_idle_lock);
	while (blk_busy(b))
		waitq_wait(&blk_idle, &blk_idle_lock, &flags, TIME_NEVER, 0);
	spin_unlock_irqrestore(&blk_idle_lock, flags);
}

static struct blk_dev *blk_use(struct blk_dev *b)
{
	unsigned long flags;

	if (!b)
		return NULL;
	flags = spin_lock_irqsave(&b->lock);
	b->users++;
	spin_unlock_irqrestore(&b->lock, flags);
	return b;
}

struct blk_dev *blk_dev_get(const char *name)
{
	struct blk_dev *b;

	mutex_lock(&blk_lock);
	b = blk_use(blk_find(name));
	mutex_unlock(&blk_lock);
	return b;
}

struct blk_dev *blk_dev_nth(unsigned n)
{
	struct blk_dev *b, *found = NULL;

	mutex_lock(&blk_lock);
	list_foreach (b, &blks, link) {
		if (n-- == 0) {
			found = b;
			break;
		}
	}
	blk_use(found);
	mutex_unlock(&blk_lock);
	return found;
}

void blk_dev_put(struct blk_dev *b)
{
	unsigned long flags = spin_lock_irqsave(&b->lock);
	bool last = --b->users == 0 && b->gone;

	spin_unlock_irqrestore(&b->lock, flags);
	if (last)
		blk_wake_idle();
}

int blk_dev_changed(struct blk_dev *b, uint64_t nsectors, bool readonly)
{
	nsectors = blk_whole(&b->info, nsectors);
	if (nsectors > SECTORS_MAX) {
		log_warn("%s: the new size makes no sense: %llu sectors",
		    b->name, (unsigned long long)nsectors);
		return -EINVAL;
	}
	if (nsectors == b->info.nsectors && readonly == b->info.readonly)
		return 0;
	WRITE_ONCE(b->info.nsectors, nsectors);
	WRITE_ONCE(b->info.readonly, readonly);
	log_info("%s: now %llu MiB%s", b->name,
	    (unsigned long long)(nsectors >> 11),
	    readonly ? ", read-only" : "");
	return 0;
}

/* --- requests ------------------------------------------------------------ */

static int blk_check_segs(const struct blk_dev *b, struct blk_req *r)
{
	uint32_t align = b->info.sector_size;
	uint64_t bytes = 0;

	if (r->nseg == 0 || r->nseg > b->info.max_seg)
		return -EINVAL;
	for (unsigned i = 0; i < r->nseg; i++) {
		const struct blk_seg *s = &r->seg[i];
		uintptr_t at = (uintptr_t)s->va & (PAGE_SIZE - 1);

		if (s->len == 0 || s->len % BLK_SECTOR)
			return -EINVAL;
		if (at % BLK_SECTOR || at + s->len > PAGE_SIZE)
			return -EINVAL;
		bytes += s->len;
	}
	if (bytes % align)
		return -EINVAL;
	r->nsectors = bytes / BLK_SECTOR;
	return 0;
}

static int blk_check(const struct blk_dev *b, struct blk_req *r)
{
	const struct blk_info *i = &b->info;
	int err = 0;

	if (r->op == BLK_FLUSH)
		return i->can_flush ? 0 : -EOPNOTSUPP;
	if (r->op != BLK_READ && i->readonly)
		return -EROFS;
	if (r->op == BLK_DISCARD && !i->can_discard)
		return -EOPNOTSUPP;
	if (r->op == BLK_DISCARD && r->nsectors == 0)
		return -EINVAL;
	if (r->op != BLK_DISCARD)
		err = blk_check_segs(b, r);
	if (err)
		return err;
	if (r->sector % (i->sector_size / BLK_SECTOR))
		return -EINVAL;
	return range_ok(r->sector, r->nsectors, i->nsectors) ? 0 : -EIO;
}

static unsigned blk_queue(const struct blk_dev *b)
{
	return cpu_self()->id % b->info.nqueues;
}

/* The lock is held.  A request never overtakes one that waits. */
static int blk_start(struct blk_dev *b, unsigned queue, struct blk_req *r)
{
	int err;

	if (b->gone)
		return -EIO;
	err = list_empty(&b->waiting) ? b->ops->submit(b, queue, r) : -EAGAIN;
	if (err && err != -EAGAIN)
		return err;
	b->inflight++;
	if (err)
		list_add_tail(&b->waiting, &r->link);
	return 0;
}

int blk_submit(struct blk_dev *b, struct blk_req *r)
{
	unsigned long flags;
	unsigned queue;
	int err = blk_check(b, r);

	if (err)
		return err;
	list_init(&r->link);
	flags = spin_lock_irqsave(&b->lock);
	queue = blk_queue(b);
	err = blk_start(b, queue, r);
	if (!err)
		b->ops->kick(b, queue);
	spin_unlock_irqrestore(&b->lock, flags);
	return err;
}

void blk_dev_space(struct blk_dev *b, unsigned queue)
{
	struct list failed = LIST_INIT(failed);
	struct blk_req *r, *tmp;
	unsigned long flags = spin_lock_irqsave(&b->lock);
	bool kick = false;

	while ((r = list_first(&b->waiting, struct blk_req, link))) {
		int err = b->ops->submit(b, queue, r);

		if (err == -EAGAIN)
			break;
		list_del(&r->link);
		if (err)
			list_add_tail(&failed, &r->link);
		else
			kick = true;
	}
	if (kick)
		b->ops->kick(b, queue);
	spin_unlock_irqrestore(&b->lock, flags);
	list_foreach_safe (r, tmp, &failed, link) {
		list_del(&r->link);
		blk_done(b, r, -EIO);
	}
}

void blk_done(struct blk_dev *b, struct blk_req *r, int status)
{
	unsigned long flags;
	bool last;

	r->status = status;
	r->done(r);
	flags = spin_lock_irqsave(&b->lock);
	last = --b->inflight == 0 && b->gone;
	spin_unlock_irqrestore(&b->lock, flags);
	if (last)
		blk_wake_idle();
}

/* --- and wait ------------------------------------------------------------ */

#define BLK_RW_SEGS 32u

/* Requests of one blk_rw(); (left) goes to zero in event context. */
struct blk_wait {
	struct spinlock lock;
	struct waitq done;
	unsigned left;
};

static void blk_wait_done(struct blk_req *r)
{
	struct blk_wait *w = r->cookie;
	unsigned long flags = spin_lock_irqsave(&w->lock);

	w->left--;
	waitq_wake_all(&w->done);
	spin_unlock_irqrestore(&w->lock, flags);
}

static int blk_submit_wait(struct blk_dev *b, struct blk_req *r)
{
	struct blk_wait w = { .lock = SPINLOCK_INIT, .left = 1 };
	unsigned long flags;
	int err;

	waitq_init(&w.done);
	r->done = blk_wait_done;
	r->cookie = &w;
	err = blk_submit(b, r);
	if (err)
		return err;
	flags = spin_lock_irqsave(&w.lock);
	while (w.left > 0)
		waitq_wait(&w.done, &w.lock, &flags, TIME_NEVER, 0);
	spin_unlock_irqrestore(&w.lock, flags);
	return r->status;
}

/* Cut [va, va + len) into pieces inside pages; returns the bytes taken. */
static size_t blk_fill_segs(
    const struct blk_dev *b, struct blk_req *r, uint8_t *va, size_t len)
{
	unsigned max = MIN(b->info.max_seg, BLK_RW_SEGS);
	size_t done = 0;

	for (r->nseg = 0; r->nseg < max && done < len; r->nseg++) {
		size_t at = (uintptr_t)(va + done) & (PAGE_SIZE - 1);
		size_t n = MIN(PAGE_SIZE - at, len - done);

		r->seg[r->nseg].va = va + done;
		r->seg[r->nseg].len = (uint32_t)n;
		done += n;
	}
	return done;
}

static int blk_rw_direct(
    struct blk_dev *b, enum blk_op op, uint64_t sector, uint8_t *va, size_t len)
{
	struct blk_seg seg[BLK_RW_SEGS];
	int err = 0;

	while (len > 0 && !err) {
		struct blk_req r = { .op = op, .sector = sector, .seg = seg };
		size_t n = blk_fill_segs(b, &r, va, len);

		err = blk_submit_wait(b, &r);
		sector += n / BLK_SECTOR;
		va += n;
		len -= n;
	}
	return err;
}

/* Through a page of our own: for memory that no device can reach as it is. */
static int blk_rw_bounce(
    struct blk_dev *b, enum blk_op op, uint64_t sector, uint8_t *va, size_t len)
{
	uint8_t *page = page_alloc(0, 0);
	int err = page ? 0 : -ENOMEM;

	while (len > 0 && !err) {
		size_t n = MIN(len, PAGE_SIZE);

		if (op == BLK_WRITE)
			memcpy(page, va, n);
		err = blk_rw_direct(b, op, sector, page, n);
		if (!err && op == BLK_READ)
			memcpy(va, page, n);
		sector += n / BLK_SECTOR;
		va += n;
		len -= n;
	}
	if (page)
		page_free(page, 0);
	return err;
}

static bool blk_is_direct(const struct blk_dev *b, const void *va, size_t len)
{
	uintptr_t a = (uintptr_t)va;

	return a >= DIRECT_MAP_BASE && a < KMAP_BASE && len <= KMAP_BASE - a &&
	       a % b->info.sector_size == 0;
}

int blk_rw(
    struct blk_dev *b, enum blk_op op, uint64_t sector, void *va, size_t len)
{
	if (op != BLK_READ && op != BLK_WRITE)
		return -EINVAL;
	if (len % b->info.sector_size ||
	    sector % (b->info.sector_size / BLK_SECTOR))
		return -EINVAL;
	if (!range_ok(sector, len / BLK_SECTOR, b->info.nsectors))
		return -EIO;
	return blk_is_direct(b, va, len)
		   ? blk_rw_direct(b, op, sector, va, len)
		   : blk_rw_bounce(b, op, sector, va, len);
}

int blk_rw_pages(struct blk_dev *b, enum blk_op op, uint64_t sector,
    void **pages, unsigned n)
{
	unsigned max = MIN(b->info.max_seg, BLK_RW_SEGS);
	struct blk_seg seg[BLK_RW_SEGS];
	int err = 0;

	while (n > 0 && !err) {
		struct blk_req r = { .op = op, .sector = sector, .seg = seg };

		for (r.nseg = 0; r.nseg < MIN(max, n); r.nseg++) {
			seg[r.nseg].va = pages[r.nseg];
			seg[r.nseg].len = PAGE_SIZE;
		}
		n -= r.nseg;
		pages += r.nseg;
		sector += r.nseg * (PAGE_SIZE / BLK_SECTOR);
		err = blk_submit_wait(b, &r);
	}
	return err;
}

int blk_flush(struct blk_dev *b)
{
	struct blk_req r = { .op = BLK_FLUSH };
	int err = blk_submit_wait(b, &r);

	/* Xen's back ends refuse it of a disk that is not written. */
	return err == -EOPNOTSUPP || b->info.readonly ? 0 : err;
}
