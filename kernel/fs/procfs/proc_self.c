#include "procfs.h"

#include "kern/app.h"
#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/sched.h"
#include "kern/string.h"

/* /proc itself and the links of the process's directory.  There is one
 * process: /proc/<pid> and what "self" leads to are the same. */

/* --- links with a text --------------------------------------------------- */

static long proc_link_copy(char *buf, size_t n, const char *text)
{
	size_t len = MIN(strlen(text), n);

	memcpy(buf, text, len);
	return (long)len;
}

static long proc_target_readlink(struct vnode *v, char *buf, size_t n)
{
	return proc_link_copy(buf, n, proc_node(v)->target);
}

static const struct vnode_ops proc_target_ops = {
	.readlink = proc_target_readlink,
	.getattr = proc_getattr,
	.reclaim = proc_reclaim_never,
};

static long proc_self_readlink(struct vnode *v, char *buf, size_t n)
{
	char text[16];

	(void)v;
	snprintf(text, sizeof(text), "%u", app_pid());
	return proc_link_copy(buf, n, text);
}

static const struct vnode_ops proc_self_link_ops = {
	.readlink = proc_self_readlink,
	.getattr = proc_getattr,
	.reclaim = proc_reclaim_never,
};

static long proc_thread_readlink(struct vnode *v, char *buf, size_t n)
{
	char text[40];

	(void)v;
	snprintf(
	    text, sizeof(text), "%u/task/%u", app_pid(), thread_self()->id);
	return proc_link_copy(buf, n, text);
}

static const struct vnode_ops proc_thread_link_ops = {
	.readlink = proc_thread_readlink,
	.getattr = proc_getattr,
	.reclaim = proc_reclaim_never,
};

/* --- cwd, root, exe ------------------------------------------------------ */

static long proc_dentry_readlink(struct dentry *d, char *buf, size_t n)
{
	char *path = kmalloc(FS_PATH_MAX);
	long len = path ? dentry_path(d, path, FS_PATH_MAX) : -ENOMEM;

	if (len > 0)
		len = proc_link_copy(buf, n, path);
	kfree(path);
	dentry_put(d);
	return len;
}

static int proc_cwd_follow(struct vnode *v, struct dentry **out)
{
	(void)v;
	*out = fs_cwd();
	return 0;
}

static long proc_cwd_readlink(struct vnode *v, char *buf, size_t n)
{
	(void)v;
	return proc_dentry_readlink(fs_cwd(), buf, n);
}

static const struct vnode_ops proc_cwd_ops = {
	.readlink = proc_cwd_readlink,
	.follow = proc_cwd_follow,
	.getattr = proc_getattr,
	.reclaim = proc_reclaim_never,
};

static int proc_rootlink_follow(struct vnode *v, struct dentry **out)
{
	(void)v;
	*out = fs_root();
	return 0;
}

static long proc_rootlink_readlink(struct vnode *v, char *buf, size_t n)
{
	(void)v;
	return proc_dentry_readlink(fs_root(), buf, n);
}

static const struct vnode_ops proc_rootlink_ops = {
	.readlink = proc_rootlink_readlink,
	.follow = proc_rootlink_follow,
	.getattr = proc_getattr,
	.reclaim = proc_reclaim_never,
};

static long proc_exe_readlink(struct vnode *v, char *buf, size_t n)
{
	char *path = kmalloc(FS_PATH_MAX);
	long len = path ? app_exe_path(path, FS_PATH_MAX) : -ENOMEM;

	(void)v;
	if (len > 0)
		len = proc_link_copy(buf, n, path);
	kfree(path);
	return len;
}

static const struct vnode_ops proc_exe_ops = {
	.readlink = proc_exe_readlink,
	.getattr = proc_getattr,
	.reclaim = proc_reclaim_never,
};

/* --- the root ------------------------------------------------------------ */

static struct proc_node *proc_root_find(
    struct procfs *fs, const char *name, size_t len)
{
	long pid = proc_number(name, len);

	if (pid >= 0)
		return pid == (long)app_pid() ? fs->self : NULL;
	if (len == 4 && memcmp(name, "self", 4) == 0)
		return fs->self_link;
	if (len == 11 && memcmp(name, "thread-self", 11) == 0)
		return fs->thread_link;
	return proc_child(fs->root, name, len);
}

