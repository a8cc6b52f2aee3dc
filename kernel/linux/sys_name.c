/* Names: mkdir(2), unlink(2), rename(2), link(2), chdir(2), mount(2)... */

#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <linux/mount.h>

#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/string.h"
#include "kern/vfs.h"
#include "path_int.h"
#include "syscalls.h"

long sys_mkdirat(int dirfd, const char *path, uint32_t mode)
{
	struct upath p;
	int err = upath_get(&p, dirfd, path, 0);

	if (err)
		return err;
	err = vfs_mkdir(p.at, p.name, mode);
	upath_put(&p);
	return err;
}

long sys_mkdir(const char *path, uint32_t mode)
{
	return sys_mkdirat(AT_FDCWD, path, mode);
}

long sys_mknodat(int dirfd, const char *path, uint32_t mode, unsigned dev)
{
	struct upath p;
	int err = upath_get(&p, dirfd, path, 0);

	if (err)
		return err;
	err = vfs_mknod(p.at, p.name, mode, dev, NULL);
	upath_put(&p);
	return err;
}

long sys_mknod(const char *path, uint32_t mode, unsigned dev)
{
	return sys_mknodat(AT_FDCWD, path, mode, dev);
}

long sys_unlinkat(int dirfd, const char *path, int flags)
{
	struct upath p;
	int err;

	if (flags & ~AT_REMOVEDIR)
		return -EINVAL;
	err = upath_get(&p, dirfd, path, 0);
	if (err)
		return err;
	err = vfs_unlink(p.at, p.name, flags & AT_REMOVEDIR);
	upath_put(&p);
	return err;
}

long sys_unlink(const char *path)
{
	return sys_unlinkat(AT_FDCWD, path, 0);
}

