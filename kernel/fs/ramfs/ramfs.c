#include "ramfs.h"

#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/string.h"

#include <linux/magic.h>

static const struct vnode_ops ramfs_ops;

static struct ramfs *ramfs_of(const struct vnode *v)
{
	return v->mount->priv;
}

/* --- nodes --------------------------------------------------------------- */

static struct ramfs_node *ramfs_node_new(struct mount *m, uint32_t mode)
{
	struct ramfs *fs = m->priv;
	struct ramfs_node *n = kzalloc(sizeof(*n));

	if (!n)
		return NULL;
	vnode_init(&n->vnode, &ramfs_ops, m,
	    atomic_fetch_add(&fs->next_ino, 1) + 1, mode);
	n->atime = n->mtime = n->ctime = fs_now();
	n->nlink = S_ISDIR(mode) ? 2 : 1;
	if (S_ISREG(mode) && pcache_create(&n->vnode, &fs->quota, 1)) {
		kfree(n);
		return NULL;
	}
	atomic_fetch_add(&fs->nnodes, 1);
	return n;
}

static void ramfs_reclaim(struct vnode *v)
{
	struct ramfs_node *n = ramfs_node(v);
	struct ramfs *fs = ramfs_of(v);

	pcache_destroy(v);
	ramfs_dir_destroy(&n->dir);
	kfree(n->target);
	kfree(n);
	atomic_fetch_sub(&fs->nnodes, 1);
}

static void ramfs_changed(struct ramfs_node *n, bool contents)
{
	n->ctime = fs_now();
	if (contents)
		n->mtime = n->ctime;
}

/* --- names --------------------------------------------------------------- */

static int ramfs_lookup(
    struct vnode *dir, const char *name, size_t len, struct vnode **out)
{
	struct ramfs_node *n = ramfs_dir_find(&ramfs_node(dir)->dir, name, len);

	if (!n)
		return -ENOENT;
	vnode_get(&n->vnode);
	*out = &n->vnode;
	return 0;
}

static int ramfs_fill_new(
    struct ramfs_node *n, uint64_t rdev, const char *target)
{
	n->rdev = rdev;
	if (!S_ISLNK(n->vnode.mode))
		return 0;
	n->target = kstrdup(target);
	if (!n->target)
		return -ENOMEM;
	n->vnode.size = strlen(target);
	return 0;
}

static int ramfs_create(struct vnode *dir, const char *name, size_t len,
    uint32_t mode, uint64_t rdev, const char *target, struct vnode **out)
{
	struct ramfs_node *d = ramfs_node(dir), *n;
	int err;

	n = ramfs_node_new(dir->mount, mode);
	if (!n)
		return -ENOMEM;
	err = ramfs_fill_new(n, rdev, target);
	if (!err)
		err = ramfs_dir_add(&d->dir, name, len, n);
	if (err) {
		vnode_put(&n->vnode);
		return err;
	}
	if (dir->mode & S_ISGID) {
		n->gid = d->gid;
		if (S_ISDIR(mode))
			n->vnode.mode |= S_ISGID;
	}
	if (S_ISDIR(mode))
		d->nlink++;
	ramfs_changed(d, true);
	*out = &n->vnode;
	return 0;
}

static int ramfs_tmpfile(struct vnode *dir, uint32_t mode, struct vnode **out)
{
	struct ramfs_node *n = ramfs_node_new(dir->mount, mode);

	if (!n)
		return -ENOMEM;
	n->nlink = 0;
	n->linkable = true;
	*out = &n->vnode;
	return 0;
}

static int ramfs_link(
    struct vnode *dir, const char *name, size_t len, struct vnode *v)
{
	struct ramfs_node *d = ramfs_node(dir), *n = ramfs_node(v);
	int err;

	if (n->nlink == 0 && !n->linkable)
		return -ENOENT;
	err = ramfs_dir_add(&d->dir, name, len, n);
	if (err)
		return err;
	n->nlink++;
	ramfs_changed(n, false);
	ramfs_changed(d, true);
	return 0;
}

/* (n) has lost a name, in (d). */
static void ramfs_unlinked(struct ramfs_node *d, struct ramfs_node *n)
{
	n->linkable = false;
	if (S_ISDIR(n->vnode.mode)) {
		n->nlink = 0;
		d->nlink--;
	} else {
		n->nlink--;
	}
	ramfs_changed(n, false);
	ramfs_changed(d, true);
}

static int ramfs_unlink(struct vnode *dir, const char *name, size_t len,
    struct vnode *v, bool rmdir)
{
	struct ramfs_node *d = ramfs_node(dir), *n = ramfs_node(v);

	if (rmdir && n->dir.n > 0)
		return -ENOTEMPTY;
	ramfs_unlinked(d, n);
	ramfs_dir_remove(&d->dir, name, len);
	return 0;
}

static int ramfs_rename(struct vnode *od, const char *on, size_t onlen,
    struct vnode *nd, const char *nn, size_t nnlen, struct vnode *what,
    struct vnode *replaced)
{
	struct ramfs_node *from = ramfs_node(od), *to = ramfs_node(nd);
	struct ramfs_node *n = ramfs_node(what);
	int err;

	if (replaced) {
		struct ramfs_node *r = ramfs_node(replaced);

		if (r->dir.n > 0)
			return -ENOTEMPTY;
		ramfs_unlinked(to, r);
		ramfs_dir_replace(&to->dir, nn, nnlen, n);
	} else {
		err = ramfs_dir_add(&to->dir, nn, nnlen, n);
		if (err)
			return err;
	}
	ramfs_dir_remove(&from->dir, on, onlen);
	if (S_ISDIR(what->mode)) {
		from->nlink--;
		to->nlink++;
	}
	ramfs_changed(n, false);
	ramfs_changed(from, true);
	ramfs_changed(to, true);
	return 0;
}

