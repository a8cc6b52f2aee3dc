#include "overlay.h"

#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/string.h"
#include "pcache.h"

/* Copying up.  Nobody finds the copy before it is complete. */

static int copy_page(struct vnode *from, struct vnode *to, uint64_t index)
{
	void *src, *dst;
	int err = pcache_page(from, index, false, &src);

	if (err || !src)
		return err;
	dst = page_alloc(0, 0);
	if (dst)
		memcpy(dst, src, PAGE_SIZE);
	page_put(src);
	err = dst ? pcache_insert(to, index, dst) : -ENOMEM;
	if (err && dst)
		page_put(dst);
	return err;
}

static int copy_data(struct vnode *from, struct vnode *to, uint64_t size)
{
	uint64_t n = MIN(size, from->size);
	int err = 0;

	for (uint64_t i = 0; !err && i << PAGE_SHIFT < n; i++)
		err = copy_page(from, to, i);
	if (!err)
		to->size = from->size;
	return err;
}

static int copy_attributes(struct vnode *from, struct vnode *to)
{
	struct vattr a;
	int err = vfs_getattr(from, &a);

	return err ? err
		   : vfs_setattr(to, &a,
			 VATTR_MODE | VATTR_UID | VATTR_GID | VATTR_ATIME |
			     VATTR_MTIME);
}

/* A file is made without a name and gets it when it is complete. */
static int copy_file(
    struct ovl_node *n, struct vnode *dir, uint64_t size, struct vnode **out)
{
	int err = dir->ops->tmpfile(dir, n->lower->mode, out);

	if (err)
		return err;
	err = copy_data(n->lower, *out, size);
	if (!err)
		err = copy_attributes(n->lower, *out);
	if (!err) {
		rwlock_write(&dir->lock);
		err = dir->ops->link(dir, n->name, strlen(n->name), *out);
		rwlock_unlock(&dir->lock);
	}
	if (err)
		vnode_put(*out);
	return err;
}

static long copy_target(struct vnode *v, char *buf, size_t n)
{
	long len = v->ops->readlink(v, buf, n - 1);

	buf[MAX(len, 0)] = '\0';
	return MIN(len, 0);
}

static int copy_other(struct ovl_node *n, struct vnode *dir, struct vnode **out)
{
	char *target = NULL;
	struct vattr a;
	long err = vfs_getattr(n->lower, &a);

	if (!err && vnode_is(n->lower, S_IFLNK)) {
		target = kmalloc(FS_PATH_MAX);
		err = target ? copy_target(n->lower, target, FS_PATH_MAX)
			     : -ENOMEM;
	}
	if (!err) {
		rwlock_write(&dir->lock);
		err = dir->ops->create(dir, n->name, strlen(n->name),
		    n->lower->mode, a.rdev, target, out);
		rwlock_unlock(&dir->lock);
	}
	kfree(target);
	if (!err)
		copy_attributes(n->lower, *out);
	return (int)err;
}

/* Its directory is there already. */
static int copy_one(struct ovl_node *n, uint64_t size)
{
	struct vnode *dir, *made;
	int err;

	if (!n->parent)
		return -EROFS;
	dir = n->parent->upper;
	err = vnode_is(n->lower, S_IFREG) ? copy_file(n, dir, size, &made)
					  : copy_other(n, dir, &made);
	if (!err)
		n->upper = made;
	return err;
}

int ovl_copy_up(struct ovl_node *n, uint64_t size)
{
	struct overlay *o = ovl_of(&n->vnode);
	struct ovl_node *top;
	int err = 0;

	if (n->upper)
		return 0;
	mutex_lock(&o->copy);
	while (!err && !n->upper) {
		/* From the highest directory that is not there downwards. */
		for (top = n; top->parent && !top->parent->upper;)
			top = top->parent;
		err = copy_one(top, size);
	}
	mutex_unlock(&o->copy);
	return err;
}
