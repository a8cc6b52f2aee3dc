#ifndef NETFRONT_INT_H
#define NETFRONT_INT_H

/* Between netfront.c (the device), netfront_queue.c (queues) and
 * netfront_xs.c (what is read from and written to the store). */

#include <stdbool.h>

#include "kern/lock.h"
#include "kern/net.h"
#include "kern/sched.h"
#include "xen/xenbus.h"
#include "netfront_ring.h"

#define NETFRONT_QUEUES_MAX 16u

struct netfront;

/* A pair of rings; belongs to cpu (index % cpu_count()). */
struct netqueue {
	struct netfront *nf;
	unsigned index;

	/* tx() runs in thread context, answers come in event context. */
	struct spinlock tx_lock;
	struct nftx tx;
	struct xenbus_ring tx_mem;

	/* The layer's poller is the only user. */
	struct nfrx rx;
	struct xenbus_ring rx_mem;
	struct gnttab_pool pool; /* rx's grants */
	struct timer refill;     /* when there was no memory */

	evtchn_port_t tx_port, rx_port; /* equal when they are not split */
};

/* What the two ends agreed on. */
struct netneg {
	unsigned nqueues;
	bool split;
	struct nf_feat feat;
};

struct netfront {
	struct xenbus_dev *xd;
	struct net_dev nd;
	struct netneg neg;
	unsigned rx_target;
	struct netqueue *queue;
	_Atomic bool up; /* between open() and stop() */
	_Atomic bool broken;
	struct work down; /* after the back end lied */
};

/* The back end lied: say so once, and have the link down for good.  Any
 * context. */
void netfront_broken(struct netfront *, const char *why);

/* --- netfront_queue.c ---------------------------------------------------- */

/* Thread context.  0 or -errno; destroy is fine on a half-made queue. */
int netqueue_create(struct netfront *, unsigned index);
void netqueue_destroy(struct netqueue *);
void netqueue_start(struct netqueue *);
/* No event comes once it has returned. */
void netqueue_stop(struct netqueue *);

unsigned netqueue_tx(
    struct net_dev *, unsigned queue, struct pkt **, unsigned n);
unsigned netqueue_rx(
    struct net_dev *, unsigned queue, struct pkt **, unsigned n);
bool netqueue_rx_arm(struct net_dev *, unsigned queue);

/* --- netfront_xs.c; thread context --------------------------------------- */

/* What the back end offers, cut down to what we want.  0; -EOPNOTSUPP when it
 * cannot copy to our pages. */
int netfront_negotiate(struct xenbus_dev *, struct netneg *);
/* Write our half: rings, ports, features.  0 or -errno. */
int netfront_publish(struct netfront *);
/* The card's address: 0; -EINVAL when it makes no sense. */
int netfront_read_mac(struct xenbus_dev *, uint8_t mac[6]);
uint16_t netfront_read_mtu(struct xenbus_dev *);
bool netfront_read_carrier(struct xenbus_dev *);

/* "00:16:3e:...": 0 or -EINVAL.  Pure. */
int netfront_parse_mac(const char *text, uint8_t mac[6]);

#endif /* NETFRONT_INT_H */
