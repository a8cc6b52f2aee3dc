/* Processor times, idle times and load averages. */

#include "kern/clock.h"
#include "sched_int.h"

#define LOAD_INTERVAL (5 * NSEC_PER_SEC)
#define FIXED_ONE     65536u

/* exp(-5 s / 1, 5, 15 min) in 65536ths. */
static const uint32_t load_decay[3] = { 60296, 64453, 65173 };
static _Atomic uint32_t load[3];
static struct timer load_timer;

unsigned sched_runnable(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < CPU_MAX && cpus[i]; i++) {
		struct runq *rq = cpus[i]->runq;

		n += READ_ONCE(rq->nready);
		n += atomic_load_explicit(&rq->busy, memory_order_relaxed);
	}
	return n;
}

static void load_sample(struct timer *t)
{
	uint64_t now = (uint64_t)sched_runnable() * FIXED_ONE;

	for (unsigned i = 0; i < 3; i++) {
		uint64_t sum = load[i] * (uint64_t)load_decay[i] +
			       now * (FIXED_ONE - load_decay[i]);

		load[i] = (uint32_t)(sum / FIXED_ONE);
	}
	timer_set(t, t->deadline + LOAD_INTERVAL);
}

void sched_loadavg(uint32_t avg[3])
{
	for (unsigned i = 0; i < 3; i++)
		avg[i] = load[i];
}

uint64_t cpu_idle_time(unsigned cpu)
{
	struct runq *rq;
	uint64_t ns, since;

	if (cpu >= CPU_MAX || !cpus[cpu])
		return 0;
	rq = cpus[cpu]->runq;
	ns = atomic_load_explicit(&rq->idle_ns, memory_order_relaxed);
	since = READ_ONCE(rq->idle_since);
	return since ? ns + (clock_mono() - since) : ns;
}

uint64_t thread_cpu_time(const struct thread *t)
{
	uint64_t v, ns;

	for (;;) {
		v = atomic_load_explicit(&t->cpu_time, memory_order_acquire);
		if (!(v & TIME_RUNNING))
			return v;
		ns = (v + clock_mono()) & ~TIME_RUNNING;
		if (atomic_load_explicit(&t->cpu_time, memory_order_acquire) ==
		    v)
			break;
		/* Switched meanwhile: now may be later than its end. */
	}
	/* Another cpu's clock may be a little behind the one that began. */
	return ns & TIME_RUNNING >> 1 ? 0 : ns;
}

void stat_init(void)
{
	timer_init(&load_timer, load_sample);
	timer_set(&load_timer, clock_mono() + LOAD_INTERVAL);
}
