/*
 * Net channels: the table of flows and the rings behind it.
 *
 * Life of a channel: in the table from netchan_bind() to netchan_destroy();
 * readers of the table (the pollers) hold RCU only.  After a grace period no
 * producer can have it any more; what is in the ring then goes the slow path
 * and the channel is freed.  The list of channels that wait to be drained
 * holds references, since it outlives the table.
 */

#include "net_int.h"
#include "netchan_int.h"

#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/rand.h"
#include "kern/sched.h"
#include "kern/string.h"

#define BUCKETS   4096u
#define QUEUES    32u /* receive queues of all devices; others are slow */
#define TOUCHED   64u /* channels in one burst */
#define PROTO_UDP 17u

struct netchan {
	struct netchan_ring ring;
	struct netchan *_Atomic next; /* in the bucket */
	struct netchan_key key;
	void (*input)(void *arg, struct pkt *);
	void (*wake)(void *arg);
	void *arg;
	_Atomic int queue;  /* the only producer; -1: none yet */
	bool touched;       /* producer's: in this burst */
	bool bound;         /* table_lock */
	bool dead;          /* consumer's lock */
	_Atomic bool dirty; /* on the dirty list, with a reference */
	struct netchan *dirty_next;
	_Atomic unsigned refs;
	struct rcu_head rcu;
};

struct queue_state { /* of one poller */
	struct netchan *touched[TOUCHED];
	unsigned n;
	struct netchan_stats stats;
};

static struct netchan *_Atomic buckets[BUCKETS];
static struct mutex table_lock = MUTEX_INIT(table_lock);
static uint64_t hash_key[2];
static struct queue_state queues[QUEUES];
static struct netchan *_Atomic dirty_list;

void netchan_init(void)
{
	rand_bytes(hash_key, sizeof(hash_key));
}

static struct netchan *_Atomic *bucket(const struct netchan_key *key)
{
	_Static_assert(sizeof(*key) == 40, "hashed as bytes: no padding");

	return &buckets[siphash(hash_key, key, sizeof(*key)) % BUCKETS];
}

/* RCU read held, or table_lock. */
static struct netchan *find(const struct netchan_key *key)
{
	struct netchan *c =
	    atomic_load_explicit(bucket(key), memory_order_acquire);

	while (c && memcmp(&c->key, key, sizeof(*key)))
		c = atomic_load_explicit(&c->next, memory_order_acquire);
	return c;
}

static bool is_mapped(const uint8_t addr[16])
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(addr, prefix, sizeof(prefix));
}

/*
 * From the most to the least special: the connected socket, the one bound to
 * this address, to any IPv4 address, to any at all.
 */
static struct netchan *find_udp(const struct netchan_key *key)
{
	struct netchan_key k = *key;
	struct netchan *c = find(&k);

	if (c)
		return c;
	memset(k.faddr, 0, sizeof(k.faddr));
	k.fport = 0;
	c = find(&k);
	if (!c && is_mapped(k.laddr)) {
		memset(k.laddr + 12, 0, 4);
		c = find(&k);
	}
	if (c)
		return c;
	memset(k.laddr, 0, sizeof(k.laddr));
	return find(&k);
}

static struct netchan *lookup(const struct netchan_key *key)
{
	return key->proto == PROTO_UDP ? find_udp(key) : find(key);
}

static void chan_put(struct netchan *c)
{
	if (atomic_fetch_sub(&c->refs, 1) != 1)
		return;
	kfree(c->ring.slot);
	kfree(c);
}

/* --- the producer -------------------------------------------------------- */

static bool chan_is_mine(struct netchan *c, unsigned queue)
{
	int owner = atomic_load_explicit(&c->queue, memory_order_relaxed);

	if (owner == (int)queue)
		return true;
	return owner < 0 &&
	       atomic_compare_exchange_strong(&c->queue, &owner, (int)queue);
}

/* Somebody must come for the packets, if the socket's thread does not. */
static void mark_dirty(struct netchan *c)
{
	bool urgent = netchan_ring_used(&c->ring) >= NETCHAN_RING / 2;

	if (!atomic_exchange(&c->dirty, true)) {
		struct netchan *head = atomic_load(&dirty_list);

		atomic_fetch_add(&c->refs, 1);
		do {
			c->dirty_next = head;
		} while (!atomic_compare_exchange_weak(&dirty_list, &head, c));
	}
	net_drain_soon(urgent);
}

void netchan_flush(unsigned queue)
{
	struct queue_state *q;
	unsigned i;

	if (queue >= QUEUES)
		return;
	q = &queues[queue];
	for (i = 0; i < q->n; i++) {
		struct netchan *c = q->touched[i];

		c->touched = false;
		mark_dirty(c);
		c->wake(c->arg);
	}
	q->stats.wakes += q->n;
	q->n = 0;
}

