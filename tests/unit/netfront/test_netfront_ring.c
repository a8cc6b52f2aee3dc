/* Both ends of a network queue's rings in one process. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kern/errno.h"
#include "kern/mm.h"
#include "netfront/netfront_ring.h"
#include "fake_mm.h"

/* --- grants -------------------------------------------------------------- */

#define NGRANTS 1024

static struct {
	void *va;
	bool kept; /* the back end will not let go */
} grant[NGRANTS];
static unsigned granted, leaked;
static bool no_pages;

static int page_new(void *arg, struct nf_page *p)
{
	assert_ptr_equal(arg, grant);
	if (no_pages)
		return -ENOMEM;
	p->va = page_alloc(0, PAGE_ZERO | PAGE_ATOMIC);
	if (!p->va)
		return -ENOMEM;
	for (p->ref = 8; grant[p->ref].va; p->ref++)
		assert_true(p->ref < NGRANTS - 1);
	grant[p->ref].va = p->va;
	granted++;
	return 0;
}

static bool page_end(void *arg, struct nf_page *p)
{
	assert_ptr_equal(arg, grant);
	assert_ptr_equal(grant[p->ref].va, p->va);
	granted--;
	if (grant[p->ref].kept) {
		leaked++;
		return false;
	}
	grant[p->ref].va = NULL;
	return true;
}

/* --- the back end --------------------------------------------------------- */

static void *shared;

struct back {
	struct xring_shared *sh;
	uint8_t *slot;
	uint32_t size, slot_len, cons, prod;
};

static struct back back_of(uint32_t slot_len)
{
	return (struct back){
		.sh = shared,
		.slot = (uint8_t *)shared + sizeof(struct xring_shared),
		.size = 256,
		.slot_len = slot_len,
	};
}

static bool back_get(struct back *b, void *req)
{
	if (b->cons == __atomic_load_n(&b->sh->req_prod, __ATOMIC_ACQUIRE))
		return false;
	memcpy(req, b->slot + b->cons++ % b->size * b->slot_len, b->slot_len);
	return true;
}

static void back_put(struct back *b, const void *rsp, size_t len)
{
	memcpy(b->slot + b->prod++ % b->size * b->slot_len, rsp, len);
}

/* Returns whether the front end wants an event. */
static bool back_show(struct back *b)
{
	uint32_t old = b->sh->rsp_prod;

	__atomic_store_n(&b->sh->rsp_prod, b->prod, __ATOMIC_RELEASE);
	return b->prod - b->sh->rsp_event < b->prod - old;
}

/* ========================================================================= */
/* transmit                                                                  */
/* ========================================================================= */

static struct nftx tx;
static struct back tb;
static const struct nf_feat all_feat = { true, true, true, true, true };

static void tx_start(const struct nf_feat *feat)
{
	shared = page_alloc(0, PAGE_ZERO);
	assert_int_equal(nftx_init(&tx, shared, feat, page_new, grant), 0);
	tb = back_of(sizeof(struct netif_tx_request));
	assert_int_equal(tx.ring.size, 256);
}

static int tx_end(void **state)
{
	(void)state;
	for (unsigned i = 0; i < tx.nbuf; i++) {
		assert_true(page_end(grant, &tx.buf[i].page));
		page_put(tx.buf[i].page.va);
	}
	nftx_destroy(&tx);
	page_free(shared, 0);
	no_pages = false;
	assert_int_equal(granted, 0);
	assert_int_equal(fake_mm_live(), 0);
	return 0;
}

/* A packet of (len) bytes in segments of (seg): byte i is its pattern. */
static uint8_t pattern(uint32_t i)
{
	return (uint8_t)(i * 7 + (i >> 8));
}

static struct pkt *make(uint32_t len, uint32_t seg)
{
	struct pkt *first = NULL, **tail = &first;

	for (uint32_t at = 0; at < len;) {
		uint32_t n = len - at < seg ? len - at : seg;
		struct pkt *p = pkt_alloc();

		assert_non_null(p);
		for (uint32_t i = 0; i < n; i++)
			p->data[i] = pattern(at + i);
		p->len = (uint16_t)n;
		*tail = p;
		tail = &p->seg_next;
		at += n;
		first->totlen = at;
	}
	return first;
}

