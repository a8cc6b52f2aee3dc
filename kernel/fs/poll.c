/*
 * Readiness: see kern/poll.h.  A head's lock is a spinlock because interrupt
 * handlers and timers notify.
 */

#include "kern/poll.h"

#include "kern/sched.h"

void poll_head_init(struct poll_head *h)
{
	h->lock = (struct spinlock)SPINLOCK_INIT;
	list_init(&h->entries);
}

void poll_entry_init(
    struct poll_entry *pe, bool (*wake)(struct poll_entry *, uint32_t events))
{
	list_init(&pe->link);
	pe->head = NULL;
	pe->exclusive = false;
	pe->wake = wake;
	pe->more = NULL;
}

void poll_notify(struct poll_head *h, uint32_t events)
{
	unsigned long flags = spin_lock_irqsave(&h->lock);
	struct poll_entry *pe;

	list_foreach (pe, &h->entries, link) {
		if (pe->wake(pe, events) && pe->exclusive)
			break;
	}
	spin_unlock_irqrestore(&h->lock, flags);
}

void poll_wait(struct poll_head *h, struct poll_entry *pe)
{
	unsigned long flags;

	if (pe && pe->head)
		pe = pe->more ? pe->more(pe) : NULL;
	if (!pe)
		return;
	flags = spin_lock_irqsave(&h->lock);
	__atomic_store_n(&pe->head, h, __ATOMIC_RELAXED);
	/* All others are woken before the first exclusive one. */
	if (pe->exclusive)
		list_add_tail(&h->entries, &pe->link);
	else
		list_add(&h->entries, &pe->link);
	spin_unlock_irqrestore(&h->lock, flags);
}

/*
 * The head may be destroyed while this runs: poll_head_destroy() sets
 * pe->head to NULL and then waits for readers, so that a head seen here is
 * there until the lock is given back.
 */
void poll_entry_remove(struct poll_entry *pe)
{
	struct poll_head *h;
	unsigned long flags;

	rcu_read_lock();
	h = __atomic_load_n(&pe->head, __ATOMIC_ACQUIRE);
	if (h) {
		flags = spin_lock_irqsave(&h->lock);
		if (pe->head) {
			list_del(&pe->link);
			__atomic_store_n(&pe->head, NULL, __ATOMIC_RELAXED);
		}
		spin_unlock_irqrestore(&h->lock, flags);
	}
	rcu_read_unlock();
}

void poll_head_destroy(struct poll_head *h)
{
	unsigned long flags = spin_lock_irqsave(&h->lock);
	bool any = false;

	while (!list_empty(&h->entries)) {
		struct poll_entry *pe =
		    list_first(&h->entries, struct poll_entry, link);

		list_del(&pe->link);
		pe->wake(pe, EPOLLHUP | EPOLLERR);
		/* Its owner may free it from here on. */
		__atomic_store_n(&pe->head, NULL, __ATOMIC_RELEASE);
		any = true;
	}
	spin_unlock_irqrestore(&h->lock, flags);
	if (any)
		rcu_synchronize();
}
