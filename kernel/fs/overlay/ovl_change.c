#include "overlay.h"

#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/string.h"

/* Changing merged directories.  The layer holds the overlay directory's lock
 * for writing. */

/* --- whiteouts ----------------------------------------------------------- */

/* In the upper directory (dir), whose lock is held for writing. */
static int whiteout_make(struct vnode *dir, const char *name, size_t len)
{
	struct vnode *v;
	int err = dir->ops->create(dir, name, len, S_IFCHR, 0, NULL, &v);

	if (err)
		return err;
	v->flags |= OVL_WHITEOUT;
	vnode_put(v);
	return 0;
}

/* Remove the whiteout of (name), if there is one: *was. */
static int whiteout_clear(
    struct vnode *dir, const char *name, size_t len, bool *was)
{
	struct vnode *v;
	int err = dir->ops->lookup(dir, name, len, &v);

	*was = false;
	if (err)
		return err == -ENOENT ? 0 : err;
	if (v->flags & OVL_WHITEOUT) {
		err = dir->ops->unlink(dir, name, len, v, false);
		*was = !err;
	}
	vnode_put(v);
	return err;
}

static bool keep_first(void *arg, const char *name, size_t len, uint64_t ino,
    uint8_t type, uint64_t next)
{
	(void)ino;
	(void)type;
	(void)next;
	memcpy(arg, name, len);
	((char *)arg)[len] = '\0';
	return false;
}

/* A merged directory that is empty has only whiteouts in the upper tree. */
static int whiteout_purge(struct vnode *dir)
{
	char *name = kmalloc(FS_NAME_MAX + 1);
	int err = name ? 0 : -ENOMEM;
	bool was = true;

	rwlock_write(&dir->lock);
	while (!err && was) {
		uint64_t off = 2;

		name[0] = '\0';
		err = dir->ops->readdir(dir, &off, keep_first, name);
		if (err || !name[0])
			break;
		err = whiteout_clear(dir, name, strlen(name), &was);
	}
	rwlock_unlock(&dir->lock);
	kfree(name);
	return err;
}

static bool ovl_in_lower(struct ovl_node *dir, const char *name, size_t len)
{
	struct vnode *v;

	if (ovl_peek(dir->lower, name, len, &v) || !v)
		return false;
	vnode_put(v);
	return true;
}

/* --- making -------------------------------------------------------------- */

/* What is made is new: nothing of the lower tree shows through a directory. */
static int create_locked(struct vnode *dir, const char *name, size_t len,
    uint32_t mode, uint64_t rdev, const char *target, struct vnode **out)
{
	bool was;
	int err = whiteout_clear(dir, name, len, &was);

	if (err)
		return err;
	err = dir->ops->create(dir, name, len, mode, rdev, target, out);
	if (!err && S_ISDIR(mode))
		(*out)->flags |= OVL_OPAQUE;
	if (err && was)
		whiteout_make(dir, name, len);
	return err;
}

int ovl_create(struct vnode *v, const char *name, size_t len, uint32_t mode,
    uint64_t rdev, const char *target, struct vnode **out)
{
	struct ovl_node *dir = ovl_node(v);
	struct vnode *upper, *made;
	int err = ovl_copy_up(dir, UINT64_MAX);

	if (err)
		return err;
	upper = dir->upper;
	rwlock_write(&upper->lock);
	err = create_locked(upper, name, len, mode, rdev, target, &made);
	rwlock_unlock(&upper->lock);
	if (err)
		return err;
	return ovl_node_new(v->mount, dir, name, len, made, NULL,
	    made->ino | OVL_UPPER_INO, out);
}

int ovl_tmpfile(struct vnode *v, uint32_t mode, struct vnode **out)
{
	struct vnode *root = ovl_of(v)->upper->root, *made;
	int err = root->ops->tmpfile(root, mode, &made);

	if (err)
		return err;
	return ovl_node_new(
	    v->mount, NULL, "", 0, made, NULL, made->ino | OVL_UPPER_INO, out);
}

int ovl_link(struct vnode *v, const char *name, size_t len, struct vnode *to)
{
	struct ovl_node *dir = ovl_node(v), *n = ovl_node(to);
	struct vnode *upper;
	bool was;
	int err = ovl_copy_up(dir, UINT64_MAX);

	if (!err)
		err = ovl_copy_up(n, UINT64_MAX);
	if (err)
		return err;
	upper = dir->upper;
	rwlock_write(&upper->lock);
	err = whiteout_clear(upper, name, len, &was);
	if (!err)
		err = upper->ops->link(upper, name, len, n->upper);
	if (err && was)
		whiteout_make(upper, name, len);
	rwlock_unlock(&upper->lock);
	return err;
}