/* What the back end makes of the next requests. */
struct got {
	uint8_t data[70000];
	uint32_t len;
	unsigned nslots, nextras;
	uint16_t flags, id[32];
	struct netif_extra_info extra;
};
static struct got got;

static bool back_packet(void)
{
	struct netif_tx_request r;
	uint32_t total, rest = 0, first;

	memset(&got, 0, sizeof(got));
	if (!back_get(&tb, &r))
		return false;
	got.flags = r.flags;
	total = r.size;
	if (r.flags & NETTXF_extra_info) {
		struct netif_tx_request raw;

		assert_true(back_get(&tb, &raw));
		memcpy(&got.extra, &raw, sizeof(got.extra));
		assert_int_equal(got.extra.flags, 0);
		got.nextras = 1;
	}
	first = r.size;
	for (;;) {
		assert_int_equal(r.offset, 0);
		assert_true(got.nslots < NF_TX_SLOTS);
		assert_non_null(grant[r.gref].va);
		assert_true(r.id < 256);
		got.id[got.nslots++] = r.id;
		if (got.nslots > 1) {
			assert_true(r.size <= PAGE_SIZE);
			memcpy(got.data + (got.nslots - 1) * PAGE_SIZE,
			    grant[r.gref].va, r.size);
			rest += r.size;
		} else {
			memcpy(got.data, grant[r.gref].va,
			    first < PAGE_SIZE ? first : PAGE_SIZE);
		}
		if (!(r.flags & NETTXF_more_data))
			break;
		assert_true(back_get(&tb, &r));
		assert_int_equal(r.flags & ~NETTXF_more_data, 0);
	}
	assert_true(total - rest <= PAGE_SIZE);
	got.len = total;
	return true;
}

static void back_answer(uint16_t id, int16_t status)
{
	struct netif_tx_response r = { .id = id, .status = status };

	back_put(&tb, &r, sizeof(r));
}

static void back_answer_all(int16_t status)
{
	back_answer(got.id[0], status);
	if (got.nextras)
		back_answer(0xdead, NETIF_RSP_NULL);
	for (unsigned i = 1; i < got.nslots; i++)
		back_answer(got.id[i], status);
	back_show(&tb);
}

static void check_data(uint32_t len)
{
	assert_int_equal(got.len, len);
	for (uint32_t i = 0; i < len; i++)
		if (got.data[i] != pattern(i))
			fail_msg("byte %u of %u", i, len);
}

static int send(uint32_t len, uint32_t seg)
{
	struct pkt *p = make(len, seg);
	int err = nftx_put(&tx, p);

	pkt_free(p); /* copied */
	return err;
}

static void test_tx_empty(void **state)
{
	(void)state;
	tx_start(&all_feat);
	nftx_reap(&tx);
	assert_false(nftx_publish(&tx));
	assert_false(nftx_arm(&tx));
	assert_null(tx.broken);
	assert_int_equal(tx.nbuf, NF_TX_SLOTS);
}

static void test_tx_one(void **state)
{
	(void)state;
	tx_start(&all_feat);
	assert_int_equal(send(60, 100), 0);
	assert_false(back_packet()); /* not shown yet */
	assert_true(nftx_publish(&tx));
	assert_true(back_packet());
	check_data(60);
	assert_int_equal(got.flags, 0);
	assert_int_equal(got.nslots, 1);
	assert_int_equal(tx.nfree, NF_TX_SLOTS - 1);
	back_answer_all(NETIF_RSP_OKAY);
	assert_false(back_packet());
	nftx_reap(&tx);
	assert_int_equal(tx.nfree, NF_TX_SLOTS);
	assert_int_equal(tx.errors, 0);
}

static void test_tx_sizes(void **state)
{
	static const uint32_t len[] = { 14, 15, 1514, 4095, 4096, 4097, 8192,
		9000, 65535 };
	static const uint32_t seg[] = { 1, 13, 1448, 3968 };

	(void)state;
	tx_start(&all_feat);
	for (unsigned i = 0; i < 9; i++) {
		for (unsigned j = 0; j < 4; j++) {
			if (len[i] / seg[j] > 9000)
				continue;
			assert_int_equal(send(len[i], seg[j]), 0);
			nftx_publish(&tx);
			assert_true(back_packet());
			check_data(len[i]);
			assert_int_equal(got.nslots, (len[i] + 4095) / 4096);
			back_answer_all(NETIF_RSP_OKAY);
			nftx_reap(&tx);
		}
	}
	assert_int_equal(tx.nfree, tx.nbuf);
	assert_int_equal(tx.nbuf, NF_TX_SLOTS);
}

