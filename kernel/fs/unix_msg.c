/* AF_UNIX: sending and receiving.  See unix_int.h. */

#include "unix_int.h"

#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/signal.h"
#include "kern/sockopt.h"
#include "kern/string.h"

/* Bytes of a stream in one message: with the header, 16 KiB. */
#define UNIX_CHUNK (16384 - sizeof(struct unix_msg))

void unix_msg_free(struct unix_msg *m)
{
	unix_fds_free(m->fds);
	kfree(m);
}

/* The next (n) bytes of what is sent. */
static int unix_msg_new(struct unix_msg **out, struct uio *u, size_t n)
{
	struct unix_msg *m = kmalloc(sizeof(*m) + n);

	if (!m)
		return -ENOBUFS;
	/* All but the credentials, which unix_msg_attach() sets, and the
	 * unused part of an address. */
	list_init(&m->link);
	m->fds = NULL;
	m->from.len = 0;
	m->off = 0;
	m->len = n;
	m->charge = sizeof(*m) + n;
	if (n > 0 && uio_get(u, m->data, n) != (long)n) {
		kfree(m);
		return -EFAULT;
	}
	*out = m;
	return 0;
}

bool unix_has_room(
    const struct unix_sock *to, const struct unix_sock *from, size_t bytes)
{
	/* One who is not its peer must not fill a server's queue. */
	if (unix_is_dgram(from) && to->peer != from &&
	    to->queued_msgs > UNIX_DGRAM_MAX)
		return false;
	/* A stream may overdraw by one chunk, or small buffers would stop. */
	if (from->type == SOCK_STREAM)
		return to->queued < from->sndbuf;
	return to->queued == 0 || to->queued + bytes <= from->sndbuf;
}

/* (to) is locked. */
static void unix_enqueue(struct unix_sock *to, struct unix_msg *m)
{
	list_add_tail(&to->queue, &m->link);
	to->queued += m->charge;
	to->queued_msgs++;
	waitq_wake(&to->can_read, 1);
	poll_notify(&to->poll, EPOLLIN | EPOLLRDNORM);
}

/* Wait for room at (to), which is locked, on behalf of (from). */
static int unix_wait_room(struct unix_sock *to, struct unix_sock *from,
    size_t bytes, bool nonblock, uint64_t deadline)
{
	for (;;) {
		int err;

		if (from->shut & UNIX_SHUT_WR)
			return -EPIPE;
		if (to->state == UNIX_CLOSED)
			return unix_is_dgram(from) ? -ECONNREFUSED : -EPIPE;
		if (to->shut & UNIX_SHUT_RD)
			return -EPIPE;
		if (unix_has_room(to, from, bytes))
			return 0;
		if (nonblock)
			return -EAGAIN;
		err = unix_sleep(to, &to->can_write, deadline);
		if (err)
			return err;
	}
}

static int unix_deliver_once(struct unix_sock *to, struct unix_sock *from,
    struct unix_msg *m, bool nonblock)
{
	uint64_t deadline = sockopt_deadline(&from->sndtimeo);
	int err;

	mutex_lock(&to->lock);
	err = unix_wait_room(to, from, m->charge, nonblock, deadline);
	if (err == 0)
		unix_enqueue(to, m);
	mutex_unlock(&to->lock);
	return err;
}

/* (m) goes to (to) or stays the caller's. */
static int unix_deliver(struct unix_sock *to, struct unix_sock *from,
    struct unix_msg *m, bool nonblock)
{
	int err = unix_deliver_once(to, from, m, nonblock);

	/* Who is told so may wait for an edge, and never poll before that. */
	if (err == -EAGAIN && nonblock && unix_is_dgram(from) &&
	    unix_await_room(from, to))
		err = unix_deliver_once(to, from, m, nonblock);
	return err;
}

static void unix_msg_attach(struct unix_msg *m, struct unix_ctl *c)
{
	m->cred = c->cred;
	m->fds = c->fds;
	c->fds = NULL;
}

static int unix_send_chunk(struct unix_sock *u, struct unix_sock *to,
    struct sock_msg *sm, struct unix_ctl *c)
{
	struct unix_msg *m;
	int err = unix_msg_new(&m, sm->uio, MIN(sm->uio->left, UNIX_CHUNK));

	if (err)
		return err;
	unix_msg_attach(m, c);
	err = unix_deliver(to, u, m, sm->nonblock);
	if (err)
		unix_msg_free(m);
	return err;
}

static long unix_send_stream(
    struct unix_sock *u, struct sock_msg *sm, struct unix_ctl *c)
{
	struct unix_sock *to;
	size_t all = sm->uio->left, sent = 0;
	int err = 0;

