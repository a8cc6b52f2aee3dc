#ifndef KERN_SCHED_H
#define KERN_SCHED_H

/*
 * Threads, sleeping, timers.  kernel/sched/
 *
 * Contexts: "thread context" may sleep; "event context" is an interrupt
 * handler or a timer callback: interrupts off, must not sleep.
 * Times are monotonic nanoseconds (clock_mono()); TIME_NEVER: no deadline.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch.h"
#include "list.h"
#include "lock.h"
#include "mpsc.h"
#include "percpu.h"
#include "rbtree.h"

#define NSEC_PER_USEC 1000ull
#define NSEC_PER_MSEC 1000000ull
#define NSEC_PER_SEC  1000000000ull
#define TIME_NEVER    UINT64_MAX

/* now + ns, at most TIME_NEVER. */
static inline uint64_t time_after(uint64_t now, uint64_t ns)
{
	return ns >= TIME_NEVER - now ? TIME_NEVER : now + ns;
}

struct task;     /* kernel/linux: the program's view of a thread */
struct vm_space; /* vm.h */
struct fdtable;  /* file.h */

/* Threads that wait for something; protected by a lock of its owner's. */
struct waitq {
	struct list waiters;
};

struct rcu_head {
	struct mpsc_node node;
	void (*fn)(struct rcu_head *);
};

enum thread_state {
	THREAD_RUNNING,
	THREAD_READY,
	THREAD_SLEEPING,
	THREAD_DEAD
};

#define THREAD_CPUS_WORDS (CPU_MAX / 64)

struct thread {
	struct arch_thread arch; /* first: assembly knows */

	/* What must be looked at before going back to the program: non-zero
	 * makes the exit path call app_ops->work().  Any context may set bits;
	 * app.h names them. */
	_Atomic uint32_t app_work;

	_Atomic uint32_t state; /* enum thread_state; kernel/sched's */
	char name[16];
	uint32_t id;  /* unique, from 1; what gettid() says */
	uint32_t cpu; /* whose run queue */
	uint64_t affinity[THREAD_CPUS_WORDS];
	int nice;                /* -20..19 */
	int policy, rt_priority; /* SCHED_OTHER, SCHED_FIFO, SCHED_RR: it runs
				    with these; see thread_set_policy() */
	int base_policy, base_priority; /* what was asked for */

	struct vm_space *vm;   /* NULL: kernel thread */
	struct fdtable *files; /* NULL: kernel thread */
	struct task *task;     /* NULL: kernel thread */

	/* kernel/sched's own */
	_Atomic uint64_t cpu_time; /* one word: time_starts() */
	uint64_t charged_at;       /* mono ns, when vruntime was brought up to
				      date or the thread went to sleep */
	uint64_t vruntime;
	uint64_t slept_at;      /* cpu_time at the last sleep */
	uint64_t burst;         /* average between sleeps, ns */
	uint64_t nvcsw, nivcsw; /* voluntary, involuntary switches */
	struct list run_link, wait_link, all_link;
	struct mpsc_node incoming; /* to the queue of another cpu */
	struct thread *id_next;    /* of those whose id has the same hash */
	_Atomic bool on_cpu;
	_Atomic bool interrupted; /* thread_interrupt() since the last sleep */
	_Atomic bool intr_sleep;  /* asleep with WAIT_INTR */
	int wait_status;
	_Atomic uint32_t refs;
	int lent; /* a priority, or 0: prio.c's */
	void *kstack;
	_Atomic bool exited;
	bool no_reclaim, frees_memory; /* kernel/mm's: see shrink.h */
	bool rt_queued;                /* which queue of its cpu it is on */
	bool yielding;
	void (*fn)(void *);
	void *arg;
	struct rb_node run_node;
	/* A spinlock: a thread that ends has no more sleeps. */
	struct spinlock exit_lock; /* protects (exited) and (join) */
	struct waitq join;
	struct rcu_head rcu;
};

/*
 * Make a thread that runs fn(arg) in the kernel; it starts when
 * thread_start() is called.  It inherits affinity, nice and policy.  (cpu):
 * -1 for any, else pinned.  -ENOMEM.  The caller has one reference.
 */
