/* Attributes and directories: chmod(2), utimensat(2), getdents(2)... */

#include <linux/fcntl.h>
#include <linux/limits.h>
#include <linux/time.h>
#include <linux/time_types.h>
#include <linux/utime.h>

#include "kern/arch.h"
#include "kern/clock.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/string.h"
#include "kern/vfs.h"
#include "path_int.h"
#include "syscalls.h"

/* Of what is no name (a pipe) they are accepted and forgotten. */
static long setattr_at(int dirfd, const char *path, int flags,
    const struct vattr *a, unsigned what)
{
	struct dentry *d;
	struct file *f;
	int err = upath_lookup_any(dirfd, path, flags, &d, &f);

	if (err)
		return err;
	if (d) {
		err = vfs_setattr(dentry_vnode(d), a, what);
		dentry_put(d);
	} else {
		file_put(f);
	}
	return err;
}

static long setattr_fd(int fd, const struct vattr *a, unsigned what)
{
	struct file *f = fd_get(fd);
	int err = 0;

	if (!f)
		return -EBADF;
	if (f->flags & O_PATH)
		err = -EBADF;
	else if (f->vnode)
		err = vfs_setattr(f->vnode, a, what);
	file_put(f);
	return err;
}

/* --- mode and owner ------------------------------------------------------ */

long sys_fchmodat2(int dirfd, const char *path, uint32_t mode, int flags)
{
	struct vattr a = { .mode = mode };

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return setattr_at(dirfd, path, flags, &a, VATTR_MODE);
}

long sys_fchmodat(int dirfd, const char *path, uint32_t mode)
{
	return sys_fchmodat2(dirfd, path, mode, 0);
}

long sys_chmod(const char *path, uint32_t mode)
{
	return sys_fchmodat2(AT_FDCWD, path, mode, 0);
}

long sys_fchmod(int fd, uint32_t mode)
{
	struct vattr a = { .mode = mode };

	return setattr_fd(fd, &a, VATTR_MODE);
}

static unsigned owner_attr(struct vattr *a, uint32_t uid, uint32_t gid)
{
	memset(a, 0, sizeof(*a));
	a->uid = uid;
	a->gid = gid;
	return (uid != UINT32_MAX ? VATTR_UID : 0) |
	       (gid != UINT32_MAX ? VATTR_GID : 0);
}

long sys_fchownat(
    int dirfd, const char *path, uint32_t uid, uint32_t gid, int flags)
{
	struct vattr a;
	unsigned what = owner_attr(&a, uid, gid);

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return setattr_at(dirfd, path, flags, &a, what);
}

long sys_chown(const char *path, uint32_t uid, uint32_t gid)
{
	return sys_fchownat(AT_FDCWD, path, uid, gid, 0);
}

