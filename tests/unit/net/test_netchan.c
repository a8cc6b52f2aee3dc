/* Channels, one step at a time: both ends of the ring in one thread. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_mm.h"
#include "fake_sched.h"
#include "kern/errno.h"
#include "kern/net.h"
#include "kernel/net/net_int.h"
#include "kernel/net/netchan_int.h"

#define LADDR 1
#define PORT  80

struct sock {
	unsigned got, last, wakes, orphans;
	struct netchan *destroy; /* while the next packet is looked at */
};

static unsigned urgent, soon, orphans;

void net_drain_soon(bool now)
{
	now ? urgent++ : soon++;
}

void rand_bytes(void *p, size_t n)
{
	memset(p, 7, n);
}

/* The frame is made of the key: what parsing does is tested elsewhere. */
struct frame {
	struct netchan_key key;
	bool slow;
};

bool netchan_parse(
    const void *frame, size_t len, size_t totlen, struct netchan_key *key)
{
	const struct frame *f = frame;

	(void)totlen;
	assert_int_equal(len, sizeof(*f));
	*key = f->key;
	return !f->slow;
}

bool netchan_parse_any(
    const void *frame, size_t len, size_t totlen, struct netchan_key *key)
{
	(void)netchan_parse(frame, len, totlen, key);
	return true;
}

static void input(void *arg, struct pkt *p)
{
	struct sock *s = arg;

	if (!s) {
		orphans++;
	} else {
		s->got++;
		s->last = (unsigned)(uintptr_t)p->cookie;
		if (s->destroy) {
			struct netchan *c = s->destroy;

			s->destroy = NULL;
			netchan_destroy(c);
		}
	}
	free(p);
}

static void wake(void *arg)
{
	((struct sock *)arg)->wakes++;
}

static struct netchan_key key_of(unsigned laddr, unsigned fport, int proto)
{
	struct netchan_key k;

	memset(&k, 0, sizeof(k));
	k.laddr[10] = k.laddr[11] = 0xff;
	k.laddr[15] = (uint8_t)laddr;
	if (fport) {
		k.faddr[15] = 9;
		k.fport = (uint16_t)fport;
	}
	k.lport = PORT;
	k.proto = (uint8_t)proto;
	return k;
}

static struct frame frame;

static enum netchan_verdict send_one(
    unsigned queue, const struct netchan_key *k, unsigned n)
{
	struct pkt *p = calloc(1, sizeof(*p));
	enum netchan_verdict v;

	frame.key = *k;
	p->data = (uint8_t *)&frame;
	p->len = sizeof(frame);
	p->totlen = sizeof(frame);
	p->cookie = (void *)(uintptr_t)n;
	v = netchan_classify(queue, p);
	if (v != NETCHAN_TAKEN)
		free(p);
	return v;
}

static struct netchan *open_chan(struct sock *s, const struct netchan_key *k)
{
	struct netchan *c;

	memset(s, 0, sizeof(*s));
	c = netchan_create(input, wake, s);
	assert_non_null(c);
	assert_int_equal(netchan_bind(c, k), 0);
	return c;
}

/* A burst ends, with its flush, before its grace period can. */
static void close_chan(struct netchan *c)
{
	netchan_destroy(c);
	for (unsigned queue = 0; queue < 4; queue++)
		netchan_flush(queue);
	while (fake_rcu_run())
		;
	netchan_drain_pending();
}

static int teardown(void **state)
{
	(void)state;
	urgent = soon = orphans = 0;
	assert_int_equal(fake_mm_live(), 0);
	assert_int_equal(fake_locks_held(), 0);
	return 0;
}

static void test_order_and_one_wake(void **state)
{
	struct netchan_key k = key_of(LADDR, 5, 6);
	struct sock s;
	struct netchan *c = open_chan(&s, &k);

	(void)state;
	for (unsigned i = 1; i <= 5; i++)
		assert_int_equal(send_one(0, &k, i), NETCHAN_TAKEN);
	assert_int_equal(s.wakes, 0);
	netchan_flush(0);
	assert_int_equal(s.wakes, 1);
	assert_int_equal(soon, 1);
	assert_false(netchan_empty(c));
	assert_int_equal(netchan_drain(c, 2), 2);
	assert_int_equal(s.last, 2);
	assert_int_equal(netchan_drain(c, 100), 3);
	assert_int_equal(s.last, 5);
	assert_true(netchan_empty(c));
	netchan_flush(0);
	assert_int_equal(s.wakes, 1);
	close_chan(c);
}

