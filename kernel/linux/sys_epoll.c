/* epoll: arguments; kernel/fs/epoll.c does the work. */

#include "kern/arch.h"
#include "kern/clock.h"
#include "kern/errno.h"
#include "kern/evfile.h"
#include "kern/file.h"
#include "kern/sched.h"
#include "sigmask.h"
#include "syscalls.h"

static long epoll_new(bool cloexec)
{
	struct file *f = epoll_create();
	int fd;

	if (!f)
		return -ENOMEM;
	fd = fd_install(f, cloexec, 0);
	if (fd < 0)
		file_put(f);
	return fd;
}

long sys_epoll_create(int size)
{
	return size <= 0 ? -EINVAL : epoll_new(false);
}

long sys_epoll_create1(int flags)
{
	if (flags & ~EPOLL_CLOEXEC)
		return -EINVAL;
	return epoll_new(flags & EPOLL_CLOEXEC);
}

long sys_epoll_ctl(int epfd, int op, int fd, void *user_ev)
{
	struct epoll_event ev = { .events = 0 };
	struct file *ep, *f;
	long r = -EBADF;

	if (op != EPOLL_CTL_DEL && copy_from_user(&ev, user_ev, sizeof(ev)))
		return -EFAULT;
	ep = fd_get(epfd);
	if (!ep)
		return -EBADF;
	f = fd_get(fd);
	if (f) {
		r = epoll_ctl(ep, op, fd, f, &ev);
		file_put(f);
	}
	file_put(ep);
	return r;
}

static uint64_t epoll_deadline(int ms)
{
	if (ms < 0)
		return TIME_NEVER;
	return ms == 0 ? 0 : clock_mono() + (uint64_t)ms * NSEC_PER_MSEC;
}

/* Most loops find something, and need not know the time. */
static inline long epoll_wait_ms(
    struct file *ep, void *events, int max, int timeout)
{
	long r = epoll_try(ep, events, max);

	if (r != 0 || timeout == 0)
		return r;
	return epoll_wait(ep, events, max, epoll_deadline(timeout));
}

static NOINLINE long epoll_wait_counted(
    int epfd, void *events, int max, int timeout)
{
	struct file *ep = fd_get(epfd);
	long r;

	if (!ep)
		return -EBADF;
	r = epoll_wait_ms(ep, events, max, timeout);
	file_put(ep);
	return r;
}

long sys_epoll_wait(int epfd, void *events, int max, int timeout)
{
	struct file *ep = fd_alone(epfd);

	return likely(ep) ? epoll_wait_ms(ep, events, max, timeout)
			  : epoll_wait_counted(epfd, events, max, timeout);
}

static long epoll_wait_masked(int epfd, void *events, int max,
    uint64_t deadline, const void *mask, size_t size)
{
	struct sigmask m;
	struct file *ep;
	long r = sigmask_enter(&m, mask, size);

	if (r)
		return r;
	ep = fd_get(epfd);
	r = -EBADF;
	if (ep) {
		r = epoll_try(ep, events, max);
		if (r == 0 && deadline != 0)
			r = epoll_wait(ep, events, max, deadline);
		file_put(ep);
	}
	sigmask_leave(&m, r);
	return r;
}

long sys_epoll_pwait(
    int epfd, void *events, int max, int timeout, const void *mask, size_t size)
{
	return epoll_wait_masked(
	    epfd, events, max, epoll_deadline(timeout), mask, size);
}

long sys_epoll_pwait2(int epfd, void *events, int max, const void *timeout,
    const void *mask, size_t size)
{
	uint64_t deadline;
	int err = deadline_from_user(timeout, &deadline);

	if (err)
		return err;
	return epoll_wait_masked(epfd, events, max, deadline, mask, size);
}
