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
 * after the switch or in reschedule() itself, where the thread may go on.
 */

#include "kern/arch.h"
#include "kern/clock.h"
#include "kern/mm.h"
#include "kern/panic.h"
#include "kern/trace.h"
#include "runq.h"

TRACEPOINT(sched, sched_switch, "prev_pid,prev_state,next_pid");
TRACEPOINT(sched, sched_wakeup, "pid,status,target_cpu");

struct cpu *cpus[CPU_MAX];
_Atomic unsigned sched_ncpu;
static struct runq boot_runq;

/* Only its own cpu sets it, so that no barrier is needed. */
static void need_resched(struct cpu *c)
{
	atomic_store_explicit(&c->need_resched, true, memory_order_relaxed);
}

/*
 * Make (cpu) look at its queues; interrupts are off.  The interrupt, which may
 * be an exit to the hypervisor, is put off while preemption is: whoever wakes
 * holds a lock that the woken thread will want.
 */
void sched_kick(unsigned cpu)
{
	struct cpu *c = cpus[cpu], *self = cpu_self();

	if (c == self) {
		need_resched(self);
		return;
	}
	/*
	 * Pairs with idle_poll() and reschedule(): they clear idle_polling,
	 * then look at the incoming list; we pushed, then look at idle_polling.
	 * All four are sequentially consistent, so one of us sees the other.
	 */
	if (atomic_load(&c->idle_polling))
		return;
	if (self->preempt_off == 0) {
		cpu_ipi(cpu, VECTOR_RESCHED);
		return;
	}
	self->runq->kicks[cpu / 64] |= 1ull << (cpu % 64);
	atomic_store_explicit(&self->need_kick, true, memory_order_relaxed);
}

/* Interrupts off.  Send what sched_kick() has put off. */
static NOINLINE void kick_others(struct cpu *c)
{
	atomic_store_explicit(&c->need_kick, false, memory_order_relaxed);
	for (unsigned w = 0; w < THREAD_CPUS_WORDS; w++) {
		uint64_t set = c->runq->kicks[w];

		c->runq->kicks[w] = 0;
		for (; set; set &= set - 1)
			cpu_ipi(w * 64 + (unsigned)__builtin_ctzll(set),
			    VECTOR_RESCHED);
	}
}

/* Make (cpu) look whether it may still run what it runs. */
void sched_resched(unsigned cpu)
{
	if (cpus[cpu] != cpu_self())
		cpu_ipi(cpu, VECTOR_RESCHED);
}

static NOINLINE void slice_start(struct runq *rq)
{
	timer_set(&rq->slice,
	    clock_mono() +
		(balance_any_idle() ? SCHED_SLICE_IDLE : SCHED_SLICE));
}

/* The slice timer runs while somebody waits for the cpu.  It is not stopped
 * when nobody does: one idle event is cheaper than two of reprogramming. */
static void slice_update(struct runq *rq)
{
	if (unlikely(!rq->slice.cpu) && runq_pick(rq))
		slice_start(rq);
}

static void slice_expired(struct timer *tm)
{
	struct runq *rq = container_of(tm, struct runq, slice);

	if (!runq_pick(rq))
		return;
	balance_periodic(rq, clock_mono());
	need_resched(rq->cpu);
}

static NOINLINE void charge(struct cpu *c, uint64_t now)
{
	if (c->current != c->idle)
		runq_charge(c->runq, c->current, now);
}

/* Interrupts off.  Queue a thread that arrives on this cpu. */
static inline void arrive(struct cpu *c, struct thread *t)
{
	struct runq *rq = c->runq;

	if (unlikely(!runq_is_near(rq, t))) {
		uint64_t now = clock_mono();

		charge(c, now);
		runq_settle(rq, t, now);
	}
	runq_enqueue(rq, t, false);
	if (runq_preempts(rq, t, c->current))
		need_resched(c);
}

