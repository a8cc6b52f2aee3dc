/*
 * Receiving.  VIRTIO 1.1, section 5.1.6.4.  The device writes its header and
 * the packet into pages of our own; a page is the stack's once it is taken
 * from the ring, except that a device that keeps writing is not kept from it
 * by anything: headers are copied before they are checked.
 */

#include "kern/clock.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/string.h"

#include "vnet_int.h"

#define REFILL_DELAY (10 * NSEC_PER_MSEC)

/* --- buffers ------------------------------------------------------------- */

/* The header goes into the headroom, so that the data lies at (data). */
static int post(struct vnet_rxq *rq, struct pkt *p)
{
	uint32_t hdr_len = rq->vn->hdr_len;
	uint8_t *start = p->data - hdr_len;
	struct vq_seg seg[2] = {
		{ start, (uint32_t)(p->head + p->cap - start) },
	};

	if (!rq->vn->split_hdr ||
	    virtio_has(rq->vn->vd, VIRTIO_NET_F_MRG_RXBUF))
		return vq_add(rq->vq, seg, 0, 1, p);
	seg[1] = (struct vq_seg){ p->data, seg[0].len - hdr_len };
	seg[0].len = hdr_len;
	return vq_add(rq->vq, seg, 0, 2, p);
}

static unsigned posted(const struct vnet_rxq *rq)
{
	return (uint16_t)(rq->vq->avail_idx - rq->vq->used_idx);
}

void vnet_rx_refill(struct vnet_rxq *rq)
{
	struct pkt *p;

	while (posted(rq) < rq->target) {
		p = pkt_alloc();
		if (!p)
			break;
		if (post(rq, p) != 0) {
			pkt_free(p);
			break;
		}
	}
	vq_kick(rq->vq);
	/* With too few for its next packet the device waits for more, and no
	 * interrupt comes that would fill the ring. */
	if (posted(rq) < rq->least && !rq->vq->fault)
		timer_set(&rq->refill, clock_mono() + REFILL_DELAY);
}

static void refill_timer(struct timer *t)
{
	struct vnet_rxq *rq = container_of(t, struct vnet_rxq, refill);

	if (atomic_load(&rq->vn->up))
		net_rx_ready(&rq->vn->nd, rq->index);
}

/* --- packets ------------------------------------------------------------- */

static bool set_gso(
    const struct vnet *vn, struct pkt *p, const struct virtio_net_hdr_v1 *h)
{
	unsigned type = h->gso_type & ~(unsigned)VIRTIO_NET_HDR_GSO_ECN;

	if (type == VIRTIO_NET_HDR_GSO_NONE)
		return true;
	if (type == VIRTIO_NET_HDR_GSO_TCPV4 &&
	    virtio_has(vn->vd, VIRTIO_NET_F_GUEST_TSO4))
		p->flags |= PKT_TSO4;
	else if (type == VIRTIO_NET_HDR_GSO_TCPV6 &&
		 virtio_has(vn->vd, VIRTIO_NET_F_GUEST_TSO6))
		p->flags |= PKT_TSO6;
	else
		return false;
	p->gso_size = h->gso_size;
	p->hdr_len = h->hdr_len;
	return p->gso_size != 0 && p->hdr_len <= p->totlen;
}

/* What the header says about a packet of which all lengths are known. */
static bool set_offload(
    const struct vnet *vn, struct pkt *p, const struct virtio_net_hdr_v1 *h)
{
	uint32_t end = (uint32_t)h->csum_start + h->csum_offset + 2u;

	if (!virtio_has(vn->vd, VIRTIO_NET_F_GUEST_CSUM))
		return h->gso_type == VIRTIO_NET_HDR_GSO_NONE;
	if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		if (end > p->totlen)
			return false;
		p->flags |= PKT_CSUM_PARTIAL;
		p->csum_start = h->csum_start;
		p->csum_offset = h->csum_offset;
	} else if (h->flags & VIRTIO_NET_HDR_F_DATA_VALID) {
		p->flags |= PKT_CSUM_VALID;
	}
	return set_gso(vn, p, h);
}

static void *rx_fault(struct vnet_rxq *rq, const char *why)
{
	if (!rq->vq->fault)
		rq->vq->fault = why;
	return NULL;
}

