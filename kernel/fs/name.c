#include "fs_int.h"

#include "kern/errno.h"
#include "kern/string.h"

#include <linux/fs.h>

/*
 * Making, removing and moving names.  The directory's vnode lock is held for
 * writing around each; for two directories, and for a directory that goes,
 * from the root downwards, with (rename_lock) keeping the tree as it is.
 */
static struct mutex rename_lock = MUTEX_INIT(rename_lock);

int name_create(struct dentry *dir, struct dentry *d, uint32_t mode,
    uint64_t rdev, const char *target)
{
	struct vnode *v = dir->vnode, *made;
	int err;

	if (dentry_unlinked(dir))
		return -ENOENT;
	err = vnode_check_write(v);
	if (err)
		return err;
	if (!v->ops->create)
		return -EROFS;
	err = v->ops->create(v, d->name, d->len, mode, rdev, target, &made);
	if (!err)
		dentry_fill(d, made);
	return err;
}

/* Walk to the directory of a name that is to be made. */
static int name_begin(struct walk *w, struct dentry *at, const char *path)
{
	int err;

	err = walk_begin(w, at, path, 0);
	if (err)
		return err;
	err = walk_run(w, WALK_PARENT);
	if (!err && (w->last_len == 0 || name_is_dots(w->last, w->last_len)))
		err = -EEXIST;
	if (err)
		walk_end(w);
	return err;
}

static int name_make_locked(struct walk *w, uint32_t mode, uint64_t rdev,
    const char *target, struct dentry **out)
{
	struct dentry *d;
	int err;

	err = walk_child_locked(w->cur, w->last, w->last_len, &d);
	if (err)
		return err;
	if (d->vnode)
		err = -EEXIST;
	else if (w->slash && !S_ISDIR(mode))
		err = -ENOENT;
	else
		err = name_create(w->cur, d, mode, rdev, target);
	if (!err && out)
		*out = d;
	else
		dentry_put(d);
	return err;
}

static int name_make(struct dentry *at, const char *path, uint32_t mode,
    uint64_t rdev, const char *target, struct dentry **out)
{
	struct walk w;
	int err;

	err = name_begin(&w, at, path);
	if (err)
		return err;
	rwlock_write(&w.cur->vnode->lock);
	err = name_make_locked(&w, mode, rdev, target, out);
	rwlock_unlock(&w.cur->vnode->lock);
	walk_end(&w);
	return err;
}

