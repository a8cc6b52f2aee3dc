#ifndef VIRTIO_VIRTIO_H
#define VIRTIO_VIRTIO_H

/*
 * What a virtio driver sees: the device, its configuration, its queues.
 * Source: Virtual I/O Device (VIRTIO) 1.1; "legacy" is its 0.9.5 interface.
 * virtio.c; the transports are pci_modern.c, pci_legacy.c and mmio.c.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "kern/compiler.h"
#include "kern/driver.h"
#include "kern/sched.h"

struct virtio_dev;
struct virtq;

#define VIRTIO_BIT(n) (1ull << (n))

/* The machine's way to the device.  Any context unless it says otherwise. */
struct virtio_transport {
	uint8_t (*status)(struct virtio_dev *);
	void (*set_status)(struct virtio_dev *, uint8_t);
	uint64_t (*features)(struct virtio_dev *);
	void (*set_features)(struct virtio_dev *, uint64_t);

	/* [off, off + len) has been checked against config_len. */
	void (*config_read)(
	    struct virtio_dev *, size_t off, void *, size_t len);
	uint32_t (*config_generation)(struct virtio_dev *);
	void (*config_write)(
	    struct virtio_dev *, size_t off, const void *, size_t len);

	/* Thread context.  Interrupts for (nvq) queues and the configuration;
	 * 0 or -errno. */
	int (*irq_setup)(struct virtio_dev *, unsigned nvq);
	/* Thread context.  No handler runs once it has returned. */
	void (*irq_teardown)(struct virtio_dev *);

	/* Thread context.  Entries of queue (index), 0 when there is none;
	 * (*fixed): the driver must take that many. */
	unsigned (*vq_max)(struct virtio_dev *, unsigned index, bool *fixed);
	/* Thread context.  Tell the device where the ring is; 0 or -errno. */
	int (*vq_start)(struct virtio_dev *, struct virtq *, unsigned cpu);
	void (*notify)(struct virtq *);
	/* Thread context; the device is nobody's and will not be seen again. */
	void (*release)(struct virtio_dev *);
};

struct virtio_dev {
	struct device dev; /* for kern/driver.h; bus_dev is this */

	/* The transport's. */
	const struct virtio_transport *tr;
	char name[16];
	uint32_t id; /* VIRTIO_ID_* */
	bool modern; /* not the legacy interface */
	size_t config_len;

	/* virtio.c's. */
	uint64_t features; /* negotiated */
	struct virtq **vq;
	unsigned nvq;
	_Atomic bool broken;
	struct mutex attaching;
	struct work fail_work;

	/* The driver's; NULL: not interested.  Event context.  Atomic, as a
	 * driver that detaches clears it at any time. */
	void (*_Atomic config_changed)(struct virtio_dev *);
};

/* For transports.  Thread context.  0, or -errno and the device is the
 * caller's to free (-ENODEV: no driver wants it). */
int virtio_add(struct virtio_dev *, uint32_t id);
void virtio_config_irq(struct virtio_dev *); /* event context */
void virtio_queues_irq(struct virtio_dev *); /* every queue; event context */

/* --- for drivers ------------------------------------------------------- */

static inline bool virtio_has(const struct virtio_dev *vd, unsigned bit)
{
	return vd->features >> bit & 1;
}

/*
 * Reset the device and agree on the features of (wanted) that it offers.
 * Thread context.  0, -EIO when the device refuses.
 */
int virtio_negotiate(struct virtio_dev *, uint64_t wanted);

/*
 * A consistent copy of a part of the configuration.  0, -ERANGE when it is
 * not all there, -EIO when it does not stop changing.  Any context.
 */
int virtio_config_get(struct virtio_dev *, size_t off, void *, size_t len);

/* Write a field that the driver may write: 0 or -ERANGE.  Any context. */
int virtio_config_set(
    struct virtio_dev *, size_t off, const void *, size_t len);

/* Room and interrupts for (nvq) queues, before the first vq_create().
 * Thread context. */
int virtio_queues(struct virtio_dev *, unsigned nvq);
/* The device may begin.  Thread context. */
void virtio_ready(struct virtio_dev *);

