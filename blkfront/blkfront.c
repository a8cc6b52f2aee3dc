/*
 * Disks of a Xen guest: attach, the states, requests and their ends.
 *
 * When the back end lies the disk is broken: everything in flight and all
 * later requests end with -EIO, and it stays so until it is detached.
 */

#include "kern/arch.h"
#include "kern/clock.h"
#include "kern/compiler.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/percpu.h"
#include "kern/sched.h"
#include "blkfront_int.h"

#define PEER_MS  30000u /* for each step of the back end's */
#define CLOSE_MS 5000u
#define POLL_NS  (5 * NSEC_PER_MSEC)

/* --- requests ----------------------------------------------------------- */

/* Interrupts are off, no lock is held. */
static void complete(struct blkfront *bf, struct list *done)
{
	while (!list_empty(done)) {
		struct blk_req *req = list_first(done, struct blk_req, link);

		list_del(&req->link);
		blk_done(&bf->bd, req, req->status);
	}
}

/*
 * The back end answered, or the queue is to be broken because of (why).  Tells
 * the layer afterwards, outside the lock: it submits again from there.
 */
static void queue_run(struct blkqueue *q, const char *why)
{
	struct blkfront *bf = q->bf;
	struct list done = LIST_INIT(done);
	unsigned long flags = spin_lock_irqsave(&q->lock);
	const char *was_broken = q->ring.broken;
	bool space;

	do {
		blkring_reap(&q->ring, &done);
	} while (blkring_arm(&q->ring));
	if (why)
		blkring_break(&q->ring, why, &done);
	space = q->ring.starved;
	q->ring.starved = false;
	if (!q->ring.feat.flush && !q->ring.feat.barrier)
		bf->bd.info.can_flush = false;
	if (!q->ring.feat.discard)
		bf->bd.info.can_discard = false;
	if (q->ring.broken && !was_broken && !why)
		log_err("%s: %s: disabled", bf->bd.name, q->ring.broken);
	spin_unlock(&q->lock);
	complete(bf, &done);
	if (space && bf->registered)
		blk_dev_space(&bf->bd, q->index);
	irq_restore(flags);
}

static void queue_event(void *arg)
{
	queue_run(arg, NULL);
}

static int bf_submit(struct blk_dev *bd, unsigned queue, struct blk_req *req)
{
	struct blkfront *bf = bd->softc;
	struct blkqueue *q = &bf->queue[queue];
	unsigned long flags = spin_lock_irqsave(&q->lock);
	int err = bf->closing ? -EIO : blkring_submit(&q->ring, req);

	spin_unlock_irqrestore(&q->lock, flags);
	return err;
}

static void bf_kick(struct blk_dev *bd, unsigned queue)
{
	struct blkfront *bf = bd->softc;
	struct blkqueue *q = &bf->queue[queue];
	unsigned long flags = spin_lock_irqsave(&q->lock);
	bool notify = blkring_publish(&q->ring);

	spin_unlock_irqrestore(&q->lock, flags);
	if (notify)
		evtchn_notify(q->port);
}

static const struct blk_ops bf_ops = {
	.submit = bf_submit,
	.kick = bf_kick,
};

/* --- queues ------------------------------------------------------------- */

/* Any context.  Zeroed: what was in the page is nobody else's business. */
static int page_new(void *arg, struct blkpage *p)
{
	struct blkqueue *q = arg;
	int err;

	p->va = page_alloc(0, PAGE_ZERO | PAGE_ATOMIC);
	if (!p->va)
		return -ENOMEM;
	err = gnttab_grant(q->bf->xd->peer, p->va, false, &p->ref);
	if (err != 0)
		page_free(p->va, 0);
	return err;
}

/* Fine on a half-made queue.  The back end should have let go of everything;
 * what it keeps is not used again. */
static void queue_destroy(struct blkqueue *q)
{
	evtchn_close(q->port);
	q->port = 0;
	for (uint32_t i = 0; i < q->ring.npages; i++)
		gnttab_revoke_page(q->ring.page[i].ref, q->ring.page[i].va);
	blkring_destroy(&q->ring);
	q->ring.broken = "closed";
	xenbus_ring_destroy(q->bf->xd, &q->mem);
}

static int queue_create(struct blkfront *bf, unsigned index)
{
	struct blkqueue *q = &bf->queue[index];
	uint32_t bytes = (uint32_t)PAGE_SIZE << bf->neg.ring_order;
	int err;

	q->bf = bf;
	q->index = index;
	err = xenbus_ring_create(bf->xd, bf->neg.ring_order, &q->mem);
	if (err != 0)
		return err;
	err = blkring_init(
	    &q->ring, q->mem.va, bytes, bf->max_pages, &bf->neg.feat);
	if (err != 0)
		return err;
	q->ring.page_new = page_new;
	q->ring.page_arg = q;
	q->ring.handle = (uint16_t)bf->xd->id;
	err = blkring_reserve(&q->ring);
	if (err != 0)
		return err;
	err = xenbus_evtchn_alloc(bf->xd, &q->port);
	if (err == 0)
		err =
		    evtchn_handle(q->port, index % cpu_count(), queue_event, q);
	if (err == 0)
		evtchn_unmask(q->port);
	return err;
}

static void queues_destroy(struct blkfront *bf)
{
	for (unsigned i = 0; i < bf->neg.nqueues; i++)
		queue_destroy(&bf->queue[i]);
}

static int queues_create(struct blkfront *bf)
{
	int err = 0;

	bf->queue = kmalloc_array(bf->neg.nqueues, sizeof(struct blkqueue));
	if (!bf->queue) {
		bf->neg.nqueues = 0; /* none to destroy */
		return -ENOMEM;
	}
	for (unsigned i = 0; i < bf->neg.nqueues; i++)
		bf->queue[i].bf = bf;
	for (unsigned i = 0; err == 0 && i < bf->neg.nqueues; i++)
		err = queue_create(bf, i);
	return err;
}

