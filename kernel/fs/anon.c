#include "fs_int.h"

#include "kern/errno.h"
#include "kern/string.h"

#include <linux/fs.h>

/* Files without a name, on a tmpfs that is mounted nowhere. */
static struct mount *anon_mount;

int anon_init(void)
{
	int err = 0;

	if (!anon_mount)
		anon_mount = mount_create("tmpfs", "none", 0, "size=0", &err);
	return err;
}

int vfs_anon_file(const char *name, int flags, struct file **out)
{
	struct vnode *root = anon_mount->root, *v;
	struct dentry *d;
	int err;

	err = root->ops->tmpfile(root, S_IFREG | 0777, &v);
	if (err)
		return err;
	d = dentry_alone(
	    anon_mount, anon_mount->root_dentry, name, strlen(name), v);
	if (!d)
		return -ENOMEM;
	dentry_mark_unlinked(d);
	err = open_created(d, flags, out);
	dentry_put(d);
	return err;
}
