/*
 * The wake-up path in every interleaving: sched.c, runq.c, balance.c, idle.c
 * and waitq.c as they are, on two processors that poll, halt and interrupt
 * each other.  One thread wakes another, which sleeps until it has been woken
 * often enough.  With a barrier taken away it must be found to sleep for ever.
 * And on one processor, the short ways: two threads wake each other in turn,
 * while a device interrupts at any point and wakes them for nothing.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "kern/clock.h"
#include "kern/mm.h"
#include "kern/panic.h"
/* For the hints that are its own. */
#include "../../../kernel/sched/balance.c"

enum { WAKER, SLEEPER, OTHER, NTHREAD };

static struct model {
	struct cpu cpu[2];
	struct runq rq; /* the second cpu's */
	struct thread idle[2], t[NTHREAD];
	_Atomic unsigned given, given_to[NTHREAD];
	unsigned ended;
	struct mpsc mpsc;
	_Atomic bool asleep, told;
	unsigned taken;
} m;
static struct node {
	struct mpsc_node node;
	unsigned n;
} nodes[4];

_Atomic uint64_t rcu_period = 1;
static unsigned rounds, strays;
static irq_fn resched;
static struct x_ctx *idle_ctx[2], *ctx[NTHREAD];

struct cpu *cpu_self(void)
{
	return &m.cpu[x_cpu()];
}

struct thread *thread_self(void)
{
	return cpu_self()->current;
}

void panic(const char *fmt, ...)
{
	x_fail(fmt);
	for (;;)
		;
}

/* The end of an interrupt preempts: see trap.c. */
static void interrupt(void)
{
	struct cpu *c = cpu_self();

	c->in_irq = true;
	resched(NULL);
	c->in_irq = false;
	if (c->need_resched)
		sched_preempt();
}

void cpu_ipi(unsigned id, unsigned vector)
{
	(void)vector;
	x_interrupt(id, interrupt);
}

void irq_vector_set(unsigned vector, irq_fn fn, void *arg)
{
	(void)arg;
	if (vector == VECTOR_RESCHED)
		resched = fn;
}

void cpu_wait_for_irq(void)
{
	x_halt();
}

static struct x_ctx *ctx_of(const struct thread *th)
{
	if (th == &m.idle[0] || th == &m.idle[1])
		return idle_ctx[th - m.idle];
	return ctx[th - m.t];
}

void arch_switch(struct thread *prev, struct thread *next)
{
	(void)prev;
	x_switch(ctx_of(next));
}

/* The time to poll may be over at any look at the clock. */
uint64_t clock_mono(void)
{
	if (cpu_self()->idle_polling && x_choose(2))
		return 2 * NSEC_PER_SEC;
	return NSEC_PER_SEC;
}

void timer_init(struct timer *tm, void (*fn)(struct timer *))
{
	tm->fn = fn;
}

/* No slice ends. */
void timer_set(struct timer *tm, uint64_t deadline)
{
	(void)deadline;
	tm->cpu = cpu_self();
}

bool timer_cancel(struct timer *tm)
{
	(void)tm;
	return false;
}

void timer_cpu_init(struct cpu *c)
{
	(void)c;
}

void timer_resched(void)
{
}

void rcu_init(void)
{
}

void work_init_thread(void)
{
}

void stat_init(void)
{
}

void thread_reap(struct thread *th)
{
	(void)th;
}

void thread_exit(void)
{
	x_fail("a thread came back");
	for (;;)
		;
}

void *kzalloc(size_t n)
{
	(void)n;
	return &m.rq;
}

void spin_lock(struct spinlock *l)
{
	(void)l;
}

void spin_unlock(struct spinlock *l)
{
	(void)l;
}

unsigned long spin_lock_irqsave(struct spinlock *l)
{
	(void)l;
	return x_irq_save();
}

void spin_unlock_irqrestore(struct spinlock *l, unsigned long flags)
{
	(void)l;
	x_irq_restore(flags);
}

void mutex_lock(struct mutex *mx)
{
	(void)mx;
}

void mutex_unlock(struct mutex *mx)
{
	(void)mx;
}

void thread_adopt(struct cpu *c)
{
	c->current = &m.t[WAKER];
}

struct thread *thread_idle(struct cpu *c)
{
	m.idle[c->id].fn = idle_main;
	return &m.idle[c->id];
}

/* --- two threads --------------------------------------------------------- */

static void sleep_for_ever(void)
{
	for (;;) {
		unsigned long flags = irq_save();

		sleep_begin(0);
		(void)sleep_end(TIME_NEVER, 0);
		irq_restore(flags);
	}
}

