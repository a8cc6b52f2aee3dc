#include "procfs.h"

#include <linux/magic.h>

#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/string.h"

extern const struct proc_file *const proc_set_start[];
extern const struct proc_file *const proc_set_end[];

/* --- nodes --------------------------------------------------------------- */

struct proc_node *proc_node_new(
    struct mount *m, const struct vnode_ops *ops, uint32_t mode)
{
	struct procfs *fs = m->priv;
	struct proc_node *n = kzalloc(sizeof(*n));

	if (n)
		vnode_init(&n->vnode, ops, m,
		    atomic_fetch_add(&fs->next_ino, 1) + 1, mode);
	return n;
}

struct proc_node *proc_add(struct mount *m, struct proc_node *parent,
    const char *name, size_t len, const struct vnode_ops *ops, uint32_t mode)
{
	struct proc_node *n = proc_node_new(m, ops, mode), **at;

	if (!n)
		return NULL;
	n->name = name;
	n->name_len = len;
	n->parent = parent;
	if (!parent)
		return n;
	for (at = &parent->child; *at; at = &(*at)->next)
		;
	*at = n;
	return n;
}

struct proc_node *proc_child(
    struct proc_node *dir, const char *name, size_t len)
{
	struct proc_node *n = dir->child;

	while (n && (n->name_len != len || memcmp(n->name, name, len) != 0))
		n = n->next;
	return n;
}

int proc_getattr(struct vnode *v, struct vattr *a)
{
	a->atime = a->mtime = a->ctime = proc_of(v)->started;
	a->nlink = vnode_is(v, S_IFDIR) ? 2 : 1;
	return 0;
}

void proc_reclaim(struct vnode *v)
{
	kfree(proc_node(v));
}

/* The tree has a reference of its own, until the file system goes. */
void proc_reclaim_never(struct vnode *v)
{
	(void)v;
}

int proc_lookup(
    struct vnode *v, const char *name, size_t len, struct vnode **out)
{
	struct proc_node *n = proc_child(proc_node(v), name, len);

	if (!n)
		return -ENOENT;
	vnode_get(&n->vnode);
	*out = &n->vnode;
	return 0;
}

int proc_readdir(struct vnode *v, uint64_t *off, proc_emit emit, void *arg)
{
	const struct proc_node *n = proc_node(v)->child;
	uint64_t at = 2;

	for (; n; n = n->next, at++) {
		if (at < *off)
			continue;
		if (!emit(arg, n->name, n->name_len, n->vnode.ino,
			(uint8_t)(n->vnode.mode >> 12), at + 1))
			break;
		*off = at + 1;
	}
	return 0;
}

long proc_number(const char *name, size_t len)
{
	long n = 0;

	if (len == 0 || len > 9 || (len > 1 && name[0] == '0'))
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return -1;
		n = n * 10 + (name[i] - '0');
	}
	return n;
}

size_t proc_digits(char buf[PROC_NUMBER_MAX], unsigned n)
{
	size_t at = PROC_NUMBER_MAX;

	do {
		buf[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	return at;
}

static const struct vnode_ops proc_dir_ops = {
	.lookup = proc_lookup,
	.readdir = proc_readdir,
	.getattr = proc_getattr,
	.reclaim = proc_reclaim_never,
};

/* --- the tree ------------------------------------------------------------ */

/* The directories of (path) and the file at its end. */
static int proc_plant(
    struct mount *m, const struct proc_file *file, const char *path)
{
	struct proc_node *dir = ((struct procfs *)m->priv)->root, *n;
	uint32_t mode = (file->show ? 0444u : 0) | (file->store ? 0200u : 0);
	const char *slash;

	while ((slash = strchr(path, '/'))) {
		size_t len = (size_t)(slash - path);

		n = proc_child(dir, path, len);
		if (!n)
			n = proc_add(
			    m, dir, path, len, &proc_dir_ops, S_IFDIR | 0555);
		if (!n)
			return -ENOMEM;
		dir = n;
		path = slash + 1;
	}
	n = proc_add(
	    m, dir, path, strlen(path), &proc_text_ops, S_IFREG | mode);
	if (!n)
		return -ENOMEM;
	n->file = file;
	return 0;
}

/* Those of /proc, or of /sys, without that prefix. */
static int proc_plant_all(struct mount *m, bool sysfs)
{
	static const char sys[] = "/sys/";
	int err = 0;

	for (const struct proc_file *const *f = proc_set_start;
	     !err && f < proc_set_end; f++) {
		const char *path = (*f)->path;
		bool is_sys = strncmp(path, sys, sizeof(sys) - 1) == 0;

		if (is_sys == sysfs)
			err = proc_plant(
			    m, *f, is_sys ? path + sizeof(sys) - 1 : path);
	}
	return err;
}

static void proc_fell(struct proc_node *n)
{
	while (n) {
		struct proc_node *up = n->parent;

		if (n->child) {
			n = n->child;
			continue;
		}
		if (up)
			up->child = n->next;
		kfree(n);
		n = up;
	}
}

static void proc_unmount(struct mount *m)
{
	struct procfs *fs = m->priv;

	proc_fell(fs->root);
	kfree(fs->self_link);
	kfree(fs->thread_link);
	kfree(fs);
}

static int proc_begin(struct mount *m, const struct vnode_ops *root_ops)
{
	struct procfs *fs = kzalloc(sizeof(*fs));

	if (!fs)
		return -ENOMEM;
	m->priv = fs;
	fs->started = fs_now();
	fs->root = proc_add(m, NULL, "", 0, root_ops, S_IFDIR | 0555);
	if (!fs->root) {
		kfree(fs);
		return -ENOMEM;
	}
	m->root = &fs->root->vnode;
	vnode_get(m->root);
	return 0;
}

static int proc_mount(struct mount *m, const char *source, const char *options)
{
	int err;

	(void)source;
	(void)options;
	err = proc_begin(m, &proc_root_ops);
	if (err)
		return err;
	err = proc_self_make(m);
	if (!err)
		err = proc_plant_all(m, false);
	if (err)
		proc_unmount(m);
	return err;
}

static int sysfs_mount(struct mount *m, const char *source, const char *options)
{
	int err;

	(void)source;
	(void)options;
	err = proc_begin(m, &proc_dir_ops);
	if (err)
		return err;
	err = proc_plant_all(m, true);
	if (err)
		proc_unmount(m);
	return err;
}

static int proc_statfs(struct mount *m, struct fs_stat *s)
{
	(void)m;
	s->type = PROC_SUPER_MAGIC;
	return 0;
}

static int sysfs_statfs(struct mount *m, struct fs_stat *s)
{
	(void)m;
	s->type = SYSFS_MAGIC;
	return 0;
}

static const struct fs_type proc_type = {
	.name = "proc",
	.mount = proc_mount,
	.unmount = proc_unmount,
	.statfs = proc_statfs,
};
FILESYSTEM(proc_type);

static const struct fs_type sysfs_type = {
	.name = "sysfs",
	.mount = sysfs_mount,
	.unmount = proc_unmount,
	.statfs = sysfs_statfs,
};
FILESYSTEM(sysfs_type);
