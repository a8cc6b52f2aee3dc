/*
 * TCP sockets: bytes in and out.
 *
 * In: lwIP's pbufs (the driver's own pages) are queued and copied once, to
 * the program.  Out: the program's bytes are copied once, to pages that lwIP
 * refers to until they are acknowledged.
 */

#include "inet_int.h"

#include "kern/arch.h"
#include "kern/clock.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/sockopt.h"
#include "kern/string.h"
#include "kern/uio.h"

#define TX_CAP        (PAGE_SIZE - sizeof(struct inet_txpage))
#define TX_BATCH      16u           /* pages filled for one hold of the lock */
#define RECVED_MAX    (TCP_WND / 8) /* the window may shrink by that unsaid */
#define GATHER_BELOW  512u
#define GATHER_BEHIND 4096u
#define GATHER_SIZE   2000u /* and its header: a 2 KiB slab */
#define NOMEM_WAIT    (10 * NSEC_PER_MSEC)

/* --- queues of pbufs ----------------------------------------------------- */

static void bytes_append(struct inet_bytes *q, struct pbuf *p)
{
	if (q->tail)
		q->tail->next = p;
	else
		q->head = p;
	while (p->next)
		p = p->next;
	q->tail = p;
}

/* (src) to the end of (dst); (src) is empty after it. */
static void bytes_splice(struct inet_bytes *dst, struct inet_bytes *src)
{
	if (!src->head)
		return;
	if (dst->tail)
		dst->tail->next = src->head;
	else
		dst->head = src->head;
	dst->tail = src->tail;
	src->head = src->tail = NULL;
}

static void bytes_drop_first(struct inet_bytes *q)
{
	struct pbuf *p = q->head;

	q->head = p->next;
	if (!q->head)
		q->tail = NULL;
	/* It was part of a chain that was counted as a whole. */
	p->next = NULL;
	p->tot_len = p->len;
	pbuf_free(p);
}

static void bytes_free(struct inet_bytes *q)
{
	while (q->head)
		bytes_drop_first(q);
}

/* --- receiving ----------------------------------------------------------- */

/*
 * Tiny segments that nobody reads: a window full of them would take a hundred
 * times its size.  Behind the first few KiB they are put together.
 */
static bool rx_gather(struct inet_sock *s, struct pbuf *p)
{
	struct inet_tcp *t = &s->tcp;
	struct pbuf *q = t->rxq.tail;
	uint16_t n = p->tot_len;

	if (n > GATHER_BELOW || atomic_load(&s->rx_avail) < GATHER_BEHIND)
		return false;
	if (!q || t->rx_room < n) {
		q = pbuf_alloc(PBUF_RAW, GATHER_SIZE, PBUF_RAM);
		if (!q)
			return false;
		q->len = q->tot_len = 0;
		bytes_append(&t->rxq, q);
		t->rx_room = GATHER_SIZE;
	}
	pbuf_copy_partial(p, (char *)q->payload + q->len, n, 0);
	q->len = q->tot_len = (uint16_t)(q->len + n);
	t->rx_room -= n;
	pbuf_free(p);
	return true;
}

err_t inet_tcp_on_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t e)
{
	struct inet_sock *s = arg;
	size_t n;

	(void)pcb;
	(void)e;
	if (!p) {
		atomic_fetch_or(&s->shut, INET_SHUT_RD | INET_GOT_FIN);
		inet_chan_close(s);
		inet_notify(s, EPOLLIN | EPOLLRDNORM | EPOLLRDHUP | EPOLLHUP);
		return ERR_OK;
	}
	n = p->tot_len;
	if (!rx_gather(s, p)) {
		bytes_append(&s->tcp.rxq, p);
		s->tcp.rx_room = 0;
	}
	atomic_fetch_add(&s->rx_avail, n);
	inet_notify(s, EPOLLIN | EPOLLRDNORM);
	return ERR_OK;
}

