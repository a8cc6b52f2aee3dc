/*
 * Pipes: a ring of pages that is addressed by free-running byte counters, so
 * that small writes share a page.  All state is protected by the pipe's
 * mutex; a copy from the program may fault with it held.
 */

#include "kern/pipe.h"

#include <asm/signal.h>
#include <asm/stat.h>
#include <asm/ioctls.h>
#include <linux/limits.h>
#include "kern/stat.h"

#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/sched.h"
#include "kern/signal.h"
#include "kern/string.h"
#include "kern/vfs.h"

#define PIPE_PAGES_DEFAULT 16u
#define PIPE_PAGES_MAX     256u /* /proc/sys/fs/pipe-max-size */

struct pipe {
	struct mutex lock;
	void **page;         /* [npages]; NULL: not yet needed */
	unsigned npages;     /* a power of two */
	unsigned head, tail; /* bytes written and read */
	unsigned readers, writers;
	unsigned r_opened, w_opened; /* ever; for a FIFO's open */
	struct waitq can_read, can_write, opened;
	struct poll_head poll;
	uint64_t ino;
	/* A FIFO's: protected by fifo_lock */
	struct vnode *vnode;
	unsigned users;
	struct list link;
};

/* Pipes of FIFOs that somebody has open or opens. */
static struct mutex fifo_lock = MUTEX_INIT(fifo_lock);
static struct list fifos = LIST_INIT(fifos);

static const struct file_ops pipe_ops;

static unsigned pipe_used(const struct pipe *p)
{
	return p->head - p->tail;
}

/* A page is free only when all of it has been read. */
static unsigned pipe_free(const struct pipe *p)
{
	unsigned first = ALIGN_DOWN(p->tail, (unsigned)PAGE_SIZE);

	return p->npages * (unsigned)PAGE_SIZE - (p->head - first);
}

static void **pipe_page(const struct pipe *p, unsigned pos)
{
	return &p->page[(pos >> PAGE_SHIFT) & (p->npages - 1)];
}

static struct pipe *pipe_alloc(void)
{
	struct pipe *p = kzalloc(sizeof(*p));

	if (!p)
		return NULL;
	p->page = kmalloc_array(PIPE_PAGES_DEFAULT, sizeof(*p->page));
	if (!p->page) {
		kfree(p);
		return NULL;
	}
	p->npages = PIPE_PAGES_DEFAULT;
	mutex_init(&p->lock);
	waitq_init(&p->can_read);
	waitq_init(&p->can_write);
	waitq_init(&p->opened);
	poll_head_init(&p->poll);
	list_init(&p->link);
	p->ino = file_new_ino();
	return p;
}

static void pipe_free_all(struct pipe *p)
{
	poll_head_destroy(&p->poll);
	for (unsigned i = 0; i < p->npages; i++) {
		if (p->page[i])
			page_put(p->page[i]);
	}
	kfree(p->page);
	kfree(p);
}

/* Bytes of [pos, pos + n) that are in one page. */
static unsigned pipe_run(unsigned pos, size_t n)
{
	unsigned off = pos & (PAGE_SIZE - 1);

	return (unsigned)MIN(n, PAGE_SIZE - off);
}

/* Move up to (n) bytes in, as far as there is room: the bytes, or -errno when
 * there was not one. */
static long pipe_fill(struct pipe *p, struct uio *u, size_t n)
{
	size_t done = 0;

	n = MIN(n, pipe_free(p));
	while (done < n) {
		void **page = pipe_page(p, p->head);
		unsigned part = pipe_run(p->head, n - done);
		long r;

		if (!*page)
			*page = page_alloc(0, 0);
		if (!*page)
			return done > 0 ? (long)done : -ENOMEM;
		r = uio_get(
		    u, (char *)*page + (p->head & (PAGE_SIZE - 1)), part);
		if (r < 0)
			return done > 0 ? (long)done : r;
		p->head += (unsigned)r;
		done += (size_t)r;
		if ((unsigned)r < part)
			break;
	}
	return (long)done;
}

/* The pipe is empty: start again in its first page, of which one is kept. */
static void pipe_rewind(struct pipe *p, void **page)
{
	p->head = p->tail = 0;
	if (page == &p->page[0])
		return;
	if (p->page[0])
		page_put(*page);
	else
		p->page[0] = *page;
	*page = NULL;
}

static void pipe_consume(struct pipe *p, unsigned n)
{
	void **page = pipe_page(p, p->tail);

	p->tail += n;
	if (pipe_used(p) == 0) {
		pipe_rewind(p, page);
	} else if ((p->tail & (PAGE_SIZE - 1)) == 0) {
		page_put(*page);
		*page = NULL;
	}
}

