#include "procfs.h"

#include <asm/stat.h>

#include "kern/errno.h"
#include "kern/file.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/string.h"

/* /proc/self/fd and fdinfo: proc_pid_fd(5). */

static bool proc_fd_open(unsigned fd)
{
	return fd <= INT32_MAX && fd_next((int)fd) == (int)fd;
}

/* --- what a descriptor without a name leads to --------------------------- */

static struct file *anon_file(struct vnode *v)
{
	return v->priv;
}

static struct file *anon_reopen(struct vnode *v)
{
	file_get(anon_file(v));
	return anon_file(v);
}

static int anon_getattr(struct vnode *v, struct vattr *a)
{
	struct stat st;
	int err = file_stat(anon_file(v), &st);

	if (err)
		return err;
	a->mode = v->mode;
	a->ino = st.st_ino;
	a->nlink = (uint32_t)st.st_nlink;
	a->size = (uint64_t)st.st_size;
	return 0;
}

static void anon_reclaim(struct vnode *v)
{
	file_put(anon_file(v));
	proc_reclaim(v);
}

static const struct vnode_ops anon_ops = {
	.getattr = anon_getattr,
	.reopen = anon_reopen,
	.reclaim = anon_reclaim,
};

/* Takes over the reference on (f). */
static int anon_dentry(struct mount *m, struct file *f, struct dentry **out)
{
	struct proc_node *n;
	struct stat st;
	int err = file_stat(f, &st);

	n = err ? NULL : proc_node_new(m, &anon_ops, st.st_mode);
	if (!n) {
		file_put(f);
		return err ? err : -ENOMEM;
	}
	n->vnode.priv = f;
	*out = dentry_alone(m, NULL, "", 0, &n->vnode);
	return *out ? 0 : -ENOMEM;
}

/* --- fd/N ---------------------------------------------------------------- */

static int proc_fdlink_follow(struct vnode *v, struct dentry **out)
{
	struct file *f = fd_get(proc_node(v)->fd);

	if (!f)
		return -ENOENT;
	if (!f->dentry)
		return anon_dentry(v->mount, f, out);
	dentry_get(f->dentry);
	*out = f->dentry;
	file_put(f);
	return 0;
}

static long proc_file_path(struct file *f, char *path, size_t n)
{
	int err = 0;

	if (f->dentry && !f->ops->path)
		return dentry_path(f->dentry, path, n);
	if (f->ops->path)
		err = f->ops->path(f, path, n);
	else
		snprintf(path, n, "anon_inode:[unknown]");
	return err < 0 ? err : (long)strlen(path);
}

static long proc_fdlink_readlink(struct vnode *v, char *buf, size_t n)
{
	struct file *f = fd_get(proc_node(v)->fd);
	char *path;
	long len;

	if (!f)
		return -ENOENT;
	path = kmalloc(FS_PATH_MAX);
	len = path ? proc_file_path(f, path, FS_PATH_MAX) : -ENOMEM;
	if (len > 0) {
		len = (long)MIN((size_t)len, n);
		memcpy(buf, path, (size_t)len);
	}
	kfree(path);
	file_put(f);
	return len;
}

static const struct vnode_ops proc_fdlink_ops = {
	.readlink = proc_fdlink_readlink,
	.follow = proc_fdlink_follow,
	.getattr = proc_getattr,
	.reclaim = proc_reclaim,
};

/* --- the directories ----------------------------------------------------- */

static int proc_fd_make(struct vnode *dir, const char *name, size_t len,
    const struct vnode_ops *ops, uint32_t mode, struct vnode **out)
{
	long fd = proc_number(name, len);
	struct proc_node *n;

	if (fd < 0 || !proc_fd_open((unsigned)fd))
		return -ENOENT;
	n = proc_node_new(dir->mount, ops, mode);
	if (!n)
		return -ENOMEM;
	n->fd = (int)fd;
	*out = &n->vnode;
	return 0;
}

static int proc_fd_lookup(
    struct vnode *dir, const char *name, size_t len, struct vnode **out)
{
	return proc_fd_make(
	    dir, name, len, &proc_fdlink_ops, S_IFLNK | 0700, out);
}

static int proc_fd_list(uint64_t *off, uint8_t type, proc_emit emit, void *arg)
{
	char digits[PROC_NUMBER_MAX];
	size_t at;
	int fd;

	while (*off - 2 <= INT32_MAX) {
		fd = fd_next((int)(*off - 2));
		if (fd < 0)
			break;
		at = proc_digits(digits, (unsigned)fd);
		/* The inode number is made up: each link is made anew. */
		if (!emit(arg, digits + at, sizeof(digits) - at,
			0x10000u + (unsigned)fd, type, (uint64_t)fd + 3))
			break;
		*off = (uint64_t)fd + 3;
	}
	return 0;
}

static int proc_fd_readdir(
    struct vnode *v, uint64_t *off, proc_emit emit, void *arg)
{
	(void)v;
	return proc_fd_list(off, S_IFLNK >> 12, emit, arg);
}

const struct vnode_ops proc_fd_ops = {
	.lookup = proc_fd_lookup,
	.readdir = proc_fd_readdir,
	.getattr = proc_getattr,
	.reclaim = proc_reclaim_never,
};

/* --- fdinfo -------------------------------------------------------------- */

int proc_fdinfo_show(struct proc_out *o, int fd)
{
	int cloexec = fd_get_flags(fd);
	struct file *f = fd_get(fd);
	struct stat st;
	uint32_t flags;

	if (!f)
		return -ENOENT;
	flags = f->flags | (cloexec > 0 ? O_CLOEXEC : 0);
	proc_printf(o, "pos:\t%llu\nflags:\t0%o\nmnt_id:\t%u\n",
	    (unsigned long long)f->pos, flags,
	    f->vnode && f->vnode->mount ? f->vnode->mount->dev : 0);
	if (file_stat(f, &st) == 0)
		proc_printf(o, "ino:\t%lu\n", st.st_ino);
	file_put(f);
	return 0;
}

static int proc_fdinfo_open(struct vnode *v, struct file *f)
{
	return proc_text_open_with(f, NULL, 0, proc_node(v)->fd);
}

static const struct vnode_ops proc_fdinfo_file_ops = {
	.getattr = proc_getattr,
	.open = proc_fdinfo_open,
	.reclaim = proc_reclaim,
};

static int proc_fdinfo_lookup(
    struct vnode *dir, const char *name, size_t len, struct vnode **out)
{
	return proc_fd_make(
	    dir, name, len, &proc_fdinfo_file_ops, S_IFREG | 0444, out);
}

static int proc_fdinfo_readdir(
    struct vnode *v, uint64_t *off, proc_emit emit, void *arg)
{
	(void)v;
	return proc_fd_list(off, S_IFREG >> 12, emit, arg);
}

const struct vnode_ops proc_fdinfo_ops = {
	.lookup = proc_fdinfo_lookup,
	.readdir = proc_fdinfo_readdir,
	.getattr = proc_getattr,
	.reclaim = proc_reclaim_never,
};
