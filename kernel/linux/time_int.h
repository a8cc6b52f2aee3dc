#ifndef LINUX_TIME_INT_H
#define LINUX_TIME_INT_H

/* The program's times and ours.  time.c */

#include <linux/time_types.h>
#include <stdbool.h>
#include <stdint.h>

#include "app_timer_int.h"

/* ns of a checked copy: 0, -EFAULT, or -EINVAL for a negative or bad time.
 * What is too far away to say is TIME_NEVER. */
int time_get(const struct __kernel_timespec *user, uint64_t *ns);
int time_put(struct __kernel_timespec *user, uint64_t ns); /* 0, -EFAULT */
int time_check(const struct __kernel_timespec *ts, uint64_t *ns);

/* The monotonic moment that is (user) from now. */
int time_deadline(const struct __kernel_timespec *user, uint64_t *deadline);

/* The monotonic moment at which CLOCK_REALTIME will say (wall) if nobody sets
 * it meanwhile. */
uint64_t time_wall_to_mono(uint64_t wall);

/* A clock's time in ns: 0, -EINVAL.  Thread context. */
int time_read_clock(int clock, uint64_t *ns);
uint64_t time_clock_resolution(int clock);
bool time_is_cpu_clock(int clock);
/* Whose CPU time a negative clock id means: 0, -EINVAL. */
int time_cpu_clock_owner(int clock, enum app_clock *kind, uint32_t *tid);

#endif /* LINUX_TIME_INT_H */