static void test_full_falls_back(void **state)
{
	struct netchan_key k = key_of(LADDR, 5, 6);
	struct sock s;
	struct netchan *c = open_chan(&s, &k);
	struct netchan_stats before, st;

	(void)state;
	netchan_stats(&before);
	for (unsigned i = 0; i < NETCHAN_RING; i++)
		assert_int_equal(send_one(0, &k, i), NETCHAN_TAKEN);
	assert_int_equal(send_one(0, &k, 999), NETCHAN_FULL);
	netchan_flush(0);
	assert_int_equal(urgent, 1);
	netchan_stats(&st);
	assert_int_equal(st.full - before.full, 1);
	/* The slow path finds the channel by the frame, and drains it. */
	netchan_drain_flow(&frame, sizeof(frame), sizeof(frame));
	assert_int_equal(s.got, NETCHAN_RING);
	assert_int_equal(s.last, NETCHAN_RING - 1);
	assert_int_equal(send_one(0, &k, 1), NETCHAN_TAKEN);
	close_chan(c);
	assert_int_equal(orphans, 1);
}

static void test_indices_wrap(void **state)
{
	struct netchan_key k = key_of(LADDR, 5, 6);
	struct sock s;
	struct netchan *c = open_chan(&s, &k);

	(void)state;
	for (unsigned i = 0; i < 3 * NETCHAN_RING; i++) {
		assert_int_equal(send_one(0, &k, i), NETCHAN_TAKEN);
		if (i % 7 == 6)
			netchan_drain(c, NETCHAN_RING);
		if (s.got)
			assert_int_equal(s.last, s.got - 1);
	}
	close_chan(c);
}

static void test_second_queue_is_slow(void **state)
{
	struct netchan_key k = key_of(LADDR, 5, 6);
	struct sock s;
	struct netchan *c = open_chan(&s, &k);

	(void)state;
	assert_int_equal(send_one(3, &k, 1), NETCHAN_TAKEN);
	assert_int_equal(send_one(4, &k, 2), NETCHAN_PASS);
	assert_int_equal(send_one(3, &k, 3), NETCHAN_TAKEN);
	assert_int_equal(send_one(1000, &k, 4), NETCHAN_PASS);
	netchan_flush(3);
	netchan_flush(1000);
	netchan_drain(c, 10);
	assert_int_equal(s.got, 2);
	close_chan(c);
}

