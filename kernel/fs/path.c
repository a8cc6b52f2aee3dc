#include "fs_int.h"

#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/string.h"

/*
 * From a path to a name: path_resolution(7).  A walk holds references on its
 * root and on where it is; each symbolic link replaces what is still to be
 * walked by its text and the rest.
 */

bool name_is_dots(const char *name, size_t len)
{
	return (len == 1 && name[0] == '.') ||
	       (len == 2 && name[0] == '.' && name[1] == '.');
}

/* Replace where the walk is; takes over the reference. */
static void walk_to(struct walk *w, struct dentry *d)
{
	dentry_put(w->cur);
	w->cur = d;
}

int walk_begin(
    struct walk *w, struct dentry *at, const char *path, unsigned how)
{
	size_t len = strnlen(path, FS_PATH_MAX);

	memset(w, 0, sizeof(*w));
	if (len == 0 && !(how & WALK_EMPTY))
		return -ENOENT;
	if (len == FS_PATH_MAX)
		return -ENAMETOOLONG;
	w->rest = path;
	w->root = fs_root();
	if (path[0] == '/') {
		dentry_get(w->root);
		w->cur = w->root;
	} else if (at) {
		dentry_get(at);
		w->cur = at;
	} else {
		w->cur = fs_cwd();
	}
	return 0;
}

void walk_end(struct walk *w)
{
	dentry_put(w->cur);
	dentry_put(w->root);
	kfree(w->buf);
	memset(w, 0, sizeof(*w));
}

/* Ask the file system, and remember the answer. */
static int walk_lookup(
    struct dentry *dir, const char *name, size_t len, struct dentry **out)
{
	struct vnode *v = dir->vnode, *found = NULL;
	int err;

	err = v->ops->lookup(v, name, len, &found);
	if (err && err != -ENOENT)
		return err;
	if (v->flags & VNODE_NOCACHE) {
		if (err)
			return err;
		*out = dentry_alone(dir->mount, dir, name, len, found);
	} else {
		*out = dentry_add(dir, name, len, found);
	}
	return *out ? 0 : -ENOMEM;
}

static int walk_may(struct dentry *dir, size_t len)
{
	if (!dir->vnode)
		return -ENOENT;
	if (!vnode_is(dir->vnode, S_IFDIR) || !dir->vnode->ops->lookup)
		return -ENOTDIR;
	return len > FS_NAME_MAX ? -ENAMETOOLONG : 0;
}

int walk_child_locked(
    struct dentry *dir, const char *name, size_t len, struct dentry **out)
{
	int err = walk_may(dir, len);

	if (err)
		return err;
	*out = dentry_cached(dir, name, len);
	return *out ? 0 : walk_lookup(dir, name, len, out);
}

int walk_child(
    struct dentry *dir, const char *name, size_t len, struct dentry **out)
{
	int err = walk_may(dir, len);

	if (err)
		return err;
	*out = dentry_cached(dir, name, len);
	if (*out)
		return 0;
	rwlock_read(&dir->vnode->lock);
	err = walk_lookup(dir, name, len, out);
	rwlock_unlock(&dir->vnode->lock);
	return err;
}

/* "..": not above the process's root; from a mount's root to the directory
 * above the one that it covers. */
static struct dentry *walk_up(struct walk *w)
{
	struct dentry *d = w->cur, *up;

	dentry_get(d);
	while (d != w->root) {
		up = dentry_parent(d);
		if (up) {
			dentry_put(d);
			return dentry_cross(up);
		}
		up = d->mount ? d->mount->mountpoint : NULL;
		if (!up)
			break;
		dentry_get(up);
		dentry_put(d);
		d = up;
	}
	return d;
}

static int walk_step(
    struct walk *w, const char *name, size_t len, struct dentry **out)
{
	int err;