/* Give (t), on no queue and switched out, to (cpu). */
static void send(struct thread *t, unsigned cpu)
{
	if (cpu != t->cpu)
		runq_move(t, cpu);
	if (mpsc_push(&cpus[cpu]->runq->incoming, &t->incoming))
		sched_kick(cpu);
}

/* Interrupts off.  Take what other cpus gave us. */
static NOINLINE void drain_incoming(struct cpu *c)
{
	struct mpsc_node *n = mpsc_take(&c->runq->incoming), *next;

	for (; n; n = next) {
		next = n->next;
		arrive(c, container_of(n, struct thread, incoming));
	}
}

/* VECTOR_RESCHED: another cpu wants us to look at our queues. */
static void resched_irq(void *arg)
{
	struct cpu *c = cpu_self();

	(void)arg;
	if (c->preempt_off == 0)
		rcu_quiescent(c);
	else
		need_resched(c);
	timer_resched();
	charge(c, clock_mono());
	drain_incoming(c);
	balance_serve(c->runq);
	slice_update(c->runq);
	if (unlikely(!affinity_has(c->current, c->id)))
		need_resched(c);
	if (unlikely(atomic_load(&c->runq->unsorted)))
		prio_sort(c);
}

/* The thread that was switched from does not come back here. */
static NOINLINE void part(struct runq *rq)
{
	struct thread *t = rq->parting;

	rq->parting = NULL;
	if (atomic_load_explicit(&t->state, memory_order_relaxed) ==
	    THREAD_DEAD)
		thread_reap(t);
	else
		send(t, balance_choose(t));
}

/* On the stack of the thread that has just been switched to. */
static inline void finish_switch(void)
{
	struct runq *rq = cpu_self()->runq;

	/* From here on another cpu may run it. */
	atomic_store_explicit(
	    &rq->switched_from->on_cpu, false, memory_order_release);
	if (unlikely(rq->parting))
		part(rq);
}

void sched_entry(void *arg)
{
	struct thread *t = arg;

	finish_switch();
	irq_enable();
	t->fn(t->arg);
	thread_exit();
}

static NOINLINE void idle_ends(struct cpu *c, uint64_t now)
{
	struct runq *rq = c->runq;

	rq->idle_length = now - rq->idle_since;
	atomic_store_explicit(&rq->idle_ns,
	    atomic_load_explicit(&rq->idle_ns, memory_order_relaxed) +
		rq->idle_length,
	    memory_order_relaxed);
	WRITE_ONCE(rq->idle_since, 0);
	balance_idle(c, false);
}

static NOINLINE void idle_begins(struct cpu *c, uint64_t now)
{
	WRITE_ONCE(c->runq->idle_since, now);
	balance_idle(c, true);
}

static inline void switch_to(
    struct cpu *c, struct thread *prev, struct thread *next)
{
	TRACE(sched_switch, prev->id, prev->state, next->id);
	c->nswitch++;
	c->runq->switched_from = prev;
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

/* The same where one of the two may be the idle thread. */
static void switch_to_any(
    struct cpu *c, struct thread *prev, struct thread *next, uint64_t now)
{
	if (unlikely(prev == c->idle))
		idle_ends(c, now);
	else if (unlikely(next == c->idle))
		idle_begins(c, now);
	switch_to(c, prev, next);
}

/* (prev), which could go on, gives way: back to the queue. */
static void put_ready(struct cpu *c, struct thread *prev)
{
	bool yielding = prev->yielding;

	prev->yielding = false;
	atomic_store_explicit(&prev->state, THREAD_READY, memory_order_relaxed);
	if (unlikely(!affinity_has(prev, c->id))) {
		c->runq->parting = prev;
		return;
	}
	if (yielding)
		runq_yield(c->runq, prev);
	runq_enqueue(c->runq, prev, prev->policy == SCHED_FIFO && !yielding);
}

/* (prev) sleeps. */
static inline void put_sleeper(struct thread *prev, bool alone)
{
	if (!alone)
		CALL_KEEPING1(balance_sleeps, prev);
	prev->nvcsw++;
}

/* (prev) gives way: back to the queue, or off it. */
static void put_prev(struct cpu *c, struct thread *prev)
{
	uint32_t state =
	    atomic_load_explicit(&prev->state, memory_order_relaxed);

	if (state == THREAD_RUNNING) {
		prev->nivcsw++;
		put_ready(c, prev);
		return;
	}
	if (state == THREAD_DEAD)
		c->runq->parting = prev;
	put_sleeper(prev, sched_alone());
}

/* (next), off its queue, is the one to run. */
static inline void take(struct thread *next, uint64_t now)
{
	atomic_store_explicit(
	    &next->state, THREAD_RUNNING, memory_order_relaxed);
	time_starts(next, now);
	next->charged_at = now;
}

/* Off its queue; the idle thread if there is none. */
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
		return t;
	}
	return c->idle;
}

