/*
 * Options of inet sockets that are one int: what each takes, refuses, keeps
 * and answers, on every kind of socket; and that there is no other.
 */

#include "inet_opt_fixture.h"

/* The first (size) of (want)'s bytes are at (off) of the options. */
static bool field_is(size_t off, size_t size, int want)
{
	return memcmp((char *)&sk.opt + off, &want, size) == 0;
}

/* Only [off, off + size) of the options has changed since (old). */
static bool only_changed(const struct inet_opts *old, size_t off, size_t size)
{
	struct inet_opts a = *old, b = sk.opt;

	memset((char *)&a + off, 0, size);
	memset((char *)&b + off, 0, size);
	return memcmp(&a, &b, sizeof(a)) == 0;
}

/* --- options that are one int -------------------------------------------- */

struct row {
	unsigned on; /* the kinds of sockets that know it */
	int level, opt;
	const char *name;
	size_t off, size; /* in struct inet_opts */
	int initial;
	int min, max;
	int minus_one; /* what -1 stands for; 0: nothing special */
};

#define OPT(kinds, lev, o) \
	.on = (kinds), .level = SOL_##lev, .opt = (o), .name = #o
#define IN(f)                                 \
	.off = offsetof(struct inet_opts, f), \
	.size = sizeof(((struct inet_opts *)0)->f)

static const struct row flags[] = {
	{ OPT(ALL, SOCKET, SO_REUSEADDR), IN(reuseaddr) },
	{ OPT(ALL, SOCKET, SO_REUSEPORT), IN(reuseport) },
	{ OPT(ALL, SOCKET, SO_KEEPALIVE), IN(keepalive) },
	{ OPT(ALL, SOCKET, SO_BROADCAST), IN(broadcast) },
	{ OPT(TCP, TCP, TCP_NODELAY), IN(nodelay) },
	{ OPT(TCP, TCP, TCP_CORK), IN(cork) },
	{ OPT(TCP, TCP, TCP_QUICKACK), IN(quickack), .initial = 1 },
	{ OPT(ALL, IP, IP_MULTICAST_LOOP), IN(mcast_loop), .initial = 1 },
	{ OPT(ALL, IP, IP_PKTINFO), IN(pktinfo) },
	{ OPT(ALL, IP, IP_RECVTTL), IN(recvttl) },
	{ OPT(ALL, IP, IP_RECVTOS), IN(recvtos) },
	{ OPT(RAW, IP, IP_HDRINCL), IN(hdrincl) },
	{ OPT(V6, IPV6, IPV6_V6ONLY), IN(v6only) },
	{ OPT(V6, IPV6, IPV6_MULTICAST_LOOP), IN(mcast_loop), .initial = 1 },
	{ OPT(V6, IPV6, IPV6_RECVPKTINFO), IN(pktinfo6) },
	{ OPT(V6, IPV6, IPV6_RECVHOPLIMIT), IN(recvttl) },
	{ OPT(V6, IPV6, IPV6_RECVTCLASS), IN(recvtos) },
};

static const struct row numbers[] = {
	{ OPT(ALL, SOCKET, SO_PRIORITY), IN(priority), .min = INT32_MIN,
	    .max = INT32_MAX },
	{ OPT(ALL, SOCKET, SO_MARK), IN(mark), .min = INT32_MIN,
	    .max = INT32_MAX },
	{ OPT(TCP, TCP, TCP_KEEPIDLE), IN(keepidle), .initial = 7200, .min = 1,
	    .max = 32767 },
	{ OPT(TCP, TCP, TCP_KEEPINTVL), IN(keepintvl), .initial = 75, .min = 1,
	    .max = 32767 },
	{ OPT(TCP, TCP, TCP_KEEPCNT), IN(keepcnt), .initial = 9, .min = 1,
	    .max = 127 },
	{ OPT(TCP, TCP, TCP_SYNCNT), IN(syncnt), .initial = 6, .min = 1,
	    .max = 127 },
	{ OPT(TCP, TCP, TCP_USER_TIMEOUT), IN(user_timeout), .max = INT32_MAX },
	{ OPT(ALL, IP, IP_TTL), IN(ttl), .initial = 64, .min = 1, .max = 255,
	    .minus_one = 64 },
	{ OPT(ALL, IP, IP_MULTICAST_TTL), IN(mcast_ttl), .initial = 1,
	    .max = 255, .minus_one = 1 },
	{ OPT(V6, IPV6, IPV6_UNICAST_HOPS), IN(ttl), .initial = 64, .max = 255,
	    .minus_one = 64 },
	{ OPT(V6, IPV6, IPV6_MULTICAST_HOPS), IN(mcast_ttl), .initial = 1,
	    .max = 255, .minus_one = 1 },
};

