/*
 * Datagram sockets: UDP, raw IP, and ICMP (ping) sockets, which are raw ones
 * without the IP header and with the identifier as their port.
 */

#include "inet_dgram.h"
#include "inet_mcast.h"

#include "kern/mm.h"
#include "kern/num.h"
#include "kern/sockopt.h"
#include "kern/string.h"
#include "kern/uio.h"

#include "lwip/inet_chksum.h"
#include "lwip/prot/icmp.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/udp.h"

#include <linux/in.h>
#include <linux/in6.h>

#define UDP_MAX 65507u
#define RAW_MAX 65515u

/* --- the PCB ------------------------------------------------------------- */

static bool is_ping(const struct inet_sock *s)
{
	return s->kind == INET_RAW && s->dg_ping;
}

static void any_addr(const struct inet_sock *s, ip_addr_t *ip)
{
	memset(ip, 0, sizeof(*ip));
	if (s->domain == AF_INET)
		IP_SET_TYPE_VAL(*ip, IPADDR_TYPE_V4);
	else if (s->opt.v6only || s->kind == INET_RAW)
		IP_SET_TYPE_VAL(*ip, IPADDR_TYPE_V6);
	else
		IP_SET_TYPE_VAL(*ip, IPADDR_TYPE_ANY);
}

static void common_options(const struct inet_opts *o, struct ip_pcb *pcb)
{
	pcb->so_options &= (u8_t) ~(SOF_REUSEADDR | SOF_BROADCAST);
	if (o->reuseaddr || o->reuseport)
		ip_set_option(pcb, SOF_REUSEADDR);
	if (o->broadcast)
		ip_set_option(pcb, SOF_BROADCAST);
	pcb->tos = o->tos;
	pcb->ttl = o->ttl;
}

void inet_dgram_apply(struct inet_sock *s)
{
	const struct inet_opts *o = &s->opt;

	common_options(o, (struct ip_pcb *)s->dg.udp);
	if (s->kind == INET_RAW) {
		raw_set_multicast_ttl(s->dg.raw, o->mcast_ttl);
		raw_set_flags(s->dg.raw, o->hdrincl ? RAW_FLAGS_HDRINCL : 0);
		return;
	}
	udp_set_multicast_ttl(s->dg.udp, o->mcast_ttl);
	udp_set_multicast_netif_index(s->dg.udp, o->mcast_if);
	if (o->mcast_loop)
		udp_set_flags(s->dg.udp, UDP_FLAGS_MULTICAST_LOOP);
	else
		udp_clear_flags(s->dg.udp, UDP_FLAGS_MULTICAST_LOOP);
}

/* --- receiving ----------------------------------------------------------- */

/* Takes (p), or drops it when the queue is full. */
static void queue_in(
    struct inet_sock *s, struct pbuf *p, const ip_addr_t *from, uint16_t port)
{
	size_t have = atomic_load(&s->rx_avail);
	struct dgram *d = NULL;

	if (have + p->tot_len <= s->opt.rcvbuf)
		d = kmalloc(sizeof(*d));
	if (!d) {
		pbuf_free(p);
		return;
	}
	d->p = p;
	d->from = *from;
	d->to = *ip_current_dest_addr();
	d->port = port;
	d->ifindex = netif_get_index(ip_current_input_netif());
	d->ttl = ip_current_is_v6() ? IP6H_HOPLIM(ip6_current_header())
				    : IPH_TTL(ip4_current_header());
	d->tos = ip_current_is_v6() ? IP6H_TC(ip6_current_header())
				    : IPH_TOS(ip4_current_header());
	list_add_tail(&s->dg.rxq, &d->link);
	/* An empty message is one to read, too. */
	atomic_store(&s->rx_avail, have + p->tot_len + sizeof(*d));
	inet_notify(s, EPOLLIN | EPOLLRDNORM);
}

static void on_udp(void *arg, struct udp_pcb *pcb, struct pbuf *p,
    const ip_addr_t *from, u16_t port)
{
	(void)pcb;
	queue_in(arg, p, from, port);
}

/* A ping socket sees the replies to its identifier, nothing else. */
static bool ping_wants(struct inet_sock *s, struct pbuf *p, unsigned hdr)
{
	struct icmp_echo_hdr h;
	bool v6 = s->domain == AF_INET6;

	if (pbuf_copy_partial(p, &h, sizeof(h), (u16_t)hdr) != sizeof(h))
		return false;
	return h.type == (v6 ? 129 : ICMP_ER) && be16(h.id) == s->lport;
}

