#include "time_int.h"

#include <linux/time.h>

#include "kern/arch.h"
#include "kern/clock.h"
#include "kern/errno.h"
#include "kern/sched.h"
#include "task_int.h"

/* Seconds past which no deadline is kept: about 292 years. */
#define SEC_MAX (INT64_MAX / (int64_t)NSEC_PER_SEC)

int time_check(const struct __kernel_timespec *ts, uint64_t *ns)
{
	if (ts->tv_sec < 0 || ts->tv_nsec < 0 ||
	    ts->tv_nsec >= (long long)NSEC_PER_SEC)
		return -EINVAL;
	if (ts->tv_sec >= SEC_MAX)
		*ns = TIME_NEVER;
	else
		*ns =
		    (uint64_t)ts->tv_sec * NSEC_PER_SEC + (uint64_t)ts->tv_nsec;
	return 0;
}

int time_get(const struct __kernel_timespec *user, uint64_t *ns)
{
	struct __kernel_timespec ts;

	if (copy_from_user(&ts, user, sizeof(ts)) != 0)
		return -EFAULT;
	return time_check(&ts, ns);
}

int time_put(struct __kernel_timespec *user, uint64_t ns)
{
	struct __kernel_timespec ts = {
		.tv_sec = (long long)(ns / NSEC_PER_SEC),
		.tv_nsec = (long long)(ns % NSEC_PER_SEC),
	};

	return copy_to_user(user, &ts, sizeof(ts));
}

int time_deadline(const struct __kernel_timespec *user, uint64_t *deadline)
{
	uint64_t ns;
	int r = time_get(user, &ns);

	if (r == 0)
		*deadline = time_after(clock_mono(), ns);
	return r;
}

uint64_t time_wall_to_mono(uint64_t wall)
{
	uint64_t now = clock_wall();

	if (wall == TIME_NEVER)
		return TIME_NEVER;
	return wall <= now ? 0 : time_after(clock_mono(), wall - now);
}

/*
 * CPU clocks of others: Linux makes the number from the complement of the
 * process or thread id and three low bits.
 */
#define CPUCLOCK_PERTHREAD 4
#define CPUCLOCK_KIND      3

bool time_is_cpu_clock(int clock)
{
	return clock == CLOCK_PROCESS_CPUTIME_ID ||
	       clock == CLOCK_THREAD_CPUTIME_ID || clock < 0;
}

int time_cpu_clock_owner(int clock, enum app_clock *kind, uint32_t *tid)
{
	uint32_t id = ~(uint32_t)(clock >> 3);
	struct proc *p = proc_self();
	unsigned long flags;
	bool there;

	if (clock >= 0 || (clock & CPUCLOCK_KIND) == CPUCLOCK_KIND)
		return -EINVAL;
	*tid = 0;
	*kind = APP_CLOCK_PROC_CPU;
	if (!(clock & CPUCLOCK_PERTHREAD))
		return id == 0 || id == p->pid ? 0 : -EINVAL;
	*kind = APP_CLOCK_THREAD_CPU;
	*tid = id ? id : thread_self()->id;
	flags = spin_lock_irqsave(&p->lock);
	there = proc_task(p, *tid) != NULL;
	spin_unlock_irqrestore(&p->lock, flags);
	return there ? 0 : -EINVAL;
}

static int read_cpu_clock(int clock, uint64_t *ns)
{
	struct proc *p = proc_self();
	enum app_clock kind;
	unsigned long flags;
	struct task *t;
	uint32_t tid;
	int r = time_cpu_clock_owner(clock, &kind, &tid);

	if (r != 0)
		return r;
	if (kind == APP_CLOCK_PROC_CPU) {
		*ns = proc_cpu_time(p);
		return 0;
	}
	flags = spin_lock_irqsave(&p->lock);
	t = proc_task(p, tid);
	*ns = t ? thread_cpu_time(t->thread) : 0;
	spin_unlock_irqrestore(&p->lock, flags);
	return 0;
}

int time_read_clock(int clock, uint64_t *ns)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_TAI:
		*ns = clock_wall();
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		*ns = clock_mono();
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
		*ns = proc_cpu_time(proc_self());
		return 0;
	case CLOCK_THREAD_CPUTIME_ID:
		*ns = thread_cpu_time(thread_self());
		return 0;
	default:
		return clock < 0 ? read_cpu_clock(clock, ns) : -EINVAL;
	}
}

uint64_t time_clock_resolution(int clock)
{
	/* Linux's coarse clocks tick with the timer: 4 ms at 250 Hz. */
	if (clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE)
		return 4 * NSEC_PER_MSEC;
	return 1;
}
