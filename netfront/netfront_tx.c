/* Transmit: see netfront_ring.h. */

#include "kern/compiler.h"
#include "kern/errno.h"
#include "kern/num.h"
#include "kern/string.h"
#include "netfront_ring.h"

#define NFTX_NONE     UINT16_MAX

#define ETH_TYPE      12
#define ETH_TYPE_IPV6 0x86dd

_Static_assert(sizeof(struct netif_tx_request) == 12, "x86-64 ABI");
_Static_assert(
    sizeof(struct netif_extra_info) <= sizeof(struct netif_tx_request),
    "an extra takes one slot");

/* --- books -------------------------------------------------------------- */

static bool buf_new(struct nftx *t)
{
	struct nftx_buf *b = &t->buf[t->nbuf];

	if (t->nbuf == t->ring.size || t->page_new(t->page_arg, &b->page) != 0)
		return false;
	b->next_free = t->free;
	t->free = (uint16_t)t->nbuf++;
	t->nfree++;
	return true;
}

static bool bufs_ready(struct nftx *t, unsigned n)
{
	while (t->nfree < n)
		if (!buf_new(t))
			return false;
	return true;
}

static uint16_t buf_get(struct nftx *t)
{
	uint16_t id = t->free;

	t->free = t->buf[id].next_free;
	t->buf[id].busy = true;
	t->nfree--;
	return id;
}

static void buf_put(struct nftx *t, uint16_t id)
{
	t->buf[id].busy = false;
	t->buf[id].next_free = t->free;
	t->free = id;
	t->nfree++;
}

int nftx_init(struct nftx *t, void *mem, const struct nf_feat *feat,
    nf_page_new *page_new, void *page_arg)
{
	memset(t, 0, sizeof(*t));
	xring_init(&t->ring, mem, PAGE_SIZE, sizeof(struct netif_tx_request));
	t->feat = *feat;
	t->free = NFTX_NONE;
	t->page_new = page_new;
	t->page_arg = page_arg;
	t->buf = kmalloc_array(t->ring.size, sizeof(*t->buf));
	if (!t->buf || !bufs_ready(t, feat->sg ? NF_TX_SLOTS : 1))
		return -ENOMEM;
	return 0;
}

void nftx_destroy(struct nftx *t)
{
	kfree(t->buf);
	memset(t, 0, sizeof(*t));
}

/* --- packets ------------------------------------------------------------ */

/* Where a packet is read, byte after byte. */
struct cursor {
	const struct pkt *seg;
	uint32_t off; /* in seg */
};

static void copy_out(struct cursor *c, uint8_t *to, uint32_t n)
{
	while (n != 0) {
		uint32_t part = MIN(n, c->seg->len - c->off);

		memcpy(to, c->seg->data + c->off, part);
		to += part;
		n -= part;
		c->off += part;
		if (c->off == c->seg->len) {
			c->seg = c->seg->seg_next;
			c->off = 0;
		}
	}
}

static uint64_t pkt_bytes(const struct pkt *p)
{
	uint64_t sum = 0;

	for (; p; p = p->seg_next)
		sum += p->len;
	return sum;
}

static bool needs_gso(const struct pkt *p)
{
	return p->flags & (PKT_TSO4 | PKT_TSO6);
}

/* Can this packet go out at all? */
static bool pkt_ok(const struct nftx *t, const struct pkt *p, uint32_t len)
{
	if (len < NF_FRAME_MIN || len > XEN_NETIF_MAX_TX_SIZE)
		return false;
	if (len > PAGE_SIZE && !t->feat.sg)
		return false;
	if ((p->flags & PKT_TSO4 && !t->feat.gso4) ||
	    (p->flags & PKT_TSO6 && !t->feat.gso6))
		return false;
	if (needs_gso(p) &&
	    (p->gso_size == 0 || !(p->flags & PKT_CSUM_PARTIAL)))
		return false;
	if (!(p->flags & PKT_CSUM_PARTIAL))
		return true;
	return p->csum_start % 2 == 0 && p->csum_offset % 2 == 0 &&
	       (uint32_t)p->csum_start + p->csum_offset + 2 <= len;
}

static void put_gso(struct nftx *t, const struct pkt *p)
{
	struct netif_extra_info x = { .type = XEN_NETIF_EXTRA_TYPE_GSO };

	x.u.gso.size = p->gso_size;
	x.u.gso.type = p->flags & PKT_TSO4 ? XEN_NETIF_GSO_TYPE_TCPV4
					   : XEN_NETIF_GSO_TYPE_TCPV6;
	xring_put(&t->ring, &x, sizeof(x));
	t->extras++;
}

/* --- checksums that the back end does not fill --------------------------- */

/* One's complement sum of (n) bytes that begin at an even offset. */
static uint64_t sum_bytes(uint64_t sum, const uint8_t *p, uint32_t n)
{
	for (; n >= 2; n -= 2, p += 2)
		sum += (uint32_t)p[0] << 8 | p[1];
	return n ? sum + ((uint32_t)p[0] << 8) : sum;
}

static uint16_t sum_fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* The packet lies in the pages of (id)[], whole but for the last; the field
 * holds the pseudo header's sum. */
static void fill_csum(
    struct nftx *t, const struct pkt *p, const uint16_t *id, uint32_t len)
{
	uint32_t field = (uint32_t)p->csum_start + p->csum_offset;
	uint64_t sum = 0;
	uint16_t csum;