int thread_create(
    struct thread **, const char *name, void (*fn)(void *), void *arg, int cpu);
void thread_start(struct thread *);
void thread_get(struct thread *);
void thread_put(struct thread *);

/* Never returns; the last reference frees the stack after the switch. */
_Noreturn void thread_exit(void);

/* Wait until (t) has exited. */
void thread_join(struct thread *);

/* CPU time of (t) in ns, up to now. */
uint64_t thread_cpu_time(const struct thread *);

/* 0, or -EINVAL when no online cpu is in the set. */
int thread_set_affinity(struct thread *, const uint64_t *mask);

/*
 * What the program asks for: SCHED_OTHER, SCHED_BATCH or SCHED_IDLE with
 * priority 0, SCHED_FIFO or SCHED_RR with 1..99.  While a real-time thread
 * waits for something that (t) holds, it lends (t) its priority; 0: not any
 * more.  Takes effect at once on any cpu, running, queued or asleep.  Any
 * context, with a reference.  kernel/sched/prio.c
 */
void thread_set_policy(struct thread *t, int policy, int rt_priority);
void thread_lend_priority(struct thread *t, int rt_priority);

/* Time each cpu was idle, ns: /proc/stat, /proc/uptime. */
uint64_t cpu_idle_time(unsigned cpu);
/* Runnable threads now, and the load averages times 65536. */
unsigned sched_runnable(void);
void sched_loadavg(uint32_t avg[3]);
/* Call fn for every thread with RCU read held; stops when fn returns false. */
void thread_foreach(bool (*fn)(struct thread *, void *), void *arg);
/* With a reference; NULL when there is none. */
struct thread *thread_find(uint32_t id);
/* The current thread goes on under the id of one that has left. */
void thread_take_id(uint32_t id);

/* Boot.  kernel/main.c calls these in order. */
void sched_init(void);                /* the boot cpu; makes thread 0 */
void sched_cpu_init(struct cpu *);    /* another cpu, before it runs */
_Noreturn void sched_cpu_start(void); /* the rest of any cpu's life */

/* --- giving up the cpu ------------------------------------------------- */

void sched_yield_cpu(void);
/* Interrupts off or on; called by the irq exit path when need_resched. */
void sched_preempt(void);
void timer_interrupt(void); /* from the arch or platform, event context */

static inline void preempt_disable(void)
{
#ifdef __KERNEL__
	__asm__ volatile(
	    "incl %%gs:%c0" ::"i"(offsetof(struct cpu, preempt_off))
	    : "memory");
#endif
}

/* A hint: nobody else wants this cpu. */
bool sched_nobody_waits(void);

/* May the current thread wait for another cpu by looking, for a while, rather
 * than sleep?  A hint. */
static inline bool sched_may_spin(void)
{
	return cpu_count() > 1 && sched_nobody_waits();
}

/* Do what was put off while preemption was: preempt_enable()'s slow path. */
KEEPS_REGISTERS void preempt_resched(void);

static inline void preempt_enable(void)
{
#ifdef __KERNEL__
	bool zero;

	__asm__ volatile("decl %%gs:%c1"
			 : "=@ccz"(zero)
			 : "i"(offsetof(struct cpu, preempt_off))
			 : "memory");
	if (zero && cpu_put_off())
		CALL_KEEPING(preempt_resched);
#else
	preempt_resched();
#endif
}

/* The same for who calls schedule() or preempt_resched() next. */
static inline void preempt_enable_no_resched(void)
{
#ifdef __KERNEL__
	__asm__ volatile(
	    "decl %%gs:%c0" ::"i"(offsetof(struct cpu, preempt_off))
	    : "memory");
#endif
}

/* --- sleeping ---------------------------------------------------------- */

#define WAITQ_INIT(q)                  \
	{                              \
		LIST_INIT((q).waiters) \
	}

#define WAIT_INTR 1u /* a signal ends the sleep: -EINTR */

static inline void waitq_init(struct waitq *q)
{
	list_init(&q->waiters);
}

