/* AF_UNIX: life, connecting and readiness.  See unix_int.h. */

#include "unix_int.h"

#include "kern/clock.h"
#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/signal.h"
#include "kern/sockopt.h"
#include "kern/vfs.h"

#define UNIX_BACKLOG_MAX 4096 /* net.core.somaxconn */

/* The room's head is locked; whoever drains the queue may be anywhere. */
static bool unix_relay(struct poll_entry *pe, uint32_t events)
{
	struct unix_sock *u = container_of(pe, struct unix_sock, relay);

	(void)events;
	poll_notify(&u->poll, UNIX_POLL_OUT);
	return true;
}

bool unix_await_room(struct unix_sock *u, struct unix_sock *to)
{
	bool begins;

	mutex_lock(&u->lock);
	begins = u->peer == to && !u->relay.head;
	if (begins)
		poll_register(&to->room, &u->relay);
	mutex_unlock(&u->lock);
	return begins;
}

static struct unix_sock *unix_new(int type)
{
	struct unix_sock *u = kzalloc(sizeof(*u));

	if (!u)
		return NULL;
	u->refs = 1;
	u->type = type;
	mutex_init(&u->lock);
	list_init(&u->queue);
	list_init(&u->backlog);
	list_init(&u->accept_link);
	list_init(&u->name_link);
	waitq_init(&u->can_read);
	waitq_init(&u->can_write);
	poll_head_init(&u->poll);
	poll_head_init(&u->room);
	poll_entry_init(&u->relay, unix_relay);
	u->relay.events = UNIX_POLL_OUT;
	u->sndbuf = u->rcvbuf = UNIX_SNDBUF;
	u->rcvlowat = 1;
	u->rcvtimeo = u->sndtimeo = TIME_NEVER;
	cred_current(&u->cred);
	return u;
}

void unix_get(struct unix_sock *u)
{
	atomic_fetch_add_explicit(&u->refs, 1, memory_order_relaxed);
}

void unix_put(struct unix_sock *u)
{
	if (atomic_fetch_sub_explicit(&u->refs, 1, memory_order_acq_rel) != 1)
		return;
	poll_head_destroy(&u->poll);
	poll_head_destroy(&u->room);
	kfree(u);
}

struct unix_sock *unix_peer_get(struct unix_sock *u)
{
	struct unix_sock *peer;

	mutex_lock(&u->lock);
	peer = u->peer;
	if (peer)
		unix_get(peer);
	mutex_unlock(&u->lock);
	return peer;
}

static void unix_notify(struct unix_sock *u, uint32_t events)
{
	waitq_wake_all(&u->can_read);
	waitq_wake_all(&u->can_write);
	poll_notify(&u->poll, events);
	poll_notify(&u->room, UNIX_POLL_OUT);
}

int unix_sleep(struct unix_sock *u, struct waitq *q, uint64_t deadline)
{
	int r = waitq_wait_mutex(q, &u->lock, deadline, WAIT_INTR);

	if (r == -ETIMEDOUT)
		return -EAGAIN;
	/* A call with a timeout must not start again with the whole of it. */
	if (r == -EINTR)
		return deadline == TIME_NEVER ? -ERESTARTSYS : -EINTR;
	return 0;
}

/* --- the end ----------------------------------------------------------- */

