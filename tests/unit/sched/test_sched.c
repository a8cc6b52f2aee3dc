/* kernel/sched/sched.c with two processors that the test plays by turns. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <linux/sched.h>

#include "kern/clock.h"
#include "kern/mm.h"
#include "kernel/sched/sched_int.h"

static struct cpu cpu[2];
static struct thread idle[2], t[3];
static struct cpu *self = &cpu[0];
static unsigned ipis[2];
static irq_fn resched;
static void (*on_switch)(void);
static uint64_t now;
_Atomic uint64_t rcu_period;

struct cpu *cpu_self(void)
{
	return self;
}

struct thread *thread_self(void)
{
	return self->current;
}

void cpu_ipi(unsigned id, unsigned vector)
{
	assert_int_equal(vector, VECTOR_RESCHED);
	ipis[id]++;
}

void irq_vector_set(unsigned vector, irq_fn fn, void *arg)
{
	(void)arg;
	if (vector == VECTOR_RESCHED)
		resched = fn;
}

void arch_switch(struct thread *prev, struct thread *next)
{
	(void)prev;
	(void)next;
	if (on_switch)
		on_switch();
}

uint64_t clock_mono(void)
{
	return now;
}

void *kzalloc(size_t n)
{
	return calloc(1, n);
}

void timer_init(struct timer *tm, void (*fn)(struct timer *))
{
	tm->fn = fn;
}

void timer_set(struct timer *tm, uint64_t deadline)
{
	tm->deadline = deadline;
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

void thread_reap(struct thread *th)
{
	(void)th;
}

void thread_exit(void)
{
	abort();
}

/* The boot cpu's first context is thread 0. */
void thread_adopt(struct cpu *c)
{
	t[0].state = THREAD_RUNNING;
	t[0].on_cpu = true;
	c->current = &t[0];
}

struct thread *thread_idle(struct cpu *c)
{
	return &idle[c->id];
}

static int setup(void **state)
{
	(void)state;
	memset(cpu, 0, sizeof(cpu));
	memset(idle, 0, sizeof(idle));
	memset(t, 0, sizeof(t));
	memset(ipis, 0, sizeof(ipis));
	on_switch = NULL;
	now = NSEC_PER_SEC;
	for (unsigned i = 0; i < 3; i++) {
		memset(t[i].affinity, 0xff, sizeof(t[i].affinity));
		balance_new(&t[i]);
	}
	for (unsigned i = 0; i < 2; i++) {
		cpu[i].id = i;
		memset(idle[i].affinity, 0xff, sizeof(idle[i].affinity));
	}
	self = &cpu[0];
	sched_init();
	sched_cpu_init(&cpu[1]);
	idle[1].on_cpu = true;
	balance_idle(&cpu[1], true);
	cpu[1].online = true;
	sched_ncpu = 2;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(cpu[1].runq);
	return 0;
}

static void sleeps(struct thread *th, unsigned on)
{
	th->state = THREAD_SLEEPING;
	th->cpu = on;
}

/* An interrupt wakes a thread while the idle one polls; when that one runs
 * nobody polls any more. */
static void test_poll_preempted(void **state)
{
	(void)state;
	self = &cpu[1];
	cpu[1].idle_polling = true;
	sleeps(&t[1], 1);
	assert_true(thread_wake(&t[1], 0));
	assert_true(cpu[1].need_resched);
	sched_preempt();
	assert_ptr_equal(cpu[1].current, &t[1]);

	self = &cpu[0];
	t[2].affinity[0] = 2;
	sleeps(&t[2], 1);
	assert_true(thread_wake(&t[2], 0));
	assert_int_equal(ipis[1], 1);
}

static void push_2(void)
{
	struct cpu *c = self;

	on_switch = NULL;
	self = &cpu[0];
	t[2].affinity[0] = 2;
	sleeps(&t[2], 1);
	assert_true(thread_wake(&t[2], 0));
	self = c;
}