int vfs_mknod(struct dentry *at, const char *path, uint32_t mode, uint64_t rdev,
    struct dentry **out)
{
	switch (mode & S_IFMT) {
	case 0:
		mode |= S_IFREG;
		break;
	case S_IFREG:
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		break;
	case S_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
	return name_make(at, path, mode & ~fs_umask(), rdev, NULL, out);
}

int vfs_mkdir(struct dentry *at, const char *path, uint32_t mode)
{
	mode &= 01777 & ~fs_umask();
	return name_make(at, path, S_IFDIR | mode, 0, NULL, NULL);
}

int vfs_symlink(const char *target, struct dentry *at, const char *path)
{
	size_t len = strnlen(target, FS_PATH_MAX);

	if (len == 0)
		return -ENOENT;
	if (len == FS_PATH_MAX)
		return -ENAMETOOLONG;
	return name_make(at, path, S_IFLNK | 0777, 0, target, NULL);
}

static int name_link_locked(struct walk *w, struct vnode *v)
{
	struct vnode *dir = w->cur->vnode;
	struct dentry *d;
	int err;

	err = walk_child_locked(w->cur, w->last, w->last_len, &d);
	if (err)
		return err;
	err = vnode_check_write(dir);
	if (d->vnode)
		err = -EEXIST;
	else if (dir->mount != v->mount)
		err = -EXDEV;
	else if (w->slash || dentry_unlinked(w->cur))
		err = -ENOENT;
	else if (!err)
		err = dir->ops->link ? dir->ops->link(dir, d->name, d->len, v)
				     : -EROFS;
	if (!err) {
		vnode_get(v);
		dentry_fill(d, v);
	}
	dentry_put(d);
	return err;
}

int vfs_link(struct dentry *from, struct dentry *at, const char *path)
{
	struct walk w;
	int err;

	err = name_begin(&w, at, path);
	if (err)
		return err;
	if (vnode_is(from->vnode, S_IFDIR)) {
		err = -EPERM;
	} else {
		rwlock_write(&w.cur->vnode->lock);
		err = name_link_locked(&w, from->vnode);
		rwlock_unlock(&w.cur->vnode->lock);
	}
	walk_end(&w);
	return err;
}

/* May the name (d) go? */
static int name_check_remove(const struct dentry *d, bool rmdir, bool slash)
{
	bool dir;

	if (!d->vnode)
		return -ENOENT;
	dir = vnode_is(d->vnode, S_IFDIR);
	if (rmdir && !dir)
		return -ENOTDIR;
	if (!rmdir && dir)
		return -EISDIR;
	if (!rmdir && slash)
		return -ENOTDIR;
	return d->mounted ? -EBUSY : 0;
}

static int name_remove(struct dentry *dir, struct dentry *d, bool rmdir)
{
	struct vnode *v = dir->vnode;
	int err = vnode_check_write(v);

	if (err)
		return err;
	if (!v->ops->unlink)
		return -EROFS;
	if (rmdir)
		rwlock_write(&d->vnode->lock);
	err = v->ops->unlink(v, d->name, d->len, d->vnode, rmdir);
	if (!err)
		dentry_mark_unlinked(d);
	if (rmdir)
		rwlock_unlock(&d->vnode->lock);
	return err;
}

static int name_unlink_last(struct walk *w, bool rmdir)
{
	struct dentry *d = NULL;
	int err;

	if (w->last_len == 0)
		return rmdir ? -EBUSY : -EISDIR;
	if (name_is_dots(w->last, w->last_len)) {
		if (!rmdir)
			return -EISDIR;
		return w->last_len == 1 ? -EINVAL : -ENOTEMPTY;
	}
	rwlock_write(&w->cur->vnode->lock);
	err = walk_child_locked(w->cur, w->last, w->last_len, &d);
	if (!err) {
		err = name_check_remove(d, rmdir, w->slash);
		if (!err)
			err = name_remove(w->cur, d, rmdir);
	}
	rwlock_unlock(&w->cur->vnode->lock);
	/* After the lock: this may be the last use of a large file. */
	if (d)
		dentry_put(d);
	return err;
}

int vfs_unlink(struct dentry *at, const char *path, bool rmdir)
{
	struct walk w;
	int err;

	err = walk_begin(&w, at, path, 0);
	if (err)
		return err;
	err = walk_run(&w, WALK_PARENT);
	if (!err)
		err = name_unlink_last(&w, rmdir);
	walk_end(&w);
	return err;
}

/* --- rename -------------------------------------------------------------- */

struct rename {
	struct walk from, to;
	struct dentry *what,
	    *over; /* (over) is negative when nothing is there */
	unsigned flags;
};

static void rename_lock_dirs(struct dentry *a, struct dentry *b)
{
	mutex_lock(&rename_lock);
	if (a->vnode == b->vnode) {
		rwlock_write(&a->vnode->lock);
		return;
	}
	if (dentry_is_ancestor(b, a)) {
		struct dentry *t = a;

		a = b;
		b = t;
	}
	rwlock_write(&a->vnode->lock);
	rwlock_write(&b->vnode->lock);
}

static void rename_unlock_dirs(struct dentry *a, struct dentry *b)
{
	rwlock_unlock(&a->vnode->lock);
	if (a->vnode != b->vnode)
		rwlock_unlock(&b->vnode->lock);
	mutex_unlock(&rename_lock);
}

/* The kinds of what moves and of what it replaces. */
static int rename_check_kind(const struct rename *r)
{
	bool dir = vnode_is(r->what->vnode, S_IFDIR);
	bool over_dir;

	if (!dir && (r->from.slash || r->to.slash))
		return -ENOTDIR;
	if (!r->over->vnode)
		return 0;
	over_dir = vnode_is(r->over->vnode, S_IFDIR);
	if (dir && !over_dir)
		return -ENOTDIR;
	return !dir && over_dir ? -EISDIR : 0;
}

static int rename_check(const struct rename *r)
{
	int err;

	if (!r->what->vnode)
		return -ENOENT;
	if (r->over->vnode && (r->flags & RENAME_NOREPLACE))
		return -EEXIST;
	if (dentry_is_ancestor(r->what, r->to.cur))
		return -EINVAL;
	if (r->over->vnode && dentry_is_ancestor(r->over, r->from.cur))
		return -ENOTEMPTY;
	err = rename_check_kind(r);
	if (err)
		return err;
	if (dentry_unlinked(r->to.cur))
		return -ENOENT;
	if (r->what->mounted || r->over->mounted)
		return -EBUSY;
	err = vnode_check_write(r->to.cur->vnode);
	if (err)
		return err;
	return r->from.cur->vnode->ops->rename ? 0 : -EROFS;
}

static int rename_do(struct rename *r)
{
	struct vnode *over = r->over->vnode;
	bool lock = over && vnode_is(over, S_IFDIR);
	int err;

	err = rename_check(r);
	/* Two names of one file: nothing to do, says rename(2). */
	if (err || over == r->what->vnode)
		return err;
	if (lock)
		rwlock_write(&over->lock);
	err = r->from.cur->vnode->ops->rename(r->from.cur->vnode, r->what->name,
	    r->what->len, r->to.cur->vnode, r->over->name, r->over->len,
	    r->what->vnode, over);
	if (!err)
		dentry_move(r->what, r->over);
	if (lock)
		rwlock_unlock(&over->lock);
	return err;
}

static int rename_locked(struct rename *r)
{
	int err;

	err = walk_child_locked(
	    r->from.cur, r->from.last, r->from.last_len, &r->what);
	if (err)
		return err;
	err =
	    walk_child_locked(r->to.cur, r->to.last, r->to.last_len, &r->over);
	return err ? err : rename_do(r);
}

static int rename_last(struct rename *r)
{
	struct walk *a = &r->from, *b = &r->to;
	int err;

	if (a->cur->mount != b->cur->mount)
		return -EXDEV;
	if (a->last_len == 0 || name_is_dots(a->last, a->last_len))
		return -EBUSY;
	if (b->last_len == 0 || name_is_dots(b->last, b->last_len))
		return r->flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	rename_lock_dirs(a->cur, b->cur);
	err = rename_locked(r);
	rename_unlock_dirs(a->cur, b->cur);
	if (r->what)
		dentry_put(r->what);
	if (r->over)
		dentry_put(r->over);
	return err;
}

int vfs_rename(struct dentry *oat, const char *opath, struct dentry *nat,
    const char *npath, unsigned flags)
{
	struct rename r = { .flags = flags };
	int err;

	/* No file system here can exchange: -EINVAL, as Linux says then. */
	if (flags & ~(unsigned)RENAME_NOREPLACE)
		return -EINVAL;
	err = walk_begin(&r.from, oat, opath, 0);
	if (err)
		return err;
	err = walk_run(&r.from, WALK_PARENT);
	if (err)
		goto out_from;
	err = walk_begin(&r.to, nat, npath, 0);
	if (err)
		goto out_from;
	err = walk_run(&r.to, WALK_PARENT);
	if (!err)
		err = rename_last(&r);
	walk_end(&r.to);
out_from:
	walk_end(&r.from);
	return err;
}
