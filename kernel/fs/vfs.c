#include "fs_int.h"

#include "kern/clock.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/string.h"

#include <linux/fs.h>
#include <linux/mount.h>

/* Mounts, and the root and working directory of a process. */

extern const struct fs_type *const fs_set_start[], *const fs_set_end[];

static struct mutex mount_lock = MUTEX_INIT(mount_lock); /* protects mounts */
static struct list mounts = LIST_INIT(mounts);
static uint32_t mount_next_dev = 16;

static struct fs_ctx kernel_ctx = {
	.refs = 1,
	.lock = MUTEX_INIT(kernel_ctx.lock),
};
struct fs_ctx *(*fs_ctx_current)(void);

uint64_t fs_now(void)
{
	return clock_wall();
}

/* --- mounts -------------------------------------------------------------- */

static const struct fs_type *fs_type_find(const char *name)
{
	for (const struct fs_type *const *t = fs_set_start; t < fs_set_end; t++)
		if (strcmp((*t)->name, name) == 0)
			return *t;
	return NULL;
}

struct mount *mount_create(const char *type, const char *source, unsigned flags,
    const char *options, int *err)
{
	const struct fs_type *t = fs_type_find(type);
	struct mount *m = t ? kzalloc(sizeof(*m)) : NULL;

	*err = t ? -ENOMEM : -ENODEV;
	if (!m)
		return NULL;
	m->type = t;
	m->flags = flags;
	list_init(&m->link);
	snprintf(m->source, sizeof(m->source), "%s", source ? source : "none");
	mutex_lock(&mount_lock);
	m->dev = mount_next_dev++;
	mutex_unlock(&mount_lock);
	*err = t->mount(m, m->source, options ? options : "");
	if (*err) {
		kfree(m);
		return NULL;
	}
	vnode_get(m->root);
	m->root_dentry = dentry_alone(m, NULL, "", 0, m->root);
	if (!m->root_dentry) {
		*err = -ENOMEM;
		mount_destroy(m);
		return NULL;
	}
	return m;
}

/* It is in no tree any more. */
void mount_destroy(struct mount *m)
{
	if (m->root_dentry)
		dentry_put(m->root_dentry);
	vnode_put(m->root);
	if (m->type->unmount)
		m->type->unmount(m);
	kfree(m);
}

/* Cover (at) with (m); keeps the reference on (at). */
static int mount_attach(struct mount *m, struct dentry *at)
{
	int err;

	if (!vnode_is(at->vnode, S_IFDIR))
		return -ENOTDIR;
	if (dentry_path(at, m->dir, sizeof(m->dir)) < 0)
		return -ENAMETOOLONG;
	m->mountpoint = at;
	m->parent = at->mount;
	err = dentry_set_mounted(at, m->root_dentry);
	if (err)
		return err;
	mutex_lock(&mount_lock);
	list_add_tail(&mounts, &m->link);
	mutex_unlock(&mount_lock);
	return 0;
}

/* The first mount is the root of all. */
static int mount_as_root(struct mount *m)
{
	snprintf(m->dir, sizeof(m->dir), "/");
	mutex_lock(&mount_lock);
	list_add_tail(&mounts, &m->link);
	mutex_unlock(&mount_lock);
	dentry_get(m->root_dentry);
	dentry_get(m->root_dentry);
	mutex_lock(&kernel_ctx.lock);
	kernel_ctx.root = kernel_ctx.cwd = m->root_dentry;
	mutex_unlock(&kernel_ctx.lock);
	return 0;
}

int vfs_mount(const char *type, const char *source, const char *dir,
    unsigned flags, const char *options)
{
	struct dentry *at = NULL;
	struct mount *m;
	int err = 0;

	if (kernel_ctx.root)
		err = vfs_lookup(NULL, dir, WALK_DIRECTORY, &at);
	else if (strcmp(dir, "/") != 0)
		err = -ENOENT;
	if (err)
		return err;
	m = mount_create(type, source, flags, options, &err);
	if (m)
		err = at ? mount_attach(m, at) : mount_as_root(m);
	if (m && err)
		mount_destroy(m);
	if (err && at)
		dentry_put(at);
	return err;
}

