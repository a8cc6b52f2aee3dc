#include "kern/platform.h"

#include <stdatomic.h>

#include "kern/clock.h"
#include "kern/sched.h"
#include "signal_int.h"
#include "task_int.h"

/* How long a program that was asked to stop may take. */
#define SHUTDOWN_GRACE (10 * NSEC_PER_SEC)

static _Atomic int asked = -1; /* enum platform_halt */
static struct timer grace_timer;
static struct work start_work, force_work;

enum platform_halt shutdown_how(void)
{
	int how = atomic_load(&asked);

	return how < 0 ? PLATFORM_POWEROFF : (enum platform_halt)how;
}

static void force(struct work *w)
{
	(void)w;
	report("the program did not stop in %llu s: forced",
	    SHUTDOWN_GRACE / NSEC_PER_SEC);
	platform_halt(shutdown_how(), 128 + SIGTERM);
}

static void grace_over(struct timer *t)
{
	(void)t;
	work_queue(&force_work);
}

static void begin(struct work *w)
{
	(void)w;
	if (!proc_init)
		platform_halt(shutdown_how(), 0);
	timer_set(&grace_timer, clock_mono() + SHUTDOWN_GRACE);
	signal_raise_process(SIGTERM);
}

/* Any context: the rest is a worker's. */
static void request(enum platform_halt how)
{
	int none = -1;

	if (how == PLATFORM_CRASH)
		platform_halt(how, 0);
	if (atomic_compare_exchange_strong(&asked, &none, (int)how))
		work_queue(&start_work);
}

void shutdown_init(void)
{
	timer_init(&grace_timer, grace_over);
	work_init(&start_work, begin);
	work_init(&force_work, force);
	shutdown_request = request;
}