static void test_tx_wraps(void **state)
{
	(void)state;
	tx_start(&all_feat);
	tx.ring.req_prod = tx.ring.rsp_cons = tx.ring.rsp_seen = 0xfffffff0;
	tx.ring.sh->req_prod = tx.ring.sh->rsp_prod = 0xfffffff0;
	tb.cons = tb.prod = 0xfffffff0;
	for (unsigned i = 0; i < 1000; i++) {
		uint32_t len = 14 + i * 64;

		assert_int_equal(send(len, 1448), 0);
		nftx_publish(&tx);
		assert_true(back_packet());
		check_data(len);
		back_answer_all(NETIF_RSP_OKAY);
		nftx_reap(&tx);
	}
	assert_null(tx.broken);
}

static void test_tx_refused_packets(void **state)
{
	struct pkt *p;

	(void)state;
	tx_start(&all_feat);
	assert_int_equal(send(13, 100), -EINVAL);
	assert_int_equal(send(65536, 3000), -EINVAL);
	p = make(100, 100);
	p->flags = PKT_CSUM_PARTIAL;
	p->csum_start = 82;
	p->csum_offset = 16;
	assert_int_equal(nftx_put(&tx, p), 0);
	p->csum_offset = 18;
	assert_int_equal(nftx_put(&tx, p), -EINVAL);
	p->csum_start = 0xfffe;
	p->csum_offset = 0xfffe;
	assert_int_equal(nftx_put(&tx, p), -EINVAL);
	p->csum_start = 35;
	p->csum_offset = 6;
	assert_int_equal(nftx_put(&tx, p), -EINVAL);
	p->flags = PKT_TSO4; /* without a checksum to fill */
	p->gso_size = 1448;
	assert_int_equal(nftx_put(&tx, p), -EINVAL);
	pkt_free(p);
	assert_int_equal(tx.nfree, tx.nbuf - 1);
}

static void test_tx_no_sg(void **state)
{
	const struct nf_feat feat = { .csum4 = true };
	struct pkt *p;

	(void)state;
	tx_start(&feat);
	assert_int_equal(send(4097, 1000), -EINVAL);
	assert_int_equal(send(4096, 1000), 0);
	p = make(100, 100);
	p->flags = PKT_CSUM_PARTIAL | PKT_TSO4;
	p->gso_size = 50;
	p->csum_start = 34;
	p->csum_offset = 16;
	assert_int_equal(nftx_put(&tx, p), -EINVAL);
	pkt_free(p);
}

static void test_tx_gso(void **state)
{
	struct pkt *p = make(30000, 1448);

	(void)state;
	tx_start(&all_feat);
	p->flags = PKT_CSUM_PARTIAL | PKT_TSO4;
	p->gso_size = 1448;
	p->csum_start = 34;
	p->csum_offset = 16;
	assert_int_equal(nftx_put(&tx, p), 0);
	p->flags = PKT_CSUM_PARTIAL | PKT_TSO6;
	assert_int_equal(nftx_put(&tx, p), 0);
	pkt_free(p);
	nftx_publish(&tx);
	assert_true(back_packet());
	check_data(30000);
	assert_int_equal(got.flags, NETTXF_csum_blank | NETTXF_data_validated |
					NETTXF_extra_info | NETTXF_more_data);
	assert_int_equal(got.extra.type, XEN_NETIF_EXTRA_TYPE_GSO);
	assert_int_equal(got.extra.u.gso.size, 1448);
	assert_int_equal(got.extra.u.gso.type, XEN_NETIF_GSO_TYPE_TCPV4);
	assert_int_equal(got.extra.u.gso.features, 0);
	back_answer_all(NETIF_RSP_OKAY);
	assert_true(back_packet());
	check_data(30000);
	assert_int_equal(got.extra.u.gso.type, XEN_NETIF_GSO_TYPE_TCPV6);
	back_answer_all(NETIF_RSP_OKAY);
	nftx_reap(&tx);
	assert_null(tx.broken);
	assert_int_equal(tx.extras, 0);
	assert_int_equal(tx.nfree, tx.nbuf);
}

/* RFC 1071, one byte after the other. */
static uint16_t plain_csum(const uint8_t *p, uint32_t n)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < n; i++) {
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)sum;
}

