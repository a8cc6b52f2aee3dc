/*
 * The scheduler's core.  Each cpu runs only what is on its own queue; to make
 * a thread run on another cpu, push it on that cpu's incoming list and kick
 * it.  The states of a thread:
 *
 *   RUNNING   it is some cpu's current thread (or about to be)
 *   SLEEPING  set by the thread itself, before it looks at its condition for
 *             the last time; whoever changes SLEEPING to READY by
 *             compare-and-swap owns the thread and queues it, nobody else
 *   READY     on one run queue or incoming list
 *   DEAD      never runs again
 *
 * on_cpu stays true until the thread's registers are saved; a waker that sees
 * it leaves the thread on its cpu, which looks at its incoming list only
 * after the switch or in schedule() itself, where the thread may go on.
 */

#include <linux/sched.h>

#include "kern/arch.h"
#include "kern/clock.h"
#include "kern/mm.h"
#include "kern/panic.h"
#include "sched_int.h"

struct cpu *cpus[CPU_MAX];
static struct runq boot_runq;

unsigned cpu_count(void)
{
	unsigned n = 0;

	while (n < CPU_MAX && cpus[n] && cpus[n]->online)
		n++;
	return n;
}

/* Make (cpu) look at its queues. */
void sched_kick(unsigned cpu)
{
	struct cpu *c = cpus[cpu];

	/*
	 * Pairs with idle_poll() and schedule(): they clear idle_polling, then
	 * look at the incoming list; we pushed, then look at idle_polling.  All
	 * four are sequentially consistent, so one of us sees the other.
	 */
	if (c == cpu_self())
		atomic_store(&c->need_resched, true);
	else if (!atomic_load(&c->idle_polling))
		cpu_ipi(cpu, VECTOR_RESCHED);
}

/* Make (cpu) look whether it may still run what it runs. */
void sched_resched(unsigned cpu)
{
	if (cpus[cpu] != cpu_self())
		cpu_ipi(cpu, VECTOR_RESCHED);
}

/* The slice timer runs while somebody waits for the cpu.  It is not stopped
 * when nobody does: one idle event is cheaper than two of reprogramming. */
static void slice_update(struct runq *rq, uint64_t now)
{
	if ((!rq->first && list_empty(&rq->rt)) || rq->slice.cpu)
		return;
	timer_set(&rq->slice,
	    now + (balance_any_idle() ? SCHED_SLICE_IDLE : SCHED_SLICE));
}

static void slice_expired(struct timer *tm)
{
	struct runq *rq = container_of(tm, struct runq, slice);

	if (!rq->first && list_empty(&rq->rt))
		return;
	balance_periodic(rq, clock_mono());
	atomic_store(&rq->cpu->need_resched, true);
}

/* For thread_cpu_time() on another cpu; only this cpu writes. */
static void time_write(
    struct thread *t, uint64_t sum, uint64_t now, bool accruing)
{
	uint32_t seq = atomic_load_explicit(&t->time_seq, memory_order_relaxed);

