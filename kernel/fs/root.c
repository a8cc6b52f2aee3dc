#include "fs_int.h"

#include "cpio.h"
#include "kern/blk.h"
#include "kern/boot.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/string.h"
#include "pcache.h"

#include <linux/fs.h>
#include <linux/magic.h>

/* The root of all, found among the boot modules and the disks. */

#define EROFS_SUPER_AT 1024u

enum root_kind { ROOT_UNKNOWN, ROOT_CPIO, ROOT_EROFS };

static bool root_is_erofs(const uint8_t *p, uint64_t len)
{
	uint32_t magic;

	if (len < EROFS_SUPER_AT + 128)
		return false;
	memcpy(&magic, p + EROFS_SUPER_AT, sizeof(magic));
	return magic == EROFS_SUPER_MAGIC_V1;
}

static enum root_kind root_module_kind(const struct boot_module *m)
{
	const void *data = pa_to_va(m->pa);

	if (cpio_is_archive(data, m->len))
		return ROOT_CPIO;
	return root_is_erofs(data, m->len) ? ROOT_EROFS : ROOT_UNKNOWN;
}

/* The first module of this kind, or -1. */
static int root_find_module(enum root_kind kind)
{
	for (unsigned i = 0; i < boot_info.nmodule; i++)
		if (root_module_kind(&boot_info.module[i]) == kind)
			return (int)i;
	return -1;
}

/* --- ramfs --------------------------------------------------------------- */

struct root_module {
	const struct boot_module *m;
	uint64_t freed;
};

/* The archive's memory is given back while its files are made, so that the
 * two are never there together. */
static void root_consumed(void *arg, uint64_t upto)
{
	struct root_module *r = arg;
	uint64_t whole = ALIGN_DOWN(r->m->pa + upto, PAGE_SIZE) - r->m->pa;

	if (whole <= r->freed || whole > r->m->len)
		return;
	mm_free_boot_range(r->m->pa + r->freed, whole - r->freed);
	r->freed = whole;
}

static int root_unpack(const struct boot_module *m, struct vnode *root)
{
	struct root_module r = { .m = m };
	int err;

	err = cpio_unpack(pa_to_va(m->pa), m->len, root, root_consumed, &r);
	if (!err)
		mm_free_boot_range(m->pa + r.freed, m->len - r.freed);
	return err;
}

static int root_mount_ramfs(void)
{
	int n = root_find_module(ROOT_CPIO);
	struct dentry *root;
	int err;

	if (n < 0)
		return -ENOENT;
	err = vfs_mount("ramfs", "rootfs", "/", 0, NULL);
	if (err)
		return err;
	root = fs_root();
	err = root_unpack(&boot_info.module[n], root->vnode);
	dentry_put(root);
	return err;
}

/* --- erofs --------------------------------------------------------------- */

/* The first disk with an EROFS superblock: its name. */
static bool root_find_disk(char *name, size_t n)
{
	uint8_t *buf = page_alloc(0, 0);
	struct blk_dev *b;
	bool found = false;

	for (unsigned i = 0; buf && !found && (b = blk_dev_nth(i)); i++) {
		found = blk_rw(b, BLK_READ, 0, buf, PAGE_SIZE) == 0 &&
			root_is_erofs(buf, PAGE_SIZE);
		if (found)
			snprintf(name, n, "%s", b->name);
		blk_dev_put(b);
	}
	if (buf)
		page_free(buf, 0);
	return found;
}

/* EROFS below, and a tmpfs above that takes what is written. */
static int root_mount_erofs(void)
{
	int n = root_find_module(ROOT_EROFS);
	char source[64];

	if (n >= 0)
		snprintf(source, sizeof(source), "module:%d", n);
	else if (!root_find_disk(source, sizeof(source)))
		return -ENOENT;
	return vfs_mount("overlay", source, "/", 0, "lower=erofs");
}

/* --- what there is when there is no root --------------------------------- */

static void root_explain_modules(void)
{
	if (boot_info.nmodule == 0)
		log_err("rootfs: no ramdisk was given (-initrd, ramdisk=)");
	for (unsigned i = 0; i < boot_info.nmodule; i++) {
		const struct boot_module *m = &boot_info.module[i];
		const char *packed = cpio_compression(pa_to_va(m->pa), m->len);

		if (packed)
			log_err("rootfs: ramdisk %u is %s-compressed: "
				"unpack it first",
			    i, packed);
		else if (root_module_kind(m) == ROOT_UNKNOWN)
			log_err("rootfs: ramdisk %u (%llu bytes) is neither "
				"a cpio (newc) archive nor an EROFS image",
			    i, (unsigned long long)m->len);
	}
}

static void root_explain(const char *which)
{
	struct blk_dev *b;
	unsigned i;

	log_err("rootfs: nothing to mount as %s", which ? which : "root");
	root_explain_modules();
	for (i = 0; (b = blk_dev_nth(i)); i++) {
		log_err("rootfs: disk %s has no EROFS superblock", b->name);
		blk_dev_put(b);
	}
	if (i == 0)
		log_err("rootfs: there is no disk");
}

static const char *root_reason(int err)
{
	switch (err) {
	case -EINVAL:
		return "not a valid image";
	case -EIO:
		return "the image is damaged, or cannot be read";
	case -ENOMEM:
	case -ENOSPC:
		return "not enough memory";
	case -ENODEV:
		return "this kernel has no such file system or disk";
	case -EOPNOTSUPP:
		return "the image needs what this kernel does not have";
	default:
		return "cannot be mounted";
	}
}

static int root_mount(const char *which)
{
	int err = -ENOENT;

	if (which && strcmp(which, "none") == 0)
		return vfs_mount("ramfs", "rootfs", "/", 0, NULL);
	if (which && strcmp(which, "ramfs") && strcmp(which, "erofs")) {
		log_err("--rootfs=%s: not one of ramfs, erofs, none", which);
		return -EINVAL;
	}
	if (!which || strcmp(which, "ramfs") == 0)
		err = root_mount_ramfs();
	if (err == -ENOENT && (!which || strcmp(which, "erofs") == 0))
		err = root_mount_erofs();
	if (err == -ENOENT)
		root_explain(which);
	else if (err)
		log_err("rootfs: %s: error %d", root_reason(err), -err);
	return err;
}

/* --- what is on top ------------------------------------------------------ */

static void root_mount_on(
    const char *type, const char *dir, unsigned flags, const char *options)
{
	int err = vfs_mkdir(NULL, dir, 0755);

	if (!err || err == -EEXIST)
		err = vfs_mount(type, type, dir, flags, options);
	if (err)
		log_warn("rootfs: %s on %s: error %d", type, dir, -err);
}

int vfs_mount_root(const char *which)
{
	int err;

	dentry_init();
	pcache_init();
	err = anon_init();
	if (!err)
		err = root_mount(which);
	if (err)
		return err;
	root_mount_on("devtmpfs", "/dev", MS_NOSUID, "mode=755");
	root_mount_on("tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, NULL);
	root_mount_on("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	root_mount_on("sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	root_mount_on("tmpfs", "/tmp", MS_NOSUID | MS_NODEV, NULL);
	root_mount_on("tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=755");
	return 0;
}
