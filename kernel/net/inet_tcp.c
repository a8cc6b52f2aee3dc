/*
 * TCP sockets: making, connecting, listening, closing.  Data: inet_tcp_io.c.
 *
 * lwIP frees a PCB on its own (reset, timeout, the end of TIME_WAIT) and then
 * calls pcb_gone(), whatever the reason: the only place that forgets it.
 */

#include "inet_int.h"

#include "kern/clock.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/sockopt.h"
#include "kern/string.h"

#include "lwip/priv/tcp_priv.h"

#define BACKLOG_MAX 4096 /* net.core.somaxconn */

#define EXT_ID      0 /* the only extension of a PCB */

/* --- the PCB ------------------------------------------------------------- */

static void pcb_gone(u8_t id, void *arg)
{
	struct inet_sock *s = arg;

	(void)id;
	/* Reset while it waited to be accepted: lwIP still counts it. */
	if (s->tcp.listener)
		tcp_backlog_accepted(s->tcp.pcb);
	s->tcp.pcb = NULL;
	inet_chan_close(s);
	if (atomic_load(&s->state) != INET_NEW)
		atomic_store(&s->state, INET_CLOSED);
	inet_tcp_drop_tx(s);
	atomic_store(&s->tcp.tx_queued, 0);
	inet_notify(s, EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM |
			   EPOLLHUP | EPOLLRDHUP);
	/* When a timer ends a connection, on_error() comes after this. */
	inet_put_late(s);
}

static const struct tcp_ext_arg_callbacks pcb_callbacks = { pcb_gone, NULL };
static const struct tcp_ext_arg_callbacks no_callbacks = { NULL, NULL };

static void on_error(void *arg, err_t e)
{
	struct inet_sock *s = arg;
	int err = 0;

	if (e == ERR_RST)
		err = atomic_load(&s->state) == INET_CONNECTING ? ECONNREFUSED
		      : atomic_load(&s->shut) & INET_GOT_FIN    ? EPIPE
								: ECONNRESET;
	else if (e == ERR_ABRT)
		err = ETIMEDOUT;
	if (err)
		inet_error(s, err);
}

static void pcb_attach(struct inet_sock *s, struct tcp_pcb *pcb)
{
	inet_get(s);
	s->tcp.pcb = pcb;
	tcp_arg(pcb, s);
	tcp_recv(pcb, inet_tcp_on_recv);
	tcp_sent(pcb, inet_tcp_on_sent);
	tcp_err(pcb, on_error);
	tcp_ext_arg_set(pcb, EXT_ID, s);
	tcp_ext_arg_set_callbacks(pcb, EXT_ID, &pcb_callbacks);
	inet_tcp_apply(s);
}

/* Drop the connection at once, with a reset; no error for the program. */
static void pcb_abort(struct inet_sock *s)
{
	struct tcp_pcb *pcb = s->tcp.pcb;

	tcp_err(pcb, NULL);
	tcp_abort(pcb);
}

static int pcb_need(struct inet_sock *s)
{
	u8_t type = IPADDR_TYPE_ANY;
	struct tcp_pcb *pcb;

	if (s->tcp.pcb)
		return 0;
	if (s->domain == AF_INET)
		type = IPADDR_TYPE_V4;
	else if (s->opt.v6only)
		type = IPADDR_TYPE_V6;
	pcb = tcp_new_ip_type(type);
	if (!pcb)
		return -ENOBUFS;
	pcb_attach(s, pcb);
	return 0;
}

