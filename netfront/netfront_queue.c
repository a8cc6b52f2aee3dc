/* Queues: packets between the layer and the rings, events, grants. */

#include "kern/clock.h"
#include "kern/compiler.h"
#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/percpu.h"
#include "netfront_int.h"

#define REFILL_DELAY (10 * NSEC_PER_MSEC)
/* With fewer the back end may wait for more, for its largest packet. */
#define RX_LEAST NF_RX_SLOTS

/* --- transmit ------------------------------------------------------------ */

static unsigned tx_burst(struct netqueue *q, struct pkt **pkts, unsigned n)
{
	unsigned i;
	int err;

	for (i = 0; i < n; i++) {
		err = nftx_put(&q->tx, pkts[i]);
		if (err == -EAGAIN)
			break;
		if (err)
			q->nf->nd.stats.tx_errors++;
		pkt_free(pkts[i]); /* copied */
	}
	if (nftx_publish(&q->tx))
		evtchn_notify(q->tx_port);
	return i;
}

unsigned netqueue_tx(
    struct net_dev *nd, unsigned queue, struct pkt **pkts, unsigned n)
{
	struct netfront *nf = nd->softc;
	struct netqueue *q = &nf->queue[queue];
	unsigned long flags = spin_lock_irqsave(&q->tx_lock);
	const char *lie;
	unsigned done = 0;

	do {
		nftx_reap(&q->tx);
		done += tx_burst(q, pkts + done, n - done);
	} while (done < n && nftx_arm(&q->tx));
	q->tx.starved = done < n;
	lie = q->tx.broken;
	spin_unlock_irqrestore(&q->tx_lock, flags);
	if (lie)
		netfront_broken(nf, lie);
	return done;
}

/* Packets are freed when they are copied: answers matter only to a sender
 * that found the ring full. */
static void tx_event(void *arg)
{
	struct netqueue *q = arg;
	unsigned long flags = spin_lock_irqsave(&q->tx_lock);
	bool wake;
	const char *lie;

	do
		nftx_reap(&q->tx);
	while (q->tx.starved && nftx_arm(&q->tx));
	wake = q->tx.starved &&
	       (q->tx.broken || xring_room(&q->tx.ring) > NF_TX_SLOTS);
	if (wake)
		q->tx.starved = false;
	q->nf->nd.stats.tx_errors += q->tx.errors;
	q->tx.errors = 0;
	lie = q->tx.broken;
	spin_unlock_irqrestore(&q->tx_lock, flags);
	if (wake && atomic_load(&q->nf->up))
		net_tx_space(&q->nf->nd, q->index);
	if (lie)
		netfront_broken(q->nf, lie);
}

/* --- receive ------------------------------------------------------------- */

static void refill(struct netqueue *q)
{
	if (nfrx_refill(&q->rx))
		evtchn_notify(q->rx_port);
	if (nfrx_posted(&q->rx) < RX_LEAST && !q->rx.broken)
		timer_set(&q->refill, clock_mono() + REFILL_DELAY);
}

unsigned netqueue_rx(
    struct net_dev *nd, unsigned queue, struct pkt **pkts, unsigned n)
{
	struct netfront *nf = nd->softc;
	struct netqueue *q = &nf->queue[queue];
	unsigned got = 0;

	while (got < n) {
		pkts[got] = nfrx_take(&q->rx);
		if (!pkts[got])
			break;
		got++;
	}
	nd->stats.rx_errors += q->rx.errors;
	q->rx.errors = 0;
	refill(q);
	if (q->rx.broken)
		netfront_broken(nf, q->rx.broken);
	return got;
}

bool netqueue_rx_arm(struct net_dev *nd, unsigned queue)
{
	struct netfront *nf = nd->softc;

	return nfrx_arm(&nf->queue[queue].rx);
}

static void rx_event(void *arg)
{
	struct netqueue *q = arg;

	if (atomic_load(&q->nf->up))
		net_rx_ready(&q->nf->nd, q->index);
}

/* The two are one event when the back end knows only one. */
static void both_event(void *arg)
{
	tx_event(arg);
	rx_event(arg);
}

static void refill_timer(struct timer *t)
{
	rx_event(container_of(t, struct netqueue, refill));
}

/* --- pages --------------------------------------------------------------- */

