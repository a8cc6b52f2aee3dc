/*
 * timerfd_create(2).  A periodic timer is set again only when its expiries
 * are asked for, so that a short interval nobody reads costs nothing.
 */

#include "kern/clock.h"
#include "kern/errno.h"
#include "kern/evfile.h"
#include "kern/file.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/sched.h"
#include "kern/signal.h"
#include "kern/string.h"

struct timerfd {
	struct mutex lock; /* of what the program does to it */
	bool realtime;
	uint64_t deadline; /* mono; 0: disarmed */
	uint64_t interval;
	struct timer timer;
	/* A spinlock because the timer's callback sets it: */
	struct spinlock fired_lock;
	bool fired; /* deadline has passed; not yet counted */
	struct waitq waiters;
	struct poll_head poll;
};

static const struct file_ops timerfd_ops;

static void timerfd_fire(struct timer *timer)
{
	struct timerfd *t = container_of(timer, struct timerfd, timer);
	unsigned long flags = spin_lock_irqsave(&t->fired_lock);

	t->fired = true;
	waitq_wake_all(&t->waiters);
	spin_unlock_irqrestore(&t->fired_lock, flags);
	poll_notify(&t->poll, EPOLLIN);
}

static bool timerfd_fired(struct timerfd *t, bool clear)
{
	unsigned long flags = spin_lock_irqsave(&t->fired_lock);
	bool fired = t->fired;

	if (clear)
		t->fired = false;
	spin_unlock_irqrestore(&t->fired_lock, flags);
	return fired;
}

/*
 * The expiries since the last time, after the first; moves the deadline past
 * now.  The timer has fired; the mutex is held.
 */
static uint64_t timerfd_forward(struct timerfd *t, uint64_t *next)
{
	uint64_t now = clock_mono(), more = 0;

	if (now > t->deadline)
		more = (now - t->deadline) / t->interval;
	*next = t->deadline + (more + 1) * t->interval;
	return more;
}

/* Expiries for a reader; 0: none since the last. */
static uint64_t timerfd_take(struct timerfd *t)
{
	uint64_t ticks = 0;

	mutex_lock(&t->lock);
	if (timerfd_fired(t, true)) {
		ticks = 1;
		if (t->interval) {
			ticks += timerfd_forward(t, &t->deadline);
			timer_set(&t->timer, t->deadline);
		} else {
			t->deadline = 0;
		}
	}
	mutex_unlock(&t->lock);
	return ticks;
}

static int timerfd_sleep(struct timerfd *t)
{
	unsigned long flags = spin_lock_irqsave(&t->fired_lock);
	int r = 0;

	while (!t->fired && r == 0)
		r = waitq_wait(
		    &t->waiters, &t->fired_lock, &flags, TIME_NEVER, WAIT_INTR);
	spin_unlock_irqrestore(&t->fired_lock, flags);
	return r == -EINTR ? -ERESTARTSYS : 0;
}

static long timerfd_read(struct file *f, struct uio *u, uint64_t *off)
{
	struct timerfd *t = f->priv;
	uint64_t ticks;
	int err;

	(void)off;
	if (u->left < sizeof(ticks))
		return -EINVAL;
	while ((ticks = timerfd_take(t)) == 0) {
		if (file_nonblock(f))
			return -EAGAIN;
		err = timerfd_sleep(t);
		if (err)
			return err;
	}
	if (uio_put(u, &ticks, sizeof(ticks)) != sizeof(ticks))
		return -EFAULT;
	return sizeof(ticks);
}

static uint32_t timerfd_poll(struct file *f, struct poll_entry *pe)
{
	struct timerfd *t = f->priv;

	poll_wait(&t->poll, pe);
	return timerfd_fired(t, false) ? EPOLLIN : 0;
}

static int timerfd_path(struct file *f, char *buf, size_t n)
{
	(void)f;
	return snprintf(buf, n, "anon_inode:[timerfd]");
}

static void timerfd_release(struct file *f)
{
	struct timerfd *t = f->priv;

	timer_cancel(&t->timer);
	poll_head_destroy(&t->poll);
	kfree(t);
}

static const struct file_ops timerfd_ops = {
	.read = timerfd_read,
	.poll = timerfd_poll,
	.path = timerfd_path,
	.release = timerfd_release,
};

struct file *timerfd_create(bool realtime, uint32_t flags)
{
	struct timerfd *t = kzalloc(sizeof(*t));
	struct file *f;

	if (!t)
		return NULL;
	mutex_init(&t->lock);
	t->realtime = realtime;
	timer_init(&t->timer, timerfd_fire);
	waitq_init(&t->waiters);
	poll_head_init(&t->poll);
	f = file_new(&timerfd_ops, O_RDWR | flags, t);
	if (!f)
		kfree(t);
	return f;
}

/* What gettime shows; the mutex is held. */
static void timerfd_show(struct timerfd *t, struct timerfd_spec *out)
{
	uint64_t now, deadline = t->deadline;

	out->interval = t->interval;
	out->value = 0;
	if (deadline == 0)
		return;
	if (timerfd_fired(t, false)) {
		if (!t->interval)
			return;
		timerfd_forward(t, &deadline);
	}
	now = clock_mono();
	/* Armed and due, but its callback has not run yet: not 0. */
	out->value = deadline > now ? deadline - now : 1;
}

/* In monotonic time; one that has passed is due at once. */
static uint64_t timerfd_deadline(
    const struct timerfd *t, bool absolute, uint64_t value)
{
	uint64_t now = clock_mono(), deadline;

	if (!absolute)
		return add_overflow(now, value, &deadline) ? TIME_NEVER - 1
							   : deadline;
	if (t->realtime)
		value -= MIN(value, clock_wall() - now);
	return MAX(value, 1u);
}

int timerfd_settime(struct file *f, bool absolute,
    const struct timerfd_spec *new, struct timerfd_spec *old)
{
	struct timerfd *t = f->priv;

	if (f->ops != &timerfd_ops)
		return -EINVAL;
	mutex_lock(&t->lock);
	if (old)
		timerfd_show(t, old);
	timer_cancel(&t->timer);
	timerfd_fired(t, true);
	t->interval = new->interval;
	t->deadline = 0;
	if (new->value) {
		t->deadline = timerfd_deadline(t, absolute, new->value);
		timer_set(&t->timer, t->deadline);
	}
	mutex_unlock(&t->lock);
	return 0;
}

int timerfd_gettime(struct file *f, struct timerfd_spec *out)
{
	struct timerfd *t = f->priv;

	if (f->ops != &timerfd_ops)
		return -EINVAL;
	mutex_lock(&t->lock);
	timerfd_show(t, out);
	mutex_unlock(&t->lock);
	return 0;
}
