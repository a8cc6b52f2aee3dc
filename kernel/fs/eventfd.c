/* eventfd(2): a counter that can be waited for. */

#include "kern/errno.h"
#include "kern/evfile.h"
#include "kern/file.h"
#include "kern/mm.h"
#include "kern/sched.h"
#include "kern/signal.h"
#include "kern/string.h"

#define EVENTFD_MAX (UINT64_MAX - 1)

struct eventfd {
	struct mutex lock;
	uint64_t count;
	bool semaphore;
	struct waitq can_read, can_write;
	struct poll_head poll;
};

static long eventfd_sleep(struct eventfd *e, struct file *f, struct waitq *q)
{
	if (file_nonblock(f))
		return -EAGAIN;
	if (waitq_wait_mutex(q, &e->lock, TIME_NEVER, WAIT_INTR) == -EINTR)
		return -ERESTARTSYS;
	return 0;
}

/* The value for a reader, or 0 with *err. */
static uint64_t eventfd_take(struct eventfd *e, struct file *f, long *err)
{
	uint64_t v = 0;

	*err = 0;
	mutex_lock(&e->lock);
	while (e->count == 0 && *err == 0)
		*err = eventfd_sleep(e, f, &e->can_read);
	if (*err == 0) {
		v = e->semaphore ? 1 : e->count;
		e->count -= v;
		waitq_wake_all(&e->can_write);
		/* A wake-up is for one: pass on what is left. */
		if (e->count > 0)
			waitq_wake(&e->can_read, 1);
		poll_notify(&e->poll, EPOLLOUT);
	}
	mutex_unlock(&e->lock);
	return v;
}

static long eventfd_read(struct file *f, struct uio *u, uint64_t *off)
{
	uint64_t v;
	long err;

	(void)off;
	if (u->left < sizeof(v))
		return -EINVAL;
	v = eventfd_take(f->priv, f, &err);
	if (err)
		return err;
	return uio_put(u, &v, sizeof(v)) == sizeof(v) ? (long)sizeof(v)
						      : -EFAULT;
}

static long eventfd_write(struct file *f, struct uio *u, uint64_t *off)
{
	struct eventfd *e = f->priv;
	uint64_t v;
	long err = 0;

	(void)off;
	if (u->left < sizeof(v))
		return -EINVAL;
	if (uio_get(u, &v, sizeof(v)) != sizeof(v))
		return -EFAULT;
	if (v == UINT64_MAX)
		return -EINVAL;
	mutex_lock(&e->lock);
	while (v > EVENTFD_MAX - e->count && err == 0)
		err = eventfd_sleep(e, f, &e->can_write);
	if (err == 0) {
		e->count += v;
		waitq_wake(&e->can_read, 1);
		poll_notify(&e->poll, EPOLLIN);
	}
	mutex_unlock(&e->lock);
	return err ? err : (long)sizeof(v);
}

static uint32_t eventfd_poll(struct file *f, struct poll_entry *pe)
{
	struct eventfd *e = f->priv;
	uint32_t ev = 0;

	poll_wait(&e->poll, pe);
	mutex_lock(&e->lock);
	if (e->count > 0)
		ev |= EPOLLIN;
	if (e->count < EVENTFD_MAX)
		ev |= EPOLLOUT;
	mutex_unlock(&e->lock);
	return ev;
}

static int eventfd_path(struct file *f, char *buf, size_t n)
{
	(void)f;
	return snprintf(buf, n, "anon_inode:[eventfd]");
}

static void eventfd_release(struct file *f)
{
	struct eventfd *e = f->priv;

	poll_head_destroy(&e->poll);
	kfree(e);
}

static const struct file_ops eventfd_ops = {
	.read = eventfd_read,
	.write = eventfd_write,
	.poll = eventfd_poll,
	.path = eventfd_path,
	.release = eventfd_release,
};

struct file *eventfd_create(uint32_t count, bool semaphore, uint32_t flags)
{
	struct eventfd *e = kzalloc(sizeof(*e));
	struct file *f;

	if (!e)
		return NULL;
	mutex_init(&e->lock);
	waitq_init(&e->can_read);
	waitq_init(&e->can_write);
	poll_head_init(&e->poll);
	e->count = count;
	e->semaphore = semaphore;
	f = file_new(&eventfd_ops, O_RDWR | flags, e);
	if (!f)
		kfree(e);
	return f;
}
