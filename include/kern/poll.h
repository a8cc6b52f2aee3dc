#ifndef KERN_POLL_H
#define KERN_POLL_H

/*
 * Readiness: whoever waits for events of a file puts a poll_entry on the
 * file's poll_head; whoever makes the file ready notifies the head.
 * kernel/fs/poll.c.  poll, select and epoll are built on this alone.
 */

#include <linux/eventpoll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"
#include "list.h"
#include "lock.h"

struct poll_entry;

struct poll_head {
	struct spinlock lock; /* event context notifies */
	/* Of all entries, and maybe more: nobody else need be notified. */
	_Atomic uint32_t wanted;
	struct list entries;
};

struct poll_entry {
	struct list link;
	struct poll_head *head; /* NULL: on none */
	uint32_t events;        /* EPOLLIN...: it need hear of no others */
	/* Woken only until one exclusive entry has taken the event. */
	bool exclusive;
	/* Any context, head's lock held: must not sleep nor touch the head.
	 * (events) 0: unknown.  False: had no use for the event. */
	bool (*wake)(struct poll_entry *, uint32_t events);
	/* An entry that is asked to wait on a second head while it is on one
	 * calls this for another; NULL: it cannot.  poll.c */
	struct poll_entry *(*more)(struct poll_entry *);
};

#define POLL_HEAD_INIT(h)                                \
	{                                                \
		SPINLOCK_INIT, 0, LIST_INIT((h).entries) \
	}

void poll_head_init(struct poll_head *);
/* (pe) is on no head, and wants all; wake is set; NULL for more. */
void poll_entry_init(
    struct poll_entry *pe, bool (*wake)(struct poll_entry *, uint32_t events));
/*
 * EPOLLIN...; any context.  After what poll() will find has been stored: a
 * waiter registers and then looks, and one of the two sees the other, whether
 * or not a lock is common to both.
 */
void poll_notify_all(struct poll_head *, uint32_t events);
static inline void poll_notify(struct poll_head *h, uint32_t events)
{
	/* Pairs with poll_wait()'s. */
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&h->wanted, memory_order_relaxed) &
	    (events ? events : ~0u))
		poll_notify_all(h, events);
}
/* (pe) NULL: does nothing; so file_ops->poll() can call it always. */
void poll_register(struct poll_head *, struct poll_entry *pe);
static inline void poll_wait(struct poll_head *h, struct poll_entry *pe)
{
	if (pe)
		poll_register(h, pe);
}
/* (pe) wants these from now on; the caller then looks at the state. */
void poll_entry_want(struct poll_entry *, uint32_t events);
/* After it returns, wake() neither runs nor will. */
void poll_entry_remove(struct poll_entry *);
/* The object goes: wakes all with EPOLLHUP and takes them off.  Thread
 * context: waits for those who are just leaving by themselves. */
void poll_head_destroy(struct poll_head *);

#endif /* KERN_POLL_H */