static void send_partial(uint32_t len, bool v6)
{
	struct pkt *p = make(len, 1448);

	p->data[12] = v6 ? 0x86 : 0x08;
	p->data[13] = v6 ? 0xdd : 0x00;
	p->flags = PKT_CSUM_PARTIAL;
	p->csum_start = 34;
	p->csum_offset = 16;
	assert_int_equal(nftx_put(&tx, p), 0);
	pkt_free(p);
	nftx_publish(&tx);
	assert_true(back_packet());
	assert_int_equal(got.len, len);
	back_answer_all(NETIF_RSP_OKAY);
	nftx_reap(&tx);
}

/* What the back end does not sum is whole when it gets there: everything from
 * csum_start on and the pseudo header sum up to 0xffff. */
static void check_summed(uint32_t len)
{
	uint16_t pseudo = (uint16_t)(pattern(50) << 8 | pattern(51));
	uint32_t sum = plain_csum(got.data + 34, len - 34);

	assert_int_equal(got.flags & NETTXF_csum_blank, 0);
	sum += pseudo;
	sum = (sum & 0xffff) + (sum >> 16);
	assert_int_equal(sum, 0xffff);
}

static void test_tx_csum(void **state)
{
	const struct nf_feat v4 = { .sg = true, .csum4 = true };
	const struct nf_feat none = { .sg = true };

	tx_start(&v4);
	send_partial(1000, false);
	assert_int_equal(got.flags, NETTXF_csum_blank | NETTXF_data_validated);
	send_partial(1000, true);
	check_summed(1000);
	tx_end(state);
	tx_start(&none);
	send_partial(1001, false);
	check_summed(1001);
	send_partial(9001, false);
	check_summed(9001);
	send_partial(52, true);
	check_summed(52);
}

/* Without an answer the ring fills; then large packets fit one by one. */
static void test_tx_full(void **state)
{
	unsigned n = 0;

	(void)state;
	tx_start(&all_feat);
	while (send(1514, 1514) == 0)
		n++;
	assert_int_equal(n, 256);
	assert_int_equal(send(100, 100), -EAGAIN);
	assert_true(tx.starved);
	nftx_publish(&tx);
	assert_false(nftx_arm(&tx));
	for (unsigned i = 1; i <= n; i++) {
		bool event;

		assert_true(back_packet());
		back_answer(got.id[0], NETIF_RSP_OKAY);
		event = back_show(&tb);
		assert_int_equal(event, i == NF_TX_SLOTS + 1);
	}
	assert_true(nftx_arm(&tx));
	nftx_reap(&tx);
	assert_int_equal(tx.nfree, 256);
	for (n = 0; send(65000, 1448) == 0;)
		n++;
	assert_int_equal(n, 16);
}

/* Memory runs out: what was put by is enough for one large packet. */
static void test_tx_no_memory(void **state)
{
	(void)state;
	tx_start(&all_feat);
	no_pages = true;
	assert_int_equal(send(65535, 3000), 0);
	assert_int_equal(send(9000, 3000), -EAGAIN);
	nftx_publish(&tx);
	assert_true(back_packet());
	back_answer_all(NETIF_RSP_OKAY);
	nftx_reap(&tx);
	assert_int_equal(send(9000, 3000), 0);
}

static void test_tx_init_no_memory(void **state)
{
	long n;

	shared = page_alloc(0, PAGE_ZERO);
	for (n = 1;; n++) {
		fake_mm_fail_nth(n);
		if (nftx_init(&tx, shared, &all_feat, page_new, grant) == 0)
			break;
		assert_true(fake_mm_failed());
		for (unsigned i = 0; i < tx.nbuf; i++) {
			assert_true(page_end(grant, &tx.buf[i].page));
			page_put(tx.buf[i].page.va);
		}
		nftx_destroy(&tx);
		assert_int_equal(fake_mm_live(), 1);
	}
	fake_mm_fail_nth(0);
	assert_int_equal(n, NF_TX_SLOTS + 2);
	(void)state;
}

static void test_tx_errors_counted(void **state)
{
	(void)state;
	tx_start(&all_feat);
	send(100, 100);
	send(9000, 3000);
	nftx_publish(&tx);
	back_packet();
	back_answer_all(NETIF_RSP_DROPPED);
	back_packet();
	back_answer_all(NETIF_RSP_ERROR);
	nftx_reap(&tx);
	assert_null(tx.broken);
	assert_int_equal(tx.errors, 4);
	assert_int_equal(tx.nfree, tx.nbuf);
}

