#include "erofs.h"

#include <linux/fs.h>
#include <linux/magic.h>

#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/string.h"

static int erofs_getattr(struct vnode *v, struct vattr *a)
{
	const struct erofs_inode *n = erofs_inode(v);

	a->uid = n->uid;
	a->gid = n->gid;
	a->nlink = n->nlink;
	if (vnode_is(v, S_IFCHR) || vnode_is(v, S_IFBLK))
		a->rdev = n->u;
	a->blocks = (v->size + 511) / 512;
	a->atime = a->mtime = a->ctime = n->mtime;
	return 0;
}

static long erofs_readlink(struct vnode *v, char *buf, size_t n)
{
	size_t len = MIN(v->size, n);
	int err;

	if (!vnode_is(v, S_IFLNK))
		return -EINVAL;
	err = erofs_read(erofs_inode(v), 0, buf, len);
	if (!err && memchr(buf, '\0', len))
		err = -EIO;
	return err ? err : (long)len;
}

const struct vnode_ops erofs_ops = {
	.lookup = erofs_lookup,
	.getattr = erofs_getattr,
	.readdir = erofs_readdir,
	.readlink = erofs_readlink,
	.read_pages = erofs_read_pages,
	.reclaim = erofs_reclaim,
};

/* --- mounts -------------------------------------------------------------- */

static int erofs_mount_root(struct mount *m, struct erofs *fs)
{
	uint64_t nid;
	int err = erofs_super_read(fs, &nid);

	if (!err)
		err = erofs_iget(m, nid, &m->root);
	if (!err && !vnode_is(m->root, S_IFDIR)) {
		vnode_put(m->root);
		err = -EIO;
	}
	return err;
}

static int erofs_mount(struct mount *m, const char *source, const char *options)
{
	struct erofs *fs = kzalloc(sizeof(*fs));
	int err;

	(void)options;
	if (!fs)
		return -ENOMEM;
	mutex_init(&fs->lock);
	for (unsigned i = 0; i < EROFS_HASH; i++)
		list_init(&fs->hash[i]);
	m->priv = fs;
	m->flags |= MS_RDONLY;
	err = erofs_dev_open(fs, source);
	if (!err) {
		err = erofs_mount_root(m, fs);
		if (err)
			erofs_dev_close(fs);
	}
	if (err)
		kfree(fs);
	return err;
}

static void erofs_unmount(struct mount *m)
{
	erofs_dev_close(m->priv);
	kfree(m->priv);
}

static int erofs_statfs(struct mount *m, struct fs_stat *s)
{
	const struct erofs *fs = m->priv;

	s->type = EROFS_SUPER_MAGIC_V1;
	s->bsize = 1ul << fs->blkbits;
	s->blocks = fs->blocks;
	s->files = fs->inos;
	return 0;
}

static const struct fs_type erofs_type = {
	.name = "erofs",
	.mount = erofs_mount,
	.unmount = erofs_unmount,
	.statfs = erofs_statfs,
	.on_disk = true,
};
FILESYSTEM(erofs_type);
