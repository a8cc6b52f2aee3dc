#ifndef XEN_XENBUS_H
#define XEN_XENBUS_H

/*
 * Split devices: what the host keeps under device/TYPE/ID in the store, and
 * the dance of states with the back end.
 * Source: xen/include/public/io/xenbus.h.  xen/xenbus.c
 *
 * Each device has a thread of its own: attach(), detach() and peer_changed()
 * run there, never at once, and may sleep.  The back end may jump to any
 * state at any moment, or go.
 */

#include <stdbool.h>
#include <stdint.h>

#include "kern/driver.h"
#include "xen/evtchn.h"
#include "xen/gnttab.h"
#include "xen/xenstore.h"
#include <xen/io/xenbus.h>

#define XENBUS_NODE_MAX 128

struct xenbus_dev {
	struct device dev; /* dev.type: "vif"; bus_dev: this */
	char type[16];
	char name[32];                 /* "vif0" */
	char node[XENBUS_NODE_MAX];    /* "device/vif/0" */
	char backend[XENBUS_NODE_MAX]; /* "/local/domain/0/backend/vif/3/0" */
	uint32_t id;                   /* 0; 51712 */
	domid_t peer;
	enum xenbus_state state;     /* ours, as written last */
	_Atomic uint32_t peer_state; /* enum xenbus_state, checked */

	/*
	 * Set by attach() if wanted: the back end has written its state,
	 * perhaps the same again (a resize).  May come without need; not while
	 * attach() or detach() runs.
	 */
	void (*peer_changed)(struct xenbus_dev *, enum xenbus_state);

	struct xenbus_priv *priv; /* xenbus.c */
};

static inline struct xenbus_dev *xenbus_dev_of(struct device *d)
{
	return d->bus_dev;
}

/* Write our state.  0 or -errno. */
int xenbus_set_state(struct xenbus_dev *, enum xenbus_state);

/*
 * Sleep until the back end is in one of the states of (mask), a sum of
 * XENBUS_IN().  0; -ENODEV when the device is going away, or the back end
 * closed and that was not asked for; -ETIMEDOUT after (ms) milliseconds.
 */
#define XENBUS_IN(s) (1u << (s))
int xenbus_wait_peer(struct xenbus_dev *, unsigned mask, unsigned ms);

/* Log, write to error/NODE/error, and go to Closing: attach() failed. */
void xenbus_fail(struct xenbus_dev *, int err, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* Values in the back end's directory: never trusted, see xs_read_u32(). */
uint32_t xenbus_peer_u32(struct xenbus_dev *, const char *node, uint32_t dflt);

/* A port that the back end can bind to; nothing handles it yet. */
int xenbus_evtchn_alloc(struct xenbus_dev *, evtchn_port_t *port);

/* 2^order zeroed pages in a row, each granted to the back end. */
#define XENBUS_RING_ORDER_MAX 4
struct xenbus_ring {
	void *va; /* NULL: not made */
	unsigned order;
	grant_ref_t ref[1u << XENBUS_RING_ORDER_MAX];
};
int xenbus_ring_create(
    struct xenbus_dev *, unsigned order, struct xenbus_ring *);
/* Fine on a half-made or a zeroed one. */
void xenbus_ring_destroy(struct xenbus_dev *, struct xenbus_ring *);

#endif /* XEN_XENBUS_H */
