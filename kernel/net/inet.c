/* The inet families: what TCP, UDP and raw sockets have in common. */

#include "inet_int.h"
#include "netchan_int.h"

#include "kern/arch.h"
#include "kern/clock.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/rand.h"
#include "kern/string.h"

#include <linux/in.h>
#include <linux/in6.h>

struct list inet_socks = LIST_INIT(inet_socks);
static struct list late_list = LIST_INIT(late_list); /* core lock */
static struct list wake_list = LIST_INIT(wake_list); /* core lock */

/* --- life ---------------------------------------------------------------- */

struct inet_sock *inet_sock_new(enum inet_kind kind, int domain, unsigned proto)
{
	struct inet_sock *s = kzalloc(sizeof(*s));

	if (!s)
		return NULL;
	s->kind = kind;
	s->domain = domain;
	s->proto = proto;
	s->refs = 1;
	inet_opts_init(&s->opt, kind);
	poll_head_init(&s->poll);
	waitq_init(&s->ev_wait);
	list_init(&s->wake_link);
	list_init(&s->late_link);
	list_init(&s->link);
	return s;
}

void inet_get(struct inet_sock *s)
{
	s->refs++;
}

static void sock_free(struct rcu_head *h)
{
	kfree(container_of(h, struct inet_sock, rcu));
}

void inet_put(struct inet_sock *s)
{
	if (--s->refs)
		return;
	if (s->kind == INET_TCP)
		inet_tcp_free_io(s);
	inet_chan_close(s);
	list_del(&s->wake_link);
	list_del(&s->link);
	rcu_call(&s->rcu, sock_free);
}

void inet_put_late(struct inet_sock *s)
{
	s->late_puts++;
	if (list_empty(&s->late_link))
		list_add_tail(&late_list, &s->late_link);
}

void inet_put_all_late(void)
{
	struct inet_sock *s;
	unsigned n;

	while (!list_empty(&late_list)) {
		s = list_entry(late_list.next, struct inet_sock, late_link);
		list_del(&s->late_link);
		n = s->late_puts;
		s->late_puts = 0;
		while (n--)
			inet_put(s);
	}
}

/* --- readiness ----------------------------------------------------------- */

/* Any context; RCU read held, or a reference. */
static void inet_wake(struct inet_sock *s, uint32_t events)
{
	unsigned long flags = spin_lock_irqsave(&s->ev_lock);

	atomic_fetch_add(&s->ev_seq, 1);
	waitq_wake_all(&s->ev_wait);
	spin_unlock_irqrestore(&s->ev_lock, flags);
	poll_notify(&s->poll, events);
}

void inet_notify(struct inet_sock *s, uint32_t events)
{
	s->wake_events |= events;
	if (list_empty(&s->wake_link))
		list_add_tail(&wake_list, &s->wake_link);
}

void inet_wake_all(void)
{
	struct inet_sock *s;
	uint32_t events;

	while (!list_empty(&wake_list)) {
		s = list_entry(wake_list.next, struct inet_sock, wake_link);
		list_del(&s->wake_link);
		events = s->wake_events;
		s->wake_events = 0;
		inet_wake(s, events);
	}
}

int inet_wait(struct inet_sock *s, unsigned seq, uint64_t deadline)
{
	unsigned long flags = spin_lock_irqsave(&s->ev_lock);
	int r = 0;

	while (!r && atomic_load(&s->ev_seq) == seq)
		r = waitq_wait(
		    &s->ev_wait, &s->ev_lock, &flags, deadline, WAIT_INTR);
	spin_unlock_irqrestore(&s->ev_lock, flags);
	if (r == -ETIMEDOUT)
		return -EAGAIN;
	if (r == -EINTR)
		return deadline == TIME_NEVER ? -ERESTARTSYS : -EINTR;
	return 0;
}

/* --- channels ------------------------------------------------------------ */

static void chan_input(void *arg, struct pkt *p)
{
	struct inet_sock *s = arg;
	struct net_dev *dev = p->owner;

	if (!s) {
		/* The channel has gone: left over from its grace period. */
		net_defer_input(dev, p);
		return;
	}
	net_tcp_hint = s->kind == INET_TCP ? s->tcp.pcb : NULL;
	nif_input_chan(dev, p);
	net_tcp_hint = NULL;
}

static void chan_wake(void *arg)
{
	inet_wake(arg, EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM);
}

/* As the classifier sees the local address: any of one or of both kinds. */
static void chan_laddr(const struct inet_sock *s, uint8_t out[16])
{
	memset(out, 0, 16);
	if (!ip_addr_isany(&s->local))
		inet_addr_bytes(&s->local, out);
	else if (s->domain == AF_INET)
		out[10] = out[11] = 0xff;
}

void inet_chan_open(struct inet_sock *s)
{
	struct netchan_key key;
	struct netchan *c;

	memset(&key, 0, sizeof(key));
	chan_laddr(s, key.laddr);
	key.lport = be16(s->lport);
	key.proto = s->kind == INET_TCP ? IPPROTO_TCP : IPPROTO_UDP;
	if (s->rport) {
		inet_addr_bytes(&s->remote, key.faddr);
		key.fport = be16(s->rport);
	}
	c = netchan_create(chan_input, chan_wake, s);
	if (!c)
		return;
	if (netchan_bind(c, &key)) {
		netchan_destroy(c);
		return;
	}
	atomic_store(&s->chan, c);
}

