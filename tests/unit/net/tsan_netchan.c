/*
 * The life of channels, hammered: producers find and fill them while other
 * threads drain, destroy and make them again.  Under TSan and, as a second
 * program, under ASan.  No packet may be lost, seen twice, out of order, or
 * given to a socket that has gone.
 */

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kern/lock.h"
#include "kern/net.h"
#include "netchan_rcu.h"

/* The rooms around it, for threads. */

static pthread_rwlock_t rcu = PTHREAD_RWLOCK_INITIALIZER;

void test_rcu_read_lock(void)
{
	pthread_rwlock_rdlock(&rcu);
}

void test_rcu_read_unlock(void)
{
	pthread_rwlock_unlock(&rcu);
}

void preempt_resched(void)
{
}

static struct mpsc rcu_list;

void rcu_call(struct rcu_head *h, void (*fn)(struct rcu_head *))
{
	h->fn = fn;
	mpsc_push(&rcu_list, &h->node);
}

/* A grace period: every reader of now has left once the lock was ours. */
static bool rcu_run(void)
{
	struct mpsc_node *n = mpsc_take(&rcu_list), *next;

	if (!n)
		return false;
	pthread_rwlock_wrlock(&rcu);
	pthread_rwlock_unlock(&rcu);
	for (; n; n = next) {
		struct rcu_head *h = container_of(n, struct rcu_head, node);

		next = n->next;
		h->fn(h);
	}
	return true;
}

void mutex_lock(struct mutex *m)
{
	struct thread *none = NULL;

	while (!atomic_compare_exchange_weak(
	    &m->owner, &none, (struct thread *)m)) {
		none = NULL;
		sched_yield();
	}
}

void mutex_unlock(struct mutex *m)
{
	atomic_store(&m->owner, NULL);
}

void *kzalloc(size_t n)
{
	return calloc(1, n);
}

void *kmalloc(size_t n)
{
	return malloc(n);
}

void kfree(void *p)
{
	free(p);
}

void rand_bytes(void *p, size_t n)
{
	memset(p, 3, n);
}

void net_drain_soon(bool urgent)
{
	(void)urgent;
}

#include "../../../kernel/net/netchan.c"

/* The frame is the key: parsing is tested elsewhere. */

bool netchan_parse(
    const void *frame, size_t len, size_t totlen, struct netchan_key *key)
{
	(void)len;
	(void)totlen;
	memcpy(key, frame, sizeof(*key));
	return true;
}

bool netchan_parse_any(
    const void *frame, size_t len, size_t totlen, struct netchan_key *key)
{
	return netchan_parse(frame, len, totlen, key);
}

#define PRODUCERS 2
#define FLOWS     8 /* of each producer */
#define ROUNDS    20000
#define MAGIC     0x5ca1ab1e

struct sock {
	unsigned magic;
	unsigned flow;
	struct netchan *chan;
	struct rcu_head rcu;
};

struct test_pkt {
	struct pkt p;
	struct netchan_key key;
	unsigned flow, seq;
};

static pthread_mutex_t consumer = PTHREAD_MUTEX_INITIALIZER;
static struct sock *socks[PRODUCERS * FLOWS]; /* consumer */
static unsigned seen[PRODUCERS * FLOWS];      /* consumer */
static _Atomic unsigned long made, passed, eaten, orphaned, wakes;
static _Atomic bool stop;

static void die(const char *what)
{
	fprintf(stderr, "tsan_netchan: %s\n", what);
	abort();
}

static void input(void *arg, struct pkt *p)
{
	struct test_pkt *t = (struct test_pkt *)p;
	struct sock *s = arg;

	if (!s) {
		atomic_fetch_add(&orphaned, 1);
	} else {
		if (s->magic != MAGIC || s->flow != t->flow)
			die("given to a wrong socket");
		/* Orphans may come later than what followed them. */
		if (t->seq <= seen[t->flow])
			die("out of order");
		seen[t->flow] = t->seq;
		atomic_fetch_add(&eaten, 1);
	}
	free(t);
}

