/* Advisory locks: flock(2), fcntl_locking(2). */

#include "kern/flock.h"

#include "fs_int.h"

#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/sched.h"
#include "kern/signal.h"

#include <linux/fs.h>

/*
 * An owner is the descriptor table of a process (POSIX locks) or an open file
 * (OFD locks and flock()).  The first two kinds meet each other; flock() is
 * apart.  Deadlocks of POSIX locks are not looked for.
 */
enum flk_kind { FLK_POSIX, FLK_OFD, FLK_FLOCK };

struct flk {
	struct list link; /* vnode->flocks */
	enum flk_kind kind;
	const void *owner;
	bool exclusive;
	uint64_t start, end; /* the last byte */
	int pid;
};

static struct mutex flk_lock = MUTEX_INIT(flk_lock); /* all vnodes' locks */
static struct waitq flk_changed = WAITQ_INIT(flk_changed);

static bool flk_mine(const struct flk *a, const struct flk *b)
{
	return a->kind == b->kind && a->owner == b->owner;
}

static bool flk_overlap(const struct flk *a, const struct flk *b)
{
	return a->start <= b->end && b->start <= a->end;
}

/* The first lock that keeps (want) out, or NULL. */
static struct flk *flk_conflict(struct vnode *v, const struct flk *want)
{
	struct flk *l;

	list_foreach (l, &v->flocks, link)
		if ((l->kind == FLK_FLOCK) == (want->kind == FLK_FLOCK) &&
		    !flk_mine(l, want) && flk_overlap(l, want) &&
		    (l->exclusive || want->exclusive))
			return l;
	return NULL;
}

/* Drop (what) from the owner's locks.  A lock that it cuts in two needs
 * (*spare) for its second part. */
static void flk_carve(
    struct vnode *v, const struct flk *what, struct flk **spare)
{
	struct flk *l, *tmp;

	list_foreach_safe (l, tmp, &v->flocks, link) {
		if (!flk_mine(l, what) || !flk_overlap(l, what))
			continue;
		if (l->start < what->start && l->end > what->end) {
			**spare = *l;
			(*spare)->start = what->end + 1;
			list_add_tail(&v->flocks, &(*spare)->link);
			*spare = NULL;
			l->end = what->start - 1;
		} else if (l->start < what->start) {
			l->end = what->start - 1;
		} else if (l->end > what->end) {
			l->start = what->end + 1;
		} else {
			list_del(&l->link);
			kfree(l);
		}
	}
}

static int flk_wait(struct vnode *v, const struct flk *want, bool block)
{
	while (flk_conflict(v, want)) {
		if (!block)
			return -EAGAIN;
		if (waitq_wait_mutex(
			&flk_changed, &flk_lock, TIME_NEVER, WAIT_INTR))
			return -ERESTARTSYS;
	}
	return 0;
}

/* Take or drop a lock. */
static int flk_set(
    struct vnode *v, const struct flk *want, bool unlock, bool block)
{
	struct flk *new = kmalloc(sizeof(*new)), *spare = kmalloc(sizeof(*new));
	int err = new &&spare ? 0 : -ENOLCK;

	mutex_lock(&flk_lock);
	if (!err && !unlock)
		err = flk_wait(v, want, block);
	if (!err)
		flk_carve(v, want, &spare);
	if (!err && !unlock) {
		*new = *want;
		list_add_tail(&v->flocks, &new->link);
		new = NULL;
	}
	/* A lock may have become weaker, too. */
	waitq_wake_all(&flk_changed);
	mutex_unlock(&flk_lock);
	kfree(new);
	kfree(spare);
	return err;
}

static void flk_release(struct vnode *v, enum flk_kind kind, const void *owner)
{
	struct flk all = {
		.kind = kind,
		.owner = owner,
		.end = UINT64_MAX,
	};
	struct flk *spare = NULL; /* nothing is cut: everything goes */

	mutex_lock(&flk_lock);
	flk_carve(v, &all, &spare);
	waitq_wake_all(&flk_changed);
	mutex_unlock(&flk_lock);
}

/* --- flock(2) ------------------------------------------------------------ */

#define FLOCK_SH 1
#define FLOCK_EX 2
#define FLOCK_NB 4
#define FLOCK_UN 8

