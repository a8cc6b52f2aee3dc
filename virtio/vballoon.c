/*
 * The virtio balloon: memory that the host asks for, statistics, and free
 * pages that it may have meanwhile.  VIRTIO 1.2, section 5.5.
 *
 * One thread per device does all of it, so that nothing but the wake-ups
 * happens in event context.  A request to the device is waited for before the
 * next one.
 */

#include <linux/virtio_balloon.h>
#include <linux/virtio_ids.h>

#include "kern/balloon.h"
#include "kern/clock.h"
#include "kern/compiler.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/sched.h"
#include "kern/shrink.h"
#include "kern/string.h"
#include "virtio/virtio.h"

#define BLOCK_PAGES  (1u << BALLOON_ORDER)
#define ANSWER_MAX   (10 * NSEC_PER_SEC) /* for one request */
#define RETRY_EVERY  NSEC_PER_SEC /* while the guest is short of memory */
#define REPORT_EVERY (2 * NSEC_PER_SEC)
#define REPORT_MAX   32 /* blocks in a request */
#define NSTATS       6

#define WANTED                                            \
	(VIRTIO_BIT(VIRTIO_BALLOON_F_MUST_TELL_HOST) |    \
	    VIRTIO_BIT(VIRTIO_BALLOON_F_STATS_VQ) |       \
	    VIRTIO_BIT(VIRTIO_BALLOON_F_DEFLATE_ON_OOM) | \
	    VIRTIO_BIT(VIRTIO_BALLOON_F_REPORTING))

struct vballoon {
	struct virtio_dev *vd;
	struct virtq *inflate, *deflate, *stats, *report;
	struct shrinker shrinker;
	struct thread *thread;

	/* Who moves the balloon: the thread, or the shrinker. */
	struct mutex lock;
	uint64_t goal; /* pages that it is to hold */
	uint32_t *pfn; /* BLOCK_PAGES */
	struct virtio_balloon_stat *stat;

	/* A spinlock because interrupts wake: protects what is below. */
	struct spinlock irq_lock;
	struct waitq wait;
	bool news;         /* the host changed its mind */
	bool stats_wanted; /* and it wants to know */
	bool stop;
};

/* --- event context ------------------------------------------------------- */

/* (why), when there is one, becomes true. */
static void wake(struct vballoon *vb, bool *why)
{
	unsigned long flags = spin_lock_irqsave(&vb->irq_lock);

	if (why)
		*why = true;
	waitq_wake_all(&vb->wait);
	spin_unlock_irqrestore(&vb->irq_lock, flags);
}

static void vballoon_done(void *arg)
{
	wake(arg, NULL);
}

static void vballoon_stats_wanted(void *arg)
{
	struct vballoon *vb = arg;

	wake(vb, &vb->stats_wanted);
}

static void vballoon_changed(struct virtio_dev *vd)
{
	struct vballoon *vb = vd->dev.softc;

	wake(vb, &vb->news);
}

/* --- requests ------------------------------------------------------------ */

/* Wait for the only request of (vq); its cookie is (vb). */
static bool finished(struct vballoon *vb, struct virtq *vq)
{
	uint64_t deadline = clock_mono() + ANSWER_MAX;
	unsigned long flags = spin_lock_irqsave(&vb->irq_lock);
	uint32_t len;
	void *done;
	int err = 0;

	while (!(done = vq_take(vq, &len)) && !vq->fault && !vb->stop && !err)
		if (!vq_arm(vq))
			err = waitq_wait(
			    &vb->wait, &vb->irq_lock, &flags, deadline, 0);
	spin_unlock_irqrestore(&vb->irq_lock, flags);
	if (vq->fault || err)
		virtio_fail(
		    vb->vd, vq->fault ? vq->fault : "it does not answer");
	return done != NULL;
}

static bool request(struct vballoon *vb, struct virtq *vq,
    const struct vq_seg *seg, unsigned nout, unsigned nin)
{
	if (vb->vd->broken || vq_add(vq, seg, nout, nin, vb) != 0)
		return false;
	vq_kick(vq);
	return finished(vb, vq);
}

/* Tell of a block's pages. */
static bool tell(
    struct vballoon *vb, struct virtq *vq, const struct balloon_block *b)
{
	unsigned n = 1u << b->order;
	struct vq_seg seg = { vb->pfn, n * (uint32_t)sizeof(*vb->pfn) };

	for (unsigned i = 0; i < n; i++)
		vb->pfn[i] = (uint32_t)(b->pa >> VIRTIO_BALLOON_PFN_SHIFT) + i;
	return request(vb, vq, &seg, 1, 0);
}

/* --- the balloon --------------------------------------------------------- */

/* When the device does not answer it is reset soon, and has nothing then. */
static bool inflate(struct vballoon *vb, uint64_t most)
{
	struct balloon_block b;
	bool told;

	if (!balloon_take(&b, most))
		return false;
	told = tell(vb, vb->inflate, &b);
	balloon_keep(&b);
	return told;
}

static bool deflate(struct vballoon *vb, uint64_t most)
{
	struct balloon_block b;

	if (!balloon_pick(&b, most))
		return false;
	if (!tell(vb, vb->deflate, &b)) {
		balloon_keep(&b);
		return false;
	}
	balloon_give(&b);
	return true;
}