static bool raw_filtered(struct inet_sock *s, struct pbuf *p, unsigned hdr)
{
	uint8_t type;

	if (s->proto != IPPROTO_ICMP || s->domain != AF_INET)
		return false;
	if (pbuf_copy_partial(p, &type, 1, (u16_t)hdr) != 1)
		return true;
	return type < 32 && (s->opt.icmp_filter & (1u << type));
}

/*
 * lwIP shows the packet with its IP header, to each raw socket in turn, and
 * goes on with it when we return 0: so a copy is taken.
 */
static u8_t on_raw(
    void *arg, struct raw_pcb *pcb, struct pbuf *p, const ip_addr_t *from)
{
	struct inet_sock *s = arg;
	unsigned hdr = ip_current_header_tot_len();
	bool v6 = s->domain == AF_INET6;
	struct pbuf *copy;

	(void)pcb;
	if (is_ping(s) ? !ping_wants(s, p, hdr) : raw_filtered(s, p, hdr))
		return 0;
	copy = pbuf_clone(PBUF_RAW, PBUF_RAM, p);
	if (!copy)
		return 0;
	/* Linux gives raw IPv4 sockets the header, others not. */
	if (v6 || is_ping(s))
		pbuf_remove_header(copy, hdr);
	queue_in(s, copy, from, 0);
	return 0;
}

static struct dgram *dgram_take(struct inet_sock *s, bool peek)
{
	struct dgram *d;

	if (list_empty(&s->dg.rxq))
		return NULL;
	d = list_entry(s->dg.rxq.next, struct dgram, link);
	if (peek)
		return d;
	list_del(&d->link);
	atomic_fetch_sub(&s->rx_avail, d->p->tot_len + sizeof(*d));
	return d;
}

static void dgram_free(struct dgram *d)
{
	pbuf_free(d->p);
	kfree(d);
}

size_t inet_dgram_next_size(struct inet_sock *s)
{
	struct dgram *d;
	size_t n;

	net_lock();
	d = dgram_take(s, true);
	n = d ? d->p->tot_len : 0;
	net_unlock();
	return n;
}

/* --- recv ---------------------------------------------------------------- */

static long copy_out(struct inet_sock *s, struct dgram *d, struct sock_msg *m)
{
	size_t n = MIN((size_t)d->p->tot_len, m->uio->left), done = 0;
	bool trunc = (m->flags & MSG_TRUNC) != 0;
	struct pbuf *p;

	m->flags = n < d->p->tot_len ? MSG_TRUNC : 0;
	for (p = d->p; p && done < n; p = p->next) {
		size_t part = MIN(n - done, (size_t)p->len);
		long r = part ? uio_put(m->uio, p->payload, part) : 0;

		if (r < (long)part)
			return -EFAULT;
		done += part;
	}
	if (m->name)
		m->namelen =
		    inet_addr_export(s->domain, &d->from, d->port, m->name);
	inet_cmsg_put(s, d, m);
	return trunc ? d->p->tot_len : (long)n;
}

static long dgram_recv(struct socket *so, struct sock_msg *m)
{
	struct inet_sock *s = inet_of(so);
	bool peek = (m->flags & MSG_PEEK) != 0;
	uint64_t deadline = sockopt_deadline(&s->opt.rcvtimeo);
	struct dgram *d;
	long r = 0;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	mutex_lock(&s->dg.rlock);
	for (;;) {
		unsigned seq;

		net_lock();
		seq = inet_seq(s);
		inet_chan_drain(s);
		r = inet_take_error(s);
		d = r ? NULL : dgram_take(s, peek);
		net_unlock();
		if (d || r || (atomic_load(&s->shut) & INET_SHUT_RD))
			break;
		if (m->nonblock) {
			r = -EAGAIN;
			break;
		}
		mutex_unlock(&s->dg.rlock);
		r = inet_wait(s, seq, deadline);
		mutex_lock(&s->dg.rlock);
		if (r)
			break;
	}
	if (!d) {
		m->flags = 0;
		m->controllen = m->namelen = 0;
	} else {
		/* A peeked one stays on the queue: only we, who have rlock,
		 * could take it off. */
		r = copy_out(s, d, m);
		if (!peek)
			dgram_free(d);
	}
	mutex_unlock(&s->dg.rlock);
	return r;
}

/* --- naming -------------------------------------------------------------- */

static err_t try_bind(struct inet_sock *s, uint16_t port)
{
	err_t e;

	if (s->kind == INET_RAW) {
		e = raw_bind(s->dg.raw, &s->local);
		if (is_ping(s))
			s->lport = port;
		return e;
	}
	e = udp_bind(s->dg.udp, &s->local, port);
	if (e == ERR_OK)
		s->lport = port;
	return e;
}

