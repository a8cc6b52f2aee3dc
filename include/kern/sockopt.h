#ifndef KERN_SOCKOPT_H
#define KERN_SOCKOPT_H

/*
 * Values of socket options, the same in every family.  get: from the (len)
 * bytes at (p) that the program gave; -EINVAL when they are too few.  put: as
 * much as there is room for in *(len) bytes, which then says how much; 0.
 */

#include <stdint.h>

#include "clock.h"
#include "compiler.h"
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

/*
 * Timeouts: ns, TIME_NEVER for none, 0 for at once.  Calls look at one without
 * a lock while another thread sets it, so each is stored and loaded once.  The
 * old struct timeval is the same here.  -EDOM: no such microseconds.
 */
static inline int sockopt_get_timeout(const void *p, unsigned len, uint64_t *ns)
{
	struct __kernel_sock_timeval tv;
	uint64_t t;

	if (len < sizeof(tv))
		return -EINVAL;
	memcpy(&tv, p, sizeof(tv));
	if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
		return -EDOM;
	if (tv.tv_sec < 0)
		t = 0;
	else if ((tv.tv_sec == 0 && tv.tv_usec == 0) ||
		 mul_overflow((uint64_t)tv.tv_sec, NSEC_PER_SEC, &t) ||
		 add_overflow(t, (uint64_t)tv.tv_usec * NSEC_PER_USEC, &t))
		t = TIME_NEVER;
	WRITE_ONCE(*ns, t);
	return 0;
}

static inline int sockopt_put_timeout(uint64_t ns, void *p, unsigned *len)
{
	struct __kernel_sock_timeval tv = { 0, 0 };

	if (ns != TIME_NEVER) {
		tv.tv_sec = (int64_t)(ns / NSEC_PER_SEC);
		tv.tv_usec = (int64_t)(ns % NSEC_PER_SEC / NSEC_PER_USEC);
	}
	return sockopt_put(&tv, sizeof(tv), p, len);
}

/* When a call that begins now gives up. */
static inline uint64_t sockopt_deadline(const uint64_t *timeout)
{
	return time_after(clock_mono(), READ_ONCE(*timeout));
}

#endif /* KERN_SOCKOPT_H */
