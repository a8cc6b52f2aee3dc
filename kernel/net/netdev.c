/*
 * Network devices: their pollers and transmit queues.
 *
 * A receive queue has one thread, on the queue's cpu: it takes bursts while
 * there are any, then asks for an event and sleeps.  A transmit queue keeps
 * what the device had no room for and goes on at net_tx_space().
 */

#include "net_int.h"

#include "kern/errno.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/sched.h"
#include "kern/string.h"

#define BURST       64u
#define BACKLOG_MAX 1024u /* packets that wait for room in a ring */
#define QUEUES_MAX  32u

struct rx_queue {
	struct net_dev *dev;
	unsigned index;
	unsigned chan; /* the queue's number among all devices' */
	struct thread *thread;
	/* A spinlock: the driver's interrupt handler sets ready. */
	struct spinlock lock;
	struct waitq wait;
	bool ready, stop;
};

struct tx_queue {
	struct net_dev *dev;
	unsigned index;
	struct mutex lock;
	struct pkt *head, **tail;
	unsigned n;
	struct work work;
};

struct netdev_state {
	unsigned nqueues, chan_base;
	struct rx_queue *rx;
	struct tx_queue *tx;
};

static struct list devs = LIST_INIT(devs);
static struct mutex devs_lock = MUTEX_INIT(devs_lock);
static unsigned next_index;           /* devs_lock */
static uint8_t chan_used[QUEUES_MAX]; /* devs_lock */

/* --- receive ------------------------------------------------------------- */

static unsigned burst_bytes(struct pkt **p, unsigned n, struct net_dev *dev)
{
	unsigned i, bytes = 0;

	for (i = 0; i < n; i++) {
		p[i]->owner = dev;
		bytes += p[i]->totlen;
	}
	return bytes;
}

/* Returns false when it is to stop. */
static bool rx_sleep(struct rx_queue *q)
{
	unsigned long flags = spin_lock_irqsave(&q->lock);
	bool stop;

	while (!q->ready && !q->stop)
		waitq_wait(&q->wait, &q->lock, &flags, TIME_NEVER, 0);
	q->ready = false;
	stop = q->stop;
	spin_unlock_irqrestore(&q->lock, flags);
	return !stop;
}

static bool rx_stopping(struct rx_queue *q)
{
	return __atomic_load_n(&q->stop, __ATOMIC_ACQUIRE);
}

static void rx_poller(void *arg)
{
	struct rx_queue *q = arg;
	struct net_dev *dev = q->dev;
	struct pkt *p[BURST];

	while (!rx_stopping(q)) {
		unsigned n = dev->ops->rx(dev, q->index, p, BURST);

		if (n) {
			__atomic_fetch_add(&dev->stats.rx_bytes,
			    burst_bytes(p, n, dev), __ATOMIC_RELAXED);
			__atomic_fetch_add(
			    &dev->stats.rx_packets, n, __ATOMIC_RELAXED);
			nif_input(dev, q->chan, p, n);
			continue;
		}
		if (!dev->ops->rx_arm(dev, q->index) && !rx_sleep(q))
			break;
	}
}

void net_rx_ready(struct net_dev *dev, unsigned queue)
{
	struct netdev_state *st = dev->state;
	struct rx_queue *q;
	unsigned long flags;

	if (!st || queue >= st->nqueues)
		return;
	q = &st->rx[queue];
	flags = spin_lock_irqsave(&q->lock);
	q->ready = true;
	waitq_wake_all(&q->wait);
	spin_unlock_irqrestore(&q->lock, flags);
}

/* --- transmit ------------------------------------------------------------ */

/* The transmit queue's lock is held.  Returns how many were taken. */
static unsigned tx_give(struct tx_queue *q, struct pkt **p, unsigned n)
{
	struct net_dev *dev = q->dev;
	uint64_t bytes = 0;
	unsigned i, took;

	/* Not the driver's to read any more once it has them. */
	for (i = 0; i < n; i++)
		bytes += p[i]->totlen;
	took = dev->ops->tx(dev, q->index, p, n);
	for (i = took; i < n; i++)
		bytes -= p[i]->totlen;
	__atomic_fetch_add(&dev->stats.tx_packets, took, __ATOMIC_RELAXED);
	__atomic_fetch_add(&dev->stats.tx_bytes, bytes, __ATOMIC_RELAXED);
	return took;
}

