#ifndef KERN_BLK_H
#define KERN_BLK_H

/* Disks.  kernel/dev/blk.c; drivers: blkfront, virtio/vblk.c */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "list.h"
#include "lock.h"

struct blk_dev;

enum blk_op { BLK_READ, BLK_WRITE, BLK_FLUSH, BLK_DISCARD };

/* A piece of direct-map memory inside one page. */
struct blk_seg {
	void *va;
	uint32_t len; /* a multiple of 512 */
};

/*
 * One request.  The caller owns it before blk_submit() and from done() on;
 * the driver owns it in between.
 */
struct blk_req {
	enum blk_op op;
	uint64_t sector;   /* in 512-byte units, whatever the device */
	uint64_t nsectors; /* for BLK_DISCARD; else the sum of seg */
	struct blk_seg *seg;
	unsigned nseg;
	int status;                     /* 0 or -errno; valid in done() */
	void (*done)(struct blk_req *); /* event context */
	void *cookie;                   /* caller's */
	void *drv;                      /* driver's while it owns it */
	struct list link;               /* owner's */
};

struct blk_info {
	uint64_t nsectors;    /* 512-byte units */
	uint32_t sector_size; /* smallest write; 512 or 4096 */
	uint32_t max_seg;     /* segments in one request */
	unsigned nqueues;     /* queue i belongs to cpu i % nqueues */
	bool readonly;
	bool can_flush;
	bool can_discard;
};

/* All with preemption off on any cpu: never sleep. */
struct blk_ops {
	/*
	 * Put (req) on ring (queue); does not notify.  Returns 0, or -EAGAIN
	 * when the ring is full: the request is still the caller's, and
	 * blk_dev_space() will be called when there is room again; or -EIO
	 * when the device is broken or gone.
	 */
	int (*submit)(struct blk_dev *, unsigned queue, struct blk_req *);

	/* Tell the other side, once, about everything submitted so far. */
	void (*kick)(struct blk_dev *, unsigned queue);
};

struct blk_dev {
	char name[16]; /* "vda", "xvda" */
	const struct blk_ops *ops;
	struct blk_info info;
	void *softc;

	/* kernel/dev/blk.c's */
	struct list link;
	unsigned minor; /* of its node in /dev; never used again */
	struct spinlock lock;
	struct list waiting; /* requests that found the ring full */
	unsigned users, inflight;
	bool gone;
};

/* For drivers.  Thread context. */
int blk_dev_register(struct blk_dev *);
/* New requests fail with -EIO from now on; returns when the last user has
 * gone and every request is done. */
void blk_dev_unregister(struct blk_dev *);
/* There is room again.  Any context. */
void blk_dev_space(struct blk_dev *, unsigned queue);
/* The size or read-only state may have changed.  -EINVAL: it makes no sense;
 * then nothing has changed. */
int blk_dev_changed(struct blk_dev *, uint64_t nsectors, bool readonly);
/* For each finished request: event context. */
void blk_done(struct blk_dev *, struct blk_req *, int status);

/* /dev's: called in thread context when a disk has come or is about to go. */
extern void (*blk_dev_event)(struct blk_dev *, bool added);

/* For file systems and /dev.  Thread context. */
struct blk_dev *blk_dev_get(const char *name); /* with a use count */
void blk_dev_put(struct blk_dev *);
struct blk_dev *blk_dev_nth(unsigned n); /* likewise; NULL past the end */
/* Checks bounds, alignment and read-only; -EIO, -EROFS, -EINVAL at once, else
 * done() is called. */
int blk_submit(struct blk_dev *, struct blk_req *);
/* Any length and kernel address; bounce-free for direct-map memory. */
int blk_rw(struct blk_dev *, enum blk_op, uint64_t sector, void *, size_t len);
/* (n) pages of the direct map, one after the other on the disk. */
int blk_rw_pages(
    struct blk_dev *, enum blk_op, uint64_t sector, void **pages, unsigned n);
int blk_flush(struct blk_dev *);

#endif /* KERN_BLK_H */
