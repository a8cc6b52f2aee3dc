/*
 * Options of inet sockets, with Linux's numbers, defaults and odd rules
 * (buffer sizes are doubled; see socket(7), ip(7), ipv6(7), tcp(7)).
 */

#include "inet_int.h"
#include "inet_mcast.h"

#include "kern/mm.h"
#include "kern/num.h"
#include "kern/percpu.h"
#include "kern/string.h"

#include "lwip/priv/tcp_priv.h"

#include <asm/socket.h>
#include <linux/icmp.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/tcp.h>
#include <linux/time_types.h>

#define SOL_IP            0
#define SOL_TCP           6
#define SOL_IPV6          41
#define SOL_RAW           255
#define SOL_ICMPV6        58

#define BUF_CAP           212992u /* net.core.{r,w}mem_max */
#define ICMPV6_FILTER_OPT 1

void inet_opts_init(struct inet_opts *o, enum inet_kind kind)
{
	bool tcp = kind == INET_TCP;

	memset(o, 0, sizeof(*o));
	o->ttl = 64;
	o->mcast_ttl = 1;
	o->mcast_loop = true;
	o->rcvbuf = tcp ? TCP_WND : INET_DGRAMBUF;
	o->sndbuf = tcp ? TCP_SND_BUF / 2 : INET_DGRAMBUF;
	o->rcvlowat = 1;
	o->keepidle = 7200;
	o->keepintvl = 75;
	o->keepcnt = 9;
	o->syncnt = 6;
	o->quickack = true;
	o->rcvtimeo = o->sndtimeo = TIME_NEVER;
}

static void apply(struct inet_sock *s)
{
	if (s->kind == INET_TCP)
		inet_tcp_apply(s);
	else
		inet_dgram_apply(s);
}

/* --- values -------------------------------------------------------------- */

static int get_int(const void *p, unsigned len, int *v)
{
	if (len < sizeof(*v))
		return -EINVAL;
	memcpy(v, p, sizeof(*v));
	return 0;
}

/* IP options may be one byte. */
static int get_small(const void *p, unsigned len, int *v)
{
	if (len == 0)
		return -EINVAL;
	if (len < sizeof(*v)) {
		*v = *(const uint8_t *)p;
		return 0;
	}
	return get_int(p, len, v);
}

static int put_int(int v, void *p, unsigned *len)
{
	*len = MIN(*len, (unsigned)sizeof(v));
	memcpy(p, &v, *len);
	return 0;
}

static int put_bytes(const void *v, unsigned n, void *p, unsigned *len)
{
	*len = MIN(*len, n);
	memcpy(p, v, *len);
	return 0;
}

/* struct timeval, old or new: both are two 64-bit words here. */
static int get_time(const void *p, unsigned len, uint64_t *ns)
{
	int64_t tv[2];

	if (len < sizeof(tv))
		return -EINVAL;
	memcpy(tv, p, sizeof(tv));
	if (tv[1] < 0 || tv[1] >= 1000000)
		return -EDOM;
	if (tv[0] < 0) {
		*ns = 0;
		return 0;
	}
	if (tv[0] == 0 && tv[1] == 0) {
		*ns = TIME_NEVER;
		return 0;
	}
	if (mul_overflow((uint64_t)tv[0], NSEC_PER_SEC, ns) ||
	    add_overflow(*ns, (uint64_t)tv[1] * NSEC_PER_USEC, ns))
		*ns = TIME_NEVER;
	return 0;
}

static int put_time(uint64_t ns, void *p, unsigned *len)
{
	uint64_t tv[2] = { 0, 0 };

	if (ns != TIME_NEVER) {
		tv[0] = ns / NSEC_PER_SEC;
		tv[1] = ns % NSEC_PER_SEC / NSEC_PER_USEC;
	}
	return put_bytes(tv, sizeof(tv), p, len);
}

static unsigned buf_size(int v, unsigned cap)
{
	unsigned n = v < 0 ? cap : MIN((unsigned)v, cap);

	return MAX(n * 2, INET_BUF_MIN);
}

/* --- SOL_SOCKET ---------------------------------------------------------- */

static int set_buf(struct inet_sock *s, int opt, int v)
{
	bool force = opt == SO_RCVBUFFORCE || opt == SO_SNDBUFFORCE;
	unsigned n = buf_size(v, force ? INET_BUF_MAX / 2 : BUF_CAP);

	if (opt == SO_RCVBUF || opt == SO_RCVBUFFORCE) {
		s->opt.rcvbuf = n;
		s->opt.rcvbuf_set = true;
	} else {
		s->opt.sndbuf = n;
		s->opt.sndbuf_set = true;
	}
	return 0;
}