/* No int is refused: it is taken for one that the field can hold. */
static const struct row bent[] = {
	{ OPT(ALL, SOCKET, SO_RCVLOWAT), IN(rcvlowat), .initial = 1 },
	{ OPT(TCP, TCP, TCP_DEFER_ACCEPT), IN(defer_accept) },
	{ OPT(ALL, IP, IP_TOS), IN(tos) },
	{ OPT(V6, IPV6, IPV6_TCLASS), IN(tos) },
	{ OPT(V6, IPV6, IPV6_MULTICAST_IF), IN(mcast_if) },
};

/* Taken and forgotten; the answer is always the same. */
static const struct row ignored[] = {
	{ OPT(ALL, SOCKET, SO_DEBUG) },
	{ OPT(ALL, SOCKET, SO_DONTROUTE) },
	{ OPT(ALL, SOCKET, SO_OOBINLINE) },
	{ OPT(ALL, SOCKET, SO_NO_CHECK) },
	{ OPT(ALL, SOCKET, SO_TIMESTAMP_OLD) },
	{ OPT(ALL, SOCKET, SO_BUSY_POLL) },
	{ OPT(ALL, SOCKET, SO_RXQ_OVFL) },
	{ OPT(ALL, SOCKET, SO_INCOMING_CPU), .initial = 5 },
	{ OPT(TCP, TCP, TCP_LINGER2), .initial = 60 },
	{ OPT(TCP, TCP, TCP_WINDOW_CLAMP) },
	{ OPT(TCP, TCP, TCP_FASTOPEN) },
	{ OPT(TCP, TCP, TCP_FASTOPEN_CONNECT) },
	{ OPT(TCP, TCP, TCP_NOTSENT_LOWAT), .initial = -1 },
	{ OPT(ALL, IP, IP_MTU_DISCOVER) },
	{ OPT(ALL, IP, IP_RECVERR) },
	{ OPT(ALL, IP, IP_FREEBIND) },
	{ OPT(ALL, IP, IP_BIND_ADDRESS_NO_PORT) },
	{ OPT(V6, IPV6, IPV6_MTU), .initial = 1500 },
	{ OPT(V6, IPV6, IPV6_MTU_DISCOVER) },
	{ OPT(V6, IPV6, IPV6_RECVERR) },
};

/* The same, and there is no answer. */
static const struct row write_only[] = {
	{ OPT(ALL, SOCKET, SO_PREFER_BUSY_POLL) },
	{ OPT(ALL, IP, IP_MULTICAST_ALL) },
	{ OPT(ALL, IP, IP_RECVOPTS) },
	{ OPT(ALL, IP, IP_RETOPTS) },
	{ OPT(V6, IPV6, IPV6_DONTFRAG) },
	{ OPT(V6, IPV6, IPV6_CHECKSUM) },
};

static const struct row read_only[] = {
	{ OPT(ALL, SOCKET, SO_SNDLOWAT), .initial = 1 },
	{ OPT(ALL, SOCKET, SO_ERROR) },
	{ OPT(ALL, SOCKET, SO_ACCEPTCONN) },
	{ OPT(ALL, IP, IP_MTU), .initial = 1500 },
};

