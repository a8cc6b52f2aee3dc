#include <linux/time.h>
#include <linux/time_types.h>

#include "app_timer_int.h"
#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/mm.h"
#include "syscalls.h"
#include "task_int.h"
#include "time_int.h"

#define NITIMER 3

struct itimers {
	struct app_timer timer[NITIMER]; /* ITIMER_REAL, VIRTUAL, PROF */
};

static const int itimer_signal[NITIMER] = { SIGALRM, SIGVTALRM, SIGPROF };

/* Made at the first use: most programs have none.  timer_lock is held. */
static struct app_timer *get_timer(struct proc *p, int which)
{
	if (!p->itimers) {
		p->itimers = kzalloc(sizeof(*p->itimers));
		if (!p->itimers)
			return NULL;
		for (int i = 0; i < NITIMER; i++) {
			struct app_timer *t = &p->itimers->timer[i];

			app_timer_init(t, p,
			    i == ITIMER_REAL ? APP_CLOCK_MONO
					     : APP_CLOCK_PROC_CPU);
			t->entry.info.si_signo = itimer_signal[i];
			t->entry.info.si_code = SI_KERNEL;
		}
	}
	return &p->itimers->timer[which];
}

static int get_timeval(const struct __kernel_old_timeval *tv, uint64_t *ns)
{
	struct __kernel_timespec ts = { tv->tv_sec,
		tv->tv_usec * (long)NSEC_PER_USEC };

	if (tv->tv_usec < 0 || tv->tv_usec >= 1000000)
		return -EINVAL;
	return time_check(&ts, ns);
}

static void put_timeval(struct __kernel_old_timeval *tv, uint64_t ns)
{
	tv->tv_sec = (long)(ns / NSEC_PER_SEC);
	tv->tv_usec = (long)(ns % NSEC_PER_SEC / NSEC_PER_USEC);
}

/* (value) NULL: only look.  -ENOMEM. */
static int exchange(int which, const uint64_t *value, uint64_t interval,
    uint64_t *old_value, uint64_t *old_interval)
{
	struct proc *p = proc_self();
	struct app_timer *t;
	uint64_t when = 0;

	mutex_lock(&p->timer_lock);
	t = get_timer(p, which);
	if (t) {
		app_timer_get(t, old_value, old_interval);
		if (value && *value)
			when = time_after(app_timer_now(t), *value);
		if (value)
			app_timer_set(t, when, interval);
	}
	mutex_unlock(&p->timer_lock);
	return t ? 0 : -ENOMEM;
}

long sys_getitimer(int which, struct __kernel_old_itimerval *user)
{
	struct __kernel_old_itimerval it;
	uint64_t value, interval;
	int r;

	if (which < 0 || which >= NITIMER)
		return -EINVAL;
	r = exchange(which, NULL, 0, &value, &interval);
	if (r != 0)
		return r;
	put_timeval(&it.it_value, value);
	put_timeval(&it.it_interval, interval);
	return copy_to_user(user, &it, sizeof(it));
}

long sys_setitimer(int which, const struct __kernel_old_itimerval *user_new,
    struct __kernel_old_itimerval *user_old)
{
	struct __kernel_old_itimerval it = { 0 };
	uint64_t value, interval, old_value, old_interval;
	int r;

	if (which < 0 || which >= NITIMER)
		return -EINVAL;
	if (user_new && copy_from_user(&it, user_new, sizeof(it)) != 0)
		return -EFAULT;
	r = get_timeval(&it.it_value, &value);
	if (r == 0)
		r = get_timeval(&it.it_interval, &interval);
	if (r == 0)
		r = exchange(
		    which, &value, interval, &old_value, &old_interval);
	if (r != 0 || !user_old)
		return r;
	put_timeval(&it.it_value, old_value);
	put_timeval(&it.it_interval, old_interval);
	return copy_to_user(user_old, &it, sizeof(it));
}

long sys_alarm(unsigned seconds)
{
	uint64_t value = seconds * NSEC_PER_SEC, left, interval;

	if (exchange(ITIMER_REAL, &value, 0, &left, &interval) != 0)
		return 0;
	/* Rounded, but what is running does not say 0. */
	if (left && left < NSEC_PER_SEC / 2)
		return 1;
	return (long)((left + NSEC_PER_SEC / 2) / NSEC_PER_SEC);
}
