/* The network driver against a device that the test plays. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>

#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/net.h"
#include "fake_device.h"
#include "fake_mm.h"
#include "fake_sched.h"

/* --- the layer above ----------------------------------------------------- */

static struct net_dev *eth;
static unsigned nready, nspace;
static int link_seen;

int net_dev_register(struct net_dev *nd)
{
	int err = nd->ops->open(nd);

	if (!err)
		eth = nd;
	return err;
}

void net_dev_unregister(struct net_dev *nd)
{
	assert_ptr_equal(nd, eth);
	nd->ops->stop(nd);
	eth = NULL;
}

void net_link(struct net_dev *nd, bool up)
{
	(void)nd;
	link_seen = up;
}

void net_rx_ready(struct net_dev *nd, unsigned queue)
{
	(void)nd;
	(void)queue;
	assert_int_equal(fake_locks_held(), 0);
	nready++;
}

void net_tx_space(struct net_dev *nd, unsigned queue)
{
	(void)nd;
	(void)queue;
	assert_int_equal(fake_locks_held(), 0);
	nspace++;
}

/* --- fixture ------------------------------------------------------------- */

#define RX 0
#define TX 1

static struct fdev fd;
static struct virtio_net_config cfg;
static uint8_t ctrl_ack;
static unsigned ctrl_pairs;

#define ALL                                                                    \
	(VIRTIO_BIT(VIRTIO_NET_F_CSUM) | VIRTIO_BIT(VIRTIO_NET_F_GUEST_CSUM) | \
	    VIRTIO_BIT(VIRTIO_NET_F_MTU) | VIRTIO_BIT(VIRTIO_NET_F_MAC) |      \
	    VIRTIO_BIT(VIRTIO_NET_F_HOST_TSO4) |                               \
	    VIRTIO_BIT(VIRTIO_NET_F_HOST_TSO6) |                               \
	    VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO4) |                              \
	    VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO6) |                              \
	    VIRTIO_BIT(VIRTIO_NET_F_MRG_RXBUF) |                               \
	    VIRTIO_BIT(VIRTIO_NET_F_STATUS) |                                  \
	    VIRTIO_BIT(VIRTIO_NET_F_CTRL_VQ) | VIRTIO_BIT(VIRTIO_NET_F_MQ) |   \
	    VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC) |                          \
	    VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX))

/* The device's side of the control queue, while the driver sleeps. */
static void serve_ctrl(void *arg)
{
	struct fdev_chain c;

	(void)arg;
	if (!fdev_pop(&fd, 2u * cfg.max_virtqueue_pairs, &c))
		return;
	assert_int_equal(c.nout, 2);
	assert_int_equal(c.nin, 1);
	assert_int_equal(c.seg[0].va[0], VIRTIO_NET_CTRL_MQ);
	ctrl_pairs = c.seg[1].va[0];
	*c.seg[2].va = ctrl_ack;
	fdev_push(&fd, 2u * cfg.max_virtqueue_pairs, c.id, 1);
}

static int setup(void **state)
{
	(void)state;
	cfg = (struct virtio_net_config){
		.mac = { 0x52, 0x54, 0, 1, 2, 3 },
		.status = VIRTIO_NET_S_LINK_UP,
		.max_virtqueue_pairs = 2,
		.mtu = 1400,
	};
	fdev_init(&fd, VIRTIO_ID_NET, ALL);
	nready = nspace = ctrl_pairs = 0;
	link_seen = -1;
	sched_ncpu = 1;
	ctrl_ack = VIRTIO_NET_OK;
	fake_sleep_hook = serve_ctrl;
	return 0;
}

static int attach(void)
{
	int err;

	fdev_config(&fd, 0, &cfg, sizeof(cfg));
	err = fdev_attach(&fd);
	if (!err)
		fake_work_run();
	return err;
}

static int end(void **state)
{
	(void)state;
	fdev_remove(&fd);
	assert_null(eth);
	assert_int_equal(fake_timers_pending(), 0);
	assert_int_equal(fake_mm_live(), 0);
	return 0;
}