#define TABLE(t) (t), sizeof(t) / sizeof(*(t))

static const struct {
	const struct row *row;
	size_t n;
	bool get;
} tables[] = {
	{ TABLE(flags), true },
	{ TABLE(numbers), true },
	{ TABLE(bent), true },
	{ TABLE(ignored), true },
	{ TABLE(write_only), false },
	{ TABLE(read_only), true },
};
#define NTABLES (sizeof(tables) / sizeof(*tables))

static const struct row *at; /* for the failure's report */

static int say_where(void **state)
{
	if (at)
		print_error("at %s\n", at->name);
	at = NULL;
	return 0;
}

/* Each row of a table on each kind of socket that knows it. */
static void each(
    const struct row *row, size_t n, void (*check)(const struct row *))
{
	for (size_t i = 0; i < n; i++)
		for (unsigned kind = TCP4; kind <= RAW6; kind *= 2) {
			if (!(row[i].on & kind))
				continue;
			at = &row[i];
			make(kind);
			check(at);
		}
	at = NULL;
}

static void takes(const struct row *r, int v, int as)
{
	struct inet_opts before = sk.opt;

	assert_int_equal(set(r->level, r->opt, v), 0);
	assert_int_equal(get(r->level, r->opt), as);
	assert_true(field_is(r->off, r->size, as));
	assert_true(only_changed(&before, r->off, r->size));
}

static void refuses(const struct row *r, int v)
{
	assert_int_equal(set(r->level, r->opt, v), -EINVAL);
}

static void check_flag(const struct row *r)
{
	assert_int_equal(get(r->level, r->opt), r->initial);
	takes(r, 1, 1);
	takes(r, 0, 0);
	takes(r, -1, 1);
	takes(r, 0, 0);
	takes(r, 0x100, 1);
}

static void test_flags(void **state)
{
	each(TABLE(flags), check_flag);
}

static void check_number(const struct row *r)
{
	assert_int_equal(get(r->level, r->opt), r->initial);
	takes(r, r->max, r->max);
	takes(r, r->min, r->min);
	if (r->minus_one) {
		takes(r, -1, r->minus_one);
		refuses(r, -2);
	}
	if (r->min > 0)
		refuses(r, r->min - 1);
	if (r->min > INT32_MIN)
		refuses(r, INT32_MIN);
	if (r->min > INT32_MIN && !r->minus_one)
		refuses(r, -1);
	if (r->max < INT32_MAX) {
		refuses(r, r->max + 1);
		refuses(r, INT32_MAX);
	}
}

static void test_numbers(void **state)
{
	each(TABLE(numbers), check_number);
}

static void check_bent(const struct row *r)
{
	bool lowat = r->opt == SO_RCVLOWAT && r->level == SOL_SOCKET;
	bool tclass = r->opt == IPV6_TCLASS && r->level == SOL_IPV6;

	assert_int_equal(get(r->level, r->opt), r->initial);
	takes(r, 100, 100);
	takes(r, 0, lowat);
	if (r->size == 1) {
		takes(r, 0x1f3, 0xf3);
		takes(r, -2, tclass ? 0 : 0xfe);
		takes(r, -1, tclass ? 0 : 0xff);
	} else {
		takes(r, INT32_MAX, INT32_MAX);
		takes(r, -1, lowat ? INET_BUF_MAX : 0);
		takes(r, INT32_MIN, lowat ? INET_BUF_MAX : 0);
	}
}

static void test_bent(void **state)
{
	each(TABLE(bent), check_bent);
}

static void check_ignored(const struct row *r)
{
	struct inet_opts before = sk.opt;

	assert_int_equal(get(r->level, r->opt), r->initial);
	assert_int_equal(set(r->level, r->opt, 1), 0);
	assert_int_equal(set(r->level, r->opt, -1), 0);
	assert_int_equal(get(r->level, r->opt), r->initial);
	assert_memory_equal(&before, &sk.opt, sizeof(before));
}