/* The other end of (u) has gone, or (u) has closed (how) towards it. */
static void unix_shut_peer(struct unix_sock *peer, unsigned how, int error)
{
	mutex_lock(&peer->lock);
	peer->shut |= how;
	if (error)
		peer->error = error;
	unix_notify(peer, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
	mutex_unlock(&peer->lock);
}

static void unix_queue_free(struct list *queue)
{
	struct unix_msg *m;

	while ((m = list_first(queue, struct unix_msg, link)) != NULL) {
		list_del(&m->link);
		unix_msg_free(m);
	}
}

/* Everything out of (from) and into (to), which is empty. */
static void unix_list_move(struct list *to, struct list *from)
{
	list_init(to);
	if (list_empty(from))
		return;
	*to = *from;
	to->next->prev = to->prev->next = to;
	list_init(from);
}

/* (embryo): nobody has accepted it. */
static void unix_close(struct unix_sock *u, bool embryo)
{
	struct list queue, backlog;
	struct unix_sock *peer, *s;
	bool unread;

	mutex_lock(&u->lock);
	unread = !list_empty(&u->queue);
	u->state = UNIX_CLOSED;
	u->shut = UNIX_SHUT_BOTH;
	peer = u->peer;
	u->peer = NULL;
	poll_entry_remove(&u->relay);
	unix_list_move(&queue, &u->queue);
	unix_list_move(&backlog, &u->backlog);
	u->queued = u->queued_msgs = u->nbacklog = 0;
	unix_notify(u, EPOLLHUP);
	mutex_unlock(&u->lock);

	unix_unbind(u);
	unix_queue_free(&queue);
	while ((s = list_first(&backlog, struct unix_sock, accept_link))) {
		list_del(&s->accept_link);
		unix_close(s, true); /* not a listener: no deeper */
	}
	if (peer) {
		if (!unix_is_dgram(u))
			unix_shut_peer(peer, UNIX_SHUT_BOTH,
			    unread || embryo ? ECONNRESET : 0);
		unix_put(peer);
	}
	unix_put(u);
}

static void unix_release(struct socket *s)
{
	unix_close(unix_of(s), false);
	unix_fds_reap();
}

static int unix_shutdown(struct socket *s, int how)
{
	struct unix_sock *u = unix_of(s), *peer;
	/* SHUT_RD, SHUT_WR, SHUT_RDWR: 0, 1, 2 */
	unsigned shut = (unsigned)how + 1, theirs = 0;

	if (shut & UNIX_SHUT_RD)
		theirs |= UNIX_SHUT_WR;
	if (shut & UNIX_SHUT_WR)
		theirs |= UNIX_SHUT_RD;
	mutex_lock(&u->lock);
	u->shut |= shut;
	unix_notify(u, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
	mutex_unlock(&u->lock);
	peer = unix_peer_get(u);
	if (peer) {
		if (!unix_is_dgram(u))
			unix_shut_peer(peer, theirs, 0);
		unix_put(peer);
	}
	return 0;
}

/* --- connecting -------------------------------------------------------- */

static int unix_listen(struct socket *s, int backlog)
{
	struct unix_sock *u = unix_of(s);
	int err = 0;

	if (unix_is_dgram(u))
		return -EOPNOTSUPP;
	mutex_lock(&u->lock);
	if (u->addr.len == 0 ||
	    (u->state != UNIX_NEW && u->state != UNIX_LISTENING)) {
		err = -EINVAL;
	} else {
		u->state = UNIX_LISTENING;
		u->max_backlog =
		    MIN((unsigned)backlog, (unsigned)UNIX_BACKLOG_MAX);
		cred_current(&u->cred);
		waitq_wake_all(&u->can_write);
	}
	mutex_unlock(&u->lock);
	return err;
}

/* Wait for room in the backlog of (l), which is locked. */
static int unix_wait_backlog(
    struct unix_sock *l, bool nonblock, uint64_t deadline)
{
	for (;;) {
		int err;

		if (l->state != UNIX_LISTENING || l->shut & UNIX_SHUT_RD)
			return -ECONNREFUSED;
		if (l->nbacklog <= l->max_backlog)
			return 0;
		if (nonblock)
			return -EAGAIN;
		err = unix_sleep(l, &l->can_write, deadline);
		if (err)
			return err;
	}
}

/* (u), connecting, and (s), new, become each other's peers.  The listener
 * (l) is locked, so that nobody accepts (s) before. */
static void unix_join(
    struct unix_sock *l, struct unix_sock *u, struct unix_sock *s)
{
	s->state = UNIX_CONNECTED;
	s->addr = l->addr;
	s->passcred = l->passcred;
	cred_current(&s->peer_cred);
	unix_get(u);
	s->peer = u;

	mutex_lock(&u->lock);
	u->state = UNIX_CONNECTED;
	u->peer_cred = l->cred;
	unix_get(s);
	u->peer = s;
	unix_notify(u, UNIX_POLL_OUT);
	mutex_unlock(&u->lock);

	list_add_tail(&l->backlog, &s->accept_link);
	l->nbacklog++;
	waitq_wake(&l->can_read, 1);
	poll_notify(&l->poll, EPOLLIN | EPOLLRDNORM);
}

/* (u) is CONNECTING, so that nothing else happens to it. */
static int unix_connect_to(
    struct unix_sock *u, struct unix_sock *l, bool nonblock)
{
	struct unix_sock *s = unix_new(u->type);
	int err;

	if (!s)
		return -ENOMEM;
	mutex_lock(&l->lock);
	err = unix_wait_backlog(l, nonblock, sockopt_deadline(&u->sndtimeo));
	if (err == 0)
		unix_join(l, u, s);
	mutex_unlock(&l->lock);
	if (err)
		unix_put(s);
	return err;
}

static int unix_begin_connect(struct unix_sock *u)
{
	int err = 0;

	mutex_lock(&u->lock);
	if (u->state == UNIX_CONNECTED)
		err = -EISCONN;
	else if (u->state == UNIX_CONNECTING)
		err = -EALREADY;
	else if (u->state != UNIX_NEW)
		err = -EINVAL;
	else
		u->state = UNIX_CONNECTING;
	mutex_unlock(&u->lock);
	return err;
}

static int unix_connect_stream(struct unix_sock *u,
    const struct sockaddr_any *a, unsigned len, bool nonblock)
{
	struct unix_sock *l;
	int err = unix_begin_connect(u);

	if (err)
		return err;
	err = unix_find(a, len, u->type, &l);
	if (err == 0) {
		err = unix_connect_to(u, l, nonblock);
		unix_put(l);
	}
	if (err) {
		mutex_lock(&u->lock);
		u->state = UNIX_NEW;
		mutex_unlock(&u->lock);
	}
	return err;
}

/* A datagram socket may send to (to): it is connected to none but (u). */
static bool unix_may_send(struct unix_sock *to, const struct unix_sock *u)
{
	bool ok;

	mutex_lock(&to->lock);
	ok = !to->peer || to->peer == u;
	mutex_unlock(&to->lock);
	return ok;
}

static int unix_connect_dgram(
    struct unix_sock *u, const struct sockaddr_any *a, unsigned len)
{
	struct unix_sock *to = NULL, *old;

	if (a->family != AF_UNSPEC) {
		int err = unix_find(a, len, u->type, &to);

		if (err)
			return err;
		if (!unix_may_send(to, u)) {
			unix_put(to);
			return -EPERM;
		}
	}
	mutex_lock(&u->lock);
	old = u->peer;
	u->peer = to;
	u->state = to ? UNIX_CONNECTED : UNIX_NEW;
	poll_entry_remove(&u->relay);
	/* The new one may have the room that the old one had not. */
	poll_notify(&u->poll, UNIX_POLL_OUT);
	mutex_unlock(&u->lock);
	if (old)
		unix_put(old);
	return 0;
}

static int unix_connect(
    struct socket *s, const struct sockaddr_any *a, unsigned len, bool nonblock)
{
	struct unix_sock *u = unix_of(s);

	if (len < sizeof(a->family))
		return -EINVAL;
	if (unix_is_dgram(u))
		return unix_connect_dgram(u, a, len);
	return unix_connect_stream(u, a, len, nonblock);
}

/* The first of the backlog; (l) is locked. */
static int unix_wait_accept(
    struct unix_sock *l, bool nonblock, uint64_t deadline)
{
	for (;;) {
		int err;

		if (l->state != UNIX_LISTENING)
			return -EINVAL;
		if (!list_empty(&l->backlog))
			return 0;
		if (l->shut & UNIX_SHUT_RD)
			return -EINVAL;
		if (nonblock)
			return -EAGAIN;
		err = unix_sleep(l, &l->can_read, deadline);
		if (err)
			return err;
	}
}

static const struct socket_ops unix_ops;

static int unix_accept(struct socket *sock, struct socket **out, bool nonblock)
{
	struct unix_sock *l = unix_of(sock), *s = NULL;
	int err;

	if (unix_is_dgram(l))
		return -EOPNOTSUPP;
	mutex_lock(&l->lock);
	err = unix_wait_accept(l, nonblock, sockopt_deadline(&l->rcvtimeo));
	if (err == 0) {
		s = list_entry(l->backlog.next, struct unix_sock, accept_link);
		list_del(&s->accept_link);
		l->nbacklog--;
		waitq_wake(&l->can_write, 1);
		/* A wake-up is for one accept. */
		if (l->nbacklog > 0)
			waitq_wake(&l->can_read, 1);
	}
	mutex_unlock(&l->lock);
	if (err)
		return err;
	(*out)->ops = &unix_ops;
	(*out)->priv = s;
	return 0;
}

static int unix_pair(struct socket *sa, struct socket *sb)
{
	struct unix_sock *a = unix_of(sa), *b = unix_of(sb);

	unix_get(a);
	unix_get(b);
	a->peer = b;
	b->peer = a;
	a->peer_cred = b->cred;
	b->peer_cred = a->cred;
	a->state = b->state = UNIX_CONNECTED;
	return 0;
}

/* --- readiness --------------------------------------------------------- */

static uint32_t unix_poll_read(const struct unix_sock *u)
{
	uint32_t ev = 0;

	if (u->error)
		ev |= EPOLLERR;
	if (u->shut == UNIX_SHUT_BOTH)
		ev |= EPOLLHUP;
	if (u->shut & UNIX_SHUT_RD)
		ev |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
	if (!list_empty(&u->queue) || u->nbacklog > 0)
		ev |= EPOLLIN | EPOLLRDNORM;
	if (!unix_is_dgram(u) && u->state == UNIX_NEW)
		ev |= EPOLLHUP;
	return ev;
}

/* Room at the peer: a quarter of the buffer in use at most, as on Linux. */
static bool unix_poll_room(struct unix_sock *u, struct unix_sock *peer)
{
	bool room;

	mutex_lock(&peer->lock);
	room = peer->state == UNIX_CLOSED ||
	       (peer->queued * 4 <= u->sndbuf && unix_has_room(peer, u, 0));
	mutex_unlock(&peer->lock);
	return room;
}

static bool unix_poll_write(struct unix_sock *u, struct unix_sock *peer)
{
	if (!peer || unix_poll_room(u, peer))
		return true;
	return unix_is_dgram(u) && unix_await_room(u, peer) &&
	       unix_poll_room(u, peer);
}

static uint32_t unix_poll(struct socket *s, struct poll_entry *pe)
{
	struct unix_sock *u = unix_of(s), *peer;
	uint32_t ev;
	bool listening;

	poll_wait(&u->poll, pe);
	mutex_lock(&u->lock);
	ev = unix_poll_read(u);
	listening = u->state == UNIX_LISTENING;
	peer = u->peer;
	if (peer)
		unix_get(peer);
	mutex_unlock(&u->lock);
	if (!listening && unix_poll_write(u, peer))
		ev |= UNIX_POLL_OUT;
	if (peer)
		unix_put(peer);
	return ev;
}

/* --- the family -------------------------------------------------------- */

static const struct socket_ops unix_ops = {
	.bind = unix_bind,
	.connect = unix_connect,
	.listen = unix_listen,
	.accept = unix_accept,
	.name = unix_name,
	.send = unix_send,
	.recv = unix_recv,
	.shutdown = unix_shutdown,
	.setsockopt = unix_setsockopt,
	.getsockopt = unix_getsockopt,
	.ioctl = unix_ioctl,
	.poll = unix_poll,
	.release = unix_release,
};

static int unix_create(struct socket *s)
{
	if (s->proto != 0 && s->proto != AF_UNIX)
		return -EPROTONOSUPPORT;
	if (s->type == SOCK_RAW) /* Linux has it so */
		s->type = SOCK_DGRAM;
	if (s->type != SOCK_STREAM && s->type != SOCK_DGRAM &&
	    s->type != SOCK_SEQPACKET)
		return -ESOCKTNOSUPPORT;
	s->priv = unix_new(s->type);
	if (!s->priv)
		return -ENOMEM;
	s->ops = &unix_ops;
	return 0;
}

static const struct socket_family unix_family = {
	.domain = AF_UNIX,
	.create = unix_create,
	.pair = unix_pair,
};
SOCKET_FAMILY(unix_family);
