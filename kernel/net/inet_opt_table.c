/*
 * The options of inet sockets: a row for each in the table of its level, and
 * the functions of the odd ones.  inet_opt.h says what a row means.
 */

#include "inet_mcast.h"
#include "inet_opt.h"

#include "kern/num.h"
#include "kern/percpu.h"
#include "kern/sockopt.h"
#include "kern/string.h"

#include "lwip/priv/tcp_priv.h"

#include <asm/socket.h>
#include <linux/icmp.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/tcp.h>

#define SOL_IP            0
#define SOL_TCP           6
#define SOL_IPV6          41
#define SOL_RAW           255
#define SOL_ICMPV6        58

#define BUF_CAP           212992u /* net.core.{r,w}mem_max */
#define ICMPV6_FILTER_OPT 1

/* clang-format off */
#define KIND(f) \
	_Generic(((struct inet_opts *)0)->f, bool: OPT_FLAG, uint8_t: OPT_U8, \
	    int: OPT_INT, unsigned: OPT_INT, uint64_t: OPT_TIME)
/* clang-format on */
#define FIELD(f)      .kind = KIND(f), .off = offsetof(struct inet_opts, f)
#define RANGE(lo, hi) .min = (lo), .max = (hi)
#define MINUS_ONE(v)  .minus_one = (v)
#define IGNORED(v)    .kind = OPT_IGNORED, .answer = (v)
#define DROPPED       .kind = OPT_DROPPED
#define FIXED(v)      .kind = OPT_FIXED, .answer = (v)

/* Of any length, to no effect. */
static int set_nothing(
    struct inet_sock *s, int opt, const void *p, unsigned len)
{
	return 0;
}

static int fit_not_negative(const struct inet_sock *s, int *v)
{
	*v = MAX(*v, 0);
	return 0;
}

/* --- SOL_SOCKET ---------------------------------------------------------- */

static int fit_lowat(const struct inet_sock *s, int *v)
{
	*v = *v < 0 ? (int)INET_BUF_MAX : MAX(*v, 1);
	return 0;
}

static int set_buf(struct inet_sock *s, int opt, const void *p, unsigned len)
{
	bool force = opt == SO_RCVBUFFORCE || opt == SO_SNDBUFFORCE;
	unsigned cap = force ? INET_BUF_MAX / 2 : BUF_CAP;
	unsigned n;
	int v, err = sockopt_get_int(p, len, &v);

	if (err)
		return err;
	n = MAX((v < 0 ? cap : MIN((unsigned)v, cap)) * 2, INET_BUF_MIN);
	if (opt == SO_RCVBUF || opt == SO_RCVBUFFORCE) {
		s->opt.rcvbuf = n;
		s->opt.rcvbuf_set = true;
	} else {
		s->opt.sndbuf = n;
		s->opt.sndbuf_set = true;
	}
	return 0;
}

static int get_rcvbuf(struct inet_sock *s, void *p, unsigned *len)
{
	bool is_new = s->kind == INET_TCP && !s->opt.rcvbuf_set;
	unsigned n = is_new ? INET_RCVBUF : s->opt.rcvbuf;

	return sockopt_put_int((int)n, p, len);
}

static int get_sndbuf(struct inet_sock *s, void *p, unsigned *len)
{
	bool is_new = s->kind == INET_TCP && !s->opt.sndbuf_set;
	unsigned n = is_new ? INET_SNDBUF : s->opt.sndbuf;

	return sockopt_put_int((int)n, p, len);
}

static int set_linger(struct inet_sock *s, int opt, const void *p, unsigned len)
{
	int v[2];

	if (len < sizeof(v))
		return -EINVAL;
	memcpy(v, p, sizeof(v));
	s->opt.linger = v[0] != 0;
	s->opt.linger_secs = MAX(v[1], 0);
	return 0;
}

static int get_linger(struct inet_sock *s, void *p, unsigned *len)
{
	int v[2] = { s->opt.linger, s->opt.linger_secs };

	return sockopt_put(v, sizeof(v), p, len);
}

static int get_error(struct inet_sock *s, void *p, unsigned *len)
{
	/* The answer may be in the channel still. */
	inet_chan_drain(s);
	return sockopt_put_int(-inet_take_error(s), p, len);
}