static void show_actual(struct vballoon *vb)
{
	uint32_t pages = (uint32_t)balloon_pages();

	(void)virtio_config_set(vb->vd,
	    offsetof(struct virtio_balloon_config, actual), &pages,
	    sizeof(pages));
}

static void read_goal(struct vballoon *vb)
{
	uint32_t pages;

	if (virtio_config_get(vb->vd,
		offsetof(struct virtio_balloon_config, num_pages), &pages,
		sizeof(pages)) == 0)
		vb->goal = pages;
}

/* A step towards the goal; false: it is reached, or no further for now. */
static bool step(struct vballoon *vb)
{
	uint64_t now = balloon_pages();
	bool moved = false;

	if (now < vb->goal)
		moved = inflate(vb, vb->goal - now);
	else if (now > vb->goal)
		moved = deflate(vb, now - vb->goal);
	if (moved)
		show_actual(vb);
	return moved;
}

/*
 * VIRTIO_BALLOON_F_DEFLATE_ON_OOM: rather than that an allocation fails.  The
 * balloon stays smaller until the host asks again.
 */
static size_t vballoon_shrink(struct shrinker *s, size_t target, bool hard)
{
	struct vballoon *vb = container_of(s, struct vballoon, shrinker);
	uint64_t before, freed;

	if (!hard)
		return 0;
	mutex_lock(&vb->lock);
	before = balloon_pages();
	vb->goal = before - MIN(before, (target >> PAGE_SHIFT) + 1);
	while (step(vb))
		;
	freed = before - balloon_pages();
	mutex_unlock(&vb->lock);
	return freed << PAGE_SHIFT;
}

/* --- statistics ---------------------------------------------------------- */

static void set_stat(struct virtio_balloon_stat *s, uint16_t tag, uint64_t val)
{
	s->tag = tag;
	s->val = val;
}

static void stats_fill(struct virtio_balloon_stat *s)
{
	struct mm_stats st;

	mm_stats(&st);
	set_stat(&s[0], VIRTIO_BALLOON_S_SWAP_IN, 0);
	set_stat(&s[1], VIRTIO_BALLOON_S_SWAP_OUT, 0);
	set_stat(&s[2], VIRTIO_BALLOON_S_MEMFREE, st.free);
	set_stat(&s[3], VIRTIO_BALLOON_S_MEMTOT, st.total);
	set_stat(&s[4], VIRTIO_BALLOON_S_AVAIL, st.free + st.file_cache);
	set_stat(&s[5], VIRTIO_BALLOON_S_CACHES, st.file_cache);
}

/* The device keeps the buffer and gives it back when it wants a new one. */
static void stats_give(struct vballoon *vb)
{
	struct vq_seg seg = { vb->stat, NSTATS * sizeof(*vb->stat) };

	stats_fill(vb->stat);
	if (vq_add(vb->stats, &seg, 1, 0, vb) == 0)
		vq_kick(vb->stats);
	(void)vq_arm(vb->stats);
}

static void stats_answer(struct vballoon *vb)
{
	uint32_t len;

	while (vb->stats && vq_take(vb->stats, &len))
		stats_give(vb);
	if (vb->stats && vb->stats->fault)
		virtio_fail(vb->vd, vb->stats->fault);
}

/* --- free page reporting ------------------------------------------------- */

/* Report some blocks; false: there were none, or it failed. */
static bool report_some(struct vballoon *vb)
{
	struct vq_seg seg[REPORT_MAX];
	unsigned order[REPORT_MAX], n = 0;
	bool done;

	for (; n < REPORT_MAX; n++) {
		seg[n].va = page_report_take(BALLOON_ORDER, &order[n]);
		if (!seg[n].va)
			break;
		seg[n].len = (uint32_t)(PAGE_SIZE << order[n]);
	}
	done = n > 0 && request(vb, vb->report, seg, 0, n);
	/* Without an answer the device may still drop what is in there: it is
	 * reset before anybody waits for it. */
	if (n > 0 && !done)
		virtio_stop(vb->vd);
	for (unsigned i = 0; i < n; i++)
		page_report_done(seg[i].va, order[i], done);
	return done;
}

/* --- the thread ---------------------------------------------------------- */

/* True: there may be something to do; false: the end. */
static bool wait_for_work(struct vballoon *vb, uint64_t deadline)
{
	unsigned long flags = spin_lock_irqsave(&vb->irq_lock);
	bool go_on;
	int err = 0;

	while (!vb->news && !vb->stats_wanted && !vb->stop && !err)
		err = waitq_wait(&vb->wait, &vb->irq_lock, &flags, deadline, 0);
	go_on = !vb->stop;
	spin_unlock_irqrestore(&vb->irq_lock, flags);
	return go_on;
}

static bool take(struct vballoon *vb, bool *why)
{
	unsigned long flags = spin_lock_irqsave(&vb->irq_lock);
	bool was = *why;

	*why = false;
	spin_unlock_irqrestore(&vb->irq_lock, flags);
	return was;
}

