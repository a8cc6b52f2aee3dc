#ifndef KERN_SOCKOPT_H
#define KERN_SOCKOPT_H

/*
 * Values of socket options, the same in every family.  get: from the (len)
 * bytes at (p) that the program gave; -EINVAL when they are too few.  put: as
 * much as there is room for in *(len) bytes, which then says how much; 0.
 */

#include <stdint.h>

#include "errno.h"
#include "num.h"
#include "sched.h"
#include "string.h"

#include <linux/time_types.h>

static inline int sockopt_get_int(const void *p, unsigned len, int *v)
{
	if (len < sizeof(*v))
		return -EINVAL;
	memcpy(v, p, sizeof(*v));
	return 0;
}

static inline int sockopt_put(const void *v, unsigned n, void *p, unsigned *len)
{
	*len = MIN(*len, n);
	memcpy(p, v, *len);
	return 0;
}

static inline int sockopt_put_int(int v, void *p, unsigned *len)
{
	return sockopt_put(&v, sizeof(v), p, len);
}

/* The old struct timeval is the same here.  -EDOM: no such microseconds. */
static inline int sockopt_get_time(
    const void *p, unsigned len, struct __kernel_sock_timeval *tv)
{
	if (len < sizeof(*tv))
		return -EINVAL;
	memcpy(tv, p, sizeof(*tv));
	return tv->tv_usec < 0 || tv->tv_usec >= 1000000 ? -EDOM : 0;
}

static inline int sockopt_put_time(uint64_t ns, void *p, unsigned *len)
{
	struct __kernel_sock_timeval tv = {
		.tv_sec = (int64_t)(ns / NSEC_PER_SEC),
		.tv_usec = (int64_t)(ns % NSEC_PER_SEC / NSEC_PER_USEC),
	};

	return sockopt_put(&tv, sizeof(tv), p, len);
}

#endif /* KERN_SOCKOPT_H */
