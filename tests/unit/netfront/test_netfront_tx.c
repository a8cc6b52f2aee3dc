/* Transmit: both ends of a network queue's ring in one process. */

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
#include "netfront_fixture.h"

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

#define TX(f) cmocka_unit_test_teardown(f, tx_end)

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
