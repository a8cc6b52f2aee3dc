/* The classifier's parser: each refusal, and any bytes at all. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/net/netchan_int.h"

#define ETH 14
#define SYN 0x02
#define FIN 0x01
#define RST 0x04
#define ACK 0x10

struct frame {
	uint8_t b[256];
	size_t len;
};

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void fix_sum(uint8_t *ip)
{
	uint32_t sum = 0;

	put16(ip + 10, 0);
	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	put16(ip + 10, ~sum & 0xffff);
}

static void put_tcp(uint8_t *t, unsigned flags)
{
	put16(t, 1000);
	put16(t + 2, 80);
	t[12] = 5 << 4;
	t[13] = (uint8_t)flags;
}

/* 10.0.0.2:1000 -> 10.0.0.1:80, (n) bytes of data. */
static struct frame tcp4(unsigned flags, size_t n)
{
	struct frame f = { .len = ETH + 40 + n };
	uint8_t *ip = f.b + ETH;

	put16(f.b + 12, 0x0800);
	ip[0] = 0x45;
	put16(ip + 2, (unsigned)(40 + n));
	ip[8] = 64;
	ip[9] = 6;
	memcpy(ip + 12, "\x0a\0\0\x02\x0a\0\0\x01", 8);
	fix_sum(ip);
	put_tcp(ip + 20, flags);
	return f;
}

static struct frame udp4(size_t n)
{
	struct frame f = tcp4(0, 0);
	uint8_t *ip = f.b + ETH;

	ip[9] = 17;
	put16(ip + 2, (unsigned)(28 + n));
	fix_sum(ip);
	memset(ip + 20, 0, 20);
	put16(ip + 20, 1000);
	put16(ip + 22, 53);
	put16(ip + 24, (unsigned)(8 + n));
	f.len = ETH + 28 + n;
	return f;
}

static struct frame tcp6(unsigned flags, size_t n)
{
	struct frame f = { .len = ETH + 60 + n };
	uint8_t *ip = f.b + ETH;

	put16(f.b + 12, 0x86dd);
	ip[0] = 0x60;
	put16(ip + 4, (unsigned)(20 + n));
	ip[6] = 6;
	ip[7] = 64;
	ip[8] = 0xfd;
	ip[23] = 2;
	ip[24] = 0xfd;
	ip[39] = 1;
	put_tcp(ip + 40, flags);
	return f;
}

static bool parse(const struct frame *f, struct netchan_key *k)
{
	return netchan_parse(f->b, f->len, f->len, k);
}

static void assert_refused(const struct frame *f)
{
	struct netchan_key k;

	assert_false(parse(f, &k));
}

static void test_tcp4(void **state)
{
	static const uint8_t l[16] = { [10] = 0xff, 0xff, 10, 0, 0, 1 };
	static const uint8_t r[16] = { [10] = 0xff, 0xff, 10, 0, 0, 2 };
	struct frame f = tcp4(ACK, 5);
	struct netchan_key k;

	(void)state;
	memset(&k, 0xee, sizeof(k));
	assert_true(parse(&f, &k));
	assert_memory_equal(k.laddr, l, 16);
	assert_memory_equal(k.faddr, r, 16);
	assert_int_equal(__builtin_bswap16(k.lport), 80);
	assert_int_equal(__builtin_bswap16(k.fport), 1000);
	assert_int_equal(k.proto, 6);
	assert_memory_equal(k.pad, "\0\0\0", 3);
}

static void test_tcp6_and_udp(void **state)
{
	struct frame f = tcp6(ACK, 3), u = udp4(9);
	struct netchan_key k;

	(void)state;
	assert_true(parse(&f, &k));
	assert_int_equal(k.laddr[0], 0xfd);
	assert_int_equal(k.laddr[15], 1);
	assert_int_equal(k.faddr[15], 2);
	assert_true(parse(&u, &k));
	assert_int_equal(k.proto, 17);
	assert_int_equal(__builtin_bswap16(k.lport), 53);
}

/* Ethernet pads short frames: what follows the IP length is not ours. */
static void test_padding(void **state)
{
	struct frame f = tcp4(ACK, 0);
	struct netchan_key k;

	(void)state;
	f.len = 60;
	assert_true(parse(&f, &k));
}

static void test_flags(void **state)
{
	struct frame f;
	struct netchan_key k;

	(void)state;
	for (unsigned flags = 0; flags < 256; flags++) {
		bool slow = flags & (SYN | FIN | RST);

		f = tcp4(flags, 0);
		assert_int_equal(parse(&f, &k), !slow);
		assert_int_equal(
		    netchan_parse_any(f.b, f.len, f.len, &k), !(flags & SYN));
		f = tcp6(flags, 0);
		assert_int_equal(parse(&f, &k), !slow);
	}
}

