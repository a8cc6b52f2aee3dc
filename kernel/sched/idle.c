/* What a cpu does without threads. */

#include "kern/arch.h"
#include "kern/clock.h"
#include "sched_int.h"

#define POLL_TIME (20 * NSEC_PER_USEC)

static bool has_work(struct cpu *c)
{
	return atomic_load(&c->need_resched) ||
	       atomic_load(&c->runq->incoming) != NULL;
}

/* A wake-up from another cpu costs no interrupt while we look. */
static void idle_poll(struct cpu *c)
{
	uint64_t end = clock_mono() + POLL_TIME;

	atomic_store(&c->idle_polling, true);
	while (!has_work(c) && clock_mono() < end)
		for (unsigned i = 0; i < 16 && !has_work(c); i++)
			cpu_relax();
	/* Before the last look in idle_main(): see sched_kick(). */
	atomic_store(&c->idle_polling, false);
}

void idle_main(void *arg)
{
	(void)arg;
	for (;;) {
		struct cpu *c = cpu_self();

		if (cpu_count() > 1) {
			balance_pull(c);
			idle_poll(c);
		}
		irq_disable();
		if (has_work(c)) {
			schedule();
			irq_enable();
		} else {
			cpu_wait_for_irq();
		}
	}
}