/* --- receive ------------------------------------------------------------- */

/* Put (n) bytes with (h) before them in the next buffer. */
static uint32_t rx_fill(const struct virtio_net_hdr_v1 *h, unsigned n)
{
	struct fdev_chain c;
	uint32_t at = 0;

	assert_true(fdev_pop(&fd, RX, &c));
	assert_int_equal(c.nout, 0);
	assert_int_equal(c.nin, 1);
	if (h) {
		memcpy(c.seg[0].va, h, sizeof(*h));
		at = sizeof(*h);
	}
	assert_true(at + n <= c.seg[0].len);
	for (unsigned i = 0; i < n; i++)
		c.seg[0].va[at + i] = (uint8_t)i;
	fdev_push(&fd, RX, c.id, at + n);
	return c.id;
}

static unsigned rx(struct pkt **p)
{
	return eth->ops->rx(eth, 0, p, 8);
}

static void test_attach(void **state)
{
	(void)state;
	assert_int_equal(attach(), 0);
	assert_int_equal(eth->info.mac[5], 3);
	assert_int_equal(eth->info.mtu, 1400);
	assert_int_equal(eth->info.nqueues, 1);
	assert_int_equal(
	    eth->info.offload, PKT_CSUM_PARTIAL | PKT_TSO4 | PKT_TSO6);
	assert_int_equal(link_seen, 1);
	assert_int_equal(ctrl_pairs, 0);
	cfg.status = 0;
	fdev_config(&fd, 0, &cfg, sizeof(cfg));
	fdev_config_irq(&fd);
	fake_work_run();
	assert_int_equal(link_seen, 0);
}

static void test_multi_queue(void **state)
{
	sched_ncpu = 8;
	assert_int_equal(attach(), 0);
	assert_int_equal(eth->info.nqueues, 2);
	assert_int_equal(ctrl_pairs, 2);
	assert_non_null(fd.q[3].vq);
	end(state);
	setup(state);
	sched_ncpu = 8;
	ctrl_ack = VIRTIO_NET_ERR;
	assert_int_equal(attach(), 0);
	assert_int_equal(eth->info.nqueues, 1);
	end(state);
	setup(state);
	sched_ncpu = 8;
	fake_sleep_hook = NULL; /* it never answers */
	assert_int_equal(attach(), 0);
	assert_int_equal(eth->info.nqueues, 1);
	end(state);
	setup(state);
	sched_ncpu = 8;
	cfg.max_virtqueue_pairs = 0x8000;
	assert_int_equal(attach(), 0);
	assert_int_equal(eth->info.nqueues, 1);
	end(state);
	setup(state);
	cfg.max_virtqueue_pairs = 0;
	assert_int_equal(attach(), -EINVAL);
}

static void test_rx(void **state)
{
	struct virtio_net_hdr_v1 h = { .num_buffers = 1 };
	struct pkt *p[8];

	(void)state;
	assert_int_equal(attach(), 0);
	assert_false(eth->ops->rx_arm(eth, 0));
	rx_fill(&h, 60);
	h.flags = VIRTIO_NET_HDR_F_DATA_VALID;
	rx_fill(&h, 1514);
	fdev_irq(&fd, RX);
	assert_int_equal(nready, 1);
	assert_int_equal(rx(p), 2);
	assert_int_equal(p[0]->totlen, 60);
	assert_int_equal(p[0]->data[59], 59);
	assert_int_equal(p[0]->flags, 0);
	assert_int_equal(p[1]->len, 1514);
	assert_int_equal(p[1]->flags, PKT_CSUM_VALID);
	pkt_free(p[0]);
	pkt_free(p[1]);
	assert_int_equal(rx(p), 0);
	assert_false(eth->ops->rx_arm(eth, 0));
	rx_fill(&h, 60);
	assert_true(eth->ops->rx_arm(eth, 0));
	assert_int_equal(rx(p), 1);
	pkt_free(p[0]);
}

