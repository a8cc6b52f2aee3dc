/*
 * Options of inet sockets that do more than to keep an int, or hold something
 * else.
 */

#include "inet_opt_fixture.h"

#include "lwip/priv/tcp_priv.h"

/* --- with more to them than a value -------------------------------------- */

static void test_nodelay_and_cork_push(void **state)
{
	make(TCP4);
	set(SOL_TCP, TCP_NODELAY, 0);
	set(SOL_TCP, TCP_CORK, 1);
	assert_int_equal(calls.push, 0);
	set(SOL_TCP, TCP_NODELAY, 1);
	assert_int_equal(calls.push, 1);
	set(SOL_TCP, TCP_CORK, 0);
	assert_int_equal(calls.push, 2);
}

static void test_quickack_acks(void **state)
{
	make(TCP4);
	set(SOL_TCP, TCP_QUICKACK, 1);
	atomic_store(&sk.state, INET_LISTEN);
	set(SOL_TCP, TCP_QUICKACK, 1);
	assert_int_equal(pcb.flags, 0);
	atomic_store(&sk.state, INET_CONNECTED);
	set(SOL_TCP, TCP_QUICKACK, 0);
	assert_int_equal(pcb.flags, 0);
	assert_int_equal(calls.push, 0);
	set(SOL_TCP, TCP_QUICKACK, 1);
	assert_int_equal(pcb.flags, TF_ACK_NOW);
	assert_int_equal(calls.push, 1);
	sk.tcp.pcb = NULL;
	assert_int_equal(set(SOL_TCP, TCP_QUICKACK, 1), 0);
	assert_int_equal(calls.push, 1);
}

static void test_hdrincl_is_for_raw(void **state)
{
	for (unsigned kind = TCP4; kind <= RAW6; kind *= 2) {
		make(kind);
		assert_int_equal(get(SOL_IP, IP_HDRINCL), 0);
		if (kind & RAW)
			continue;
		assert_int_equal(set(SOL_IP, IP_HDRINCL, 1), -ENOPROTOOPT);
		assert_int_equal(set_len(SOL_IP, IP_HDRINCL, "", 0), -EINVAL);
	}
}

static void test_v6only_before_bind(void **state)
{
	make(TCP6);
	sk.bound = true;
	assert_int_equal(set(SOL_IPV6, IPV6_V6ONLY, 1), -EINVAL);
	assert_int_equal(set(SOL_IPV6, IPV6_V6ONLY, 0), -EINVAL);
	assert_int_equal(get(SOL_IPV6, IPV6_V6ONLY), 0);
}

static void test_maxseg(void **state)
{
	make(TCP4);
	pcb.mss = 1400;
	assert_int_equal(get(SOL_TCP, TCP_MAXSEG), 536);
	assert_int_equal(set(SOL_TCP, TCP_MAXSEG, 88), 0);
	assert_int_equal(sk.opt.maxseg, 88);
	assert_int_equal(set(SOL_TCP, TCP_MAXSEG, 32767), 0);
	assert_int_equal(set(SOL_TCP, TCP_MAXSEG, 87), -EINVAL);
	assert_int_equal(set(SOL_TCP, TCP_MAXSEG, 32768), -EINVAL);
	assert_int_equal(set(SOL_TCP, TCP_MAXSEG, -1), -EINVAL);
	assert_int_equal(set_len(SOL_TCP, TCP_MAXSEG, "abc", 3), -EINVAL);
	assert_int_equal(sk.opt.maxseg, 32767);
	assert_int_equal(set(SOL_TCP, TCP_MAXSEG, 0), 0);
	assert_int_equal(sk.opt.maxseg, 0);
	assert_int_equal(get(SOL_TCP, TCP_MAXSEG), 536);
	atomic_store(&sk.state, INET_CONNECTED);
	assert_int_equal(get(SOL_TCP, TCP_MAXSEG), 1400);
	sk.tcp.pcb = NULL;
	assert_int_equal(get(SOL_TCP, TCP_MAXSEG), 536);
}