/* Until (*given) is at least (n). */
static void sleep_until_given(_Atomic unsigned *given, unsigned n)
{
	unsigned long flags = irq_save();

	while (atomic_load(given) < n) {
		sleep_begin(0);
		if (atomic_load(given) < n)
			(void)sleep_end(TIME_NEVER, 0);
		else
			sleep_cancel();
	}
	irq_restore(flags);
}

static void wakes(void *arg)
{
	(void)arg;
	for (unsigned i = 1; i <= rounds; i++) {
		atomic_store_explicit(&m.given, i, memory_order_relaxed);
		(void)thread_wake(&m.t[SLEEPER], 0);
	}
	sleep_for_ever();
}

static void sleeps(void *arg)
{
	(void)arg;
	for (unsigned i = 1; i <= rounds; i++)
		sleep_until_given(&m.given, i);
}

static void idles(void *arg)
{
	sched_entry(arg);
}

static void start(void)
{
	memset(&m, 0, sizeof(m));
	memset(idle_cpus, 0, sizeof(idle_cpus));
	x_reset();
	x_region(&m, sizeof(m));
	x_region(idle_cpus, sizeof(idle_cpus));
	for (unsigned i = 0; i < 2; i++) {
		m.cpu[i].id = i;
		m.cpu[i].self = &m.cpu[i];
		m.idle[i].affinity[0] = 1u << i;
		m.idle[i].cpu = i;
		idle_ctx[i] = x_ctx_new(idles, &m.idle[i]);
	}
	for (unsigned i = 0; i < NTHREAD; i++) {
		struct thread *th = &m.t[i];

		memset(th->affinity, 0xff, sizeof(th->affinity));
		th->cpu = i == SLEEPER;
		th->on_cpu = i != OTHER;
		balance_new(th);
	}
}

static void start_two(void)
{
	start();
	ctx[WAKER] = x_ctx_new(wakes, NULL);
	ctx[SLEEPER] = x_ctx_new(sleeps, NULL);
	x_cpu_start(0, ctx[WAKER]);
	x_cpu_start(1, ctx[SLEEPER]);
	x_must_end(ctx[SLEEPER]);
}

/* As the boot does it, before anything is explored. */
static void boot(void)
{
	x_boot(0);
	sched_init();
	sched_cpu_init(&m.cpu[1]);
	sched_ncpu = 2;
	m.cpu[0].online = m.cpu[1].online = true;
	m.cpu[1].current = &m.t[SLEEPER];
	m.rq.busy = true;
	x_region(m.cpu[0].runq, sizeof(struct runq));
}

static void test_sleeper(void **state)
{
	(void)state;
	rounds = 1;
	start_two();
	boot();
	assert_null(explore());
}

/* The state is set without a barrier before the last look. */
static void test_state_weak(void **state)
{
	(void)state;
	rounds = 1;
	start_two();
	boot();
	x_weaken((void *)&m.t[SLEEPER].state, sizeof(m.t[SLEEPER].state));
	assert_string_equal(explore(), "nobody can go on");
}

/* idle_polling is cleared without a barrier before the last look. */
static void test_polling_weak(void **state)
{
	(void)state;
	rounds = 2;
	start_two();
	boot();
	for (unsigned i = 0; i < 2; i++)
		x_weaken((void *)&m.cpu[i].idle_polling,
		    sizeof(m.cpu[i].idle_polling));
	assert_string_equal(explore(), "nobody can go on");
}

/* --- one processor -------------------------------------------------------- */

/* The other one of the model is a device, which sends interrupts. */
static void device_irq(void)
{
	struct cpu *c = cpu_self();

	c->in_irq = true;
	(void)thread_wake(&m.t[SLEEPER], 0);
	(void)thread_wake(&m.t[OTHER], 0);
	c->in_irq = false;
	if (c->need_resched)
		sched_preempt();
}

static bool both_ended(void *arg)
{
	(void)arg;
	return *(volatile unsigned *)&m.ended == 2;
}

static void interrupts(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < strays; i++)
		x_interrupt(0, device_irq);
	x_wait(both_ended, NULL);
}

static void give_to(unsigned k, unsigned n)
{
	atomic_store_explicit(&m.given_to[k], n, memory_order_relaxed);
	(void)thread_wake(&m.t[k], 0);
	if (cpu_self()->need_resched) /* as preempt_enable() does */
		sched_preempt();
}

