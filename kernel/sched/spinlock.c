/*
 * Test and set.  Not a fair lock on purpose: a cpu is a thread of the
 * hypervisor's, and with tickets everybody waits for one that is next in line
 * but does not run.
 */

#include "kern/arch.h"
#include "kern/sched.h"

static NOINLINE void lock_contended(struct spinlock *l)
{
	do
		while (atomic_load_explicit(&l->owner, memory_order_relaxed))
			cpu_relax();
	while (atomic_exchange_explicit(&l->owner, 1, memory_order_acquire));
}

static inline void lock_word(struct spinlock *l)
{
	if (unlikely(
		atomic_exchange_explicit(&l->owner, 1, memory_order_acquire)))
		lock_contended(l);
}

static void unlock_word(struct spinlock *l)
{
	atomic_store_explicit(&l->owner, 0, memory_order_release);
}

void spin_lock(struct spinlock *l)
{
	preempt_disable();
	lock_word(l);
}

void spin_unlock(struct spinlock *l)
{
	unlock_word(l);
	preempt_enable();
}

unsigned long spin_lock_irqsave(struct spinlock *l)
{
	unsigned long flags = irq_save();

	preempt_disable();
	lock_word(l);
	return flags;
}

void spin_unlock_irqrestore(struct spinlock *l, unsigned long flags)
{
	unlock_word(l);
	irq_restore(flags);
	/* After interrupts are on again, so that a wake-up done under the
	 * lock can take the cpu here. */
	preempt_enable();
}
