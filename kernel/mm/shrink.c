/* Shrinkers: whoever can give memory back when it runs short. */

#include "kern/arch.h"
#include "kern/mm.h"
#include "kern/percpu.h"
#include "kern/sched.h"
#include "mm_int.h"

static _Atomic(struct shrinker *) shrinkers;

bool mm_may_block(void)
{
	struct cpu *c = cpu_self();

	return irq_enabled() && c->preempt_off == 0 && !c->in_irq &&
	       thread_self() && !thread_self()->in_shrinker;
}

/* Registration is for ever, so that the list can be walked without a lock. */
void shrinker_register(struct shrinker *s)
{
	struct shrinker *head = atomic_load(&shrinkers);

	do {
		s->next = head;
	} while (!atomic_compare_exchange_weak(&shrinkers, &head, s));
}

bool mm_shrink(size_t bytes)
{
	struct thread *t = thread_self();
	size_t got = 0;

	/* A shrinker that allocates must not come back here. */
	t->in_shrinker = true;
	for (struct shrinker *s = shrinkers; s && got < bytes; s = s->next)
		got += s->shrink(bytes - got, true);
	t->in_shrinker = false;
	return got > 0;
}
