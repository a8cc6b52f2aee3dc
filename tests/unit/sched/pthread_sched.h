#ifndef PTHREAD_SCHED_H
#define PTHREAD_SCHED_H

/*
 * kernel/sched's own interface (sched_int.h) over POSIX threads, so that its
 * locks and wait queues run as they are, with real races, under a sanitizer.
 */

#include <stddef.h>

/* Run fn(arg) in (n) threads at once, arg being 0 to n - 1; returns when all
 * have ended. */
void run_threads(unsigned n, void (*fn)(size_t));

#endif /* PTHREAD_SCHED_H */
