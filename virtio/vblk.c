/* The virtio disk.  VIRTIO 1.1, section 5.2. */

#include <linux/virtio_blk.h>

#include "kern/arch.h"
#include "kern/blk.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/percpu.h"
#include "kern/string.h"
#include "virtio/virtio.h"

#define VBLK_NUM    128
#define VBLK_PIECES 62 /* of data in one request */
#define VBLK_EXTRA  2  /* header and status */
#define VBLK_TABLES 32
#define VBLK_QUEUES 16

/* What the device reads and writes beside the data; one for a ring slot. */
struct vblk_cmd {
	struct virtio_blk_outhdr hdr;
	struct virtio_blk_discard_write_zeroes range;
	uint8_t status;
	uint32_t in_len;
	struct blk_req *req;
};

struct vblk_queue {
	/* Submission runs with preemption off and completion in an interrupt:
	 * neither can sleep. */
	struct spinlock lock;
	struct virtq *vq;
	struct vblk_cmd *cmd;
	struct vblk *vb;
	unsigned index;
	bool full, dead;
	struct vq_seg seg[VBLK_PIECES + VBLK_EXTRA]; /* scratch */
};

struct vblk {
	struct virtio_dev *vd;
	struct blk_dev bd;
	uint32_t piece_max, max_discard;
	struct vblk_queue *queue[VBLK_QUEUES];
	struct work resize;
};

/* --- requests ------------------------------------------------------------ */

static const uint32_t vblk_type[] = {
	[BLK_READ] = VIRTIO_BLK_T_IN,
	[BLK_WRITE] = VIRTIO_BLK_T_OUT,
	[BLK_FLUSH] = VIRTIO_BLK_T_FLUSH,
	[BLK_DISCARD] = VIRTIO_BLK_T_DISCARD,
};

/* Returns the pieces of data put at (out). */
static unsigned data_pieces(
    const struct vblk *vb, const struct blk_req *req, struct vq_seg *out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < req->nseg; i++) {
		uint8_t *va = req->seg[i].va;
		uint32_t left = req->seg[i].len, len;

		for (; left != 0; left -= len, va += len) {
			if (n == VBLK_PIECES)
				return VBLK_PIECES + 1;
			len = MIN(left, vb->piece_max);
			out[n++] = (struct vq_seg){ va, len };
		}
	}
	return n;
}

/* A discard is a hint: what is more than the device takes at once stays. */
static unsigned discard_piece(
    const struct vblk *vb, struct vblk_cmd *cmd, struct vq_seg *out)
{
	cmd->range = (struct virtio_blk_discard_write_zeroes){
		.sector = cmd->req->sector,
		.num_sectors = (uint32_t)MIN(
		    cmd->req->nsectors, (uint64_t)vb->max_discard),
	};
	*out = (struct vq_seg){ &cmd->range, sizeof(cmd->range) };
	return 1;
}

static int add_req(struct vblk_queue *q, struct blk_req *req)
{
	struct vblk_cmd *cmd = &q->cmd[vq_next_slot(q->vq)];
	struct vq_seg *seg = q->seg;
	bool rw = req->op == BLK_READ || req->op == BLK_WRITE;
	unsigned n = 0, nout;

	cmd->req = req;
	cmd->status = 0xff;
	cmd->hdr = (struct virtio_blk_outhdr){
		.type = vblk_type[req->op],
		.sector = rw ? req->sector : 0,
	};
	seg[0] = (struct vq_seg){ &cmd->hdr, sizeof(cmd->hdr) };
	if (rw)
		n = data_pieces(q->vb, req, seg + 1);
	else if (req->op == BLK_DISCARD)
		n = discard_piece(q->vb, cmd, seg + 1);
	if (n > VBLK_PIECES)
		return -EINVAL;
	seg[n + 1] = (struct vq_seg){ &cmd->status, sizeof(cmd->status) };
	nout = req->op == BLK_READ ? 1 : n + 1;
	cmd->in_len = 1;
	for (unsigned i = nout; i < n + 1; i++)
		cmd->in_len += seg[i].len;
	return vq_add(q->vq, seg, nout, n + VBLK_EXTRA - nout, cmd);
}

