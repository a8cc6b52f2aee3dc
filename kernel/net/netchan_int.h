#ifndef NET_NETCHAN_INT_H
#define NET_NETCHAN_INT_H

/* Channels, for the room itself.  kernel/net/netchan.c */

#include <stdbool.h>
#include <stddef.h>

#include "kern/netchan.h"
#include "netchan_ring.h"

void netchan_init(void);

/*
 * The same as netchan_parse(), but FIN and RST are let through: to find the
 * channel that must be drained before such a segment is looked at.
 */
bool netchan_parse_any(
    const void *frame, size_t len, size_t totlen, struct netchan_key *);

/* Drain the channel of the flow that (frame) belongs to.  Consumer's lock. */
void netchan_drain_flow(const void *frame, size_t len, size_t totlen);

/* Drain every channel whose packets have not been asked for.  Likewise. */
void netchan_drain_pending(void);

#endif /* NET_NETCHAN_INT_H */