static NOINLINE void reschedule_at(uint64_t now)
{
	struct cpu *c = cpu_self();
	struct thread *prev = c->current, *next;

	assert(c->preempt_off == 0);
	if (unlikely(atomic_load_explicit(&c->need_kick, memory_order_relaxed)))
		kick_others(c);
	rcu_quiescent(c);
	time_stops(prev, now);
	if (prev == c->idle) {
		/* An interrupt may end idle_poll().  Before we look at the
		 * incoming list for the last time: see sched_kick(). */
		atomic_store(&c->idle_polling, false);
	} else {
		runq_charge(c->runq, prev, now);
		put_prev(c, prev);
	}
	if (unlikely(!mpsc_empty(&c->runq->incoming)))
		drain_incoming(c);
	next = pick_next(c, prev);
	take(next, now);
	slice_update(c->runq);
	/* Set by arrivals that have been considered above. */
	atomic_store_explicit(&c->need_resched, false, memory_order_relaxed);
	if (next != prev)
		switch_to_any(c, prev, next, now);
}

void reschedule(void)
{
	reschedule_at(clock_mono());
}

/* Is (t) all that the queue holds, fair, and may it run here? */
static inline bool is_only_choice(
    struct cpu *c, struct runq *rq, const struct thread *t, bool alone)
{
	return rq->nready == 1 && t && mpsc_empty(&rq->incoming) &&
	       (alone || affinity_has(t, c->id));
}

/*
 * A sleeper mostly leaves the cpu to the only one that waits for it: then few
 * questions remain.  (prev) is not on the queue: who wakes it meanwhile finds
 * on_cpu, and puts it on the incoming list.  Nobody else waits, so that no
 * slice begins.
 */
void schedule(void)
{
	uint64_t now = clock_mono();
	struct cpu *c = cpu_self();
	struct runq *rq = c->runq;
	struct thread *prev = c->current, *next = rq->first;
	bool alone = sched_alone();

	if (unlikely(!cpu_quiet() || !is_only_choice(c, rq, next, alone))) {
		reschedule_at(now);
		return;
	}
	rcu_quiescent(c);
	time_stops(prev, now);
	runq_charge(rq, prev, now);
	put_sleeper(prev, alone);
	runq_dequeue_only(rq);
	take(next, now);
	switch_to(c, prev, next);
}

/*
 * Interrupts off.  Queue (t), ours by its state and switched out, here.  From a
 * thread it takes the cpu at once only from one that was ahead of it when it
 * was last charged: the waker is often about to sleep, and else its slice ends
 * soon.  In event context the current thread has no part in the wake-up, and
 * may run for long.
 */
static inline void wake_here(struct cpu *c, struct thread *t)
{
	if (unlikely(t->cpu != c->id))
		runq_move(t, c->id);
	if (unlikely(c->in_irq))
		charge(c, clock_mono());
	arrive(c, t);
	slice_update(c->runq);
}

