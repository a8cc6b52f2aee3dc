#ifndef KERN_EVFILE_H
#define KERN_EVFILE_H

/*
 * Files that stand for events.  Thread context; may sleep.  Those that make a
 * file return NULL when out of memory; (flags) is O_NONBLOCK and the access
 * mode is O_RDWR.
 */

#include <linux/eventpoll.h>
#include <stdbool.h>
#include <stdint.h>

struct file;

/* kernel/fs/eventfd.c */
struct file *eventfd_create(uint32_t count, bool semaphore, uint32_t flags);

/* kernel/fs/timerfd.c.  Times in ns; value 0: disarmed. */
struct timerfd_spec {
	uint64_t value, interval;
};
/* (realtime): CLOCK_REALTIME's time line, else CLOCK_MONOTONIC's. */
struct file *timerfd_create(bool realtime, uint32_t flags);
/* (old) NULL: not wanted.  -EINVAL: no timerfd. */
int timerfd_settime(struct file *, bool absolute,
    const struct timerfd_spec *new, struct timerfd_spec *old);
int timerfd_gettime(struct file *, struct timerfd_spec *);

/* kernel/fs/signalfd.c.  (mask): bit (sig - 1) */
struct file *signalfd_create(uint64_t mask, uint32_t flags);
int signalfd_set_mask(struct file *, uint64_t mask); /* -EINVAL */

/* kernel/fs/epoll.c */
struct file *epoll_create(void);
/*
 * (f) is what descriptor (fd) names; (ev) a copy in the kernel.  -EINVAL,
 * -EPERM, -EEXIST, -ENOENT, -ELOOP, -ENOMEM as epoll_ctl(2) says.
 */
int epoll_ctl(struct file *ep, int op, int fd, struct file *f,
    const struct epoll_event *ev);
/*
 * Writes up to (max) of the events there are now to the program's memory at
 * (user_ev).  Their number, 0, -EFAULT, -EINVAL.
 */
int epoll_try(struct file *ep, struct epoll_event *user_ev, int max);
/* For who has tried: waits for the first until (deadline), mono ns.  Or
 * -EINTR. */
int epoll_wait(
    struct file *ep, struct epoll_event *user_ev, int max, uint64_t deadline);

#endif /* KERN_EVFILE_H */
