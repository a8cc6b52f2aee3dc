/* Receive: see netfront_ring.h. */

#include "kern/compiler.h"
#include "kern/errno.h"
#include "kern/num.h"
#include "kern/string.h"
#include "netfront_ring.h"

_Static_assert(sizeof(struct netif_rx_request) == 8, "x86-64 ABI");
_Static_assert(sizeof(struct netif_rx_response) == 8, "x86-64 ABI");
_Static_assert(sizeof(struct netif_extra_info) == 8, "x86-64 ABI");

int nfrx_init(struct nfrx *r, void *mem, unsigned target)
{
	memset(r, 0, sizeof(*r));
	xring_init(&r->ring, mem, PAGE_SIZE, sizeof(struct netif_rx_request));
	r->target = MIN(target, r->ring.size);
	r->slot = kmalloc_array(r->ring.size, sizeof(*r->slot));
	return r->slot ? 0 : -ENOMEM;
}

void nfrx_destroy(struct nfrx *r)
{
	kfree(r->slot);
	memset(r, 0, sizeof(*r));
}

unsigned nfrx_posted(const struct nfrx *r)
{
	return r->ring.req_prod - r->ring.rsp_cons;
}

/* --- requests ----------------------------------------------------------- */

/* The answer comes in the request's own slot (netif.h, "Guest receive"): the
 * id is that slot's number. */
static void post(struct nfrx *r, const struct nf_page *page)
{
	uint32_t at = r->ring.req_prod & (r->ring.size - 1);
	struct netif_rx_request req = {
		.id = (uint16_t)at,
		.gref = page->ref,
	};

	r->slot[at] = *page;
	xring_put(&r->ring, &req, sizeof(req));
}

bool nfrx_refill(struct nfrx *r)
{
	struct nf_page page;

	if (r->broken)
		return false;
	while (nfrx_posted(r) < r->target) {
		if (r->page_new(r->page_arg, &page) != 0)
			break;
		post(r, &page);
	}
	return xring_publish(&r->ring);
}

/* --- answers ------------------------------------------------------------ */

static void rx_break(struct nfrx *r, const char *why)
{
	r->broken = why;
	r->ring.broken = true;
}

static void seg_free(struct pkt *p)
{
	page_put(p->head);
	pkt_free_seg(p);
}

/* The segment in (page), which is ours again. */
static struct pkt *seg_new(
    const struct nf_page *page, unsigned off, unsigned len)
{
	struct pkt *p = pkt_alloc_ext();

	if (!p)
		return NULL;
	p->head = page->va;
	p->cap = PAGE_SIZE;
	p->data = p->head + off;
	p->len = (uint16_t)len;
	p->free = seg_free;
	p->seg_next = NULL;
	return p;
}

static void seg_add(struct nfrx *r, struct pkt *p)
{
	if (!r->cur) {
		r->cur = p;
		p->nseg = 0;
		p->flags = 0;
		p->totlen = 0;
		p->next = NULL;
	} else {
		r->last->seg_next = p;
	}
	r->last = p;
	r->cur->nseg++;
	r->cur->totlen += p->len;
}

/* Take the next slot's page off the books. */
static struct nf_page slot_page(struct nfrx *r, uint32_t at)
{
	struct nf_page page = r->slot[at];

	r->slot[at].va = NULL;
	return page;
}

static bool extra_gso(struct nfrx *r, const struct netif_extra_info *x)
{
	if (x->type != XEN_NETIF_EXTRA_TYPE_GSO || x->u.gso.size == 0 ||
	    !r->cur)
		return false;
	if (x->u.gso.type == XEN_NETIF_GSO_TYPE_TCPV4)
		r->cur->flags |= PKT_TSO4;
	else if (x->u.gso.type == XEN_NETIF_GSO_TYPE_TCPV6)
		r->cur->flags |= PKT_TSO6;
	else
		return false;
	r->cur->gso_size = x->u.gso.size;
	r->cur->hdr_len = 0;
	return true;
}

/* An extra took a slot whose page has not been touched: use it again. */
static void take_extra(
    struct nfrx *r, const void *raw, const struct nf_page *page)
{
	struct netif_extra_info x;