void inet_chan_close(struct inet_sock *s)
{
	struct netchan *c = atomic_exchange(&s->chan, NULL);

	if (c)
		netchan_destroy(c);
}

void inet_chan_drain(struct inet_sock *s)
{
	struct netchan *c = atomic_load(&s->chan);

	/* An RST, an ICMP error or a full listener may close it meanwhile:
	 * then netchan_drain() stops by itself. */
	if (c && !netchan_empty(c))
		netchan_drain(c, NETCHAN_RING);
}

/* --- errors -------------------------------------------------------------- */

void inet_error(struct inet_sock *s, int err)
{
	atomic_store(&s->error, err);
	inet_notify(s, EPOLLERR | EPOLLIN | EPOLLOUT);
}

int inet_take_error(struct inet_sock *s)
{
	return atomic_load(&s->error) ? -atomic_exchange(&s->error, 0) : 0;
}

int inet_errno(err_t e)
{
	switch (e) {
	case ERR_OK:
		return 0;
	case ERR_MEM:
	case ERR_BUF:
		return -ENOBUFS;
	case ERR_RTE:
		return -ENETUNREACH;
	case ERR_USE:
		return -EADDRINUSE;
	case ERR_ALREADY:
		return -EALREADY;
	case ERR_ISCONN:
		return -EISCONN;
	case ERR_CONN:
	case ERR_CLSD:
		return -ENOTCONN;
	case ERR_RST:
		return -ECONNRESET;
	case ERR_ABRT:
		return -ETIMEDOUT;
	case ERR_IF:
		return -ENETDOWN;
	default:
		return -EINVAL;
	}
}

/* --- our own addresses --------------------------------------------------- */

static bool netif_has(struct netif *n, const ip_addr_t *ip)
{
	if (IP_IS_V6(ip))
		return netif_get_ip6_addr_match(n, ip_2_ip6(ip)) >= 0;
	if (ip4_addr_cmp(netif_ip4_addr(n), ip_2_ip4(ip)))
		return true;
	/* All of 127/8 is the loopback's. */
	return ip4_addr_isloopback(ip_2_ip4(ip)) &&
	       ip4_addr_isloopback(netif_ip4_addr(n));
}

int inet_addr_is_local(const ip_addr_t *ip)
{
	struct netif *n;

	if (ip_addr_isany(ip) || ip_addr_ismulticast(ip))
		return 0;
	NETIF_FOREACH(n)
	{
		if (netif_has(n, ip) ||
		    (!IP_IS_V6(ip) && ip4_addr_isbroadcast(ip_2_ip4(ip), n)))
			return 0;
	}
	return -EADDRNOTAVAIL;
}

/* --- ephemeral ports ----------------------------------------------------- */

#define PORT_FIRST 32768u /* net.ipv4.ip_local_port_range */
#define PORT_COUNT 28232u

/*
 * Start anywhere and go on by an odd step: a few tries find a free port
 * unless nearly all are taken; then every one is looked at.
 */
err_t inet_autobind(
    struct inet_sock *s, err_t (*try)(struct inet_sock *, uint16_t port))
{
	unsigned at = (unsigned)(rand_u64() % PORT_COUNT), i;
	err_t e = ERR_USE;

	for (i = 0; i < PORT_COUNT && e == ERR_USE; i++) {
		e = try(s, (uint16_t)(PORT_FIRST + at));
		at = i < 16 ? (unsigned)(rand_u64() % PORT_COUNT)
			    : (at + 1) % PORT_COUNT;
	}
	return e;
}

/* --- the families -------------------------------------------------------- */

static int inet_create(struct socket *so)
{
	bool v6 = so->domain == AF_INET6;
	int icmp = v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;

	if (so->proto < 0 || so->proto > 255)
		return -EINVAL;
	switch (so->type) {
	case SOCK_STREAM:
		if (so->proto && so->proto != IPPROTO_TCP)
			return -EPROTONOSUPPORT;
		so->proto = IPPROTO_TCP;
		return inet_tcp_create(so);
	case SOCK_DGRAM:
		if (so->proto == icmp)
			return inet_dgram_create(so, INET_RAW, (unsigned)icmp);
		if (so->proto && so->proto != IPPROTO_UDP)
			return -EPROTONOSUPPORT;
		so->proto = IPPROTO_UDP;
		return inet_dgram_create(so, INET_UDP, IPPROTO_UDP);
	case SOCK_RAW:
		if (!so->proto)
			return -EPROTONOSUPPORT;
		return inet_dgram_create(so, INET_RAW, (unsigned)so->proto);
	default:
		return -ESOCKTNOSUPPORT;
	}
}

static const struct socket_family inet_family = {
	.domain = AF_INET,
	.create = inet_create,
};
SOCKET_FAMILY(inet_family);

static const struct socket_family inet6_family = {
	.domain = AF_INET6,
	.create = inet_create,
};
SOCKET_FAMILY(inet6_family);
