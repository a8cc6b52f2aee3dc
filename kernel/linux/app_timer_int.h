#ifndef LINUX_APP_TIMER_INT_H
#define LINUX_APP_TIMER_INT_H

/*
 * Timers of the program's that end in a signal: those of setitimer(2) and of
 * timer_create(2).  app_timer.c, sys_itimer.c, sys_timer.c.
 *
 * An interval timer is not started again before its signal has been taken, so
 * that a short interval cannot fill the queue; what it missed is counted.
 */

#include <stdbool.h>
#include <stdint.h>

#include "kern/list.h"
#include "kern/sched.h"
#include "signal_int.h"

struct proc;

enum app_clock { APP_CLOCK_MONO, APP_CLOCK_PROC_CPU, APP_CLOCK_THREAD_CPU };

struct app_timer {
	struct proc *proc;
	enum app_clock clock;
	uint32_t cpu_tid;    /* whose time, for APP_CLOCK_THREAD_CPU */
	uint32_t notify_tid; /* 0: the process */
	bool silent;         /* no signal */

	/* proc->lock protects the rest. */
	struct timer timer;
	struct sigentry entry;
	uint64_t when;     /* of its clock; 0: not armed */
	uint64_t interval; /* 0: once */
	int overrun;
	bool dead;

	int id; /* sys_timer.c */
	int clock_id;
	struct list link;
};

void app_timer_init(struct app_timer *, struct proc *, enum app_clock);
/* Thread context.  (when) 0 stops it. */
void app_timer_set(struct app_timer *, uint64_t when, uint64_t interval);
/* What is left, 0 when it is not armed, and the interval. */
void app_timer_get(struct app_timer *, uint64_t *left, uint64_t *interval);
/* Thread context; it neither fires nor is pending afterwards, for ever. */
void app_timer_destroy(struct app_timer *);
uint64_t app_timer_now(const struct app_timer *);

/* Delete the timers of timer_create(2): a new program begins. */
void posix_timers_clear(struct proc *);

#endif /* LINUX_APP_TIMER_INT_H */
