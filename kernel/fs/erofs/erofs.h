#ifndef EROFS_H
#define EROFS_H

/*
 * EROFS, read only: from a disk, or from memory (a boot module).  The image
 * is not trusted: each position is checked against its size before it is
 * read, each loop is bounded, and what makes no sense is -EIO.
 */

#include "erofs_disk.h"
#include "fs_int.h"
#include "pcache.h"

struct blk_dev;

#define EROFS_HASH 256u

struct erofs {
	/* Where the image is: one of the two. */
	const uint8_t *mem;
	struct blk_dev *disk; /* with a use count */
	uint64_t len;
	struct vnode dev; /* the disk's page cache, for what is not file data */

	unsigned blkbits;
	uint64_t meta;       /* byte offset of inode 0 */
	uint64_t build_time; /* ns */
	uint64_t inos, blocks;
	struct mutex lock; /* protects hash */
	struct list hash[EROFS_HASH];
};

struct erofs_inode {
	struct vnode vnode;
	struct list link; /* erofs->hash */
	uint64_t nid;
	enum erofs_layout layout;
	uint64_t body; /* byte offset of what follows inode and xattrs */
	uint32_t u;    /* block, rdev or chunk format */
	uint32_t uid, gid, nlink;
	uint64_t mtime;

	/* compressed files */
	unsigned lcbits; /* log2 of a logical cluster */
	uint16_t advise;
};

static inline struct erofs *erofs_of(const struct vnode *v)
{
	return v->mount->priv;
}

static inline struct erofs_inode *erofs_inode(struct vnode *v)
{
	return container_of(v, struct erofs_inode, vnode);
}

/* erofs_dev.c: reading the image.  -EIO past its end. */
int erofs_dev_open(struct erofs *, const char *source);
void erofs_dev_close(struct erofs *);
int erofs_dev_read(struct erofs *, uint64_t pos, void *buf, size_t n);
/* (n) pages of file data from (pos), which is a multiple of a block. */
int erofs_dev_pages(struct erofs *, uint64_t pos, void **pages, unsigned n);

/* erofs_super.c */
int erofs_super_read(struct erofs *, uint64_t *root_nid);

/* erofs_inode.c: the inode (nid), with a reference. */
int erofs_iget(struct mount *, uint64_t nid, struct vnode **out);
void erofs_reclaim(struct vnode *);

/* erofs_map.c: where [off, off + n) of a file that is not compressed is. */
struct erofs_extent {
	uint64_t pos, len; /* in the image */
	bool hole;
};
int erofs_map(struct erofs_inode *, uint64_t off, struct erofs_extent *);
int erofs_read(struct erofs_inode *, uint64_t off, void *buf, size_t n);

/* erofs_zmap.c: the same of one that is. */
struct erofs_zextent {
	uint64_t off, len;  /* in the file */
	uint64_t pos, plen; /* in the image */
	bool plain;
};
int erofs_zmap_init(struct erofs_inode *);
int erofs_zmap(struct erofs_inode *, uint64_t off, struct erofs_zextent *);

/* erofs_data.c: vnode_ops->read_pages */
int erofs_read_pages(struct vnode *, uint64_t first, unsigned n, void **pages);

/* erofs_dir.c */
int erofs_lookup(
    struct vnode *, const char *name, size_t len, struct vnode **out);
int erofs_readdir(struct vnode *, uint64_t *off,
    bool (*emit)(void *arg, const char *name, size_t len, uint64_t ino,
	uint8_t type, uint64_t next),
    void *arg);

/* erofs.c */
extern const struct vnode_ops erofs_ops;

/* lz4.c: the first (need) bytes of what the block (src, n) stands for.  0, or
 * -EIO when it does not make sense or gives less. */
int lz4_decode(const uint8_t *src, size_t n, uint8_t *dst, size_t need);

#endif /* EROFS_H */
