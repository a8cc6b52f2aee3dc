#include "app_timer_int.h"

#include "kern/clock.h"
#include "kern/errno.h"
#include "kern/num.h"
#include "kern/percpu.h"
#include "task_int.h"
#include "time_int.h"

/* How often a clock of CPU time is looked at, at most, and how soon a timer
 * whose signal is ignored fires again. */
#define PERIOD_MIN NSEC_PER_MSEC

static uint64_t now_locked(const struct app_timer *t)
{
	const struct task *task;

	if (t->clock == APP_CLOCK_MONO)
		return clock_mono();
	if (t->clock == APP_CLOCK_PROC_CPU)
		return proc_cpu_time_locked(t->proc);
	task = proc_task(t->proc, t->cpu_tid);
	return task ? thread_cpu_time(task->thread) : 0;
}

uint64_t app_timer_now(const struct app_timer *t)
{
	unsigned long flags = spin_lock_irqsave(&t->proc->lock);
	uint64_t now = now_locked(t);

	spin_unlock_irqrestore(&t->proc->lock, flags);
	return now;
}

/* CPU time cannot go faster than all cpus together. */
static void arm_locked(struct app_timer *t, uint64_t now)
{
	uint64_t left = t->when > now ? t->when - now : 0;

	if (t->clock == APP_CLOCK_MONO)
		timer_set(&t->timer, t->when);
	else
		timer_set(&t->timer, time_after(clock_mono(),
					 MAX(left / cpu_count(), PERIOD_MIN)));
}

/* It has fired: on to the next time, or stop.  Returns what was missed. */
static uint64_t advance_locked(struct app_timer *t, uint64_t now)
{
	uint64_t missed;

	if (t->interval == 0) {
		t->when = 0;
		return 0;
	}
	missed = now > t->when ? (now - t->when) / t->interval : 0;
	t->when = time_after(t->when, (missed + 1) * t->interval);
	return missed;
}

static void taken(struct sigentry *e, siginfo_t *info)
{
	struct app_timer *t = container_of(e, struct app_timer, entry);
	uint64_t now, missed;

	if (t->dead || t->when == 0)
		return;
	now = now_locked(t);
	missed = advance_locked(t, now);
	t->overrun = (int)MIN(missed, (uint64_t)INT32_MAX);
	if (info->si_code == SI_TIMER)
		info->si_overrun = t->overrun;
	if (t->when)
		arm_locked(t, now);
}

/* Nobody will take the signal: go on alone, not too fast. */
static void skip_locked(struct app_timer *t, uint64_t now)
{
	(void)advance_locked(t, now);
	if (t->when == 0)
		return;
	t->when = MAX(t->when, time_after(now, PERIOD_MIN));
	arm_locked(t, now);
}

static void fire(struct timer *timer)
{
	struct app_timer *t = container_of(timer, struct app_timer, timer);
	struct proc *p = t->proc;
	unsigned long flags = spin_lock_irqsave(&p->lock);
	uint64_t now;

	if (!t->dead && t->when) {
		now = now_locked(t);
		if (now < t->when)
			arm_locked(t, now);
		else if (t->silent || signal_send_entry_locked(p, t->notify_tid,
					  &t->entry) == -ECANCELED)
			skip_locked(t, now);
	}
	spin_unlock_irqrestore(&p->lock, flags);
}

void app_timer_init(struct app_timer *t, struct proc *p, enum app_clock clock)
{
	t->proc = p;
	t->clock = clock;
	t->entry.taken = taken;
	list_init(&t->entry.link);
	list_init(&t->link);
	timer_init(&t->timer, fire);
}

void app_timer_set(struct app_timer *t, uint64_t when, uint64_t interval)
{
	struct proc *p = t->proc;
	unsigned long flags;

	(void)timer_cancel(&t->timer);
	flags = spin_lock_irqsave(&p->lock);
	signal_cancel_entry_locked(&t->entry);
	t->when = when;
	t->interval = interval;
	t->overrun = 0;
	if (when)
		arm_locked(t, now_locked(t));
	spin_unlock_irqrestore(&p->lock, flags);
}

void app_timer_get(struct app_timer *t, uint64_t *left, uint64_t *interval)
{
	unsigned long flags = spin_lock_irqsave(&t->proc->lock);
	uint64_t now = now_locked(t), when = t->when;

	*interval = t->interval;
	/* Its signal may be waiting to be taken: then as if it had been. */
	if (when && when <= now && t->interval)
		when += ((now - when) / t->interval + 1) * t->interval;
	if (when > now)
		*left = when - now;
	else /* about to fire, or fired for the only time */
		*left = when && list_empty(&t->entry.link) ? 1 : 0;
	spin_unlock_irqrestore(&t->proc->lock, flags);
}

void app_timer_destroy(struct app_timer *t)
{
	struct proc *p = t->proc;
	unsigned long flags = spin_lock_irqsave(&p->lock);

	t->dead = true;
	spin_unlock_irqrestore(&p->lock, flags);
	(void)timer_cancel(&t->timer);
	flags = spin_lock_irqsave(&p->lock);
	signal_cancel_entry_locked(&t->entry);
	spin_unlock_irqrestore(&p->lock, flags);
}