/* A large packet in three buffers, the last of which comes later. */
static void test_rx_merged(void **state)
{
	struct virtio_net_hdr_v1 h = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN,
		.gso_size = 1448,
		.hdr_len = 66,
		.csum_start = 34,
		.csum_offset = 16,
		.num_buffers = 3,
	};
	struct pkt *p[8];

	(void)state;
	assert_int_equal(attach(), 0);
	rx_fill(&h, 3000);
	rx_fill(NULL, 3000);
	assert_int_equal(rx(p), 0);
	rx_fill(NULL, 7);
	assert_int_equal(rx(p), 1);
	assert_int_equal(p[0]->totlen, 6007);
	assert_int_equal(p[0]->nseg, 3);
	assert_int_equal(p[0]->flags, PKT_CSUM_PARTIAL | PKT_TSO4);
	assert_int_equal(p[0]->gso_size, 1448);
	assert_int_equal(p[0]->seg_next->data[5], 5);
	assert_int_equal(p[0]->seg_next->seg_next->len, 7);
	pkt_free(p[0]);
}

/* Headers that make no sense cost their packet only. */
static void test_rx_bad_headers(void **state)
{
	static const struct virtio_net_hdr_v1 bad[] = {
		{ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		    .csum_start = 50,
		    .csum_offset = 9,
		    .num_buffers = 1 },
		{ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		    .csum_start = 0xffff,
		    .csum_offset = 0xffff,
		    .num_buffers = 1 },
		{ .gso_type = 77, .gso_size = 1, .num_buffers = 1 },
		{ .gso_type = VIRTIO_NET_HDR_GSO_UDP,
		    .gso_size = 1,
		    .num_buffers = 1 },
		{ .gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .num_buffers = 1 },
		{ .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		    .gso_size = 1,
		    .hdr_len = 61,
		    .num_buffers = 1 },
	};
	struct virtio_net_hdr_v1 good = { .num_buffers = 1 };
	struct pkt *p[8];

	(void)state;
	assert_int_equal(attach(), 0);
	for (unsigned i = 0; i < 6; i++)
		rx_fill(&bad[i], 60);
	rx_fill(&good, 13);
	rx_fill(&good, 61);
	assert_int_equal(rx(p), 1);
	assert_int_equal(p[0]->totlen, 61);
	assert_int_equal(eth->stats.rx_errors, 7);
	assert_false(fd.vd.broken);
	pkt_free(p[0]);
}

static void rx_broken(void (*lie)(void))
{
	struct pkt *p[8];

	assert_int_equal(attach(), 0);
	lie();
	assert_int_equal(rx(p), 0);
	assert_true(fd.vd.broken);
	assert_int_equal(rx(p), 0);
	assert_false(eth->ops->rx_arm(eth, 0));
	fdev_remove(&fd);
	assert_null(fd.vd.tr);
	end(NULL);
	setup(NULL);
}

static void lie_no_buffers(void)
{
	struct virtio_net_hdr_v1 h = { .num_buffers = 0 };

	rx_fill(&h, 60);
}

static void lie_many_buffers(void)
{
	struct virtio_net_hdr_v1 h = { .num_buffers = 0xffff };

	rx_fill(&h, 60);
}

static void lie_short(void)
{
	rx_fill(NULL, 12);
}

static void lie_empty(void)
{
	rx_fill(NULL, 0);
}

static void lie_long(void)
{
	struct fdev_chain c;

	fdev_pop(&fd, RX, &c);
	fdev_push(&fd, RX, c.id, c.seg[0].len + 1);
}

static void lie_twice(void)
{
	struct virtio_net_hdr_v1 h = { .num_buffers = 2 };
	uint32_t id = rx_fill(&h, 60);

	fdev_push(&fd, RX, id, 60);
}

static void test_rx_lies(void **state)
{
	(void)state;
	rx_broken(lie_no_buffers);
	rx_broken(lie_many_buffers);
	rx_broken(lie_short);
	rx_broken(lie_empty);
	rx_broken(lie_long);
	rx_broken(lie_twice);
}

