#ifndef KERN_LOCK_H
#define KERN_LOCK_H

/*
 * Locks.  Order of preference: none (RCU, a lock-free queue), mutex, spinlock;
 * a spinlock needs a comment that says why nothing else will do.
 */

#include <stdatomic.h>
#include <stdbool.h>

#include "list.h"

struct thread;

/*
 * Spinlock: preemption is off while it is held, no sleeping.  The _irq forms
 * are for data that event context touches as well.  kernel/sched/spinlock.c
 */
struct spinlock {
	_Atomic unsigned next, owner; /* kernel/sched's: 1 while it is held */
};
#define SPINLOCK_INIT \
	{             \
		0, 0  \
	}

void spin_lock(struct spinlock *);
void spin_unlock(struct spinlock *);
unsigned long spin_lock_irqsave(struct spinlock *) MUST_CHECK;
void spin_unlock_irqrestore(struct spinlock *, unsigned long flags);

/*
 * Mutex: sleeps, not recursive; thread context, not with preemption off.
 * Taken uncontended with one compare-and-swap.  kernel/sched/mutex.c
 */
struct mutex {
	_Atomic(struct thread *) owner; /* bit 0: somebody waits */
	struct spinlock lock;           /* protects waiters */
	struct list waiters;
};
#define MUTEX_INIT(m)                                       \
	{                                                   \
		NULL, SPINLOCK_INIT, LIST_INIT((m).waiters) \
	}

void mutex_init(struct mutex *);
void mutex_lock(struct mutex *);
bool mutex_trylock(struct mutex *);
void mutex_unlock(struct mutex *);
bool mutex_held(const struct mutex *); /* by the caller */

/*
 * Readers and writer, sleeping; writers are not starved.
 * kernel/sched/rwlock.c
 */
struct rwlock {
	struct spinlock lock;
	int readers;     /* -1: a writer */
	bool handoff;    /* the first waiter has waited long enough */
	unsigned passed; /* how many did not wait while others did */
	struct list waiters;
};

void rwlock_init(struct rwlock *);
void rwlock_read(struct rwlock *);
bool rwlock_try_read(struct rwlock *);
void rwlock_write(struct rwlock *);
void rwlock_unlock(struct rwlock *); /* of either kind */

#endif /* KERN_LOCK_H */