int vfs_unmount(const char *dir)
{
	struct mount *m, *sub;
	struct dentry *d;
	int err;

	err = vfs_lookup(NULL, dir, WALK_DIRECTORY, &d);
	if (err)
		return err;
	m = d->mount;
	err = d != m->root_dentry ? -EINVAL : m->mountpoint ? 0 : -EBUSY;
	dentry_put(d);
	if (err)
		return err;
	dentry_forget_mount(m);
	mutex_lock(&mount_lock);
	list_foreach (sub, &mounts, link)
		if (sub->parent == m)
			err = -EBUSY;
	if (!err && !dentry_sole_user(m->root_dentry))
		err = -EBUSY;
	if (!err) {
		dentry_set_mounted(m->mountpoint, NULL);
		list_del(&m->link);
	}
	mutex_unlock(&mount_lock);
	if (err)
		return err;
	dentry_put(m->mountpoint);
	mount_destroy(m);
	return 0;
}

void vfs_foreach_mount(void (*fn)(const struct mount *, void *), void *arg)
{
	struct mount *m;

	mutex_lock(&mount_lock);
	list_foreach (m, &mounts, link)
		fn(m, arg);
	mutex_unlock(&mount_lock);
}

int vfs_statfs(struct mount *m, struct fs_stat *s)
{
	memset(s, 0, sizeof(*s));
	s->bsize = PAGE_SIZE;
	s->namelen = FS_NAME_MAX;
	return m->type->statfs ? m->type->statfs(m, s) : 0;
}

/* --- processes ----------------------------------------------------------- */

struct fs_ctx *fs_ctx(void)
{
	struct fs_ctx *c = fs_ctx_current ? fs_ctx_current() : NULL;

	return c ? c : &kernel_ctx;
}

struct fs_ctx *fs_ctx_create(void)
{
	struct fs_ctx *c = kzalloc(sizeof(*c));

	if (!c)
		return NULL;
	c->refs = 1;
	c->umask = 022;
	mutex_init(&c->lock);
	c->root = c->cwd = kernel_ctx.root;
	dentry_get(c->root);
	dentry_get(c->cwd);
	return c;
}

void fs_ctx_put(struct fs_ctx *c)
{
	if (atomic_fetch_sub(&c->refs, 1) != 1)
		return;
	dentry_put(c->root);
	dentry_put(c->cwd);
	kfree(c);
}

static struct dentry *ctx_get(struct fs_ctx *c, struct dentry **which)
{
	struct dentry *d;

	mutex_lock(&c->lock);
	d = *which;
	dentry_get(d);
	mutex_unlock(&c->lock);
	return d;
}

struct dentry *fs_root(void)
{
	struct fs_ctx *c = fs_ctx();

	return ctx_get(c, &c->root);
}

struct dentry *fs_cwd(void)
{
	struct fs_ctx *c = fs_ctx();

	return ctx_get(c, &c->cwd);
}

static int ctx_set(struct fs_ctx *c, struct dentry **which, struct dentry *d)
{
	struct dentry *old;

	if (!vnode_is(d->vnode, S_IFDIR))
		return -ENOTDIR;
	dentry_get(d);
	mutex_lock(&c->lock);
	old = *which;
	*which = d;
	mutex_unlock(&c->lock);
	dentry_put(old);
	return 0;
}

int fs_chdir(struct dentry *d)
{
	struct fs_ctx *c = fs_ctx();

	return ctx_set(c, &c->cwd, d);
}

int fs_chroot(struct dentry *d)
{
	struct fs_ctx *c = fs_ctx();

	return ctx_set(c, &c->root, d);
}

uint32_t fs_umask(void)
{
	return fs_ctx()->umask;
}

uint32_t fs_set_umask(uint32_t mask)
{
	return atomic_exchange(&fs_ctx()->umask, mask & 0777);
}