/* Zeroed: what was in the page is nobody else's business. */
static int tx_page_new(void *arg, struct nf_page *p)
{
	struct netqueue *q = arg;
	int err;

	p->va = page_alloc(0, PAGE_ZERO | PAGE_ATOMIC);
	if (!p->va)
		return -ENOMEM;
	err = gnttab_grant(q->nf->xd->peer, p->va, true, &p->ref);
	if (err)
		page_put(p->va);
	return err;
}

static int rx_page_new(void *arg, struct nf_page *p)
{
	struct netqueue *q = arg;

	p->va = page_alloc(0, PAGE_ZERO | PAGE_ATOMIC);
	if (!p->va)
		return -ENOMEM;
	p->ref = gnttab_pool_grant(&q->pool, q->nf->xd->peer, p->va, false);
	if (p->ref != GNTTAB_REF_NONE)
		return 0;
	page_put(p->va);
	return -ENOSPC;
}

static bool rx_page_end(void *arg, struct nf_page *p)
{
	struct netqueue *q = arg;

	if (gnttab_pool_revoke(&q->pool, p->ref))
		return true;
	gnttab_leak(p->ref, p->va);
	return false;
}

/* --- making and ending --------------------------------------------------- */

static int tx_create(struct netqueue *q)
{
	int err = xenbus_ring_create(q->nf->xd, 0, &q->tx_mem);

	if (err)
		return err;
	return nftx_init(
	    &q->tx, q->tx_mem.va, &q->nf->neg.feat, tx_page_new, q);
}

static int rx_create(struct netqueue *q)
{
	int err = xenbus_ring_create(q->nf->xd, 0, &q->rx_mem);

	if (!err)
		err = nfrx_init(&q->rx, q->rx_mem.va, q->nf->rx_target);
	if (!err)
		err = gnttab_pool_init(&q->pool, q->rx.target);
	if (err)
		return err;
	q->rx.page_new = rx_page_new;
	q->rx.page_end = rx_page_end;
	q->rx.page_arg = q;
	nfrx_refill(&q->rx);
	return nfrx_posted(&q->rx) >= RX_LEAST ? 0 : -ENOMEM;
}

static int port_create(struct netqueue *q, evtchn_port_t *port, evtchn_fn fn)
{
	int err = xenbus_evtchn_alloc(q->nf->xd, port);

	if (err)
		return err;
	return evtchn_handle(*port, q->index % cpu_count(), fn, q);
}

static int ports_create(struct netqueue *q)
{
	int err;

	if (!q->nf->neg.split) {
		err = port_create(q, &q->tx_port, both_event);
		q->rx_port = q->tx_port;
		return err;
	}
	err = port_create(q, &q->tx_port, tx_event);
	return err ? err : port_create(q, &q->rx_port, rx_event);
}

int netqueue_create(struct netfront *nf, unsigned index)
{
	struct netqueue *q = &nf->queue[index];
	int err;

	q->nf = nf;
	q->index = index;
	timer_init(&q->refill, refill_timer);
	err = tx_create(q);
	if (!err)
		err = rx_create(q);
	return err ? err : ports_create(q);
}

void netqueue_start(struct netqueue *q)
{
	evtchn_unmask(q->tx_port);
	if (q->rx_port != q->tx_port)
		evtchn_unmask(q->rx_port);
}

void netqueue_stop(struct netqueue *q)
{
	if (q->tx_port)
		evtchn_close(q->tx_port);
	if (q->rx_port && q->rx_port != q->tx_port)
		evtchn_close(q->rx_port);
	q->tx_port = q->rx_port = 0;
	timer_cancel(&q->refill);
}

/* The back end should have let go of everything; what it keeps is not used
 * again before it does. */
void netqueue_destroy(struct netqueue *q)
{
	if (!q->nf) /* never begun */
		return;
	netqueue_stop(q);
	for (unsigned i = 0; i < q->tx.nbuf; i++)
		gnttab_revoke_page(q->tx.buf[i].page.ref, q->tx.buf[i].page.va);
	nftx_destroy(&q->tx);
	nfrx_drain(&q->rx);
	nfrx_destroy(&q->rx);
	gnttab_pool_destroy(&q->pool);
	xenbus_ring_destroy(q->nf->xd, &q->tx_mem);
	xenbus_ring_destroy(q->nf->xd, &q->rx_mem);
	q->tx.broken = q->rx.broken = "closed";
}