	if (len == 1 && name[0] == '.') {
		dentry_get(w->cur);
		*out = w->cur;
		return 0;
	}
	if (name_is_dots(name, len)) {
		*out = walk_up(w);
		return 0;
	}
	err = walk_child(w->cur, name, len, out);
	if (err)
		return err;
	if (!(*out)->vnode) {
		dentry_put(*out);
		return -ENOENT;
	}
	*out = dentry_cross(*out);
	return 0;
}

/* A magic link of /proc: no text, it leads straight to a name. */
static int walk_jump(struct walk *w, struct vnode *v, const char *after)
{
	struct dentry *to;
	int err = v->ops->follow(v, &to);

	if (err)
		return err;
	walk_to(w, to);
	w->rest = after;
	return 0;
}

static int walk_text(
    struct walk *w, struct vnode *v, const char *after, bool slash)
{
	size_t rest = strlen(after);
	char *buf;
	long n;

	if (!v->ops->readlink)
		return -EINVAL;
	buf = kmalloc(FS_PATH_MAX + rest + 2);
	if (!buf)
		return -ENOMEM;
	n = v->ops->readlink(v, buf, FS_PATH_MAX - 1);
	if (n <= 0) {
		kfree(buf);
		return n ? (int)n : -ENOENT;
	}
	if (slash)
		buf[n++] = '/';
	memcpy(buf + n, after, rest + 1);
	kfree(w->buf);
	w->buf = buf;
	w->rest = buf;
	if (buf[0] == '/') {
		dentry_get(w->root);
		walk_to(w, w->root);
	}
	return 0;
}

static int walk_link(
    struct walk *w, struct vnode *v, const char *after, bool slash)
{
	if (++w->links > FS_LINKS_MAX)
		return -ELOOP;
	if (v->ops->follow)
		return walk_jump(w, v, after);
	return walk_text(w, v, after, slash);
}

int walk_follow(struct walk *w, struct dentry *link)
{
	const char *after = w->last + w->last_len;
	bool slash = w->slash;

	while (*after == '/')
		after++;
	return walk_link(w, link->vnode, after, slash);
}

/* One component, which is not the last of WALK_PARENT. */
static int walk_component(struct walk *w, const char *name, size_t len,
    const char *after, unsigned how)
{
	bool slash = name[len] == '/';
	bool more = *after || slash;
	struct dentry *d;
	int err;

	err = walk_step(w, name, len, &d);
	if (err)
		return err;
	if (vnode_is(d->vnode, S_IFLNK) && (more || !(how & WALK_NOFOLLOW))) {
		err = walk_link(w, d->vnode, after, slash);
		dentry_put(d);
		return err;
	}
	if (more && !vnode_is(d->vnode, S_IFDIR)) {
		dentry_put(d);
		return -ENOTDIR;
	}
	walk_to(w, d);
	w->rest = after;
	return 0;
}

int walk_run(struct walk *w, unsigned how)
{
	const char *name, *after;
	size_t len;
	int err;

	w->last_len = 0;
	w->slash = false;
	for (;;) {
		for (name = w->rest; *name == '/'; name++)
			;
		if (!*name)
			return 0;
		for (len = 0; name[len] && name[len] != '/'; len++)
			;
		for (after = name + len; *after == '/'; after++)
			;
		if (!vnode_is(w->cur->vnode, S_IFDIR))
			return -ENOTDIR;
		if ((how & WALK_PARENT) && !*after) {
			w->last = name;
			w->last_len = len;
			w->slash = name[len] == '/';
			return 0;
		}
		err = walk_component(w, name, len, after, how);
		if (err)
			return err;
	}
}

int vfs_lookup(
    struct dentry *at, const char *path, unsigned how, struct dentry **out)
{
	struct walk w;
	int err;

	err = walk_begin(&w, at, path, how);
	if (err)
		return err;
	err = walk_run(&w, how);
	if (!err && (how & WALK_DIRECTORY) && !vnode_is(w.cur->vnode, S_IFDIR))
		err = -ENOTDIR;
	if (!err) {
		dentry_get(w.cur);
		*out = w.cur;
	}
	walk_end(&w);
	return err;
}