/* The byte at (pos). */
static char *pipe_at(const struct pipe *p, unsigned pos)
{
	return (char *)*pipe_page(p, pos) + (pos & (PAGE_SIZE - 1));
}

static long pipe_drain(struct pipe *p, struct uio *u)
{
	size_t n = MIN(u->left, pipe_used(p)), done = 0;

	while (done < n) {
		unsigned part = pipe_run(p->tail, n - done);
		long r = uio_put(u, pipe_at(p, p->tail), part);

		if (r < 0)
			return done > 0 ? (long)done : r;
		pipe_consume(p, (unsigned)r);
		done += (size_t)r;
		if ((unsigned)r < part)
			break;
	}
	return (long)done;
}

static int pipe_sleep(struct pipe *p, bool nonblock, struct waitq *q)
{
	if (nonblock)
		return -EAGAIN;
	if (waitq_wait_mutex(q, &p->lock, TIME_NEVER, WAIT_INTR) == -EINTR)
		return -ERESTARTSYS;
	return 0;
}

/* How many there are; 0 at the end. */
static long pipe_wait_bytes(struct pipe *p, bool nonblock)
{
	int err = 0;

	while (pipe_used(p) == 0 && p->writers > 0 && err == 0)
		err = pipe_sleep(p, nonblock, &p->can_read);
	return pipe_used(p) > 0 ? (long)pipe_used(p) : err;
}

static void pipe_was_read(struct pipe *p)
{
	waitq_wake_all(&p->can_write);
	poll_notify(&p->poll, EPOLLOUT | EPOLLWRNORM);
	/* A wake-up is for one reader: pass on what is left. */
	if (pipe_used(p) > 0)
		waitq_wake(&p->can_read, 1);
}

static long pipe_read(struct file *f, struct uio *u, uint64_t *off)
{
	struct pipe *p = f->priv;
	long r;

	(void)off;
	if (u->left == 0)
		return 0;
	mutex_lock(&p->lock);
	r = pipe_wait_bytes(p, file_nonblock(f));
	if (r > 0) {
		r = pipe_drain(p, u);
		pipe_was_read(p);
	}
	mutex_unlock(&p->lock);
	return r;
}

/* One round: what fits now.  Writes of up to PIPE_BUF bytes are one piece. */
static long pipe_write_some(struct pipe *p, struct uio *u, size_t whole)
{
	long r;

	if (whole <= PIPE_BUF && pipe_free(p) < whole)
		return -EAGAIN;
	if (pipe_free(p) == 0)
		return -EAGAIN;
	r = pipe_fill(p, u, u->left);
	if (r > 0) {
		waitq_wake(&p->can_read, 1);
		poll_notify(&p->poll, EPOLLIN | EPOLLRDNORM);
	}
	return r;
}

static long pipe_write(struct file *f, struct uio *u, uint64_t *off)
{
	struct pipe *p = f->priv;
	size_t whole = u->left;
	long r = 0;

	(void)off;
	mutex_lock(&p->lock);
	while (u->left > 0) {
		if (p->readers == 0) {
			signal_raise_self(SIGPIPE);
			r = -EPIPE;
			break;
		}
		r = pipe_write_some(p, u, whole);
		if (r == -EAGAIN)
			r = pipe_sleep(p, file_nonblock(f), &p->can_write);
		if (r < 0)
			break;
	}
	mutex_unlock(&p->lock);
	return u->left < whole ? (long)(whole - u->left) : r;
}

static uint32_t pipe_poll(struct file *f, struct poll_entry *pe)
{
	struct pipe *p = f->priv;
	uint32_t ev = 0;

	poll_wait(&p->poll, pe);
	mutex_lock(&p->lock);
	if (file_readable(f)) {
		if (pipe_used(p) > 0)
			ev |= EPOLLIN | EPOLLRDNORM;
		/* f->pos: writers that had been there at a FIFO's open */
		if (p->writers == 0 && f->pos != p->w_opened)
			ev |= EPOLLHUP;
	}
	if (file_writable(f)) {
		if (pipe_free(p) >= PIPE_BUF)
			ev |= EPOLLOUT | EPOLLWRNORM;
		if (p->readers == 0)
			ev |= EPOLLERR;
	}
	mutex_unlock(&p->lock);
	return ev;
}