static void wake(void *arg)
{
	struct sock *s = arg;

	if (s->magic != MAGIC)
		die("woken after its end");
	atomic_fetch_add(&wakes, 1);
}

static struct netchan_key key_of(unsigned flow)
{
	struct netchan_key k;

	memset(&k, 0, sizeof(k));
	k.lport = 80;
	k.fport = (uint16_t)(flow + 1);
	k.proto = 6;
	return k;
}

static void sock_open(unsigned flow)
{
	struct netchan_key k = key_of(flow);
	struct sock *s = calloc(1, sizeof(*s));

	s->magic = MAGIC;
	s->flow = flow;
	s->chan = netchan_create(input, wake, s);
	if (netchan_bind(s->chan, &k))
		die("the key is taken");
	socks[flow] = s;
}

static void sock_free(struct rcu_head *h)
{
	struct sock *s = container_of(h, struct sock, rcu);

	s->magic = 0;
	free(s);
}

static void sock_close(unsigned flow)
{
	struct sock *s = socks[flow];

	socks[flow] = NULL;
	netchan_destroy(s->chan);
	rcu_call(&s->rcu, sock_free);
}

static void *producer(void *arg)
{
	unsigned queue = (unsigned)(uintptr_t)arg, rnd = queue + 1;
	unsigned seq[FLOWS] = { 0 };

	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned burst = 1 + i % 16;

		rcu_read_lock();
		while (burst--) {
			unsigned n = (rnd = rnd * 1103515245 + 12345) >> 16;
			unsigned f = n % FLOWS;
			struct test_pkt *t = calloc(1, sizeof(*t));

			t->flow = queue * FLOWS + f;
			t->key = key_of(t->flow);
			t->seq = ++seq[f];
			t->p.data = (uint8_t *)&t->key;
			atomic_fetch_add(&made, 1);
			if (netchan_classify(queue, &t->p) != NETCHAN_TAKEN) {
				atomic_fetch_add(&passed, 1);
				free(t);
			}
		}
		netchan_flush(queue);
		rcu_read_unlock();
	}
	return NULL;
}

static void *consume(void *arg)
{
	unsigned rnd = (unsigned)(uintptr_t)arg;

	while (!atomic_load(&stop)) {
		unsigned f;

		rnd = rnd * 1103515245 + 12345;
		f = (rnd >> 16) % (PRODUCERS * FLOWS);
		pthread_mutex_lock(&consumer);
		if (!socks[f])
			sock_open(f);
		else if ((rnd >> 8) % 4 == 0)
			sock_close(f);
		else
			netchan_drain(socks[f]->chan, 16);
		pthread_mutex_unlock(&consumer);
	}
	return NULL;
}

static void *net_thread(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop)) {
		pthread_mutex_lock(&consumer);
		netchan_drain_pending();
		pthread_mutex_unlock(&consumer);
		rcu_run();
		sched_yield();
	}
	return NULL;
}

int main(void)
{
	pthread_t p[PRODUCERS], c[2], n;

	netchan_init();
	for (unsigned i = 0; i < 2; i++)
		pthread_create(
		    &c[i], NULL, consume, (void *)(uintptr_t)(i + 9));
	pthread_create(&n, NULL, net_thread, NULL);
	for (unsigned i = 0; i < PRODUCERS; i++)
		pthread_create(&p[i], NULL, producer, (void *)(uintptr_t)i);
	for (unsigned i = 0; i < PRODUCERS; i++)
		pthread_join(p[i], NULL);
	atomic_store(&stop, true);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(c[i], NULL);
	pthread_join(n, NULL);
	for (unsigned i = 0; i < PRODUCERS * FLOWS; i++)
		if (socks[i])
			sock_close(i);
	while (rcu_run())
		;
	netchan_drain_pending();
	if (made != passed + eaten + orphaned)
		die("packets were lost");
	if (!eaten || !orphaned || !passed || !wakes)
		die("a path was not taken");
	printf("%lu packets: %lu eaten, %lu passed, %lu orphaned\n", made,
	    eaten, passed, orphaned);
	return 0;
}
