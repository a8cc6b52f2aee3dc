#include "erofs.h"

#include "kern/blk.h"
#include "kern/boot.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/string.h"

/* The image: memory, or a disk with a page cache for what is not file data. */

#define EROFS_DEV_WINDOW 16u /* pages read at once */

static int dev_getattr(struct vnode *v, struct vattr *a)
{
	(void)v;
	(void)a;
	return 0;
}

static void dev_reclaim(struct vnode *v)
{
	pcache_destroy(v);
}

/* Zeroes past the end, where the image is not a whole number of pages. */
static int dev_read_pages(
    struct vnode *v, uint64_t first, unsigned n, void **pages)
{
	struct erofs *fs = container_of(v, struct erofs, dev);
	uint64_t pos = first << PAGE_SHIFT;
	unsigned whole = (unsigned)MIN(n, (fs->len - pos) >> PAGE_SHIFT);
	int err = 0;

	if (whole)
		err = blk_rw_pages(fs->disk, BLK_READ, pos / 512, pages, whole);
	if (err || whole == n)
		return err;
	pos += (uint64_t)whole << PAGE_SHIFT;
	memset(pages[whole], 0, PAGE_SIZE);
	return blk_rw(fs->disk, BLK_READ, pos / 512, pages[whole],
	    (fs->len - pos) & ~511ull);
}

static const struct vnode_ops dev_ops = {
	.getattr = dev_getattr,
	.read_pages = dev_read_pages,
	.reclaim = dev_reclaim,
};

static int erofs_dev_module(struct erofs *fs, unsigned long n)
{
	if (n >= boot_info.nmodule)
		return -ENODEV;
	fs->mem = pa_to_va(boot_info.module[n].pa);
	fs->len = boot_info.module[n].len;
	return 0;
}

static int erofs_dev_disk(struct erofs *fs, const char *name)
{
	int err;

	if (strncmp(name, "/dev/", 5) == 0)
		name += 5;
	fs->disk = blk_dev_get(name);
	if (!fs->disk)
		return -ENODEV;
	fs->len = fs->disk->info.nsectors * 512;
	fs->dev.size = fs->len;
	err = pcache_create(&fs->dev, NULL, EROFS_DEV_WINDOW);
	if (err)
		blk_dev_put(fs->disk);
	return err;
}

int erofs_dev_open(struct erofs *fs, const char *source)
{
	vnode_init(&fs->dev, &dev_ops, NULL, 0, S_IFBLK);
	if (strncmp(source, "module:", 7) == 0)
		return erofs_dev_module(fs, strtoul(source + 7, NULL, 10));
	return erofs_dev_disk(fs, source);
}

void erofs_dev_close(struct erofs *fs)
{
	if (!fs->disk)
		return;
	vnode_put(&fs->dev);
	blk_dev_put(fs->disk);
}

int erofs_dev_read(struct erofs *fs, uint64_t pos, void *buf, size_t n)
{
	uint8_t *to = buf;

	if (!range_ok(pos, n, fs->len))
		return -EIO;
	if (fs->mem) {
		memcpy(buf, fs->mem + pos, n);
		return 0;
	}
	while (n > 0) {
		size_t at = pos & (PAGE_SIZE - 1),
		       part = MIN(PAGE_SIZE - at, n);
		void *page;
		int err =
		    pcache_page(&fs->dev, pos >> PAGE_SHIFT, false, &page);

		if (err)
			return err;
		memcpy(to, (char *)page + at, part);
		page_put(page);
		to += part;
		pos += part;
		n -= part;
	}
	return 0;
}

int erofs_dev_pages(struct erofs *fs, uint64_t pos, void **pages, unsigned n)
{
	int err = 0;

	if (!range_ok(pos, (uint64_t)n << PAGE_SHIFT, fs->len))
		return -EIO;
	if (fs->disk && pos % fs->disk->info.sector_size == 0)
		return blk_rw_pages(fs->disk, BLK_READ, pos / 512, pages, n);
	for (unsigned i = 0; i < n && !err; i++, pos += PAGE_SIZE)
		err = erofs_dev_read(fs, pos, pages[i], PAGE_SIZE);
	return err;
}
