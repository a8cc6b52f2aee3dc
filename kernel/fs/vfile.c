#include "fs_int.h"

#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/string.h"
#include "pcache.h"

#include <linux/falloc.h>
#include <linux/fs.h>

/* Open regular files, directories, and O_PATH. */

/* --- regular files ------------------------------------------------------- */

static long vfile_read(struct file *f, struct uio *u, uint64_t *off)
{
	long n = pcache_read(vnode_data(f->vnode), u, *off);

	if (n > 0)
		*off += (uint64_t)n;
	return n;
}

/* A write clears set-id bits and moves the times. */
static void vfile_touch(struct vnode *v)
{
	struct vattr a = { .mtime = fs_now() };

	a.ctime = a.mtime;
	if (v->ops->setattr)
		v->ops->setattr(v, &a, VATTR_MTIME | VATTR_CTIME);
}

static long vfile_write(struct file *f, struct uio *u, uint64_t *off)
{
	struct vnode *v = vnode_data(f->vnode);
	long n;

	rwlock_write(&v->lock);
	if (f->flags & O_APPEND)
		*off = v->size;
	if (*off > INT64_MAX || u->left > INT64_MAX - *off)
		n = -EFBIG;
	else
		n = pcache_write(v, u, *off);
	if (n > 0) {
		*off += (uint64_t)n;
		vfile_touch(v);
	}
	rwlock_unlock(&v->lock);
	return n;
}

static int64_t seek_result(int64_t base, int64_t off)
{
	int64_t to;

	if (add_overflow(base, off, &to))
		return -EOVERFLOW;
	return to < 0 ? -EINVAL : to;
}

int64_t vfile_seek_size(struct file *f, int64_t off, int whence, uint64_t size)
{
	int64_t to;

	switch (whence) {
	case SEEK_SET:
		to = seek_result(0, off);
		break;
	case SEEK_CUR:
		to = seek_result((int64_t)f->pos, off);
		break;
	case SEEK_END:
		to = seek_result((int64_t)size, off);
		break;
	default:
		return -EINVAL;
	}
	if (to >= 0)
		f->pos = (uint64_t)to;
	return to;
}

static int64_t vfile_seek(struct file *f, int64_t off, int whence)
{
	struct vnode *v = vnode_data(f->vnode);
	uint64_t to, size = v->size;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return vfile_seek_size(f, off, whence, size);
	if (off < 0 || (uint64_t)off >= size)
		return -ENXIO;
	to = pcache_seek(v, (uint64_t)off, whence == SEEK_HOLE);
	/* Before (off): it was truncated meanwhile. */
	if (to < (uint64_t)off || (whence == SEEK_DATA && to >= size))
		return -ENXIO;
	f->pos = to;
	return (int64_t)to;
}

static int vfile_fsync(struct file *f, bool data_only)
{
	(void)f;
	(void)data_only;
	return 0;
}

static int vfile_mmap(
    struct file *f, unsigned prot, bool shared, struct vm_object **out)
{
	struct vnode *v = vnode_data(f->vnode);
	char *path = kmalloc(FS_PATH_MAX);

	(void)prot;
	(void)shared;
	if (path && dentry_path(f->dentry, path, FS_PATH_MAX) > 0)
		pcache_set_name(v, path);
	kfree(path);
	vnode_get(v);
	*out = &v->object;
	return 0;
}

static int vfile_truncate(struct file *f, uint64_t len)
{
	struct vattr a = { .size = len };

	return vfs_setattr(f->vnode, &a, VATTR_SIZE);
}

/* Pages for what is a hole in [off, off + len). */
static int vfile_reserve(struct vnode *v, uint64_t off, uint64_t len)
{
	uint64_t end = (off + len + PAGE_SIZE - 1) >> PAGE_SHIFT;
	void *page;
	int err;

	for (uint64_t i = off >> PAGE_SHIFT; i < end; i++) {
		err = pcache_page(v, i, true, &page);
		if (err)
			return err;
		page_put(page);
	}
	return 0;
}

static int vfile_fallocate_locked(
    struct vnode *v, int mode, uint64_t off, uint64_t len)
{
	int err = 0;

	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		err = pcache_punch(v, off, len);
	if (!err && !(mode & FALLOC_FL_PUNCH_HOLE))
		err = vfile_reserve(v, off, len);
	if (err)
		return err;
	if (!(mode & FALLOC_FL_KEEP_SIZE) && off + len > v->size)
		v->size = off + len;
	vfile_touch(v);
	return 0;
}

static int vfile_fallocate(struct file *f, int mode, uint64_t off, uint64_t len)
{
	struct vnode *v = vnode_data(f->vnode);
	const int both = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE;
	uint64_t end;
	int err;

	if (mode & ~(FALLOC_FL_KEEP_SIZE | both))
		return -EOPNOTSUPP;
	if ((mode & both) == both)
		return -EOPNOTSUPP;
	if ((mode & FALLOC_FL_PUNCH_HOLE) && !(mode & FALLOC_FL_KEEP_SIZE))
		return -EOPNOTSUPP;
	if (len == 0)
		return -EINVAL;
	if (add_overflow(off, len, &end) || end > INT64_MAX)
		return -EFBIG;
	rwlock_write(&v->lock);
	err = vfile_fallocate_locked(v, mode, off, len);
	rwlock_unlock(&v->lock);
	return err;
}

static void vfile_release(struct file *f)
{
	(void)f; /* file_put() drops the vnode and the name */
}

const struct file_ops vfile_ops = {
	.read = vfile_read,
	.write = vfile_write,
	.seek = vfile_seek,
	.fsync = vfile_fsync,
	.mmap = vfile_mmap,
	.truncate = vfile_truncate,
	.fallocate = vfile_fallocate,
	.release = vfile_release,
};

/* --- directories --------------------------------------------------------- */

static long dir_read(struct file *f, struct uio *u, uint64_t *off)
{
	(void)f;
	(void)u;
	(void)off;
	return -EISDIR;
}

static int64_t dir_seek(struct file *f, int64_t off, int whence)
{
	if (whence == SEEK_END)
		return -EINVAL;
	return vfile_seek_size(f, off, whence, 0);
}

static uint64_t dir_parent_ino(struct dentry *d)
{
	struct dentry *p = dentry_parent(d);
	uint64_t ino = d->vnode->ino;

	if (p) {
		ino = p->vnode->ino;
		dentry_put(p);
	}
	return ino;
}

/* "." and ".." are cookies 0 and 1; a file system's begin at 2. */
static int dir_readdir(struct file *f, uint64_t *off,
    bool (*emit)(void *arg, const char *name, size_t len, uint64_t ino,
	uint8_t type, uint64_t next),
    void *arg)
{
	struct vnode *v = f->vnode;
	int err;

	if (!v->ops->readdir)
		return -ENOTDIR;
	if (*off == 0) {
		if (!emit(arg, ".", 1, v->ino, 4, 1))
			return 0;
		*off = 1;
	}
	if (*off == 1) {
		if (!emit(arg, "..", 2, dir_parent_ino(f->dentry), 4, 2))
			return 0;
		*off = 2;
	}
	rwlock_read(&v->lock);
	err = dentry_unlinked(f->dentry) ? -ENOENT
					 : v->ops->readdir(v, off, emit, arg);
	rwlock_unlock(&v->lock);
	return err;
}

const struct file_ops dir_ops = {
	.read = dir_read,
	.seek = dir_seek,
	.fsync = vfile_fsync,
	.readdir = dir_readdir,
	.release = vfile_release,
};

const struct file_ops path_ops = {
	.release = vfile_release,
};