static long ramfs_readlink(struct vnode *v, char *buf, size_t n)
{
	size_t len = MIN(v->size, n);

	if (!S_ISLNK(v->mode))
		return -EINVAL;
	memcpy(buf, ramfs_node(v)->target, len);
	return (long)len;
}

/* --- attributes ---------------------------------------------------------- */

static int ramfs_getattr(struct vnode *v, struct vattr *a)
{
	const struct ramfs_node *n = ramfs_node(v);

	a->uid = n->uid;
	a->gid = n->gid;
	a->nlink = n->nlink;
	a->rdev = n->rdev;
	a->blocks = pcache_pages(v) * (PAGE_SIZE / 512);
	a->atime = n->atime;
	a->mtime = n->mtime;
	a->ctime = n->ctime;
	return 0;
}

static int ramfs_setattr(struct vnode *v, const struct vattr *a, unsigned what)
{
	struct ramfs_node *n = ramfs_node(v);
	int err = 0;

	if (what & VATTR_SIZE)
		err = pcache_resize(v, a->size);
	if (err)
		return err;
	ramfs_changed(n, what & VATTR_SIZE);
	if (what & VATTR_MODE)
		v->mode = (v->mode & S_IFMT) | (a->mode & 07777);
	if (what & VATTR_UID)
		n->uid = a->uid;
	if (what & VATTR_GID)
		n->gid = a->gid;
	if (what & VATTR_ATIME)
		n->atime = a->atime;
	if (what & VATTR_MTIME)
		n->mtime = a->mtime;
	return 0;
}

static const struct vnode_ops ramfs_ops = {
	.lookup = ramfs_lookup,
	.create = ramfs_create,
	.tmpfile = ramfs_tmpfile,
	.link = ramfs_link,
	.unlink = ramfs_unlink,
	.rename = ramfs_rename,
	.getattr = ramfs_getattr,
	.setattr = ramfs_setattr,
	.readdir = ramfs_readdir,
	.readlink = ramfs_readlink,
	.reclaim = ramfs_reclaim,
};

/* --- mounts -------------------------------------------------------------- */

/* "64m", "2g", "50%" (of memory); 0 and anything else: no limit. */
static uint64_t ramfs_parse_size(const char *s, uint64_t memory)
{
	char *end;
	uint64_t n = strtoul(s, &end, 10);
	unsigned shift = 0;

	switch (*end) {
	case '%':
		return memory / 100 * MIN(n, 100u);
	case 'k':
	case 'K':
		shift = 10;
		break;
	case 'm':
	case 'M':
		shift = 20;
		break;
	case 'g':
	case 'G':
		shift = 30;
		break;
	default:
		break;
	}
	return n > UINT64_MAX >> shift ? UINT64_MAX : n << shift;
}

static const char *ramfs_option(const char *options, const char *key)
{
	size_t len = strlen(key);

	while (options && *options) {
		if (strncmp(options, key, len) == 0)
			return options + len;
		options = strchr(options, ',');
		if (options)
			options++;
	}
	return NULL;
}

static uint64_t tmpfs_limit(const char *options)
{
	const char *size = ramfs_option(options, "size=");
	struct mm_stats st;
	uint64_t bytes;

	mm_stats(&st);
	bytes = size ? ramfs_parse_size(size, st.total) : st.total / 2;
	return bytes ? (bytes - 1) / PAGE_SIZE + 1 : UINT64_MAX;
}

int ramfs_mount_with(
    struct mount *m, uint32_t mode, const char *options, bool limited)
{
	const char *opt = ramfs_option(options, "mode=");
	struct ramfs *fs = kzalloc(sizeof(*fs));
	struct ramfs_node *root;

	if (!fs)
		return -ENOMEM;
	if (opt)
		mode = strtoul(opt, NULL, 8) & 07777;
	fs->limited = limited;
	fs->quota.limit = limited ? tmpfs_limit(options) : UINT64_MAX;
	m->priv = fs;
	root = ramfs_node_new(m, S_IFDIR | mode);
	if (!root) {
		kfree(fs);
		return -ENOMEM;
	}
	m->root = &root->vnode;
	return 0;
}

static int ramfs_mount(struct mount *m, const char *source, const char *options)
{
	(void)source;
	return ramfs_mount_with(m, 0755, options, false);
}

static int tmpfs_mount(struct mount *m, const char *source, const char *options)
{
	(void)source;
	return ramfs_mount_with(m, 01777, options, true);
}

void ramfs_unmount(struct mount *m)
{
	kfree(m->priv);
}

int ramfs_statfs(struct mount *m, struct fs_stat *s)
{
	struct ramfs *fs = m->priv;
	uint64_t used = fs->quota.used;

	s->type = fs->limited ? TMPFS_MAGIC : RAMFS_MAGIC;
	s->files = fs->nnodes;
	if (fs->quota.limit == UINT64_MAX)
		return 0;
	s->blocks = fs->quota.limit;
	s->bfree = s->bavail = fs->quota.limit - MIN(used, fs->quota.limit);
	return 0;
}

static const struct fs_type ramfs_type = {
	.name = "ramfs",
	.mount = ramfs_mount,
	.unmount = ramfs_unmount,
	.statfs = ramfs_statfs,
};
FILESYSTEM(ramfs_type);

static const struct fs_type tmpfs_type = {
	.name = "tmpfs",
	.mount = tmpfs_mount,
	.unmount = ramfs_unmount,
	.statfs = ramfs_statfs,
};
FILESYSTEM(tmpfs_type);