long sys_rmdir(const char *path)
{
	return sys_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

long sys_renameat2(
    int olddir, const char *old, int newdir, const char *new, unsigned flags)
{
	struct upath from, to;
	int err = upath_get(&from, olddir, old, 0);

	if (err)
		return err;
	err = upath_get(&to, newdir, new, 0);
	if (!err) {
		err = vfs_rename(from.at, from.name, to.at, to.name, flags);
		upath_put(&to);
	}
	upath_put(&from);
	return err;
}

long sys_renameat(int olddir, const char *old, int newdir, const char *new)
{
	return sys_renameat2(olddir, old, newdir, new, 0);
}

long sys_rename(const char *old, const char *new)
{
	return sys_renameat2(AT_FDCWD, old, AT_FDCWD, new, 0);
}

long sys_linkat(
    int olddir, const char *old, int newdir, const char *new, int flags)
{
	int how = flags & AT_EMPTY_PATH;
	struct dentry *d;
	struct upath to;
	int err;

	if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (!(flags & AT_SYMLINK_FOLLOW))
		how |= AT_SYMLINK_NOFOLLOW;
	err = upath_lookup(olddir, old, how, &d);
	if (err)
		return err;
	err = upath_get(&to, newdir, new, 0);
	if (!err) {
		err = vfs_link(d, to.at, to.name);
		upath_put(&to);
	}
	dentry_put(d);
	return err;
}

long sys_link(const char *old, const char *new)
{
	return sys_linkat(AT_FDCWD, old, AT_FDCWD, new, 0);
}

long sys_symlinkat(const char *target, int dirfd, const char *path)
{
	char *text = kmalloc(PATH_MAX);
	struct upath p;
	long r;

	if (!text)
		return -ENOMEM;
	r = strncpy_from_user(text, target, PATH_MAX);
	if (r >= 0)
		r = upath_get(&p, dirfd, path, 0);
	if (r >= 0) {
		r = vfs_symlink(text, p.at, p.name);
		upath_put(&p);
	}
	kfree(text);
	return r;
}

long sys_symlink(const char *target, const char *path)
{
	return sys_symlinkat(target, AT_FDCWD, path);
}

/* --- where a process is -------------------------------------------------- */

static long change_dir(const char *path, int (*change)(struct dentry *))
{
	struct dentry *d;
	long r = upath_lookup(AT_FDCWD, path, 0, &d);

	if (r)
		return r;
	r = change(d);
	dentry_put(d);
	return r;
}

long sys_chdir(const char *path)
{
	return change_dir(path, fs_chdir);
}

long sys_chroot(const char *path)
{
	return change_dir(path, fs_chroot);
}

long sys_fchdir(int fd)
{
	struct file *f = fd_get(fd);
	long r;

	if (!f)
		return -EBADF;
	r = f->dentry ? fs_chdir(f->dentry) : -ENOTDIR;
	file_put(f);
	return r;
}

static long getcwd_path(struct dentry *d, char *buf, char *user, size_t n)
{
	long len;

	if (dentry_unlinked(d))
		return -ENOENT;
	len = dentry_path(d, buf, PATH_MAX);
	if (len < 0)
		return len;
	if ((size_t)len + 1 > n)
		return -ERANGE;
	return copy_to_user(user, buf, (size_t)len + 1) ? -EFAULT : len + 1;
}

long sys_getcwd(char *user, size_t n)
{
	char *buf = kmalloc(PATH_MAX);
	struct dentry *d;
	long r;

	if (!buf)
		return -ENOMEM;
	d = fs_cwd();
	r = getcwd_path(d, buf, user, n);
	dentry_put(d);
	kfree(buf);
	return r;
}

/* --- mount --------------------------------------------------------------- */

/* umount(2); no header of the kernel says them */
#define UMOUNT_DETACH 2
#define UMOUNT_EXPIRE 4
#define UMOUNT_FLAGS  0xf

#define MOUNT_ARG_MAX 256

/* Each argument may be NULL: "". */
static int mount_arg(char *dst, const char *user)
{
	long n;

	dst[0] = '\0';
	if (!user)
		return 0;
	n = strncpy_from_user(dst, user, MOUNT_ARG_MAX);
	return n < 0 ? (int)n : 0;
}

struct mount_args {
	char source[MOUNT_ARG_MAX], type[MOUNT_ARG_MAX];
	char data[MOUNT_ARG_MAX], dir[MOUNT_ARG_MAX];
};

static int mount_args_get(struct mount_args *a, const char *source,
    const char *dir, const char *type, const char *data)
{
	int err = mount_arg(a->source, source);

	if (!err)
		err = mount_arg(a->dir, dir);
	if (!err)
		err = mount_arg(a->type, type);
	return err ? err : mount_arg(a->data, data);
}

long sys_mount(const char *source, const char *dir, const char *type,
    unsigned long flags, const char *data)
{
	const unsigned long spread =
	    MS_PRIVATE | MS_SLAVE | MS_SHARED | MS_UNBINDABLE;
	struct mount_args *a;
	int err;

	if ((flags & MS_MGC_MSK) == MS_MGC_VAL)
		flags &= ~(unsigned long)MS_MGC_MSK;
	/* There is one namespace: nothing spreads anyway. */
	if (flags & spread)
		return 0;
	if (flags & (MS_BIND | MS_MOVE | MS_REMOUNT)) {
		log_once(LOG_WARN, "mount: bind, move, remount: not there");
		return -EOPNOTSUPP;
	}
	a = kmalloc(sizeof(*a));
	if (!a)
		return -ENOMEM;
	err = mount_args_get(a, source, dir, type, data);
	if (!err)
		err = vfs_mount(
		    a->type, a->source, a->dir, (unsigned)flags, a->data);
	kfree(a);
	return err;
}

long sys_umount2(const char *dir, int flags)
{
	struct upath p;
	int err;

	if (flags & ~(UMOUNT_FLAGS))
		return -EINVAL;
	if (flags & (UMOUNT_DETACH | UMOUNT_EXPIRE))
		return -EOPNOTSUPP;
	err = upath_get(&p, AT_FDCWD, dir, 0);
	if (err)
		return err;
	err = vfs_unmount(p.name);
	upath_put(&p);
	return err;
}
