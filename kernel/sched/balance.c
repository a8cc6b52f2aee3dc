/*
 * Which cpu a thread runs on.  Nobody reaches into another cpu's queue: an
 * idle cpu asks, and the busy one pushes on the idle one's incoming list.
 */

#include "kern/arch.h"
#include "kern/clock.h"
#include "kern/num.h"
#include "kern/panic.h"
#include "runq.h"

#define BALANCE_INTERVAL (50 * NSEC_PER_MSEC)

/* A thread that runs no longer than this between its sleeps is brief. */
#define BRIEF     (100 * NSEC_PER_USEC)
#define BURST_MAX (4 * BRIEF)

/* Hints: written by each cpu for itself as it becomes idle or busy. */
static _Atomic uint64_t idle_cpus[THREAD_CPUS_WORDS];

static bool cpu_usable(const struct thread *t, unsigned cpu)
{
	return cpus[cpu] && cpus[cpu]->online && affinity_has(t, cpu);
}

void balance_idle(struct cpu *c, bool idle)
{
	uint64_t bit = 1ull << (c->id % 64);

	atomic_store_explicit(&c->runq->busy, !idle, memory_order_relaxed);
	if (idle)
		atomic_fetch_or(&idle_cpus[c->id / 64], bit);
	else
		atomic_fetch_and(&idle_cpus[c->id / 64], ~bit);
}

/* An idle cpu where (t) may run, or CPU_NONE. */
static unsigned idle_cpu_for(const struct thread *t)
{
	for (unsigned w = 0; w < THREAD_CPUS_WORDS; w++) {
		uint64_t set =
		    atomic_load_explicit(&idle_cpus[w], memory_order_relaxed);

		set &= READ_ONCE(t->affinity[w]);
		while (set) {
			unsigned cpu = w * 64 + (unsigned)__builtin_ctzll(set);

			if (cpu_usable(t, cpu))
				return cpu;
			set &= set - 1;
		}
	}
	return CPU_NONE;
}

static unsigned any_cpu_for(const struct thread *t)
{
	for (unsigned i = 0; i < CPU_MAX; i++)
		if (cpu_usable(t, i))
			return i;
	return cpu_self()->id;
}

void balance_new(struct thread *t)
{
	t->burst = BURST_MAX; /* nothing is known yet */
}

/*
 * (t) goes to sleep: how long it ran weighs a quarter.  A long run counts no
 * more than BURST_MAX: it may have been the hypervisor's pause.
 */
void balance_sleeps(struct thread *t)
{
	uint64_t sum = t->cpu_time, ran = sum - t->slept_at;

	t->slept_at = sum;
	t->burst = (3 * t->burst + MIN(ran, BURST_MAX)) / 4;
}

/* Does (t), which runs, sleep again soon, by what it did so far? */
static bool is_brief(const struct thread *t, uint64_t now)
{
	uint64_t since = READ_ONCE(t->charged_at);

	return READ_ONCE(t->burst) < BRIEF &&
	       (now <= since || now - since < 2 * BRIEF);
}

/*
 * Is (c) idle or about to be?  Interrupts are off, so that its current thread
 * is not freed while we look at it: that takes a grace period.
 */
static bool soon_free(const struct cpu *c)
{
	const struct thread *t = READ_ONCE(c->current);

	return READ_ONCE(c->runq->nready) == 0 &&
	       (t == c->idle || is_brief(t, clock_mono()));
}

static bool is_busy(unsigned cpu)
{
	return atomic_load_explicit(
	    &cpus[cpu]->runq->busy, memory_order_relaxed);
}

/*
 * Where to run (t), which is waking; interrupts are off.  Where it was, as its
 * data is there, unless that cpu has something longer to do.  But an idle cpu
 * has to be woken by an interrupt, which under a hypervisor costs more than (t)
 * waits for a thread that is about to sleep.
 */
unsigned balance_choose(struct thread *t)
{
	struct cpu *self = cpu_self();
	unsigned home = t->cpu, cpu;
	bool here = cpu_usable(t, self->id) && soon_free(self);

	if (!cpu_usable(t, home))
		home = any_cpu_for(t);
	if (!is_busy(home))
		return here ? self->id : home;
	if (soon_free(cpus[home]))
		return home;
	if (here)
		return self->id;
	cpu = idle_cpu_for(t);
	return cpu == CPU_NONE ? home : cpu;
}

static uint32_t load_of(const struct runq *rq)
{
	return READ_ONCE(rq->nready) +
	       atomic_load_explicit(&rq->busy, memory_order_relaxed);
}

/*
 * About to idle: ask the cpu with the most waiting threads for one.  A single
 * one is left: it has probably just become ready, and will run at once.
 */
void balance_pull(struct cpu *c)
{
	uint32_t none = CPU_NONE, most = 1, n;
	struct cpu *from = NULL;

	for (unsigned i = 0; i < CPU_MAX && cpus[i]; i++) {
		if (cpus[i] == c || !cpus[i]->online)
			continue;
		n = READ_ONCE(cpus[i]->runq->nready);
		if (n > most) {
			most = n;
			from = cpus[i];
		}
	}
	if (!from)
		return;
	if (atomic_compare_exchange_strong(&from->runq->pull_for, &none, c->id))
		cpu_ipi(from->id, VECTOR_RESCHED);
}

void balance_push(struct runq *rq, struct thread *t, unsigned cpu)
{
	assert(!t->on_cpu);
	runq_dequeue(rq, t);
	t->charged_at = clock_mono();
	runq_move(t, cpu);
	if (mpsc_push(&cpus[cpu]->runq->incoming, &t->incoming))
		sched_kick(cpu);
}

void balance_serve(struct runq *rq)
{
	uint32_t cpu = atomic_exchange(&rq->pull_for, CPU_NONE);
	struct thread *t;

	if (cpu == CPU_NONE || cpu == rq->cpu->id)
		return;
	t = runq_find_for(rq, cpu);
	if (t)
		balance_push(rq, t, cpu);
}

/* A queued thread has waited for a slice while another cpu is idle. */
static bool push_to_idle(struct runq *rq)
{
	struct thread *t = runq_pick(rq);
	unsigned cpu = t ? idle_cpu_for(t) : CPU_NONE;

	if (cpu == CPU_NONE || cpu == rq->cpu->id)
		return false;
	balance_push(rq, t, cpu);
	return true;
}

/* Interrupts off, when a slice ends.  With all cpus busy nobody asks for a
 * thread: look at their loads now and then. */
void balance_periodic(struct runq *rq, uint64_t now)
{
	uint32_t mine = load_of(rq), least = mine;
	unsigned cpu = CPU_NONE;
	struct thread *t;

	if (push_to_idle(rq) || now < rq->balance_at)
		return;
	rq->balance_at = now + BALANCE_INTERVAL;
	for (unsigned i = 0; i < CPU_MAX && cpus[i]; i++) {
		if (!cpus[i]->online || load_of(cpus[i]->runq) >= least)
			continue;
		least = load_of(cpus[i]->runq);
		cpu = i;
	}
	if (cpu == CPU_NONE || mine - least < 2)
		return;
	t = runq_find_for(rq, cpu);
	if (t)
		balance_push(rq, t, cpu);
}

bool balance_any_idle(void)
{
	for (unsigned w = 0; w < THREAD_CPUS_WORDS; w++)
		if (atomic_load_explicit(&idle_cpus[w], memory_order_relaxed))
			return true;
	return false;
}
