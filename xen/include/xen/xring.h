#ifndef XEN_XRING_H
#define XEN_XRING_H

/*
 * The front half of a shared ring: requests go out, responses come in, in the
 * same slots.  Source: xen/include/public/io/ring.h.  The ring is memory that
 * the other end writes at any moment, so nothing in it is read twice: the
 * producer index is loaded once and checked, a response is copied out before
 * it is looked at.  Pure: no hypercall.
 *
 * Indices run free and are masked at access.  One user at a time: the queue's
 * lock.
 */

#include <stdbool.h>
#include <stdint.h>

#include "kern/compiler.h"
#include "kern/string.h"

/* What both ends see.  The slots follow. */
struct xring_shared {
	uint32_t req_prod, req_event;
	uint32_t rsp_prod, rsp_event;
	uint8_t pad[48];
};

struct xring {
	struct xring_shared *sh;
	uint8_t *slot;
	uint32_t size;     /* slots, a power of two */
	uint32_t slot_len; /* the larger of request and response */
	uint32_t req_prod; /* ours, ahead of the shared one until published */
	uint32_t rsp_cons;
	uint32_t rsp_seen; /* last checked value of the shared rsp_prod */
	bool broken;       /* the other end lied: never used again */
};

/* How many slots of (slot_len) bytes a ring of (bytes) has. */
static inline uint32_t xring_slots(uint32_t bytes, uint32_t slot_len)
{
	uint32_t n = (bytes - (uint32_t)sizeof(struct xring_shared)) / slot_len;

	return 1u << (31 - __builtin_clz(n));
}

/* (mem) is zeroed and granted or about to be. */
static inline void xring_init(
    struct xring *r, void *mem, uint32_t bytes, uint32_t slot_len)
{
	memset(r, 0, sizeof(*r));
	r->sh = mem;
	r->slot = (uint8_t *)mem + sizeof(struct xring_shared);
	r->size = xring_slots(bytes, slot_len);
	r->slot_len = slot_len;
	r->sh->req_event = 1;
	r->sh->rsp_event = 1;
}

/* Slots that hold neither a request nor an unread response. */
static inline uint32_t xring_room(const struct xring *r)
{
	return r->broken ? 0 : r->size - (r->req_prod - r->rsp_cons);
}

static inline void *xring_slot(const struct xring *r, uint32_t index)
{
	return r->slot + (index & (r->size - 1)) * r->slot_len;
}

/* Copy a request to the next slot; there must be room.  Not seen by the other
 * end before xring_publish().  Returns the request's index. */
static inline uint32_t xring_put(struct xring *r, const void *req, uint32_t len)
{
	memcpy(xring_slot(r, r->req_prod), req, len);
	return r->req_prod++;
}

/* Show what was put.  True: the other end must be notified. */
static inline bool xring_publish(struct xring *r)
{
	uint32_t old = r->sh->req_prod; /* only we write it */
	uint32_t event;

	if (old == r->req_prod || r->broken)
		return false;
	__atomic_store_n(&r->sh->req_prod, r->req_prod, __ATOMIC_RELEASE);
	/* Our index must be out before their wish is read, or both sleep. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	event = __atomic_load_n(&r->sh->req_event, __ATOMIC_RELAXED);
	return r->req_prod - event < r->req_prod - old;
}

/* Are there responses?  More than there were requests breaks the ring. */
static inline bool xring_pending(struct xring *r)
{
	uint32_t prod;

	if (r->broken)
		return false;
	if (r->rsp_seen != r->rsp_cons)
		return true;
	prod = __atomic_load_n(&r->sh->rsp_prod, __ATOMIC_ACQUIRE);
	if (prod - r->rsp_cons > r->req_prod - r->rsp_cons) {
		r->broken = true;
		return false;
	}
	r->rsp_seen = prod;
	return prod != r->rsp_cons;
}

/* Copy the next response to (rsp) and free its slot.  False: there is none,
 * or the ring is broken. */
static inline bool xring_take(struct xring *r, void *rsp, uint32_t len)
{
	if (!xring_pending(r))
		return false;
	memcpy(rsp, xring_slot(r, r->rsp_cons), len);
	r->rsp_cons++;
	return true;
}

/*
 * Ask for an event after (ahead) more responses (1: the next one).  True:
 * some are there already, no event may come for them: take again.
 */
static inline bool xring_arm(struct xring *r, uint32_t ahead)
{
	if (r->broken)
		return false;
	__atomic_store_n(
	    &r->sh->rsp_event, r->rsp_cons + ahead, __ATOMIC_RELAXED);
	/* Our wish must be out before their index is read, or both sleep. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return xring_pending(r);
}

#endif /* XEN_XRING_H */