void inet_tcp_apply(struct inet_sock *s)
{
	struct tcp_pcb *pcb = s->tcp.pcb;
	const struct inet_opts *o = &s->opt;

	if (!pcb)
		return;
	pcb->so_options &= (u8_t) ~(SOF_REUSEADDR | SOF_KEEPALIVE);
	if (o->reuseaddr || o->reuseport)
		ip_set_option(pcb, SOF_REUSEADDR);
	if (o->keepalive)
		ip_set_option(pcb, SOF_KEEPALIVE);
	pcb->tos = o->tos;
	pcb->ttl = o->ttl;
	if (atomic_load(&s->state) == INET_LISTEN)
		return; /* lwIP's listening PCB is smaller */
	pcb->keep_idle = o->keepidle * 1000;
	pcb->keep_intvl = o->keepintvl * 1000;
	pcb->keep_cnt = o->keepcnt;
	if (o->nodelay)
		tcp_nagle_disable(pcb);
	else
		tcp_nagle_enable(pcb);
}

/* --- names --------------------------------------------------------------- */

static void any_addr(const struct inet_sock *s, ip_addr_t *ip)
{
	memset(ip, 0, sizeof(*ip));
	if (s->domain == AF_INET)
		IP_SET_TYPE_VAL(*ip, IPADDR_TYPE_V4);
	else if (s->opt.v6only)
		IP_SET_TYPE_VAL(*ip, IPADDR_TYPE_V6);
	else
		IP_SET_TYPE_VAL(*ip, IPADDR_TYPE_ANY);
}

static bool addrs_overlap(const struct inet_sock *a, const struct inet_sock *b)
{
	bool any_a = ip_addr_isany(&a->local), any_b = ip_addr_isany(&b->local);

	if (any_a && any_b)
		return a->domain == b->domain ||
		       !(a->domain == AF_INET6 ? a->opt.v6only : b->opt.v6only);
	if (any_a)
		return a->domain == AF_INET6 || IP_IS_V4(&b->local);
	if (any_b)
		return b->domain == AF_INET6 || IP_IS_V4(&a->local);
	return ip_addr_cmp(&a->local, &b->local);
}

/* Linux: a port that is listened on is taken, SO_REUSEADDR or not. */
static bool port_is_listened_on(const struct inet_sock *s, uint16_t port)
{
	struct inet_sock *o;

	list_foreach (o, &inet_socks, link)
		if (o != s && o->kind == INET_TCP && o->lport == port &&
		    atomic_load(&o->state) == INET_LISTEN &&
		    addrs_overlap(s, o))
			return true;
	return false;
}

static err_t try_bind(struct inet_sock *s, uint16_t port)
{
	err_t e;

	if (port_is_listened_on(s, port))
		return ERR_USE;
	e = tcp_bind(s->tcp.pcb, &s->local, port);
	if (e == ERR_OK)
		s->lport = port;
	return e;
}

static int autobind(struct inet_sock *s)
{
	err_t e;

	if (s->bound)
		return 0;
	any_addr(s, &s->local);
	e = inet_autobind(s, try_bind);
	if (e == ERR_USE)
		return -EADDRNOTAVAIL;
	if (e == ERR_OK)
		s->bound = s->autobound = true;
	return inet_errno(e);
}

static int bind_locked(struct inet_sock *s, const ip_addr_t *ip, uint16_t port)
{
	int err;
	err_t e;

	if (s->bound || atomic_load(&s->state) != INET_NEW)
		return -EINVAL;
	err = inet_addr_is_local(ip);
	if (!err)
		err = pcb_need(s);
	if (err)
		return err;
	any_addr(s, &s->local);
	if (!ip_addr_isany(ip))
		s->local = *ip;
	e = port ? try_bind(s, port) : inet_autobind(s, try_bind);
	if (e != ERR_OK) {
		any_addr(s, &s->local);
		return inet_errno(e);
	}
	s->bound = true;
	return 0;
}