static void test_error_is_told_once(void **state)
{
	for (unsigned kind = TCP4; kind <= RAW6; kind *= 2) {
		make(kind);
		calls.error = ECONNREFUSED;
		get(SOL_SOCKET, SO_REUSEADDR);
		assert_int_equal(calls.drain, 0);
		assert_int_equal(get(SOL_SOCKET, SO_ERROR), ECONNREFUSED);
		assert_int_equal(calls.drain, 1);
		assert_int_equal(get(SOL_SOCKET, SO_ERROR), 0);
	}
	make(TCP4);
	get(SOL_TCP, SO_ERROR); /* TCP_SYNCNT or so: another level */
	assert_int_equal(calls.drain, 0);
}

static void test_acceptconn(void **state)
{
	for (unsigned kind = TCP4; kind <= RAW6; kind *= 2) {
		make(kind);
		atomic_store(&sk.state, INET_CONNECTED);
		assert_int_equal(get(SOL_SOCKET, SO_ACCEPTCONN), 0);
		atomic_store(&sk.state, INET_LISTEN);
		assert_int_equal(
		    get(SOL_SOCKET, SO_ACCEPTCONN), (kind & TCP) != 0);
	}
}

/* --- buffers, timeouts, linger ------------------------------------------- */

/* Doubled, within Linux's limits. */
static void check_buf(int opt, int force, const unsigned *field, int initial)
{
	assert_int_equal(get(SOL_SOCKET, opt), initial);
	assert_int_equal(set(SOL_SOCKET, opt, 5000), 0);
	assert_int_equal(get(SOL_SOCKET, opt), 10000);
	assert_int_equal(*field, 10000);
	assert_int_equal(set(SOL_SOCKET, opt, 0), 0);
	assert_int_equal(get(SOL_SOCKET, opt), INET_BUF_MIN);
	assert_int_equal(set(SOL_SOCKET, opt, 212993), 0);
	assert_int_equal(get(SOL_SOCKET, opt), 2 * 212992);
	assert_int_equal(set(SOL_SOCKET, opt, -1), 0);
	assert_int_equal(get(SOL_SOCKET, opt), 2 * 212992);
	assert_int_equal(set(SOL_SOCKET, force, 300000), 0);
	assert_int_equal(get(SOL_SOCKET, opt), 600000);
	assert_int_equal(set(SOL_SOCKET, force, 1 << 23), 0);
	assert_int_equal(get(SOL_SOCKET, opt), INET_BUF_MAX);
	assert_int_equal(set(SOL_SOCKET, force, 0), 0);
	assert_int_equal(get(SOL_SOCKET, opt), INET_BUF_MIN);
	assert_int_equal(set(SOL_SOCKET, force, -1), 0);
	assert_int_equal(get(SOL_SOCKET, opt), INET_BUF_MAX);
	assert_int_equal(cannot_get(SOL_SOCKET, force), -ENOPROTOOPT);
	assert_int_equal(set_len(SOL_SOCKET, opt, "abc", 3), -EINVAL);
	assert_int_equal(set_len(SOL_SOCKET, force, "abc", 3), -EINVAL);
}

static void test_buffers(void **state)
{
	for (unsigned kind = TCP4; kind <= RAW6; kind *= 2) {
		int dgram = INET_DGRAMBUF;

		make(kind);
		check_buf(SO_RCVBUF, SO_RCVBUFFORCE, &sk.opt.rcvbuf,
		    kind & TCP ? 131072 : dgram);
		assert_true(sk.opt.rcvbuf_set && !sk.opt.sndbuf_set);
		make(kind);
		check_buf(SO_SNDBUF, SO_SNDBUFFORCE, &sk.opt.sndbuf,
		    kind & TCP ? 16384 : dgram);
		assert_true(!sk.opt.rcvbuf_set && sk.opt.sndbuf_set);
	}
}

static const uint64_t *timeout;