/* The same, with the other one pushed after the list has been looked at. */
static void test_poll_preempted_late(void **state)
{
	(void)state;
	self = &cpu[1];
	cpu[1].idle_polling = true;
	sleeps(&t[1], 1);
	assert_true(thread_wake(&t[1], 0));
	on_switch = push_2;
	sched_preempt();
	assert_int_equal(ipis[1], 1);
}

/* A thread that may no longer run where it does leaves at the interrupt. */
static void test_affinity(void **state)
{
	(void)state;
	t[0].affinity[0] = 2;
	sched_resched(0);
	assert_false(cpu[0].need_resched);
	self = &cpu[1];
	sched_resched(0);
	assert_int_equal(ipis[0], 1);
	self = &cpu[0];
	/* What a schedule() that was under way has cleared. */
	atomic_store(&cpu[0].need_resched, false);
	resched(NULL);
	assert_true(cpu[0].need_resched);
	sched_preempt();
	assert_ptr_equal(cpu[0].current, &idle[0]);
	assert_ptr_equal(cpu[1].runq->incoming.newest, &t[0].incoming);
	assert_int_equal(ipis[1], 1);
}

/* Woken between its last look and the switch: it goes on. */
static void test_woken_before_switch(void **state)
{
	(void)state;
	t[0].state = THREAD_SLEEPING;
	self = &cpu[1];
	assert_true(thread_wake(&t[0], 0));
	assert_false(thread_wake(&t[0], 0));
	assert_int_equal(ipis[0], 1);
	self = &cpu[0];
	sched_preempt();
	assert_ptr_equal(cpu[0].current, &t[0]);
	assert_int_equal(t[0].state, THREAD_RUNNING);
	assert_int_equal(cpu[0].runq->nready, 0);
}

static void wake_0(void)
{
	struct cpu *c = self;

	on_switch = NULL;
	self = &cpu[1];
	assert_true(thread_wake(&t[0], 0));
	self = c;
}

/* Woken while its registers are being saved: not run before they are. */
static void test_woken_in_switch(void **state)
{
	(void)state;
	t[0].state = THREAD_SLEEPING;
	on_switch = wake_0;
	sched_preempt();
	assert_ptr_equal(cpu[0].current, &idle[0]);
	assert_true(mpsc_empty(&cpu[1].runq->incoming));
	assert_ptr_equal(cpu[0].runq->incoming.newest, &t[0].incoming);
	assert_int_equal(ipis[0], 1);
	resched(NULL);
	assert_true(cpu[0].need_resched);
	sched_preempt();
	assert_ptr_equal(cpu[0].current, &t[0]);
}

/* Whoever wakes with a lock held sends the interrupt when it is free. */
static void test_kick_put_off(void **state)
{
	(void)state;
	t[1].affinity[0] = 2;
	t[2].affinity[0] = 2;
	sleeps(&t[1], 1);
	sleeps(&t[2], 1);
	cpu[0].preempt_off = 1;
	assert_true(thread_wake(&t[1], 0));
	assert_true(thread_wake(&t[2], 0));
	assert_int_equal(ipis[1], 0);
	assert_true(cpu[0].need_kick);
	cpu[0].preempt_off = 0;
	preempt_enable();
	assert_int_equal(ipis[1], 1);
	assert_false(cpu[0].need_kick);
	preempt_enable();
	assert_int_equal(ipis[1], 1);
}

/* The same, but the thread loses the cpu before it comes to that. */
static void test_kick_by_switch(void **state)
{
	(void)state;
	t[1].affinity[0] = 2;
	sleeps(&t[1], 1);
	cpu[0].preempt_off = 1;
	assert_true(thread_wake(&t[1], 0));
	cpu[0].preempt_off = 0;
	sched_preempt();
	assert_int_equal(ipis[1], 1);
}