static int set_linger(struct inet_sock *s, const void *p, unsigned len)
{
	int v[2];

	if (len < sizeof(v))
		return -EINVAL;
	memcpy(v, p, sizeof(v));
	s->opt.linger = v[0] != 0;
	s->opt.linger_secs = MAX(v[1], 0);
	return 0;
}

static int set_socket_flag(struct inet_sock *s, int opt, int v)
{
	struct inet_opts *o = &s->opt;

	switch (opt) {
	case SO_REUSEADDR:
		o->reuseaddr = v != 0;
		return 0;
	case SO_REUSEPORT:
		o->reuseport = v != 0;
		return 0;
	case SO_KEEPALIVE:
		o->keepalive = v != 0;
		return 0;
	case SO_BROADCAST:
		o->broadcast = v != 0;
		return 0;
	case SO_RCVLOWAT:
		o->rcvlowat = v < 0 ? INET_BUF_MAX : MAX((unsigned)v, 1u);
		return 0;
	case SO_PRIORITY:
		o->priority = v;
		return 0;
	case SO_MARK:
		o->mark = v;
		return 0;
	case SO_TIMESTAMP_OLD:
	case SO_DEBUG:
	case SO_DONTROUTE:
	case SO_OOBINLINE:
	case SO_NO_CHECK:
	case SO_BUSY_POLL:
	case SO_PREFER_BUSY_POLL:
	case SO_INCOMING_CPU:
	case SO_RXQ_OVFL:
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int set_socket(struct inet_sock *s, int opt, const void *p, unsigned len)
{
	int v, err;

	switch (opt) {
	case SO_LINGER:
		return set_linger(s, p, len);
	case SO_RCVTIMEO_OLD:
	case SO_RCVTIMEO_NEW:
		return get_time(p, len, &s->opt.rcvtimeo);
	case SO_SNDTIMEO_OLD:
	case SO_SNDTIMEO_NEW:
		return get_time(p, len, &s->opt.sndtimeo);
	case SO_BINDTODEVICE:
		return 0;
	default:
		break;
	}
	err = get_int(p, len, &v);
	if (err)
		return err;
	switch (opt) {
	case SO_RCVBUF:
	case SO_SNDBUF:
	case SO_RCVBUFFORCE:
	case SO_SNDBUFFORCE:
		return set_buf(s, opt, v);
	default:
		return set_socket_flag(s, opt, v);
	}
}

static int socket_int(struct inet_sock *s, int opt, int *v)
{
	const struct inet_opts *o = &s->opt;
	bool tcp = s->kind == INET_TCP;

	switch (opt) {
	case SO_REUSEADDR:
		*v = o->reuseaddr;
		break;
	case SO_REUSEPORT:
		*v = o->reuseport;
		break;
	case SO_KEEPALIVE:
		*v = o->keepalive;
		break;
	case SO_BROADCAST:
		*v = o->broadcast;
		break;
	case SO_RCVLOWAT:
		*v = (int)o->rcvlowat;
		break;
	case SO_SNDLOWAT:
		*v = 1;
		break;
	case SO_PRIORITY:
		*v = o->priority;
		break;
	case SO_MARK:
		*v = o->mark;
		break;
	case SO_ERROR:
		*v = -inet_take_error(s);
		break;
	case SO_ACCEPTCONN:
		*v = tcp && atomic_load(&s->state) == INET_LISTEN;
		break;
	case SO_RCVBUF:
		*v = (int)(tcp && !o->rcvbuf_set ? INET_RCVBUF : o->rcvbuf);
		break;
	case SO_SNDBUF:
		*v = (int)(tcp && !o->sndbuf_set ? INET_SNDBUF : o->sndbuf);
		break;
	case SO_INCOMING_CPU:
		*v = (int)cpu_self()->id;
		break;
	case SO_DEBUG:
	case SO_DONTROUTE:
	case SO_OOBINLINE:
	case SO_NO_CHECK:
	case SO_TIMESTAMP_OLD:
	case SO_BUSY_POLL:
	case SO_RXQ_OVFL:
		*v = 0;
		break;
	default:
		return -ENOPROTOOPT;
	}
	return 0;
}

static int get_socket(struct inet_sock *s, int opt, void *p, unsigned *len)
{
	int v, pair[2], err;

	switch (opt) {
	case SO_LINGER:
		pair[0] = s->opt.linger;
		pair[1] = s->opt.linger_secs;
		return put_bytes(pair, sizeof(pair), p, len);
	case SO_RCVTIMEO_OLD:
	case SO_RCVTIMEO_NEW:
		return put_time(s->opt.rcvtimeo, p, len);
	case SO_SNDTIMEO_OLD:
	case SO_SNDTIMEO_NEW:
		return put_time(s->opt.sndtimeo, p, len);
	default:
		err = socket_int(s, opt, &v);
		return err ? err : put_int(v, p, len);
	}
}

/* --- SOL_TCP ------------------------------------------------------------- */

static int set_keep(unsigned *field, int v, int max)
{
	if (v < 1 || v > max)
		return -EINVAL;
	*field = (unsigned)v;
	return 0;
}

static int set_tcp(struct inet_sock *s, int opt, const void *p, unsigned len)
{
	struct inet_opts *o = &s->opt;
	int v, err;

	if (opt == TCP_CONGESTION)
		return len >= 4 && !memcmp(p, "reno", 4) ? 0 : -ENOENT;
	err = get_int(p, len, &v);
	if (err)
		return err;
	switch (opt) {
	case TCP_NODELAY:
		o->nodelay = v != 0;
		if (v)
			inet_tcp_push(s);
		return 0;
	case TCP_CORK:
		o->cork = v != 0;
		if (!v)
			inet_tcp_push(s);
		return 0;
	case TCP_KEEPIDLE:
		return set_keep(&o->keepidle, v, 32767);
	case TCP_KEEPINTVL:
		return set_keep(&o->keepintvl, v, 32767);
	case TCP_KEEPCNT:
		return set_keep(&o->keepcnt, v, 127);
	case TCP_QUICKACK:
		o->quickack = v != 0;
		if (v && s->tcp.pcb &&
		    atomic_load(&s->state) == INET_CONNECTED) {
			tcp_ack_now(s->tcp.pcb);
			inet_tcp_push(s);
		}
		return 0;
	case TCP_DEFER_ACCEPT:
		o->defer_accept = MAX(v, 0);
		return 0;
	case TCP_SYNCNT:
		if (v < 1 || v > 127)
			return -EINVAL;
		o->syncnt = v;
		return 0;
	case TCP_USER_TIMEOUT:
		if (v < 0)
			return -EINVAL;
		o->user_timeout = v;
		return 0;
	case TCP_MAXSEG:
		if (v && (v < 88 || v > 32767))
			return -EINVAL;
		o->maxseg = v;
		return 0;
	case TCP_LINGER2:
	case TCP_WINDOW_CLAMP:
	case TCP_NOTSENT_LOWAT:
	case TCP_FASTOPEN:
	case TCP_FASTOPEN_CONNECT:
		return 0;
	default:
		return -ENOPROTOOPT;
	}
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
	if (pcb && atomic_load(&s->state) == INET_CONNECTED) {
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
	return put_bytes(&i, sizeof(i), p, len);
}

static int get_tcp(struct inet_sock *s, int opt, void *p, unsigned *len)
{
	const struct inet_opts *o = &s->opt;

	switch (opt) {
	case TCP_NODELAY:
		return put_int(o->nodelay, p, len);
	case TCP_CORK:
		return put_int(o->cork, p, len);
	case TCP_KEEPIDLE:
		return put_int((int)o->keepidle, p, len);
	case TCP_KEEPINTVL:
		return put_int((int)o->keepintvl, p, len);
	case TCP_KEEPCNT:
		return put_int((int)o->keepcnt, p, len);
	case TCP_QUICKACK:
		return put_int(o->quickack, p, len);
	case TCP_DEFER_ACCEPT:
		return put_int(o->defer_accept, p, len);
	case TCP_SYNCNT:
		return put_int(o->syncnt, p, len);
	case TCP_USER_TIMEOUT:
		return put_int(o->user_timeout, p, len);
	case TCP_MAXSEG:
		return put_int(
		    s->tcp.pcb && atomic_load(&s->state) == INET_CONNECTED
			? s->tcp.pcb->mss
			: 536,
		    p, len);
	case TCP_INFO:
		return get_tcp_info(s, p, len);
	case TCP_CONGESTION:
		return put_bytes("reno\0\0\0\0\0\0\0\0\0\0\0", 16, p, len);
	case TCP_LINGER2:
		return put_int(60, p, len);
	case TCP_WINDOW_CLAMP:
	case TCP_FASTOPEN:
	case TCP_FASTOPEN_CONNECT:
		return put_int(0, p, len);
	case TCP_NOTSENT_LOWAT:
		return put_int(-1, p, len);
	default:
		return -ENOPROTOOPT;
	}
}

/* --- SOL_IP, SOL_IPV6 ---------------------------------------------------- */

static int set_ttl(uint8_t *field, int v, int dflt, int min)
{
	if (v == -1)
		v = dflt;
	if (v < min || v > 255)
		return -EINVAL;
	*field = (uint8_t)v;
	return 0;
}

static int set_ip(struct inet_sock *s, int opt, const void *p, unsigned len)
{
	struct inet_opts *o = &s->opt;
	int v, err;

	switch (opt) {
	case IP_ADD_MEMBERSHIP:
	case IP_DROP_MEMBERSHIP:
	case IP_MULTICAST_IF:
		return inet_mcast_set4(s, opt, p, len);
	default:
		break;
	}
	err = get_small(p, len, &v);
	if (err)
		return err;
	switch (opt) {
	case IP_TOS:
		o->tos = (uint8_t)v;
		return 0;
	case IP_TTL:
		return set_ttl(&o->ttl, v, 64, 1);
	case IP_MULTICAST_TTL:
		return set_ttl(&o->mcast_ttl, v, 1, 0);
	case IP_MULTICAST_LOOP:
		o->mcast_loop = v != 0;
		return 0;
	case IP_PKTINFO:
		o->pktinfo = v != 0;
		return 0;
	case IP_RECVTTL:
		o->recvttl = v != 0;
		return 0;
	case IP_RECVTOS:
		o->recvtos = v != 0;
		return 0;
	case IP_HDRINCL:
		if (s->kind != INET_RAW)
			return -ENOPROTOOPT;
		o->hdrincl = v != 0;
		return 0;
	case IP_MTU_DISCOVER:
	case IP_RECVERR:
	case IP_FREEBIND:
	case IP_BIND_ADDRESS_NO_PORT:
	case IP_MULTICAST_ALL:
	case IP_RECVOPTS:
	case IP_RETOPTS:
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int get_ip(struct inet_sock *s, int opt, void *p, unsigned *len)
{
	const struct inet_opts *o = &s->opt;
	int v = 0;

	switch (opt) {
	case IP_TOS:
		v = o->tos;
		break;
	case IP_TTL:
		v = o->ttl;
		break;
	case IP_MULTICAST_TTL:
		v = o->mcast_ttl;
		break;
	case IP_MULTICAST_LOOP:
		v = o->mcast_loop;
		break;
	case IP_PKTINFO:
		v = o->pktinfo;
		break;
	case IP_RECVTTL:
		v = o->recvttl;
		break;
	case IP_RECVTOS:
		v = o->recvtos;
		break;
	case IP_HDRINCL:
		v = o->hdrincl;
		break;
	case IP_MTU:
		v = 1500;
		break;
	case IP_OPTIONS:
		*len = 0;
		return 0;
	case IP_MTU_DISCOVER:
	case IP_RECVERR:
	case IP_FREEBIND:
	case IP_BIND_ADDRESS_NO_PORT:
		break;
	default:
		return -ENOPROTOOPT;
	}
	return put_int(v, p, len);
}

static int set_ip6(struct inet_sock *s, int opt, const void *p, unsigned len)
{
	struct inet_opts *o = &s->opt;
	int v, err;

	if (s->domain != AF_INET6)
		return -ENOPROTOOPT;
	switch (opt) {
	case IPV6_ADD_MEMBERSHIP:
	case IPV6_DROP_MEMBERSHIP:
		return inet_mcast_set6(s, opt, p, len);
	default:
		break;
	}
	err = get_int(p, len, &v);
	if (err)
		return err;
	switch (opt) {
	case IPV6_V6ONLY:
		if (s->bound)
			return -EINVAL;
		o->v6only = v != 0;
		return 0;
	case IPV6_UNICAST_HOPS:
		return set_ttl(&o->ttl, v, 64, 0);
	case IPV6_MULTICAST_HOPS:
		return set_ttl(&o->mcast_ttl, v, 1, 0);
	case IPV6_MULTICAST_LOOP:
		o->mcast_loop = v != 0;
		return 0;
	case IPV6_MULTICAST_IF:
		o->mcast_if = (uint8_t)v;
		return 0;
	case IPV6_RECVPKTINFO:
		o->pktinfo6 = v != 0;
		return 0;
	case IPV6_RECVHOPLIMIT:
		o->recvttl = v != 0;
		return 0;
	case IPV6_RECVTCLASS:
		o->recvtos = v != 0;
		return 0;
	case IPV6_TCLASS:
		o->tos = v < 0 ? 0 : (uint8_t)v;
		return 0;
	case IPV6_MTU_DISCOVER:
	case IPV6_RECVERR:
	case IPV6_DONTFRAG:
	case IPV6_MTU:
	case IPV6_CHECKSUM:
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int get_ip6(struct inet_sock *s, int opt, void *p, unsigned *len)
{
	const struct inet_opts *o = &s->opt;
	int v = 0;

	if (s->domain != AF_INET6)
		return -ENOPROTOOPT;
	switch (opt) {
	case IPV6_V6ONLY:
		v = o->v6only;
		break;
	case IPV6_UNICAST_HOPS:
		v = o->ttl;
		break;
	case IPV6_MULTICAST_HOPS:
		v = o->mcast_ttl;
		break;
	case IPV6_MULTICAST_LOOP:
		v = o->mcast_loop;
		break;
	case IPV6_MULTICAST_IF:
		v = o->mcast_if;
		break;
	case IPV6_RECVPKTINFO:
		v = o->pktinfo6;
		break;
	case IPV6_TCLASS:
		v = o->tos;
		break;
	case IPV6_RECVTCLASS:
		v = o->recvtos;
		break;
	case IPV6_RECVHOPLIMIT:
		v = o->recvttl;
		break;
	case IPV6_MTU:
		v = 1500;
		break;
	case IPV6_MTU_DISCOVER:
	case IPV6_RECVERR:
		break;
	default:
		return -ENOPROTOOPT;
	}
	return put_int(v, p, len);
}

/* --- SOL_RAW ------------------------------------------------------------- */

static int set_raw(struct inet_sock *s, int opt, const void *p, unsigned len)
{
	if (s->kind != INET_RAW || opt != ICMP_FILTER)
		return -ENOPROTOOPT;
	memcpy(&s->opt.icmp_filter, p,
	    MIN(len, (unsigned)sizeof(s->opt.icmp_filter)));
	return 0;
}

/* --- the two operations -------------------------------------------------- */

int inet_setsockopt(
    struct socket *so, int level, int opt, const void *p, unsigned len)
{
	struct inet_sock *s = inet_of(so);
	int err = -ENOPROTOOPT;

	net_lock();
	switch (level) {
	case SOL_SOCKET:
		err = set_socket(s, opt, p, len);
		break;
	case SOL_TCP:
		if (s->kind == INET_TCP)
			err = set_tcp(s, opt, p, len);
		break;
	case SOL_IP:
		err = set_ip(s, opt, p, len);
		break;
	case SOL_IPV6:
		err = set_ip6(s, opt, p, len);
		break;
	case SOL_RAW:
		err = set_raw(s, opt, p, len);
		break;
	case SOL_ICMPV6:
		/* A filter that is not applied only lets more through. */
		if (s->kind == INET_RAW && opt == ICMPV6_FILTER_OPT)
			err = 0;
		break;
	default:
		break;
	}
	if (!err)
		apply(s);
	net_unlock();
	return err;
}

int inet_getsockopt(
    struct socket *so, int level, int opt, void *p, unsigned *len)
{
	struct inet_sock *s = inet_of(so);
	int err = -ENOPROTOOPT;

	net_lock();
	switch (level) {
	case SOL_SOCKET:
		/* The answer may be in the channel still. */
		if (opt == SO_ERROR)
			inet_chan_drain(s);
		err = get_socket(s, opt, p, len);
		break;
	case SOL_TCP:
		if (s->kind == INET_TCP)
			err = get_tcp(s, opt, p, len);
		break;
	case SOL_IP:
		err = get_ip(s, opt, p, len);
		break;
	case SOL_IPV6:
		err = get_ip6(s, opt, p, len);
		break;
	default:
		break;
	}
	net_unlock();
	return err;
}
