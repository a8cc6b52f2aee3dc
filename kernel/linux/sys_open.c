/* Opening files by path: open(2), openat2(2), memfd_create(2). */

#include <linux/fcntl.h>
#include <linux/memfd.h>
#include <linux/openat2.h>

#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/log.h"
#include "kern/string.h"
#include "kern/vfs.h"
#include "path_int.h"
#include "syscalls.h"

static long open_install(struct file *f, int flags)
{
	int fd = fd_install(f, flags & O_CLOEXEC, 0);

	if (fd < 0)
		file_put(f);
	return fd;
}

long sys_openat(int dirfd, const char *path, int flags, uint32_t mode)
{
	struct upath p;
	struct file *f;
	int err;

	err = upath_get(&p, dirfd, path, 0);
	if (err)
		return err;
	err = vfs_open(p.at, p.name, flags, mode & 07777, &f);
	upath_put(&p);
	return err ? err : open_install(f, flags);
}

long sys_open(const char *path, int flags, uint32_t mode)
{
	return sys_openat(AT_FDCWD, path, flags, mode);
}

long sys_creat(const char *path, uint32_t mode)
{
	return sys_openat(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/* A larger struct than ours is fine if what we do not know is zero. */
static int open_how_get(struct open_how *how, const void *user, size_t size)
{
	uint8_t extra[64];

	if (size < sizeof(*how))
		return -EINVAL;
	if (size > sizeof(*how) + sizeof(extra))
		return -E2BIG;
	if (copy_from_user(how, user, sizeof(*how)))
		return -EFAULT;
	size -= sizeof(*how);
	if (copy_from_user(extra, (const char *)user + sizeof(*how), size))
		return -EFAULT;
	for (size_t i = 0; i < size; i++)
		if (extra[i])
			return -E2BIG;
	return 0;
}

long sys_openat2(int dirfd, const char *path, const void *user, size_t size)
{
	const uint64_t known = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS |
			       RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH |
			       RESOLVE_IN_ROOT | RESOLVE_CACHED;
	struct open_how how;
	int err = open_how_get(&how, user, size);

	if (err)
		return err;
	if ((how.resolve & ~known) || (how.mode & ~07777ull) ||
	    how.flags > INT32_MAX)
		return -EINVAL;
	if (how.mode && !(how.flags & (O_CREAT | __O_TMPFILE)))
		return -EINVAL;
	if (how.resolve == RESOLVE_CACHED)
		return -EAGAIN;
	if (how.resolve) {
		log_once(LOG_WARN, "openat2: RESOLVE_* is not supported");
		return -EOPNOTSUPP;
	}
	return sys_openat(dirfd, path, (int)how.flags, (uint32_t)how.mode);
}

/* Sealing is not there: F_ADD_SEALS says -EINVAL, as for MFD_CLOEXEC alone. */
long sys_memfd_create(const char *user, unsigned flags)
{
	char name[7 + 250] = "memfd:";
	struct file *f;
	long n;
	int err;

	if (flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING))
		return -EINVAL;
	n = strncpy_from_user(name + 6, user, sizeof(name) - 6);
	if (n < 0)
		return n == -ENAMETOOLONG ? -EINVAL : n;
	err = vfs_anon_file(name, O_RDWR | O_LARGEFILE, &f);
	if (err)
		return err;
	return open_install(f, flags & MFD_CLOEXEC ? O_CLOEXEC : 0);
}

long sys_umask(uint32_t mask)
{
	return fs_set_umask(mask);
}