static void check_tx_broken(void)
{
	nftx_reap(&tx);
	assert_non_null(tx.broken);
	nftx_reap(&tx);
	assert_int_equal(send(100, 100), -EIO);
	assert_false(nftx_publish(&tx));
	assert_false(nftx_arm(&tx));
}

static void tx_lie(uint16_t id, int16_t status, unsigned times)
{
	tx_start(&all_feat);
	send(100, 100);
	send(100, 100);
	nftx_publish(&tx);
	back_packet();
	for (unsigned i = 0; i < times; i++)
		back_answer(id == 0xfff0 ? got.id[0] : id, status);
	back_show(&tb);
	check_tx_broken();
	tx_end(NULL);
}

static void test_tx_lies(void **state)
{
	(void)state;
	tx_lie(0xffff, NETIF_RSP_OKAY, 1); /* out of range */
	tx_lie(256, NETIF_RSP_OKAY, 1);
	tx_lie(NF_TX_SLOTS, NETIF_RSP_OKAY, 1); /* an id without a page */
	tx_lie(3, NETIF_RSP_OKAY, 1);           /* not in flight */
	tx_lie(0xfff0, NETIF_RSP_OKAY, 2);      /* twice */
	tx_lie(0xfff0, -3, 1);                  /* absurd status */
	tx_lie(0xfff0, 2, 1);
	tx_lie(0xfff0, INT16_MIN, 1);
	tx_lie(0xfff0, NETIF_RSP_NULL, 1); /* no extra was sent */
	tx_start(&all_feat);
}

static void test_tx_producer_jumps(void **state)
{
	static const uint32_t jump[] = { 3, 257, 0x80000000, 0xffffffff };

	for (unsigned i = 0; i < 4; i++) {
		tx_start(&all_feat);
		send(100, 100);
		send(100, 100);
		nftx_publish(&tx);
		tx.ring.sh->rsp_prod = jump[i];
		check_tx_broken();
		tx_end(state);
	}
	tx_start(&all_feat);
}

/* A lie that is seen when the event is asked for is not lost. */
static void test_tx_lie_while_arming(void **state)
{
	(void)state;
	tx_start(&all_feat);
	send(100, 100);
	nftx_publish(&tx);
	nftx_reap(&tx);
	tx.ring.sh->rsp_prod = 77;
	assert_true(nftx_arm(&tx));
	check_tx_broken();
}

/* ========================================================================= */
/* receive                                                                   */
/* ========================================================================= */

static struct nfrx rx;
static struct back rb;

static void rx_start(unsigned target)
{
	shared = page_alloc(0, PAGE_ZERO);
	assert_int_equal(nfrx_init(&rx, shared, target), 0);
	rx.page_new = page_new;
	rx.page_end = page_end;
	rx.page_arg = grant;
	rb = back_of(sizeof(struct netif_rx_request));
	assert_int_equal(rx.ring.size, 256);
	nfrx_refill(&rx);
}

static int rx_end(void **state)
{
	(void)state;
	nfrx_drain(&rx);
	assert_int_equal(granted, 0);
	nfrx_destroy(&rx);
	for (unsigned i = 0; i < NGRANTS; i++) {
		if (grant[i].kept)
			page_put(grant[i].va);
		grant[i].va = NULL;
		grant[i].kept = false;
	}
	page_free(shared, 0);
	no_pages = false;
	leaked = 0;
	assert_int_equal(fake_mm_live(), 0);
	return 0;
}

static uint32_t sent; /* bytes of the pattern so far */

/* Fill the next request's page and answer it. */
static void back_data(unsigned off, unsigned len, uint16_t flags)
{
	struct netif_rx_request req;
	struct netif_rx_response rsp = {
		.offset = (uint16_t)off,
		.flags = flags,
		.status = (int16_t)len,
	};

	assert_true(back_get(&rb, &req));
	for (unsigned i = 0; i < len; i++)
		((uint8_t *)grant[req.gref].va)[off + i] = pattern(sent + i);
	sent = flags & NETRXF_more_data ? sent + len : 0;
	rsp.id = req.id;
	back_put(&rb, &rsp, sizeof(rsp));
}