	if (sm->name)
		return u->state == UNIX_CONNECTED ? -EISCONN : -EOPNOTSUPP;
	if (u->shut & UNIX_SHUT_WR)
		return -EPIPE;
	to = unix_peer_get(u);
	if (!to)
		return -ENOTCONN;
	while (sent < all && err == 0) {
		err = unix_send_chunk(u, to, sm, c);
		if (err == 0)
			sent = all - sm->uio->left;
	}
	unix_put(to);
	return sent > 0 ? (long)sent : err;
}

/* Where a datagram goes, with a reference. */
static int unix_dgram_target(
    struct unix_sock *u, const struct sock_msg *sm, struct unix_sock **to)
{
	bool ok;

	if (sm->name && unix_is_dgram(u)) {
		int err = unix_find(sm->name, sm->namelen, u->type, to);

		if (err)
			return err;
	} else {
		*to = unix_peer_get(u);
		if (!*to)
			return -ENOTCONN;
	}
	mutex_lock(&(*to)->lock);
	ok = !(*to)->peer || (*to)->peer == u || (*to)->state == UNIX_CLOSED;
	mutex_unlock(&(*to)->lock);
	if (ok)
		return 0;
	unix_put(*to);
	return -EPERM;
}

static long unix_send_dgram(
    struct unix_sock *u, struct sock_msg *sm, struct unix_ctl *c)
{
	struct unix_sock *to;
	struct unix_msg *m;
	size_t n = sm->uio->left;
	int err;

	if (u->shut & UNIX_SHUT_WR)
		return -EPIPE;
	if (u->passcred) {
		err = unix_autobind(u);
		if (err)
			return err;
	}
	if (n > u->sndbuf - MIN(u->sndbuf, sizeof(*m)))
		return -EMSGSIZE;
	err = unix_dgram_target(u, sm, &to);
	if (err)
		return err;
	err = unix_msg_new(&m, sm->uio, n);
	if (err == 0) {
		unix_msg_attach(m, c);
		mutex_lock(&u->lock);
		m->from = u->addr;
		mutex_unlock(&u->lock);
		err = unix_deliver(to, u, m, sm->nonblock);
		if (err)
			unix_msg_free(m);
	}
	unix_put(to);
	return err ? err : (long)n;
}

long unix_send(struct socket *s, struct sock_msg *sm)
{
	struct unix_sock *u = unix_of(s);
	struct unix_ctl c;
	long r;

	if (sm->flags & MSG_OOB)
		return -EOPNOTSUPP;
	r = unix_ctl_import(&c, sm);
	if (r) {
		unix_fds_reap();
		return r;
	}
	if (u->type == SOCK_STREAM)
		r = unix_send_stream(u, sm, &c);
	else
		r = unix_send_dgram(u, sm, &c);
	unix_fds_free(c.fds);
	if (r < 0)
		unix_fds_reap();
	return r;
}

/* --- receiving --------------------------------------------------------- */

static int unix_take_error(struct unix_sock *u)
{
	int err = u->error;

	u->error = 0;
	return -err;
}

/* 1: there is a message, 0: the end, or -errno.  (u) is locked. */
static int unix_wait_msg(struct unix_sock *u, bool nonblock, uint64_t deadline)
{
	for (;;) {
		int err;

		if (!list_empty(&u->queue))
			return 1;
		err = unix_take_error(u);
		if (err)
			return err;
		/* Linux's datagram sockets say so only when they may wait. */
		if (u->shut & UNIX_SHUT_RD && !(unix_is_dgram(u) && nonblock))
			return 0;
		if (nonblock)
			return -EAGAIN;
		err = unix_sleep(u, &u->can_read, deadline);
		if (err)
			return err;
	}
}

/* (m) has been read to its end; (u) is locked. */
static void unix_dequeue(struct unix_sock *u, struct unix_msg *m)
{
	list_del(&m->link);
	u->queued -= m->charge;
	u->queued_msgs--;
	waitq_wake_all(&u->can_write);
	poll_notify(&u->room, UNIX_POLL_OUT);
	/* The peer outlives this: (u) has a reference. */
	if (u->peer)
		poll_notify(&u->peer->poll, UNIX_POLL_OUT);
	unix_msg_free(m);
}

struct unix_read {
	struct unix_sock *u;
	struct sock_msg *sm;
	bool peek;
	bool control; /* given for the first message already */
	struct cred cred;
	size_t used; /* of control */
};

/* When credentials are asked for, the bytes of one read have the same. */
static bool unix_read_joins(
    const struct unix_read *rd, const struct unix_msg *m)
{
	return !rd->control || !rd->u->passcred ||
	       memcmp(&m->cred, &rd->cred, sizeof(m->cred)) == 0;
}

static void unix_read_control(struct unix_read *rd, struct unix_msg *m)
{
	if (!rd->control)
		unix_give_cred(rd->u, &m->cred, rd->sm, &rd->used);
	rd->control = true;
	rd->cred = m->cred;
	unix_give_rights(m, !rd->peek, rd->sm, &rd->used);
}

