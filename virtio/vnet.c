/* The virtio network device: attaching, the control queue, the link.
 * VIRTIO 1.1, section 5.1. */

#include "kern/clock.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/percpu.h"
#include "kern/rand.h"
#include "kern/string.h"

#include "vnet_int.h"

#define CTRL_TIMEOUT NSEC_PER_SEC
#define CTRL_POLL    (50 * NSEC_PER_USEC)

#define MTU_DEFAULT  1500
#define MTU_MIN      68
#define MTU_PAGE     (PAGE_SIZE - PKT_HEADROOM - 18)

#define CONFIG_GET(vd, field, out)                                            \
	virtio_config_get(vd, offsetof(struct virtio_net_config, field), out, \
	    sizeof(*(out)))

/* --- configuration ------------------------------------------------------- */

static int read_mac(struct vnet *vn)
{
	uint8_t *mac = vn->nd.info.mac;

	if (virtio_has(vn->vd, VIRTIO_NET_F_MAC))
		return virtio_config_get(vn->vd, 0, mac, 6);
	rand_bytes(mac, 6);
	mac[0] = (uint8_t)((mac[0] & ~1) | 2); /* one's own, not a group's */
	return 0;
}

static int read_mtu(struct vnet *vn)
{
	bool mrg = virtio_has(vn->vd, VIRTIO_NET_F_MRG_RXBUF);
	uint16_t mtu = MTU_DEFAULT;

	if (virtio_has(vn->vd, VIRTIO_NET_F_MTU) &&
	    CONFIG_GET(vn->vd, mtu, &mtu) != 0)
		return -EIO;
	if (mtu < MTU_MIN)
		return -EINVAL;
	vn->nd.info.mtu = mrg ? mtu : (uint16_t)MIN(mtu, MTU_PAGE);
	return 0;
}

static int read_pairs(struct vnet *vn)
{
	uint16_t n = 1;

	if (virtio_has(vn->vd, VIRTIO_NET_F_MQ) &&
	    virtio_has(vn->vd, VIRTIO_NET_F_CTRL_VQ) &&
	    CONFIG_GET(vn->vd, max_virtqueue_pairs, &n) != 0)
		return -EIO;
	if (n < VIRTIO_NET_CTRL_MQ_VQ_PAIRS_MIN)
		return -EINVAL;
	if (n > VNET_MAX_PAIRS) /* the control queue lies behind them all */
		n = 1;
	vn->max_pairs = n;
	vn->npairs = MIN(MIN((unsigned)n, cpu_count()), (unsigned)VNET_PAIRS);
	return 0;
}

static void read_offload(struct vnet *vn)
{
	struct net_info *info = &vn->nd.info;

	if (!virtio_has(vn->vd, VIRTIO_NET_F_CSUM))
		return;
	info->offload = PKT_CSUM_PARTIAL;
	if (virtio_has(vn->vd, VIRTIO_NET_F_HOST_TSO4))
		info->offload |= PKT_TSO4;
	if (virtio_has(vn->vd, VIRTIO_NET_F_HOST_TSO6))
		info->offload |= PKT_TSO6;
}

static int read_config(struct vnet *vn)
{
	bool mrg = virtio_has(vn->vd, VIRTIO_NET_F_MRG_RXBUF);
	int err;

	vn->hdr_len = vn->vd->modern || mrg ? sizeof(struct virtio_net_hdr_v1)
					    : sizeof(struct virtio_net_hdr);
	vn->split_hdr =
	    !vn->vd->modern && !virtio_has(vn->vd, VIRTIO_F_ANY_LAYOUT);
	read_offload(vn);
	err = read_mac(vn);
	if (!err)
		err = read_mtu(vn);
	return err ? err : read_pairs(vn);
}

static void link_work(struct work *w)
{
	struct vnet *vn = container_of(w, struct vnet, link_work);
	uint16_t status = VIRTIO_NET_S_LINK_UP;

	if (virtio_has(vn->vd, VIRTIO_NET_F_STATUS) &&
	    CONFIG_GET(vn->vd, status, &status) != 0)
		return;
	net_link(&vn->nd, status & VIRTIO_NET_S_LINK_UP);
}

static void vnet_config_changed(struct virtio_dev *vd)
{
	struct vnet *vn = vd->dev.softc;

	work_queue(&vn->link_work);
}

/* --- the control queue --------------------------------------------------- */

/* Thread context, at attach: there is nothing else in the queue. */
static int set_pairs(struct vnet *vn)
{
	struct vq_seg seg[3] = {
		{ &vn->ctrl_cmd.hdr, sizeof(vn->ctrl_cmd.hdr) },
		{ &vn->ctrl_cmd.mq, sizeof(vn->ctrl_cmd.mq) },
		{ &vn->ctrl_cmd.ack, sizeof(vn->ctrl_cmd.ack) },
	};
	uint64_t limit = clock_mono() + CTRL_TIMEOUT;
	uint32_t len;

	vn->ctrl_cmd.hdr.class = VIRTIO_NET_CTRL_MQ;
	vn->ctrl_cmd.hdr.cmd = VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET;
	vn->ctrl_cmd.mq.virtqueue_pairs = (uint16_t)vn->npairs;
	vn->ctrl_cmd.ack = VIRTIO_NET_ERR;
	if (vq_add(vn->ctrl, seg, 2, 1, vn) != 0)
		return -EIO;
	vq_kick(vn->ctrl);
	while (!vq_take(vn->ctrl, &len)) {
		if (vn->ctrl->fault || clock_mono() > limit)
			return -EIO;
		thread_sleep_until(clock_mono() + CTRL_POLL, 0);
	}
	return READ_ONCE(vn->ctrl_cmd.ack) == VIRTIO_NET_OK ? 0 : -EIO;
}

