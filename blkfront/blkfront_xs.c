/*
 * The handshake by the store.
 * Source: xen/include/public/io/blkif.h, "XenBus Nodes"; device numbers:
 * docs/man/xen-vbd-interface.7.pandoc
 */

#include "kern/errno.h"
#include "kern/log.h"
#include "kern/num.h"
#include "kern/percpu.h"
#include "kern/string.h"
#include "blkfront_int.h"

/* --- the disk's name ---------------------------------------------------- */

#define VDEV_EXTENDED (1u << 28)
#define MAJOR_XVD     202u
#define MAJOR_IDE0    3u
#define MAJOR_IDE1    22u
#define MAJOR_SCSI0   8u

/* Disk and partition in a virtual device's number. */
static void vdev_split(uint32_t n, uint32_t *disk, uint32_t *part)
{
	uint32_t major = n >> 8 & 0xfff, minor = n & 0xff;

	if (n & VDEV_EXTENDED) {
		*disk = (n & ~VDEV_EXTENDED) >> 8;
		*part = n & 0xff;
	} else if (major == MAJOR_IDE0 || major == MAJOR_IDE1) {
		*disk = (major == MAJOR_IDE1 ? 2 : 0) + (minor >> 6);
		*part = minor & 63;
	} else if (major == MAJOR_XVD || major == MAJOR_SCSI0) {
		*disk = minor >> 4;
		*part = minor & 15;
	} else {
		*disk = n; /* none that is known: unique at least */
		*part = 0;
	}
}

void blkfront_name(uint32_t number, char *name, size_t size)
{
	char letters[8];
	char *p = &letters[sizeof(letters) - 1];
	uint32_t disk, part;

	vdev_split(number, &disk, &part);
	*p = '\0';
	/* a..z, aa..zz, ...: digits 1 to 26, there is no zero */
	for (disk++; disk != 0; disk = (disk - 1) / 26)
		*--p = (char)('a' + (disk - 1) % 26);
	if (part != 0)
		snprintf(name, size, "xvd%s%u", p, part);
	else
		snprintf(name, size, "xvd%s", p);
}

/* --- what the back end offers ------------------------------------------- */

static unsigned offered_ring_order(struct xenbus_dev *xd)
{
	uint32_t pages = xenbus_peer_u32(xd, "max-ring-pages", 1);
	uint32_t order = xenbus_peer_u32(xd, "max-ring-page-order", 0);

	/* Two dialects of one feature; no back end speaks both. */
	if (order == 0 && pages > 1)
		order = ilog2(pages);
	return MIN(order, BLKFRONT_RING_ORDER);
}

void blkfront_negotiate(struct xenbus_dev *xd, struct blkneg *neg)
{
	uint32_t queues = xenbus_peer_u32(xd, "multi-queue-max-queues", 1);
	uint32_t segs = xenbus_peer_u32(xd, "feature-max-indirect-segments", 0);

	memset(neg, 0, sizeof(*neg));
	queues = MIN(queues, MIN(cpu_count(), BLKFRONT_QUEUES_MAX));
	neg->nqueues = MAX(queues, 1u);
	neg->ring_order = offered_ring_order(xd);
	neg->feat.indirect = segs > BLKIF_MAX_SEGMENTS_PER_REQUEST;
	neg->feat.max_segs = neg->feat.indirect
				 ? MIN(segs, BLKRING_SEGS_MAX)
				 : BLKIF_MAX_SEGMENTS_PER_REQUEST;
	neg->feat.flush = xenbus_peer_u32(xd, "feature-flush-cache", 0) != 0;
	neg->feat.barrier = xenbus_peer_u32(xd, "feature-barrier", 0) != 0;
	neg->feat.discard = xenbus_peer_u32(xd, "feature-discard", 0) != 0;
}

/* --- our half ----------------------------------------------------------- */

static int put_refs(
    struct xs_txn *txn, const char *dir, const struct xenbus_ring *mem)
{
	char node[16];
	int err = 0;

	if (mem->order == 0)
		return xs_printf(txn, dir, "ring-ref", "%u", mem->ref[0]);
	for (unsigned i = 0; err == 0 && i < 1u << mem->order; i++) {
		snprintf(node, sizeof(node), "ring-ref%u", i);
		err = xs_printf(txn, dir, node, "%u", mem->ref[i]);
	}
	return err;
}

static int put_queue(
    struct xs_txn *txn, const char *dir, const struct blkqueue *q)
{
	int err = put_refs(txn, dir, &q->mem);

	if (err == 0)
		err = xs_printf(txn, dir, "event-channel", "%u", q->port);
	return err;
}

static int put_queues(struct xs_txn *txn, const struct blkfront *bf)
{
	char dir[XENBUS_NODE_MAX + 16];
	int err;

	if (bf->neg.nqueues == 1)
		return put_queue(txn, bf->xd->node, &bf->queue[0]);
	err = xs_printf(
	    txn, bf->xd->node, "multi-queue-num-queues", "%u", bf->neg.nqueues);
	for (unsigned i = 0; err == 0 && i < bf->neg.nqueues; i++) {
		snprintf(dir, sizeof(dir), "%s/queue-%u", bf->xd->node, i);
		err = put_queue(txn, dir, &bf->queue[i]);
	}
	return err;
}

static int put_all(struct xs_txn *txn, const struct blkfront *bf)
{
	const char *node = bf->xd->node;
	unsigned order = bf->neg.ring_order;
	int err = put_queues(txn, bf);

	if (err == 0 && order != 0)
		err = xs_printf(txn, node, "ring-page-order", "%u", order);
	if (err == 0 && order != 0)
		err = xs_printf(txn, node, "num-ring-pages", "%u", 1u << order);
	if (err == 0)
		err = xs_write(txn, node, "protocol", "x86_64-abi");
	if (err == 0)
		err = xs_write(txn, node, "feature-persistent", "1");
	return err;
}

int blkfront_publish(struct blkfront *bf)
{
	struct xs_txn txn;
	int err, end;

	do {
		err = xs_txn_begin(&txn);
		if (err != 0)
			return err;
		err = put_all(&txn, bf);
		end = xs_txn_end(&txn, err != 0);
	} while (err == 0 && end == -EAGAIN);
	return err != 0 ? err : end;
}

/* --- the disk ----------------------------------------------------------- */

static bool mode_readonly(struct xenbus_dev *xd)
{
	char mode[8];
	int len = xs_read(NULL, xd->backend, "mode", mode, sizeof(mode));

	return len > 0 && !strchr(mode, 'w');
}

/*
 * Sectors are 512 bytes in the store and in requests, whatever "sector-size"
 * says, which is the smallest write only: so do the back ends that serve a
 * front end without "feature-large-sector-size".
 */
int blkfront_read_info(struct xenbus_dev *xd, struct blk_info *info)
{
	uint32_t size = xenbus_peer_u32(xd, "sector-size", 512);
	uint32_t flags = xenbus_peer_u32(xd, "info", 0);
	uint64_t sectors;
	int err = xs_read_u64(NULL, xd->backend, "sectors", 0, &sectors);

	if (err != 0)
		return err;
	if (size < 512 || size > PAGE_SIZE || !IS_POW2(size) ||
	    sectors > UINT64_MAX / 512 || sectors % (size / 512) != 0)
		return -EINVAL;
	info->nsectors = sectors;
	info->sector_size = size;
	info->readonly =
	    (flags & (VDISK_READONLY | VDISK_CDROM)) != 0 || mode_readonly(xd);
	return 0;
}