/* Bytes of the messages that are there: a count, or -EFAULT. */
static long unix_read_queue(struct unix_read *rd)
{
	struct unix_msg *m, *next;
	size_t done = 0;

	list_foreach_safe (m, next, &rd->u->queue, link) {
		bool had_fds = m->fds != NULL;
		size_t n = MIN(m->len - m->off, rd->sm->uio->left);
		long r;

		if (!unix_read_joins(rd, m))
			break;
		r = uio_put(rd->sm->uio, m->data + m->off, n);
		if (r < 0)
			return done > 0 ? (long)done : r;
		unix_read_control(rd, m);
		done += (size_t)r;
		if (!rd->peek) {
			m->off += (size_t)r;
			if (m->off == m->len)
				unix_dequeue(rd->u, m);
		}
		if ((size_t)r < n || rd->sm->uio->left == 0 || had_fds)
			break;
	}
	return (long)done;
}

static void unix_read_name(struct unix_sock *u, struct sock_msg *sm)
{
	struct unix_sock *peer = unix_peer_get(u);

	sm->namelen = 0;
	if (!peer)
		return;
	mutex_lock(&peer->lock);
	if (peer->addr.len)
		unix_addr_out(&peer->addr, sm->name, &sm->namelen);
	mutex_unlock(&peer->lock);
	unix_put(peer);
}

static long unix_recv_stream(struct unix_sock *u, struct sock_msg *sm)
{
	struct unix_read rd = {
		.u = u, .sm = sm, .peek = sm->flags & MSG_PEEK
	};
	bool all = sm->flags & MSG_WAITALL && !rd.peek;
	uint64_t deadline = sockopt_deadline(&u->rcvtimeo);
	long done = 0, r = 0;

	mutex_lock(&u->lock);
	if (u->state != UNIX_CONNECTED)
		r = -EINVAL;
	while (r == 0 && sm->uio->left > 0) {
		r = unix_wait_msg(u, sm->nonblock, deadline);
		if (r <= 0)
			break;
		r = unix_read_queue(&rd);
		if (r <= 0)
			break;
		done += r;
		if (!all || rd.used > 0)
			break;
		r = 0;
	}
	if (u->queued_msgs > 0)
		waitq_wake(&u->can_read, 1);
	mutex_unlock(&u->lock);
	sm->controllen = rd.used;
	if (sm->name && (done > 0 || r == 0))
		unix_read_name(u, sm);
	return done > 0 ? done : r;
}

/* One message; what does not fit is lost.  (u) is locked. */
static long unix_read_dgram(
    struct unix_sock *u, struct sock_msg *sm, size_t *used)
{
	struct unix_msg *m = list_entry(u->queue.next, struct unix_msg, link);
	bool peek = sm->flags & MSG_PEEK;
	size_t n = MIN(m->len, sm->uio->left);
	bool whole = sm->flags & MSG_TRUNC;
	long r = uio_put(sm->uio, m->data, n);

	/* A datagram that could not be copied is gone, as on Linux. */
	if (r != (long)n)
		r = -EFAULT;
	else if (whole)
		r = (long)m->len;
	sm->flags &= ~MSG_TRUNC;
	if (n < m->len)
		sm->flags |= MSG_TRUNC;
	if (sm->name) {
		sm->namelen = 0;
		if (m->from.len)
			unix_addr_out(&m->from, sm->name, &sm->namelen);
	}
	unix_give_cred(u, &m->cred, sm, used);
	unix_give_rights(m, !peek, sm, used);
	if (!peek)
		unix_dequeue(u, m);
	return r;
}

static long unix_recv_dgram(struct unix_sock *u, struct sock_msg *sm)
{
	size_t used = 0;
	long r = 0;

	mutex_lock(&u->lock);
	if (u->type == SOCK_SEQPACKET && u->state != UNIX_CONNECTED)
		r = -ENOTCONN;
	if (r == 0)
		r = unix_wait_msg(
		    u, sm->nonblock, sockopt_deadline(&u->rcvtimeo));
	if (r > 0)
		r = unix_read_dgram(u, sm, &used);
	else if (r == 0) {
		sm->namelen = 0;
		sm->flags &= ~MSG_TRUNC;
	}
	if (u->queued_msgs > 0)
		waitq_wake(&u->can_read, 1);
	mutex_unlock(&u->lock);
	sm->controllen = used;
	return r;
}

long unix_recv(struct socket *s, struct sock_msg *sm)
{
	struct unix_sock *u = unix_of(s);
	long r;

	if (sm->flags & MSG_OOB)
		return -EOPNOTSUPP;
	/* As a result only, from here on. */
	sm->flags &= ~MSG_CTRUNC;
	if (u->type != SOCK_STREAM) {
		r = unix_recv_dgram(u, sm);
	} else {
		sm->flags &= ~MSG_TRUNC;
		r = unix_recv_stream(u, sm);
	}
	if (sm->flags & MSG_CTRUNC)
		unix_fds_reap();
	return r;
}