static int tcp_op_bind(
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

static int tcp_op_name(
    struct socket *so, bool peer, struct sockaddr_any *sa, unsigned *len)
{
	struct inet_sock *s = inet_of(so);
	int err = 0;

	net_lock();
	if (!peer)
		*len = inet_addr_export(so->domain, &s->local, s->lport, sa);
	else if (s->was_connected) /* also when the peer has gone since */
		*len = inet_addr_export(so->domain, &s->remote, s->rport, sa);
	else
		err = -ENOTCONN;
	net_unlock();
	return err;
}

/* --- connecting ---------------------------------------------------------- */

static void note_names(struct inet_sock *s)
{
	struct tcp_pcb *pcb = s->tcp.pcb;

	s->local = pcb->local_ip;
	s->remote = pcb->remote_ip;
	s->lport = pcb->local_port;
	s->rport = pcb->remote_port;
}

static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t e)
{
	struct inet_sock *s = arg;

	(void)pcb;
	(void)e;
	note_names(s);
	s->was_connected = true;
	atomic_store(&s->state, INET_CONNECTED);
	inet_chan_open(s);
	inet_notify(s, EPOLLOUT | EPOLLWRNORM);
	return ERR_OK;
}

static int connect_start(struct inet_sock *s, ip_addr_t *ip, uint16_t port)
{
	err_t e;
	int err = pcb_need(s);

	if (!err)
		err = autobind(s);
	if (err)
		return err;
	/* To nowhere in particular means to ourselves. */
	if (ip_addr_isany(ip) && IP_IS_V6(ip))
		ip_addr_set_loopback(true, ip);
	else if (ip_addr_isany(ip))
		ip_addr_set_loopback(false, ip);
	if (s->domain == AF_INET6 && s->opt.v6only && IP_IS_V4(ip))
		return -ENETUNREACH;
	atomic_store(&s->state, INET_CONNECTING);
	e = tcp_connect(s->tcp.pcb, ip, port, on_connected);
	if (e != ERR_OK) {
		atomic_store(&s->state, INET_NEW);
		return e == ERR_USE ? -EADDRNOTAVAIL : inet_errno(e);
	}
	note_names(s);
	return 0;
}

/* A failed or unwanted connection: the socket is as new. */
static void disconnect(struct inet_sock *s)
{
	if (s->tcp.pcb)
		pcb_abort(s);
	s->bound = s->autobound = s->was_connected = false;
	s->lport = s->rport = 0;
	any_addr(s, &s->local);
	atomic_store(&s->shut, 0);
	atomic_store(&s->state, INET_NEW);
}

/* Core lock held; released while asleep.  (first): the call that began it. */
static int connect_wait(struct inet_sock *s, bool first, bool nonblock)
{
	uint64_t deadline = sockopt_deadline(&s->opt.sndtimeo);
	int r = 0;

	while (atomic_load(&s->state) == INET_CONNECTING) {
		unsigned seq = inet_seq(s);

		if (nonblock)
			return first ? -EINPROGRESS : -EALREADY;
		net_unlock();
		r = inet_wait(s, seq, deadline);
		net_lock();
		if (r && atomic_load(&s->state) == INET_CONNECTING)
			return r == -EAGAIN ? -EINPROGRESS : r;
	}
	if (atomic_load(&s->state) == INET_CONNECTED)
		return 0;
	r = inet_take_error(s);
	disconnect(s);
	return r ? r : -ECONNABORTED;
}

static int connect_locked(
    struct inet_sock *s, ip_addr_t *ip, uint16_t port, bool nonblock)
{
	int err;

	switch ((enum inet_state)atomic_load(&s->state)) {
	case INET_NEW:
		err = connect_start(s, ip, port);
		if (err)
			return err;
		return connect_wait(s, true, nonblock);
	case INET_CONNECTING:
		return connect_wait(s, false, nonblock);
	case INET_CLOSED:
		if (s->was_connected)
			return -EISCONN;
		err = inet_take_error(s);
		disconnect(s);
		return err ? err : -ECONNABORTED;
	default:
		return -EISCONN;
	}
}