static void test_ignored(void **state)
{
	each(TABLE(ignored), check_ignored);
}

static void check_write_only(const struct row *r)
{
	struct inet_opts before = sk.opt;

	assert_int_equal(set(r->level, r->opt, 1), 0);
	assert_int_equal(set(r->level, r->opt, -1), 0);
	assert_int_equal(cannot_get(r->level, r->opt), -ENOPROTOOPT);
	assert_memory_equal(&before, &sk.opt, sizeof(before));
}

static void test_write_only(void **state)
{
	each(TABLE(write_only), check_write_only);
}

static void check_read_only(const struct row *r)
{
	assert_int_equal(get(r->level, r->opt), r->initial);
	assert_int_equal(set(r->level, r->opt, 1), -ENOPROTOOPT);
	assert_int_equal(get(r->level, r->opt), r->initial);
}

static void test_read_only(void **state)
{
	each(TABLE(read_only), check_read_only);
}

/* --- lengths ------------------------------------------------------------- */

/* An option of SOL_IP may be one byte, and is when it is no whole int. */
static void check_set_length(const struct row *r)
{
	static const uint8_t one[12] = { 1, 0xff, 0xff, 0xff };
	static const int v[2] = { 1, -1 };
	unsigned shortest = r->level == SOL_IP ? 1 : sizeof(int);

	for (unsigned len = 0; len < shortest; len++)
		assert_int_equal(set_len(r->level, r->opt, one, len), -EINVAL);
	for (unsigned len = shortest; len < sizeof(int); len++)
		assert_int_equal(set_len(r->level, r->opt, one, len),
		    set(r->level, r->opt, 1));
	assert_int_equal(
	    set_len(r->level, r->opt, v, sizeof(v)), set(r->level, r->opt, 1));
}

static void check_set_value(const struct row *r)
{
	static const uint8_t one[3] = { 1, 0xff, 0xff };
	static const int v[2] = { 1, -1 };

	if (r->level == SOL_IP)
		for (unsigned len = 1; len < sizeof(int); len++) {
			set(r->level, r->opt, 0);
			set_len(r->level, r->opt, one, len);
			assert_int_equal(get(r->level, r->opt), 1);
		}
	set(r->level, r->opt, 0);
	set_len(r->level, r->opt, v, sizeof(v));
	assert_int_equal(get(r->level, r->opt), 1);
}

/* As much of the int as there is room for. */
static void check_get_length(const struct row *r)
{
	int whole = get(r->level, r->opt);

	for (unsigned room = 0; room <= sizeof(int); room++) {
		int v = 0x55555555, want = v;

		memcpy(&want, &whole, room);
		assert_int_equal(get_len(r->level, r->opt, &v, room), room);
		assert_int_equal(v, want);
	}
}

static void test_lengths(void **state)
{
	for (size_t i = 0; i < NTABLES; i++) {
		each(tables[i].row, tables[i].n, check_set_length);
		if (tables[i].get)
			each(tables[i].row, tables[i].n, check_get_length);
	}
	each(TABLE(flags), check_set_value);
	each(TABLE(bent), check_set_value);
}

/* A byte of 255 is 255, and not -1. */
static void test_byte_is_unsigned(void **state)
{
	make(UDP4);
	assert_int_equal(set_len(SOL_IP, IP_TTL, "\xff", 1), 0);
	assert_int_equal(get(SOL_IP, IP_TTL), 255);
	assert_int_equal(set_len(SOL_IP, IP_MULTICAST_TTL, "\xff", 1), 0);
	assert_int_equal(get(SOL_IP, IP_MULTICAST_TTL), 255);
	assert_int_equal(set_len(SOL_IP, IP_TTL, "\0", 1), -EINVAL);
}