static int get_acceptconn(struct inet_sock *s, void *p, unsigned *len)
{
	bool listens =
	    s->kind == INET_TCP && atomic_load(&s->state) == INET_LISTEN;

	return sockopt_put_int(listens, p, len);
}

static int get_cpu(struct inet_sock *s, void *p, unsigned *len)
{
	return sockopt_put_int((int)cpu_self()->id, p, len);
}

static const struct inet_option socket_options[] = {
	{ SO_DEBUG, IGNORED(0) },
	{ SO_REUSEADDR, FIELD(reuseaddr) },
	{ SO_ERROR, .get = get_error },
	{ SO_DONTROUTE, IGNORED(0) },
	{ SO_BROADCAST, FIELD(broadcast) },
	{ SO_SNDBUF, .set = set_buf, .get = get_sndbuf },
	{ SO_RCVBUF, .set = set_buf, .get = get_rcvbuf },
	{ SO_SNDBUFFORCE, .set = set_buf },
	{ SO_RCVBUFFORCE, .set = set_buf },
	{ SO_KEEPALIVE, FIELD(keepalive) },
	{ SO_OOBINLINE, IGNORED(0) },
	{ SO_NO_CHECK, IGNORED(0) },
	{ SO_PRIORITY, FIELD(priority) },
	{ SO_LINGER, .set = set_linger, .get = get_linger },
	{ SO_REUSEPORT, FIELD(reuseport) },
	{ SO_RCVLOWAT, FIELD(rcvlowat), .check = fit_lowat },
	{ SO_SNDLOWAT, FIXED(1) },
	{ SO_RCVTIMEO_OLD, FIELD(rcvtimeo) },
	{ SO_SNDTIMEO_OLD, FIELD(sndtimeo) },
	{ SO_RCVTIMEO_NEW, FIELD(rcvtimeo) },
	{ SO_SNDTIMEO_NEW, FIELD(sndtimeo) },
	{ SO_BINDTODEVICE, .set = set_nothing },
	{ SO_TIMESTAMP_OLD, IGNORED(0) },
	{ SO_ACCEPTCONN, .get = get_acceptconn },
	{ SO_MARK, FIELD(mark) },
	{ SO_RXQ_OVFL, IGNORED(0) },
	{ SO_BUSY_POLL, IGNORED(0) },
	{ SO_PREFER_BUSY_POLL, DROPPED },
	{ SO_INCOMING_CPU, IGNORED(0), .get = get_cpu },
};

/* --- SOL_TCP ------------------------------------------------------------- */

static bool is_connected(const struct inet_sock *s)
{
	return s->tcp.pcb && atomic_load(&s->state) == INET_CONNECTED;
}

static void push_if_set(struct inet_sock *s, int v)
{
	if (v)
		inet_tcp_push(s);
}

static void push_unless_set(struct inet_sock *s, int v)
{
	if (!v)
		inet_tcp_push(s);
}

static void ack_if_set(struct inet_sock *s, int v)
{
	if (!v || !is_connected(s))
		return;
	tcp_ack_now(s->tcp.pcb);
	inet_tcp_push(s);
}

static int check_maxseg(const struct inet_sock *s, int *v)
{
	return *v == 0 || (*v >= 88 && *v <= 32767) ? 0 : -EINVAL;
}

static int get_maxseg(struct inet_sock *s, void *p, unsigned *len)
{
	return sockopt_put_int(is_connected(s) ? s->tcp.pcb->mss : 536, p, len);
}

static int set_congestion(
    struct inet_sock *s, int opt, const void *p, unsigned len)
{
	return len >= 4 && !memcmp(p, "reno", 4) ? 0 : -ENOENT;
}

static int get_congestion(struct inet_sock *s, void *p, unsigned *len)
{
	static const char name[16] = "reno";

	return sockopt_put(name, sizeof(name), p, len);
}

/* lwIP's enum tcp_state in Linux's numbers. */
uint8_t inet_tcp_linux_state(const struct inet_sock *s)
{
	static const uint8_t map[] = {
		[CLOSED] = 7,
		[LISTEN] = 10,
		[SYN_SENT] = 2,
		[SYN_RCVD] = 3,
		[ESTABLISHED] = 1,
		[FIN_WAIT_1] = 4,
		[FIN_WAIT_2] = 5,
		[CLOSE_WAIT] = 8,
		[CLOSING] = 11,
		[LAST_ACK] = 9,
		[TIME_WAIT] = 6,
	};

	return s->tcp.pcb ? map[s->tcp.pcb->state] : 7;
}

