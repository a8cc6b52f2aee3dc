/*
 * A scheduler for the explorers of what is above it: each thread has a
 * processor of its own, and sleeps by waiting until it is ready.
 */

#include "kern/clock.h"
#include "kern/panic.h"
#include "kernel/sched/sched_int.h"

_Atomic unsigned sched_ncpu = 1;

/* Looking is not what is looked at: it only tries more often. */
bool sched_nobody_waits(void)
{
	return false;
}

void panic(const char *fmt, ...)
{
	x_fail(fmt);
	for (;;)
		;
}

struct cpu *cpu_self(void)
{
	return NULL;
}

void cpu_ipi(unsigned id, unsigned vector)
{
	(void)id;
	(void)vector;
}

void preempt_resched(void)
{
}

uint64_t clock_mono(void)
{
	return 0;
}

void timer_init(struct timer *t, void (*fn)(struct timer *))
{
	(void)t;
	(void)fn;
}

void timer_set(struct timer *t, uint64_t deadline)
{
	(void)t;
	(void)deadline;
}

bool timer_cancel(struct timer *t)
{
	(void)t;
	return false;
}

static bool is_ready(void *arg)
{
	struct thread *t = arg;

	return *(volatile uint32_t *)&t->state == THREAD_READY;
}

void schedule(void)
{
	struct thread *t = thread_self();

	x_wait(is_ready, t);
	atomic_store_explicit(&t->state, THREAD_RUNNING, memory_order_relaxed);
}

/* As sched.c has it: see explore_wakeup.c. */
bool thread_wake(struct thread *t, int status)
{
	uint32_t sleeping = THREAD_SLEEPING;

	if (!atomic_compare_exchange_strong(&t->state, &sleeping, THREAD_READY))
		return false;
	t->wait_status = status;
	return true;
}