static void back_raw(uint16_t id, uint16_t off, uint16_t flags, int16_t status)
{
	struct netif_rx_request req;
	struct netif_rx_response rsp = { id, off, flags, status };

	assert_true(back_get(&rb, &req));
	if (id == 0xfff0)
		rsp.id = req.id;
	back_put(&rb, &rsp, sizeof(rsp));
}

static void back_extra(uint8_t type, uint8_t flags, uint8_t gso, uint16_t size)
{
	struct netif_rx_request req;
	struct netif_extra_info x = { .type = type, .flags = flags };

	x.u.gso.size = size;
	x.u.gso.type = gso;
	assert_true(back_get(&rb, &req));
	back_put(&rb, &x, sizeof(x));
}

static void check_pkt(
    struct pkt *p, uint32_t len, unsigned nseg, uint16_t flags)
{
	uint32_t at = 0;
	unsigned n = 0;

	assert_non_null(p);
	assert_int_equal(p->totlen, len);
	assert_int_equal(p->nseg, nseg);
	assert_int_equal(p->flags, flags);
	for (struct pkt *s = p; s; s = s->seg_next, n++)
		for (unsigned i = 0; i < s->len; i++, at++)
			if (s->data[i] != pattern(at))
				fail_msg("byte %u of %u", at, len);
	assert_int_equal(at, len);
	assert_int_equal(n, nseg);
	pkt_free(p);
}

static void test_rx_empty(void **state)
{
	(void)state;
	rx_start(64);
	assert_int_equal(nfrx_posted(&rx), 64);
	assert_null(nfrx_take(&rx));
	assert_false(nfrx_arm(&rx));
	assert_false(nfrx_refill(&rx));
	assert_null(rx.broken);
}

static void test_rx_one(void **state)
{
	(void)state;
	rx_start(64);
	back_data(0, 60, 0);
	assert_null(nfrx_take(&rx)); /* not shown yet */
	assert_true(back_show(&rb));
	check_pkt(nfrx_take(&rx), 60, 1, 0);
	assert_null(nfrx_take(&rx));
	assert_int_equal(nfrx_posted(&rx), 63);
	assert_int_equal(granted, 63);
	nfrx_refill(&rx);
	assert_int_equal(nfrx_posted(&rx), 64);
}

static void test_rx_two(void **state)
{
	(void)state;
	rx_start(64);
	back_data(64, 1514, NETRXF_data_validated);
	back_data(0, 4096, NETRXF_csum_blank | NETRXF_data_validated);
	back_show(&rb);
	check_pkt(nfrx_take(&rx), 1514, 1, PKT_CSUM_VALID);
	check_pkt(nfrx_take(&rx), 4096, 1, PKT_CSUM_VALID);
	assert_null(nfrx_take(&rx));
}

static void test_rx_chain(void **state)
{
	(void)state;
	rx_start(64);
	back_data(256, 1000, NETRXF_more_data | NETRXF_csum_blank);
	back_data(0, 4096, NETRXF_more_data);
	back_data(0, 4096, NETRXF_more_data);
	back_data(0, 7, 0);
	back_show(&rb);
	check_pkt(nfrx_take(&rx), 1000 + 8192 + 7, 4, PKT_CSUM_VALID);
}

/* A packet is shown in parts. */
static void test_rx_parts(void **state)
{
	(void)state;
	rx_start(64);
	back_data(0, 1000, NETRXF_more_data | NETRXF_extra_info);
	back_show(&rb);
	assert_null(nfrx_take(&rx));
	back_extra(XEN_NETIF_EXTRA_TYPE_GSO, 0, XEN_NETIF_GSO_TYPE_TCPV4, 1448);
	back_show(&rb);
	assert_null(nfrx_take(&rx));
	nfrx_refill(&rx);
	back_data(0, 100, 0);
	back_show(&rb);
	check_pkt(nfrx_take(&rx), 1100, 2, PKT_TSO4);
	assert_null(rx.broken);
}

static void test_rx_gso(void **state)
{
	struct pkt *p;

	(void)state;
	rx_start(64);
	back_data(
	    0, 1000, NETRXF_more_data | NETRXF_extra_info | NETRXF_csum_blank);
	back_extra(XEN_NETIF_EXTRA_TYPE_GSO, 0, XEN_NETIF_GSO_TYPE_TCPV6, 1400);
	back_data(0, 4096, 0);
	back_show(&rb);
	p = nfrx_take(&rx);
	assert_non_null(p);
	assert_int_equal(p->gso_size, 1400);
	check_pkt(p, 5096, 2, PKT_TSO6 | PKT_CSUM_VALID);
	/* the extra's page serves again */
	assert_int_equal(nfrx_posted(&rx), 62);
	assert_int_equal(granted, 62);
}