/* The flow has other addresses now. */
static void rechannel(struct inet_sock *s)
{
	inet_chan_drain(s);
	inet_chan_close(s);
	if (s->kind == INET_UDP && s->bound)
		inet_chan_open(s);
}

static int autobind(struct inet_sock *s)
{
	err_t e;

	if (s->bound)
		return 0;
	any_addr(s, &s->local);
	e = inet_autobind(s, try_bind);
	if (e != ERR_OK)
		return e == ERR_USE ? -EAGAIN : inet_errno(e);
	s->bound = s->autobound = true;
	rechannel(s);
	return 0;
}

static int bind_locked(struct inet_sock *s, const ip_addr_t *ip, uint16_t port)
{
	int err;
	err_t e;

	if (s->bound && s->kind == INET_UDP)
		return -EINVAL;
	err = inet_addr_is_local(ip);
	if (err)
		return err;
	any_addr(s, &s->local);
	if (!ip_addr_isany(ip))
		s->local = *ip;
	e = port || (s->kind == INET_RAW && !is_ping(s))
		? try_bind(s, port)
		: inet_autobind(s, try_bind);
	if (e != ERR_OK) {
		any_addr(s, &s->local);
		return inet_errno(e);
	}
	s->bound = true;
	rechannel(s);
	return 0;
}

static int dgram_bind(
    struct socket *so, const struct sockaddr_any *sa, unsigned len)
{
	ip_addr_t ip;
	uint16_t port;
	int err =
	    inet_addr_import(so->domain, sa, len, INET_FOR_BIND, &ip, &port);

	if (err)
		return err;
	net_lock();
	err = bind_locked(inet_of(so), &ip, port);
	net_unlock();
	return err;
}

static void disconnect(struct inet_sock *s)
{
	if (s->kind == INET_UDP)
		udp_disconnect(s->dg.udp);
	else
		raw_disconnect(s->dg.raw);
	s->rport = 0;
	memset(&s->remote, 0, sizeof(s->remote));
	atomic_store(&s->state, INET_NEW);
}

static void any_is_loopback(ip_addr_t *ip)
{
	if (!ip_addr_isany(ip))
		return;
	if (IP_IS_V6(ip))
		ip_addr_set_loopback(true, ip);
	else
		ip_addr_set_loopback(false, ip);
}

static int connect_locked(struct inet_sock *s, ip_addr_t *ip, uint16_t port)
{
	err_t e;
	int err = autobind(s);

	if (err)
		return err;
	any_is_loopback(ip);
	if (s->kind == INET_UDP)
		e = udp_connect(s->dg.udp, ip, port);
	else
		e = raw_connect(s->dg.raw, ip);
	if (e != ERR_OK)
		return inet_errno(e);
	s->remote = *ip;
	s->rport = port;
	if (ip_addr_isany(&s->local)) {
		struct netif *n = ip_route(&s->local, ip);
		const ip_addr_t *mine = n ? ip_netif_get_local_ip(n, ip) : NULL;

		if (!mine)
			return -ENETUNREACH;
		s->local = *mine;
	}
	atomic_store(&s->state, INET_CONNECTED);
	rechannel(s);
	return 0;
}

static int dgram_connect(struct socket *so, const struct sockaddr_any *sa,
    unsigned len, bool nonblock)
{
	struct inet_sock *s = inet_of(so);
	ip_addr_t ip;
	uint16_t port;
	int err = 0;

	(void)nonblock;
	if (len >= sizeof(sa->family) && sa->family == AF_UNSPEC) {
		net_lock();
		disconnect(s);
		rechannel(s);
		net_unlock();
		return 0;
	}
	err =
	    inet_addr_import(so->domain, sa, len, INET_FOR_CONNECT, &ip, &port);
	if (err)
		return err;
	net_lock();
	err = connect_locked(s, &ip, port);
	net_unlock();
	return err;
}

static int dgram_name(
    struct socket *so, bool peer, struct sockaddr_any *sa, unsigned *len)
{
	struct inet_sock *s = inet_of(so);
	int err = 0;

	net_lock();
	if (!peer)
		*len = inet_addr_export(so->domain, &s->local, s->lport, sa);
	else if (atomic_load(&s->state) == INET_CONNECTED)
		*len = inet_addr_export(so->domain, &s->remote, s->rport, sa);
	else
		err = -ENOTCONN;
	net_unlock();
	return err;
}

/* --- send ---------------------------------------------------------------- */

