#include "fake_disk.h"

#include "fs_fixture.h"
#include "kern/blk.h"
#include "kern/boot.h"

/* A disk in memory: kern/blk.h as file systems see it. */

struct boot_info boot_info;

static struct blk_dev disk = {
	.name = "vda",
	.info = { .sector_size = 512, .max_seg = 8, .nqueues = 1 },
};
static const uint8_t *disk_data;

void fake_disk_set(const void *data, size_t len)
{
	disk_data = data;
	disk.info.nsectors = len / 512;
	disk.users = 0;
}

void fake_disk_module(const void *data, size_t len)
{
	boot_info.nmodule = 1;
	boot_info.module[0].pa = (uintptr_t)data;
	boot_info.module[0].len = len;
}

unsigned fake_disk_users(void)
{
	return disk.users;
}

struct blk_dev *blk_dev_get(const char *name)
{
	if (!disk_data || strcmp(name, disk.name) != 0)
		return NULL;
	disk.users++;
	return &disk;
}

void blk_dev_put(struct blk_dev *b)
{
	b->users--;
}

int blk_rw(
    struct blk_dev *b, enum blk_op op, uint64_t sector, void *buf, size_t n)
{
	assert_int_equal(op, BLK_READ);
	assert_int_equal(n % 512, 0);
	if (sector + n / 512 > b->info.nsectors)
		return -EIO;
	memcpy(buf, disk_data + sector * 512, n);
	return 0;
}

int blk_rw_pages(struct blk_dev *b, enum blk_op op, uint64_t sector,
    void **pages, unsigned n)
{
	int err = 0;

	for (unsigned i = 0; i < n && !err; i++)
		err = blk_rw(b, op, sector + i * 8, pages[i], PAGE_SIZE);
	return err;
}