/* The first buffer of a packet: its header, and how many follow. */
static void rx_first(struct vnet_rxq *rq, struct pkt *p, uint32_t len)
{
	struct vnet *vn = rq->vn;

	memcpy(&rq->hdr, p->data - vn->hdr_len, vn->hdr_len);
	if (!virtio_has(vn->vd, VIRTIO_NET_F_MRG_RXBUF))
		rq->hdr.num_buffers = 1;
	if (rq->hdr.num_buffers == 0 || rq->hdr.num_buffers > VNET_RX_BUFFERS) {
		rx_fault(rq, "packet of too many buffers");
		pkt_free(p);
		return;
	}
	p->len = (uint16_t)(len - vn->hdr_len);
	p->totlen = p->len;
	p->nseg = 1;
	p->flags = 0;
	rq->cur = rq->cur_last = p;
	rq->need = rq->hdr.num_buffers - 1u;
	rq->drop = p->len < VNET_FRAME_MIN;
}

/* A further buffer: data from its first byte on. */
static void rx_more(struct vnet_rxq *rq, struct pkt *p, uint32_t len)
{
	struct pkt *first = rq->cur;

	p->data -= rq->vn->hdr_len;
	p->len = (uint16_t)len;
	rq->cur_last->seg_next = p;
	rq->cur_last = p;
	rq->need--;
	first->nseg++;
	first->totlen += len;
}

/* Takes (rq->cur), which is whole; NULL when it is not fit for use. */
static struct pkt *rx_finish(struct vnet_rxq *rq)
{
	struct pkt *p = rq->cur;

	rq->cur = NULL;
	if (!rq->drop && set_offload(rq->vn, p, &rq->hdr))
		return p;
	rq->vn->nd.stats.rx_errors++;
	pkt_free(p);
	return NULL;
}

/* One buffer from the ring; false when there is none. */
static bool rx_buffer(struct vnet_rxq *rq)
{
	uint32_t len, least = rq->cur ? 1 : rq->vn->hdr_len + 1;
	struct pkt *p = vq_take(rq->vq, &len);

	if (!p)
		return false;
	if (len < least) {
		rx_fault(rq, "receive buffer without data");
		pkt_free(p);
		return false;
	}
	if (rq->cur)
		rx_more(rq, p, len);
	else
		rx_first(rq, p, len);
	return rq->cur != NULL;
}

unsigned vnet_rx(
    struct net_dev *nd, unsigned queue, struct pkt **pkts, unsigned n)
{
	struct vnet *vn = nd->softc;
	struct vnet_rxq *rq = &vn->rx[queue];
	unsigned got = 0;

	vq_disarm(rq->vq);
	while (got < n && rx_buffer(rq)) {
		if (rq->need != 0)
			continue;
		pkts[got] = rx_finish(rq);
		if (pkts[got])
			got++;
	}
	vnet_rx_refill(rq);
	if (rq->vq->fault)
		virtio_fail(vn->vd, rq->vq->fault);
	return got;
}

bool vnet_rx_arm(struct net_dev *nd, unsigned queue)
{
	struct vnet *vn = nd->softc;
	struct virtq *vq = vn->rx[queue].vq;

	/* A broken ring has nothing more to poll for. */
	return vq_arm(vq) && !vq->fault;
}

static void rx_irq(void *arg)
{
	struct vnet_rxq *rq = arg;

	if (atomic_load(&rq->vn->up) && vq_pending(rq->vq))
		net_rx_ready(&rq->vn->nd, rq->index);
}

/* --- creating ------------------------------------------------------------ */

int vnet_rxq_create(struct vnet *vn, unsigned pair)
{
	struct vnet_rxq *rq = &vn->rx[pair];
	struct vq_config vc = {
		.num_max = VNET_NUM,
		.cpu = pair,
		.fn = rx_irq,
		.arg = rq,
	};
	int err;

	rq->vn = vn;
	rq->index = pair;
	timer_init(&rq->refill, refill_timer);
	err = vq_create(vn->vd, 2 * pair, &vc, &rq->vq);
	if (err)
		return err;
	rq->target = MIN(rq->vq->num, (unsigned)VNET_NUM);
	if (vn->split_hdr)
		rq->target /= 2;
	rq->least = MIN(rq->target, (unsigned)VNET_RX_BUFFERS);
	vq_disarm(rq->vq);
	return 0;
}

void vnet_rxq_drain(struct vnet_rxq *rq)
{
	struct pkt *p;

	if (!rq->vq)
		return;
	timer_cancel(&rq->refill);
	while ((p = vq_drain(rq->vq)) != NULL)
		pkt_free(p);
	if (rq->cur)
		pkt_free(rq->cur);
	rq->cur = NULL;
}
