#include "fs_int.h"

#include "kern/errno.h"
#include "kern/pipe.h"
#include "kern/string.h"

/* Opening by path: open(2). */

/* Flags that say how to open and are not kept: fcntl(2), F_GETFL. */
#define OPEN_ONLY_FLAGS (O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC)
#define OPEN_PATH_FLAGS (O_PATH | O_DIRECTORY | O_NOFOLLOW)

static bool open_writes(int flags)
{
	return (flags & O_ACCMODE) != O_RDONLY;
}

static int open_check_kind(const struct vnode *v, int flags)
{
	switch (v->mode & S_IFMT) {
	case S_IFLNK:
		return -ELOOP;
	case S_IFDIR:
		return open_writes(flags) || (flags & (O_CREAT | O_TRUNC))
			   ? -EISDIR
			   : 0;
	case S_IFSOCK:
		return -ENXIO;
	case S_IFREG:
		return open_writes(flags) || (flags & O_TRUNC)
			   ? vnode_check_write(v)
			   : 0;
	default:
		return 0;
	}
}

static int open_check(const struct vnode *v, int flags)
{
	if ((flags & O_DIRECTORY) && !vnode_is(v, S_IFDIR))
		return -ENOTDIR;
	return flags & O_PATH ? 0 : open_check_kind(v, flags);
}

static int open_device(struct vnode *v, struct file *f)
{
	struct vattr a;
	int err = vfs_getattr(v, &a);

	return err ? err : dev_open(v, a.rdev, f);
}

/* Choose the file's operations. */
static int open_ops(struct vnode *v, struct file *f)
{
	if (f->flags & O_PATH)
		return 0;
	switch (v->mode & S_IFMT) {
	case S_IFCHR:
	case S_IFBLK:
		return open_device(v, f);
	case S_IFIFO:
		return fifo_open(v, f);
	case S_IFDIR:
		file_set_ops(f, &dir_ops);
		break;
	default:
		file_set_ops(f, &vfile_ops);
	}
	return v->ops->open ? v->ops->open(v, f) : 0;
}

static int open_truncate(struct vnode *v)
{
	struct vattr a = { .size = 0 };

	return vfs_setattr(v, &a, VATTR_SIZE);
}

/* An open file on (d); until it has succeeded the file has no operations that
 * do anything. */
static int open_name(
    struct dentry *d, int flags, bool created, struct file **out)
{
	uint32_t keep =
	    flags & O_PATH ? (uint32_t)(flags & OPEN_PATH_FLAGS)
			   : (uint32_t)(flags & ~OPEN_ONLY_FLAGS) | O_LARGEFILE;
	struct vnode *v = d->vnode;
	struct file *f;
	int err;

	err = created ? 0 : open_check(v, flags);
	if (err)
		return err;
	if (v->ops->reopen && !(flags & O_PATH)) {
		*out = v->ops->reopen(v);
		return 0;
	}
	f = file_new(&path_ops, keep, NULL);
	if (!f)
		return -ENOMEM;
	dentry_get(d);
	vnode_get(v);
	f->dentry = d;
	f->vnode = v;
	/* Before the file is opened: an overlay need not copy its contents. */
	if ((flags & (O_TRUNC | O_PATH)) == O_TRUNC && !created &&
	    vnode_is(v, S_IFREG))
		err = open_truncate(v);
	if (!err)
		err = open_ops(v, f);
	if (err)
		file_put(f);
	else
		*out = f;
	return err;
}

int open_created(struct dentry *d, int flags, struct file **out)
{
	return open_name(d, flags, true, out);
}

/* --- O_CREAT ------------------------------------------------------------ */

/* The name after WALK_PARENT, made if it is not there. */
static int open_make(struct walk *w, int flags, uint32_t mode,
    struct dentry **out, bool *created)
{
	struct dentry *d = NULL;
	int err;

	rwlock_write(&w->cur->vnode->lock);
	err = walk_child_locked(w->cur, w->last, w->last_len, &d);
	if (!err && !d->vnode) {
		err = name_create(w->cur, d, S_IFREG | (mode & 07777), 0, NULL);
		*created = true;
	} else if (!err && (flags & O_EXCL)) {
		err = -EEXIST;
	}
	rwlock_unlock(&w->cur->vnode->lock);
	if (err && d)
		dentry_put(d);
	*out = d;
	return err;
}

static int open_last(struct walk *w, int flags, uint32_t mode,
    struct dentry **out, bool *created)
{
	struct dentry *d = NULL;
	int err;

	if (w->last_len == 0 || name_is_dots(w->last, w->last_len) || w->slash)
		return -EISDIR;
	/* Without the lock for writing first: mostly it is there. */
	err = walk_child(w->cur, w->last, w->last_len, &d);
	if (err)
		return err;
	if (!d->vnode || (flags & O_EXCL)) {
		dentry_put(d);
		err = open_make(w, flags, mode, &d, created);
		if (err)
			return err;
	}
	*out = dentry_cross(d);
	return 0;
}

static int open_create(
    struct walk *w, int flags, uint32_t mode, struct file **out)
{
	bool created = false;
	struct dentry *d;
	int err;

	for (;;) {
		err = walk_run(w, WALK_PARENT);
		if (!err)
			err = open_last(w, flags, mode, &d, &created);
		if (err)
			return err;
		if (!vnode_is(d->vnode, S_IFLNK) || (flags & O_NOFOLLOW))
			break;
		err = walk_follow(w, d);
		dentry_put(d);
		if (err)
			return err;
	}
	err = open_name(d, flags, created, out);
	dentry_put(d);
	return err;
}

/* --- O_TMPFILE ---------------------------------------------------------- */

static int open_tmpfile(
    struct dentry *dir, int flags, uint32_t mode, struct file **out)
{
	struct vnode *v = dir->vnode, *made;
	struct dentry *d;
	int err;

	if (!open_writes(flags))
		return -EINVAL;
	if (!vnode_is(v, S_IFDIR))
		return -ENOTDIR;
	if (!v->ops->tmpfile)
		return -EOPNOTSUPP;
	err = v->ops->tmpfile(v, S_IFREG | (mode & 07777), &made);
	if (err)
		return err;
	d = dentry_alone(dir->mount, dir, "#tmpfile", 8, made);
	if (!d)
		return -ENOMEM;
	dentry_mark_unlinked(d);
	err = open_name(d, flags & ~O_TMPFILE, true, out);
	dentry_put(d);
	return err;
}

static int open_walk(
    struct walk *w, int flags, uint32_t mode, struct file **out)
{
	unsigned how = flags & O_NOFOLLOW ? WALK_NOFOLLOW : 0;
	int err;

	if ((flags & O_CREAT) && !(flags & O_PATH))
		return open_create(w, flags, mode, out);
	err = walk_run(w, how);
	if (err)
		return err;
	if ((flags & O_TMPFILE) == O_TMPFILE && !(flags & O_PATH))
		return open_tmpfile(w->cur, flags, mode, out);
	return open_name(w->cur, flags, false, out);
}

int vfs_open(struct dentry *at, const char *path, int flags, uint32_t mode,
    struct file **out)
{
	struct walk w;
	int err;

	if ((flags & O_CREAT) && (flags & O_DIRECTORY) && !(flags & O_PATH))
		return -EINVAL;
	err = walk_begin(&w, at, path, 0);
	if (err)
		return err;
	err = open_walk(&w, flags, mode & ~fs_umask(), out);
	walk_end(&w);
	return err;
}
