/*
 * Readiness: see kern/poll.h.  A head's lock is a spinlock because interrupt
 * handlers and timers notify.
 */

#include "kern/poll.h"

#include "kern/sched.h"

void poll_head_init(struct poll_head *h)
{
	h->lock = (struct spinlock)SPINLOCK_INIT;
	h->wanted = 0;
	list_init(&h->entries);
}

void poll_entry_init(
    struct poll_entry *pe, bool (*wake)(struct poll_entry *, uint32_t events))
{
	list_init(&pe->link);
	pe->head = NULL;
	pe->events = ~0u;
	pe->exclusive = false;
	pe->wake = wake;
	pe->more = NULL;
}

static void poll_head_want(struct poll_head *h, uint32_t events)
{
	atomic_store_explicit(&h->wanted, events, memory_order_relaxed);
}

void poll_notify_all(struct poll_head *h, uint32_t events)
{
	unsigned long flags = spin_lock_irqsave(&h->lock);
	struct poll_entry *pe;

	list_foreach (pe, &h->entries, link) {
		if (pe->wake(pe, events) && pe->exclusive)
			break;
	}
	spin_unlock_irqrestore(&h->lock, flags);
}

void poll_register(struct poll_head *h, struct poll_entry *pe)
{
	unsigned long flags;

	if (pe->head)
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
	poll_head_want(h, h->wanted | pe->events);
	spin_unlock_irqrestore(&h->lock, flags);
	/* Before the state is looked at: see poll_notify(). */
	atomic_thread_fence(memory_order_seq_cst);
}

/*
 * The head of (pe), locked; NULL: it is on none.  The head may be destroyed
 * while this runs: poll_head_destroy() sets pe->head to NULL and then waits
 * for readers, so that a head seen here is there until the RCU read ends,
 * which is with poll_unlock_head().
 */
static struct poll_head *poll_lock_head(
    struct poll_entry *pe, unsigned long *flags)
{
	struct poll_head *h;

	rcu_read_lock();
	h = __atomic_load_n(&pe->head, __ATOMIC_ACQUIRE);
	if (h) {
		*flags = spin_lock_irqsave(&h->lock);
		if (pe->head)
			return h;
		spin_unlock_irqrestore(&h->lock, *flags);
	}
	rcu_read_unlock();
	return NULL;
}

static void poll_unlock_head(struct poll_head *h, unsigned long flags)
{
	spin_unlock_irqrestore(&h->lock, flags);
	rcu_read_unlock();
}

void poll_entry_remove(struct poll_entry *pe)
{
	unsigned long flags;
	struct poll_head *h = poll_lock_head(pe, &flags);

	if (!h)
		return;
	list_del(&pe->link);
	if (list_empty(&h->entries))
		poll_head_want(h, 0);
	__atomic_store_n(&pe->head, NULL, __ATOMIC_RELAXED);
	poll_unlock_head(h, flags);
}

/* What others want is not counted again, unless there are none. */
void poll_entry_want(struct poll_entry *pe, uint32_t events)
{
	unsigned long flags;
	struct poll_head *h = poll_lock_head(pe, &flags);
	bool alone;

	pe->events = events;
	if (!h)
		return;
	alone = h->entries.next == &pe->link && h->entries.prev == &pe->link;
	poll_head_want(h, alone ? events : h->wanted | events);
	poll_unlock_head(h, flags);
	atomic_thread_fence(memory_order_seq_cst);
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
	poll_head_want(h, 0);
	spin_unlock_irqrestore(&h->lock, flags);
	if (any)
		rcu_synchronize();
}
