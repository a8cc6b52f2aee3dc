#ifndef XS_WIRE_H
#define XS_WIRE_H

/*
 * Xenstore messages: the two byte rings, and what a payload must look like.
 * Pure; the caller's lock protects a ring.  Everything the daemon writes is
 * loaded once and checked.  xs_wire.c
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xen/abi.h"
#include <xen/io/xs_wire.h>

struct xs_ring {
	struct xenstore_domain_interface *sh;
	uint32_t req_prod, rsp_cons; /* ours: never read back */
	bool broken;                 /* the daemon's index made no sense */
	bool was_full; /* the daemon may wait for room: notify and clear */
};

void xs_ring_init(struct xs_ring *, struct xenstore_domain_interface *);

/* Copy up to (n) bytes; returns how many.  0: no room, or broken. */
size_t xs_ring_put(struct xs_ring *, const void *, size_t n);
/* (buf) NULL: skip them. */
size_t xs_ring_take(struct xs_ring *, void *buf, size_t n);

/* A header that came: is it one that a daemon may send us? */
bool xs_hdr_ok(const struct xsd_sockmsg *);

/* An XS_ERROR payload ("ENOENT"): always a negative errno; -EIO when it is
 * none that we know. */
int xs_error(const char *text, size_t len);

/* A payload that must be one decimal number.  0 or -EINVAL. */
int xs_parse_u64(const char *text, size_t len, uint64_t *out);

/* A payload of NUL-terminated names: how many, or -EIO when the last one is
 * not terminated.  Nothing at all is no name. */
int xs_count_names(const char *text, size_t len);

/* A watch event "path\0token\0": 0 with both, or -EIO. */
int xs_parse_event(
    const char *text, size_t len, const char **path, uint32_t *token);

#endif /* XS_WIRE_H */