	memcpy(&x, raw, sizeof(x));
	post(r, page);
	if (++r->nextras >= XEN_NETIF_EXTRA_TYPE_MAX) {
		rx_break(r, "extras without end");
		return;
	}
	r->want_extra = x.flags & XEN_NETIF_EXTRA_FLAG_MORE;
	if (!r->drop && !extra_gso(r, &x))
		r->drop = true;
}

static void begin(struct nfrx *r, const struct netif_rx_response *rsp)
{
	r->nslots = 0;
	r->nextras = 0;
	r->drop = false;
	r->want_extra = rsp->flags & NETRXF_extra_info;
}

static const char *response_lie(
    const struct nfrx *r, const struct netif_rx_response *rsp, uint32_t at)
{
	if (rsp->id != at)
		return "an answer with another slot's id";
	if (rsp->status > 0 &&
	    !range_ok(rsp->offset, (unsigned)rsp->status, PAGE_SIZE))
		return "data past the end of its page";
	if (r->nslots == NF_RX_SLOTS)
		return "a packet without end";
	return NULL;
}

static void take_data(
    struct nfrx *r, const struct netif_rx_response *rsp, struct nf_page *page)
{
	struct pkt *p;

	if (rsp->status <= 0 || r->drop) { /* the page can serve again */
		r->drop = true;
		post(r, page);
		return;
	}
	if (!r->page_end(r->page_arg, page)) {
		rx_break(r, "a page is kept after its answer");
		return;
	}
	p = seg_new(page, rsp->offset, (unsigned)rsp->status);
	if (!p) {
		page_put(page->va);
		r->drop = true;
		return;
	}
	seg_add(r, p);
}

static void take_response(
    struct nfrx *r, const void *raw, struct nf_page *page, uint32_t at)
{
	struct netif_rx_response rsp;
	const char *lie;

	memcpy(&rsp, raw, sizeof(rsp));
	if (!r->want_more)
		begin(r, &rsp);
	lie = response_lie(r, &rsp, at);
	if (lie) {
		rx_break(r, lie);
		post(r, page); /* keeps it on the books */
		return;
	}
	r->nslots++;
	r->want_more = rsp.flags & NETRXF_more_data;
	take_data(r, &rsp, page);
	/* "Not needed" is as good as known to be right. */
	if (r->cur && r->nslots == 1 &&
	    rsp.flags & (NETRXF_csum_blank | NETRXF_data_validated))
		r->cur->flags |= PKT_CSUM_VALID;
}

/* A packet has all its slots: NULL when it is not fit for use. */
static struct pkt *finish(struct nfrx *r)
{
	struct pkt *p = r->cur;

	r->cur = r->last = NULL;
	if (!r->drop && p && p->len >= NF_FRAME_MIN)
		return p;
	r->errors++;
	if (p)
		pkt_free(p);
	return NULL;
}

struct pkt *nfrx_take(struct nfrx *r)
{
	uint8_t raw[sizeof(struct netif_rx_response)];
	struct pkt *p = NULL;

	while (!p && !r->broken) {
		uint32_t at = r->ring.rsp_cons & (r->ring.size - 1);
		struct nf_page page;

		if (!xring_take(&r->ring, raw, sizeof(raw)))
			break;
		page = slot_page(r, at);
		if (r->want_extra)
			take_extra(r, raw, &page);
		else
			take_response(r, raw, &page, at);
		if (!r->broken && !r->want_extra && !r->want_more)
			p = finish(r);
	}
	if (r->ring.broken && !r->broken)
		r->broken = "an absurd producer index";
	return p;
}

bool nfrx_arm(struct nfrx *r)
{
	return xring_arm(&r->ring, 1) || (r->ring.broken && !r->broken);
}

void nfrx_drain(struct nfrx *r)
{
	for (uint32_t i = 0; r->slot && i < r->ring.size; i++) {
		struct nf_page page = slot_page(r, i);

		if (page.va && r->page_end(r->page_arg, &page))
			page_put(page.va);
	}
	if (r->cur)
		pkt_free(r->cur);
	r->cur = r->last = NULL;
}
