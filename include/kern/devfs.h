#ifndef KERN_DEVFS_H
#define KERN_DEVFS_H

/* Character devices of /dev: kernel/fs/devfs/ mounts those of the set. */

#include <stdint.h>

#include "compiler.h"
#include "file.h"

struct chardev {
	const char *name; /* "null", "shm/..." is not for these */
	uint32_t mode;
	unsigned major, minor;
	const struct file_ops *ops;
	/* Called for each open, before the file is used; NULL: nothing. */
	int (*open)(struct file *);
};
#define CHARDEV(c) LINKER_SET_ADD(chardev_set, struct chardev, c)

#endif /* KERN_DEVFS_H */