static void touch(struct netchan *c, unsigned queue)
{
	struct queue_state *q = &queues[queue];

	if (c->touched)
		return;
	if (q->n == TOUCHED)
		netchan_flush(queue);
	c->touched = true;
	q->touched[q->n++] = c;
}

enum netchan_verdict netchan_classify(unsigned queue, struct pkt *p)
{
	struct netchan_key key;
	struct netchan *c = NULL;

	if (queue >= QUEUES)
		return NETCHAN_PASS;
	if (netchan_parse(p->data, p->len, p->totlen, &key))
		c = lookup(&key);
	if (!c || !chan_is_mine(c, queue)) {
		queues[queue].stats.passed++;
		return NETCHAN_PASS;
	}
	if (!netchan_ring_push(&c->ring, p)) {
		queues[queue].stats.full++;
		touch(c, queue);
		return NETCHAN_FULL;
	}
	queues[queue].stats.taken++;
	touch(c, queue);
	return NETCHAN_TAKEN;
}

/* --- the consumer -------------------------------------------------------- */

bool netchan_empty(const struct netchan *c)
{
	return netchan_ring_used(&c->ring) == 0;
}

unsigned netchan_drain(struct netchan *c, unsigned budget)
{
	unsigned n = 0;
	struct pkt *p;

	atomic_fetch_add(&c->refs, 1);
	/* input() may destroy the channel: the rest is then not ours. */
	while (!c->dead && n < budget && (p = netchan_ring_pop(&c->ring))) {
		c->input(c->arg, p);
		n++;
	}
	chan_put(c);
	return n;
}

void netchan_drain_pending(void)
{
	struct netchan *c = atomic_exchange(&dirty_list, NULL), *next;

	for (; c; c = next) {
		next = c->dirty_next;
		/* Before the drain: what is pushed after it marks again. */
		atomic_store(&c->dirty, false);
		netchan_drain(c, NETCHAN_RING);
		chan_put(c);
	}
}

void netchan_drain_flow(const void *frame, size_t len, size_t totlen)
{
	struct netchan_key key;
	struct netchan *c;

	if (!netchan_parse_any(frame, len, totlen, &key))
		return;
	rcu_read_lock();
	c = lookup(&key);
	if (c)
		atomic_fetch_add(&c->refs, 1);
	rcu_read_unlock();
	if (!c)
		return;
	netchan_drain(c, NETCHAN_RING);
	chan_put(c);
}

/* --- life ---------------------------------------------------------------- */

struct netchan *netchan_create(
    void (*input)(void *arg, struct pkt *), void (*wake)(void *arg), void *arg)
{
	struct netchan *c = kzalloc(sizeof(*c));

	if (!c)
		return NULL;
	/* Apart: together they would take the next larger power of two. */
	c->ring.slot = kmalloc(NETCHAN_RING * sizeof(void *));
	if (!c->ring.slot) {
		kfree(c);
		return NULL;
	}
	c->input = input;
	c->wake = wake;
	c->arg = arg;
	atomic_store(&c->queue, -1);
	atomic_store(&c->refs, 1);
	return c;
}

int netchan_bind(struct netchan *c, const struct netchan_key *key)
{
	struct netchan *_Atomic *b = bucket(key);
	int err = 0;

	mutex_lock(&table_lock);
	if (find(key)) {
		err = -EADDRINUSE;
	} else {
		c->key = *key;
		c->bound = true;
		atomic_store(&c->next, atomic_load(b));
		atomic_store_explicit(b, c, memory_order_release);
	}
	mutex_unlock(&table_lock);
	return err;
}

static void table_remove(struct netchan *c)
{
	struct netchan *_Atomic *at;

	mutex_lock(&table_lock);
	if (c->bound) {
		at = bucket(&c->key);
		while (atomic_load(at) != c)
			at = &atomic_load(at)->next;
		/* c->next stays: a reader may stand on (c). */
		atomic_store(at, atomic_load(&c->next));
		c->bound = false;
	}
	mutex_unlock(&table_lock);
}

/* No producer can reach it now, and no consumer pops from a dead one. */
static void chan_gone(struct rcu_head *h)
{
	struct netchan *c = container_of(h, struct netchan, rcu);
	struct pkt *p;

	while ((p = netchan_ring_pop(&c->ring)))
		c->input(NULL, p);
	chan_put(c);
}

void netchan_destroy(struct netchan *c)
{
	c->dead = true;
	table_remove(c);
	rcu_call(&c->rcu, chan_gone);
}

void netchan_stats(struct netchan_stats *out)
{
	unsigned i;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < QUEUES; i++) {
		out->taken += queues[i].stats.taken;
		out->passed += queues[i].stats.passed;
		out->full += queues[i].stats.full;
		out->wakes += queues[i].stats.wakes;
	}
}