static int get_tcp_info(struct inet_sock *s, void *p, unsigned *len)
{
	struct tcp_pcb *pcb = s->tcp.pcb;
	struct tcp_info i;

	memset(&i, 0, sizeof(i));
	i.tcpi_state = inet_tcp_linux_state(s);
	if (is_connected(s)) {
		i.tcpi_rto = (uint32_t)pcb->rto * TCP_SLOW_INTERVAL * 1000;
		i.tcpi_snd_mss = i.tcpi_rcv_mss = i.tcpi_advmss = pcb->mss;
		i.tcpi_retransmits = pcb->nrtx;
		i.tcpi_rtt =
		    (uint32_t)(pcb->sa >> 3) * TCP_SLOW_INTERVAL * 1000;
		i.tcpi_rttvar =
		    (uint32_t)(pcb->sv >> 2) * TCP_SLOW_INTERVAL * 1000;
		i.tcpi_snd_cwnd = pcb->mss ? pcb->cwnd / pcb->mss : 0;
		i.tcpi_snd_ssthresh = pcb->mss ? pcb->ssthresh / pcb->mss : 0;
		i.tcpi_rcv_space = pcb->rcv_wnd;
		i.tcpi_unacked = pcb->snd_queuelen;
		i.tcpi_notsent_bytes = (uint32_t)(pcb->snd_lbb - pcb->snd_nxt);
		i.tcpi_pmtu = (uint32_t)pcb->mss + 40;
	}
	return sockopt_put(&i, sizeof(i), p, len);
}

static const struct inet_option tcp_options[] = {
	{ TCP_NODELAY, FIELD(nodelay), .then = push_if_set },
	{ TCP_MAXSEG, FIELD(maxseg), .check = check_maxseg, .get = get_maxseg },
	{ TCP_CORK, FIELD(cork), .then = push_unless_set },
	{ TCP_KEEPIDLE, FIELD(keepidle), RANGE(1, 32767) },
	{ TCP_KEEPINTVL, FIELD(keepintvl), RANGE(1, 32767) },
	{ TCP_KEEPCNT, FIELD(keepcnt), RANGE(1, 127) },
	{ TCP_SYNCNT, FIELD(syncnt), RANGE(1, 127) },
	{ TCP_LINGER2, IGNORED(60) },
	{ TCP_DEFER_ACCEPT, FIELD(defer_accept), .check = fit_not_negative },
	{ TCP_WINDOW_CLAMP, IGNORED(0) },
	{ TCP_INFO, .get = get_tcp_info },
	{ TCP_QUICKACK, FIELD(quickack), .then = ack_if_set },
	{ TCP_CONGESTION, .set = set_congestion, .get = get_congestion },
	{ TCP_USER_TIMEOUT, FIELD(user_timeout), RANGE(0, INT32_MAX) },
	{ TCP_FASTOPEN, IGNORED(0) },
	{ TCP_NOTSENT_LOWAT, IGNORED(-1) },
	{ TCP_FASTOPEN_CONNECT, IGNORED(0) },
};

/* --- SOL_IP, SOL_IPV6 ---------------------------------------------------- */

static int check_hdrincl(const struct inet_sock *s, int *v)
{
	return s->kind == INET_RAW ? 0 : -ENOPROTOOPT;
}

static int get_ip_options(struct inet_sock *s, void *p, unsigned *len)
{
	*len = 0;
	return 0;
}

