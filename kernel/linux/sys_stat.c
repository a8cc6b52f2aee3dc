/* What a file is: stat(2), statx(2), access(2), readlink(2), statfs(2). */

#include <asm/stat.h>
#include <asm/statfs.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <linux/stat.h>

#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/string.h"
#include "kern/vfs.h"
#include "path_int.h"
#include "syscalls.h"

static int stat_vnode(struct vnode *v, struct stat *st)
{
	struct vattr a;
	int err = vfs_getattr(v, &a);

	if (!err)
		vattr_to_stat(v, &a, st);
	return err;
}

static int stat_any(int dirfd, const char *path, int flags, struct stat *st)
{
	struct dentry *d;
	struct file *f;
	int err = upath_lookup_any(dirfd, path, flags, &d, &f);

	if (err)
		return err;
	if (d) {
		err = stat_vnode(dentry_vnode(d), st);
		dentry_put(d);
	} else {
		err = file_stat(f, st);
		file_put(f);
	}
	return err;
}

long sys_newfstatat(int dirfd, const char *path, void *user, int flags)
{
	struct stat st;
	int err;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT))
		return -EINVAL;
	err = stat_any(dirfd, path, flags, &st);
	return err ? err : copy_to_user(user, &st, sizeof(st));
}

long sys_stat(const char *path, void *user)
{
	return sys_newfstatat(AT_FDCWD, path, user, 0);
}

long sys_lstat(const char *path, void *user)
{
	return sys_newfstatat(AT_FDCWD, path, user, AT_SYMLINK_NOFOLLOW);
}

static void statx_time(
    struct statx_timestamp *t, unsigned long s, unsigned long ns)
{
	t->tv_sec = (int64_t)s;
	t->tv_nsec = (uint32_t)ns;
}

static void statx_fill(struct statx *x, const struct stat *st)
{
	memset(x, 0, sizeof(*x));
	x->stx_mask = STATX_BASIC_STATS;
	x->stx_blksize = (uint32_t)st->st_blksize;
	x->stx_nlink = (uint32_t)st->st_nlink;
	x->stx_uid = st->st_uid;
	x->stx_gid = st->st_gid;
	x->stx_mode = (uint16_t)st->st_mode;
	x->stx_ino = st->st_ino;
	x->stx_size = (uint64_t)st->st_size;
	x->stx_blocks = (uint64_t)st->st_blocks;
	x->stx_rdev_major = (st->st_rdev >> 8) & 0xfff;
	x->stx_rdev_minor = st->st_rdev & 0xff;
	x->stx_dev_major = (st->st_dev >> 8) & 0xfff;
	x->stx_dev_minor = st->st_dev & 0xff;
	statx_time(&x->stx_atime, st->st_atime, st->st_atime_nsec);
	statx_time(&x->stx_mtime, st->st_mtime, st->st_mtime_nsec);
	statx_time(&x->stx_ctime, st->st_ctime, st->st_ctime_nsec);
}

long sys_statx(
    int dirfd, const char *path, int flags, unsigned mask, void *user)
{
	struct statx x;
	struct stat st;
	int err;

	if (mask & STATX__RESERVED)
		return -EINVAL;
	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT |
			AT_STATX_SYNC_TYPE))
		return -EINVAL;
	if ((flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
		return -EINVAL;
	err = stat_any(dirfd, path, flags, &st);
	if (err)
		return err;
	statx_fill(&x, &st);
	return copy_to_user(user, &x, sizeof(x));
}

/* --- access -------------------------------------------------------------- */

long sys_faccessat2(int dirfd, const char *path, int mode, int flags)
{
	struct dentry *d;
	struct file *f;
	int err;

	if (mode & ~7)
		return -EINVAL;
	if (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	err = upath_lookup_any(dirfd, path, flags & ~AT_EACCESS, &d, &f);
	if (err)
		return err;
	if (f) {
		file_put(f);
		return 0;
	}
	err = vfs_access(d, mode);
	dentry_put(d);
	return err;
}

long sys_faccessat(int dirfd, const char *path, int mode)
{
	return sys_faccessat2(dirfd, path, mode, 0);
}

long sys_access(const char *path, int mode)
{
	return sys_faccessat2(AT_FDCWD, path, mode, 0);
}

/* --- readlink ------------------------------------------------------------ */

static long readlink_copy(struct vnode *v, char *user, size_t n)
{
	char *buf;
	long r;

	if ((v->mode & 0170000) != 0120000 || !v->ops->readlink)
		return -EINVAL;
	buf = kmalloc(PATH_MAX);
	if (!buf)
		return -ENOMEM;
	r = v->ops->readlink(v, buf, MIN(n, (size_t)PATH_MAX));
	if (r > 0 && copy_to_user(user, buf, (size_t)r))
		r = -EFAULT;
	kfree(buf);
	return r;
}

long sys_readlinkat(int dirfd, const char *path, char *user, int n)
{
	struct dentry *d;
	long r;

	if (n <= 0)
		return -EINVAL;
	r = upath_lookup(dirfd, path, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, &d);
	if (r)
		return r;
	r = readlink_copy(dentry_vnode(d), user, (size_t)n);
	dentry_put(d);
	return r;
}

long sys_readlink(const char *path, char *user, int n)
{
	return sys_readlinkat(AT_FDCWD, path, user, n);
}

/* --- statfs -------------------------------------------------------------- */

#define ST_VALID 0x0020 /* f_flags is filled in */

static long statfs_mount(struct mount *m, void *user)
{
	struct statfs st = { 0 };
	struct fs_stat s;
	int err = vfs_statfs(m, &s);

	if (err)
		return err;
	st.f_type = (long)s.type;
	st.f_bsize = (long)s.bsize;
	st.f_blocks = (long)s.blocks;
	st.f_bfree = (long)s.bfree;
	st.f_bavail = (long)s.bavail;
	st.f_files = (long)s.files;
	st.f_ffree = (long)s.ffree;
	st.f_fsid.val[0] = (int)m->dev;
	st.f_namelen = (long)s.namelen;
	st.f_frsize = (long)s.bsize;
	/* MS_RDONLY to MS_NOEXEC and ST_RDONLY to ST_NOEXEC are the same. */
	st.f_flags = (long)((m->flags & 0xf) | ST_VALID);
	return copy_to_user(user, &st, sizeof(st));
}

long sys_statfs(const char *path, void *user)
{
	struct dentry *d;
	long r = upath_lookup(AT_FDCWD, path, 0, &d);

	if (r)
		return r;
	r = statfs_mount(dentry_vnode(d)->mount, user);
	dentry_put(d);
	return r;
}

long sys_fstatfs(int fd, void *user)
{
	struct file *f = fd_get(fd);
	long r = -ENOSYS;

	if (!f)
		return -EBADF;
	if (f->vnode && f->vnode->mount)
		r = statfs_mount(f->vnode->mount, user);
	file_put(f);
	return r;
}
