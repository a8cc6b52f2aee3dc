/*
 * What a run queue orders: threads of the fair class by the processor time
 * they have had, weighted by nice; real-time threads before them.
 */

#include "runq.h"

#include "kern/num.h"
#include "kern/panic.h"

#define IDLE_WEIGHT 3

/* 1024 / weight in 22 binary places: vruntime is charged without dividing. */
#define INVERSE(weight) (uint32_t)((1024ull << 22) / (weight))

/* Each step of nice is worth a quarter: the weight is 1024 / 1.25^nice. */
static const uint32_t nice_inverse[40] = { INVERSE(88818), INVERSE(71054),
	INVERSE(56843), INVERSE(45475), INVERSE(36380), INVERSE(29104),
	INVERSE(23283), INVERSE(18626), INVERSE(14901), INVERSE(11921),
	INVERSE(9537), INVERSE(7629), INVERSE(6104), INVERSE(4883),
	INVERSE(3906), INVERSE(3125), INVERSE(2500), INVERSE(2000),
	INVERSE(1600), INVERSE(1280), INVERSE(1024), INVERSE(819), INVERSE(655),
	INVERSE(524), INVERSE(419), INVERSE(336), INVERSE(268), INVERSE(215),
	INVERSE(172), INVERSE(137), INVERSE(110), INVERSE(88), INVERSE(70),
	INVERSE(56), INVERSE(45), INVERSE(36), INVERSE(29), INVERSE(23),
	INVERSE(18), INVERSE(15) };

/* (ns) of processor time, at most a second, as vruntime of (t). */
static uint64_t weighted(const struct thread *t, uint64_t ns)
{
	if (t->policy == SCHED_IDLE)
		return ns * INVERSE(IDLE_WEIGHT) >> 22;
	return ns * nice_inverse[t->nice + 20] >> 22;
}

void runq_charge_weighted(struct thread *t, uint64_t now)
{
	uint64_t ns = now - t->charged_at;

	/* A suspended machine must not cost a thread hours. */
	if (ns > NSEC_PER_SEC)
		ns = (int64_t)ns < 0 ? 0 : NSEC_PER_SEC;
	t->vruntime += weighted(t, ns);
	t->charged_at = now;
}

static struct thread *thread_of(struct rb_node *n)
{
	return rb_entry(n, struct thread, run_node);
}

void runq_init(struct runq *rq, struct cpu *c)
{
	*rq = (struct runq){ .cpu = c, .pull_for = CPU_NONE };
	list_init(&rq->rt);
}

/* (least): before all that are there, else after those of its vruntime. */
static void tree_insert(struct runq *rq, struct thread *t, bool least)
{
	struct rb_node *parent = NULL, *n = rq->tree.node;
	int side = 0;

	while (n) {
		parent = n;
		side =
		    !least && !runq_before(t->vruntime, thread_of(n)->vruntime);
		n = n->child[side];
	}
	rb_insert(&rq->tree, &t->run_node, parent, side);
}

static void fair_insert(struct runq *rq, struct thread *t)
{
	struct thread *first = rq->first;

	if (!first) {
		rq->first = t;
	} else if (runq_before(t->vruntime, first->vruntime)) {
		rq->first = t;
		tree_insert(rq, first, true);
	} else {
		tree_insert(rq, t, false);
	}
}

static void fair_remove(struct runq *rq, struct thread *t)
{
	if (rq->first != t) {
		rb_remove(&rq->tree, &t->run_node);
	} else if (likely(!rq->tree.node)) {
		rq->first = NULL;
	} else {
		rq->first = thread_of(rb_first(&rq->tree));
		rb_remove(&rq->tree, &rq->first->run_node);
	}
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

void runq_insert(struct runq *rq, struct thread *t, bool at_head)
{
	t->rt_queued = runq_is_rt(t);
	if (t->rt_queued)
		rt_insert(rq, t, at_head);
	else
		fair_insert(rq, t);
}

void runq_remove(struct runq *rq, struct thread *t)
{
	/* Its class may have been changed while it was queued. */
	if (t->rt_queued)
		list_del(&t->run_link);
	else
		fair_remove(rq, t);
}

/*
 * A debt (a vruntime past the least one) is paid by being away, and is limited,
 * as it may be due to a class or nice value of before.  So is a credit: who
 * slept long may run before those that did not, but only a little.
 */
void runq_settle(struct runq *rq, struct thread *t, uint64_t now)
{
	int64_t most = (int64_t)(10 * SCHED_LATENCY);
	int64_t lag = (int64_t)(t->vruntime - rq->min_vruntime);
	uint64_t away = now > t->charged_at ? now - t->charged_at : 0;

	lag = MIN(lag, most);
	if (lag > 0)
		lag -= (int64_t)MIN(away, (uint64_t)lag);
	lag = MAX(lag, -(int64_t)SCHED_CREDIT);
	t->vruntime = rq->min_vruntime + (uint64_t)lag;
}

void runq_move(struct thread *t, unsigned cpu)
{
	t->vruntime += READ_ONCE(cpus[cpu]->runq->min_vruntime) -
		       READ_ONCE(cpus[t->cpu]->runq->min_vruntime);
	t->cpu = cpu;
}

/* (t), running, lets one other go first. */
void runq_yield(struct runq *rq, struct thread *t)
{
	uint64_t other;

	if (runq_is_rt(t) || !rq->first)
		return;
	other = rq->first->vruntime;
	if (runq_before(t->vruntime, other + 1))
		t->vruntime = other + 1;
}

struct thread *runq_find_for(struct runq *rq, unsigned cpu)
{
	struct rb_node *n;
	struct thread *t;

	list_foreach (t, &rq->rt, run_link)
		if (affinity_has(t, cpu))
			return t;
	if (rq->first && affinity_has(rq->first, cpu))
		return rq->first;
	for (n = rb_first(&rq->tree); n; n = rb_next(n))
		if (affinity_has(thread_of(n), cpu))
			return thread_of(n);
	return NULL;
}