static const struct inet_option ip_options[] = {
	{ IP_TOS, FIELD(tos) },
	{ IP_TTL, FIELD(ttl), RANGE(1, 255), MINUS_ONE(64) },
	{ IP_HDRINCL, FIELD(hdrincl), .check = check_hdrincl },
	{ IP_OPTIONS, .get = get_ip_options },
	{ IP_RECVOPTS, DROPPED },
	{ IP_RETOPTS, DROPPED },
	{ IP_PKTINFO, FIELD(pktinfo) },
	{ IP_MTU_DISCOVER, IGNORED(0) },
	{ IP_RECVERR, IGNORED(0) },
	{ IP_RECVTTL, FIELD(recvttl) },
	{ IP_RECVTOS, FIELD(recvtos) },
	{ IP_MTU, FIXED(1500) },
	{ IP_FREEBIND, IGNORED(0) },
	{ IP_BIND_ADDRESS_NO_PORT, IGNORED(0) },
	{ IP_MULTICAST_IF, .set = inet_mcast_set4 },
	{ IP_MULTICAST_TTL, FIELD(mcast_ttl), RANGE(0, 255), MINUS_ONE(1) },
	{ IP_MULTICAST_LOOP, FIELD(mcast_loop) },
	{ IP_ADD_MEMBERSHIP, .set = inet_mcast_set4 },
	{ IP_DROP_MEMBERSHIP, .set = inet_mcast_set4 },
	{ IP_MULTICAST_ALL, DROPPED },
};

static int check_v6only(const struct inet_sock *s, int *v)
{
	return s->bound ? -EINVAL : 0;
}

static const struct inet_option ipv6_options[] = {
	{ IPV6_CHECKSUM, DROPPED },
	{ IPV6_UNICAST_HOPS, FIELD(ttl), RANGE(0, 255), MINUS_ONE(64) },
	{ IPV6_MULTICAST_IF, FIELD(mcast_if) },
	{ IPV6_MULTICAST_HOPS, FIELD(mcast_ttl), RANGE(0, 255), MINUS_ONE(1) },
	{ IPV6_MULTICAST_LOOP, FIELD(mcast_loop) },
	{ IPV6_ADD_MEMBERSHIP, .set = inet_mcast_set6 },
	{ IPV6_DROP_MEMBERSHIP, .set = inet_mcast_set6 },
	{ IPV6_MTU_DISCOVER, IGNORED(0) },
	{ IPV6_MTU, IGNORED(1500) },
	{ IPV6_RECVERR, IGNORED(0) },
	{ IPV6_V6ONLY, FIELD(v6only), .check = check_v6only },
	{ IPV6_RECVPKTINFO, FIELD(pktinfo6) },
	{ IPV6_RECVHOPLIMIT, FIELD(recvttl) },
	{ IPV6_DONTFRAG, DROPPED },
	{ IPV6_RECVTCLASS, FIELD(recvtos) },
	{ IPV6_TCLASS, FIELD(tos), .check = fit_not_negative },
};

/* --- SOL_RAW, SOL_ICMPV6 ------------------------------------------------- */

static int set_icmp_filter(
    struct inet_sock *s, int opt, const void *p, unsigned len)
{
	memcpy(&s->opt.icmp_filter, p,
	    MIN(len, (unsigned)sizeof(s->opt.icmp_filter)));
	return 0;
}

static const struct inet_option raw_options[] = {
	{ ICMP_FILTER, .set = set_icmp_filter },
};

/* A filter that is not applied only lets more through. */
static const struct inet_option icmpv6_options[] = {
	{ ICMPV6_FILTER_OPT, .set = set_nothing },
};

/* --- the levels ---------------------------------------------------------- */

static bool any(const struct inet_sock *s)
{
	return true;
}

static bool is_tcp(const struct inet_sock *s)
{
	return s->kind == INET_TCP;
}

static bool is_raw(const struct inet_sock *s)
{
	return s->kind == INET_RAW;
}

static bool is_inet6(const struct inet_sock *s)
{
	return s->domain == AF_INET6;
}

#define TABLE(t) (t), ARRAY_SIZE(t)

static const struct inet_level levels[] = {
	{ SOL_SOCKET, any, sizeof(int), TABLE(socket_options) },
	{ SOL_TCP, is_tcp, sizeof(int), TABLE(tcp_options) },
	{ SOL_IP, any, 1, TABLE(ip_options) },
	{ SOL_IPV6, is_inet6, sizeof(int), TABLE(ipv6_options) },
	{ SOL_RAW, is_raw, 0, TABLE(raw_options) },
	{ SOL_ICMPV6, is_raw, 0, TABLE(icmpv6_options) },
};

const struct inet_level *inet_opt_level(const struct inet_sock *s, int level)
{
	for (unsigned i = 0; i < ARRAY_SIZE(levels); i++)
		if (levels[i].level == level && levels[i].of(s))
			return &levels[i];
	return NULL;
}
