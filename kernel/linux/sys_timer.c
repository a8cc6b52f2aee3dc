#include <linux/time.h>
#include <linux/time_types.h>

#include "app_timer_int.h"
#include "kern/arch.h"
#include "kern/clock.h"
#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/string.h"
#include "syscalls.h"
#include "task_int.h"
#include "time_int.h"

/* timer_create(2) and its like; proc->timer_lock protects the list. */

#define POSIX_TIMERS_MAX 4096

/* linux/signal.h's; asm-generic/siginfo.h has it without a tag's size. */
struct sigevent_user {
	uint64_t value;
	int signo, notify;
	int tid;
	int pad[11];
};
_Static_assert(sizeof(struct sigevent_user) == 64, "struct sigevent");

static struct app_timer *find(struct proc *p, int id)
{
	struct app_timer *t;

	list_foreach (t, &p->posix_timers, link)
		if (t->id == id)
			return t;
	return NULL;
}

static int choose_clock(int clock, enum app_clock *kind, uint32_t *tid)
{
	*tid = 0;
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
	case CLOCK_TAI:
		*kind = APP_CLOCK_MONO;
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
		*kind = APP_CLOCK_PROC_CPU;
		return 0;
	case CLOCK_THREAD_CPUTIME_ID:
		*kind = APP_CLOCK_THREAD_CPU;
		*tid = thread_self()->id;
		return 0;
	default:
		return time_cpu_clock_owner(clock, kind, tid);
	}
}

static int set_event(struct app_timer *t, const struct sigevent_user *ev)
{
	struct proc *p = proc_self();
	siginfo_t *info = &t->entry.info;
	unsigned long flags;
	bool there;

	t->silent = ev->notify == SIGEV_NONE;
	if (!t->silent && (ev->signo <= 0 || ev->signo > NSIG_ALL))
		return -EINVAL;
	if (ev->notify == (SIGEV_SIGNAL | SIGEV_THREAD_ID)) {
		flags = spin_lock_irqsave(&p->lock);
		there = proc_task(p, (uint32_t)ev->tid) != NULL;
		spin_unlock_irqrestore(&p->lock, flags);
		if (!there)
			return -EINVAL;
		t->notify_tid = (uint32_t)ev->tid;
	} else if (ev->notify != SIGEV_SIGNAL && !t->silent &&
		   ev->notify != SIGEV_THREAD) {
		return -EINVAL;
	}
	info->si_signo = ev->signo;
	info->si_code = SI_TIMER;
	info->si_value.sival_ptr = (void *)ev->value;
	return 0;
}

static int insert(struct proc *p, struct app_timer *t)
{
	struct app_timer *other;
	unsigned n = 0;

	mutex_lock(&p->timer_lock);
	list_foreach (other, &p->posix_timers, link)
		n++;
	if (n >= POSIX_TIMERS_MAX) {
		mutex_unlock(&p->timer_lock);
		return -EAGAIN;
	}
	do {
		t->id = p->next_timer_id++ & INT32_MAX;
	} while (find(p, t->id));
	t->entry.info.si_tid = t->id;
	list_add_tail(&p->posix_timers, &t->link);
	mutex_unlock(&p->timer_lock);
	return 0;
}

static void delete (struct app_timer *t)
{
	list_del(&t->link);
	app_timer_destroy(t);
	kfree(t);
}

long sys_timer_create(int clock, const struct sigevent *user_ev, int *user_id)
{
	struct sigevent_user ev = { 0, SIGALRM, SIGEV_SIGNAL, 0, { 0 } };
	struct proc *p = proc_self();
	enum app_clock kind;
	struct app_timer *t;
	uint32_t tid;
	int r;

	r = choose_clock(clock, &kind, &tid);
	if (r != 0)
		return r;
	if (user_ev && copy_from_user(&ev, user_ev, sizeof(ev)) != 0)
		return -EFAULT;
	t = kzalloc(sizeof(*t));
	if (!t)
		return -EAGAIN;
	app_timer_init(t, p, kind);
	t->cpu_tid = tid;
	t->clock_id = clock;
	r = set_event(t, &ev);
	if (r == 0)
		r = insert(p, t);
	if (r != 0) {
		kfree(t);
		return r;
	}
	/* Without an event of its own its value is its id. */
	if (!user_ev)
		t->entry.info.si_value.sival_int = t->id;
	if (user_store32((uint32_t *)user_id, (uint32_t)t->id) != 0) {
		mutex_lock(&p->timer_lock);
		delete (t);
		mutex_unlock(&p->timer_lock);
		return -EFAULT;
	}
	return 0;
}

static uint64_t first_time(
    const struct app_timer *t, uint64_t value, bool absolute)
{
	uint64_t when;

	if (value == 0)
		return 0;
	if (!absolute)
		return time_after(app_timer_now(t), value);
	if (t->clock_id == CLOCK_REALTIME || t->clock_id == CLOCK_TAI ||
	    t->clock_id == CLOCK_REALTIME_ALARM) {
		when = time_wall_to_mono(value);
		return when ? when : 1;
	}
	return value;
}

static long put_old(
    struct __kernel_itimerspec *user, uint64_t left, uint64_t interval)
{
	if (time_put(&user->it_interval, interval) != 0)
		return -EFAULT;
	return time_put(&user->it_value, left);
}

long sys_timer_settime(int id, int flags,
    const struct __kernel_itimerspec *user_new,
    struct __kernel_itimerspec *user_old)
{
	struct proc *p = proc_self();
	uint64_t value, interval, left = 0, old = 0;
	struct app_timer *t;
	int r;

	if (!user_new)
		return -EINVAL;
	r = time_get(&user_new->it_value, &value);
	if (r == 0)
		r = time_get(&user_new->it_interval, &interval);
	if (r != 0)
		return r;
	mutex_lock(&p->timer_lock);
	t = find(p, id);
	if (t) {
		app_timer_get(t, &left, &old);
		app_timer_set(
		    t, first_time(t, value, flags & TIMER_ABSTIME), interval);
	}
	mutex_unlock(&p->timer_lock);
	if (!t)
		return -EINVAL;
	return user_old ? put_old(user_old, left, old) : 0;
}

long sys_timer_gettime(int id, struct __kernel_itimerspec *user)
{
	struct proc *p = proc_self();
	uint64_t left = 0, interval = 0;
	struct app_timer *t;

	mutex_lock(&p->timer_lock);
	t = find(p, id);
	if (t)
		app_timer_get(t, &left, &interval);
	mutex_unlock(&p->timer_lock);
	return t ? put_old(user, left, interval) : -EINVAL;
}

long sys_timer_getoverrun(int id)
{
	struct proc *p = proc_self();
	struct app_timer *t;
	int n = 0;

	mutex_lock(&p->timer_lock);
	t = find(p, id);
	if (t)
		n = t->overrun;
	mutex_unlock(&p->timer_lock);
	return t ? n : -EINVAL;
}

long sys_timer_delete(int id)
{
	struct proc *p = proc_self();
	struct app_timer *t;

	mutex_lock(&p->timer_lock);
	t = find(p, id);
	if (t)
		delete (t);
	mutex_unlock(&p->timer_lock);
	return t ? 0 : -EINVAL;
}

void posix_timers_clear(struct proc *p)
{
	struct app_timer *t, *next;

	mutex_lock(&p->timer_lock);
	list_foreach_safe (t, next, &p->posix_timers, link)
		delete (t);
	mutex_unlock(&p->timer_lock);
}
