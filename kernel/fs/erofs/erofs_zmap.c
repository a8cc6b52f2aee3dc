#include "erofs.h"

#include "kern/errno.h"
#include "kern/num.h"
#include "kern/string.h"

/*
 * Compressed files.  A file is cut into logical clusters (lc) of equal size;
 * an extent begins somewhere in a cluster (its head) and ends where the next
 * begins.  For each cluster there is an index: of a head, where in it the
 * extent begins and the block of the compressed bytes; of another, how far
 * back the head is.  The full form has 8 bytes for each; the compact one packs
 * 2 or 16 clusters with one block address.
 */

/* One cluster's index. */
struct zlc {
	uint64_t n; /* which */
	enum erofs_z_type type;
	unsigned ofs;   /* of a head */
	uint64_t blk;   /* of a head */
	unsigned back;  /* others: distance to the head */
	unsigned cblks; /* the first after the head: blocks; 0: not said */
};

static uint64_t zlc_count(const struct erofs_inode *n)
{
	return (n->vnode.size + (1ull << n->lcbits) - 1) >> n->lcbits;
}

/* --- the full form ------------------------------------------------------- */

static int zlc_full(struct erofs_inode *n, struct zlc *c)
{
	uint64_t at = ALIGN_UP(n->body, 8ull) + sizeof(struct erofs_z_header) +
		      8 + c->n * sizeof(struct erofs_z_index);
	struct erofs_z_index index;
	int err =
	    erofs_dev_read(erofs_of(&n->vnode), at, &index, sizeof(index));

	if (err)
		return err;
	c->type = EROFS_Z_TYPE(index.advise);
	if (c->type != EROFS_Z_NONHEAD) {
		c->ofs = index.clusterofs;
		c->blk = index.blkaddr;
		return 0;
	}
	c->back = index.delta[0];
	if (c->back & EROFS_Z_CBLKCNT) {
		c->cblks = c->back & ~EROFS_Z_CBLKCNT;
		c->back = 1;
	}
	return 0;
}

/* --- the compact form ---------------------------------------------------- */

#define ZPACK_MAX 32u

/* A pack: (count) clusters of (bits) bits each, then a block address. */
struct zpack {
	uint64_t pos;
	unsigned size, count, bits;
	unsigned lobits; /* of a cluster: its low part; then 2 bits of type */
	uint8_t data[ZPACK_MAX + 4]; /* a word may be read at each bit */
};

/* Which pack cluster (lc) is in; returns its place there. */
static unsigned zpack_find(
    const struct erofs_inode *n, uint64_t lc, struct zpack *p)
{
	uint64_t pos = ALIGN_UP(n->body, 8ull) + sizeof(struct erofs_z_header);
	uint64_t total = zlc_count(n), first, pairs = 0;
	unsigned each = 4;

	/* Packs of 2 up to a 32-byte boundary, then of 16, then of 2 again. */
	first = (32 - pos % 32) / 4 % 8;
	if ((n->advise & EROFS_Z_COMPACTED_2B) && first < total)
		pairs = ALIGN_DOWN(total - first, 16ull);
	if (lc >= first) {
		lc -= first;
		pos += first * 4;
		if (lc < pairs) {
			each = 2;
		} else {
			lc -= pairs;
			pos += pairs * 2;
		}
	}
	p->count = each == 4 ? 2 : 16;
	p->size = p->count * each;
	p->bits = (p->size - 4) * 8 / p->count;
	p->lobits = MAX(n->lcbits, 12u);
	pos += lc * each;
	p->pos = ALIGN_DOWN(pos, (uint64_t)p->size);
	return (unsigned)((pos - p->pos) / each);
}

static unsigned zpack_get(
    const struct zpack *p, unsigned i, enum erofs_z_type *type)
{
	unsigned bit = i * p->bits;
	uint32_t word;

	memcpy(&word, p->data + bit / 8, sizeof(word));
	word >>= bit % 8;
	*type = word >> p->lobits & 3;
	return word & ((1u << p->lobits) - 1);
}

