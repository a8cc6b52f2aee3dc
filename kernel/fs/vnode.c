#include "fs_int.h"

#include "kern/errno.h"
#include "kern/string.h"
#include "pcache.h"

#include <linux/fs.h>

#define ACCESS_EXEC  1 /* X_OK, W_OK of access(2) */
#define ACCESS_WRITE 2

void vnode_init(struct vnode *v, const struct vnode_ops *ops, struct mount *m,
    uint64_t ino, uint32_t mode)
{
	memset(v, 0, sizeof(*v));
	v->ops = ops;
	v->mount = m;
	v->object.ops = &pcache_object_ops;
	v->refs = 1;
	v->ino = ino;
	v->mode = mode;
	rwlock_init(&v->lock);
	list_init(&v->flocks);
}

void vnode_get(struct vnode *v)
{
	atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
}

/* False: the last reference has gone already. */
bool vnode_tryget(struct vnode *v)
{
	uint32_t n = atomic_load_explicit(&v->refs, memory_order_relaxed);

	while (n > 0)
		if (atomic_compare_exchange_weak(&v->refs, &n, n + 1))
			return true;
	return false;
}

void vnode_put(struct vnode *v)
{
	if (atomic_fetch_sub(&v->refs, 1) != 1)
		return;
	v->ops->reclaim(v);
}

int vnode_check_write(const struct vnode *v)
{
	return v->mount && (v->mount->flags & MS_RDONLY) ? -EROFS : 0;
}

int vfs_getattr(struct vnode *v, struct vattr *a)
{
	memset(a, 0, sizeof(*a));
	a->mode = v->mode;
	a->ino = v->ino;
	a->size = v->size;
	a->nlink = 1;
	return v->ops->getattr(v, a);
}

/* A new owner does not inherit what the set-id bits gave: chown(2). */
static unsigned setattr_owner(
    const struct vnode *v, struct vattr *a, unsigned what)
{
	if (!(what & (VATTR_UID | VATTR_GID)) || (what & VATTR_MODE) ||
	    vnode_is(v, S_IFDIR) || !(v->mode & (S_ISUID | S_ISGID)))
		return what;
	a->mode = v->mode & ~(uint32_t)S_ISUID;
	if (a->mode & 0010)
		a->mode &= ~(uint32_t)S_ISGID;
	return what | VATTR_MODE;
}

int vfs_setattr(struct vnode *v, const struct vattr *a, unsigned what)
{
	struct vattr set = *a;
	int err = vnode_check_write(v);

	if (err)
		return err;
	if (what & VATTR_SIZE) {
		if (vnode_is(v, S_IFDIR))
			return -EISDIR;
		if (!vnode_is(v, S_IFREG))
			return -EINVAL;
		if (a->size > INT64_MAX)
			return -EFBIG;
	}
	if (!v->ops->setattr)
		return -EROFS;
	rwlock_write(&v->lock);
	what = setattr_owner(v, &set, what);
	err = v->ops->setattr(v, &set, what);
	rwlock_unlock(&v->lock);
	return err;
}

void vattr_to_stat(
    const struct vnode *v, const struct vattr *a, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_dev = v->mount ? v->mount->dev : 0;
	st->st_ino = a->ino;
	st->st_nlink = a->nlink;
	st->st_mode = a->mode;
	st->st_uid = a->uid;
	st->st_gid = a->gid;
	st->st_rdev = a->rdev;
	st->st_size = (long)a->size;
	st->st_blksize = PAGE_SIZE;
	st->st_blocks = (long)a->blocks;
	st->st_atime = a->atime / 1000000000;
	st->st_atime_nsec = a->atime % 1000000000;
	st->st_mtime = a->mtime / 1000000000;
	st->st_mtime_nsec = a->mtime % 1000000000;
	st->st_ctime = a->ctime / 1000000000;
	st->st_ctime_nsec = a->ctime % 1000000000;
}

/* As Linux answers root: everything, but execution needs one x bit. */
int vfs_access(struct dentry *d, int mode)
{
	struct vnode *v = d->vnode;
	int err;

	if (mode & ACCESS_WRITE) {
		err = vnode_check_write(v);
		if (err && !vnode_is(v, S_IFCHR) && !vnode_is(v, S_IFBLK))
			return err;
	}
	if ((mode & ACCESS_EXEC) && vnode_is(v, S_IFREG) && !(v->mode & 0111))
		return -EACCES;
	return 0;
}
