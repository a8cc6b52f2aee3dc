#ifndef NET_NETCHAN_RING_H
#define NET_NETCHAN_RING_H

/*
 * A ring of pointers from one producer to one consumer, without a lock.
 * Indices run freely; each end keeps a copy of the other's index and looks at
 * the shared one only when the copy says "full" or "empty".  Pure.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "kern/compiler.h"

#define NETCHAN_RING 256u /* a power of two */

struct netchan_ring {
	/* producer's line */
	_Atomic unsigned tail;
	unsigned head_seen;
	/* consumer's line */
	_Atomic unsigned head ALIGNED(CACHE_LINE);
	unsigned tail_seen;
	void **slot; /* NETCHAN_RING of them; set by the owner */
};

/* Producer. */
static inline bool netchan_ring_push(struct netchan_ring *r, void *p)
{
	unsigned tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

	if (tail - r->head_seen == NETCHAN_RING) {
		r->head_seen =
		    atomic_load_explicit(&r->head, memory_order_acquire);
		if (tail - r->head_seen == NETCHAN_RING)
			return false;
	}
	r->slot[tail % NETCHAN_RING] = p;
	atomic_store_explicit(&r->tail, tail + 1, memory_order_release);
	return true;
}

/* Consumer.  NULL: empty. */
static inline void *netchan_ring_pop(struct netchan_ring *r)
{
	unsigned head = atomic_load_explicit(&r->head, memory_order_relaxed);
	void *p;

	if (head == r->tail_seen) {
		r->tail_seen =
		    atomic_load_explicit(&r->tail, memory_order_acquire);
		if (head == r->tail_seen)
			return NULL;
	}
	p = r->slot[head % NETCHAN_RING];
	atomic_store_explicit(&r->head, head + 1, memory_order_release);
	return p;
}

/* Anybody: a moment's truth. */
static inline unsigned netchan_ring_used(const struct netchan_ring *r)
{
	unsigned head = atomic_load_explicit(&r->head, memory_order_acquire);

	return atomic_load_explicit(&r->tail, memory_order_acquire) - head;
}

#endif /* NET_NETCHAN_RING_H */