/* --- there is no other --------------------------------------------------- */

/* Those that test_inet_opt_odd.c looks at. */
static const struct row others[] = {
	{ OPT(ALL, SOCKET, SO_LINGER) },
	{ OPT(ALL, SOCKET, SO_RCVTIMEO_OLD) },
	{ OPT(ALL, SOCKET, SO_RCVTIMEO_NEW) },
	{ OPT(ALL, SOCKET, SO_SNDTIMEO_OLD) },
	{ OPT(ALL, SOCKET, SO_SNDTIMEO_NEW) },
	{ OPT(ALL, SOCKET, SO_BINDTODEVICE) },
	{ OPT(ALL, SOCKET, SO_RCVBUF) },
	{ OPT(ALL, SOCKET, SO_SNDBUF) },
	{ OPT(ALL, SOCKET, SO_RCVBUFFORCE) },
	{ OPT(ALL, SOCKET, SO_SNDBUFFORCE) },
	{ OPT(TCP, TCP, TCP_MAXSEG) },
	{ OPT(TCP, TCP, TCP_INFO) },
	{ OPT(TCP, TCP, TCP_CONGESTION) },
	{ OPT(ALL, IP, IP_HDRINCL) },
	{ OPT(ALL, IP, IP_OPTIONS) },
	{ OPT(ALL, IP, IP_ADD_MEMBERSHIP) },
	{ OPT(ALL, IP, IP_DROP_MEMBERSHIP) },
	{ OPT(ALL, IP, IP_MULTICAST_IF) },
	{ OPT(V6, IPV6, IPV6_ADD_MEMBERSHIP) },
	{ OPT(V6, IPV6, IPV6_DROP_MEMBERSHIP) },
	{ OPT(RAW, RAW, ICMP_FILTER) },
	{ OPT(RAW, ICMPV6, ICMPV6_FILTER) },
};

static bool is_in(
    const struct row *r, size_t n, unsigned kind, int level, int opt)
{
	for (; n > 0; r++, n--)
		if (r->level == level && r->opt == opt && (r->on & kind))
			return true;
	return false;
}

static bool known(unsigned kind, int level, int opt)
{
	for (size_t i = 0; i < NTABLES; i++)
		if (is_in(tables[i].row, tables[i].n, kind, level, opt))
			return true;
	return is_in(TABLE(others), kind, level, opt);
}

/* A level that the socket has looks at the length first. */
static int refusal_of_nothing(unsigned kind, int level)
{
	if (level == SOL_SOCKET || level == SOL_IP ||
	    (level == SOL_TCP && (kind & TCP)) ||
	    (level == SOL_IPV6 && (kind & V6)))
		return -EINVAL;
	return -ENOPROTOOPT;
}

static void check_no_other(unsigned kind, int level)
{
	for (int opt = -1; opt < 300; opt++) {
		if (known(kind, level, opt))
			continue;
		assert_int_equal(set(level, opt, 1), -ENOPROTOOPT);
		assert_int_equal(cannot_get(level, opt), -ENOPROTOOPT);
		assert_int_equal(set_len(level, opt, "", 0),
		    refusal_of_nothing(kind, level));
	}
}

static void test_no_other(void **state)
{
	static const int levels[] = { SOL_SOCKET, SOL_IP, SOL_TCP, SOL_IPV6,
		SOL_ICMPV6, SOL_RAW, 17, 2, 300, -1 };

	for (unsigned kind = TCP4; kind <= RAW6; kind *= 2) {
		make(kind);
		for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++)
			check_no_other(kind, levels[i]);
	}
}

#define TEST(f) cmocka_unit_test_teardown(f, say_where)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_flags),
		TEST(test_numbers),
		TEST(test_bent),
		TEST(test_ignored),
		TEST(test_write_only),
		TEST(test_read_only),
		TEST(test_lengths),
		TEST(test_byte_is_unsigned),
		TEST(test_no_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