static void test_cpu_time(void **state)
{
	(void)state;
	time_starts(&t[0], now);
	now += 70;
	assert_int_equal(thread_cpu_time(&t[0]), 70);
	t[0].state = THREAD_SLEEPING;
	sched_preempt();
	assert_ptr_equal(cpu[0].current, &idle[0]);
	now += 1000;
	assert_int_equal(thread_cpu_time(&t[0]), 70);
	assert_true(thread_wake(&t[0], 0));
	sched_preempt();
	assert_ptr_equal(cpu[0].current, &t[0]);
	now += 30;
	assert_int_equal(thread_cpu_time(&t[0]), 100);
	sched_yield_cpu(); /* nobody else is there */
	now += 5;
	assert_int_equal(thread_cpu_time(&t[0]), 105);
	/* A clock that is behind the one of the cpu where it began. */
	time_starts(&t[1], now + 10);
	assert_int_equal(thread_cpu_time(&t[1]), 0);
}

/* Queued on cpu 0, where t[0] runs. */
static void queue_here(struct thread *th)
{
	th->affinity[0] = 1;
	sleeps(th, 0);
	assert_true(thread_wake(th, 0));
	atomic_store(&cpu[0].need_resched, false);
}

/* A queued thread of the fair class becomes the most urgent, and ordinary
 * again, without having slept. */
static void test_lent_priority(void **state)
{
	(void)state;
	thread_set_policy(&t[0], SCHED_FIFO, 5);
	queue_here(&t[1]);
	queue_here(&t[2]);
	thread_lend_priority(&t[2], 7);
	assert_int_equal(t[2].policy, SCHED_FIFO);
	assert_int_equal(t[2].rt_priority, 7);
	assert_int_equal(t[2].base_policy, SCHED_NORMAL);
	assert_true(cpu[0].need_resched);
	sched_preempt();
	assert_ptr_equal(cpu[0].current, &t[2]);
	thread_lend_priority(&t[2], 0);
	assert_int_equal(t[2].policy, SCHED_NORMAL);
	assert_int_equal(t[2].rt_priority, 0);
	assert_true(cpu[0].need_resched);
	sched_preempt();
	assert_ptr_equal(cpu[0].current, &t[0]);
	assert_int_equal(cpu[0].runq->nready, 2);
	/* Less than it has is worth nothing; what is asked for stays. */
	thread_lend_priority(&t[0], 3);
	assert_int_equal(t[0].rt_priority, 5);
	thread_set_policy(&t[0], SCHED_RR, 2);
	assert_int_equal(t[0].policy, SCHED_FIFO);
	assert_int_equal(t[0].rt_priority, 3);
	thread_lend_priority(&t[0], 0);
	assert_int_equal(t[0].policy, SCHED_RR);
	assert_int_equal(t[0].rt_priority, 2);
}

/* Another cpu's queue is sorted there. */
static void test_priority_from_afar(void **state)
{
	(void)state;
	thread_set_policy(&t[0], SCHED_FIFO, 9);
	thread_set_policy(&t[1], SCHED_FIFO, 5);
	thread_set_policy(&t[2], SCHED_FIFO, 3);
	queue_here(&t[1]);
	queue_here(&t[2]);
	self = &cpu[1];
	thread_set_policy(&t[2], SCHED_FIFO, 8);
	thread_set_policy(&t[0], SCHED_NORMAL, 0);
	assert_int_equal(ipis[0], 2);
	assert_false(cpu[0].need_resched);
	self = &cpu[0];
	resched(NULL);
	assert_true(cpu[0].need_resched);
	sched_preempt();
	assert_ptr_equal(cpu[0].current, &t[2]);
	t[2].state = THREAD_SLEEPING;
	sched_preempt();
	assert_ptr_equal(cpu[0].current, &t[1]);
	t[1].state = THREAD_SLEEPING;
	sched_preempt();
	assert_ptr_equal(cpu[0].current, &t[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_poll_preempted, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_poll_preempted_late, setup, teardown),
		cmocka_unit_test_setup_teardown(test_affinity, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_kick_put_off, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_kick_by_switch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cpu_time, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_lent_priority, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_priority_from_afar, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_woken_before_switch, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_woken_in_switch, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