/* Tell lwIP what was consumed; it opens the window.  Core lock, rlock. */
static void tell_recved(struct inet_sock *s)
{
	struct inet_tcp *t = &s->tcp;

	while (t->pcb && t->recved) {
		u16_t n = (u16_t)MIN(t->recved, (size_t)0xffff);

		tcp_recved(t->pcb, n);
		t->recved -= n;
	}
	t->recved = 0;
}

/* One look under the core lock: what there is, and what else is true. */
struct rx_look {
	unsigned seq, state, shut;
};

static void rx_look(struct inet_sock *s, struct rx_look *l)
{
	net_lock();
	l->seq = inet_seq(s);
	inet_get(s);
	inet_chan_drain(s);
	if (atomic_load(&s->state) == INET_CONNECTED)
		tell_recved(s);
	bytes_splice(&s->tcp.rd, &s->tcp.rxq);
	s->tcp.rx_room = 0;
	s->tcp.rd_avail = atomic_load(&s->rx_avail);
	l->state = atomic_load(&s->state);
	l->shut = atomic_load(&s->shut);
	inet_put(s);
	net_unlock();
}

/*
 * Copy from what the reader has; (u) NULL: throw away.  Up to (n) bytes from
 * offset (skip) when they are to stay, which is for MSG_PEEK.
 */
static long rx_copy(struct inet_sock *s, struct uio *u, size_t n, bool peek)
{
	struct inet_tcp *t = &s->tcp;
	struct pbuf *p = t->rd.head;
	unsigned off = t->rd_off;
	size_t done = 0;
	long r = 0;

	while (p && done < n) {
		size_t part = MIN(n - done, (size_t)p->len - off);

		if (u)
			r = uio_put(u, (char *)p->payload + off, part);
		else
			r = (long)part;
		if (r <= 0 && part)
			break;
		done += (size_t)r;
		off += (unsigned)r;
		if (off < p->len)
			break;
		p = p->next;
		off = 0;
		if (!peek)
			bytes_drop_first(&t->rd);
	}
	if (!peek) {
		t->rd_off = off;
		t->rd_avail -= done;
		t->recved += done;
		atomic_fetch_sub(&s->rx_avail, done);
	}
	return done ? (long)done : r;
}

static bool rx_ended(struct inet_sock *s, const struct rx_look *l)
{
	return atomic_load(&s->error) || (l->shut & INET_SHUT_RD) ||
	       l->state != INET_CONNECTED;
}

/* What to say when there are no bytes: 0 is the end of the stream. */
static int rx_nothing(
    struct inet_sock *s, const struct rx_look *l, bool nonblock)
{
	int err = inet_take_error(s);

	if (err)
		return err;
	if (l->shut & INET_SHUT_RD)
		return 0;
	if (l->state == INET_CLOSED)
		return 0;
	if (l->state == INET_NEW || l->state == INET_LISTEN)
		return -ENOTCONN;
	return nonblock ? -EAGAIN : 1;
}

/* More of the window than it should wait for has been consumed. */
static void rx_update_window(struct inet_sock *s)
{
	if (s->tcp.recved < RECVED_MAX)
		return;
	net_lock();
	if (atomic_load(&s->state) == INET_CONNECTED)
		tell_recved(s);
	net_unlock();
}

static long rx_loop(struct inet_sock *s, struct sock_msg *m, size_t target)
{
	bool peek = (m->flags & MSG_PEEK) != 0;
	bool trunc = (m->flags & MSG_TRUNC) != 0;
	uint64_t deadline = sockopt_deadline(&s->opt.rcvtimeo);
	size_t want = m->uio->left, got = 0;
	struct rx_look l = { 0 };
	long r;

	for (;;) {
		/* Enough is here already: no lock but the reader's. */
		if (s->tcp.rd_avail < target - got ||
		    s->tcp.recved >= RECVED_MAX)
			rx_look(s, &l);
		r = rx_copy(s, trunc ? NULL : m->uio, want - got, peek);
		if (r < 0)
			return got ? (long)got : r;
		got += (size_t)r;
		if (got >= target || (peek && got))
			return (long)got;
		if (got && (m->nonblock || rx_ended(s, &l)))
			return (long)got;
		r = got ? 1 : rx_nothing(s, &l, m->nonblock);
		if (r <= 0)
			return r;
		mutex_unlock(&s->tcp.rlock);
		r = inet_wait(s, l.seq, deadline);
		mutex_lock(&s->tcp.rlock);
		if (r)
			return got ? (long)got : r;
	}
}

