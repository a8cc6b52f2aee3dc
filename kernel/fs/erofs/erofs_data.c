#include "erofs.h"

#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/string.h"

/* Filling the page cache. */

/* The pages that are to be filled: [off, end) of the file. */
struct window {
	uint64_t off, end;
	void **pages;
};

static void window_put(
    const struct window *w, uint64_t off, const uint8_t *from, size_t n)
{
	while (n > 0) {
		size_t at = off & (PAGE_SIZE - 1),
		       part = MIN(PAGE_SIZE - at, n);

		memcpy((char *)w->pages[(off - w->off) >> PAGE_SHIFT] + at,
		    from, part);
		off += part;
		from += part;
		n -= part;
	}
}

/* --- not compressed ------------------------------------------------------ */

/* Whole pages that lie in one piece go straight from the disk. */
static int flat_part(
    struct erofs_inode *n, const struct window *w, uint64_t off, uint64_t *done)
{
	struct erofs *fs = erofs_of(&n->vnode);
	void **page = &w->pages[(off - w->off) >> PAGE_SHIFT];
	struct erofs_extent e;
	uint64_t whole;
	int err = erofs_map(n, off, &e);

	if (err)
		return err;
	e.len = MIN(e.len, w->end - off);
	whole = e.len >> PAGE_SHIFT;
	if (!e.hole && whole > 0 && off % PAGE_SIZE == 0) {
		*done = whole << PAGE_SHIFT;
		return erofs_dev_pages(fs, e.pos, page, (unsigned)whole);
	}
	*done = MIN(e.len, PAGE_SIZE - off % PAGE_SIZE);
	if (e.hole)
		return 0; /* zeroed already */
	return erofs_dev_read(
	    fs, e.pos, (char *)*page + off % PAGE_SIZE, *done);
}

static int flat_read(struct erofs_inode *n, const struct window *w)
{
	uint64_t off = w->off, done;
	int err = 0;

	while (!err && off < w->end) {
		err = flat_part(n, w, off, &done);
		if (!err)
			off += done;
	}
	return err;
}

/* --- compressed ---------------------------------------------------------- */

static void *data_alloc(size_t n)
{
	return n <= PAGE_SIZE ? kmalloc(n) : vmalloc(n);
}

static void data_free(void *p, size_t n)
{
	if (n <= PAGE_SIZE)
		kfree(p);
	else
		vfree(p);
}

/* Uncompressed bytes in a block: from its beginning, or at the place that they
 * have in the file's block, and around. */
static int z_plain(struct erofs_inode *n, const struct erofs_zextent *e,
    const uint8_t *in, uint8_t *out, size_t need)
{
	size_t size = 1ul << erofs_of(&n->vnode)->blkbits;
	size_t skip = 0, right;

	if (need > size)
		return -EIO;
	if (n->advise & EROFS_Z_INTERLACED)
		skip = e->off & (size - 1);
	right = MIN(size - skip, need);
	memcpy(out, in + skip, right);
	memcpy(out + right, in, need - right);
	return 0;
}

/* The compressed bytes end with their block: zeroes are before them. */
static int z_decode(struct erofs_inode *n, const struct erofs_zextent *e,
    const uint8_t *in, uint8_t *out, size_t need)
{
	size_t pad = 0;

	if (e->plain)
		return z_plain(n, e, in, out, need);
	while (pad < e->plen && in[pad] == 0)
		pad++;
	return lz4_decode(in + pad, e->plen - pad, out, need);
}

/* The compressed bytes in memory; *copy is to be freed unless NULL. */
static int z_input(struct erofs *fs, const struct erofs_zextent *e,
    const uint8_t **in, void **copy)
{
	int err;

	*copy = NULL;
	if (!range_ok(e->pos, e->plen, fs->len))
		return -EIO;
	if (fs->mem) {
		*in = fs->mem + e->pos;
		return 0;
	}
	*copy = data_alloc(e->plen);
	if (!*copy)
		return -ENOMEM;
	err = erofs_dev_read(fs, e->pos, *copy, e->plen);
	*in = *copy;
	return err;
}

/* What of the extent is in the window. */
static int z_extent(struct erofs_inode *n, const struct window *w,
    const struct erofs_zextent *e)
{
	uint64_t from = MAX(w->off, e->off);
	size_t need = MIN(w->end, e->off + e->len) - e->off;
	uint8_t *out = data_alloc(need);
	const uint8_t *in;
	void *copy = NULL;
	int err = out ? z_input(erofs_of(&n->vnode), e, &in, &copy) : -ENOMEM;

	if (!err)
		err = z_decode(n, e, in, out, need);
	if (!err)
		window_put(
		    w, from, out + (from - e->off), e->off + need - from);
	if (copy)
		data_free(copy, e->plen);
	if (out)
		data_free(out, need);
	return err;
}

static int z_read(struct erofs_inode *n, const struct window *w)
{
	struct erofs_zextent e;
	int err;

	for (uint64_t off = w->off; off < w->end; off = e.off + e.len) {
		err = erofs_zmap(n, off, &e);
		if (!err)
			err = z_extent(n, w, &e);
		if (err)
			return err;
	}
	return 0;
}

int erofs_read_pages(
    struct vnode *v, uint64_t first, unsigned count, void **pages)
{
	struct erofs_inode *n = erofs_inode(v);
	struct window w = {
		.off = first << PAGE_SHIFT,
		.end = MIN((first + count) << PAGE_SHIFT, v->size),
		.pages = pages,
	};

	for (unsigned i = 0; i < count; i++)
		memset(pages[i], 0, PAGE_SIZE);
	if (n->layout == EROFS_Z_FULL || n->layout == EROFS_Z_COMPACT)
		return z_read(n, &w);
	return flat_read(n, &w);
}
