/* Ticket locks: fair between cpus. */

#include "kern/arch.h"
#include "kern/sched.h"

static void ticket_lock(struct spinlock *l)
{
	unsigned mine =
	    atomic_fetch_add_explicit(&l->next, 1, memory_order_relaxed);

	while (atomic_load_explicit(&l->owner, memory_order_acquire) != mine)
		cpu_relax();
}

static void ticket_unlock(struct spinlock *l)
{
	unsigned owner = atomic_load_explicit(&l->owner, memory_order_relaxed);

	atomic_store_explicit(&l->owner, owner + 1, memory_order_release);
}

void spin_lock(struct spinlock *l)
{
	preempt_disable();
	ticket_lock(l);
}

void spin_unlock(struct spinlock *l)
{
	ticket_unlock(l);
	preempt_enable();
}

bool spin_held(const struct spinlock *l)
{
	return atomic_load_explicit(&l->next, memory_order_relaxed) !=
	       atomic_load_explicit(&l->owner, memory_order_relaxed);
}

unsigned long spin_lock_irqsave(struct spinlock *l)
{
	unsigned long flags = irq_save();

	preempt_disable();
	ticket_lock(l);
	return flags;
}

void spin_unlock_irqrestore(struct spinlock *l, unsigned long flags)
{
	ticket_unlock(l);
	irq_restore(flags);
	/* After interrupts are on again, so that a wake-up done under the
	 * lock can take the cpu here. */
	preempt_enable();
}
