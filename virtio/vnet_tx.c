/* Transmitting.  VIRTIO 1.1, section 5.1.6.2. */

#include "kern/errno.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/string.h"

#include "vnet_int.h"

/* Ring entries that must be free before a stopped sender is called back. */
#define TX_WAKE (VNET_TX_SEGS + 1)

static void fill_header(struct virtio_net_hdr_v1 *h, const struct pkt *p)
{
	*h = (struct virtio_net_hdr_v1){ 0 };
	if (p->flags & PKT_CSUM_PARTIAL) {
		h->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		h->csum_start = p->csum_start;
		h->csum_offset = p->csum_offset;
	}
	if (p->flags & (PKT_TSO4 | PKT_TSO6)) {
		h->gso_type = p->flags & PKT_TSO4 ? VIRTIO_NET_HDR_GSO_TCPV4
						  : VIRTIO_NET_HDR_GSO_TCPV6;
		h->gso_size = p->gso_size;
		h->hdr_len = p->hdr_len;
	}
}

/* The header before the data when there is room for it in the first piece,
 * else in one of its own.  Returns the pieces. */
static unsigned build(struct vnet_txq *tq, const struct pkt *first)
{
	uint32_t hdr_len = tq->vn->hdr_len;
	struct virtio_net_hdr_v1 *h = &tq->hdr[vq_next_slot(tq->vq)];
	struct vq_seg *seg = tq->seg;
	unsigned n = 0;
	bool inside = !tq->vn->split_hdr &&
		      (size_t)(first->data - first->head) >= hdr_len;

	fill_header(h, first);
	if (!inside)
		seg[n++] = (struct vq_seg){ h, hdr_len };
	for (const struct pkt *p = first; p; p = p->seg_next) {
		if (p->len == 0)
			continue;
		if (n > VNET_TX_SEGS)
			return 0;
		seg[n++] = (struct vq_seg){ p->data, p->len };
	}
	if (inside && n != 0) {
		seg[0].va = memcpy(first->data - hdr_len, h, hdr_len);
		seg[0].len += hdr_len;
	}
	return n;
}

static void reclaim(struct vnet_txq *tq)
{
	struct pkt *p;
	uint32_t len;

	while ((p = vq_take(tq->vq, &len)) != NULL)
		pkt_free(p);
}

static bool has_room(const struct vnet_txq *tq)
{
	return tq->vq->nfree >= MIN((unsigned)TX_WAKE, tq->vq->num / 2u);
}

/* 0; -ENOSPC; anything else: the packet cannot be sent at all. */
static int tx_one(struct vnet_txq *tq, struct pkt *p)
{
	unsigned n;

	if (tq->vq->nfree == 0)
		return -ENOSPC;
	n = build(tq, p);
	if (n == 0 || n > tq->vq->num)
		return -EINVAL;
	return vq_add(tq->vq, tq->seg, n, 0, p);
}

/* Returns how many have been taken; (notify): the device must be told. */
static unsigned tx_burst(
    struct vnet_txq *tq, struct pkt **pkts, unsigned n, bool *notify)
{
	unsigned i;
	int err;

	for (i = 0; i < n; i++) {
		err = tx_one(tq, pkts[i]);
		if (err == -ENOSPC)
			break;
		if (err) {
			tq->vn->nd.stats.tx_errors++;
			pkt_free(pkts[i]);
		}
	}
	*notify |= vq_publish(tq->vq);
	return i;
}

unsigned vnet_tx(
    struct net_dev *nd, unsigned queue, struct pkt **pkts, unsigned n)
{
	struct vnet *vn = nd->softc;
	struct vnet_txq *tq = vn->tx[queue];
	const char *fault;
	unsigned long flags;
	unsigned done = 0;
	bool notify = false;

	preempt_disable();
	flags = spin_lock_irqsave(&tq->lock);
	do {
		reclaim(tq);
		done += tx_burst(tq, pkts + done, n - done, &notify);
		tq->stopped = done < n;
	} while (!tq->vq->fault && vq_arm_late(tq->vq));
	fault = tq->vq->fault;
	spin_unlock_irqrestore(&tq->lock, flags);
	/* An exit to the hypervisor, which may send the packets before it
	 * comes back: tx_irq() on another cpu must not spin meanwhile. */
	if (notify)
		vn->vd->tr->notify(tq->vq);
	preempt_enable();
	if (fault)
		virtio_fail(vn->vd, fault);
	return done;
}

static void tx_irq(void *arg)
{
	struct vnet_txq *tq = arg;
	struct vnet *vn = tq->vn;
	unsigned long flags = spin_lock_irqsave(&tq->lock);
	const char *fault;
	bool wake;

	do
		reclaim(tq);
	while (!tq->vq->fault && vq_arm_late(tq->vq));
	wake = tq->stopped && has_room(tq);
	if (wake)
		tq->stopped = false;
	fault = tq->vq->fault;
	spin_unlock_irqrestore(&tq->lock, flags);
	if (wake && atomic_load(&vn->up))
		net_tx_space(&vn->nd, tq->index);
	if (fault)
		virtio_fail(vn->vd, fault);
}

/* --- creating ------------------------------------------------------------ */

int vnet_txq_create(struct vnet *vn, unsigned pair)
{
	struct vnet_txq *tq = kzalloc(sizeof(*tq));
	struct vq_config vc = {
		.num_max = VNET_NUM,
		.ind_num = VNET_TX_TABLES,
		.ind_size = VNET_TX_SEGS + 1,
		.cpu = pair,
		.fn = tx_irq,
		.arg = tq,
	};
	int err;

	if (!tq)
		return -ENOMEM;
	vn->tx[pair] = tq;
	tq->vn = vn;
	tq->index = pair;
	err = vq_create(vn->vd, 2 * pair + 1, &vc, &tq->vq);
	if (err)
		return err;
	tq->hdr = kmalloc_array(tq->vq->num, sizeof(*tq->hdr));
	return tq->hdr ? 0 : -ENOMEM;
}

void vnet_txq_drain(struct vnet_txq *tq)
{
	unsigned long flags;
	struct pkt *p;

	if (!tq || !tq->vq)
		return;
	flags = spin_lock_irqsave(&tq->lock);
	while ((p = vq_drain(tq->vq)) != NULL)
		pkt_free(p);
	spin_unlock_irqrestore(&tq->lock, flags);
}

void vnet_txq_free(struct vnet_txq *tq)
{
	if (tq)
		kfree(tq->hdr);
	kfree(tq);
}
