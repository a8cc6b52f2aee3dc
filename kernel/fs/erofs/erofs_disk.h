#ifndef EROFS_DISK_H
#define EROFS_DISK_H

/*
 * EROFS on disk; everything is little endian.  Facts from Linux's
 * Documentation/filesystems/erofs.rst and fs/erofs/erofs_fs.h.
 */

#include <stdint.h>

#include "kern/compiler.h"

#define EROFS_SUPER_OFFSET          1024u

#define EROFS_COMPAT_SB_CHKSUM      1u

#define EROFS_INCOMPAT_ZERO_PADDING 0x01u
#define EROFS_INCOMPAT_BIG_PCLUSTER 0x02u
#define EROFS_INCOMPAT_CHUNKED_FILE 0x04u
#define EROFS_INCOMPAT_HEAD2        0x08u /* or extra devices */
#define EROFS_INCOMPAT_KNOWN        0x0fu

struct erofs_super {
	uint32_t magic, checksum, feature_compat;
	uint8_t blkszbits, extslots;
	uint16_t root_nid;
	uint64_t inos, build_time;
	uint32_t build_time_nsec, blocks, meta_blkaddr, xattr_blkaddr;
	uint8_t uuid[16], volume_name[16];
	uint32_t feature_incompat;
	uint16_t compr_algs, extra_devices, devt_slotoff;
	uint8_t dirblkbits, reserved[37];
} PACKED;
_Static_assert(sizeof(struct erofs_super) == 128, "erofs_super");

enum erofs_layout {
	EROFS_FLAT_PLAIN,
	EROFS_Z_FULL,
	EROFS_FLAT_INLINE,
	EROFS_Z_COMPACT,
	EROFS_CHUNKED
};

#define EROFS_FORMAT_EXTENDED  1u
#define EROFS_FORMAT_LAYOUT(f) (((f) >> 1) & 7u)
#define EROFS_FORMAT_KNOWN     0x0fu

struct erofs_inode_compact {
	uint16_t format, xattr_icount, mode, nlink;
	uint32_t size, reserved, u, ino;
	uint16_t uid, gid;
	uint32_t reserved2;
} PACKED;
_Static_assert(sizeof(struct erofs_inode_compact) == 32, "compact");

struct erofs_inode_extended {
	uint16_t format, xattr_icount, mode, reserved;
	uint64_t size;
	uint32_t u, ino, uid, gid;
	uint64_t mtime;
	uint32_t mtime_nsec, nlink;
	uint8_t reserved2[16];
} PACKED;
_Static_assert(sizeof(struct erofs_inode_extended) == 64, "extended");

#define EROFS_NID_SHIFT 5 /* inodes are on 32-byte boundaries */

struct erofs_dirent {
	uint64_t nid;
	uint16_t nameoff;
	uint8_t type, reserved;
} PACKED;
_Static_assert(sizeof(struct erofs_dirent) == 12, "dirent");

#define EROFS_CHUNK_BLKBITS 0x1fu
#define EROFS_CHUNK_INDEXES 0x20u
#define EROFS_CHUNK_KNOWN   0x3fu
#define EROFS_NULL_BLOCK    UINT32_MAX

struct erofs_chunk_index {
	uint16_t advise, device;
	uint32_t blkaddr;
} PACKED;

/* --- compressed files --------------------------------------------------- */

struct erofs_z_header {
	uint32_t reserved;
	uint16_t advise;
	uint8_t algorithms, clusterbits;
} PACKED;
_Static_assert(sizeof(struct erofs_z_header) == 8, "z_header");

#define EROFS_Z_COMPACTED_2B 0x01u
#define EROFS_Z_BIG_1        0x02u
#define EROFS_Z_BIG_2        0x04u
#define EROFS_Z_INTERLACED   0x10u
#define EROFS_Z_KNOWN        0x17u
#define EROFS_Z_LZ4          0u

enum erofs_z_type {
	EROFS_Z_PLAIN,
	EROFS_Z_HEAD1,
	EROFS_Z_NONHEAD,
	EROFS_Z_HEAD2
};

struct erofs_z_index {
	uint16_t advise, clusterofs;
	union {
		uint32_t blkaddr;
		uint16_t delta[2];
	};
} PACKED;
_Static_assert(sizeof(struct erofs_z_index) == 8, "z_index");

#define EROFS_Z_TYPE(advise) ((advise)&3u)
#define EROFS_Z_CBLKCNT      (1u << 11)

#define EROFS_Z_PCLUSTER_MAX (1u << 20)  /* bytes, compressed */
#define EROFS_Z_EXTENT_MAX   (12u << 20) /* bytes, decompressed */

#endif /* EROFS_DISK_H */