static void test_udp_most_special_first(void **state)
{
	struct netchan_key conn = key_of(LADDR, 5, 17);
	struct netchan_key bound = key_of(LADDR, 0, 17);
	struct netchan_key any4 = key_of(0, 0, 17), any = any4;
	struct netchan_key other = key_of(LADDR, 6, 17);
	struct netchan_key elsewhere = key_of(77, 6, 17), v6 = elsewhere;
	struct netchan *c[4];
	struct sock s[4];

	(void)state;
	memset(any.laddr, 0, sizeof(any.laddr));
	v6.laddr[0] = 0xfd;
	c[0] = open_chan(&s[0], &conn);
	c[1] = open_chan(&s[1], &bound);
	c[2] = open_chan(&s[2], &any4);
	c[3] = open_chan(&s[3], &any);
	send_one(0, &conn, 1);
	send_one(0, &other, 1);
	send_one(0, &elsewhere, 1);
	send_one(0, &v6, 1);
	netchan_flush(0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(netchan_drain(c[i], 10), 1);
	for (int i = 0; i < 4; i++)
		close_chan(c[i]);
	/* TCP has no such steps. */
	conn.proto = bound.proto = 6;
	c[0] = open_chan(&s[0], &bound);
	assert_int_equal(send_one(0, &conn, 1), NETCHAN_PASS);
	close_chan(c[0]);
}

static void test_bind_twice(void **state)
{
	struct netchan_key k = key_of(LADDR, 5, 6);
	struct sock s, t;
	struct netchan *c = open_chan(&s, &k);
	struct netchan *d = netchan_create(input, wake, &t);

	(void)state;
	assert_int_equal(netchan_bind(d, &k), -EADDRINUSE);
	netchan_destroy(d);
	netchan_destroy(c);
	/* Free at once for the next: no grace period for that. */
	d = open_chan(&t, &k);
	assert_int_equal(send_one(0, &k, 1), NETCHAN_TAKEN);
	netchan_flush(0);
	assert_int_equal(netchan_drain(d, 10), 1);
	close_chan(d);
}

static void test_destroy_from_input(void **state)
{
	struct netchan_key k = key_of(LADDR, 5, 6);
	struct sock s;
	struct netchan *c = open_chan(&s, &k);

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		send_one(0, &k, i);
	netchan_flush(0);
	s.destroy = c;
	assert_int_equal(netchan_drain(c, 100), 1);
	assert_int_equal(s.got, 1);
	assert_int_equal(orphans, 0);
	while (fake_rcu_run())
		;
	/* What was left goes the slow path; nothing is lost. */
	assert_int_equal(orphans, 3);
	netchan_drain_pending();
}

static void test_late_producer(void **state)
{
	struct netchan_key k = key_of(LADDR, 5, 6);
	struct sock s;
	struct netchan *c = open_chan(&s, &k);

	(void)state;
	/* Found before, queued after the removal: in its burst still. */
	send_one(0, &k, 1);
	netchan_destroy(c);
	netchan_flush(0);
	assert_int_equal(s.wakes, 1);
	netchan_drain_pending();
	assert_int_equal(s.got, 0);
	while (fake_rcu_run())
		;
	assert_int_equal(orphans, 1);
	assert_int_equal(send_one(0, &k, 2), NETCHAN_PASS);
}

static void test_pending_after_drain(void **state)
{
	struct netchan_key k = key_of(LADDR, 5, 6);
	struct sock s;
	struct netchan *c = open_chan(&s, &k);

	(void)state;
	send_one(0, &k, 1);
	netchan_flush(0);
	netchan_drain_pending();
	assert_int_equal(s.got, 1);
	send_one(0, &k, 2);
	netchan_flush(0);
	send_one(0, &k, 3);
	netchan_flush(0);
	netchan_drain_pending();
	assert_int_equal(s.got, 3);
	netchan_drain_pending();
	close_chan(c);
}

/* More channels in a burst than it remembers: none is forgotten. */
static void test_many_in_a_burst(void **state)
{
	enum { N = 200 };
	static struct sock s[N];
	struct netchan *c[N];
	struct netchan_key k;

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		k = key_of(LADDR, i + 1, 6);
		c[i] = open_chan(&s[i], &k);
		assert_int_equal(send_one(0, &k, i), NETCHAN_TAKEN);
	}
	netchan_flush(0);
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(s[i].wakes, 1);
	netchan_drain_pending();
	for (unsigned i = 0; i < N; i++) {
		assert_int_equal(s[i].got, 1);
		close_chan(c[i]);
	}
}

static void test_no_memory(void **state)
{
	struct sock s;
	struct netchan *c;

	(void)state;
	for (long n = 1;; n++) {
		fake_mm_fail_nth(n);
		c = netchan_create(input, wake, &s);
		if (!fake_mm_failed())
			break;
		assert_null(c);
	}
	fake_mm_fail_nth(0);
	assert_non_null(c);
	close_chan(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_order_and_one_wake, teardown),
		cmocka_unit_test_teardown(test_full_falls_back, teardown),
		cmocka_unit_test_teardown(test_indices_wrap, teardown),
		cmocka_unit_test_teardown(test_second_queue_is_slow, teardown),
		cmocka_unit_test_teardown(
		    test_udp_most_special_first, teardown),
		cmocka_unit_test_teardown(test_bind_twice, teardown),
		cmocka_unit_test_teardown(test_destroy_from_input, teardown),
		cmocka_unit_test_teardown(test_late_producer, teardown),
		cmocka_unit_test_teardown(test_pending_after_drain, teardown),
		cmocka_unit_test_teardown(test_many_in_a_burst, teardown),
		cmocka_unit_test_teardown(test_no_memory, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