static err_t send_udp(struct inet_sock *s, struct pbuf *p, const ip_addr_t *to,
    uint16_t port, const struct dgram_from *from)
{
	struct udp_pcb *pcb = s->dg.udp;
	struct netif *n;

	if (!from->given && !from->ifindex)
		return to ? udp_sendto(pcb, p, to, port) : udp_send(pcb, p);
	if (!to) {
		to = &s->remote;
		port = s->rport;
	}
	n = from->ifindex ? netif_get_by_index((u8_t)from->ifindex)
			  : ip_route(&from->addr, to);
	if (!n)
		return ERR_RTE;
	if (!from->given)
		return udp_sendto_if(pcb, p, to, port, n);
	return udp_sendto_if_src(pcb, p, to, port, n, &from->addr);
}

/* A ping socket's identifier is its port, whatever the program wrote. */
static err_t ping_fill(struct inet_sock *s, struct pbuf *p)
{
	struct icmp_echo_hdr *h = p->payload;

	if (p->len < sizeof(*h))
		return ERR_VAL;
	h->id = be16(s->lport);
	h->chksum = 0;
	if (s->domain == AF_INET)
		h->chksum = inet_chksum_pbuf(p);
	return ERR_OK;
}

static err_t send_raw(struct inet_sock *s, struct pbuf *p, const ip_addr_t *to)
{
	err_t e = is_ping(s) ? ping_fill(s, p) : ERR_OK;

	if (e != ERR_OK)
		return e;
	return to ? raw_sendto(s->dg.raw, p, to) : raw_send(s->dg.raw, p);
}

/* With the TTL and TOS that a control message asked for. */
static err_t send_as(struct inet_sock *s, struct pbuf *p, const ip_addr_t *to,
    uint16_t port, const struct dgram_from *from)
{
	struct ip_pcb *pcb = (struct ip_pcb *)s->dg.udp;
	u8_t ttl = pcb->ttl, tos = pcb->tos;
	err_t e;

	if (from->ttl >= 0)
		pcb->ttl = (u8_t)from->ttl;
	if (from->tos >= 0)
		pcb->tos = (u8_t)from->tos;
	e = s->kind == INET_UDP ? send_udp(s, p, to, port, from)
				: send_raw(s, p, to);
	pcb->ttl = ttl;
	pcb->tos = tos;
	return e;
}

static bool is_broadcast(const ip_addr_t *to)
{
	struct netif *n;

	if (!to || IP_IS_V6(to))
		return false;
	n = ip_route(IP4_ADDR_ANY, to);
	return n && ip4_addr_isbroadcast(ip_2_ip4(to), n);
}

static int send_locked(struct inet_sock *s, struct pbuf *p, ip_addr_t *to,
    uint16_t port, const struct dgram_from *from)
{
	int err = inet_take_error(s);

	if (err)
		return err;
	if (atomic_load(&s->shut) & INET_SHUT_WR)
		return -EPIPE;
	if (!to && atomic_load(&s->state) != INET_CONNECTED)
		return -EDESTADDRREQ;
	if (is_broadcast(to) && !s->opt.broadcast)
		return -EACCES;
	if (s->domain == AF_INET6 && s->opt.v6only && to && IP_IS_V4(to))
		return -ENETUNREACH;
	err = s->kind == INET_UDP || is_ping(s) ? autobind(s) : 0;
	if (err)
		return err;
	if (to)
		any_is_loopback(to);
	return inet_errno(send_as(s, p, to, port, from));
}

static int import_target(struct inet_sock *s, const struct sock_msg *m,
    ip_addr_t *to, uint16_t *port)
{
	int err = inet_addr_import(
	    s->domain, m->name, m->namelen, INET_FOR_SENDTO, to, port);

	if (err)
		return err;
	return s->kind == INET_UDP && !*port ? -EINVAL : 0;
}

static long dgram_send(struct socket *so, struct sock_msg *m)
{
	struct inet_sock *s = inet_of(so);
	unsigned max = s->kind == INET_UDP ? UDP_MAX : RAW_MAX;
	size_t n = m->uio->left;
	struct dgram_from from;
	ip_addr_t to;
	uint16_t port = 0;
	struct pbuf *p;
	long r;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (n > max)
		return -EMSGSIZE;
	r = inet_cmsg_get(m, &from);
	if (!r && m->name)
		r = import_target(s, m, &to, &port);
	if (r)
		return r;
	p = pbuf_alloc(PBUF_TRANSPORT, (u16_t)n, PBUF_RAM);
	if (!p)
		return -ENOBUFS;
	r = n ? uio_get(m->uio, p->payload, n) : 0;
	if (r >= 0 && (size_t)r < n)
		r = -EFAULT;
	net_lock();
	if (r >= 0) {
		inet_chan_drain(s);
		r = send_locked(s, p, m->name ? &to : NULL, port, &from);
	}
	pbuf_free(p);
	net_unlock();
	return r < 0 ? r : (long)n;
}