/* --- open and stop ------------------------------------------------------- */

static int vnet_open(struct net_dev *nd)
{
	struct vnet *vn = nd->softc;

	if (atomic_load(&vn->vd->broken))
		return -EIO;
	atomic_store(&vn->up, true);
	for (unsigned i = 0; i < vn->npairs; i++)
		vnet_rx_refill(&vn->rx[i]);
	return 0;
}

/* For good: the device is reset, which is the only way to have the buffers
 * back that it holds. */
static void vnet_stop(struct net_dev *nd)
{
	struct vnet *vn = nd->softc;

	atomic_store(&vn->up, false);
	atomic_store(&vn->vd->broken, true);
	virtio_stop(vn->vd);
	for (unsigned i = 0; i < vn->npairs; i++) {
		vnet_rxq_drain(&vn->rx[i]);
		vnet_txq_drain(vn->tx[i]);
	}
}

static const struct net_ops vnet_ops = {
	.open = vnet_open,
	.stop = vnet_stop,
	.tx = vnet_tx,
	.rx = vnet_rx,
	.rx_arm = vnet_rx_arm,
};

/* --- attaching ----------------------------------------------------------- */

static int negotiate(struct vnet *vn)
{
	uint64_t wanted =
	    VIRTIO_BIT(VIRTIO_NET_F_CSUM) |
	    VIRTIO_BIT(VIRTIO_NET_F_GUEST_CSUM) | VIRTIO_BIT(VIRTIO_NET_F_MTU) |
	    VIRTIO_BIT(VIRTIO_NET_F_MAC) | VIRTIO_BIT(VIRTIO_NET_F_HOST_TSO4) |
	    VIRTIO_BIT(VIRTIO_NET_F_HOST_TSO6) |
	    VIRTIO_BIT(VIRTIO_NET_F_MRG_RXBUF) |
	    VIRTIO_BIT(VIRTIO_NET_F_STATUS) | VIRTIO_BIT(VIRTIO_NET_F_CTRL_VQ) |
	    VIRTIO_BIT(VIRTIO_NET_F_MQ);
	uint64_t offered = vn->vd->tr->features(vn->vd);

	/* Large packets come in many buffers or not at all. */
	if (offered & VIRTIO_BIT(VIRTIO_NET_F_MRG_RXBUF))
		wanted |= VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO4) |
			  VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO6);
	return virtio_negotiate(vn->vd, wanted);
}

static int queues_create(struct vnet *vn)
{
	bool mq = vn->npairs > 1;
	struct vq_config vc = { .num_max = 4 };
	int err = virtio_queues(vn->vd, mq ? 2 * vn->max_pairs + 1 : 2);

	for (unsigned i = 0; !err && i < vn->npairs; i++) {
		err = vnet_rxq_create(vn, i);
		if (!err)
			err = vnet_txq_create(vn, i);
	}
	if (!err && mq)
		err = vq_create(vn->vd, 2 * vn->max_pairs, &vc, &vn->ctrl);
	return err;
}

/* Fewer descriptors than the layer may use: say so. */
static void set_info(struct vnet *vn)
{
	const struct virtq *vq = vn->tx[0]->vq;
	unsigned most = vq->ind_num ? vq->ind_size : vq->num / 4u;

	vn->nd.info.max_seg = (uint16_t)(MIN(most, VNET_TX_SEGS + 1u) - 1);
	vn->nd.info.nqueues = vn->npairs;
}

static int vnet_start(struct vnet *vn)
{
	int err = read_config(vn);

	if (!err)
		err = queues_create(vn);
	if (err)
		return err;
	virtio_ready(vn->vd);
	if (vn->ctrl && set_pairs(vn) != 0) {
		log_warn("%s: refuses %u queues", vn->vd->name, vn->npairs);
		vn->npairs = 1;
	}
	set_info(vn);
	return net_dev_register(&vn->nd);
}

static void vnet_free(struct vnet *vn)
{
	virtio_stop(vn->vd);
	for (unsigned i = 0; i < VNET_PAIRS; i++) {
		vnet_rxq_drain(&vn->rx[i]);
		vnet_txq_drain(vn->tx[i]);
		vnet_txq_free(vn->tx[i]);
	}
	virtio_queues_free(vn->vd);
}

static int vnet_attach(struct device *dev)
{
	struct vnet *vn = dev->softc;
	int err;

	vn->vd = dev->bus_dev;
	vn->nd.ops = &vnet_ops;
	vn->nd.softc = vn;
	work_init(&vn->link_work, link_work);
	err = negotiate(vn);
	if (err)
		return err;
	err = vnet_start(vn);
	if (err) {
		vnet_free(vn);
		return err;
	}
	vn->vd->config_changed = vnet_config_changed;
	work_queue(&vn->link_work);
	log_info("%s: %s, %u queues, mtu %u", vn->vd->name, vn->nd.name,
	    vn->npairs, vn->nd.info.mtu);
	return 0;
}

static void vnet_detach(struct device *dev)
{
	struct vnet *vn = dev->softc;

	vn->vd->config_changed = NULL;
	net_dev_unregister(&vn->nd);
	work_flush();
	vnet_free(vn);
}

static const struct driver vnet_driver = {
	.name = "vnet",
	.bus = "virtio",
	.type = "net",
	.softc_size = sizeof(struct vnet),
	.attach = vnet_attach,
	.detach = vnet_detach,
};
DRIVER(vnet_driver);
