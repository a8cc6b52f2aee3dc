/* signalfd(2): reading pending signals; they belong to whoever reads. */

#include "kern/errno.h"
#include "kern/evfile.h"
#include "kern/file.h"
#include "kern/mm.h"
#include "kern/sched.h"
#include "kern/signal.h"
#include "kern/string.h"

#include <linux/signalfd.h>

struct signalfd {
	_Atomic uint64_t mask;
};

/* One reader that sleeps.  Signals come from any context: a spinlock. */
struct signalfd_reader {
	struct poll_entry pe;
	struct spinlock lock;
	struct waitq q;
	bool fired;
};

static const struct file_ops signalfd_ops;

static bool signalfd_wake(struct poll_entry *pe, uint32_t events)
{
	struct signalfd_reader *r =
	    container_of(pe, struct signalfd_reader, pe);
	unsigned long flags = spin_lock_irqsave(&r->lock);

	(void)events;
	r->fired = true;
	waitq_wake_all(&r->q);
	spin_unlock_irqrestore(&r->lock, flags);
	return true;
}

static int signalfd_sleep(struct signalfd *s)
{
	struct signalfd_reader r = { .lock = SPINLOCK_INIT };
	unsigned long flags;
	int err = 0;

	waitq_init(&r.q);
	poll_entry_init(&r.pe, signalfd_wake);
	poll_wait(signal_poll_head(), &r.pe);
	if (!signal_pending_in(s->mask)) {
		flags = spin_lock_irqsave(&r.lock);
		if (!r.fired)
			err = waitq_wait(
			    &r.q, &r.lock, &flags, TIME_NEVER, WAIT_INTR);
		spin_unlock_irqrestore(&r.lock, flags);
	}
	poll_entry_remove(&r.pe);
	return err == -EINTR ? -ERESTARTSYS : 0;
}

static long signalfd_read(struct file *f, struct uio *u, uint64_t *off)
{
	struct signalfd *s = f->priv;
	struct signalfd_siginfo si;
	long done = 0;

	(void)off;
	if (u->left < sizeof(si))
		return -EINVAL;
	while (u->left >= sizeof(si)) {
		int err = signal_dequeue(s->mask, &si);

		if (err == 0) {
			if (uio_put(u, &si, sizeof(si)) != sizeof(si))
				return done > 0 ? done : -EFAULT;
			done += (long)sizeof(si);
			continue;
		}
		if (done > 0)
			break;
		if (file_nonblock(f))
			return -EAGAIN;
		err = signalfd_sleep(s);
		if (err)
			return err;
	}
	return done;
}

static uint32_t signalfd_poll(struct file *f, struct poll_entry *pe)
{
	struct signalfd *s = f->priv;

	poll_wait(signal_poll_head(), pe);
	return signal_pending_in(s->mask) ? EPOLLIN : 0;
}

static int signalfd_path(struct file *f, char *buf, size_t n)
{
	(void)f;
	return snprintf(buf, n, "anon_inode:[signalfd]");
}

static void signalfd_release(struct file *f)
{
	kfree(f->priv);
}

static const struct file_ops signalfd_ops = {
	.read = signalfd_read,
	.poll = signalfd_poll,
	.path = signalfd_path,
	.release = signalfd_release,
};

struct file *signalfd_create(uint64_t mask, uint32_t flags)
{
	struct signalfd *s = kzalloc(sizeof(*s));
	struct file *f;

	if (!s)
		return NULL;
	s->mask = mask;
	f = file_new(&signalfd_ops, O_RDWR | flags, s);
	if (!f)
		kfree(s);
	return f;
}

int signalfd_set_mask(struct file *f, uint64_t mask)
{
	struct signalfd *s = f->priv;

	if (f->ops != &signalfd_ops)
		return -EINVAL;
	s->mask = mask;
	/* What is pending may be in the new mask. */
	poll_notify(signal_poll_head(), EPOLLIN);
	return 0;
}
