#include <linux/time.h>

#include "kern/arch.h"
#include "kern/clock.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/sched.h"
#include "kern/signal.h"
#include "syscalls.h"
#include "task_int.h"
#include "time_int.h"

long sys_clock_gettime(int clock, struct __kernel_timespec *user)
{
	uint64_t ns;
	int r = time_read_clock(clock, &ns);

	return r != 0 ? r : time_put(user, ns);
}

long sys_clock_getres(int clock, struct __kernel_timespec *user)
{
	uint64_t ns;
	int r = time_read_clock(clock, &ns);

	if (r != 0 || !user)
		return r;
	return time_put(user, time_clock_resolution(clock));
}

long sys_clock_settime(int clock, const struct __kernel_timespec *user)
{
	uint64_t ns;
	int r;

	if (clock != CLOCK_REALTIME)
		return -EINVAL;
	r = time_get(user, &ns);
	if (r == 0)
		clock_wall_set(ns);
	return r;
}

long sys_gettimeofday(
    struct __kernel_old_timeval *user_tv, struct timezone *user_tz)
{
	uint64_t ns = clock_wall();
	struct __kernel_old_timeval tv = {
		.tv_sec = (long)(ns / NSEC_PER_SEC),
		.tv_usec = (long)(ns % NSEC_PER_SEC / NSEC_PER_USEC),
	};
	struct timezone tz = { 0, 0 };

	if (user_tv && copy_to_user(user_tv, &tv, sizeof(tv)) != 0)
		return -EFAULT;
	if (user_tz && copy_to_user(user_tz, &tz, sizeof(tz)) != 0)
		return -EFAULT;
	return 0;
}

long sys_settimeofday(
    const struct __kernel_old_timeval *user_tv, const struct timezone *user_tz)
{
	struct __kernel_old_timeval tv;

	(void)user_tz; /* the kernel has no time zone */
	if (!user_tv)
		return 0;
	if (copy_from_user(&tv, user_tv, sizeof(tv)) != 0)
		return -EFAULT;
	if (tv.tv_sec < 0 || tv.tv_usec < 0 || tv.tv_usec >= 1000000)
		return -EINVAL;
	clock_wall_set((uint64_t)tv.tv_sec * NSEC_PER_SEC +
		       (uint64_t)tv.tv_usec * NSEC_PER_USEC);
	return 0;
}

long sys_time(long *user)
{
	long now = (long)(clock_wall() / NSEC_PER_SEC);

	if (user && copy_to_user(user, &now, sizeof(now)) != 0)
		return -EFAULT;
	return now;
}

/* --- sleeping ------------------------------------------------------------- */

/* Sleep to (deadline); what is left goes to (user_left), which may be NULL. */
static long sleep_to(uint64_t deadline, struct __kernel_timespec *user_left)
{
	uint64_t now;

	if (thread_sleep_until(deadline, WAIT_INTR) == 0)
		return 0;
	now = clock_mono();
	if (now >= deadline)
		return 0;
	if (user_left && time_put(user_left, deadline - now) != 0)
		return -EFAULT;
	return -ERESTART_RESTARTBLOCK;
}

static long sleep_again(struct restart *rs)
{
	return sleep_to(rs->deadline, (void *)rs->arg[0]);
}

static long sleep_relative(uint64_t ns, struct __kernel_timespec *user_left)
{
	struct restart *rs = &task_self()->restart;
	uint64_t deadline = time_after(clock_mono(), ns);
	long r = sleep_to(deadline, user_left);

	if (r == -ERESTART_RESTARTBLOCK) {
		rs->fn = sleep_again;
		rs->deadline = deadline;
		rs->arg[0] = (uint64_t)user_left;
	}
	return r;
}

long sys_restart_syscall(void)
{
	struct restart *rs = &task_self()->restart;

	return rs->fn ? rs->fn(rs) : -EINTR;
}

long sys_nanosleep(
    const struct __kernel_timespec *user, struct __kernel_timespec *user_left)
{
	uint64_t ns;
	int r = time_get(user, &ns);

	return r != 0 ? r : sleep_relative(ns, user_left);
}

/* Until the clock says (when); it may be set while we sleep, or be one that
 * stands still, so it is asked again. */
static long sleep_absolute(int clock, uint64_t when)
{
	uint64_t now, deadline;
	int r;

	for (;;) {
		r = time_read_clock(clock, &now);
		if (r != 0 || now >= when)
			return r;
		deadline = time_after(clock_mono(), when - now);
		if (thread_sleep_until(deadline, WAIT_INTR) != 0)
			return -ERESTARTNOHAND;
	}
}

long sys_clock_nanosleep(int clock, int flags,
    const struct __kernel_timespec *user, struct __kernel_timespec *user_left)
{
	uint64_t ns, now;
	int r;

	if (clock == CLOCK_THREAD_CPUTIME_ID)
		return -EINVAL;
	if (clock == CLOCK_MONOTONIC_RAW || clock == CLOCK_REALTIME_COARSE ||
	    clock == CLOCK_MONOTONIC_COARSE)
		return -EOPNOTSUPP;
	r = time_read_clock(clock, &now);
	if (r != 0)
		return r;
	r = time_get(user, &ns);
	if (r != 0)
		return r;
	if (flags & TIMER_ABSTIME)
		return sleep_absolute(clock, ns);
	if (time_is_cpu_clock(clock))
		return sleep_absolute(clock, time_after(now, ns));
	return sleep_relative(ns, user_left);
}
