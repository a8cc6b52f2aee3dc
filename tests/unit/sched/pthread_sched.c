#include <pthread.h>
#include <sched.h>

#include "kern/clock.h"
#include "kernel/sched/sched_int.h"
#include "pthread_sched.h"

#define NTHREAD 16

struct runner {
	struct thread t; /* first */
	pthread_t id;
	pthread_mutex_t lock;
	pthread_cond_t ready;
	bool queued; /* by whoever made it READY */
	void (*fn)(size_t);
	size_t arg;
};

static _Thread_local struct runner *self;
static struct runner runners[NTHREAD];
static struct cpu cpu;
struct cpu *cpus[CPU_MAX] = { &cpu };

struct thread *thread_self(void)
{
	return &self->t;
}

struct cpu *cpu_self(void)
{
	return &cpu;
}

void cpu_ipi(unsigned id, unsigned vector)
{
	(void)id;
	(void)vector;
}

void preempt_resched(void)
{
	sched_yield();
}

_Atomic unsigned sched_ncpu = 2;

bool sched_nobody_waits(void)
{
	return true;
}

uint64_t clock_mono(void)
{
	return 0;
}

void schedule(void)
{
	struct runner *r = self;

	pthread_mutex_lock(&r->lock);
	while (!r->queued)
		pthread_cond_wait(&r->ready, &r->lock);
	r->queued = false;
	pthread_mutex_unlock(&r->lock);
	r->t.state = THREAD_RUNNING;
}

bool thread_wake(struct thread *t, int status)
{
	struct runner *r = (struct runner *)t;
	uint32_t sleeping = THREAD_SLEEPING;

	if (!atomic_compare_exchange_strong(&t->state, &sleeping, THREAD_READY))
		return false;
	t->wait_status = status;
	pthread_mutex_lock(&r->lock);
	r->queued = true;
	pthread_cond_signal(&r->ready);
	pthread_mutex_unlock(&r->lock);
	return true;
}

/* --- timers: all that are set fire soon, in a thread of their own ------ */

static pthread_mutex_t timer_lock = PTHREAD_MUTEX_INITIALIZER;
static struct timer *timers[NTHREAD];
static _Atomic bool timers_end;

void timer_init(struct timer *t, void (*fn)(struct timer *))
{
	*t = (struct timer){ .fn = fn };
}

void timer_set(struct timer *t, uint64_t deadline)
{
	unsigned i;

	(void)deadline;
	pthread_mutex_lock(&timer_lock);
	for (i = 0; timers[i]; i++)
		;
	timers[i] = t;
	pthread_mutex_unlock(&timer_lock);
}

bool timer_cancel(struct timer *t)
{
	bool pending = false;

	pthread_mutex_lock(&timer_lock);
	for (unsigned i = 0; i < NTHREAD; i++) {
		if (timers[i] == t) {
			timers[i] = NULL;
			pending = true;
		}
	}
	pthread_mutex_unlock(&timer_lock);
	return pending;
}

static void *timer_main(void *arg)
{
	while (!timers_end) {
		sched_yield();
		pthread_mutex_lock(&timer_lock);
		for (unsigned i = 0; i < NTHREAD; i++) {
			struct timer *t = timers[i];

			timers[i] = NULL;
			if (t)
				t->fn(t);
		}
		pthread_mutex_unlock(&timer_lock);
	}
	return arg;
}

static void *runner_main(void *arg)
{
	self = arg;
	self->fn(self->arg);
	return NULL;
}

void run_threads(unsigned n, void (*fn)(size_t))
{
	pthread_t timer_id;

	timers_end = false;
	pthread_create(&timer_id, NULL, timer_main, NULL);
	for (unsigned i = 0; i < n; i++) {
		struct runner *r = &runners[i];

		r->fn = fn;
		r->arg = i;
		pthread_mutex_init(&r->lock, NULL);
		pthread_cond_init(&r->ready, NULL);
		list_init(&r->t.wait_link);
	}
	for (unsigned i = 0; i < n; i++)
		pthread_create(&runners[i].id, NULL, runner_main, &runners[i]);
	for (unsigned i = 0; i < n; i++)
		pthread_join(runners[i].id, NULL);
	timers_end = true;
	pthread_join(timer_id, NULL);
}