static void zpack_nonhead(
    const struct zpack *p, unsigned i, unsigned lo, struct zlc *c)
{
	enum erofs_z_type type;

	if (lo & EROFS_Z_CBLKCNT) {
		c->cblks = lo & ~EROFS_Z_CBLKCNT;
		c->back = 1;
		return;
	}
	c->back = lo;
	if (i + 1 != p->count)
		return;
	/* The last of a pack says how far ahead the next head is instead. */
	lo = zpack_get(p, i - 1, &type);
	if (type != EROFS_Z_NONHEAD)
		lo = 0;
	else if (lo & EROFS_Z_CBLKCNT)
		lo = 1;
	c->back = lo + 1;
}

/* Blocks that the heads before (i) in the pack take, each one block. */
static int zpack_blocks_small(const struct zpack *p, unsigned i)
{
	enum erofs_z_type type;
	int at = (int)i, n = 1;

	while (at > 0) {
		unsigned lo = zpack_get(p, (unsigned)--at, &type);

		if (type == EROFS_Z_NONHEAD)
			at -= (int)lo;
		if (at >= 0)
			n++;
	}
	return n;
}

/* The same when the number of blocks is given by the cluster after a head. */
static int zpack_blocks_big(const struct zpack *p, unsigned i)
{
	enum erofs_z_type type;
	int at = (int)i, n = 0;

	while (at > 0) {
		unsigned lo = zpack_get(p, (unsigned)--at, &type);

		if (type != EROFS_Z_NONHEAD) {
			n++;
		} else if (lo & EROFS_Z_CBLKCNT) {
			at--;
			n += (int)(lo & ~EROFS_Z_CBLKCNT);
		} else if (lo <= 1) {
			return -EIO;
		} else {
			at -= (int)lo - 2;
		}
	}
	return n;
}

static int zlc_compact(struct erofs_inode *n, struct zlc *c)
{
	struct zpack p = { 0 };
	unsigned i = zpack_find(n, c->n, &p), lo;
	uint32_t base;
	int err, before;

	err = erofs_dev_read(erofs_of(&n->vnode), p.pos, p.data, p.size);
	if (err)
		return err;
	lo = zpack_get(&p, i, &c->type);
	if (c->type == EROFS_Z_NONHEAD) {
		zpack_nonhead(&p, i, lo, c);
		return 0;
	}
	before = n->advise & EROFS_Z_BIG_1 ? zpack_blocks_big(&p, i)
					   : zpack_blocks_small(&p, i);
	if (before < 0)
		return before;
	memcpy(&base, p.data + p.size - 4, sizeof(base));
	c->ofs = lo;
	c->blk = base + (uint64_t)before;
	return 0;
}

/* --- extents ------------------------------------------------------------- */

static int zlc_load(struct erofs_inode *n, uint64_t lc, struct zlc *c)
{
	int err;

	memset(c, 0, sizeof(*c));
	c->n = lc;
	if (lc >= zlc_count(n))
		return -EIO;
	err = n->layout == EROFS_Z_FULL ? zlc_full(n, c) : zlc_compact(n, c);
	if (err)
		return err;
	if (c->type != EROFS_Z_NONHEAD)
		return c->ofs >> n->lcbits ? -EIO : 0;
	return c->cblks && !(n->advise & (EROFS_Z_BIG_1 | EROFS_Z_BIG_2)) ? -EIO
									  : 0;
}

