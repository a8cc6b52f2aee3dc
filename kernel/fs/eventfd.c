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
	_Atomic uint64_t count;
	bool semaphore;
	/* How many are about to sleep or do: whoever changes the count looks
	 * here afterwards, and a sleeper at the count after counting itself. */
	_Atomic unsigned reading, writing;
	struct mutex lock; /* the queues' */
	struct waitq can_read, can_write;
	struct poll_head poll;
};

/* The value for a reader; 0: there is none. */
static uint64_t eventfd_take(struct eventfd *e)
{
	uint64_t old = atomic_load(&e->count);

	while (old != 0 && !atomic_compare_exchange_weak(
			       &e->count, &old, e->semaphore ? old - 1 : 0))
		;
	return e->semaphore ? old != 0 : old;
}

static bool eventfd_add(struct eventfd *e, uint64_t v)
{
	uint64_t old = atomic_load(&e->count);

	do {
		if (v > EVENTFD_MAX - old)
			return false;
	} while (!atomic_compare_exchange_weak(&e->count, &old, old + v));
	return true;
}

static NOINLINE void eventfd_wake(
    struct eventfd *e, struct waitq *q, unsigned n)
{
	mutex_lock(&e->lock);
	waitq_wake(q, n);
	mutex_unlock(&e->lock);
}

static inline void eventfd_taken(struct eventfd *e)
{
	if (unlikely(atomic_load(&e->writing) > 0))
		eventfd_wake(e, &e->can_write, ~0u);
	/* A wake-up is for one: pass on what is left. */
	if (unlikely(atomic_load(&e->reading) > 0) &&
	    atomic_load(&e->count) > 0)
		eventfd_wake(e, &e->can_read, 1);
	poll_notify(&e->poll, EPOLLOUT);
}

static inline void eventfd_added(struct eventfd *e)
{
	if (unlikely(atomic_load(&e->reading) > 0))
		eventfd_wake(e, &e->can_read, 1);
	poll_notify(&e->poll, EPOLLIN);
}

static long eventfd_sleep(struct eventfd *e, struct waitq *q)
{
	if (waitq_wait_mutex(q, &e->lock, TIME_NEVER, WAIT_INTR) == -EINTR)
		return -ERESTARTSYS;
	return 0;
}

/* As eventfd_take(), but waits; 0: *err. */
static NOINLINE uint64_t eventfd_wait_value(struct eventfd *e, long *err)
{
	uint64_t v;

	*err = 0;
	mutex_lock(&e->lock);
	atomic_fetch_add(&e->reading, 1);
	while ((v = eventfd_take(e)) == 0 && *err == 0)
		*err = eventfd_sleep(e, &e->can_read);
	atomic_fetch_sub(&e->reading, 1);
	mutex_unlock(&e->lock);
	return v;
}

/* As eventfd_add(), but waits. */
static NOINLINE long eventfd_wait_room(struct eventfd *e, uint64_t v)
{
	bool added;
	long err = 0;

	mutex_lock(&e->lock);
	atomic_fetch_add(&e->writing, 1);
	while (!(added = eventfd_add(e, v)) && err == 0)
		err = eventfd_sleep(e, &e->can_write);
	atomic_fetch_sub(&e->writing, 1);
	mutex_unlock(&e->lock);
	return added ? 0 : err;
}

static long eventfd_read(struct file *f, struct uio *u, uint64_t *off)
{
	struct eventfd *e = f->priv;
	uint64_t v;
	long err = -EAGAIN;

	(void)off;
	if (u->left < sizeof(v))
		return -EINVAL;
	v = eventfd_take(e);
	if (v == 0 && !file_nonblock(f))
		v = eventfd_wait_value(e, &err);
	if (v == 0)
		return err;
	eventfd_taken(e);
	return uio_put(u, &v, sizeof(v)) == sizeof(v) ? (long)sizeof(v)
						      : -EFAULT;
}

static long eventfd_write(struct file *f, struct uio *u, uint64_t *off)
{
	struct eventfd *e;
	uint64_t v;
	long err;

	(void)off;
	if (u->left < sizeof(v))
		return -EINVAL;
	if (uio_get(u, &v, sizeof(v)) != sizeof(v))
		return -EFAULT;
	if (v == UINT64_MAX)
		return -EINVAL;
	e = f->priv;
	if (!eventfd_add(e, v)) {
		err = file_nonblock(f) ? -EAGAIN : eventfd_wait_room(e, v);
		if (err)
			return err;
	}
	eventfd_added(e);
	return sizeof(v);
}

static uint32_t eventfd_poll(struct file *f, struct poll_entry *pe)
{
	struct eventfd *e = f->priv;
	uint64_t count;
	uint32_t ev = 0;

	poll_wait(&e->poll, pe);
	count = atomic_load(&e->count);
	if (count > 0)
		ev |= EPOLLIN;
	if (count < EVENTFD_MAX)
		ev |= EPOLLOUT;
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
