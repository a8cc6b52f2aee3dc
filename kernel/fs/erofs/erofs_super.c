#include "erofs.h"

#include <linux/magic.h>

#include "kern/errno.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/string.h"

#define NSEC 1000000000ull

/* CRC-32C, reflected, without the final inversion. */
static uint32_t crc32c(uint32_t crc, const uint8_t *p, size_t n)
{
	while (n--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return crc;
}

/* Over the rest of the block, with the checksum itself as zero. */
static int super_checksum(struct erofs *fs, const struct erofs_super *sb)
{
	size_t len = 1ul << sb->blkszbits;
	uint8_t *buf;
	int err;

	if (!(sb->feature_compat & EROFS_COMPAT_SB_CHKSUM))
		return 0;
	if (len > EROFS_SUPER_OFFSET)
		len -= EROFS_SUPER_OFFSET;
	buf = kmalloc(len);
	if (!buf)
		return -ENOMEM;
	err = erofs_dev_read(fs, EROFS_SUPER_OFFSET, buf, len);
	memset(buf + offsetof(struct erofs_super, checksum), 0,
	    sizeof(sb->checksum));
	if (!err && crc32c(UINT32_MAX, buf, len) != sb->checksum) {
		log_err("erofs: the superblock's checksum is wrong");
		err = -EIO;
	}
	kfree(buf);
	return err;
}

static int super_check(const struct erofs_super *sb)
{
	uint32_t unknown = sb->feature_incompat & ~EROFS_INCOMPAT_KNOWN;

	if (sb->magic != EROFS_SUPER_MAGIC_V1) {
		log_err("erofs: no superblock");
		return -EINVAL;
	}
	if (unknown || sb->extra_devices) {
		log_err("erofs: made with features that are not supported: %#x"
			"%s",
		    unknown, sb->extra_devices ? ", extra devices" : "");
		return -EINVAL;
	}
	if (sb->blkszbits < 9 || sb->blkszbits > PAGE_SHIFT ||
	    sb->dirblkbits != 0) {
		log_err("erofs: blocks of 2^%u bytes are not supported",
		    sb->blkszbits);
		return -EINVAL;
	}
	return 0;
}

int erofs_super_read(struct erofs *fs, uint64_t *root_nid)
{
	struct erofs_super sb;
	int err = erofs_dev_read(fs, EROFS_SUPER_OFFSET, &sb, sizeof(sb));

	if (!err)
		err = super_check(&sb);
	if (!err)
		err = super_checksum(fs, &sb);
	if (err)
		return err;
	fs->blkbits = sb.blkszbits;
	fs->meta = (uint64_t)sb.meta_blkaddr << sb.blkszbits;
	fs->build_time = sb.build_time < UINT64_MAX / NSEC - 1
			     ? sb.build_time * NSEC + sb.build_time_nsec % NSEC
			     : 0;
	fs->inos = sb.inos;
	fs->blocks = sb.blocks;
	*root_nid = sb.root_nid;
	return 0;
}