long inet_tcp_recv(struct socket *so, struct sock_msg *m)
{
	struct inet_sock *s = inet_of(so);
	size_t want = m->uio->left, target;
	long r;

	if (m->flags & MSG_OOB)
		return -EINVAL;
	target =
	    m->flags & MSG_WAITALL ? want : MIN(MAX(s->opt.rcvlowat, 1u), want);
	mutex_lock(&s->tcp.rlock);
	r = rx_loop(s, m, target);
	rx_update_window(s);
	mutex_unlock(&s->tcp.rlock);
	/* A stream's peer is known: no name, as in Linux. */
	m->namelen = 0;
	m->controllen = 0;
	m->flags = 0;
	return r;
}

/* --- pages on their way out ---------------------------------------------- */

static void page_drop(struct inet_txpage *p)
{
	page_put(p);
}

/* (n) bytes were acknowledged: pages that are empty go.  Core lock. */
static void tx_acked(struct inet_sock *s, size_t n)
{
	struct inet_tcp *t = &s->tcp;
	struct inet_txpage *p;

	while (n && (p = t->tx_head)) {
		uint32_t part = (uint32_t)MIN(n, (size_t)p->unacked);

		p->unacked -= part;
		n -= part;
		if (p->unacked)
			break;
		t->tx_head = p->next;
		if (!t->tx_head)
			t->tx_tail = NULL;
		p->next = NULL;
		if (p != t->wr_page)
			page_drop(p);
	}
}

/* An idle connection holds no page: unless a writer is at it just now. */
static void tx_idle(struct inet_sock *s)
{
	struct inet_tcp *t = &s->tcp;

	if (t->tx_head || !t->wr_page || !mutex_trylock(&t->wlock))
		return;
	page_drop(t->wr_page);
	t->wr_page = NULL;
	mutex_unlock(&t->wlock);
}

err_t inet_tcp_on_sent(void *arg, struct tcp_pcb *pcb, uint16_t n)
{
	struct inet_sock *s = arg;
	size_t before = atomic_load(&s->tcp.tx_queued), left;

	(void)pcb;
	/* The FIN is counted as a byte as well. */
	n = (uint16_t)MIN((size_t)n, before);
	left = before - n;
	atomic_store(&s->tcp.tx_queued, left);
	tx_acked(s, n);
	tx_idle(s);
	if (left * 3 <= s->opt.sndbuf * 2ul)
		inet_notify(s, EPOLLOUT | EPOLLWRNORM);
	return ERR_OK;
}

void inet_tcp_drop_tx(struct inet_sock *s)
{
	tx_acked(s, SIZE_MAX);
}

/* Nobody reads or writes any more, or both locks are held.  Core lock. */
void inet_tcp_free_io(struct inet_sock *s)
{
	struct inet_tcp *t = &s->tcp;
	struct inet_txpage *p;

	bytes_free(&t->rxq);
	bytes_free(&t->rd);
	t->rx_room = 0;
	t->rd_off = 0;
	t->rd_avail = t->recved = 0;
	atomic_store(&s->rx_avail, 0);
	while ((p = t->tx_head)) {
		t->tx_head = p->next;
		if (p != t->wr_page)
			page_drop(p);
	}
	t->tx_tail = NULL;
	if (t->wr_page)
		page_drop(t->wr_page);
	t->wr_page = NULL;
}

/* --- sending ------------------------------------------------------------- */

/* Copied from the program, not lwIP's yet. */
struct tx_piece {
	struct inet_txpage *page;
	uint32_t off, len;
};

struct tx_batch {
	struct tx_piece piece[TX_BATCH];
	unsigned n;
	size_t bytes;
};

static struct inet_txpage *tx_page_new(void)
{
	struct inet_txpage *p = page_alloc(0, 0);