static void test_every_short_frame(void **state)
{
	struct frame f = tcp4(ACK, 0), g = tcp6(ACK, 0), u = udp4(0);
	struct netchan_key k;

	(void)state;
	for (size_t n = 0; n < f.len; n++)
		assert_false(netchan_parse(f.b, n, n, &k));
	for (size_t n = 0; n < g.len; n++)
		assert_false(netchan_parse(g.b, n, n, &k));
	for (size_t n = 0; n < u.len; n++)
		assert_false(netchan_parse(u.b, n, n, &k));
	/* Headers must be in the first segment, data may follow. */
	f = tcp4(ACK, 100);
	assert_true(netchan_parse(f.b, ETH + 40, f.len, &k));
	assert_false(netchan_parse(f.b, ETH + 39, f.len, &k));
	/* A total below what is here is a lie. */
	assert_false(netchan_parse(f.b, f.len, f.len - 1, &k));
}

static void test_ip4_refusals(void **state)
{
	static const struct {
		int at;
		uint8_t v;
		bool resum;
	} bad[] = {
		{ 0, 0x46, true },  /* options */
		{ 0, 0x44, true },  /* header too short */
		{ 0, 0x65, true },  /* version */
		{ 3, 19, true },    /* length below the header */
		{ 3, 200, true },   /* length past the frame */
		{ 3, 39, true },    /* no room for TCP */
		{ 6, 0x20, true },  /* more fragments */
		{ 7, 1, true },     /* a later fragment */
		{ 6, 0x1f, true },  /* a much later one */
		{ 9, 1, true },     /* ICMP */
		{ 9, 51, true },    /* AH */
		{ 10, 0x5a, false } /* checksum */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct frame f = tcp4(ACK, 0);

		f.b[ETH + bad[i].at] = bad[i].v;
		if (bad[i].resum)
			fix_sum(f.b + ETH);
		assert_refused(&f);
	}
	/* Do not fragment is fine. */
	struct frame f = tcp4(ACK, 0);
	struct netchan_key k;

	f.b[ETH + 6] = 0x40;
	fix_sum(f.b + ETH);
	assert_true(parse(&f, &k));
}

static void test_l4_refusals(void **state)
{
	struct frame f = tcp4(ACK, 0);

	(void)state;
	f.b[ETH + 32] = 4 << 4; /* TCP header below 20 */
	assert_refused(&f);
	f.b[ETH + 32] = 6 << 4; /* past the packet */
	assert_refused(&f);
	f = udp4(4);
	put16(f.b + ETH + 24, 7); /* UDP length below 8 */
	assert_refused(&f);
	put16(f.b + ETH + 24, 13); /* past the packet */
	assert_refused(&f);
}

static void test_ip6_refusals(void **state)
{
	struct frame f = tcp6(ACK, 0);

	(void)state;
	f.b[ETH] = 0x50;
	assert_refused(&f);
	f = tcp6(ACK, 0);
	put16(f.b + ETH + 4, 21); /* payload past the frame */
	assert_refused(&f);
	put16(f.b + ETH + 4, 19);
	assert_refused(&f);
	put16(f.b + ETH + 4, 0); /* jumbogram */
	assert_refused(&f);
	f = tcp6(ACK, 0);
	for (unsigned next = 0; next < 256; next++) {
		struct netchan_key k;

		if (next == 6 || next == 17)
			continue;
		f.b[ETH + 6] = (uint8_t)next;
		assert_false(parse(&f, &k));
	}
}

static void test_other_types(void **state)
{
	struct frame f = tcp4(ACK, 0);

	(void)state;
	put16(f.b + 12, 0x0806);
	assert_refused(&f);
	put16(f.b + 12, 0x8100);
	assert_refused(&f);
}

/* Heap copies of exactly the length that is told: ASan sees a byte too far. */
static void test_random_bytes(void **state)
{
	(void)state;
	srand(1);
	for (int i = 0; i < 200000; i++) {
		struct frame f = i & 1   ? tcp4(ACK, 20)
				 : i & 2 ? tcp6(ACK, 20)
					 : udp4(20);
		size_t n = (size_t)rand() % (f.len + 1);
		uint8_t *b = malloc(n ? n : 1);
		struct netchan_key k;

		for (int j = rand() % 4; j >= 0; j--)
			f.b[(size_t)rand() % f.len] = (uint8_t)rand();
		memcpy(b, f.b, n);
		if (netchan_parse(b, n, n, &k)) {
			assert_true(n >= ETH + 28);
			assert_true(k.proto == 6 || k.proto == 17);
			assert_true(netchan_parse_any(b, n, n, &k));
		}
		free(b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp4),
		cmocka_unit_test(test_tcp6_and_udp),
		cmocka_unit_test(test_padding),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_every_short_frame),
		cmocka_unit_test(test_ip4_refusals),
		cmocka_unit_test(test_l4_refusals),
		cmocka_unit_test(test_ip6_refusals),
		cmocka_unit_test(test_other_types),
		cmocka_unit_test(test_random_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