static int vblk_submit(struct blk_dev *bd, unsigned queue, struct blk_req *req)
{
	struct vblk *vb = bd->softc;
	struct vblk_queue *q = vb->queue[queue];
	unsigned long flags = spin_lock_irqsave(&q->lock);
	int err = -EIO;

	if (!q->dead)
		err = q->vq->nfree != 0 ? add_req(q, req) : -ENOSPC;
	if (err == -ENOSPC) {
		q->full = true;
		err = -EAGAIN;
	}
	spin_unlock_irqrestore(&q->lock, flags);
	return err;
}

static void vblk_kick(struct blk_dev *bd, unsigned queue)
{
	struct vblk *vb = bd->softc;
	struct vblk_queue *q = vb->queue[queue];
	unsigned long flags = spin_lock_irqsave(&q->lock);
	bool notify = !q->dead && vq_publish(q->vq);

	spin_unlock_irqrestore(&q->lock, flags);
	if (notify)
		vb->vd->tr->notify(q->vq);
}

static const struct blk_ops vblk_ops = {
	.submit = vblk_submit,
	.kick = vblk_kick,
};

/* --- completions --------------------------------------------------------- */

/* (len) as the device gave it; legacy devices are known to get it wrong. */
static int cmd_status(const struct vblk *vb, struct vblk_cmd *cmd, uint32_t len)
{
	switch (READ_ONCE(cmd->status)) {
	case VIRTIO_BLK_S_OK:
		return vb->vd->modern && len < cmd->in_len ? -EIO : 0;
	case VIRTIO_BLK_S_UNSUPP:
		return -EOPNOTSUPP;
	default:
		return -EIO;
	}
}

static void take_done(struct vblk_queue *q, struct list *done)
{
	struct vblk_cmd *cmd;
	uint32_t len;

	do {
		while ((cmd = vq_take(q->vq, &len)) != NULL) {
			cmd->req->status = cmd_status(q->vb, cmd, len);
			list_add_tail(done, &cmd->req->link);
		}
	} while (!q->vq->fault && vq_arm(q->vq));
}

static void finish(struct vblk *vb, struct list *done)
{
	struct blk_req *req;

	while ((req = list_first(done, struct blk_req, link)) != NULL) {
		list_del(&req->link);
		blk_done(&vb->bd, req, req->status);
	}
}

static void vblk_irq(void *arg)
{
	struct vblk_queue *q = arg;
	struct list done = LIST_INIT(done);
	unsigned long flags = spin_lock_irqsave(&q->lock);
	const char *fault = NULL;
	bool space;

	if (!q->dead) {
		take_done(q, &done);
		fault = q->vq->fault;
	}
	space = q->full && !list_empty(&done);
	if (space)
		q->full = false;
	spin_unlock_irqrestore(&q->lock, flags);
	finish(q->vb, &done);
	if (space)
		blk_dev_space(&q->vb->bd, q->index);
	if (fault)
		virtio_fail(q->vb->vd, fault);
}

/* --- configuration ------------------------------------------------------- */

#define CONFIG_GET(vd, field, out)                                            \
	virtio_config_get(vd, offsetof(struct virtio_blk_config, field), out, \
	    sizeof(*(out)))

static int read_capacity(struct vblk *vb, uint64_t *nsectors)
{
	return CONFIG_GET(vb->vd, capacity, nsectors) ? -EIO : 0;
}

static int read_sector_size(struct vblk *vb)
{
	uint32_t size = 512;

	if (virtio_has(vb->vd, VIRTIO_BLK_F_BLK_SIZE) &&
	    CONFIG_GET(vb->vd, blk_size, &size) != 0)
		return -EIO;
	if (!IS_POW2(size) || size < 512 || size > 4096) {
		log_err("%s: sectors of %u bytes", vb->vd->name, size);
		return -EINVAL;
	}
	vb->bd.info.sector_size = size == 512 ? 512 : 4096;
	return 0;
}