	if (!p)
		return NULL;
	p->next = NULL;
	p->fill = sizeof(*p);
	p->unacked = 0;
	return p;
}

/* Fill pages with up to (room) bytes.  wlock.  0 or -errno if nothing was. */
static int tx_fill(
    struct inet_sock *s, struct tx_batch *b, struct uio *u, size_t room)
{
	struct inet_txpage *p = s->tcp.wr_page;

	b->n = 0;
	b->bytes = 0;
	while (b->n < TX_BATCH && room && u->left) {
		size_t part;
		long r;

		if (!p || p->fill == PAGE_SIZE)
			p = tx_page_new();
		if (!p)
			return b->bytes ? 0 : -ENOBUFS;
		part = MIN(MIN(room, u->left), PAGE_SIZE - p->fill);
		r = uio_get(u, (char *)p + p->fill, part);
		if (r <= 0) {
			if (p != s->tcp.wr_page)
				page_drop(p);
			return b->bytes ? 0 : (int)r;
		}
		b->piece[b->n++] = (struct tx_piece){ p, p->fill, (uint32_t)r };
		p->fill += (uint32_t)r;
		b->bytes += (size_t)r;
		room -= (size_t)r;
	}
	return 0;
}

/* Hand one piece to lwIP.  Core lock. */
static err_t tx_hand(struct inet_sock *s, const struct tx_piece *x, u8_t flags)
{
	struct inet_tcp *t = &s->tcp;
	struct inet_txpage *p = x->page;
	err_t e =
	    tcp_write(t->pcb, (const char *)p + x->off, (u16_t)x->len, flags);

	if (e != ERR_OK)
		return e;
	if (!p->unacked) {
		p->next = NULL;
		if (t->tx_tail)
			t->tx_tail->next = p;
		else
			t->tx_head = p;
		t->tx_tail = p;
	}
	p->unacked += x->len;
	atomic_fetch_add(&t->tx_queued, x->len);
	return ERR_OK;
}

/* Pages of the batch from (i) on were not taken: forget what is in them. */
static void tx_undo(struct inet_sock *s, struct tx_batch *b, unsigned i)
{
	struct inet_tcp *t = &s->tcp;

	for (; i < b->n; i++) {
		struct inet_txpage *p = b->piece[i].page;

		p->fill = b->piece[i].off;
		if (!p->unacked && p != t->wr_page)
			page_drop(p);
	}
}

/* The last page stays the writer's, to be filled on.  Core lock, wlock. */
static void tx_keep(struct inet_sock *s, struct inet_txpage *last)
{
	struct inet_tcp *t = &s->tcp;
	struct inet_txpage *old = t->wr_page;

	if (last == old)
		return;
	t->wr_page = last;
	if (old && !old->unacked)
		page_drop(old);
}

/* Is there enough for a full segment, or nothing more to wait for? */
static bool tx_may_push(struct inet_sock *s, bool more)
{
	struct tcp_pcb *pcb = s->tcp.pcb;

	if (!more && !s->opt.cork)
		return true;
	return atomic_load(&s->tcp.tx_queued) >= pcb->mss;
}

/* Why nothing can be written now: 0, or -errno.  Core lock. */
static int tx_refused(struct inet_sock *s)
{
	int err = inet_take_error(s);

	if (err)
		return err;
	if ((atomic_load(&s->shut) & INET_SHUT_WR) ||
	    atomic_load(&s->state) != INET_CONNECTED || !s->tcp.pcb)
		return -EPIPE;
	return 0;
}

/*
 * Give the batch to lwIP; returns the bytes taken, which may be 0 when it is
 * out of room, or -errno.
 */
static long tx_commit(struct inet_sock *s, struct tx_batch *b, bool more)
{
	size_t done = 0;
	unsigned i;
	int err;

	net_lock();
	inet_get(s);
	inet_chan_drain(s);
	err = tx_refused(s);
	for (i = 0; !err && i < b->n; i++) {
		u8_t flags = more || i + 1 < b->n ? TCP_WRITE_FLAG_MORE : 0;

		if (tx_hand(s, &b->piece[i], flags) != ERR_OK)
			break;
		done += b->piece[i].len;
	}
	tx_undo(s, b, i);
	if (i)
		tx_keep(s, b->piece[i - 1].page);
	if (!err && (tx_may_push(s, more) || i < b->n))
		tcp_output(s->tcp.pcb);
	inet_put(s);
	net_unlock();
	return err ? err : (long)done;
}

