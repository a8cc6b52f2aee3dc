#include "ramfs.h"

#include "kern/blk.h"
#include "kern/devfs.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/string.h"

#include <linux/magic.h>

/* devtmpfs: a tmpfs that begins with a node for each device. */

extern const struct chardev *const chardev_set_start[];
extern const struct chardev *const chardev_set_end[];

int dev_open(struct vnode *v, uint64_t rdev, struct file *f)
{
	if (vnode_is(v, S_IFBLK))
		return dev_major(rdev) == BLK_MAJOR
			   ? blkfile_open(f, dev_minor(rdev))
			   : -ENXIO;
	for (const struct chardev *const *c = chardev_set_start;
	     c < chardev_set_end; c++) {
		if ((*c)->major != dev_major(rdev) ||
		    (*c)->minor != dev_minor(rdev))
			continue;
		file_set_ops(f, (*c)->ops);
		return (*c)->open ? (*c)->open(f) : 0;
	}
	return -ENXIO;
}

static int devfs_make(struct vnode *dir, const char *name, uint32_t mode,
    uint64_t rdev, const char *target)
{
	struct vnode *v;
	int err =
	    dir->ops->create(dir, name, strlen(name), mode, rdev, target, &v);

	if (!err)
		vnode_put(v);
	return err == -EEXIST ? 0 : err;
}

static int devfs_fill_links(struct vnode *root)
{
	static const char *const link[][2] = {
		{ "fd", "/proc/self/fd" },
		{ "stdin", "/proc/self/fd/0" },
		{ "stdout", "/proc/self/fd/1" },
		{ "stderr", "/proc/self/fd/2" },
	};
	int err = 0;

	for (size_t i = 0; !err && i < ARRAY_SIZE(link); i++)
		err =
		    devfs_make(root, link[i][0], S_IFLNK | 0777, 0, link[i][1]);
	return err;
}

/* --- disks come and go --------------------------------------------------- */

static int devfs_add_disk(struct vnode *root, const struct blk_dev *b)
{
	return devfs_make(
	    root, b->name, S_IFBLK | 0660, dev_make(BLK_MAJOR, b->minor), NULL);
}

/* Through paths, so that the name cache hears of it.  Linux too removes what
 * has the device's name, whatever it is by now. */
static void devfs_disk_event(struct blk_dev *b, bool added)
{
	char path[5 + sizeof(b->name)];
	int err;

	snprintf(path, sizeof(path), "/dev/%s", b->name);
	if (added)
		err = vfs_mknod(NULL, path, S_IFBLK | 0660,
		    dev_make(BLK_MAJOR, b->minor), NULL);
	else
		err = vfs_unlink(NULL, path, false);
	if (err)
		log_debug("%s: node: error %d", path, -err);
}

/* --- mount --------------------------------------------------------------- */

static int devfs_fill(struct vnode *root)
{
	struct blk_dev *b;
	int err = devfs_fill_links(root);

	for (const struct chardev *const *c = chardev_set_start;
	     !err && c < chardev_set_end; c++)
		err = devfs_make(root, (*c)->name, S_IFCHR | (*c)->mode,
		    dev_make((*c)->major, (*c)->minor), NULL);
	for (unsigned i = 0; !err && (b = blk_dev_nth(i)); i++) {
		err = devfs_add_disk(root, b);
		blk_dev_put(b);
	}
	return err;
}

static int devfs_mount(struct mount *m, const char *source, const char *options)
{
	int err;

	(void)source;
	err = ramfs_mount_with(m, 0755, options, true);
	if (err)
		return err;
	err = devfs_fill(m->root);
	if (err) {
		vnode_put(m->root);
		ramfs_unmount(m);
		return err;
	}
	blk_dev_event = devfs_disk_event;
	return 0;
}

static const struct fs_type devtmpfs_type = {
	.name = "devtmpfs",
	.mount = devfs_mount,
	.unmount = ramfs_unmount,
	.statfs = ramfs_statfs,
};
FILESYSTEM(devtmpfs_type);