/* --- closing ------------------------------------------------------------ */

/* Is there anything in flight that may still end by itself? */
static bool busy(struct blkfront *bf)
{
	unsigned n = 0;

	for (unsigned i = 0; i < bf->neg.nqueues; i++) {
		if (READ_ONCE(bf->queue[i].ring.broken))
			return false;
		n += READ_ONCE(bf->queue[i].ring.inflight);
	}
	return n != 0;
}

/* New requests fail; those in flight get a moment to end, then fail too. */
static void queues_stop(struct blkfront *bf)
{
	uint64_t until = clock_mono() + CLOSE_MS * NSEC_PER_MSEC;

	WRITE_ONCE(bf->closing, true);
	while (busy(bf) && clock_mono() < until)
		thread_sleep_until(clock_mono() + POLL_NS, 0);
	for (unsigned i = 0; i < bf->neg.nqueues; i++)
		queue_run(&bf->queue[i], "closed");
}

/*
 * The back end lets go of our pages when it sees Closed, and shows that by
 * Closed or by going.
 */
static void close_peer(struct blkfront *bf)
{
	xenbus_set_state(bf->xd, XenbusStateClosing);
	xenbus_set_state(bf->xd, XenbusStateClosed);
	(void)xenbus_wait_peer(bf->xd,
	    XENBUS_IN(XenbusStateClosed) | XENBUS_IN(XenbusStateUnknown),
	    CLOSE_MS);
}

/* --- the device --------------------------------------------------------- */

/* The back end wrote its state again: the disk may have changed. */
static void peer_changed(struct xenbus_dev *xd, enum xenbus_state state)
{
	struct blkfront *bf = xd->dev.softc;
	struct blk_info info;

	if (state != XenbusStateConnected)
		return;
	if (blkfront_read_info(xd, &info) != 0)
		log_warn("%s: the new size makes no sense", bf->bd.name);
	else /* another sector size cannot be taken any more */
		blk_dev_changed(&bf->bd, info.nsectors, info.readonly);
}

/* Data pages for one queue: a share of memory, so that a small machine is not
 * eaten by its disks. */
static void limit_pages(struct blkfront *bf)
{
	struct mm_stats st;
	uint64_t share;

	mm_stats(&st);
	share = st.total / PAGE_SIZE / 64 / bf->neg.nqueues;
	share = MIN(MAX(share, 24u), 1024u);
	bf->max_pages = (uint32_t)share;
	/* Two requests of the largest size, with a page of descriptors. */
	bf->neg.feat.max_segs =
	    MIN(bf->neg.feat.max_segs, bf->max_pages / 2 - 1);
}

static int connect(struct blkfront *bf)
{
	int err;

	err = xenbus_wait_peer(bf->xd, XENBUS_IN(XenbusStateInitWait), PEER_MS);
	if (err != 0)
		return err;
	blkfront_negotiate(bf->xd, &bf->neg);
	limit_pages(bf);
	err = queues_create(bf);
	if (err == 0)
		err = blkfront_publish(bf);
	if (err == 0)
		err = xenbus_set_state(bf->xd, XenbusStateInitialised);
	if (err == 0)
		err = xenbus_wait_peer(
		    bf->xd, XENBUS_IN(XenbusStateConnected), PEER_MS);
	if (err == 0)
		err = blkfront_read_info(bf->xd, &bf->bd.info);
	if (err == 0)
		err = xenbus_set_state(bf->xd, XenbusStateConnected);
	return err;
}

static void fill_info(struct blkfront *bf)
{
	const struct blkfeat *feat = &bf->neg.feat;
	struct blk_info *info = &bf->bd.info;

	info->max_seg = feat->max_segs;
	info->nqueues = bf->neg.nqueues;
	info->can_flush = feat->flush || feat->barrier;
	info->can_discard = feat->discard;
	log_info("%s: %llu sectors of %u%s, %u queues of %u, %u segments",
	    bf->bd.name, (unsigned long long)info->nsectors, info->sector_size,
	    info->readonly ? ", read only" : "", info->nqueues,
	    bf->queue[0].ring.ring.size, info->max_seg);
}

static int attach(struct device *dev)
{
	struct blkfront *bf = dev->softc;
	int err;

	bf->xd = xenbus_dev_of(dev);
	bf->bd.ops = &bf_ops;
	bf->bd.softc = bf;
	blkfront_name(bf->xd->id, bf->bd.name, sizeof(bf->bd.name));
	err = connect(bf);
	if (err == 0) {
		fill_info(bf);
		err = blk_dev_register(&bf->bd);
	}
	if (err != 0) {
		xenbus_fail(bf->xd, err, "cannot connect");
		close_peer(bf);
		queues_destroy(bf);
		kfree(bf->queue);
		return err;
	}
	bf->registered = true;
	bf->xd->peer_changed = peer_changed;
	return 0;
}

/* Users of the disk may stay for long: the host is not made to wait. */
static void detach(struct device *dev)
{
	struct blkfront *bf = dev->softc;

	queues_stop(bf);
	close_peer(bf);
	queues_destroy(bf);
	blk_dev_unregister(&bf->bd);
	kfree(bf->queue);
}

static const struct driver blkfront_driver = {
	.name = "blkfront",
	.bus = "xenbus",
	.type = "vbd",
	.softc_size = sizeof(struct blkfront),
	.attach = attach,
	.detach = detach,
};
DRIVER(blkfront_driver);
