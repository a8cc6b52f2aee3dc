#ifndef FAKE_SCHED_H
#define FAKE_SCHED_H

/*
 * kern/lock.h, kern/sched.h and kern/clock.h for single-threaded host tests.
 * Locks check their use and abort(); time stands still until told to move.
 */

#include <stdbool.h>
#include <stdint.h>

struct thread;

/* Monotonic time. */
uint64_t fake_clock_now(void);
/* Move time forward; timers that fall due run in the order of deadlines. */
void fake_clock_advance(uint64_t ns);

/*
 * Called when the code under test would sleep, with its lock released; it
 * must make the condition true (or advance the clock).  Without one, or when
 * it wakes nobody, a sleep with a deadline times out at once and one without
 * aborts.
 */
extern void (*fake_sleep_hook)(void *arg);
extern void *fake_sleep_arg;

/* Threads started by the code under test do nothing until this. */
void fake_thread_run(struct thread *t);
/* The one started last; NULL when there was none. */
struct thread *fake_thread_last(void);

/* Run what work_queue() and rcu_call() put off; true when there was any. */
bool fake_work_run(void);
bool fake_rcu_run(void);

/* Locks held now and timers pending: 0 at the end of a test. */
unsigned fake_locks_held(void);
unsigned fake_timers_pending(void);

#endif /* FAKE_SCHED_H */