/* The ring runs dry with no memory: a timer tries again. */
static void test_rx_no_memory(void **state)
{
	struct virtio_net_hdr_v1 h = { .num_buffers = 1 };
	struct fdev_chain c;
	struct pkt *p[300];
	unsigned n = 0;

	(void)state;
	fd.q[RX].max = 2;
	assert_int_equal(attach(), 0);
	rx_fill(&h, 60);
	rx_fill(&h, 60);
	fake_mm_fail_nth(1);
	n = eth->ops->rx(eth, 0, p, 300);
	assert_int_equal(n, 2);
	assert_true(fake_mm_failed());
	fake_mm_fail_nth(0);
	assert_false(fdev_pop(&fd, RX, &c));
	assert_int_equal(fake_timers_pending(), 1);
	fake_clock_advance(NSEC_PER_SEC);
	assert_int_equal(nready, 1);
	assert_int_equal(rx(p + 2), 0);
	assert_true(fdev_pop(&fd, RX, &c));
	pkt_free(p[0]);
	pkt_free(p[1]);
}

/* The device needs more buffers than there are for its next packet, and says
 * nothing until it has them: a timer tries again. */
static void test_rx_little_memory(void **state)
{
	struct virtio_net_hdr_v1 h = { .num_buffers = 1 };
	struct pkt *p[64];
	unsigned n;

	(void)state;
	fd.q[RX].max = 32;
	assert_int_equal(attach(), 0);
	for (unsigned i = 0; i < 31; i++)
		rx_fill(&h, 60);
	fake_mm_fail_nth(1);
	n = eth->ops->rx(eth, 0, p, 64);
	assert_int_equal(n, 31);
	fake_mm_fail_nth(0);
	assert_int_equal(fake_timers_pending(), 1);
	fake_clock_advance(NSEC_PER_SEC);
	assert_int_equal(nready, 1);
	while (n)
		pkt_free(p[--n]);
}

/* --- transmit ------------------------------------------------------------ */

static struct pkt *make(unsigned nseg, unsigned len)
{
	struct pkt *first = NULL, **tail = &first;

	for (unsigned i = 0; i < nseg; i++) {
		struct pkt *p = pkt_alloc();

		assert_non_null(p);
		memset(p->data, (int)i + 1, len);
		p->len = (uint16_t)len;
		*tail = p;
		tail = &p->seg_next;
		first->nseg = (uint16_t)(i + 1);
		first->totlen += len;
	}
	return first;
}