	atomic_store_explicit(&t->time_seq, seq + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	atomic_store_explicit(&t->cpu_time, sum, memory_order_relaxed);
	WRITE_ONCE(t->switched_in, now);
	WRITE_ONCE(t->accruing, accruing);
	atomic_store_explicit(&t->time_seq, seq + 2, memory_order_release);
}

/* Charge (t) for its time since it was switched in or last charged. */
static void charge(struct runq *rq, struct thread *t, uint64_t now)
{
	uint64_t ns = now > t->switched_in ? now - t->switched_in : 0;
	uint64_t sum = atomic_load_explicit(&t->cpu_time, memory_order_relaxed);

	if (t != rq->cpu->idle)
		runq_charge(rq, t, ns);
	time_write(t, sum + ns, now, t == rq->cpu->current);
}

/* Interrupts off.  Queue a thread that arrives on this cpu. */
static void arrive(struct cpu *c, struct thread *t, uint64_t now)
{
	runq_arrive(c->runq, t, now);
	runq_enqueue(c->runq, t, false);
	if (runq_preempts(c->runq, t, c->current))
		atomic_store(&c->need_resched, true);
}

/* Give (t), on no queue and switched out, to (cpu). */
static void send(struct thread *t, unsigned cpu)
{
	t->cpu = cpu;
	if (runq_push_incoming(cpus[cpu]->runq, t))
		sched_kick(cpu);
}

/* Interrupts off.  Take what other cpus gave us. */
static void drain_incoming(struct cpu *c, uint64_t now)
{
	struct thread *t = runq_take_incoming(c->runq), *next;

	for (; t; t = next) {
		next = t->incoming;
		arrive(c, t, now);
	}
}

/* VECTOR_RESCHED: another cpu wants us to look at our queues. */
static void resched_irq(void *arg)
{
	struct cpu *c = cpu_self();
	uint64_t now = clock_mono();

	(void)arg;
	if (c->preempt_off == 0)
		rcu_quiescent(c);
	else
		atomic_store(&c->need_resched, true);
	timer_resched();
	charge(c->runq, c->current, now);
	drain_incoming(c, now);
	balance_serve(c->runq);
	slice_update(c->runq, now);
	if (unlikely(!affinity_has(c->current, c->id)))
		atomic_store(&c->need_resched, true);
}

/* On the stack of the thread that has just been switched to. */
static void finish_switch(void)
{
	struct runq *rq = cpu_self()->runq;
	struct thread *prev = rq->switched_from;
	bool dead = prev->state == THREAD_DEAD;

	/* From here on another cpu may run it, or free it. */
	atomic_store_explicit(&prev->on_cpu, false, memory_order_release);
	if (unlikely(dead))
		thread_reap(prev);
	if (unlikely(rq->leaving == prev)) {
		rq->leaving = NULL;
		send(prev, balance_choose(prev));
	}
	/* Not earlier: it may give (prev) away, which was on the queue. */
	balance_serve(rq);
}

void sched_entry(void *arg)
{
	struct thread *t = arg;

	finish_switch();
	irq_enable();
	t->fn(t->arg);
	thread_exit();
}

static void switch_to(
    struct cpu *c, struct thread *prev, struct thread *next, uint64_t now)
{
	struct runq *rq = c->runq;

	if (prev == c->idle) {
		rq->idle_length = now - rq->idle_since;
		atomic_fetch_add_explicit(
		    &rq->idle_ns, rq->idle_length, memory_order_relaxed);
		WRITE_ONCE(rq->idle_since, 0);
		balance_idle(c, false);
	} else if (next == c->idle) {
		WRITE_ONCE(rq->idle_since, now);
		balance_idle(c, true);
	}
	c->nswitch++;
	rq->switched_from = prev;
	/*
	 * Sequentially consistent: pairs with thread_interrupt(), which sets
	 * the thread's app_work and then looks at on_cpu; we look at app_work
	 * on the way to the program.
	 */
	atomic_store(&next->on_cpu, true);
	c->current = next;
	arch_switch(prev, next);
	finish_switch();
}

/* (prev) gives way: back to the queue, or off it. */
static void put_prev(struct cpu *c, struct thread *prev)
{
	bool yielding = prev->yielding;

	if (prev == c->idle)
		return;
	prev->yielding = false;
	if (prev->state != THREAD_RUNNING) {
		balance_sleeps(prev);
		runq_leave(c->runq, prev);
		prev->nvcsw++;
		return;
	}
	prev->state = THREAD_READY;
	prev->nivcsw++;
	if (unlikely(!affinity_has(prev, c->id))) {
		runq_leave(c->runq, prev);
		c->runq->leaving = prev;
		return;
	}
	if (yielding)
		runq_yield(c->runq, prev);
	runq_enqueue(c->runq, prev, prev->policy == SCHED_FIFO && !yielding);
}

/* The thread to run next, off its queue; the idle thread if there is none. */
static struct thread *pick_next(struct cpu *c, struct thread *prev)
{
	struct thread *t;

