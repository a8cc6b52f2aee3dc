#ifndef LINUX_SIGMASK_H
#define LINUX_SIGMASK_H

/* What the waiting calls share: sys_poll.c implements, sys_epoll.c uses. */

#include <linux/time_types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The mask that a call of the "p" kind runs with. */
struct sigmask {
	bool set;
	uint64_t old;
};
/* (user_mask) NULL: keep.  0, -EINVAL, -EFAULT. */
int sigmask_enter(struct sigmask *, const void *user_mask, size_t size);
/* (result): the call's; -EINTR lets the handler run with the mask first. */
void sigmask_leave(struct sigmask *, long result);

/* A relative timeout; NULL: TIME_NEVER; zero: 0.  -EFAULT, -EINVAL. */
int deadline_from_user(
    const struct __kernel_timespec *user_ts, uint64_t *deadline);

#endif /* LINUX_SIGMASK_H */