static void must_run(unsigned k)
{
	struct cpu *c = cpu_self();

	if (c->current != &m.t[k] || m.t[k].state != THREAD_RUNNING ||
	    !m.t[k].on_cpu || c->runq->first == &m.t[k])
		x_fail("runs, but not by its state");
}

static void takes_turns(void *arg)
{
	unsigned k = (unsigned)(thread_self() - m.t);

	(void)arg;
	for (unsigned i = 1; i <= rounds; i++) {
		if (k == SLEEPER)
			give_to(OTHER, i);
		sleep_until_given(&m.given_to[k], i);
		must_run(k);
		if (k == OTHER)
			give_to(SLEEPER, i);
	}
	x_point();
	m.ended++;
	sleep_for_ever();
}

static void start_one(void)
{
	start();
	for (unsigned k = SLEEPER; k <= OTHER; k++) {
		m.t[k].affinity[0] = 1;
		m.t[k].cpu = 0;
		m.t[k].fn = takes_turns;
	}
	ctx[WAKER] = x_ctx_new(interrupts, NULL);
	ctx[SLEEPER] = x_ctx_new(takes_turns, NULL);
	ctx[OTHER] = x_ctx_new(sched_entry, &m.t[OTHER]);
	x_cpu_start(0, ctx[SLEEPER]);
	x_cpu_start(1, ctx[WAKER]);
	x_must_end(ctx[WAKER]);
}

static void boot_one(void)
{
	boot();
	sched_ncpu = 1;
	m.cpu[0].current = &m.t[SLEEPER];
	m.cpu[1].current = &m.t[WAKER];
	m.t[OTHER].state = THREAD_SLEEPING;
	(void)thread_wake(&m.t[OTHER], 0);
	m.cpu[0].need_resched = false;
}

static void test_one_cpu(void **state)
{
	(void)state;
	rounds = 2;
	strays = 2;
	start_one();
	boot_one();
	assert_null(explore());
}

/* --- the queue of many producers ------------------------------------------ */

static bool was_told(void *arg)
{
	(void)arg;
	return *(volatile bool *)&m.told;
}

/* Tells the consumer only when that one may sleep. */
static void produces(void *arg)
{
	struct node *n = arg;

	for (unsigned i = 0; i < 2; i++) {
		n[i].n = i;
		(void)mpsc_push(&m.mpsc, &n[i].node);
		if (atomic_load(&m.asleep))
			atomic_store(&m.told, true);
	}
}

static void consumes(void *arg)
{
	unsigned expect[2] = { 0 };

	(void)arg;
	while (m.taken < 4) {
		struct mpsc_node *at = mpsc_take(&m.mpsc), *next;

		for (; at; at = next, m.taken++) {
			struct node *n = container_of(at, struct node, node);
			unsigned from = n >= &nodes[2];

			next = at->next;
			if (n->n != expect[from]++)
				x_fail("out of order");
		}
		if (m.taken == 4)
			break;
		atomic_store(&m.asleep, true);
		if (mpsc_empty(&m.mpsc))
			x_wait(was_told, NULL);
		atomic_store(&m.told, false);
		atomic_store(&m.asleep, false);
	}
}

static void start_mpsc(void)
{
	memset(&m, 0, sizeof(m));
	x_reset();
	x_region(&m, sizeof(m));
	x_region(nodes, sizeof(nodes));
	for (unsigned i = 0; i < 3; i++) {
		struct x_ctx *c = x_ctx_new(
		    i ? produces : consumes, i ? &nodes[2 * (i - 1)] : NULL);

		x_cpu_start(i, c);
		x_must_end(c);
	}
}

static void test_mpsc(void **state)
{
	(void)state;
	start_mpsc();
	assert_null(explore());
}

/* The consumer says that it sleeps without a barrier before its last look. */
static void test_mpsc_weak(void **state)
{
	(void)state;
	start_mpsc();
	x_weaken((void *)&m.asleep, sizeof(m.asleep));
	assert_string_equal(explore(), "nobody can go on");
}

/* A push that is not one step loses what another pushes in between. */
static void test_mpsc_torn(void **state)
{
	(void)state;
	start_mpsc();
	x_tear((void *)&m.mpsc);
	assert_non_null(explore());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sleeper),
		cmocka_unit_test(test_state_weak),
		cmocka_unit_test(test_polling_weak),
		cmocka_unit_test(test_one_cpu),
		cmocka_unit_test(test_mpsc),
		cmocka_unit_test(test_mpsc_weak),
		cmocka_unit_test(test_mpsc_torn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