static void backlog_add(struct tx_queue *q, struct pkt *p)
{
	if (q->n >= BACKLOG_MAX) {
		__atomic_fetch_add(
		    &q->dev->stats.tx_dropped, 1, __ATOMIC_RELAXED);
		pkt_free(p);
		return;
	}
	p->next = NULL;
	*q->tail = p;
	q->tail = &p->next;
	q->n++;
}

static unsigned backlog_take(struct tx_queue *q, struct pkt **p, unsigned n)
{
	unsigned i;

	for (i = 0; i < n && q->head; i++) {
		p[i] = q->head;
		q->head = p[i]->next;
		p[i]->next = NULL;
		q->n--;
	}
	if (!q->head)
		q->tail = &q->head;
	return i;
}

static void backlog_return(struct tx_queue *q, struct pkt **p, unsigned n)
{
	while (n--) {
		p[n]->next = q->head;
		if (!q->head)
			q->tail = &p[n]->next;
		q->head = p[n];
		q->n++;
	}
}

/* Returns true when the backlog is empty.  The queue's lock is held. */
static bool backlog_flush(struct tx_queue *q)
{
	struct pkt *p[BURST];

	while (q->head) {
		unsigned n = backlog_take(q, p, BURST);
		unsigned took = tx_give(q, p, n);

		if (took < n) {
			backlog_return(q, p + took, n - took);
			return false;
		}
	}
	return true;
}

void net_dev_tx(struct net_dev *dev, unsigned queue, struct pkt **p, unsigned n)
{
	struct tx_queue *q = &dev->state->tx[queue % dev->state->nqueues];
	unsigned took = 0;

	mutex_lock(&q->lock);
	if (!q->head || backlog_flush(q))
		took = tx_give(q, p, n);
	for (; took < n; took++)
		backlog_add(q, p[took]);
	mutex_unlock(&q->lock);
}

static void tx_work(struct work *w)
{
	struct tx_queue *q = container_of(w, struct tx_queue, work);

	mutex_lock(&q->lock);
	backlog_flush(q);
	mutex_unlock(&q->lock);
}

void net_tx_space(struct net_dev *dev, unsigned queue)
{
	struct netdev_state *st = dev->state;

	if (st && queue < st->nqueues)
		work_queue(&st->tx[queue].work);
}

/* --- coming and going ---------------------------------------------------- */

static int chan_alloc(unsigned n, unsigned *base)
{
	unsigned i, run = 0;

	for (i = 0; i < QUEUES_MAX; i++) {
		run = chan_used[i] ? 0 : run + 1;
		if (run == n) {
			*base = i + 1 - n;
			memset(chan_used + *base, 1, n);
			return 0;
		}
	}
	return -ENOSPC;
}

static void state_free(struct netdev_state *st)
{
	if (!st)
		return;
	kfree(st->rx);
	kfree(st->tx);
	kfree(st);
}

static struct netdev_state *state_new(struct net_dev *dev)
{
	struct netdev_state *st = kzalloc(sizeof(*st));
	unsigned i;

	if (!st)
		return NULL;
	st->nqueues = MAX(dev->info.nqueues, 1u);
	st->rx = kmalloc_array(st->nqueues, sizeof(*st->rx));
	st->tx = kmalloc_array(st->nqueues, sizeof(*st->tx));
	if (!st->rx || !st->tx) {
		state_free(st);
		return NULL;
	}
	for (i = 0; i < st->nqueues; i++) {
		st->rx[i].dev = st->tx[i].dev = dev;
		st->rx[i].index = st->tx[i].index = i;
		waitq_init(&st->rx[i].wait);
		mutex_init(&st->tx[i].lock);
		st->tx[i].tail = &st->tx[i].head;
		work_init(&st->tx[i].work, tx_work);
	}
	return st;
}