/* A segment of the layer's is at most a page, and may be cut to size_max. */
static int read_limits(struct vblk *vb)
{
	uint32_t seg_max = VBLK_PIECES, size_max = PAGE_SIZE;
	unsigned cuts;

	if (virtio_has(vb->vd, VIRTIO_BLK_F_SEG_MAX) &&
	    CONFIG_GET(vb->vd, seg_max, &seg_max) != 0)
		return -EIO;
	if (virtio_has(vb->vd, VIRTIO_BLK_F_SIZE_MAX) &&
	    CONFIG_GET(vb->vd, size_max, &size_max) != 0)
		return -EIO;
	vb->piece_max = (uint32_t)MIN(size_max, PAGE_SIZE);
	if (vb->piece_max < 512 || seg_max == 0)
		return -EINVAL;
	cuts = (unsigned)(PAGE_SIZE + vb->piece_max - 1) / vb->piece_max;
	vb->bd.info.max_seg = MIN(seg_max, (uint32_t)VBLK_PIECES) / cuts;
	return vb->bd.info.max_seg != 0 ? 0 : -EINVAL;
}

static int read_discard(struct vblk *vb)
{
	if (!virtio_has(vb->vd, VIRTIO_BLK_F_DISCARD))
		return 0;
	if (CONFIG_GET(vb->vd, max_discard_sectors, &vb->max_discard) != 0)
		return -EIO;
	vb->bd.info.can_discard = vb->max_discard != 0;
	return 0;
}

static int read_nqueues(struct vblk *vb)
{
	uint16_t n = 1;

	if (virtio_has(vb->vd, VIRTIO_BLK_F_MQ) &&
	    CONFIG_GET(vb->vd, num_queues, &n) != 0)
		return -EIO;
	vb->bd.info.nqueues =
	    MIN(MIN((unsigned)n, cpu_count()), (unsigned)VBLK_QUEUES);
	return n != 0 ? 0 : -EINVAL;
}

static int read_config(struct vblk *vb)
{
	struct blk_info *info = &vb->bd.info;
	int err;

	info->readonly = virtio_has(vb->vd, VIRTIO_BLK_F_RO);
	info->can_flush = virtio_has(vb->vd, VIRTIO_BLK_F_FLUSH);
	err = read_capacity(vb, &info->nsectors);
	if (!err)
		err = read_sector_size(vb);
	if (!err)
		err = read_limits(vb);
	if (!err)
		err = read_discard(vb);
	return err ? err : read_nqueues(vb);
}

static void resize_work(struct work *w)
{
	struct vblk *vb = container_of(w, struct vblk, resize);

	uint64_t nsectors;

	if (read_capacity(vb, &nsectors) == 0)
		blk_dev_changed(&vb->bd, nsectors, vb->bd.info.readonly);
}

static void vblk_config_changed(struct virtio_dev *vd)
{
	struct vblk *vb = vd->dev.softc;

	work_queue(&vb->resize);
}

/* --- attaching ----------------------------------------------------------- */

static int queue_create(struct vblk *vb, unsigned i)
{
	struct vblk_queue *q = kzalloc(sizeof(*q));
	struct vq_config vc = {
		.num_max = VBLK_NUM,
		.ind_num = VBLK_TABLES,
		.ind_size = VBLK_PIECES + VBLK_EXTRA,
		.cpu = i,
		.fn = vblk_irq,
		.arg = q,
	};
	int err;

	if (!q)
		return -ENOMEM;
	vb->queue[i] = q;
	q->vb = vb;
	q->index = i;
	q->dead = true;
	err = vq_create(vb->vd, i, &vc, &q->vq);
	if (err)
		return err;
	if (q->vq->ind_num == 0 || q->vq->num < VBLK_PIECES + VBLK_EXTRA)
		vb->bd.info.max_seg =
		    MIN(vb->bd.info.max_seg, q->vq->num - (unsigned)VBLK_EXTRA);
	q->cmd = kmalloc_array(q->vq->num, sizeof(*q->cmd));
	if (!q->cmd)
		return -ENOMEM;
	q->dead = false;
	vq_arm(q->vq);
	return 0;
}

