/*
 * What a run queue orders: threads of the fair class by the processor time
 * they have had, weighted by nice; real-time threads before them.
 */

#include <linux/sched.h>

#include "kern/num.h"
#include "kern/panic.h"
#include "sched_int.h"

#define NICE_0_WEIGHT 1024
#define IDLE_WEIGHT   3

/* Each step of nice is worth a quarter: 1024 / 1.25^nice. */
static const uint32_t nice_weight[40] = { 88818, 71054, 56843, 45475, 36380,
	29104, 23283, 18626, 14901, 11921, 9537, 7629, 6104, 4883, 3906, 3125,
	2500, 2000, 1600, 1280, 1024, 819, 655, 524, 419, 336, 268, 215, 172,
	137, 110, 88, 70, 56, 45, 36, 29, 23, 18, 15 };

static bool thread_is_rt(const struct thread *t)
{
	return t->policy == SCHED_FIFO || t->policy == SCHED_RR;
}

static uint32_t thread_weight(const struct thread *t)
{
	if (t->policy == SCHED_IDLE)
		return IDLE_WEIGHT;
	return nice_weight[t->nice + 20];
}

static struct thread *thread_of(struct rb_node *n)
{
	return rb_entry(n, struct thread, run_node);
}

/* vruntime wraps in 500 years; compare as a difference all the same. */
static bool before(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b) < 0;
}

void runq_init(struct runq *rq, struct cpu *c)
{
	*rq = (struct runq){ .cpu = c, .pull_for = CPU_NONE };
	list_init(&rq->rt);
}

static void tree_insert(struct runq *rq, struct thread *t)
{
	struct rb_node *parent = NULL, *n = rq->tree.node;
	bool leftmost = true;
	int side = 0;

	while (n) {
		parent = n;
		side = !before(t->vruntime, thread_of(n)->vruntime);
		if (side)
			leftmost = false;
		n = n->child[side];
	}
	rb_insert(&rq->tree, &t->run_node, parent, side);
	if (leftmost)
		rq->first = &t->run_node;
}

static void rt_insert(struct runq *rq, struct thread *t, bool at_head)
{
	struct thread *pos;
	struct list *at = &rq->rt;

	list_foreach (pos, &rq->rt, run_link) {
		if (pos->rt_priority < t->rt_priority ||
		    (at_head && pos->rt_priority == t->rt_priority)) {
			at = &pos->run_link;
			break;
		}
	}
	list_insert_(&t->run_link, at->prev, at);
}

static void nready_add(struct runq *rq, int n)
{
	uint32_t old = atomic_load_explicit(&rq->nready, memory_order_relaxed);

	atomic_store_explicit(
	    &rq->nready, old + (uint32_t)n, memory_order_relaxed);
}

void runq_enqueue(struct runq *rq, struct thread *t, bool at_head)
{
	if (thread_is_rt(t))
		rt_insert(rq, t, at_head);
	else
		tree_insert(rq, t);
	t->rt_queued = thread_is_rt(t);
	nready_add(rq, 1);
}

void runq_dequeue(struct runq *rq, struct thread *t)
{
	nready_add(rq, -1);
	/* Its class may have been changed while it was queued. */
	if (t->rt_queued) {
		list_del(&t->run_link);
		return;
	}
	if (rq->first == &t->run_node)
		rq->first = rb_next(&t->run_node);
	rb_remove(&rq->tree, &t->run_node);
}

struct thread *runq_pick(struct runq *rq)
{
	if (!list_empty(&rq->rt))
		return list_first(&rq->rt, struct thread, run_link);
	return rq->first ? thread_of(rq->first) : NULL;
}

void runq_leave(struct runq *rq, struct thread *t)
{
	t->vruntime -= rq->min_vruntime;
}

/*
 * (t) has slept or comes from another cpu; its vruntime is a lag.  It falls by
 * the time that (t) was away: a debt is paid, and a thread that slept may run
 * before those that did not, but only a little.
 */
void runq_arrive(struct runq *rq, struct thread *t, uint64_t now)
{
	int64_t least = -(int64_t)(SCHED_LATENCY / 2);
	int64_t most = (int64_t)(10 * SCHED_LATENCY);
	int64_t lag = (int64_t)t->vruntime;
	uint64_t away = now > t->switched_in ? now - t->switched_in : 0;

	lag = MIN(lag, most);
	lag -= (int64_t)MIN(away, 20 * SCHED_LATENCY);
	lag = MAX(lag, least);
	t->vruntime = rq->min_vruntime + (uint64_t)lag;
}

void runq_charge(struct runq *rq, struct thread *t, uint64_t ns)
{
	uint64_t least;

	/* A suspended machine must not cost a thread hours. */
	ns = MIN(ns, NSEC_PER_SEC);
	t->vruntime += ns * NICE_0_WEIGHT / thread_weight(t);
	least = t->vruntime;
	if (rq->first && before(thread_of(rq->first)->vruntime, least))
		least = thread_of(rq->first)->vruntime;
	if (before(rq->min_vruntime, least))
		rq->min_vruntime = least;
}

/* (t), running, lets one other go first. */
void runq_yield(struct runq *rq, struct thread *t)
{
	uint64_t other;

	if (thread_is_rt(t) || !rq->first)
		return;
	other = thread_of(rq->first)->vruntime;
	if (before(t->vruntime, other + 1))
		t->vruntime = other + 1;
}

bool runq_preempts(
    const struct runq *rq, const struct thread *t, const struct thread *current)
{
	if (current == rq->cpu->idle)
		return true;
	if (thread_is_rt(t))
		return !thread_is_rt(current) ||
		       t->rt_priority > current->rt_priority;
	if (thread_is_rt(current))
		return false;
	return before(t->vruntime + SCHED_WAKE_GRAIN, current->vruntime);
}

struct thread *runq_find_for(struct runq *rq, unsigned cpu)
{
	struct rb_node *n;
	struct thread *t;

	list_foreach (t, &rq->rt, run_link)
		if (affinity_has(t, cpu))
			return t;
	for (n = rq->first; n; n = rb_next(n))
		if (affinity_has(thread_of(n), cpu))
			return thread_of(n);
	return NULL;
}

/* Any cpu.  Pairs with the exchange in runq_take_incoming(). */
bool runq_push_incoming(struct runq *rq, struct thread *t)
{
	struct thread *head =
	    atomic_load_explicit(&rq->incoming, memory_order_relaxed);

	do {
		t->incoming = head;
	} while (!atomic_compare_exchange_weak(&rq->incoming, &head, t));
	return head == NULL;
}

struct thread *runq_take_incoming(struct runq *rq)
{
	struct thread *t, *next, *out = NULL;

	if (!atomic_load_explicit(&rq->incoming, memory_order_relaxed))
		return NULL;
	for (t = atomic_exchange(&rq->incoming, NULL); t; t = next) {
		next = t->incoming;
		t->incoming = out;
		out = t;
	}
	return out;
}