/* Room for more, as lwIP counts and as SO_SNDBUF allows. */
static size_t tx_room(struct inet_sock *s)
{
	size_t queued = atomic_load(&s->tcp.tx_queued);
	size_t max = MIN(s->opt.sndbuf, (unsigned)TCP_SND_BUF);

	return queued < max ? max - queued : 0;
}

/* Sleep until there is room, or something is wrong.  Returns 0 or -errno. */
static int tx_wait(
    struct inet_sock *s, bool nonblock, bool nomem, uint64_t deadline)
{
	unsigned seq;
	size_t room;
	int err, state;

	net_lock();
	seq = inet_seq(s);
	inet_get(s);
	inet_chan_drain(s);
	if (s->tcp.pcb && atomic_load(&s->state) == INET_CONNECTED)
		tcp_output(s->tcp.pcb);
	state = (int)atomic_load(&s->state);
	err = state == INET_CONNECTING ? 0 : tx_refused(s);
	room = nomem || state == INET_CONNECTING ? 0 : tx_room(s);
	inet_put(s);
	net_unlock();
	/* Once full, wait for a third to be free: fewer and longer writes. */
	if (err || room * 3 >= MIN(s->opt.sndbuf, (unsigned)TCP_SND_BUF) ||
	    (nonblock && room))
		return err;
	if (nonblock)
		return -EAGAIN;
	mutex_unlock(&s->tcp.wlock);
	if (nomem) {
		/* No event tells of memory. */
		err =
		    inet_wait(s, seq, MIN(deadline, clock_mono() + NOMEM_WAIT));
		if (err == -EAGAIN && clock_mono() < deadline)
			err = 0;
	} else {
		err = inet_wait(s, seq, deadline);
	}
	mutex_lock(&s->tcp.wlock);
	return err;
}

static long tx_loop(struct inet_sock *s, struct sock_msg *m)
{
	uint64_t deadline = sockopt_deadline(&s->opt.sndtimeo);
	bool more = (m->flags & MSG_MORE) != 0, nomem = false;
	size_t total = m->uio->left, sent = 0;
	struct uio before;
	struct tx_batch b;
	long r = 0;

	while (sent < total) {
		size_t room = tx_room(s);

		if (!room || nomem ||
		    atomic_load(&s->state) == INET_CONNECTING) {
			r = tx_wait(s, m->nonblock, nomem, deadline);
			if (r)
				break;
			nomem = false;
			continue;
		}
		before = *m->uio;
		r = tx_fill(s, &b, m->uio, room);
		if (r)
			break;
		r = tx_commit(s, &b, more || m->uio->left);
		if (r < 0)
			break;
		sent += (size_t)r;
		if ((size_t)r == b.bytes)
			continue;
		/* lwIP had no memory.  What it did not take was consumed from
		 * the program's buffer: go back to it. */
		*m->uio = before;
		uio_skip(m->uio, (size_t)r);
		nomem = true;
	}
	return sent ? (long)sent : r;
}

long inet_tcp_send(struct socket *so, struct sock_msg *m)
{
	struct inet_sock *s = inet_of(so);
	unsigned state = atomic_load(&s->state);
	long r;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (state == INET_NEW || state == INET_LISTEN)
		return -EPIPE;
	if (!m->uio->left) {
		net_lock();
		r = state == INET_CONNECTING ? 0 : tx_refused(s);
		net_unlock();
		return r;
	}
	mutex_lock(&s->tcp.wlock);
	r = tx_loop(s, m);
	mutex_unlock(&s->tcp.wlock);
	return r;
}

void inet_tcp_push(struct inet_sock *s)
{
	if (s->tcp.pcb && atomic_load(&s->state) == INET_CONNECTED)
		tcp_output(s->tcp.pcb);
}