	for (uint32_t off = p->csum_start; off < len;) {
		const uint8_t *page = t->buf[id[off / PAGE_SIZE]].page.va;
		uint32_t in = (uint32_t)(off % PAGE_SIZE);
		uint32_t n = MIN(len - off, (uint32_t)PAGE_SIZE - in);

		sum = sum_bytes(sum, page + in, n);
		off += n;
	}
	csum = (uint16_t)~sum_fold(sum);
	if (csum == 0)
		csum = 0xffff; /* for UDP 0 means none; for TCP it is equal */
	csum = bswap16(csum);
	memcpy((uint8_t *)t->buf[id[field / PAGE_SIZE]].page.va +
		   field % PAGE_SIZE,
	    &csum, sizeof(csum));
}

/* The frame lies in the pages of (id)[] already. */
static bool back_end_sums(const struct nftx *t, const uint16_t *id)
{
	const uint8_t *frame = t->buf[id[0]].page.va;

	if ((frame[ETH_TYPE] << 8 | frame[ETH_TYPE + 1]) == ETH_TYPE_IPV6)
		return t->feat.csum6;
	return t->feat.csum4;
}

/* The first request's checksum flags. */
static uint16_t csum_flags(
    struct nftx *t, const struct pkt *p, const uint16_t *id, uint32_t len)
{
	if (!(p->flags & PKT_CSUM_PARTIAL))
		return 0;
	if (needs_gso(p) || back_end_sums(t, id))
		return NETTXF_csum_blank | NETTXF_data_validated;
	fill_csum(t, p, id, len);
	return 0;
}

/* --- the ring ------------------------------------------------------------ */

/* The first request has the size of the whole packet. */
static void put_all(struct nftx *t, const struct pkt *p, const uint16_t *id,
    unsigned n, uint32_t len)
{
	uint16_t flags = csum_flags(t, p, id, len);
	uint32_t left = len, part;

	if (needs_gso(p))
		flags |= NETTXF_extra_info;
	for (unsigned i = 0; i < n; i++) {
		struct netif_tx_request req = {
			.gref = t->buf[id[i]].page.ref,
			.flags = i == 0 ? flags : 0,
			.id = id[i],
		};

		part = MIN(left, (uint32_t)PAGE_SIZE);
		left -= part;
		req.size = (uint16_t)(i == 0 ? len : part);
		if (left != 0)
			req.flags |= NETTXF_more_data;
		xring_put(&t->ring, &req, sizeof(req));
		if (i == 0 && needs_gso(p))
			put_gso(t, p);
	}
}

static void copy_in(struct nftx *t, const struct pkt *p, const uint16_t *id,
    unsigned n, uint32_t len)
{
	struct cursor c = { p, 0 };

	for (unsigned i = 0; i < n; i++) {
		uint32_t part = MIN(len, (uint32_t)PAGE_SIZE);

		copy_out(&c, t->buf[id[i]].page.va, part);
		len -= part;
	}
}

int nftx_put(struct nftx *t, const struct pkt *p)
{
	uint64_t len = pkt_bytes(p);
	uint16_t id[NF_TX_SLOTS];
	unsigned n;

	if (t->broken)
		return -EIO;
	if (!pkt_ok(t, p, (uint32_t)MIN(len, UINT32_MAX)))
		return -EINVAL;
	n = (unsigned)((len + PAGE_SIZE - 1) / PAGE_SIZE);
	if (xring_room(&t->ring) < n + needs_gso(p) || !bufs_ready(t, n)) {
		t->starved = true;
		return -EAGAIN;
	}
	for (unsigned i = 0; i < n; i++)
		id[i] = buf_get(t);
	copy_in(t, p, id, n, (uint32_t)len);
	put_all(t, p, id, n, (uint32_t)len);
	return 0;
}

bool nftx_publish(struct nftx *t)
{
	return xring_publish(&t->ring);
}

static const char *response_lie(
    const struct nftx *t, const struct netif_tx_response *rsp)
{
	if (rsp->status == NETIF_RSP_NULL)
		return t->extras ? NULL : "an answer to no request";
	if (rsp->status < NETIF_RSP_DROPPED || rsp->status > NETIF_RSP_NULL)
		return "an answer with an absurd status";
	if (rsp->id >= t->nbuf)
		return "an answer with an id out of range";
	if (!t->buf[rsp->id].busy)
		return "an answer to no request";
	return NULL;
}

void nftx_reap(struct nftx *t)
{
	struct netif_tx_response rsp;

	while (!t->broken && xring_take(&t->ring, &rsp, sizeof(rsp))) {
		t->broken = response_lie(t, &rsp);
		if (t->broken)
			break;
		if (rsp.status == NETIF_RSP_NULL) {
			t->extras--;
			continue;
		}
		t->errors += rsp.status != NETIF_RSP_OKAY;
		buf_put(t, rsp.id);
	}
	if (t->ring.broken && !t->broken)
		t->broken = "an absurd producer index";
	t->ring.broken = t->broken != NULL;
}

bool nftx_arm(struct nftx *t)
{
	uint32_t out = t->ring.req_prod - t->ring.rsp_cons;
	uint32_t ahead = MIN(out, NF_TX_SLOTS + 1u);

	return xring_arm(&t->ring, MAX(ahead, 1u)) ||
	       (t->ring.broken && !t->broken);
}