static int proc_root_lookup(
    struct vnode *v, const char *name, size_t len, struct vnode **out)
{
	struct proc_node *n = proc_root_find(proc_of(v), name, len);

	if (!n)
		return -ENOENT;
	vnode_get(&n->vnode);
	*out = &n->vnode;
	return 0;
}

static uint64_t proc_count(const struct proc_node *dir)
{
	uint64_t n = 0;

	for (const struct proc_node *c = dir->child; c; c = c->next)
		n++;
	return n;
}

/* The directory of the process, after everything else. */
#define PROC_PID_COOKIE    0x10000u
#define PROC_THREAD_COOKIE 0x10001u

static int proc_root_readdir(
    struct vnode *v, uint64_t *off, proc_emit emit, void *arg)
{
	char digits[PROC_NUMBER_MAX];
	size_t at;

	if (*off < PROC_PID_COOKIE) {
		proc_readdir(v, off, emit, arg);
		if (*off < 2 + proc_count(proc_node(v)))
			return 0; /* the rest with the next call */
		*off = PROC_PID_COOKIE;
	}
	if (*off == PROC_PID_COOKIE) {
		at = proc_digits(digits, app_pid());
		if (!emit(arg, digits + at, sizeof(digits) - at,
			proc_of(v)->self->vnode.ino, 4, PROC_THREAD_COOKIE))
			return 0;
		*off = PROC_THREAD_COOKIE;
	}
	if (*off == PROC_THREAD_COOKIE &&
	    emit(arg, "thread-self", 11, proc_of(v)->thread_link->vnode.ino, 10,
		PROC_THREAD_COOKIE + 1))
		*off = PROC_THREAD_COOKIE + 1;
	return 0;
}

const struct vnode_ops proc_root_ops = {
	.lookup = proc_root_lookup,
	.readdir = proc_root_readdir,
	.getattr = proc_getattr,
	.reclaim = proc_reclaim_never,
};

static const struct vnode_ops proc_pid_ops = {
	.lookup = proc_lookup,
	.readdir = proc_readdir,
	.getattr = proc_getattr,
	.reclaim = proc_reclaim_never,
};

/* --- making them --------------------------------------------------------- */

static int proc_add_link(
    struct mount *m, struct proc_node *dir, const char *name, const char *to)
{
	struct proc_node *n = proc_add(
	    m, dir, name, strlen(name), &proc_target_ops, S_IFLNK | 0777);

	if (!n)
		return -ENOMEM;
	n->target = to;
	return 0;
}

static int proc_self_fill(struct mount *m, struct proc_node *self)
{
	static const struct {
		const char *name;
		const struct vnode_ops *ops;
		uint32_t mode;
		unsigned flags;
	} entry[] = {
		{ "task", &proc_task_ops, S_IFDIR | 0555, VNODE_NOCACHE },
		{ "fd", &proc_fd_ops, S_IFDIR | 0500, VNODE_NOCACHE },
		{ "fdinfo", &proc_fdinfo_ops, S_IFDIR | 0555, VNODE_NOCACHE },
		{ "cwd", &proc_cwd_ops, S_IFLNK | 0777, 0 },
		{ "root", &proc_rootlink_ops, S_IFLNK | 0777, 0 },
		{ "exe", &proc_exe_ops, S_IFLNK | 0777, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(entry); i++) {
		struct proc_node *n = proc_add(m, self, entry[i].name,
		    strlen(entry[i].name), entry[i].ops, entry[i].mode);

		if (!n)
			return -ENOMEM;
		n->vnode.flags = entry[i].flags;
	}
	return proc_add_link(m, self, "net", "../net");
}

int proc_self_make(struct mount *m)
{
	struct procfs *fs = m->priv;
	int err;

	fs->root->vnode.flags = VNODE_NOCACHE;
	fs->self =
	    proc_add(m, fs->root, "self", 4, &proc_pid_ops, S_IFDIR | 0555);
	fs->self_link = proc_node_new(m, &proc_self_link_ops, S_IFLNK | 0777);
	fs->thread_link =
	    proc_node_new(m, &proc_thread_link_ops, S_IFLNK | 0777);
	if (!fs->self || !fs->self_link || !fs->thread_link)
		return -ENOMEM;
	err = proc_self_fill(m, fs->self);
	if (!err)
		err = proc_add_link(m, fs->root, "mounts", "self/mounts");
	return err;
}
