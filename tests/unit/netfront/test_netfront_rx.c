/* Receive: both ends of a network queue's ring in one process. */

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

#define RX(f) cmocka_unit_test_teardown(f, rx_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
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