	while ((t = runq_pick(c->runq)) != NULL) {
		if (unlikely(!affinity_has(t, c->id)) && t != prev) {
			unsigned cpu = balance_choose(t);

			if (cpu != c->id) {
				balance_push(c->runq, t, cpu);
				continue;
			}
		}
		runq_dequeue(c->runq, t);
		t->state = THREAD_RUNNING;
		return t;
	}
	return c->idle;
}

void schedule(void)
{
	struct cpu *c = cpu_self();
	struct thread *prev = c->current, *next;
	uint64_t now = clock_mono();

	assert(c->preempt_off == 0);
	atomic_store_explicit(&c->need_resched, false, memory_order_relaxed);
	/* An interrupt may end idle_poll().  Before we look at the incoming
	 * list for the last time: see sched_kick(). */
	if (prev == c->idle)
		atomic_store(&c->idle_polling, false);
	rcu_quiescent(c);
	charge(c->runq, prev, now);
	put_prev(c, prev);
	drain_incoming(c, now);
	next = pick_next(c, prev);
	time_write(prev, prev->cpu_time, now, false);
	time_write(next, next->cpu_time, now, true);
	slice_update(c->runq, now);
	/* Set by arrivals that have been considered above. */
	atomic_store_explicit(&c->need_resched, false, memory_order_relaxed);
	if (next != prev)
		switch_to(c, prev, next, now);
	else
		balance_serve(c->runq);
}

bool thread_wake(struct thread *t, int status)
{
	uint32_t sleeping = THREAD_SLEEPING;
	/* First: a waker that is preempted would hold (t) up. */
	unsigned long flags = irq_save();
	struct cpu *c = cpu_self();

	if (!atomic_compare_exchange_strong(
		&t->state, &sleeping, THREAD_READY)) {
		irq_restore(flags);
		return false;
	}
	t->wait_status = status;
	if (atomic_load_explicit(&t->on_cpu, memory_order_acquire)) {
		send(t, t->cpu);
	} else {
		unsigned cpu = balance_choose(t);

		if (cpu != c->id) {
			send(t, cpu);
		} else {
			uint64_t now = clock_mono();

			t->cpu = cpu;
			charge(c->runq, c->current, now);
			arrive(c, t, now);
			slice_update(c->runq, now);
		}
	}
	irq_restore(flags);
	return true;
}

void sched_preempt(void)
{
	unsigned long flags = irq_save();

	schedule();
	irq_restore(flags);
}

void sched_yield_cpu(void)
{
	unsigned long flags = irq_save();

	thread_self()->yielding = true;
	schedule();
	irq_restore(flags);
}

bool sched_may_spin(void)
{
	const struct cpu *c = cpu_self();

	return cpus[1] && !READ_ONCE(c->need_resched) &&
	       !atomic_load_explicit(
		   &c->runq->nready, memory_order_relaxed) &&
	       !atomic_load_explicit(&c->runq->incoming, memory_order_relaxed);
}

void preempt_enable(void)
{
#ifdef __KERNEL__
	bool zero;

	__asm__ volatile("decl %%gs:%c1"
			 : "=@ccz"(zero)
			 : "i"(offsetof(struct cpu, preempt_off))
			 : "memory");
	if (zero && cpu_self()->need_resched && irq_enabled())
		sched_preempt();
#endif
}

/* --- boot -------------------------------------------------------------- */

static void runq_attach(struct cpu *c, struct runq *rq)
{
	runq_init(rq, c);
	timer_init(&rq->slice, slice_expired);
	c->runq = rq;
	timer_cpu_init(c);
	cpus[c->id] = c;
}

void sched_init(void)
{
	struct cpu *c = cpu_self();

	runq_attach(c, &boot_runq);
	irq_vector_set(VECTOR_RESCHED, resched_irq, NULL);
	c->online = true;
	boot_runq.busy = true;
	thread_adopt(c);
	c->idle = thread_idle(c);
	rcu_init();
	work_init_thread();
	stat_init();
}

void sched_cpu_init(struct cpu *c)
{
	struct runq *rq = kzalloc(sizeof(*rq));

	if (!rq)
		panic("no memory for cpu %u", c->id);
	runq_attach(c, rq);
	c->idle = thread_idle(c);
	c->current = c->idle;
}

void sched_cpu_start(void)
{
	/* Stands for the cpu's first context, which ends here.  Shared, since
	 * nothing that the switch saves in it is ever used. */
	static struct thread first;
	struct cpu *c = cpu_self();

	rcu_quiescent(c);
	c->runq->idle_since = clock_mono();
	c->runq->switched_from = &first;
	balance_idle(c, true);
	atomic_store(&c->online, true);
	c->current = c->idle;
	c->idle->on_cpu = true;
	arch_switch(&first, c->idle);
	panic("cpu %u came back", c->id);
}