long sys_lchown(const char *path, uint32_t uid, uint32_t gid)
{
	return sys_fchownat(AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
}

long sys_fchown(int fd, uint32_t uid, uint32_t gid)
{
	struct vattr a;
	unsigned what = owner_attr(&a, uid, gid);

	return setattr_fd(fd, &a, what);
}

long sys_truncate(const char *path, int64_t len)
{
	struct vattr a = { .size = (uint64_t)len };

	if (len < 0)
		return -EINVAL;
	return setattr_at(AT_FDCWD, path, 0, &a, VATTR_SIZE);
}

/* --- times --------------------------------------------------------------- */

#define UTIME_NOW  ((1l << 30) - 1)
#define UTIME_OMIT ((1l << 30) - 2)
#define NSEC       1000000000ull

/* One of the two times; true if it is to be set. */
static int time_value(
    const struct __kernel_timespec *t, uint64_t *ns, bool *set)
{
	*set = t->tv_nsec != UTIME_OMIT;
	if (!*set)
		return 0;
	if (t->tv_nsec == UTIME_NOW) {
		*ns = clock_wall();
		return 0;
	}
	if (t->tv_nsec < 0 || t->tv_nsec >= (long long)NSEC)
		return -EINVAL;
	/* Times before 1970 and after 2554 are not kept. */
	if (t->tv_sec < 0)
		*ns = 0;
	else if ((uint64_t)t->tv_sec >= UINT64_MAX / NSEC)
		*ns = UINT64_MAX;
	else
		*ns = (uint64_t)t->tv_sec * NSEC + (uint64_t)t->tv_nsec;
	return 0;
}

static long times_set(int dirfd, const char *path, int flags,
    const struct __kernel_timespec ts[2])
{
	struct vattr a = { 0 };
	unsigned what;
	bool atime, mtime;
	int err = time_value(&ts[0], &a.atime, &atime);

	if (!err)
		err = time_value(&ts[1], &a.mtime, &mtime);
	if (err)
		return err;
	what = (atime ? VATTR_ATIME : 0) | (mtime ? VATTR_MTIME : 0);
	if (!path && dirfd == AT_FDCWD)
		return -EFAULT;
	if (!what)
		return 0;
	return path ? setattr_at(dirfd, path, flags, &a, what)
		    : setattr_fd(dirfd, &a, what);
}

long sys_utimensat(int dirfd, const char *path, const void *user, int flags)
{
	struct __kernel_timespec ts[2] = {
		{ .tv_nsec = UTIME_NOW },
		{ .tv_nsec = UTIME_NOW },
	};

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (user && copy_from_user(ts, user, sizeof(ts)))
		return -EFAULT;
	return times_set(dirfd, path, flags, ts);
}

long sys_futimesat(int dirfd, const char *path, const void *user)
{
	struct __kernel_timespec ts[2] = {
		{ .tv_nsec = UTIME_NOW },
		{ .tv_nsec = UTIME_NOW },
	};
	struct __kernel_old_timeval tv[2];

	if (user && copy_from_user(tv, user, sizeof(tv)))
		return -EFAULT;
	for (int i = 0; user && i < 2; i++) {
		if (tv[i].tv_usec < 0 || tv[i].tv_usec >= 1000000)
			return -EINVAL;
		ts[i].tv_sec = tv[i].tv_sec;
		ts[i].tv_nsec = tv[i].tv_usec * 1000;
	}
	return times_set(dirfd, path, 0, ts);
}

long sys_utimes(const char *path, const void *user)
{
	return sys_futimesat(AT_FDCWD, path, user);
}

long sys_utime(const char *path, const void *user)
{
	struct __kernel_timespec ts[2] = {
		{ .tv_nsec = UTIME_NOW },
		{ .tv_nsec = UTIME_NOW },
	};
	long t[2]; /* struct utimbuf */

	if (user && copy_from_user(t, user, sizeof(t)))
		return -EFAULT;
	for (int i = 0; user && i < 2; i++) {
		ts[i].tv_sec = t[i];
		ts[i].tv_nsec = 0;
	}
	return times_set(AT_FDCWD, path, 0, ts);
}

/* --- directories --------------------------------------------------------- */

#define DIRENT_BUF 8192u

/* struct linux_dirent64 and struct linux_dirent, up to the name. */
struct dirent_head {
	uint64_t ino, off;
	uint16_t reclen;
} __attribute__((packed));

struct dirents {
	char *buf;
	size_t len, cap;
	bool old;  /* getdents(2): the type is the record's last byte */
	bool full; /* the last one had no room */
};

static bool dirents_emit(void *arg, const char *name, size_t len, uint64_t ino,
    uint8_t type, uint64_t next)
{
	struct dirents *b = arg;
	struct dirent_head h = { .ino = ino, .off = next };
	size_t at = sizeof(h) + (b->old ? 0 : 1);
	size_t n = ALIGN_UP(at + len + 1 + (b->old ? 1 : 0), 8);
	char *p = b->buf + b->len;

	b->full = b->cap - b->len < n;
	if (b->full)
		return false;
	memset(p, 0, n);
	h.reclen = (uint16_t)n;
	memcpy(p, &h, sizeof(h));
	memcpy(p + at, name, len);
	p[b->old ? n - 1 : sizeof(h)] = (char)type;
	b->len += n;
	return true;
}

static long getdents_file(struct file *f, void *user, struct dirents *b)
{
	uint64_t pos;
	int err;

	if (!f->ops->readdir)
		return -ENOTDIR;
	mutex_lock(&f->pos_lock);
	pos = f->pos;
	err = f->ops->readdir(f, &pos, dirents_emit, b);
	if (!err && b->len == 0 && b->full)
		err = -EINVAL;
	if (!err && copy_to_user(user, b->buf, b->len))
		err = -EFAULT;
	if (!err)
		f->pos = pos;
	mutex_unlock(&f->pos_lock);
	return err ? err : (long)b->len;
}

static long getdents(int fd, void *user, unsigned n, bool old)
{
	struct dirents b = { .cap = MIN(n, DIRENT_BUF), .old = old };
	struct file *f = fd_get(fd);
	long r = -ENOMEM;

	if (!f)
		return -EBADF;
	if (f->flags & O_PATH) {
		file_put(f);
		return -EBADF;
	}
	b.buf = kmalloc(b.cap + 1);
	if (b.buf)
		r = getdents_file(f, user, &b);
	kfree(b.buf);
	file_put(f);
	return r;
}

long sys_getdents64(int fd, void *user, unsigned n)
{
	return getdents(fd, user, n, false);
}

long sys_getdents(int fd, void *user, unsigned n)
{
	return getdents(fd, user, n, true);
}

/* --- sync: what is in memory is all there is ----------------------------- */

long sys_sync(void)
{
	return 0;
}

long sys_syncfs(int fd)
{
	struct file *f = fd_get(fd);

	if (!f)
		return -EBADF;
	file_put(f);
	return 0;
}