/*
 * Take the device back: it is reset, so that it touches no memory of ours,
 * and no handler runs any more.  Then vq_drain() gives what was in flight.
 * Harmless if nothing was set up.  Thread context.
 */
void virtio_stop(struct virtio_dev *);
/* Destroys all queues; after virtio_stop().  Thread context. */
void virtio_queues_free(struct virtio_dev *);

/*
 * The device lied or asks for a reset: say why, tell it, and have the driver
 * detached in thread context.  Any context.
 */
void virtio_fail(struct virtio_dev *, const char *why);

/* --- queues: vring.c, and vq_create(), vq_kick() in virtio.c ------------ */

/* A piece of direct-map or kernel memory, physically contiguous. */
struct vq_seg {
	void *va;
	uint32_t len;
};

struct vq_slot {
	void *cookie;    /* NULL: not in flight */
	uint32_t in_len; /* bytes that the device may write */
	uint16_t ndesc;
	uint16_t ind;  /* indirect table, or VQ_NO_IND */
	uint16_t next; /* the chain; the device cannot write here */
};

#define VQ_NO_IND  0xffff
#define VQ_NUM_MAX 32768u

/*
 * A split ring.  Not locked: one caller at a time for add, kick, take, arm
 * and drain together.
 */
struct virtq {
	struct vring ring;
	uint16_t num, nfree, free_head;
	uint16_t avail_idx; /* next to fill */
	uint16_t shown_idx; /* what the device has been told */
	uint16_t used_idx;  /* next to take */
	uint16_t inflight;  /* chains that the device has */
	bool event_idx, armed;
	const char *fault; /* why the ring is not used any more */
	struct vq_slot *slot;
	struct vring_desc *ind; /* ind_num tables of ind_size descriptors */
	uint16_t *ind_next;
	uint16_t ind_num, ind_size, ind_head;
	unsigned ring_order, ind_order;

	/* virtio.c's */
	struct virtio_dev *vd;
	unsigned index;
	void (*fn)(void *); /* event context */
	void *arg;
	volatile uint16_t *doorbell; /* the transport's */
};

struct vq_config {
	unsigned num_max;  /* entries wanted at most */
	unsigned ind_num;  /* indirect tables; 0: none */
	unsigned ind_size; /* descriptors in each */
	unsigned cpu;      /* where the interrupt should go */
	void (*fn)(void *);
	void *arg;
};

/* Queue (index) of a negotiated device.  Thread context.  0, -ENOENT when
 * there is no such queue, -ENOMEM, -EIO. */
int vq_create(struct virtio_dev *, unsigned index, const struct vq_config *,
    struct virtq **);

/*
 * Put (nout) pieces that the device reads and (nin) that it writes on the
 * ring; the device sees them after vq_kick().  (cookie) is not NULL.
 * 0; -ENOSPC when the ring is full; -EIO when the device is broken.
 */
int vq_add(struct virtq *, const struct vq_seg *, unsigned nout, unsigned nin,
    void *cookie);
/* Which slot the next vq_add() will take: an index for state of the caller's
 * that lives as long as the request.  Valid when nfree is not 0. */
static inline unsigned vq_next_slot(const struct virtq *vq)
{
	return vq->free_head;
}

/* Show the device what was added; notify it if it wants that. */
void vq_kick(struct virtq *);
/* The same without the notification: true if one is needed. */
bool vq_publish(struct virtq *);

/* A finished request's cookie and the bytes written, else NULL. */
void *vq_take(struct virtq *, uint32_t *len);
/* Ask for an interrupt.  True when there is something to take already. */
bool vq_arm(struct virtq *);
/* The same, but only when most of what is in flight has finished. */
bool vq_arm_late(struct virtq *);
void vq_disarm(struct virtq *);
bool vq_pending(const struct virtq *); /* something to take, or a fault */
/* After the device was reset: the cookies of what was in flight. */
void *vq_drain(struct virtq *);

/* vring.c, for virtio.c and the tests: 0 or -ENOMEM; -EINVAL: (num). */
int vq_init(struct virtq *, unsigned num, bool event_idx, unsigned ind_num,
    unsigned ind_size);
void vq_fini(struct virtq *);

#endif /* VIRTIO_VIRTIO_H */