static void pollers_stop(struct netdev_state *st)
{
	unsigned i;

	for (i = 0; i < st->nqueues; i++) {
		struct rx_queue *q = &st->rx[i];
		unsigned long flags;

		if (!q->thread)
			continue;
		flags = spin_lock_irqsave(&q->lock);
		__atomic_store_n(&q->stop, true, __ATOMIC_RELEASE);
		waitq_wake_all(&q->wait);
		spin_unlock_irqrestore(&q->lock, flags);
		thread_join(q->thread);
		thread_put(q->thread);
		q->thread = NULL;
	}
}

static int pollers_start(struct netdev_state *st)
{
	unsigned i, ncpu = cpu_count();
	int err;

	for (i = 0; i < st->nqueues; i++) {
		struct rx_queue *q = &st->rx[i];
		char name[16];

		q->chan = st->chan_base + i;
		snprintf(name, sizeof(name), "%s-rx%u", q->dev->name, i);
		err = thread_create(
		    &q->thread, name, rx_poller, q, (int)(i % ncpu));
		if (err) {
			pollers_stop(st);
			return err;
		}
		thread_start(q->thread);
	}
	return 0;
}

/* Name and queue numbers; devs_lock is taken. */
static int dev_enlist(struct net_dev *dev, struct netdev_state *st)
{
	int err;

	mutex_lock(&devs_lock);
	err = chan_alloc(st->nqueues, &st->chan_base);
	if (!err) {
		snprintf(dev->name, sizeof(dev->name), "eth%u", next_index++);
		list_add_tail(&devs, &dev->link);
	}
	mutex_unlock(&devs_lock);
	return err;
}

static void dev_delist(struct net_dev *dev, struct netdev_state *st)
{
	mutex_lock(&devs_lock);
	list_del(&dev->link);
	memset(chan_used + st->chan_base, 0, st->nqueues);
	mutex_unlock(&devs_lock);
}

int net_dev_register(struct net_dev *dev)
{
	struct netdev_state *st = state_new(dev);
	int err;

	if (!st)
		return -ENOMEM;
	err = dev_enlist(dev, st);
	if (err) {
		state_free(st);
		return err;
	}
	dev->state = st;
	err = dev->ops->open ? dev->ops->open(dev) : 0;
	if (err)
		goto delist;
	err = nif_attach(dev);
	if (err)
		goto stop;
	err = pollers_start(st);
	if (err)
		goto detach;
	log_info("%s: %02x:%02x:%02x:%02x:%02x:%02x, mtu %u, %u queue(s)",
	    dev->name, dev->info.mac[0], dev->info.mac[1], dev->info.mac[2],
	    dev->info.mac[3], dev->info.mac[4], dev->info.mac[5], dev->info.mtu,
	    st->nqueues);
	return 0;
detach:
	nif_detach(dev);
stop:
	dev->ops->stop(dev);
delist:
	dev_delist(dev, st);
	dev->state = NULL;
	state_free(st);
	return err;
}

void net_dev_unregister(struct net_dev *dev)
{
	struct netdev_state *st = dev->state;
	struct pkt *p;
	unsigned i;

	if (!st)
		return;
	pollers_stop(st);
	/* After this nobody transmits any more. */
	nif_detach(dev);
	dev->ops->stop(dev);
	dev_delist(dev, st);
	dev->state = NULL;
	work_flush();
	for (i = 0; i < st->nqueues; i++)
		while (backlog_take(&st->tx[i], &p, 1))
			pkt_free(p);
	state_free(st);
}

void net_link(struct net_dev *dev, bool up)
{
	atomic_store(&dev->link_up, up);
	if (dev->state)
		nif_link(dev, up);
}

void net_dev_foreach(void (*fn)(struct net_dev *, void *), void *arg)
{
	struct net_dev *dev;

	mutex_lock(&devs_lock);
	list_foreach (dev, &devs, link)
		fn(dev, arg);
	mutex_unlock(&devs_lock);
}