int flock_apply(struct file *f, int op)
{
	struct flk want = {
		.kind = FLK_FLOCK,
		.owner = f,
		.exclusive = (op & ~FLOCK_NB) == FLOCK_EX,
		.end = UINT64_MAX,
	};
	int what = op & ~FLOCK_NB;

	if (!f->vnode || (f->flags & O_PATH))
		return -EBADF;
	if (what != FLOCK_SH && what != FLOCK_EX && what != FLOCK_UN)
		return -EINVAL;
	/* Changing a lock is letting go and asking again, says flock(2). */
	flk_release(f->vnode, FLK_FLOCK, f);
	if (what == FLOCK_UN)
		return 0;
	return flk_set(f->vnode, &want, false, !(op & FLOCK_NB));
}

/* --- fcntl(2) ------------------------------------------------------------ */

static int flk_base(const struct file *f, const struct flock *fl, int64_t *base)
{
	switch (fl->l_whence) {
	case SEEK_SET:
		*base = 0;
		return 0;
	case SEEK_CUR:
		*base = (int64_t)f->pos;
		return 0;
	case SEEK_END:
		*base = (int64_t)vnode_data(f->vnode)->size;
		return 0;
	default:
		return -EINVAL;
	}
}

/* The bytes from (start) on, or before it when the length is negative. */
static int flk_range(
    const struct file *f, const struct flock *fl, struct flk *l)
{
	int64_t start, end;
	int err = flk_base(f, fl, &start);

	if (err)
		return err;
	if (add_overflow(start, fl->l_start, &start))
		return -EOVERFLOW;
	if (fl->l_len == 0) {
		l->end = UINT64_MAX;
	} else if (fl->l_len > 0) {
		if (add_overflow(start, fl->l_len - 1, &end))
			return -EOVERFLOW;
		l->end = (uint64_t)end;
	} else {
		l->end = (uint64_t)start - 1;
		if (start <= 0 || add_overflow(start, fl->l_len, &start))
			return -EINVAL;
	}
	if (start < 0)
		return -EINVAL;
	l->start = (uint64_t)start;
	return 0;
}

static void flk_get(struct vnode *v, const struct flk *want, struct flock *fl)
{
	const struct flk *l;

	mutex_lock(&flk_lock);
	l = flk_conflict(v, want);
	if (!l) {
		fl->l_type = F_UNLCK;
	} else {
		fl->l_type = l->exclusive ? F_WRLCK : F_RDLCK;
		fl->l_whence = SEEK_SET;
		fl->l_start = (long)l->start;
		fl->l_len =
		    l->end == UINT64_MAX ? 0 : (long)(l->end - l->start + 1);
		fl->l_pid = l->pid;
	}
	mutex_unlock(&flk_lock);
}

static bool flk_is_ofd(int cmd)
{
	return cmd == F_OFD_GETLK || cmd == F_OFD_SETLK || cmd == F_OFD_SETLKW;
}

static int flk_check(const struct file *f, int cmd, const struct flock *fl)
{
	bool get = cmd == F_GETLK || cmd == F_OFD_GETLK;

	if (!f->vnode || (f->flags & O_PATH))
		return -EBADF;
	if (flk_is_ofd(cmd) && fl->l_pid != 0)
		return -EINVAL;
	switch (fl->l_type) {
	case F_RDLCK:
		return get || file_readable(f) ? 0 : -EBADF;
	case F_WRLCK:
		return get || file_writable(f) ? 0 : -EBADF;
	case F_UNLCK:
		return get ? -EINVAL : 0;
	default:
		return -EINVAL;
	}
}

int flock_fcntl(struct file *f, int cmd, struct flock *fl)
{
	bool ofd = flk_is_ofd(cmd);
	struct flk want = {
		.kind = ofd ? FLK_OFD : FLK_POSIX,
		.owner = ofd ? (const void *)f : thread_self()->files,
		.exclusive = fl->l_type == F_WRLCK,
		.pid = ofd ? -1 : (int)thread_self()->id,
	};
	int err = flk_check(f, cmd, fl);

	if (!err)
		err = flk_range(f, fl, &want);
	if (err)
		return err;
	if (cmd == F_GETLK || cmd == F_OFD_GETLK) {
		flk_get(f->vnode, &want, fl);
		return 0;
	}
	return flk_set(f->vnode, &want, fl->l_type == F_UNLCK,
	    cmd == F_SETLKW || cmd == F_OFD_SETLKW);
}

/* --- closing ------------------------------------------------------------- */

void flock_fd_closed(struct file *f)
{
	if (f->vnode && !list_empty(&f->vnode->flocks))
		flk_release(f->vnode, FLK_POSIX, thread_self()->files);
}

void flock_file_gone(struct file *f)
{
	if (!f->vnode || list_empty(&f->vnode->flocks))
		return;
	flk_release(f->vnode, FLK_FLOCK, f);
	flk_release(f->vnode, FLK_OFD, f);
}