static int tcp_op_connect(struct socket *so, const struct sockaddr_any *sa,
    unsigned len, bool nonblock)
{
	struct inet_sock *s = inet_of(so);
	ip_addr_t ip;
	uint16_t port;
	int err;

	if (len >= sizeof(sa->family) && sa->family == AF_UNSPEC) {
		mutex_lock(&s->tcp.rlock);
		mutex_lock(&s->tcp.wlock);
		net_lock();
		if (atomic_load(&s->state) != INET_LISTEN) {
			disconnect(s);
			inet_tcp_free_io(s);
		}
		net_unlock();
		mutex_unlock(&s->tcp.wlock);
		mutex_unlock(&s->tcp.rlock);
		return 0;
	}
	err =
	    inet_addr_import(so->domain, sa, len, INET_FOR_CONNECT, &ip, &port);
	if (err)
		return err;
	net_lock();
	err = connect_locked(s, &ip, port, nonblock);
	net_unlock();
	return err;
}

/* --- listening ----------------------------------------------------------- */

static void child_init(struct inet_sock *c, struct inet_sock *s)
{
	c->opt = s->opt;
	c->bound = c->was_connected = true;
	mutex_init(&c->tcp.rlock);
	mutex_init(&c->tcp.wlock);
	list_init(&c->tcp.accept_q);
	list_init(&c->tcp.accept_link);
	list_add_tail(&inet_socks, &c->link);
}

static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t e)
{
	struct inet_sock *s = arg, *c;

	if (e != ERR_OK || !pcb || !s)
		return ERR_VAL;
	c = inet_sock_new(INET_TCP, s->domain, s->proto);
	if (!c)
		return ERR_MEM;
	child_init(c, s);
	atomic_store(&c->state, INET_CONNECTED);
	pcb_attach(c, pcb);
	note_names(c);
	tcp_backlog_delayed(pcb);
	c->tcp.listener = s;
	list_add_tail(&s->tcp.accept_q, &c->tcp.accept_link);
	atomic_fetch_add(&s->rx_avail, 1);
	inet_chan_open(c);
	inet_notify(s, EPOLLIN | EPOLLRDNORM);
	return ERR_OK;
}

static int listen_locked(struct inet_sock *s, int backlog)
{
	struct tcp_pcb *pcb;
	u16_t n = (u16_t)MIN(MAX(backlog, 0) + 1, BACKLOG_MAX);
	err_t e;
	int err;

	if (backlog < 0)
		n = BACKLOG_MAX;
	if (atomic_load(&s->state) == INET_LISTEN) {
		tcp_backlog_set(s->tcp.pcb, n);
		return 0;
	}
	if (atomic_load(&s->state) != INET_NEW)
		return -EINVAL;
	err = pcb_need(s);
	if (!err)
		err = autobind(s);
	if (err)
		return err;
	if (port_is_listened_on(s, s->lport))
		return -EADDRINUSE;
	/* lwIP frees this PCB and makes another: keep pcb_gone() out of it. */
	tcp_ext_arg_set_callbacks(s->tcp.pcb, EXT_ID, &no_callbacks);
	pcb = tcp_listen_with_backlog_and_err(s->tcp.pcb, n, &e);
	if (!pcb) {
		tcp_ext_arg_set_callbacks(s->tcp.pcb, EXT_ID, &pcb_callbacks);
		return inet_errno(e);
	}
	s->tcp.pcb = pcb;
	tcp_arg(pcb, s);
	tcp_accept(pcb, on_accept);
	s->rport = 0;
	atomic_store(&s->state, INET_LISTEN);
	return 0;
}

static int tcp_op_listen(struct socket *so, int backlog)
{
	int err;

	net_lock();
	err = listen_locked(inet_of(so), backlog);
	net_unlock();
	return err;
}

static struct inet_sock *accept_pop(struct inet_sock *s)
{
	struct inet_sock *c;