static void test_tx(void **state)
{
	const struct virtio_net_hdr_v1 *h;
	struct pkt *p[2] = { make(1, 60), make(3, 1000) };
	struct fdev_chain c;
	uint8_t *data = p[0]->data;

	(void)state;
	assert_int_equal(attach(), 0);
	p[1]->flags = PKT_CSUM_PARTIAL | PKT_TSO6;
	p[1]->csum_start = 54;
	p[1]->csum_offset = 16;
	p[1]->gso_size = 1428;
	p[1]->hdr_len = 74;
	p[1]->head = p[1]->data; /* no room before it */
	assert_int_equal(eth->ops->tx(eth, 0, p, 2), 2);
	assert_int_equal(fd.q[TX].notified, 1);
	assert_true(fdev_pop(&fd, TX, &c));
	assert_int_equal(c.nout, 1);
	assert_ptr_equal(c.seg[0].va, data - sizeof(*h));
	assert_int_equal(c.seg[0].len, 60 + sizeof(*h));
	h = (const void *)c.seg[0].va;
	assert_int_equal(h->flags, 0);
	assert_int_equal(h->gso_type, 0);
	fdev_push(&fd, TX, c.id, 0);
	assert_true(fdev_pop(&fd, TX, &c));
	assert_int_equal(c.nout, 4);
	assert_int_equal(c.seg[0].len, sizeof(*h));
	h = (const void *)c.seg[0].va;
	assert_int_equal(h->flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(h->gso_type, VIRTIO_NET_HDR_GSO_TCPV6);
	assert_int_equal(h->gso_size, 1428);
	assert_int_equal(h->hdr_len, 74);
	assert_int_equal(h->csum_start, 54);
	assert_int_equal(c.seg[3].va[999], 3);
	/* what pkt_free() will look for the page at */
	p[1]->head = (uint8_t *)((uintptr_t)p[1]->head & ~4095ul);
	fdev_push(&fd, TX, c.id, 0);
	fdev_irq(&fd, TX);
}

static void test_tx_full(void **state)
{
	struct fdev_chain c;
	struct pkt *p;
	unsigned n = 0;

	(void)state;
	assert_int_equal(attach(), 0);
	for (;; n++) {
		p = make(1, 60);
		if (eth->ops->tx(eth, 0, &p, 1) == 0)
			break;
	}
	assert_int_equal(n, 256);
	for (unsigned i = 0; i < 256 && nspace == 0; i++) {
		assert_true(fdev_pop(&fd, TX, &c));
		fdev_push(&fd, TX, c.id, 0);
		fdev_irq(&fd, TX);
	}
	assert_int_equal(nspace, 1);
	assert_int_equal(eth->ops->tx(eth, 0, &p, 1), 1);
}

static void test_tx_impossible(void **state)
{
	struct pkt *p = make(60, 10);

	(void)state;
	assert_int_equal(attach(), 0);
	assert_int_equal(eth->info.max_seg, 48);
	assert_int_equal(eth->ops->tx(eth, 0, &p, 1), 1); /* dropped */
	assert_int_equal(eth->stats.tx_errors, 1);
}

static void test_tx_lie(void **state)
{
	struct pkt *p[2] = { make(1, 60), make(1, 60) };
	struct fdev_chain c;

	(void)state;
	assert_int_equal(attach(), 0);
	assert_int_equal(eth->ops->tx(eth, 0, p, 1), 1);
	assert_true(fdev_pop(&fd, TX, &c));
	fdev_push(&fd, TX, c.id, 60); /* it was given nothing to write */
	assert_int_equal(eth->ops->tx(eth, 0, p + 1, 1), 1);
	assert_true(fd.vd.broken);
}

static void test_legacy(void **state)
{
	struct virtio_net_hdr_v1 h = { 0 };
	struct fdev_chain c;
	struct pkt *p[8] = { make(1, 60) };

	(void)state;
	fd.vd.modern = false;
	fd.offered = VIRTIO_BIT(VIRTIO_NET_F_MAC);
	assert_int_equal(attach(), 0);
	assert_int_equal(eth->info.offload, 0);
	assert_int_equal(eth->info.mtu, 1500);
	/* the header is ten bytes, and apart */
	assert_true(fdev_pop(&fd, RX, &c));
	assert_int_equal(c.nin, 2);
	assert_int_equal(c.seg[0].len, 10);
	memcpy(c.seg[0].va, &h, 10);
	memset(c.seg[1].va, 9, 64);
	fdev_push(&fd, RX, c.id, 74);
	assert_int_equal(eth->ops->tx(eth, 0, p, 1), 1);
	assert_true(fdev_pop(&fd, TX, &c));
	assert_int_equal(c.nout, 2);
	assert_int_equal(c.seg[0].len, 10);
	assert_int_equal(rx(p), 1);
	assert_int_equal(p[0]->totlen, 64);
	assert_int_equal(p[0]->data[0], 9);
	pkt_free(p[0]);
}

static void test_no_memory(void **state)
{
	long n;

	for (n = 1;; n++) {
		fake_mm_fail_nth(n);
		if (attach() == 0 && !fake_mm_failed())
			break;
		assert_true(fake_mm_failed());
		fake_mm_fail_nth(0);
		end(state);
		setup(state);
	}
	fake_mm_fail_nth(0);
	assert_true(n > 10);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_attach),
		T(test_multi_queue),
		T(test_rx),
		T(test_rx_merged),
		T(test_rx_bad_headers),
		T(test_rx_lies),
		T(test_rx_no_memory),
		T(test_rx_little_memory),
		T(test_tx),
		T(test_tx_full),
		T(test_tx_impossible),
		T(test_tx_lie),
		T(test_legacy),
		T(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
