#ifndef NETFRONT_RING_H
#define NETFRONT_RING_H

/*
 * The two rings of a network queue.  Pure: no hypercall, no lock; one user of
 * each at a time.  Source: xen/include/public/io/netif.h
 *
 * Transmit: a packet is copied, closely packed, into pages of the ring's own
 * that stay granted read-only for as long as the ring lives.  So the back end
 * sees nothing but packets that it was sent, needs never let go of a page, and
 * a packet's memory is its owner's again at once.
 *
 * Receive: the back end copies into a page that is granted for one packet;
 * the grant is over before anybody else sees the page.
 */

#include <stdbool.h>
#include <stdint.h>

#include "kern/mm.h"
#include "kern/net.h"
#include "xen/xring.h"
#include "xen/gnttab.h"
#include <xen/io/netif.h>

#define NF_FRAME_MIN 14 /* an Ethernet header */
/* Slots of one packet that every back end takes; 64 KiB need 17. */
#define NF_TX_SLOTS XEN_NETIF_NR_SLOTS_MIN
/* Pages of one received packet, at most: as many, and a header apart. */
#define NF_RX_SLOTS (XEN_NETIF_NR_SLOTS_MIN + 2)

/* A granted page, made by page_new(): 0 or -errno.  Any context. */
struct nf_page {
	void *va;
	grant_ref_t ref;
};
typedef int nf_page_new(void *arg, struct nf_page *);

/* What the back end can do. */
struct nf_feat {
	bool sg;           /* more than one slot in a packet */
	bool csum4, csum6; /* fills TCP and UDP checksums */
	bool gso4, gso6;
};

/* --- transmit ----------------------------------------------------------- */

struct nftx_buf {
	struct nf_page page;
	uint16_t next_free;
	bool busy; /* with the back end; the index is the request's id */
};

struct nftx {
	struct xring ring;
	struct nf_feat feat;
	struct nftx_buf *buf; /* as many as the ring has slots */
	unsigned nbuf;        /* that have a page */
	unsigned nfree;
	uint16_t free;   /* last used first, so that few pages are used */
	unsigned extras; /* slots out that carry no page */
	nf_page_new *page_new;
	void *page_arg;
	bool starved;       /* nftx_put() said -EAGAIN */
	const char *broken; /* why; NULL: it works */
	uint64_t errors;    /* packets that the back end refused */
};

/* (mem): the zeroed shared page.  0 or -ENOMEM.  With pages for one packet of
 * the largest size, so that none ever has to wait for memory. */
int nftx_init(struct nftx *, void *mem, const struct nf_feat *,
    nf_page_new *page_new, void *page_arg);
/* Frees the books; the pages buf[0..nbuf) are the caller's to revoke before
 * it.  Fine on a zeroed one. */
void nftx_destroy(struct nftx *);

/* Copy a packet; it stays the caller's.  0; -EAGAIN: no room now; -EIO:
 * broken; -EINVAL: it can never be sent. */
int nftx_put(struct nftx *, const struct pkt *);
bool nftx_publish(struct nftx *); /* true: notify */
void nftx_reap(struct nftx *);
/* Ask for an event when there is room for a large packet; true: some has come
 * already, reap again. */
bool nftx_arm(struct nftx *);

/* --- receive ------------------------------------------------------------ */

struct nfrx {
	struct xring ring;
	struct nf_page *slot; /* by ring index; va NULL: none */
	unsigned target;      /* requests to keep out */
	nf_page_new *page_new;
	/* End the grant.  False: the peer has not let go; then the page has
	 * been given up. */
	bool (*page_end)(void *arg, struct nf_page *);
	void *page_arg;

	struct pkt *cur, *last; /* a packet of which more is to come */
	unsigned nslots;        /* of it so far */
	unsigned nextras;
	bool want_extra, want_more;
	bool drop; /* it is not fit for use */
	const char *broken;
	uint64_t errors;
};

int nfrx_init(struct nfrx *, void *mem, unsigned target);
/* Fine on a zeroed one; pages still on the ring are the caller's to end
 * before it, with nfrx_drain(). */
void nfrx_destroy(struct nfrx *);

/* Put pages on the ring up to the target; true: notify. */
bool nfrx_refill(struct nfrx *);
/* Requests that the back end has. */
unsigned nfrx_posted(const struct nfrx *);
/* The next packet, NULL when there is none or the ring is broken. */
struct pkt *nfrx_take(struct nfrx *);
bool nfrx_arm(struct nfrx *);
/* Ends every grant and frees every page and a packet that was begun. */
void nfrx_drain(struct nfrx *);

#endif /* NETFRONT_RING_H */