	if (list_empty(&s->tcp.accept_q))
		return NULL;
	c = list_entry(s->tcp.accept_q.next, struct inet_sock, tcp.accept_link);
	list_del(&c->tcp.accept_link);
	c->tcp.listener = NULL;
	atomic_fetch_sub(&s->rx_avail, 1);
	if (c->tcp.pcb)
		tcp_backlog_accepted(c->tcp.pcb);
	return c;
}

/* Core lock held; the state is INET_NEW after it. */
static void listen_stop(struct inet_sock *s)
{
	struct tcp_pcb *pcb = s->tcp.pcb;
	struct inet_sock *c;

	while ((c = accept_pop(s))) {
		if (c->tcp.pcb)
			pcb_abort(c);
		inet_put(c);
	}
	atomic_store(&s->state, INET_NEW);
	s->tcp.pcb = NULL;
	s->bound = false;
	tcp_arg(pcb, NULL);
	tcp_close(pcb);
	inet_notify(s, EPOLLIN | EPOLLRDNORM | EPOLLHUP);
	inet_put(s);
}

static int tcp_op_accept(struct socket *so, struct socket **out, bool nonblock)
{
	struct inet_sock *s = inet_of(so), *c = NULL;
	uint64_t deadline = sockopt_deadline(&s->opt.rcvtimeo);
	int r = 0;

	net_lock();
	while (!r) {
		unsigned seq = inet_seq(s);

		if (atomic_load(&s->state) != INET_LISTEN)
			r = -EINVAL;
		else if ((c = accept_pop(s)))
			break;
		else if (nonblock)
			r = -EAGAIN;
		if (r)
			break;
		net_unlock();
		r = inet_wait(s, seq, deadline);
		net_lock();
	}
	if (c) {
		c->so = *out;
		(*out)->priv = c;
		(*out)->ops = &inet_tcp_ops;
	}
	net_unlock();
	return c ? 0 : r;
}

/* --- the end ------------------------------------------------------------- */

static int tcp_op_shutdown(struct socket *so, int how)
{
	struct inet_sock *s = inet_of(so);
	unsigned what = how == SHUT_RDWR ? INET_SHUT_RD | INET_SHUT_WR
			: how == SHUT_RD ? INET_SHUT_RD
					 : INET_SHUT_WR;
	int err = 0;

	net_lock();
	inet_chan_drain(s);
	switch ((enum inet_state)atomic_load(&s->state)) {
	case INET_LISTEN:
		if (what & INET_SHUT_RD)
			listen_stop(s);
		break;
	case INET_CONNECTED:
		inet_tcp_push(s);
		inet_chan_close(s);
		if ((what & INET_SHUT_WR) && s->tcp.pcb &&
		    !(atomic_load(&s->shut) & INET_SHUT_WR))
			tcp_shutdown(s->tcp.pcb, 0, 1);
		atomic_fetch_or(&s->shut, what);
		inet_notify(s, EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM |
				   EPOLLRDHUP | EPOLLHUP);
		break;
	case INET_CONNECTING:
		disconnect(s);
		atomic_store(&s->state, INET_CLOSED);
		inet_notify(s, EPOLLHUP | EPOLLIN | EPOLLOUT);
		break;
	default:
		err = -ENOTCONN;
	}
	net_unlock();
	return err;
}

/* SO_LINGER: until everything is acknowledged.  Core lock held. */
static void linger(struct inet_sock *s)
{
	uint64_t deadline =
	    clock_mono() +
	    (uint64_t)(unsigned)s->opt.linger_secs * NSEC_PER_SEC;

	while (s->tcp.pcb && atomic_load(&s->tcp.tx_queued)) {
		unsigned seq = inet_seq(s);
		int r;

		net_unlock();
		r = inet_wait(s, seq, deadline);
		net_lock();
		if (r)
			break;
	}
}