/* Set (sec, usec): the timeout is (ns), and is read as (as_sec, as_usec). */
static void check_time(int opt, int64_t sec, int64_t usec, uint64_t ns,
    int64_t as_sec, int64_t as_usec)
{
	int64_t tv[3] = { sec, usec, -5 };
	const int64_t as[3] = { as_sec, as_usec, -5 };

	assert_int_equal(set_len(SOL_SOCKET, opt, tv, 16), 0);
	assert_true(*timeout == ns);
	assert_int_equal(get_len(SOL_SOCKET, opt, tv, sizeof(tv)), 16);
	assert_memory_equal(tv, as, sizeof(as));
	tv[0] = -7;
	assert_int_equal(get_len(SOL_SOCKET, opt, tv, 4), 4);
	assert_memory_equal(tv, as, 4);
	assert_int_equal(tv[0] >> 32, -1);
}

static void check_timeout(int opt)
{
	static const int64_t bad[][2] = { { 1, -1 }, { 1, 1000000 }, { -1, -1 },
		{ 0, INT64_MAX } };

	check_time(opt, 1, 500000, 1500000000, 1, 500000);
	check_time(opt, 0, 999999, 999999000, 0, 999999);
	check_time(opt, 0, 0, TIME_NEVER, 0, 0);
	check_time(opt, -1, 5, 0, 0, 0);
	check_time(opt, INT64_MAX, 0, TIME_NEVER, 0, 0);
	check_time(opt, 18446744073, 0, 18446744073000000000u, 18446744073, 0);
	check_time(opt, 18446744073, 999999, TIME_NEVER, 0, 0);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(set_len(SOL_SOCKET, opt, bad[i], 16), -EDOM);
	for (unsigned len = 0; len < 16; len++)
		assert_int_equal(
		    set_len(SOL_SOCKET, opt, bad[0], len), -EINVAL);
}

static void test_timeouts(void **state)
{
	for (unsigned kind = TCP4; kind <= RAW6; kind *= 2) {
		make(kind);
		timeout = &sk.opt.rcvtimeo;
		assert_true(*timeout == TIME_NEVER);
		check_timeout(SO_RCVTIMEO_OLD);
		check_timeout(SO_RCVTIMEO_NEW);
		assert_true(sk.opt.sndtimeo == TIME_NEVER);
		make(kind);
		timeout = &sk.opt.sndtimeo;
		assert_true(*timeout == TIME_NEVER);
		check_timeout(SO_SNDTIMEO_OLD);
		check_timeout(SO_SNDTIMEO_NEW);
		assert_true(sk.opt.rcvtimeo == TIME_NEVER);
	}
}

static void check_linger(int onoff, int secs, int as_onoff, int as_secs)
{
	int v[3] = { onoff, secs, 9 };

	assert_int_equal(set_len(SOL_SOCKET, SO_LINGER, v, 8), 0);
	assert_int_equal(sk.opt.linger, as_onoff);
	assert_int_equal(sk.opt.linger_secs, as_secs);
	assert_int_equal(get_len(SOL_SOCKET, SO_LINGER, v, sizeof(v)), 8);
	assert_true(v[0] == as_onoff && v[1] == as_secs && v[2] == 9);
}

static void test_linger(void **state)
{
	static const int v[2] = { 1, 1 };

	for (unsigned kind = TCP4; kind <= RAW6; kind *= 2) {
		make(kind);
		check_linger(1, 7, 1, 7);
		check_linger(-1, 0, 1, 0);
		check_linger(0, 9, 0, 9);
		check_linger(2, -3, 1, 0);
		for (unsigned len = 0; len < 8; len++)
			assert_int_equal(
			    set_len(SOL_SOCKET, SO_LINGER, v, len), -EINVAL);
	}
}

/* --- what is not an int -------------------------------------------------- */

