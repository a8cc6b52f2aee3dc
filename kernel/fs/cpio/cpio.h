#ifndef CPIO_H
#define CPIO_H

/*
 * Archives in cpio's "newc" format, with or without checksums, one after
 * another as Linux takes them: Documentation/driver-api/early-userspace/
 * buffer-format.rst.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vnode;

struct cpio {
	const uint8_t *data;
	uint64_t len, off;
	const char *error; /* what was wrong at (off) */
};

struct cpio_entry {
	uint32_t ino, mode, uid, gid, nlink, mtime;
	uint32_t dev_major, dev_minor, rdev_major, rdev_minor;
	const char *name; /* without leading "/" and "./"; "": the root */
	size_t name_len;
	const uint8_t *body;
	uint32_t size;
};

/* cpio.c.  Pure: nothing is allocated; (c)->data is not changed. */
void cpio_init(struct cpio *, const void *data, uint64_t len);
/* 1 and the next entry, 0 at the end, or -EINVAL with (c)->error. */
int cpio_next(struct cpio *, struct cpio_entry *);
bool cpio_is_archive(const void *data, uint64_t len);
/* The compression that (data) looks like, or NULL. */
const char *cpio_compression(const void *data, uint64_t len);

/*
 * cpio_unpack.c.  Make the files of the archive below (root).  (consumed)
 * is told how far the archive has been used up.  -EINVAL and what
 * vnode_ops return, with a line in the log.
 */
int cpio_unpack(const void *data, uint64_t len, struct vnode *root,
    void (*consumed)(void *arg, uint64_t upto), void *arg);

#endif /* CPIO_H */