static long pipe_ioctl(struct file *f, unsigned req, unsigned long arg)
{
	struct pipe *p = f->priv;
	int n;

	if (req != FIONREAD)
		return -ENOTTY;
	mutex_lock(&p->lock);
	n = (int)pipe_used(p);
	mutex_unlock(&p->lock);
	return copy_to_user((void *)arg, &n, sizeof(n));
}

static int pipe_stat(struct file *f, struct stat *st)
{
	struct pipe *p = f->priv;

	if (f->vnode) {
		struct vattr va;
		int err = vfs_getattr(f->vnode, &va);

		if (err == 0)
			vattr_to_stat(f->vnode, &va, st);
		return err;
	}
	memset(st, 0, sizeof(*st));
	st->st_mode = S_IFIFO | 0600;
	st->st_ino = p->ino;
	st->st_nlink = 1;
	st->st_blksize = PAGE_SIZE;
	return 0;
}

static int pipe_path(struct file *f, char *buf, size_t n)
{
	struct pipe *p = f->priv;

	return snprintf(buf, n, "pipe:[%lu]", (unsigned long)p->ino);
}

static void pipe_wake_everybody(struct pipe *p, uint32_t events)
{
	waitq_wake_all(&p->can_read);
	waitq_wake_all(&p->can_write);
	poll_notify(&p->poll, events);
}

/* True: the last user has gone and (p) is on no list. */
static bool pipe_unuse(struct pipe *p)
{
	bool last;

	mutex_lock(&fifo_lock);
	last = --p->users == 0;
	if (last)
		list_del(&p->link);
	mutex_unlock(&fifo_lock);
	return last;
}

/* The ends that (f) is come or go. */
static void pipe_count(struct pipe *p, struct file *f, int n)
{
	if (file_readable(f))
		p->readers += (unsigned)n;
	if (file_writable(f))
		p->writers += (unsigned)n;
}

static void pipe_release(struct file *f)
{
	struct pipe *p = f->priv;

	mutex_lock(&p->lock);
	pipe_count(p, f, -1);
	pipe_wake_everybody(p, EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM |
				   EPOLLERR | EPOLLHUP);
	mutex_unlock(&p->lock);
	if (pipe_unuse(p))
		pipe_free_all(p);
}

static const struct file_ops pipe_ops = {
	.read = pipe_read,
	.write = pipe_write,
	.ioctl = pipe_ioctl,
	.poll = pipe_poll,
	.stat = pipe_stat,
	.path = pipe_path,
	.release = pipe_release,
};

int pipe_create(struct file *end[2], uint32_t flags)
{
	struct pipe *p = pipe_alloc();

	if (!p)
		return -ENOMEM;
	p->r_opened = p->w_opened = 1;
	end[0] = file_new(&pipe_ops, flags | O_RDONLY, p);
	if (!end[0]) {
		pipe_free_all(p);
		return -ENOMEM;
	}
	p->readers = p->users = 1;
	end[1] = file_new(&pipe_ops, flags | O_WRONLY, p);
	if (!end[1]) {
		file_put(end[0]);
		return -ENOMEM;
	}
	p->writers = 1;
	p->users = 2;
	return 0;
}

/* --- FIFOs ------------------------------------------------------------- */

static struct pipe *fifo_get(struct vnode *v)
{
	struct pipe *p;

	mutex_lock(&fifo_lock);
	list_foreach (p, &fifos, link) {
		if (p->vnode == v)
			goto found;
	}
	p = pipe_alloc();
	if (p) {
		p->vnode = v;
		list_add(&fifos, &p->link);
	}
found:
	if (p)
		p->users++;
	mutex_unlock(&fifo_lock);
	return p;
}

/* Wait until the other kind has been opened once more. */
static int fifo_wait(struct pipe *p, const unsigned *count)
{
	unsigned was = *count;

	while (*count == was) {
		if (waitq_wait_mutex(
			&p->opened, &p->lock, TIME_NEVER, WAIT_INTR) == -EINTR)
			return -ERESTARTSYS;
	}
	return 0;
}

static int fifo_join(struct pipe *p, struct file *f)
{
	bool rd = file_readable(f), wr = file_writable(f);

	if (wr && !rd && p->readers == 0 && file_nonblock(f))
		return -ENXIO;
	pipe_count(p, f, 1);
	p->r_opened += rd;
	p->w_opened += wr;
	waitq_wake_all(&p->opened);
	if (rd && wr)
		return 0;
	if (rd && p->writers == 0) {
		if (!file_nonblock(f))
			return fifo_wait(p, &p->w_opened);
		/* Nobody has hung up yet: pipe_poll() */
		f->pos = p->w_opened;
	}
	if (wr && p->readers == 0)
		return fifo_wait(p, &p->r_opened);
	return 0;
}