/* --- the rest ------------------------------------------------------------ */

static int dgram_shutdown(struct socket *so, int how)
{
	struct inet_sock *s = inet_of(so);
	int err = 0;

	net_lock();
	if (atomic_load(&s->state) != INET_CONNECTED)
		err = -ENOTCONN;
	if (how != SHUT_WR)
		atomic_fetch_or(&s->shut, INET_SHUT_RD);
	if (how != SHUT_RD)
		atomic_fetch_or(&s->shut, INET_SHUT_WR);
	inet_notify(s, EPOLLIN | EPOLLRDHUP | EPOLLOUT | EPOLLHUP);
	net_unlock();
	return err;
}

static uint32_t inet_dgram_ready(struct inet_sock *s)
{
	unsigned shut = atomic_load(&s->shut);
	uint32_t ev = EPOLLOUT | EPOLLWRNORM;

	if (atomic_load(&s->error))
		ev |= EPOLLERR;
	if (atomic_load(&s->rx_avail))
		ev |= EPOLLIN | EPOLLRDNORM;
	if (shut & INET_SHUT_RD)
		ev |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
	if (shut == (INET_SHUT_RD | INET_SHUT_WR))
		ev |= EPOLLHUP;
	return ev;
}

static uint32_t dgram_poll(struct socket *so, struct poll_entry *pe)
{
	struct inet_sock *s = inet_of(so);

	poll_wait(&s->poll, pe);
	if (inet_chan_pending(s)) {
		net_lock();
		inet_chan_drain(s);
		net_unlock();
	}
	return inet_dgram_ready(s);
}

static void dgram_release(struct socket *so)
{
	struct inet_sock *s = inet_of(so);
	struct dgram *d;

	net_lock();
	inet_chan_close(s);
	inet_mcast_leave_all(s);
	if (s->kind == INET_UDP)
		udp_remove(s->dg.udp);
	else
		raw_remove(s->dg.raw);
	while ((d = dgram_take(s, false)))
		dgram_free(d);
	s->so = NULL;
	net_unlock();
	poll_head_destroy(&s->poll);
	net_lock();
	inet_put(s);
	net_unlock();
}

static int pcb_new(struct inet_sock *s)
{
	u8_t type = s->domain == AF_INET  ? IPADDR_TYPE_V4
		    : s->kind == INET_RAW ? IPADDR_TYPE_V6
					  : IPADDR_TYPE_ANY;

	if (s->kind == INET_UDP) {
		s->dg.udp = udp_new_ip_type(type);
		if (s->dg.udp)
			udp_recv(s->dg.udp, on_udp, s);
		return s->dg.udp ? 0 : -ENOBUFS;
	}
	s->dg.raw = raw_new_ip_type(type, (u8_t)s->proto);
	if (s->dg.raw)
		raw_recv(s->dg.raw, on_raw, s);
	return s->dg.raw ? 0 : -ENOBUFS;
}

int inet_dgram_create(struct socket *so, enum inet_kind kind, unsigned proto)
{
	struct inet_sock *s = inet_sock_new(kind, so->domain, proto);
	int err;

	if (!s)
		return -ENOBUFS;
	s->dg_ping = kind == INET_RAW && so->type == SOCK_DGRAM;
	mutex_init(&s->dg.rlock);
	list_init(&s->dg.rxq);
	list_init(&s->dg.groups);
	any_addr(s, &s->local);
	net_lock();
	err = pcb_new(s);
	if (!err) {
		inet_dgram_apply(s);
		list_add_tail(&inet_socks, &s->link);
		s->so = so;
		so->priv = s;
		so->ops = &inet_dgram_ops;
	} else {
		inet_put(s);
	}
	net_unlock();
	return err;
}

const struct socket_ops inet_dgram_ops = {
	.bind = dgram_bind,
	.connect = dgram_connect,
	.name = dgram_name,
	.send = dgram_send,
	.recv = dgram_recv,
	.shutdown = dgram_shutdown,
	.setsockopt = inet_setsockopt,
	.getsockopt = inet_getsockopt,
	.ioctl = inet_ioctl,
	.poll = dgram_poll,
	.release = dgram_release,
};
