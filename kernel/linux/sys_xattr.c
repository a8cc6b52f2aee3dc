/*
 * Extended attributes: no file system here keeps any, so the answers are
 * those of Linux on a file system without them.  xattr(7)
 */

#include <linux/fcntl.h>
#include <linux/limits.h>
#include <linux/xattr.h>

#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/string.h"
#include "kern/vfs.h"
#include "path_int.h"
#include "syscalls.h"

enum xattr_call { XATTR_GET, XATTR_SET, XATTR_LIST, XATTR_REMOVE };

/* The class of security attributes exists, and is empty. */
static long xattr_answer(const char *user_name, enum xattr_call call)
{
	char name[XATTR_NAME_MAX + 1];
	long n;

	if (call == XATTR_LIST)
		return 0;
	n = strncpy_from_user(name, user_name, sizeof(name));
	if (n == -ENAMETOOLONG || n == 0)
		return -ERANGE;
	if (n < 0)
		return n;
	if (call != XATTR_SET && strncmp(name, XATTR_SECURITY_PREFIX,
				     XATTR_SECURITY_PREFIX_LEN) == 0)
		return -ENODATA;
	return -EOPNOTSUPP;
}

static long xattr_path(
    const char *path, int flags, const char *name, enum xattr_call call)
{
	struct dentry *d;
	int err = upath_lookup(AT_FDCWD, path, flags, &d);

	if (err)
		return err;
	dentry_put(d);
	return xattr_answer(name, call);
}

static long xattr_fd(int fd, const char *name, enum xattr_call call)
{
	struct file *f = fd_get(fd);

	if (!f)
		return -EBADF;
	file_put(f);
	return xattr_answer(name, call);
}

long sys_setxattr(
    const char *path, const char *name, const void *value, size_t n, int flags)
{
	(void)value;
	(void)n;
	(void)flags;
	return xattr_path(path, 0, name, XATTR_SET);
}

long sys_lsetxattr(
    const char *path, const char *name, const void *value, size_t n, int flags)
{
	(void)value;
	(void)n;
	(void)flags;
	return xattr_path(path, AT_SYMLINK_NOFOLLOW, name, XATTR_SET);
}

long sys_fsetxattr(
    int fd, const char *name, const void *value, size_t n, int flags)
{
	(void)value;
	(void)n;
	(void)flags;
	return xattr_fd(fd, name, XATTR_SET);
}

long sys_getxattr(const char *path, const char *name, void *value, size_t n)
{
	(void)value;
	(void)n;
	return xattr_path(path, 0, name, XATTR_GET);
}

long sys_lgetxattr(const char *path, const char *name, void *value, size_t n)
{
	(void)value;
	(void)n;
	return xattr_path(path, AT_SYMLINK_NOFOLLOW, name, XATTR_GET);
}

long sys_fgetxattr(int fd, const char *name, void *value, size_t n)
{
	(void)value;
	(void)n;
	return xattr_fd(fd, name, XATTR_GET);
}

long sys_listxattr(const char *path, char *list, size_t n)
{
	(void)list;
	(void)n;
	return xattr_path(path, 0, NULL, XATTR_LIST);
}

long sys_llistxattr(const char *path, char *list, size_t n)
{
	(void)list;
	(void)n;
	return xattr_path(path, AT_SYMLINK_NOFOLLOW, NULL, XATTR_LIST);
}

long sys_flistxattr(int fd, char *list, size_t n)
{
	(void)list;
	(void)n;
	return xattr_fd(fd, NULL, XATTR_LIST);
}

long sys_removexattr(const char *path, const char *name)
{
	return xattr_path(path, 0, name, XATTR_REMOVE);
}

long sys_lremovexattr(const char *path, const char *name)
{
	return xattr_path(path, AT_SYMLINK_NOFOLLOW, name, XATTR_REMOVE);
}

long sys_fremovexattr(int fd, const char *name)
{
	return xattr_fd(fd, name, XATTR_REMOVE);
}
