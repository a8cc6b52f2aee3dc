#include "erofs.h"

#include "kern/errno.h"
#include "kern/num.h"
#include "kern/string.h"

/* Files that are not compressed. */

static void map_plain(
    const struct erofs_inode *n, uint64_t off, struct erofs_extent *e)
{
	const struct erofs *fs = erofs_of(&n->vnode);

	e->pos = ((uint64_t)n->u << fs->blkbits) + off;
	e->len = n->vnode.size - off;
}

/* The last block, if it is not a whole one, follows the inode. */
static void map_inline(
    const struct erofs_inode *n, uint64_t off, struct erofs_extent *e)
{
	const struct erofs *fs = erofs_of(&n->vnode);
	uint64_t tail = (n->vnode.size - 1) >> fs->blkbits << fs->blkbits;

	if (off >= tail) {
		e->pos = n->body + (off - tail);
		e->len = n->vnode.size - off;
	} else {
		map_plain(n, off, e);
		e->len = tail - off;
	}
}

static int map_chunk(
    const struct erofs_inode *n, uint64_t off, struct erofs_extent *e)
{
	struct erofs *fs = erofs_of(&n->vnode);
	unsigned bits = fs->blkbits + (n->u & EROFS_CHUNK_BLKBITS);
	bool wide = n->u & EROFS_CHUNK_INDEXES;
	uint64_t unit = wide ? sizeof(struct erofs_chunk_index) : 4;
	uint64_t at = ALIGN_UP(n->body, unit) + (off >> bits) * unit;
	struct erofs_chunk_index index = { 0 };
	int err;

	if ((n->u & 0xffff & ~EROFS_CHUNK_KNOWN) || bits > 40)
		return -EOPNOTSUPP;
	err = erofs_dev_read(
	    fs, at, wide ? (void *)&index : &index.blkaddr, unit);
	if (err)
		return err;
	if (index.device)
		return -EOPNOTSUPP;
	e->len = (1ull << bits) - (off & ((1ull << bits) - 1));
	e->len = MIN(e->len, n->vnode.size - off);
	e->hole = index.blkaddr == EROFS_NULL_BLOCK;
	e->pos = ((uint64_t)index.blkaddr << fs->blkbits) +
		 (off & ((1ull << bits) - 1));
	return 0;
}

int erofs_map(struct erofs_inode *n, uint64_t off, struct erofs_extent *e)
{
	memset(e, 0, sizeof(*e));
	if (off >= n->vnode.size)
		return -EIO;
	switch (n->layout) {
	case EROFS_FLAT_PLAIN:
		map_plain(n, off, e);
		return 0;
	case EROFS_FLAT_INLINE:
		map_inline(n, off, e);
		return 0;
	case EROFS_CHUNKED:
		return map_chunk(n, off, e);
	case EROFS_Z_FULL:
	case EROFS_Z_COMPACT:
	default:
		return -EIO;
	}
}

int erofs_read(struct erofs_inode *n, uint64_t off, void *buf, size_t len)
{
	uint8_t *to = buf;

	while (len > 0) {
		struct erofs_extent e;
		size_t part;
		int err = erofs_map(n, off, &e);

		if (err)
			return err;
		part = MIN(len, e.len);
		if (e.hole)
			memset(to, 0, part);
		else
			err = erofs_dev_read(
			    erofs_of(&n->vnode), e.pos, to, part);
		if (err)
			return err;
		to += part;
		off += part;
		len -= part;
	}
	return 0;
}
