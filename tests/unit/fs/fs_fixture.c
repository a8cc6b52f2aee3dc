#include "fs_fixture.h"

#include "kern/flock.h"
#include "kern/pipe.h"
#include "kern/rand.h"
#include "kernel/fs/files_int.h"

/* What the rooms under and beside kernel/fs would supply. */

void rand_bytes(void *p, size_t n)
{
	memset(p, 0x5a, n);
}

void vm_object_zap(struct vm_object *obj, uint64_t first, uint64_t n)
{
	(void)obj;
	(void)first;
	(void)n;
}

void epoll_file_gone(struct file *f)
{
	(void)f;
}

WEAK void flock_file_gone(struct file *f)
{
	(void)f;
}

WEAK void flock_fd_closed(struct file *f)
{
	(void)f;
}

WEAK int fifo_open(struct vnode *v, struct file *f)
{
	(void)v;
	(void)f;
	return -ENXIO;
}

WEAK int dev_open(struct vnode *v, uint64_t rdev, struct file *f)
{
	(void)v;
	(void)rdev;
	(void)f;
	return -ENXIO;
}

static long fixture_live;

void fs_fixture_begin(void)
{
	fixture_live = fake_mm_live();
}

void fs_fixture_end(void)
{
	while (fake_rcu_run() || fake_work_run())
		;
	assert_int_equal(fake_mm_live(), fixture_live);
	assert_int_equal(fake_mm_file_bytes(), 0);
	assert_int_equal(fake_locks_held(), 0);
}

int fs_setup(void **state)
{
	(void)state;
	fs_fixture_begin();
	dentry_init();
	assert_int_equal(vfs_mount("ramfs", "rootfs", "/", 0, NULL), 0);
	return 0;
}

void fs_unmount_root(void)
{
	struct fs_ctx *c = fs_ctx();
	struct mount *m = c->root->mount;

	dentry_put(c->root);
	dentry_put(c->cwd);
	c->root = c->cwd = NULL;
	dentry_forget_mount(m);
	list_del(&m->link);
	mount_destroy(m);
}

int fs_teardown(void **state)
{
	(void)state;
	fs_unmount_root();
	fs_fixture_end();
	return 0;
}