/* Take what is in flight away from the queue; blk_done() wants interrupts off
 * as in event context. */
static void queue_kill(struct vblk_queue *q)
{
	struct list done = LIST_INIT(done);
	unsigned long flags = spin_lock_irqsave(&q->lock);
	struct vblk_cmd *cmd;

	q->dead = true;
	while ((cmd = vq_drain(q->vq)) != NULL) {
		cmd->req->status = -EIO;
		list_add_tail(&done, &cmd->req->link);
	}
	spin_unlock_irqrestore(&q->lock, flags);
	flags = irq_save();
	finish(q->vb, &done);
	blk_dev_space(&q->vb->bd, q->index);
	irq_restore(flags);
}

static void queues_free(struct vblk *vb)
{
	virtio_queues_free(vb->vd);
	for (unsigned i = 0; i < VBLK_QUEUES; i++) {
		if (!vb->queue[i])
			continue;
		kfree(vb->queue[i]->cmd);
		kfree(vb->queue[i]);
	}
}

static int queues_create(struct vblk *vb)
{
	int err = virtio_queues(vb->vd, vb->bd.info.nqueues);

	for (unsigned i = 0; !err && i < vb->bd.info.nqueues; i++)
		err = queue_create(vb, i);
	return err;
}

/* vda ... vdz, vdaa ... */
static void set_name(struct blk_dev *bd)
{
	static unsigned count;
	unsigned n = count++;

	if (n < 26)
		snprintf(bd->name, sizeof(bd->name), "vd%c", 'a' + (int)n);
	else
		snprintf(bd->name, sizeof(bd->name), "vd%c%c",
		    'a' + (int)(n / 26 - 1) % 26, 'a' + (int)(n % 26));
}

static int vblk_attach(struct device *dev)
{
	struct vblk *vb = dev->softc;
	int err;

	vb->vd = dev->bus_dev;
	vb->bd.ops = &vblk_ops;
	vb->bd.softc = vb;
	work_init(&vb->resize, resize_work);
	err = virtio_negotiate(vb->vd,
	    VIRTIO_BIT(VIRTIO_BLK_F_SIZE_MAX) |
		VIRTIO_BIT(VIRTIO_BLK_F_SEG_MAX) | VIRTIO_BIT(VIRTIO_BLK_F_RO) |
		VIRTIO_BIT(VIRTIO_BLK_F_BLK_SIZE) |
		VIRTIO_BIT(VIRTIO_BLK_F_FLUSH) | VIRTIO_BIT(VIRTIO_BLK_F_MQ) |
		VIRTIO_BIT(VIRTIO_BLK_F_DISCARD));
	if (err)
		return err;
	err = read_config(vb);
	if (!err)
		err = queues_create(vb);
	if (err)
		goto stop;
	set_name(&vb->bd);
	virtio_ready(vb->vd);
	err = blk_dev_register(&vb->bd);
	if (err)
		goto stop;
	vb->vd->config_changed = vblk_config_changed;
	log_info("%s: %s, %llu sectors, %u queues", vb->vd->name, vb->bd.name,
	    (unsigned long long)vb->bd.info.nsectors, vb->bd.info.nqueues);
	return 0;
stop:
	virtio_stop(vb->vd);
	queues_free(vb);
	return err;
}

static void vblk_detach(struct device *dev)
{
	struct vblk *vb = dev->softc;

	vb->vd->config_changed = NULL;
	virtio_stop(vb->vd);
	work_flush();
	for (unsigned i = 0; i < vb->bd.info.nqueues; i++)
		queue_kill(vb->queue[i]);
	blk_dev_unregister(&vb->bd);
	queues_free(vb);
}

static const struct driver vblk_driver = {
	.name = "vblk",
	.bus = "virtio",
	.type = "blk",
	.softc_size = sizeof(struct vblk),
	.attach = vblk_attach,
	.detach = vblk_detach,
};
DRIVER(vblk_driver);
