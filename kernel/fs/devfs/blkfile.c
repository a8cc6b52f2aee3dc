#include "fs_int.h"

#include <linux/fs.h>

#include "kern/arch.h"
#include "kern/blk.h"
#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/string.h"

/*
 * A disk opened as a file: straight to the disk through a page of bounce
 * memory, nothing is cached.  f->priv is the disk, with a use count.
 */

static uint64_t blkfile_size(const struct blk_dev *b)
{
	return READ_ONCE(b->info.nsectors) * 512;
}

/* The sectors around [off, off + n), inside one page. */
struct blkfile_part {
	uint64_t sector;
	size_t at, n; /* of the caller's bytes in the page */
	size_t whole; /* bytes to read or write */
};

/* (off) is below (size). */
static struct blkfile_part blkfile_part(
    const struct blk_dev *b, uint64_t size, uint64_t off, size_t left)
{
	uint32_t unit = b->info.sector_size;
	uint64_t first = ALIGN_DOWN(off, (uint64_t)unit);
	struct blkfile_part p = { .sector = first / 512, .at = off - first };

	p.n = MIN(PAGE_SIZE - p.at, left);
	p.n = MIN(p.n, size - off);
	p.whole = ALIGN_UP(p.at + p.n, (size_t)unit);
	return p;
}

static long blkfile_read_part(struct blk_dev *b, uint8_t *page,
    const struct blkfile_part *p, struct uio *u)
{
	int err = blk_rw(b, BLK_READ, p->sector, page, p->whole);

	return err ? err : uio_put(u, page + p->at, p->n);
}

static long blkfile_write_part(struct blk_dev *b, uint8_t *page,
    const struct blkfile_part *p, struct uio *u)
{
	int err = 0;
	long n;

	if (p->at || p->n != p->whole)
		err = blk_rw(b, BLK_READ, p->sector, page, p->whole);
	if (err)
		return err;
	n = uio_get(u, page + p->at, p->n);
	if (n > 0 && (size_t)n < p->n)
		return -EFAULT;
	if (n > 0)
		err = blk_rw(b, BLK_WRITE, p->sector, page, p->whole);
	return err ? err : n;
}

typedef long (*blkfile_fn)(
    struct blk_dev *, uint8_t *page, const struct blkfile_part *, struct uio *);

/* (at_end) is the answer when there is no byte before the disk's end. */
static long blkfile_each(
    struct file *f, struct uio *u, uint64_t *off, blkfile_fn fn, long at_end)
{
	struct blk_dev *b = f->priv;
	uint8_t *page = page_alloc(0, 0);
	long done = 0, n = 0;

	if (!page)
		return -ENOMEM;
	while (u->left > 0) {
		uint64_t size = blkfile_size(b); /* it may be changing */
		struct blkfile_part p;

		n = at_end;
		if (*off >= size)
			break;
		p = blkfile_part(b, size, *off, u->left);
		n = fn(b, page, &p, u);
		if (n <= 0)
			break;
		done += n;
		*off += (uint64_t)n;
	}
	page_free(page, 0);
	return done ? done : n;
}

static long blkfile_read(struct file *f, struct uio *u, uint64_t *off)
{
	return blkfile_each(f, u, off, blkfile_read_part, 0);
}

static long blkfile_write(struct file *f, struct uio *u, uint64_t *off)
{
	return blkfile_each(f, u, off, blkfile_write_part, -ENOSPC);
}

static int64_t blkfile_seek(struct file *f, int64_t off, int whence)
{
	return vfile_seek_size(f, off, whence, blkfile_size(f->priv));
}

static int blkfile_fsync(struct file *f, bool data_only)
{
	(void)data_only;
	return blk_flush(f->priv);
}

static int blkfile_put(unsigned long user, uint64_t value, size_t size)
{
	return copy_to_user((void *)user, &value, size);
}

static long blkfile_ioctl(struct file *f, unsigned req, unsigned long arg)
{
	struct blk_dev *b = f->priv;

	switch (req) {
	case BLKGETSIZE:
		return blkfile_put(arg, b->info.nsectors, sizeof(long));
	case BLKGETSIZE64:
		return blkfile_put(arg, blkfile_size(b), sizeof(uint64_t));
	case BLKSSZGET:
	case BLKPBSZGET:
		return blkfile_put(arg, b->info.sector_size, sizeof(int));
	case BLKROGET:
		return blkfile_put(arg, b->info.readonly, sizeof(int));
	case BLKFLSBUF:
		return blk_flush(b);
	default:
		return -ENOTTY;
	}
}

static void blkfile_release(struct file *f)
{
	blk_dev_put(f->priv);
}

static const struct file_ops blkfile_ops = {
	.read = blkfile_read,
	.write = blkfile_write,
	.seek = blkfile_seek,
	.ioctl = blkfile_ioctl,
	.fsync = blkfile_fsync,
	.release = blkfile_release,
};

int blkfile_open(struct file *f, unsigned minor)
{
	struct blk_dev *b;

	for (unsigned i = 0; (b = blk_dev_nth(i)); i++) {
		if (b->minor == minor)
			break;
		blk_dev_put(b);
	}
	if (!b)
		return -ENXIO;
	if (b->info.readonly && file_writable(f)) {
		blk_dev_put(b);
		return -EROFS;
	}
	f->priv = b;
	file_set_ops(f, &blkfile_ops);
	return 0;
}
