/* Open files: see kern/file.h.  Freed after a grace period, for fd_get(). */

#include "kern/file.h"

#include "files_int.h"
#include "kern/errno.h"
#include "kern/flock.h"
#include "kern/mm.h"
#include "kern/panic.h"
#include "kern/sched.h"
#include "kern/string.h"
#include "kern/vfs.h"

struct file_box {
	struct file file;
	struct rcu_head rcu;
};

struct file *file_new(const struct file_ops *ops, uint32_t flags, void *priv)
{
	struct file_box *b = kzalloc(sizeof(*b));
	struct file *f;

	if (!b)
		return NULL;
	f = &b->file;
	f->refs = 1;
	f->flags = flags;
	file_set_ops(f, ops);
	f->priv = priv;
	mutex_init(&f->pos_lock);
	list_init(&f->epoll_items);
	return f;
}

void file_set_ops(struct file *f, const struct file_ops *ops)
{
	f->ops = ops;
	f->can = 0;
	if (file_readable(f) && ops->read)
		f->can |= FILE_READS;
	if (file_writable(f) && ops->write)
		f->can |= FILE_WRITES;
	if (ops->seek && !ops->no_position)
		f->can |= FILE_POSITION;
}

void file_get(struct file *f)
{
	uint32_t old =
	    atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);

	assert(old != 0);
}

static void file_free(struct rcu_head *rcu)
{
	kfree(container_of(rcu, struct file_box, rcu));
}

void file_put(struct file *f)
{
	struct file_box *b = container_of(f, struct file_box, file);

	if (atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (!list_empty(&f->epoll_items))
		epoll_file_gone(f);
	if (f->vnode)
		flock_file_gone(f);
	f->ops->release(f);
	if (f->dentry)
		dentry_put(f->dentry);
	if (f->vnode)
		vnode_put(f->vnode);
	rcu_call(&b->rcu, file_free);
}

void file_closed(struct file *f)
{
	if (f->vnode)
		flock_fd_closed(f);
	file_put(f);
}

uint64_t file_new_ino(void)
{
	static _Atomic uint64_t last;

	return atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
}

/* All that has neither a vnode nor a stat() of its own shares one inode. */
static void file_stat_anonymous(struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_dev = 1;
	st->st_ino = 1;
	st->st_nlink = 1;
	st->st_mode = 0600;
	st->st_blksize = PAGE_SIZE;
}

int file_stat(struct file *f, struct stat *st)
{
	struct vattr va;
	int err;

	if (f->ops->stat)
		return f->ops->stat(f, st);
	if (!f->vnode) {
		file_stat_anonymous(st);
		return 0;
	}
	err = vfs_getattr(f->vnode, &va);
	if (err == 0)
		vattr_to_stat(f->vnode, &va, st);
	return err;
}

long file_read_at(struct file *f, void *buf, size_t n, uint64_t off)
{
	size_t done = 0;

	if (!f->ops->read)
		return -EINVAL;
	while (done < n) {
		struct uio u;
		long r;

		uio_init(&u, (char *)buf + done, n - done, false);
		r = f->ops->read(f, &u, &off);
		if (r < 0)
			return done > 0 ? (long)done : r;
		if (r == 0)
			break;
		done += (size_t)r;
	}
	return (long)done;
}
