/*
 * Out: what lwIP sends during one hold of the core lock is collected, and
 * given to the device at net_unlock().
 *
 * The bytes are copied to pages of ours: lwIP may change or free its own as
 * soon as linkoutput() has returned.  Where the device can, checksums are
 * left to it, and successive segments of one connection are joined to one
 * packet that it cuts again (TSO): lwIP knows nothing of either.
 */

#include "inet_int.h"
#include "nif.h"

#include "kern/mm.h"
#include "kern/num.h"
#include "kern/string.h"

#define ETH_LEN   14u
#define IP4_LEN   20u
#define IP6_LEN   40u
#define TCP_LEN   20u
#define PROTO_TCP 6u
#define TSO_MAX   65535u /* IP length; the Ethernet header comes on top */
#define TCP_PSH   0x08u
#define TCP_ACK   0x10u

/* Where the headers of a TCP segment are; all of them contiguous. */
struct tcp_view {
	uint8_t *frame;
	bool v6;
	unsigned l4;    /* offset of the TCP header */
	unsigned hdr;   /* length of all headers */
	unsigned total; /* of the frame */
};

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

/* What we made ourselves: only the shapes that lwIP can make are looked for.
 * (have): bytes that are contiguous.  False: not a whole TCP segment. */
static bool view_tcp(
    struct tcp_view *v, uint8_t *frame, unsigned have, unsigned total)
{
	const uint8_t *ip = frame + ETH_LEN;

	if (have < ETH_LEN + IP4_LEN + TCP_LEN)
		return false;
	v->frame = frame;
	v->total = total;
	v->v6 = get16(frame + 12) == 0x86dd;
	if (v->v6) {
		v->l4 = ETH_LEN + IP6_LEN;
		if (ip[6] != PROTO_TCP)
			return false;
	} else {
		v->l4 = ETH_LEN + (ip[0] & 15u) * 4;
		if (get16(frame + 12) != 0x0800 || ip[9] != PROTO_TCP ||
		    (get16(ip + 6) & 0x3fff))
			return false;
	}
	if (have < v->l4 + TCP_LEN)
		return false;
	v->hdr = v->l4 + (frame[v->l4 + 12] >> 4) * 4u;
	return v->hdr <= have && v->hdr <= total;
}

/* --- joining segments ---------------------------------------------------- */

/* Same connection, same state of it, and (b) follows (a) without a gap. */
static bool follows(const struct tcp_view *a, const struct tcp_view *b)
{
	const uint8_t *x = a->frame, *y = b->frame;
	unsigned l4 = a->l4;

	if (a->v6 != b->v6 || a->hdr != b->hdr || a->l4 != b->l4)
		return false;
	if (memcmp(x, y, ETH_LEN))
		return false;
	if (a->v6) {
		if (memcmp(x + 14, y + 14, 4) || memcmp(x + 20, y + 20, 34))
			return false;
	} else {
		/* All but length, identification and checksum. */
		if (memcmp(x + 14, y + 14, 2) || memcmp(x + 20, y + 20, 4) ||
		    memcmp(x + 26, y + 26, 8))
			return false;
	}
	/* Ports, acknowledgement, header length; window and options. */
	if (memcmp(x + l4, y + l4, 4) || memcmp(x + l4 + 8, y + l4 + 8, 5) ||
	    memcmp(x + l4 + 14, y + l4 + 14, 2) ||
	    memcmp(x + l4 + 18, y + l4 + 18, a->hdr - l4 - 18))
		return false;
	if (x[l4 + 13] != TCP_ACK || (y[l4 + 13] & ~TCP_PSH) != TCP_ACK)
		return false;
	return get32(y + l4 + 4) == get32(x + l4 + 4) + a->total - a->hdr;
}

/* May (b) be put behind what is in (k)? */
static bool may_join(const struct nif *n, struct pkt *k, struct tcp_view *b)
{
	struct tcp_view a;
	uint16_t tso;
	unsigned mss, more;

	if (!view_tcp(&a, k->data, k->len, k->totlen) || !follows(&a, b))
		return false;
	tso = a.v6 ? PKT_TSO6 : PKT_TSO4;
	more = b->total - b->hdr;
	mss = k->gso_size ? k->gso_size : a.total - a.hdr;
	if (!(n->dev->info.offload & tso) || !more || more > mss)
		return false;
	/* Every one but the last is of full size. */
	if ((a.total - a.hdr) % mss || a.total + more > TSO_MAX + ETH_LEN - 64)
		return false;
	return k->nseg + more / PAGE_SIZE + 2 <= n->dev->info.max_seg;
}

/* --- from pbuf to packet ------------------------------------------------- */

static size_t seg_room(const struct pkt *p)
{
	return p->cap - (size_t)(p->data - p->head) - p->len;
}

static struct pkt *last_seg(struct pkt *p)
{
	while (p->seg_next)
		p = p->seg_next;
	return p;
}

static struct pkt *seg_add(struct pkt *first, struct pkt *last)
{
	struct pkt *seg = pkt_alloc();

	if (seg) {
		seg->data = seg->head;
		last->seg_next = seg;
		first->nseg++;
	}
	return seg;
}