/*
 * Sleep on (q).  (lock) is held with interrupts saved in (*flags) (from
 * spin_lock_irqsave()), is released once the thread is queued, and is held
 * again on return.  Returns 0, -ETIMEDOUT at (deadline), or -EINTR.  The
 * caller tests its condition again.
 */
int waitq_wait(struct waitq *q, struct spinlock *lock, unsigned long *flags,
    uint64_t deadline, unsigned how);
/* The same with a mutex: for conditions that thread context protects.
 * The wake-up must then be done with the mutex held. */
int waitq_wait_mutex(
    struct waitq *q, struct mutex *m, uint64_t deadline, unsigned how);

/* The owner's lock is held.  Any context.  Return how many were woken. */
unsigned waitq_wake(struct waitq *q, unsigned n);
static inline unsigned waitq_wake_all(struct waitq *q)
{
	return waitq_wake(q, ~0u);
}

/*
 * Make (t) leave an interruptible sleep with -EINTR, or not enter its next
 * one; if it runs the program on another cpu, make it come into the kernel.
 * The mark is cleared by thread_clear_interrupt().  Any context.
 */
void thread_interrupt(struct thread *t);
void thread_clear_interrupt(void); /* the current thread's */

/*
 * For who keeps a queue of his own.  Interrupts are off from begin to end; in
 * between the caller queues itself and releases its lock.  sleep_end() returns
 * what the waker said, -ETIMEDOUT, or -EINTR; a 0 may be a stray wake-up.
 */
void sleep_begin(unsigned how);
int sleep_end(uint64_t deadline, unsigned how);
/* All of it for a spinlock's owner who has queued himself: the lock, taken with
 * spin_lock() with interrupts on, is let go. */
int sleep_unlock(struct spinlock *lock, uint64_t deadline, unsigned how);
/* False: (t) does not sleep.  The caller has a reference, or has kept
 * preemption off since it knew that (t) could not exit.  Any context. */
bool thread_wake(struct thread *t, int status);

/* 0 at the deadline, or -EINTR. */
int thread_sleep_until(uint64_t deadline, unsigned how);

/* --- timers ------------------------------------------------------------ */

/* A one-shot timer of the cpu that set it; fn runs in event context there. */
struct timer {
	uint64_t deadline;
	void (*fn)(struct timer *);
	struct cpu *cpu; /* NULL: not pending */
	/* kernel/sched/timer.c's: the cpu that last had it, the queue */
	_Atomic(struct cpu *) home;
	struct rb_node node;
};

void timer_init(struct timer *, void (*fn)(struct timer *));
void timer_set(struct timer *, uint64_t deadline); /* moves a pending one */
/* After it returns fn neither runs nor will; not from fn itself, nor with a
 * lock held that fn takes.  True: it was pending. */
bool timer_cancel(struct timer *);

/* --- deferred work ----------------------------------------------------- */

/* Run fn(arg) soon in thread context, once per queueing.  Any context.
 * The owner keeps (w) until fn has begun.  kernel/sched/work.c */
struct work {
	struct list link;
	void (*fn)(struct work *);
	_Atomic bool queued;
};
void work_init(struct work *, void (*fn)(struct work *));
void work_queue(struct work *);
void work_flush(void); /* what was queued before has ended; thread context */

/*
 * Run fn(arg) on one cpu with interrupts off while every other cpu stands still
 * with interrupts off.  0 or -ENOMEM.  Thread context.  kernel/sched/stop.c
 */
int cpus_stop(void (*fn)(void *), void *arg);

/* --- RCU --------------------------------------------------------------- */

/* Readers keep preemption off: they must not sleep.  kernel/sched/rcu.c */
#define rcu_read_lock()   preempt_disable()
#define rcu_read_unlock() preempt_enable()
#define rcu_load(p)       __atomic_load_n(&(p), __ATOMIC_CONSUME)
#define rcu_store(p, v)   __atomic_store_n(&(p), (v), __ATOMIC_RELEASE)

/* fn runs in thread context when every reader of now has left. */
void rcu_call(struct rcu_head *, void (*fn)(struct rcu_head *));
void rcu_synchronize(void); /* thread context */

#endif /* KERN_SCHED_H */
