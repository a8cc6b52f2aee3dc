/* What a cpu does without threads. */

#include "kern/arch.h"
#include "kern/clock.h"
#include "kern/num.h"
#include "sched_int.h"

/* How long it is worth to look for work before halting, at most. */
#define POLL_MAX (200 * NSEC_PER_USEC)
#define POLL_MIN (10 * NSEC_PER_USEC)

static bool has_work(struct cpu *c)
{
	return atomic_load(&c->need_resched) || !mpsc_empty(&c->runq->incoming);
}

/*
 * A wake-up from another cpu costs no interrupt while we look.  (poll) is how
 * long: twice as long when work came soon after we had given up, half as long
 * when it came much later.
 */
static void idle_poll(struct cpu *c, uint64_t poll)
{
	uint64_t end = clock_mono() + poll;

	atomic_store(&c->idle_polling, true);
	while (!has_work(c) && clock_mono() < end)
		for (unsigned i = 0; i < 16 && !has_work(c); i++)
			cpu_relax();
	/* Before the last look in idle_main(): see sched_kick(). */
	atomic_store(&c->idle_polling, false);
}

/* (idle): how long the last idle period was. */
static uint64_t poll_adapt(uint64_t poll, uint64_t idle)
{
	if (idle < POLL_MAX)
		return MIN(MAX(poll * 2, POLL_MIN), POLL_MAX);
	return poll / 2 < POLL_MIN ? 0 : poll / 2;
}

void idle_main(void *arg)
{
	struct cpu *c = cpu_self();
	uint64_t poll = 0;

	(void)arg;
	for (;;) {
		if (cpu_count() > 1) {
			balance_pull(c);
			if (poll)
				idle_poll(c, poll);
		}
		irq_disable();
		if (has_work(c)) {
			reschedule();
			irq_enable();
			continue;
		}
		cpu_wait_for_irq();
		poll = poll_adapt(poll, c->runq->idle_length);
	}
}