static void test_rx_wraps(void **state)
{
	(void)state;
	rx_start(200);
	for (unsigned i = 0; i < 2000; i++) {
		back_data(0, 500, NETRXF_more_data | NETRXF_extra_info);
		back_extra(XEN_NETIF_EXTRA_TYPE_GSO, 0,
		    XEN_NETIF_GSO_TYPE_TCPV4, 1448);
		back_data(i % 3000, 700, 0);
		back_show(&rb);
		check_pkt(nfrx_take(&rx), 1200, 2, PKT_TSO4);
		nfrx_refill(&rx);
		assert_int_equal(nfrx_posted(&rx), 200);
	}
}

static void test_rx_arm(void **state)
{
	(void)state;
	rx_start(64);
	assert_false(nfrx_arm(&rx));
	back_data(0, 60, 0);
	assert_true(back_show(&rb));
	back_data(0, 60, 0);
	assert_false(back_show(&rb)); /* one event was enough */
	assert_true(nfrx_arm(&rx));
	check_pkt(nfrx_take(&rx), 60, 1, 0);
	check_pkt(nfrx_take(&rx), 60, 1, 0);
	assert_false(nfrx_arm(&rx));
	back_data(0, 60, 0);
	assert_true(back_show(&rb));
}

/* Bad packets from an honest back end are dropped, their pages kept. */
static void test_rx_dropped(void **state)
{
	(void)state;
	rx_start(64);
	back_raw(0xfff0, 0, 0, NETIF_RSP_ERROR);
	back_raw(0xfff0, 0, 0, NETIF_RSP_DROPPED);
	back_raw(0xfff0, 0, 0, 0);
	back_data(0, 13, 0); /* no Ethernet header */
	back_data(0, 100, NETRXF_more_data);
	back_raw(0xfff0, 0, 0, NETIF_RSP_ERROR); /* its second half */
	sent = 0;
	back_data(0, 100, NETRXF_extra_info);
	back_extra(XEN_NETIF_EXTRA_TYPE_HASH, 0, 0, 0);
	back_data(0, 100, NETRXF_extra_info);
	back_extra(XEN_NETIF_EXTRA_TYPE_GSO, 0, 9, 1448);
	back_data(0, 100, NETRXF_extra_info);
	back_extra(XEN_NETIF_EXTRA_TYPE_GSO, 0, XEN_NETIF_GSO_TYPE_TCPV4, 0);
	back_data(0, 61, 0);
	back_show(&rb);
	check_pkt(nfrx_take(&rx), 61, 1, 0);
	assert_int_equal(rx.errors, 8);
	assert_null(rx.broken);
	nfrx_refill(&rx);
	assert_int_equal(nfrx_posted(&rx), 64);
	assert_int_equal(granted, 64);
}

static void test_rx_no_memory(void **state)
{
	(void)state;
	rx_start(64);
	back_data(0, 60, 0);
	back_data(0, 61, 0);
	back_show(&rb);
	fake_mm_fail_nth(1); /* no header for the first */
	check_pkt(nfrx_take(&rx), 61, 1, 0);
	assert_true(fake_mm_failed());
	fake_mm_fail_nth(0);
	assert_int_equal(rx.errors, 1);
	no_pages = true;
	nfrx_refill(&rx);
	assert_int_equal(nfrx_posted(&rx), 62);
	no_pages = false;
	assert_true(nfrx_refill(&rx) || true);
	assert_int_equal(nfrx_posted(&rx), 64);
}

static void check_rx_broken(void)
{
	back_show(&rb);
	assert_null(nfrx_take(&rx));
	assert_non_null(rx.broken);
	assert_null(nfrx_take(&rx));
	assert_false(nfrx_refill(&rx));
	assert_false(nfrx_arm(&rx));
	assert_null(nfrx_take(&rx));
	rx_end(NULL);
	rx_start(64);
}

