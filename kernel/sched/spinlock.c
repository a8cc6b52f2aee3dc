/*
 * Test and set.  Not a fair lock on purpose: a cpu is a thread of the
 * hypervisor's, and with tickets everybody waits for one that is next in line
 * but does not run.
 */

#include "kern/arch.h"
#include "kern/sched.h"

void spin_contended(struct spinlock *l)
{
	do
		while (atomic_load_explicit(&l->held, memory_order_relaxed))
			cpu_relax();
	while (atomic_exchange_explicit(&l->held, 1, memory_order_acquire));
}

void spin_lock(struct spinlock *l)
{
	preempt_disable();
	spin_take(l);
}

void spin_unlock(struct spinlock *l)
{
	spin_release(l);
	preempt_enable();
}

unsigned long spin_lock_irqsave(struct spinlock *l)
{
	unsigned long flags = irq_save();

	preempt_disable();
	spin_take(l);
	return flags;
}

void spin_unlock_irqrestore(struct spinlock *l, unsigned long flags)
{
	spin_release(l);
	irq_restore(flags);
	/* After interrupts are on again, so that a wake-up done under the
	 * lock can take the cpu here. */
	preempt_enable();
}
