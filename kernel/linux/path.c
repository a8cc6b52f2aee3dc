#include "path_int.h"

#include <linux/fcntl.h>
#include <linux/limits.h>

#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/mm.h"
#include "kern/string.h"
#include "kern/vfs.h"

static int upath_copy(struct upath *p, const char *user)
{
	long n = strncpy_from_user(p->buf, user, sizeof(p->buf));

	p->name = p->buf;
	if (n != -ENAMETOOLONG)
		return n < 0 ? (int)n : 0;
	p->heap = kmalloc(PATH_MAX);
	if (!p->heap)
		return -ENOMEM;
	p->name = p->heap;
	n = strncpy_from_user(p->heap, user, PATH_MAX);
	return n < 0 ? (int)n : 0;
}

static int upath_base(struct upath *p, int dirfd, int flags)
{
	struct file *f;

	if (p->name[0] == '/')
		return 0;
	if (p->name[0] == '\0' && !(flags & AT_EMPTY_PATH))
		return -ENOENT;
	if (dirfd == AT_FDCWD)
		return 0;
	f = fd_get(dirfd);
	if (!f)
		return -EBADF;
	if (p->name[0] == '\0') {
		p->file = f;
		return 0;
	}
	p->at = f->dentry;
	if (p->at)
		dentry_get(p->at);
	file_put(f);
	return p->at ? 0 : -ENOTDIR;
}

int upath_get(struct upath *p, int dirfd, const char *user, int flags)
{
	int err;

	p->at = NULL;
	p->file = NULL;
	p->heap = NULL;
	err = upath_copy(p, user);
	if (!err)
		err = upath_base(p, dirfd, flags);
	if (err)
		upath_put(p);
	return err;
}

void upath_put(struct upath *p)
{
	if (p->at)
		dentry_put(p->at);
	if (p->file)
		file_put(p->file);
	kfree(p->heap);
}

static int upath_find(
    struct upath *p, int flags, struct dentry **d, struct file **f)
{
	unsigned how = 0;

	*d = NULL;
	*f = NULL;
	if (p->file && p->file->dentry) {
		*d = p->file->dentry;
		dentry_get(*d);
		return 0;
	}
	if (p->file) {
		*f = p->file;
		p->file = NULL;
		return 0;
	}
	if (flags & AT_SYMLINK_NOFOLLOW)
		how |= WALK_NOFOLLOW;
	if (flags & AT_EMPTY_PATH)
		how |= WALK_EMPTY;
	return vfs_lookup(p->at, p->name, how, d);
}

int upath_lookup_any(
    int dirfd, const char *user, int flags, struct dentry **d, struct file **f)
{
	struct upath p;
	int err;

	err = upath_get(&p, dirfd, user, flags);
	if (err)
		return err;
	err = upath_find(&p, flags, d, f);
	upath_put(&p);
	return err;
}

int upath_lookup(int dirfd, const char *user, int flags, struct dentry **out)
{
	struct file *f;
	int err = upath_lookup_any(dirfd, user, flags, out, &f);

	if (!err && f) {
		file_put(f);
		return -ENOENT;
	}
	return err;
}
