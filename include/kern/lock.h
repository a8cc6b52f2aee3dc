#ifndef KERN_LOCK_H
#define KERN_LOCK_H

/*
 * Locks.  Order of preference: none (RCU, a lock-free queue), mutex, spinlock;
 * a spinlock needs a comment that says why nothing else will do.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"
#include "list.h"

struct thread;

/*
 * Spinlock: preemption is off while it is held, no sleeping.  The _irq forms
 * are for data that event context touches as well.  kernel/sched/spinlock.c
 */
struct spinlock {
	_Atomic unsigned held; /* 1: by somebody */
};
#define SPINLOCK_INIT \
	{             \
		0     \
	}

void spin_lock(struct spinlock *);
void spin_unlock(struct spinlock *);
/* The same for who has preemption off all the while. */
static inline void spin_take(struct spinlock *);
static inline void spin_release(struct spinlock *);
unsigned long spin_lock_irqsave(struct spinlock *) MUST_CHECK;
void spin_unlock_irqrestore(struct spinlock *, unsigned long flags);

/*
 * Mutex: sleeps, not recursive; thread context, not with preemption off.
 * Lock-free to take and to queue for.  kernel/sched/mutex.c
 */
struct mutex_waiter;

struct mutex {
	_Atomic uintptr_t word;            /* mutex.c says what is in it */
	_Atomic(struct thread *) owner;    /* a hint for others */
	struct mutex_waiter *first, *last; /* the owner's */
};
#define MUTEX_INIT(m)               \
	{                           \
		0, NULL, NULL, NULL \
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
	_Atomic(struct thread *) writer; /* a hint */
	int readers;                     /* -1: a writer */
	bool handoff;    /* the first waiter has waited long enough */
	unsigned passed; /* how many did not wait while others did */
	struct list waiters;
};

void rwlock_init(struct rwlock *);
void rwlock_read(struct rwlock *);
bool rwlock_try_read(struct rwlock *);
void rwlock_write(struct rwlock *);
void rwlock_unlock(struct rwlock *); /* of either kind */

/* --- inline -------------------------------------------------------------- */

/* spin_take()'s slow path. */
KEEPS_REGISTERS void spin_contended(struct spinlock *);

static inline void spin_take(struct spinlock *l)
{
	if (unlikely(
		atomic_exchange_explicit(&l->held, 1, memory_order_acquire)))
		CALL_KEEPING1(spin_contended, l);
}

static inline void spin_release(struct spinlock *l)
{
	atomic_store_explicit(&l->held, 0, memory_order_release);
}

#endif /* KERN_LOCK_H */
