#include "erofs.h"

#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/string.h"

#define NSEC 1000000000ull

/* Pages of a file to read at once, from disk. */
#define EROFS_WINDOW   32u
#define EROFS_WINDOW_Z 16u

/* What both kinds of inode say. */
static void inode_extended(
    struct erofs_inode *n, const struct erofs_inode_extended *d)
{
	n->vnode.mode = d->mode;
	n->vnode.size = d->size;
	n->u = d->u;
	n->uid = d->uid;
	n->gid = d->gid;
	n->nlink = d->nlink;
	n->mtime = d->mtime < UINT64_MAX / NSEC - 1
		       ? d->mtime * NSEC + d->mtime_nsec % NSEC
		       : 0;
}

static void inode_compact(struct erofs_inode *n,
    const struct erofs_inode_compact *d, uint64_t build_time)
{
	n->vnode.mode = d->mode;
	n->vnode.size = d->size;
	n->u = d->u;
	n->uid = d->uid;
	n->gid = d->gid;
	n->nlink = d->nlink;
	n->mtime = build_time;
}

static uint64_t inode_xattrs(uint16_t icount)
{
	return icount ? 12 + 4 * ((uint64_t)icount - 1) : 0;
}

static int inode_check(const struct erofs_inode *n)
{
	const struct vnode *v = &n->vnode;
	bool flat = n->layout == EROFS_FLAT_PLAIN ||
		    n->layout == EROFS_FLAT_INLINE ||
		    n->layout == EROFS_CHUNKED;

	switch (v->mode & S_IFMT) {
	case S_IFREG:
		return v->size > INT64_MAX ? -EIO : 0;
	case S_IFDIR:
		return flat && v->size <= UINT32_MAX ? 0 : -EIO;
	case S_IFLNK:
		return flat && v->size < FS_PATH_MAX ? 0 : -EIO;
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		return 0;
	default:
		return -EIO;
	}
}

static int inode_read_disk(struct erofs *fs, struct erofs_inode *n)
{
	union {
		struct erofs_inode_compact compact;
		struct erofs_inode_extended extended;
	} d;
	uint64_t pos, size = sizeof(d.compact);
	int err;

	if (n->nid > UINT64_MAX >> EROFS_NID_SHIFT ||
	    add_overflow(n->nid << EROFS_NID_SHIFT, fs->meta, &pos))
		return -EIO;
	err = erofs_dev_read(fs, pos, &d.compact, sizeof(d.compact));
	if (!err && (d.compact.format & EROFS_FORMAT_EXTENDED)) {
		size = sizeof(d.extended);
		err = erofs_dev_read(fs, pos, &d.extended, size);
	}
	if (err)
		return err;
	if ((d.compact.format & ~EROFS_FORMAT_KNOWN) ||
	    EROFS_FORMAT_LAYOUT(d.compact.format) > EROFS_CHUNKED)
		return -EOPNOTSUPP;
	n->layout = EROFS_FORMAT_LAYOUT(d.compact.format);
	n->body = pos + size + inode_xattrs(d.compact.xattr_icount);
	if (size == sizeof(d.extended))
		inode_extended(n, &d.extended);
	else
		inode_compact(n, &d.compact, fs->build_time);
	return inode_check(n);
}

static int inode_prepare(struct erofs *fs, struct erofs_inode *n)
{
	bool z = n->layout == EROFS_Z_FULL || n->layout == EROFS_Z_COMPACT;
	unsigned window = z ? EROFS_WINDOW_Z : EROFS_WINDOW;
	int err = 0;

	if (!vnode_is(&n->vnode, S_IFREG))
		return 0;
	if (z && n->vnode.size)
		err = erofs_zmap_init(n);
	/* From memory there is nothing to wait for. */
	if (fs->mem)
		window = z ? 4 : 1;
	return err ? err : pcache_create(&n->vnode, NULL, window);
}

static int inode_new(struct mount *m, uint64_t nid, struct erofs_inode **out)
{
	struct erofs_inode *n = kzalloc(sizeof(*n));
	int err;

	if (!n)
		return -ENOMEM;
	vnode_init(&n->vnode, &erofs_ops, m, nid, 0);
	list_init(&n->link);
	n->nid = nid;
	err = inode_read_disk(m->priv, n);
	if (!err)
		err = inode_prepare(m->priv, n);
	if (err)
		kfree(n);
	else
		*out = n;
	return err;
}

/* The lock is held.  One whose last reference is going does not count. */
static struct erofs_inode *inode_cached(struct erofs *fs, uint64_t nid)
{
	struct erofs_inode *n;

	list_foreach (n, &fs->hash[nid % EROFS_HASH], link)
		if (n->nid == nid && vnode_tryget(&n->vnode))
			return n;
	return NULL;
}

int erofs_iget(struct mount *m, uint64_t nid, struct vnode **out)
{
	struct erofs *fs = m->priv;
	struct erofs_inode *n, *there;
	int err;

	mutex_lock(&fs->lock);
	n = inode_cached(fs, nid);
	mutex_unlock(&fs->lock);
	if (n) {
		*out = &n->vnode;
		return 0;
	}
	err = inode_new(m, nid, &n);
	if (err)
		return err;
	mutex_lock(&fs->lock);
	there = inode_cached(fs, nid);
	if (!there)
		list_add(&fs->hash[nid % EROFS_HASH], &n->link);
	mutex_unlock(&fs->lock);
	if (there)
		vnode_put(&n->vnode);
	*out = there ? &there->vnode : &n->vnode;
	return 0;
}

void erofs_reclaim(struct vnode *v)
{
	struct erofs_inode *n = erofs_inode(v);
	struct erofs *fs = erofs_of(v);

	mutex_lock(&fs->lock);
	list_del(&n->link);
	mutex_unlock(&fs->lock);
	pcache_destroy(v);
	kfree(n);
}