static void close_connection(struct inet_sock *s)
{
	struct tcp_pcb *pcb = s->tcp.pcb;
	bool unread = atomic_load(&s->rx_avail) != 0;
	bool connected = atomic_load(&s->state) == INET_CONNECTED;

	if (connected && (unread || (s->opt.linger && !s->opt.linger_secs))) {
		pcb_abort(s);
		return;
	}
	/* Everything was read: lwIP must not take what it was not told of
	 * for unread data, which it answers with a reset. */
	if (connected)
		pcb->rcv_wnd = TCP_WND_MAX(pcb);
	tcp_close(pcb);
	if (connected && s->opt.linger)
		linger(s);
}

static void tcp_op_release(struct socket *so)
{
	struct inet_sock *s = inet_of(so);

	net_lock();
	inet_chan_drain(s);
	inet_chan_close(s);
	s->so = NULL;
	if (atomic_load(&s->state) == INET_LISTEN)
		listen_stop(s);
	else if (s->tcp.pcb)
		close_connection(s);
	net_unlock();
	poll_head_destroy(&s->poll);
	net_lock();
	inet_put(s);
	net_unlock();
}

/* --- readiness ----------------------------------------------------------- */

/* As Linux's tcp_poll().  Without the lock: whoever changes what is read
 * here notifies afterwards. */
static uint32_t inet_tcp_ready(struct inet_sock *s)
{
	unsigned state = atomic_load(&s->state), shut = atomic_load(&s->shut);
	size_t avail = atomic_load(&s->rx_avail);
	size_t queued = atomic_load(&s->tcp.tx_queued);
	uint32_t ev = 0;

	if (state == INET_LISTEN)
		return avail ? EPOLLIN | EPOLLRDNORM : 0;
	if (atomic_load(&s->error))
		ev |= EPOLLERR;
	if (state == INET_CONNECTING)
		return ev;
	if (state != INET_CONNECTED || (shut & (INET_SHUT_RD | INET_SHUT_WR)) ==
					   (INET_SHUT_RD | INET_SHUT_WR))
		ev |= EPOLLHUP;
	if ((shut & INET_SHUT_RD) || state == INET_CLOSED)
		ev |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
	if (avail && avail >= MIN(s->opt.rcvlowat, 1u << 16))
		ev |= EPOLLIN | EPOLLRDNORM;
	if ((shut & INET_SHUT_WR) || queued * 3 <= s->opt.sndbuf * 2ul)
		ev |= EPOLLOUT | EPOLLWRNORM;
	return ev;
}

static uint32_t tcp_op_poll(struct socket *so, struct poll_entry *pe)
{
	struct inet_sock *s = inet_of(so);

	poll_wait(&s->poll, pe);
	if (inet_chan_pending(s)) {
		net_lock();
		inet_chan_drain(s);
		net_unlock();
	}
	return inet_tcp_ready(s);
}

/* --- making -------------------------------------------------------------- */

int inet_tcp_create(struct socket *so)
{
	struct inet_sock *s =
	    inet_sock_new(INET_TCP, so->domain, (unsigned)so->proto);

	if (!s)
		return -ENOBUFS;
	mutex_init(&s->tcp.rlock);
	mutex_init(&s->tcp.wlock);
	list_init(&s->tcp.accept_q);
	list_init(&s->tcp.accept_link);
	any_addr(s, &s->local);
	s->so = so;
	so->priv = s;
	so->ops = &inet_tcp_ops;
	net_lock();
	list_add_tail(&inet_socks, &s->link);
	net_unlock();
	return 0;
}

const struct socket_ops inet_tcp_ops = {
	.bind = tcp_op_bind,
	.connect = tcp_op_connect,
	.listen = tcp_op_listen,
	.accept = tcp_op_accept,
	.name = tcp_op_name,
	.send = inet_tcp_send,
	.recv = inet_tcp_recv,
	.shutdown = tcp_op_shutdown,
	.setsockopt = inet_setsockopt,
	.getsockopt = inet_getsockopt,
	.ioctl = inet_ioctl,
	.poll = tcp_op_poll,
	.release = tcp_op_release,
};
