/* eventfd, timerfd and signalfd: arguments; kernel/fs does the work. */

#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/evfile.h"
#include "kern/file.h"
#include "kern/num.h"
#include "kern/sched.h"
#include "syscalls.h"

#include <asm/signal.h>
#include <linux/signalfd.h>
#include <linux/time.h>
#include <linux/time_types.h>
#include <linux/timerfd.h>

#define EFD_SEMAPHORE 1 /* not in the UAPI headers */

/* A new file's descriptor; (f) NULL: out of memory. */
static long evfile_install(struct file *f, int flags)
{
	int fd;

	if (!f)
		return -ENOMEM;
	fd = fd_install(f, flags & O_CLOEXEC, 0);
	if (fd < 0)
		file_put(f);
	return fd;
}

long sys_eventfd2(unsigned count, int flags)
{
	/* EFD_CLOEXEC is O_CLOEXEC, and so on, here and below. */
	if (flags & ~(EFD_SEMAPHORE | O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	return evfile_install(eventfd_create(count, flags & EFD_SEMAPHORE,
				  (uint32_t)flags & O_NONBLOCK),
	    flags);
}

long sys_eventfd(unsigned count)
{
	return sys_eventfd2(count, 0);
}

/* --- timerfd ----------------------------------------------------------- */

long sys_timerfd_create(int clock, int flags)
{
	bool realtime =
	    clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	if (!realtime && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME &&
	    clock != CLOCK_BOOTTIME_ALARM)
		return -EINVAL;
	return evfile_install(
	    timerfd_create(realtime, (uint32_t)flags & O_NONBLOCK), flags);
}

/* Saturates at what the timers can express: 292 years. */
static int timespec_to_ns(const struct __kernel_timespec *ts, uint64_t *ns)
{
	uint64_t max = INT64_MAX;

	if (ts->tv_sec < 0 || ts->tv_nsec < 0 ||
	    ts->tv_nsec >= (int64_t)NSEC_PER_SEC)
		return -EINVAL;
	*ns = (uint64_t)ts->tv_nsec;
	if ((uint64_t)ts->tv_sec >= max / NSEC_PER_SEC)
		*ns = max;
	else
		*ns += (uint64_t)ts->tv_sec * NSEC_PER_SEC;
	return 0;
}

static int timerfd_spec_in(const void *user, struct timerfd_spec *spec)
{
	struct __kernel_itimerspec it;

	if (copy_from_user(&it, user, sizeof(it)))
		return -EFAULT;
	if (timespec_to_ns(&it.it_value, &spec->value) ||
	    timespec_to_ns(&it.it_interval, &spec->interval))
		return -EINVAL;
	return 0;
}

static int timerfd_spec_out(void *user, const struct timerfd_spec *spec)
{
	struct __kernel_itimerspec it = {
		.it_value.tv_sec = (int64_t)(spec->value / NSEC_PER_SEC),
		.it_value.tv_nsec = (int64_t)(spec->value % NSEC_PER_SEC),
		.it_interval.tv_sec = (int64_t)(spec->interval / NSEC_PER_SEC),
		.it_interval.tv_nsec = (int64_t)(spec->interval % NSEC_PER_SEC),
	};

	return copy_to_user(user, &it, sizeof(it));
}

long sys_timerfd_settime(int fd, int flags, const void *new, void *old)
{
	struct timerfd_spec to, was;
	struct file *f;
	long r = timerfd_spec_in(new, &to);

	if (r)
		return r;
	if (flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET))
		return -EINVAL;
	f = fd_get(fd);
	if (!f)
		return -EBADF;
	r = timerfd_settime(f, flags & TFD_TIMER_ABSTIME, &to, &was);
	file_put(f);
	if (r == 0 && old)
		r = timerfd_spec_out(old, &was);
	return r;
}

long sys_timerfd_gettime(int fd, void *out)
{
	struct timerfd_spec now;
	struct file *f = fd_get(fd);
	long r;

	if (!f)
		return -EBADF;
	r = timerfd_gettime(f, &now);
	file_put(f);
	return r ? r : timerfd_spec_out(out, &now);
}

/* --- signalfd ---------------------------------------------------------- */

long sys_signalfd4(int fd, const void *user_mask, size_t size, int flags)
{
	struct file *f;
	uint64_t mask;
	long r;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK) || size != sizeof(mask))
		return -EINVAL;
	if (copy_from_user(&mask, user_mask, sizeof(mask)))
		return -EFAULT;
	mask &= ~(1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1));
	if (fd == -1)
		return evfile_install(
		    signalfd_create(mask, (uint32_t)flags & O_NONBLOCK), flags);
	f = fd_get(fd);
	if (!f)
		return -EBADF;
	r = signalfd_set_mask(f, mask);
	file_put(f);
	return r ? r : fd;
}

long sys_signalfd(int fd, const void *user_mask, size_t size)
{
	return sys_signalfd4(fd, user_mask, size, 0);
}