static void test_rx_lies(void **state)
{
	(void)state;
	rx_start(64);
	back_raw(0xffff, 0, 0, 60); /* out of range */
	check_rx_broken();
	back_raw(1, 0, 0, 60); /* another slot's */
	check_rx_broken();
	back_raw(0xfff0, 4096, 0, 1); /* past the page */
	check_rx_broken();
	back_raw(0xfff0, 0, 0, 4097);
	check_rx_broken();
	back_raw(0xfff0, 0xffff, 0, INT16_MAX);
	check_rx_broken();
	back_raw(0xfff0, 4000, 0, 97);
	check_rx_broken();
}

static void test_rx_chain_without_end(void **state)
{
	(void)state;
	rx_start(64);
	for (unsigned i = 0; i < 30; i++)
		back_data(0, 100, NETRXF_more_data);
	sent = 0;
	check_rx_broken();
	for (unsigned i = 0; i < 30; i++) /* nor one that is dropped */
		back_raw(0xfff0, 0, NETRXF_more_data, NETIF_RSP_ERROR);
	check_rx_broken();
	back_data(0, 100, NETRXF_extra_info);
	for (unsigned i = 0; i < 30; i++)
		back_extra(XEN_NETIF_EXTRA_TYPE_GSO, XEN_NETIF_EXTRA_FLAG_MORE,
		    XEN_NETIF_GSO_TYPE_TCPV4, 1);
	check_rx_broken();
}

static void test_rx_producer_jumps(void **state)
{
	static const uint32_t jump[] = { 65, 257, 0x80000000, 0xffffffff };

	(void)state;
	rx_start(64);
	for (unsigned i = 0; i < 4; i++) {
		rb.prod = jump[i];
		check_rx_broken();
	}
}

/* Answering twice is an index past what was asked for, or the next slot. */
static void test_rx_twice(void **state)
{
	struct netif_rx_response rsp = { .status = 60 };

	(void)state;
	rx_start(64);
	back_put(&rb, &rsp, sizeof(rsp));
	back_put(&rb, &rsp, sizeof(rsp));
	back_show(&rb);
	pkt_free(nfrx_take(&rx));
	check_rx_broken();
}

/* The page is still mapped: nobody may see it, and it is not used again. */
static void test_rx_page_kept(void **state)
{
	(void)state;
	rx_start(64);
	back_data(0, 100, NETRXF_more_data);
	grant[((struct netif_rx_request *)rb.slot)[1].gref].kept = true;
	back_data(0, 100, 0);
	back_show(&rb);
	assert_null(nfrx_take(&rx));
	assert_non_null(rx.broken);
	assert_int_equal(leaked, 1);
}

/* The back end scribbles over the ring while it is read. */
static void test_rx_scribble(void **state)
{
	(void)state;
	rx_start(64);
	memset(rb.slot, 0xff, 256 * 8);
	rb.prod = 10;
	check_rx_broken();
}

static void test_rx_drain_in_a_packet(void **state)
{
	(void)state;
	rx_start(64);
	back_data(0, 100, NETRXF_more_data);
	back_show(&rb);
	sent = 0;
	assert_null(nfrx_take(&rx));
	assert_non_null(rx.cur);
}

#define TX(f) cmocka_unit_test_teardown(f, tx_end)
#define RX(f) cmocka_unit_test_teardown(f, rx_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TX(test_tx_empty),
		TX(test_tx_one),
		TX(test_tx_sizes),
		TX(test_tx_wraps),
		TX(test_tx_refused_packets),
		TX(test_tx_no_sg),
		TX(test_tx_gso),
		TX(test_tx_csum),
		TX(test_tx_full),
		TX(test_tx_no_memory),
		TX(test_tx_init_no_memory),
		TX(test_tx_errors_counted),
		TX(test_tx_lies),
		TX(test_tx_producer_jumps),
		TX(test_tx_lie_while_arming),
		RX(test_rx_empty),
		RX(test_rx_one),
		RX(test_rx_two),
		RX(test_rx_chain),
		RX(test_rx_parts),
		RX(test_rx_gso),
		RX(test_rx_wraps),
		RX(test_rx_arm),
		RX(test_rx_dropped),
		RX(test_rx_no_memory),
		RX(test_rx_lies),
		RX(test_rx_chain_without_end),
		RX(test_rx_producer_jumps),
		RX(test_rx_twice),
		RX(test_rx_page_kept),
		RX(test_rx_scribble),
		RX(test_rx_drain_in_a_packet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