static void test_tcp_info(void **state)
{
	struct tcp_info i;

	make(TCP4);
	pcb.state = ESTABLISHED;
	pcb.mss = 1000;
	pcb.cwnd = 5000;
	pcb.ssthresh = 9000;
	pcb.rto = 2;
	pcb.sa = 1 << 3;
	pcb.sv = 3 << 2;
	pcb.nrtx = 4;
	pcb.rcv_wnd = 777;
	pcb.snd_queuelen = 6;
	pcb.snd_lbb = 50;
	pcb.snd_nxt = 20;
	assert_int_equal(get_len(SOL_TCP, TCP_INFO, &i, sizeof(i)), sizeof(i));
	assert_true(i.tcpi_state == 1 && i.tcpi_snd_mss == 0);
	atomic_store(&sk.state, INET_CONNECTED);
	assert_int_equal(get_len(SOL_TCP, TCP_INFO, &i, sizeof(i)), sizeof(i));
	assert_int_equal(i.tcpi_rto, 2 * TCP_SLOW_INTERVAL * 1000);
	assert_int_equal(i.tcpi_rtt, 1 * TCP_SLOW_INTERVAL * 1000);
	assert_int_equal(i.tcpi_rttvar, 3 * TCP_SLOW_INTERVAL * 1000);
	assert_true(i.tcpi_snd_mss == 1000 && i.tcpi_rcv_mss == 1000);
	assert_true(i.tcpi_advmss == 1000 && i.tcpi_pmtu == 1040);
	assert_true(i.tcpi_snd_cwnd == 5 && i.tcpi_snd_ssthresh == 9);
	assert_true(i.tcpi_retransmits == 4 && i.tcpi_unacked == 6);
	assert_true(i.tcpi_rcv_space == 777 && i.tcpi_notsent_bytes == 30);
	assert_int_equal(set(SOL_TCP, TCP_INFO, 1), -ENOPROTOOPT);
	assert_int_equal(set_len(SOL_TCP, TCP_INFO, "", 0), -EINVAL);
}

static void test_tcp_info_of_no_connection(void **state)
{
	struct tcp_info i;

	make(TCP4);
	atomic_store(&sk.state, INET_CONNECTED);
	sk.tcp.pcb = NULL;
	memset(&i, 0x55, sizeof(i));
	assert_int_equal(get_len(SOL_TCP, TCP_INFO, &i, sizeof(i)), sizeof(i));
	assert_true(i.tcpi_state == 7 && i.tcpi_rto == 0);
	i.tcpi_ca_state = 0x55;
	assert_int_equal(get_len(SOL_TCP, TCP_INFO, &i, 1), 1);
	assert_true(i.tcpi_state == 7 && i.tcpi_ca_state == 0x55);
}

static void test_congestion(void **state)
{
	char name[17];

	make(TCP4);
	memset(name, '#', sizeof(name));
	assert_int_equal(get_len(SOL_TCP, TCP_CONGESTION, name, 17), 16);
	assert_memory_equal(name, "reno\0\0\0\0\0\0\0\0\0\0\0\0#", 17);
	assert_int_equal(get_len(SOL_TCP, TCP_CONGESTION, name, 2), 2);
	assert_int_equal(set_len(SOL_TCP, TCP_CONGESTION, "reno", 4), 0);
	assert_int_equal(set_len(SOL_TCP, TCP_CONGESTION, "reno", 5), 0);
	assert_int_equal(set_len(SOL_TCP, TCP_CONGESTION, "cubic", 5), -ENOENT);
	assert_int_equal(set_len(SOL_TCP, TCP_CONGESTION, "ren", 3), -ENOENT);
	assert_int_equal(set_len(SOL_TCP, TCP_CONGESTION, "", 0), -ENOENT);
}

static void test_ip_options_are_none(void **state)
{
	make(UDP4);
	assert_int_equal(cannot_get(SOL_IP, IP_OPTIONS), 0);
	assert_int_equal(set(SOL_IP, IP_OPTIONS, 0), -ENOPROTOOPT);
	assert_int_equal(set_len(SOL_IP, IP_OPTIONS, "", 0), -EINVAL);
}