/* --- removing ------------------------------------------------------------ */

static int unlink_locked(struct vnode *dir, const char *name, size_t len,
    struct vnode *upper, bool rmdir, bool whiteout)
{
	int err = 0;

	if (upper)
		err = dir->ops->unlink(dir, name, len, upper, rmdir);
	if (!err && whiteout)
		err = whiteout_make(dir, name, len);
	return err;
}

int ovl_unlink(struct vnode *v, const char *name, size_t len,
    struct vnode *what, bool rmdir)
{
	struct ovl_node *dir = ovl_node(v), *n = ovl_node(what);
	bool whiteout = ovl_in_lower(dir, name, len);
	struct vnode *upper;
	int err = rmdir ? ovl_check_empty(n) : 0;

	if (!err)
		err = ovl_copy_up(dir, UINT64_MAX);
	if (!err && rmdir && n->upper)
		err = whiteout_purge(n->upper);
	if (err)
		return err;
	upper = dir->upper;
	rwlock_write(&upper->lock);
	err = unlink_locked(upper, name, len, n->upper, rmdir, whiteout);
	rwlock_unlock(&upper->lock);
	return err;
}

/* --- rename -------------------------------------------------------------- */

struct ovl_move {
	struct vnode *from, *to; /* upper directories */
	const char *on, *nn;
	size_t onlen, nnlen;
	struct vnode *what, *over; /* in the upper tree; (over) may be NULL */
	bool whiteout;             /* the old name is in the lower tree */
};

static int move_locked(const struct ovl_move *r)
{
	bool was;
	int err = whiteout_clear(r->to, r->nn, r->nnlen, &was);

	if (err)
		return err;
	err = r->from->ops->rename(
	    r->from, r->on, r->onlen, r->to, r->nn, r->nnlen, r->what, r->over);
	if (err && was)
		whiteout_make(r->to, r->nn, r->nnlen);
	if (!err && vnode_is(r->what, S_IFDIR))
		r->what->flags |= OVL_OPAQUE;
	if (!err && r->whiteout)
		err = whiteout_make(r->from, r->on, r->onlen);
	return err;
}

/* All that has to be in the upper tree. */
static int move_prepare(struct ovl_node *od, struct ovl_node *nd,
    struct ovl_node *what, struct ovl_node *over)
{
	int err;

	/* Its names below are in two trees: the program must copy it. */
	if (vnode_is(&what->vnode, S_IFDIR) && what->lower)
		return -EXDEV;
	err =
	    over && vnode_is(&over->vnode, S_IFDIR) ? ovl_check_empty(over) : 0;
	if (!err)
		err = ovl_copy_up(what, UINT64_MAX);
	if (!err)
		err = ovl_copy_up(od, UINT64_MAX);
	if (!err)
		err = ovl_copy_up(nd, UINT64_MAX);
	if (!err && over && vnode_is(&over->vnode, S_IFDIR) && over->upper)
		err = whiteout_purge(over->upper);
	return err;
}

int ovl_rename(struct vnode *od, const char *on, size_t onlen, struct vnode *nd,
    const char *nn, size_t nnlen, struct vnode *what, struct vnode *replaced)
{
	struct ovl_node *over = replaced ? ovl_node(replaced) : NULL;
	struct ovl_move r = {
		.on = on,
		.onlen = onlen,
		.nn = nn,
		.nnlen = nnlen,
		.whiteout = ovl_in_lower(ovl_node(od), on, onlen),
	};
	int err =
	    move_prepare(ovl_node(od), ovl_node(nd), ovl_node(what), over);

	if (err)
		return err;
	r.from = ovl_node(od)->upper;
	r.to = ovl_node(nd)->upper;
	r.what = ovl_node(what)->upper;
	r.over = over ? over->upper : NULL;
	/* The layer renames one at a time, and nobody else holds two. */
	rwlock_write(&r.from->lock);
	if (r.to != r.from)
		rwlock_write(&r.to->lock);
	err = move_locked(&r);
	if (r.to != r.from)
		rwlock_unlock(&r.to->lock);
	rwlock_unlock(&r.from->lock);
	return err;
}