/* Towards the goal, as it changes; true: it is reached. */
static bool move(struct vballoon *vb)
{
	bool moved, there;

	do {
		mutex_lock(&vb->lock);
		if (take(vb, &vb->news))
			read_goal(vb);
		if (take(vb, &vb->stats_wanted))
			stats_answer(vb);
		moved = step(vb);
		there = balloon_pages() == vb->goal;
		mutex_unlock(&vb->lock);
		sched_yield_cpu();
	} while (moved);
	return there;
}

static void vballoon_main(void *arg)
{
	struct vballoon *vb = arg;
	uint64_t deadline = 0;

	while (wait_for_work(vb, deadline) && !vb->vd->broken) {
		bool there = move(vb);

		deadline = there ? TIME_NEVER : clock_mono() + RETRY_EVERY;
		if (!vb->report || vb->vd->broken)
			continue;
		while (report_some(vb) && !vb->stop)
			;
		deadline = MIN(deadline, clock_mono() + REPORT_EVERY);
	}
}

/* --- attaching ----------------------------------------------------------- */

/*
 * Queues that the device does not offer have no number, as QEMU has it and
 * Linux: the specification counts them, but no device does.
 */
static int queues_create(struct vballoon *vb)
{
	struct vq_config vc = { .num_max = 64, .fn = vballoon_done, .arg = vb };
	struct vq_config sc = {
		.num_max = 2, .fn = vballoon_stats_wanted, .arg = vb
	};
	uint64_t offered = vb->vd->tr->features(vb->vd);
	unsigned at = 2;
	int err = virtio_queues(vb->vd, 5);

	if (!err)
		err = vq_create(vb->vd, 0, &vc, &vb->inflate);
	if (!err)
		err = vq_create(vb->vd, 1, &vc, &vb->deflate);
	if (!err && virtio_has(vb->vd, VIRTIO_BALLOON_F_STATS_VQ))
		err = vq_create(vb->vd, at++, &sc, &vb->stats);
	at += offered >> VIRTIO_BALLOON_F_FREE_PAGE_HINT & 1;
	if (!err && virtio_has(vb->vd, VIRTIO_BALLOON_F_REPORTING))
		err = vq_create(vb->vd, at, &vc, &vb->report);
	return err;
}

static int buffers_create(struct vballoon *vb)
{
	vb->pfn = kmalloc_array(BLOCK_PAGES, sizeof(*vb->pfn));
	vb->stat = kmalloc_array(NSTATS, sizeof(*vb->stat));
	return vb->pfn && vb->stat ? 0 : -ENOMEM;
}

static void vballoon_free(struct vballoon *vb)
{
	virtio_stop(vb->vd);
	virtio_queues_free(vb->vd);
	kfree(vb->pfn);
	kfree(vb->stat);
}

static void vballoon_start(struct vballoon *vb)
{
	virtio_ready(vb->vd);
	vq_arm(vb->inflate);
	vq_arm(vb->deflate);
	if (vb->report)
		vq_arm(vb->report);
	if (vb->stats)
		stats_give(vb);
	if (virtio_has(vb->vd, VIRTIO_BALLOON_F_DEFLATE_ON_OOM)) {
		vb->shrinker.name = "balloon";
		vb->shrinker.shrink = vballoon_shrink;
		shrinker_register(&vb->shrinker);
	}
	vb->news = true;
	thread_start(vb->thread);
}

static int vballoon_attach(struct device *dev)
{
	struct vballoon *vb = dev->softc;
	int err;

	vb->vd = dev->bus_dev;
	mutex_init(&vb->lock);
	vb->irq_lock = (struct spinlock)SPINLOCK_INIT;
	waitq_init(&vb->wait);
	err = buffers_create(vb);
	if (!err)
		err = virtio_negotiate(vb->vd, WANTED);
	if (!err)
		err = queues_create(vb);
	if (!err)
		err = thread_create(
		    &vb->thread, "vballoon", vballoon_main, vb, -1);
	if (err) {
		vballoon_free(vb);
		return err;
	}
	vb->vd->config_changed = vballoon_changed;
	vballoon_start(vb);
	return 0;
}

/* The device has nothing of ours once it was reset: all is memory again. */
static void vballoon_detach(struct device *dev)
{
	struct vballoon *vb = dev->softc;
	unsigned long flags = spin_lock_irqsave(&vb->irq_lock);
	struct balloon_block b;

	vb->stop = true;
	waitq_wake_all(&vb->wait);
	spin_unlock_irqrestore(&vb->irq_lock, flags);
	if (vb->shrinker.shrink)
		shrinker_unregister(&vb->shrinker);
	thread_join(vb->thread);
	thread_put(vb->thread);
	vb->vd->config_changed = NULL;
	vballoon_free(vb);
	while (balloon_pick(&b, UINT64_MAX))
		balloon_give(&b);
}

static const struct driver vballoon_driver = {
	.name = "vballoon",
	.bus = "virtio",
	.type = "balloon",
	.softc_size = sizeof(struct vballoon),
	.attach = vballoon_attach,
	.detach = vballoon_detach,
};
DRIVER(vballoon_driver);