/* Append (p) from (skip) on.  False: no memory; (first) is what it got. */
static bool append(struct pkt *first, const struct pbuf *p, size_t skip)
{
	struct pkt *last = last_seg(first);

	for (; p; p = p->next) {
		size_t at = MIN(skip, (size_t)p->len);

		skip -= at;
		while (at < p->len) {
			size_t part = MIN(seg_room(last), p->len - at);

			if (!part) {
				last = seg_add(first, last);
				if (!last)
					return false;
				continue;
			}
			memcpy(last->data + last->len,
			    (const char *)p->payload + at, part);
			last->len = (uint16_t)(last->len + part);
			first->totlen += (uint32_t)part;
			at += part;
		}
	}
	return true;
}

static struct pkt *pbuf_to_pkt(const struct pbuf *p)
{
	struct pkt *k = pkt_alloc();

	if (k && !append(k, p, 0)) {
		pkt_free(k);
		return NULL;
	}
	return k;
}

/* Put (p) behind the packet that is last in line, if it belongs there.
 * -ENOMEM: it does, but half of it is missing; the packet was given up. */
static int join(struct nif *n, struct pbuf *p)
{
	struct tcp_view b;
	struct pkt *k;
	unsigned before;

	if (!n->ntx || !view_tcp(&b, p->payload, p->len, p->tot_len))
		return 0;
	k = n->tx[n->ntx - 1];
	if (!may_join(n, k, &b))
		return 0;
	before = k->totlen - b.hdr;
	if (!append(k, p, b.hdr)) {
		/* TCP sends it again. */
		pkt_free(k);
		n->ntx--;
		return -ENOMEM;
	}
	if (!k->gso_size)
		k->gso_size = (uint16_t)before;
	k->hdr_len = (uint16_t)b.hdr;
	k->flags |= b.v6 ? PKT_TSO6 : PKT_TSO4;
	k->data[b.l4 + 13] |= b.frame[b.l4 + 13];
	return 1;
}

/* --- the last touch ------------------------------------------------------ */

static uint32_t sum_bytes(const uint8_t *p, unsigned n)
{
	uint32_t sum = 0;
	unsigned i;

	for (i = 0; i < n; i += 2)
		sum += get16(p + i);
	return sum;
}

static unsigned fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

static void fix_lengths(struct pkt *k, const struct tcp_view *v)
{
	uint8_t *ip = k->data + ETH_LEN;
	unsigned len = k->totlen - ETH_LEN;

	if (v->v6) {
		put16(ip + 4, len - IP6_LEN);
		return;
	}
	put16(ip + 2, len);
	put16(ip + 10, 0);
	put16(ip + 10, ~fold(sum_bytes(ip, v->l4 - ETH_LEN)));
}

/* The device sums what follows csum_start; we give the pseudo header's sum. */
static void leave_checksum(struct pkt *k, const struct tcp_view *v)
{
	const uint8_t *ip = k->data + ETH_LEN;
	uint32_t sum = v->v6 ? sum_bytes(ip + 8, 32) : sum_bytes(ip + 12, 8);

	sum += PROTO_TCP + (k->totlen - v->l4);
	put16(k->data + v->l4 + 16, fold(sum));
	k->flags |= PKT_CSUM_PARTIAL;
	k->csum_start = (uint16_t)v->l4;
	k->csum_offset = 16;
}

/* Returns a number that is the same for all of a flow. */
static unsigned finish(struct nif *n, struct pkt *k)
{
	struct tcp_view v;

	if (!view_tcp(&v, k->data, k->len, k->totlen))
		return 0;
	if (k->flags & (PKT_TSO4 | PKT_TSO6))
		fix_lengths(k, &v);
	if (n->dev->info.offload & PKT_CSUM_PARTIAL)
		leave_checksum(k, &v);
	return get16(k->data + v.l4) ^ get16(k->data + v.l4 + 2);
}

/* --- sending ------------------------------------------------------------- */

static void flush_queues(struct nif *n, const unsigned flow[NIF_TX_BURST])
{
	unsigned nq = n->dev->info.nqueues, q, i;

	for (q = 0; q < nq; q++) {
		struct pkt *mine[NIF_TX_BURST];
		unsigned count = 0;

		for (i = 0; i < n->ntx; i++)
			if (flow[i] % nq == q)
				mine[count++] = n->tx[i];
		if (count)
			net_dev_tx(n->dev, q, mine, count);
	}
}

void nif_tx_flush(struct nif *n)
{
	unsigned flow[NIF_TX_BURST], i;

	if (!n->ntx)
		return;
	for (i = 0; i < n->ntx; i++)
		flow[i] = finish(n, n->tx[i]);
	if (n->dev->info.nqueues <= 1)
		net_dev_tx(n->dev, 0, n->tx, n->ntx);
	else
		flush_queues(n, flow);
	n->ntx = 0;
}

/* lwIP's linkoutput: a whole frame.  Core lock held. */
err_t nif_output(struct netif *lw, struct pbuf *p)
{
	struct nif *n = lw->state;
	int joined = join(n, p);
	struct pkt *k;

	if (joined > 0)
		return ERR_OK;
	k = joined < 0 ? NULL : pbuf_to_pkt(p);
	if (!k) {
		__atomic_fetch_add(
		    &n->dev->stats.tx_dropped, 1, __ATOMIC_RELAXED);
		return ERR_MEM;
	}
	if (n->ntx == NIF_TX_BURST)
		nif_tx_flush(n);
	n->tx[n->ntx++] = k;
	return ERR_OK;
}