/* The head of the extent that (off) is in. */
static int zmap_head(struct erofs_inode *n, uint64_t off, struct zlc *head)
{
	uint64_t lc = off >> n->lcbits;
	unsigned in = off & ((1ull << n->lcbits) - 1), back;
	int err = zlc_load(n, lc, head);

	if (err)
		return err;
	if (head->type != EROFS_Z_NONHEAD && in >= head->ofs)
		return 0;
	back = head->type == EROFS_Z_NONHEAD ? head->back : 1;
	do {
		/* Always further back, so this ends. */
		if (back == 0 || back > lc)
			return -EIO;
		lc -= back;
		err = zlc_load(n, lc, head);
		back = head->back;
	} while (!err && head->type == EROFS_Z_NONHEAD);
	return err;
}

/* Where the next extent begins, or the file's end. */
static int zmap_end(
    struct erofs_inode *n, const struct zlc *head, uint64_t *end)
{
	uint64_t max = EROFS_Z_EXTENT_MAX >> n->lcbits, total = zlc_count(n);
	struct zlc c;
	int err;

	for (uint64_t lc = head->n + 1; lc < total; lc++) {
		if (lc - head->n > max)
			return -EIO;
		err = zlc_load(n, lc, &c);
		if (err)
			return err;
		if (c.type != EROFS_Z_NONHEAD) {
			*end = (lc << n->lcbits) + c.ofs;
			return 0;
		}
	}
	*end = n->vnode.size;
	return 0;
}

static int zmap_plen(
    struct erofs_inode *n, const struct zlc *head, uint64_t *plen)
{
	const struct erofs *fs = erofs_of(&n->vnode);
	unsigned big =
	    head->type == EROFS_Z_HEAD1 ? EROFS_Z_BIG_1 : EROFS_Z_BIG_2;
	struct zlc c;
	int err;

	*plen = 1ull << fs->blkbits;
	if (head->type == EROFS_Z_PLAIN || !(n->advise & big) ||
	    head->n + 1 >= zlc_count(n))
		return 0;
	err = zlc_load(n, head->n + 1, &c);
	if (err || c.type != EROFS_Z_NONHEAD)
		return err;
	*plen = (uint64_t)c.cblks << fs->blkbits;
	return *plen == 0 || *plen > EROFS_Z_PCLUSTER_MAX ? -EIO : 0;
}

int erofs_zmap(struct erofs_inode *n, uint64_t off, struct erofs_zextent *e)
{
	const struct erofs *fs = erofs_of(&n->vnode);
	struct zlc head;
	uint64_t end;
	int err;

	if (off >= n->vnode.size)
		return -EIO;
	err = zmap_head(n, off, &head);
	if (!err)
		err = zmap_end(n, &head, &end);
	if (!err)
		err = zmap_plen(n, &head, &e->plen);
	if (err)
		return err;
	e->off = (head.n << n->lcbits) + head.ofs;
	if (off < e->off || off >= end || end - e->off > EROFS_Z_EXTENT_MAX)
		return -EIO;
	e->len = end - e->off;
	e->pos = head.blk << fs->blkbits;
	e->plain = head.type == EROFS_Z_PLAIN;
	return 0;
}

int erofs_zmap_init(struct erofs_inode *n)
{
	struct erofs *fs = erofs_of(&n->vnode);
	struct erofs_z_header h;
	int err = erofs_dev_read(fs, ALIGN_UP(n->body, 8ull), &h, sizeof(h));

	if (err)
		return err;
	if ((h.advise & ~EROFS_Z_KNOWN) || (h.clusterbits & 0x80) ||
	    (h.algorithms & 15) != EROFS_Z_LZ4 ||
	    h.algorithms >> 4 != EROFS_Z_LZ4)
		return -EOPNOTSUPP;
	n->advise = h.advise;
	n->lcbits = fs->blkbits + (h.clusterbits & 7);
	/* The compact form has 14 bits, or 16, for place and type. */
	if (n->layout == EROFS_Z_COMPACT && n->lcbits > 14)
		return -EOPNOTSUPP;
	if ((h.advise & EROFS_Z_COMPACTED_2B) && n->lcbits > 12)
		return -EOPNOTSUPP;
	return 0;
}