int fifo_open(struct vnode *v, struct file *f)
{
	struct pipe *p = fifo_get(v);
	int err;

	if (!p)
		return -ENOMEM;
	f->pos = UINT64_MAX;
	mutex_lock(&p->lock);
	err = fifo_join(p, f);
	if (err == -ERESTARTSYS)
		pipe_count(p, f, -1);
	mutex_unlock(&p->lock);
	if (err == 0) {
		file_set_ops(f, &pipe_ops);
		f->priv = p;
	} else if (pipe_unuse(p)) {
		pipe_free_all(p);
	}
	return err;
}

/* --- size -------------------------------------------------------------- */

long pipe_size(struct file *f)
{
	struct pipe *p = f->priv;
	long n;

	if (f->ops != &pipe_ops)
		return -EBADF;
	mutex_lock(&p->lock);
	n = (long)(p->npages * PAGE_SIZE);
	mutex_unlock(&p->lock);
	return n;
}

/* Moves the pages in use to an array of (n), from its start. */
static int pipe_resize(struct pipe *p, unsigned n)
{
	unsigned first = p->tail >> PAGE_SHIFT;
	unsigned used =
	    pipe_used(p) == 0 ? 0 : ((p->head - 1) >> PAGE_SHIFT) - first + 1;
	void **page;

	if (used > n)
		return -EBUSY;
	page = kmalloc_array(n, sizeof(*page));
	if (!page)
		return -ENOMEM;
	for (unsigned i = 0; i < p->npages; i++) {
		void **old = pipe_page(p, (first + i) << PAGE_SHIFT);

		if (i < used)
			page[i] = *old;
		else if (*old)
			page_put(*old);
	}
	kfree(p->page);
	p->page = page;
	p->npages = n;
	p->head -= first << PAGE_SHIFT;
	p->tail -= first << PAGE_SHIFT;
	return 0;
}

long pipe_set_size(struct file *f, unsigned long bytes)
{
	struct pipe *p = f->priv;
	unsigned n = 1;
	long r;

	if (f->ops != &pipe_ops)
		return -EBADF;
	if (bytes > PIPE_PAGES_MAX * PAGE_SIZE)
		return bytes > 1ul << 31 ? -EINVAL : -EPERM;
	while (n * PAGE_SIZE < bytes)
		n *= 2;
	mutex_lock(&p->lock);
	r = pipe_resize(p, n);
	if (r == 0) {
		waitq_wake_all(&p->can_write);
		poll_notify(&p->poll, EPOLLOUT | EPOLLWRNORM);
		r = (long)(n * PAGE_SIZE);
	}
	mutex_unlock(&p->lock);
	return r;
}

/* --- splice ------------------------------------------------------------ */

long pipe_peek(struct file *f, void *buf, size_t n, bool nonblock)
{
	struct pipe *p = f->priv;
	size_t done = 0;
	long r;

	mutex_lock(&p->lock);
	r = pipe_wait_bytes(p, nonblock);
	if (r > 0)
		r = (long)MIN(n, (size_t)r);
	while (r > 0 && done < (size_t)r) {
		unsigned pos = p->tail + (unsigned)done;
		unsigned part = pipe_run(pos, (size_t)r - done);

		memcpy((char *)buf + done, pipe_at(p, pos), part);
		done += part;
	}
	/* The wake-up that ended the wait was for one who reads. */
	if (r > 0)
		waitq_wake(&p->can_read, 1);
	mutex_unlock(&p->lock);
	return r;
}

void pipe_skip(struct file *f, size_t n)
{
	struct pipe *p = f->priv;

	mutex_lock(&p->lock);
	n = MIN(n, pipe_used(p));
	while (n > 0) {
		unsigned part = pipe_run(p->tail, n);

		pipe_consume(p, part);
		n -= part;
	}
	pipe_was_read(p);
	mutex_unlock(&p->lock);
}

long pipe_room(struct file *f, bool nonblock)
{
	struct pipe *p = f->priv;
	long r = 0;

	mutex_lock(&p->lock);
	while (r == 0) {
		if (p->readers == 0) {
			signal_raise_self(SIGPIPE);
			r = -EPIPE;
		} else if (pipe_free(p) > 0) {
			r = pipe_free(p);
		} else {
			r = pipe_sleep(p, nonblock, &p->can_write);
		}
	}
	mutex_unlock(&p->lock);
	return r;
}
