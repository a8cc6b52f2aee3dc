#ifndef KERN_NET_H
#define KERN_NET_H

/*
 * Network devices and packets.  kernel/net/netdev.c, pkt.c; drivers:
 * netfront, virtio/vnet.c.  A driver never names the stack above.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "list.h"
#include "lock.h"

struct net_dev;

/*
 * A packet: a chain of segments, each a piece of one page of direct-map
 * memory.  (head) never moves; (data) may be pushed and pulled inside
 * [head, head + cap).
 */
struct pkt {
	uint8_t *head;
	uint8_t *data;
	uint16_t cap;
	uint16_t len;         /* this segment */
	uint16_t nseg;        /* first segment only: segments in the chain */
	uint16_t flags;       /* first segment only */
#define PKT_CSUM_VALID 0x0001 /* rx: L4 checksum known good, or not needed */
#define PKT_CSUM_PARTIAL \
	0x0002 /* tx: the device fills the L4 checksum; rx: it
                                 * was never filled, the data is good */
#define PKT_TSO4 0x0004
#define PKT_TSO6 0x0008
	uint32_t totlen;                  /* first segment only */
	uint16_t csum_start, csum_offset; /* from data; PKT_CSUM_PARTIAL */
	uint16_t gso_size, hdr_len;       /* PKT_TSO*: MSS, L2-L4 headers */
	struct pkt *seg_next;             /* next segment of this packet */
	struct pkt *next;                 /* owner's queue */
	void (*free)(struct pkt *); /* this segment; never NULL; any context */
	void *cookie;               /* free's */
	void *owner;                /* driver's while it has the packet */
};

struct net_info {
	uint8_t mac[6];
	uint16_t mtu;     /* without the Ethernet header */
	unsigned nqueues; /* rx/tx pairs; queue i belongs to cpu i % nqueues */
	uint16_t offload; /* tx: PKT_CSUM_PARTIAL, PKT_TSO4, PKT_TSO6 */
	uint16_t max_seg; /* tx: segments in one packet */
};

/* Thread context, preemption on or off; a queue's calls do not overlap (the
 * layer sees to it: rx by its poller, tx under the queue's lock). */
struct net_ops {
	int (*open)(struct net_dev *);
	void (*stop)(struct net_dev *); /* no callback after return */

	/*
	 * Take up to (n) packets.  Returns how many were taken; those belong
	 * to the driver, which frees them when they are out; the rest are
	 * still the caller's, and net_tx_space() comes when there is room.
	 * Notifies at most once.  Reclaims finished ones first.
	 */
	unsigned (*tx)(
	    struct net_dev *, unsigned queue, struct pkt **, unsigned n);

	/* Give up to (n) received packets; refill the ring.  Never sleeps. */
	unsigned (*rx)(
	    struct net_dev *, unsigned queue, struct pkt **, unsigned n);

	/*
	 * Ask for net_rx_ready() on the next packet.  Returns true if packets
	 * are there already, in which case no event will come: poll again.
	 */
	bool (*rx_arm)(struct net_dev *, unsigned queue);
};

struct net_stats {
	uint64_t rx_packets, rx_bytes, rx_errors, rx_dropped;
	uint64_t tx_packets, tx_bytes, tx_errors, tx_dropped;
};

struct netdev_state; /* kernel/net/netdev.c */

struct net_dev {
	char name[16]; /* set by net_dev_register(): "eth0" */
	const struct net_ops *ops;
	struct net_info info;
	struct net_stats stats; /* driver: errors, dropped; layer: the rest */
	void *softc;
	_Atomic bool link_up; /* set with net_link() */
	struct netdev_state *state;
	struct list link;
};

/* For drivers.  Thread context. */
int net_dev_register(struct net_dev *);
void net_dev_unregister(struct net_dev *); /* calls stop() */
void net_link(struct net_dev *, bool up);
void net_rx_ready(struct net_dev *, unsigned queue); /* event context */
void net_tx_space(struct net_dev *, unsigned queue); /* event context */

/* One page with (PKT_HEADROOM) bytes of headroom, len 0.  Any context; NULL
 * when there is none. */
#define PKT_HEADROOM 128
struct pkt *pkt_alloc(void);
/* A header only, for memory of somebody else's: set head, cap, free, cookie. */
struct pkt *pkt_alloc_ext(void);
void pkt_free(struct pkt *); /* the whole chain */
void pkt_free_seg(
    struct pkt *); /* the struct pkt of pkt_alloc_ext(), for free() */

/* Boot, before any device: the stack and its loopback.  lwip_port.c */
void net_init(void);

/*
 * Boot, before the program and after the root is mounted: wait until devices
 * have the addresses they were promised (DHCP; a few seconds at most), and
 * write /etc/resolv.conf.  ifconfig.c
 */
void net_wait_ready(void);

/*
 * The machine is about to stop: wait until no connection has anything left
 * that the other end has not acknowledged, its end included, but no longer
 * than (max_ns).  Thread context.  net_drain.c
 */
void net_drain(uint64_t max_ns);

#endif /* KERN_NET_H */
