#ifndef XENCONS_INT_H
#define XENCONS_INT_H

/*
 * The console ring and the buffer before it: pure, no hypercalls.
 * xencons_ring.c.  The caller's lock protects both.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xen/abi.h"
#include <xen/io/console.h>

#define xencons_ring xencons_interface

#define XENCONS_BUF  8192u /* a power of two */

struct xencons_buf {
	char data[XENCONS_BUF];
	uint32_t cons, prod; /* free-running */
};

static inline size_t xencons_buf_room(const struct xencons_buf *b)
{
	return XENCONS_BUF - (b->prod - b->cons);
}

/* Returns how many of (n) bytes there was room for. */
size_t xencons_buf_put(struct xencons_buf *, const char *, size_t n);

/* Move what fits from the buffer to the ring; returns the bytes moved.  When
 * the other end's index makes no sense there is no room. */
size_t xencons_push(struct xencons_ring *, struct xencons_buf *);

/* Returns bytes of input read; senseless input is skipped. */
size_t xencons_pull(struct xencons_ring *, char *, size_t n);

bool xencons_readable(const struct xencons_ring *);

/* Bytes that the other end has still to read, in the buffer and the ring. */
size_t xencons_unread(const struct xencons_ring *, const struct xencons_buf *);

#endif /* XENCONS_INT_H */
