#ifndef BLKFRONT_INT_H
#define BLKFRONT_INT_H

/* Between blkfront.c (queues, requests, states) and blkfront_xs.c (what is
 * read from and written to the store). */

#include <stdbool.h>

#include "kern/blk.h"
#include "kern/lock.h"
#include "xen/xenbus.h"
#include "blkfront_ring.h"

#define BLKFRONT_QUEUES_MAX 8u
#define BLKFRONT_RING_ORDER 2u /* wanted at most: 128 requests */

struct blkfront;

/* A ring with its event channel; belongs to cpu (index % cpu_count()). */
struct blkqueue {
	struct blkfront *bf;
	unsigned index;
	/* Requests finish in event context: protects ring. */
	struct spinlock lock;
	struct blkring ring;
	struct xenbus_ring mem;
	evtchn_port_t port;
};

/* What the two ends agreed on. */
struct blkneg {
	unsigned nqueues, ring_order;
	struct blkfeat feat;
};

struct blkfront {
	struct xenbus_dev *xd;
	struct blk_dev bd;
	struct blkneg neg;
	uint32_t max_pages; /* of data, for each queue */
	struct blkqueue *queue;
	bool registered, closing;
};

/* --- blkfront_xs.c; thread context -------------------------------------- */

/* What the back end offers, cut down to what we want.  Before InitWait there
 * is nothing to read. */
void blkfront_negotiate(struct xenbus_dev *, struct blkneg *);

/* Write our half: rings, ports, features.  0 or -errno. */
int blkfront_publish(struct blkfront *);

/* What the connected back end says of the disk.  0; -EINVAL when it makes no
 * sense. */
int blkfront_read_info(struct xenbus_dev *, struct blk_info *);

/* "xvda", "xvdb3": the name of virtual device (number). */
void blkfront_name(uint32_t number, char *name, size_t size);

#endif /* BLKFRONT_INT_H */
