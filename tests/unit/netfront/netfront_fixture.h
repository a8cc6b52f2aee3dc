#ifndef NETFRONT_FIXTURE_H
#define NETFRONT_FIXTURE_H

/* The other end of a network queue's rings, in the test's own process. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netfront/netfront_ring.h"

#define NGRANTS 1024

struct test_grant {
	void *va;
	bool kept; /* the back end will not let go */
};

extern struct test_grant grant[NGRANTS];
extern unsigned granted, leaked;
extern bool no_pages; /* page_new() fails */

/* The operations of struct nf_tx and nf_rx; (arg) is grant. */
int page_new(void *arg, struct nf_page *);
bool page_end(void *arg, struct nf_page *);

extern void *shared; /* the ring's page */

struct back {
	struct xring_shared *sh;
	uint8_t *slot;
	uint32_t size, slot_len, cons, prod;
};

struct back back_of(uint32_t slot_len);
bool back_get(struct back *, void *req); /* false: no more */
void back_put(struct back *, const void *rsp, size_t len);
bool back_show(struct back *); /* whether the front end wants an event */

/* Byte (i) of what is sent. */
uint8_t pattern(uint32_t i);

#endif
