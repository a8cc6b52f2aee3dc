#ifndef VIRTIO_VNET_INT_H
#define VIRTIO_VNET_INT_H

/* The virtio network device.  vnet.c: attaching; vnet_rx.c, vnet_tx.c. */

#include <linux/virtio_net.h>

#include "kern/lock.h"
#include "kern/net.h"
#include "kern/sched.h"
#include "virtio/virtio.h"

#define VNET_NUM        256
#define VNET_PAIRS      16
#define VNET_MAX_PAIRS  256 /* of the device's */
#define VNET_TX_SEGS    48  /* 64 KiB of small pieces */
#define VNET_TX_TABLES  64
#define VNET_RX_BUFFERS 20 /* in one packet: 64 KiB of pages and some */
#define VNET_FRAME_MIN  14 /* an Ethernet header */

struct vnet;

struct vnet_rxq {
	struct vnet *vn;
	struct virtq *vq;
	unsigned index, target; /* buffers to keep on the ring */
	unsigned least;         /* ... and to have for the largest packet */
	struct pkt *cur;        /* a packet of which (need) buffers lack */
	struct pkt *cur_last;
	struct virtio_net_hdr_v1 hdr; /* its header */
	unsigned need;
	bool drop;           /* ... and that will be dropped */
	struct timer refill; /* when there was no memory */
};

struct vnet_txq {
	/* tx() runs in thread context and reclaiming in an interrupt too. */
	struct spinlock lock;
	struct vnet *vn;
	struct virtq *vq;
	unsigned index;
	bool stopped;                  /* tx() found the ring full */
	struct virtio_net_hdr_v1 *hdr; /* by slot: for packets without room */
	struct vq_seg seg[VNET_TX_SEGS + 1]; /* scratch */
};

struct vnet {
	struct virtio_dev *vd;
	struct net_dev nd;
	unsigned npairs, max_pairs;
	uint32_t hdr_len;
	bool split_hdr; /* the header needs a descriptor of its own */
	_Atomic bool up;
	struct vnet_rxq rx[VNET_PAIRS];
	struct vnet_txq *tx[VNET_PAIRS];
	struct virtq *ctrl;
	struct {
		struct virtio_net_ctrl_hdr hdr;
		struct virtio_net_ctrl_mq mq;
		uint8_t ack;
	} ctrl_cmd;
	struct work link_work;
};

/* vnet_rx.c */
int vnet_rxq_create(struct vnet *, unsigned pair);
void vnet_rxq_drain(struct vnet_rxq *); /* after virtio_stop() */
void vnet_rx_refill(struct vnet_rxq *);
unsigned vnet_rx(struct net_dev *, unsigned queue, struct pkt **, unsigned n);
bool vnet_rx_arm(struct net_dev *, unsigned queue);

/* vnet_tx.c */
int vnet_txq_create(struct vnet *, unsigned pair);
void vnet_txq_drain(struct vnet_txq *); /* after virtio_stop() */
void vnet_txq_free(struct vnet_txq *);
unsigned vnet_tx(struct net_dev *, unsigned queue, struct pkt **, unsigned n);

#endif /* VIRTIO_VNET_INT_H */