static void test_any_device(void **state)
{
	make(UDP4);
	assert_int_equal(set_len(SOL_SOCKET, SO_BINDTODEVICE, "eth0", 5), 0);
	assert_int_equal(set_len(SOL_SOCKET, SO_BINDTODEVICE, "", 0), 0);
	assert_int_equal(cannot_get(SOL_SOCKET, SO_BINDTODEVICE), -ENOPROTOOPT);
}

static const int groups4[] = { IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP,
	IP_MULTICAST_IF };
static const int groups6[] = { IPV6_ADD_MEMBERSHIP, IPV6_DROP_MEMBERSHIP };

/* What they hold and how long it is, inet_mcast.c looks at. */
static void test_groups(void **state)
{
	for (unsigned kind = TCP4; kind <= RAW6; kind *= 2) {
		make(kind);
		for (unsigned i = 0; i < 3; i++) {
			int opt = groups4[i];

			assert_int_equal(set_len(SOL_IP, opt, "", 0), 0);
			assert_int_equal(
			    set_len(SOL_IP, opt, "abc", 3), -EADDRINUSE);
			assert_int_equal(calls.mcast4, 2 * i + 2);
			assert_int_equal(cannot_get(SOL_IP, opt), -ENOPROTOOPT);
		}
		if (!(kind & V6))
			continue;
		for (unsigned i = 0; i < 2; i++) {
			int opt = groups6[i];

			assert_int_equal(set_len(SOL_IPV6, opt, "", 0), 0);
			assert_int_equal(
			    set_len(SOL_IPV6, opt, "abc", 3), -EADDRINUSE);
			assert_int_equal(calls.mcast6, 2 * i + 2);
			assert_int_equal(
			    cannot_get(SOL_IPV6, opt), -ENOPROTOOPT);
		}
	}
}

static void check_filters(int err)
{
	static const uint32_t mask[2] = { 0x12345678, 0xffffffff };

	assert_int_equal(set_len(SOL_RAW, ICMP_FILTER, mask, 8), err);
	assert_int_equal(sk.opt.icmp_filter, err ? 0 : 0x12345678);
	assert_int_equal(set_len(SOL_RAW, ICMP_FILTER, "\x55", 1), err);
	assert_int_equal(sk.opt.icmp_filter, err ? 0 : 0x12345655);
	assert_int_equal(set_len(SOL_RAW, ICMP_FILTER, "", 0), err);
	assert_int_equal(cannot_get(SOL_RAW, ICMP_FILTER), -ENOPROTOOPT);
	assert_int_equal(set_len(SOL_ICMPV6, ICMPV6_FILTER, mask, 8), err);
	assert_int_equal(set_len(SOL_ICMPV6, ICMPV6_FILTER, "", 0), err);
	assert_int_equal(cannot_get(SOL_ICMPV6, ICMPV6_FILTER), -ENOPROTOOPT);
}

static void test_icmp_filters(void **state)
{
	for (unsigned kind = TCP4; kind <= RAW6; kind *= 2) {
		make(kind);
		check_filters(kind & RAW ? 0 : -ENOPROTOOPT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nodelay_and_cork_push),
		cmocka_unit_test(test_quickack_acks),
		cmocka_unit_test(test_hdrincl_is_for_raw),
		cmocka_unit_test(test_v6only_before_bind),
		cmocka_unit_test(test_maxseg),
		cmocka_unit_test(test_error_is_told_once),
		cmocka_unit_test(test_acceptconn),
		cmocka_unit_test(test_buffers),
		cmocka_unit_test(test_timeouts),
		cmocka_unit_test(test_linger),
		cmocka_unit_test(test_tcp_info),
		cmocka_unit_test(test_tcp_info_of_no_connection),
		cmocka_unit_test(test_congestion),
		cmocka_unit_test(test_ip_options_are_none),
		cmocka_unit_test(test_any_device),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_icmp_filters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
