#ifndef LINUX_PATH_INT_H
#define LINUX_PATH_INT_H

/* Paths of the program, for the calls that take them.  kernel/linux/path.c
 * Thread context; may sleep. */

#include <stdbool.h>

#define UPATH_SHORT 128

struct dentry;
struct file;
struct vnode;

/* A path and what it is relative to. */
struct upath {
	struct dentry *at; /* with a reference; NULL: working directory */
	struct file *file; /* the path is "": this one; with a reference */
	const char *name;
	char *heap;
	char buf[UPATH_SHORT];
};

/*
 * (flags): AT_EMPTY_PATH, if "" may stand for (dirfd) itself; else -ENOENT.
 * 0, -EFAULT, -ENAMETOOLONG, -EBADF, -ENOTDIR, -ENOMEM.  Nothing to release
 * when it fails.
 */
int upath_get(struct upath *, int dirfd, const char *user, int flags);
void upath_put(struct upath *);

/* The name itself, with a reference; (flags): AT_SYMLINK_NOFOLLOW,
 * AT_EMPTY_PATH. */
int upath_lookup(int dirfd, const char *user, int flags, struct dentry **out);
/* The same for calls on what is no name as well; exactly one of them is set:
 * a name, or an open file that has none (a pipe). */
int upath_lookup_any(
    int dirfd, const char *user, int flags, struct dentry **d, struct file **f);

#endif /* LINUX_PATH_INT_H */
