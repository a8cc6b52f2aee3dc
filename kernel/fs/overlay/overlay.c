#include "overlay.h"

#include <linux/fs.h>
#include <linux/magic.h>

#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/string.h"

static const struct vnode_ops ovl_ops;

/* --- nodes --------------------------------------------------------------- */

static void ovl_put(struct vnode *v)
{
	if (v)
		vnode_put(v);
}

int ovl_node_new(struct mount *m, struct ovl_node *parent, const char *name,
    size_t len, struct vnode *upper, struct vnode *lower, uint64_t ino,
    struct vnode **out)
{
	struct ovl_node *n = kzalloc(sizeof(*n));
	char *copy = kmalloc(len + 1);

	if (!n || !copy) {
		kfree(n);
		kfree(copy);
		ovl_put(upper);
		ovl_put(lower);
		return -ENOMEM;
	}
	memcpy(copy, name, len);
	copy[len] = '\0';
	vnode_init(
	    &n->vnode, &ovl_ops, m, ino, upper ? upper->mode : lower->mode);
	n->upper = upper;
	n->lower = lower;
	n->name = copy;
	n->parent = parent;
	if (parent)
		vnode_get(&parent->vnode);
	*out = &n->vnode;
	return 0;
}

static void ovl_reclaim(struct vnode *v)
{
	struct ovl_node *n = ovl_node(v);

	ovl_put(n->upper);
	ovl_put(n->lower);
	if (n->parent)
		vnode_put(&n->parent->vnode);
	kfree(n->name);
	kfree(n);
}

/* --- attributes and contents --------------------------------------------- */

static struct vnode *ovl_data(struct vnode *v)
{
	return ovl_real(ovl_node(v));
}

static int ovl_getattr(struct vnode *v, struct vattr *a)
{
	int err = vfs_getattr(ovl_real(ovl_node(v)), a);

	a->ino = v->ino;
	return err;
}

static int ovl_setattr(struct vnode *v, const struct vattr *a, unsigned what)
{
	struct ovl_node *n = ovl_node(v);
	int err = ovl_copy_up(n, what & VATTR_SIZE ? a->size : UINT64_MAX);

	if (!err)
		err = vfs_setattr(n->upper, a, what);
	if (!err)
		v->mode = ovl_real(n)->mode;
	return err;
}

static long ovl_readlink(struct vnode *v, char *buf, size_t n)
{
	struct vnode *real = ovl_real(ovl_node(v));

	return real->ops->readlink ? real->ops->readlink(real, buf, n)
				   : -EINVAL;
}

/* A file that is opened for writing is in the upper tree from then on. */
static int ovl_open(struct vnode *v, struct file *f)
{
	if (!vnode_is(v, S_IFREG) || !file_writable(f))
		return 0;
	return ovl_copy_up(ovl_node(v), UINT64_MAX);
}

static const struct vnode_ops ovl_ops = {
	.lookup = ovl_lookup,
	.create = ovl_create,
	.tmpfile = ovl_tmpfile,
	.link = ovl_link,
	.unlink = ovl_unlink,
	.rename = ovl_rename,
	.getattr = ovl_getattr,
	.setattr = ovl_setattr,
	.readdir = ovl_readdir,
	.readlink = ovl_readlink,
	.open = ovl_open,
	.data = ovl_data,
	.reclaim = ovl_reclaim,
};

/* --- mounts -------------------------------------------------------------- */

static int ovl_mount_trees(
    struct overlay *o, const char *type, const char *source)
{
	int err;

	o->lower = mount_create(type, source, MS_RDONLY, NULL, &err);
	if (!o->lower)
		return err;
	o->upper = mount_create("tmpfs", "none", 0, "mode=755", &err);
	if (!o->upper)
		mount_destroy(o->lower);
	return o->upper ? 0 : err;
}

/* (options): "lower=TYPE", of the tree that (source) has. */
static int ovl_mount(struct mount *m, const char *source, const char *options)
{
	struct overlay *o;
	int err;

	if (strncmp(options, "lower=", 6) != 0 ||
	    strcmp(options + 6, "overlay") == 0)
		return -EINVAL;
	o = kzalloc(sizeof(*o));
	if (!o)
		return -ENOMEM;
	mutex_init(&o->copy);
	err = ovl_mount_trees(o, options + 6, source);
	if (err) {
		kfree(o);
		return err;
	}
	m->priv = o;
	vnode_get(o->upper->root);
	vnode_get(o->lower->root);
	err = ovl_node_new(m, NULL, "", 0, o->upper->root, o->lower->root,
	    o->lower->root->ino, &m->root);
	if (err) {
		mount_destroy(o->upper);
		mount_destroy(o->lower);
		kfree(o);
	}
	return err;
}

static void ovl_unmount(struct mount *m)
{
	struct overlay *o = m->priv;

	mount_destroy(o->upper);
	mount_destroy(o->lower);
	kfree(o);
}

/* The room there is is the upper tree's. */
static int ovl_statfs(struct mount *m, struct fs_stat *s)
{
	struct overlay *o = m->priv;
	int err = vfs_statfs(o->upper, s);

	s->type = OVERLAYFS_SUPER_MAGIC;
	return err;
}

static const struct fs_type overlay_type = {
	.name = "overlay",
	.mount = ovl_mount,
	.unmount = ovl_unmount,
	.statfs = ovl_statfs,
};
FILESYSTEM(overlay_type);