/* The same with more than one cpu. */
static NOINLINE void wake_somewhere(struct cpu *c, struct thread *t)
{
	unsigned cpu = balance_choose(t);

	if (cpu == c->id)
		wake_here(c, t);
	else
		send(t, cpu);
}

/* The wake-up is ours, interrupts are off until (flags) say again. */
static NOINLINE bool wake_slow(
    struct cpu *c, struct thread *t, unsigned long flags)
{
	TRACE(sched_wakeup, t->id, (uint64_t)(int64_t)t->wait_status, t->cpu);
	if (atomic_load_explicit(&t->on_cpu, memory_order_acquire))
		send(t, t->cpu);
	else if (sched_alone())
		wake_here(c, t);
	else
		wake_somewhere(c, t);
	irq_restore(flags);
	return true;
}

/* One cpu, where (t) becomes the only one that waits for it and nothing else
 * is to be done, but perhaps to let it go first. */
static inline bool wakes_simply(
    const struct cpu *c, const struct runq *rq, const struct thread *t)
{
	return sched_alone() && rq->nready == 0 && rq->slice.cpu &&
	       !c->in_irq && c->current != c->idle &&
	       !(t->rt_priority | c->current->rt_priority) &&
	       runq_is_near(rq, t) &&
	       !atomic_load_explicit(&t->on_cpu, memory_order_acquire);
}

bool thread_wake(struct thread *t, int status)
{
	uint32_t sleeping = THREAD_SLEEPING;
	/* First: a waker that is preempted would hold (t) up. */
	unsigned long flags = irq_save();
	struct cpu *c = cpu_self();
	struct runq *rq = c->runq;

	if (unlikely(!atomic_compare_exchange_strong(
		&t->state, &sleeping, THREAD_READY))) {
		irq_restore(flags);
		return false;
	}
	t->wait_status = status;
	if (unlikely(
		branch_enabled(&trace_sched_wakeup) || !wakes_simply(c, rq, t)))
		return wake_slow(c, t, flags);
	runq_enqueue_only(rq, t);
	if (runq_leads(t, c->current))
		need_resched(c);
	irq_restore(flags);
	return true;
}

void sched_preempt(void)
{
	unsigned long flags = irq_save();

	reschedule();
	irq_restore(flags);
}

/* Interrupts off.  Is the current thread the only one that may run here? */
static bool is_only_one(struct cpu *c)
{
	return !runq_pick(c->runq) && mpsc_empty(&c->runq->incoming) &&
	       affinity_has(c->current, c->id);
}

void sched_yield_cpu(void)
{
	unsigned long flags = irq_save();
	struct cpu *c = cpu_self();

	if (is_only_one(c)) {
		rcu_quiescent(c);
	} else {
		c->current->yielding = true;
		reschedule();
	}
	irq_restore(flags);
}

bool sched_nobody_waits(void)
{
	const struct cpu *c = cpu_self();

	return !READ_ONCE(c->need_resched) && READ_ONCE(c->runq->nready) == 0 &&
	       mpsc_empty(&c->runq->incoming);
}

void preempt_resched(void)
{
	unsigned long flags = irq_save();
	struct cpu *c = cpu_self();

	if (atomic_load_explicit(&c->need_kick, memory_order_relaxed))
		kick_others(c);
	if ((flags & IRQ_FLAG_IF) && c->preempt_off == 0 &&
	    atomic_load_explicit(&c->need_resched, memory_order_relaxed))
		reschedule();
	irq_restore(flags);
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
	sched_ncpu = 1;
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
	time_starts(c->idle, clock_mono());
	if (!atomic_exchange(&c->online, true)) /* the boot cpu is already */
		atomic_fetch_add(&sched_ncpu, 1);
	c->current = c->idle;
	c->idle->on_cpu = true;
	arch_switch(&first, c->idle);
	panic("cpu %u came back", c->id);
}
