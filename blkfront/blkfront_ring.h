#ifndef BLKFRONT_RING_H
#define BLKFRONT_RING_H

/*
 * One request ring of a disk: requests in flight, the pages that carry their
 * data, and what the back end answers.  Pure: no hypercalls, no locks; the
 * queue's lock protects it.  Source: xen/include/public/io/blkif.h
 * blkfront_ring.c
 *
 * Data goes through pages of the ring's own, granted once and for as long as
 * the ring lives (persistent grants): the back end sees no memory but those
 * pages, never has to map or unmap one in a hurry, and a back end that keeps
 * them can read no more than this disk's traffic.
 */

#include <stdbool.h>
#include <stdint.h>

#include "kern/blk.h"
#include "kern/list.h"
#include "kern/mm.h"
#include "xen/xring.h"
#include <xen/io/blkif.h>

#define BLKRING_SEGS_MAX  64u /* pages of data in one request */
#define BLKRING_SLOTS_MAX 512u

/* A granted page. */
struct blkpage {
	void *va;
	grant_ref_t ref;
	uint32_t next; /* index; BLKPAGE_NONE: the last */
};
#define BLKPAGE_NONE UINT32_MAX

/* What the back end can do. */
struct blkfeat {
	uint32_t max_segs; /* 1 to BLKRING_SEGS_MAX */
	bool indirect;     /* else 11 segments at most */
	bool flush, barrier, discard;
};

/* A request in flight; its index is the id that the back end sees. */
struct blkslot {
	struct blk_req *req; /* NULL: the id is free */
	uint32_t pages;      /* a list of blkpages: data first */
	uint8_t op;          /* BLKIF_OP_*, as the response must say */
	uint16_t next_free;
};

struct blkring {
	struct xring ring;
	struct blkfeat feat;
	uint16_t handle; /* the virtual device's number */

	struct blkslot *slot; /* as many as the ring has */
	uint16_t free_slot;   /* BLKSLOT_NONE: all in flight */
	unsigned inflight;

	struct blkpage *page;
	uint32_t npages, max_pages;
	uint32_t free_page, nfree;
	/* A new granted page: 0 or -errno.  Any context. */
	int (*page_new)(void *arg, struct blkpage *);
	void *page_arg;

	const char *broken; /* why; NULL: it works */
	bool starved;       /* a submit found no room */
};
#define BLKSLOT_NONE UINT16_MAX

/* (mem, bytes): the zeroed shared pages.  0 or -ENOMEM, nothing left then. */
int blkring_init(struct blkring *, void *mem, uint32_t bytes,
    uint32_t max_pages, const struct blkfeat *);
/* Pages enough for one request of the largest size, which then never has to
 * wait for memory: 0 or -ENOMEM.  page_new is set. */
int blkring_reserve(struct blkring *);
/* Frees the books; the granted pages are the caller's to revoke before it
 * (page[0..npages)).  Fine on a zeroed one. */
void blkring_destroy(struct blkring *);

/* 0; -EAGAIN: no room now; -EIO: broken; -EOPNOTSUPP, -EINVAL: never. */
int blkring_submit(struct blkring *, struct blk_req *);

/* Show what was submitted.  True: notify. */
bool blkring_publish(struct blkring *);

/*
 * Take the responses that are there.  Finished requests go on (done), by their
 * link, with their status.  After a lie of the back end the ring is broken,
 * and all that is in flight is on (done) with -EIO.
 */
void blkring_reap(struct blkring *, struct list *done);

/* Ask for an event on the next response; true: there are some already. */
bool blkring_arm(struct blkring *);

/* Everything in flight goes on (done) with -EIO; later submits fail. */
void blkring_break(struct blkring *, const char *why, struct list *done);

#endif /* BLKFRONT_RING_H */
