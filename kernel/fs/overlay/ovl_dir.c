#include "overlay.h"

#include "kern/errno.h"

/* Looking at merged directories. */

int ovl_peek(
    struct vnode *dir, const char *name, size_t len, struct vnode **out)
{
	int err;

	*out = NULL;
	if (!dir)
		return 0;
	rwlock_read(&dir->lock);
	err = dir->ops->lookup(dir, name, len, out);
	rwlock_unlock(&dir->lock);
	return err == -ENOENT ? 0 : err;
}

static bool ovl_merges(const struct vnode *upper, const struct vnode *lower)
{
	return vnode_is(upper, S_IFDIR) && vnode_is(lower, S_IFDIR) &&
	       !(upper->flags & OVL_OPAQUE);
}

/* Both may be NULL.  A file that hides one of the lower tree has its inode
 * number: mostly it is a copy of it. */
static int ovl_join(struct ovl_node *dir, const char *name, size_t len,
    struct vnode *upper, struct vnode *lower, struct vnode **out)
{
	uint64_t ino;

	if (upper && (upper->flags & OVL_WHITEOUT)) {
		vnode_put(upper);
		if (lower)
			vnode_put(lower);
		return -ENOENT;
	}
	if (!upper && !lower)
		return -ENOENT;
	ino = lower ? lower->ino : upper->ino | OVL_UPPER_INO;
	if (upper && lower && !ovl_merges(upper, lower)) {
		vnode_put(lower);
		lower = NULL;
	}
	return ovl_node_new(
	    dir->vnode.mount, dir, name, len, upper, lower, ino, out);
}

int ovl_lookup(
    struct vnode *v, const char *name, size_t len, struct vnode **out)
{
	struct ovl_node *dir = ovl_node(v);
	struct vnode *upper, *lower;
	int err = ovl_peek(dir->upper, name, len, &upper);

	if (err)
		return err;
	err = ovl_peek(dir->lower, name, len, &lower);
	if (err) {
		if (upper)
			vnode_put(upper);
		return err;
	}
	return ovl_join(dir, name, len, upper, lower, out);
}

/* --- readdir ------------------------------------------------------------- */

/* First the upper directory; then what is only in the lower, whose cookies
 * have this bit. */
#define OVL_LOWER_COOKIE (1ull << 62)

struct ovl_scan {
	struct ovl_node *dir;
	uint64_t *off;
	bool (*emit)(void *arg, const char *name, size_t len, uint64_t ino,
	    uint8_t type, uint64_t next);
	void *arg;
	bool full;
};

static bool ovl_emit(struct ovl_scan *s, const char *name, size_t len,
    uint64_t ino, uint8_t type, uint64_t next)
{
	s->full = !s->emit(s->arg, name, len, ino, type, next);
	if (!s->full)
		*s->off = next;
	return !s->full;
}

/* The upper directory's lock is held for reading. */
static bool ovl_emit_upper(void *arg, const char *name, size_t len,
    uint64_t ino, uint8_t type, uint64_t next)
{
	struct ovl_scan *s = arg;
	struct vnode *dir = s->dir->upper, *v;
	bool hidden = false;

	if (dir->ops->lookup(dir, name, len, &v) == 0) {
		hidden = v->flags & OVL_WHITEOUT;
		vnode_put(v);
	}
	if (hidden) {
		*s->off = next;
		return true;
	}
	ino |= OVL_UPPER_INO;
	if (ovl_peek(s->dir->lower, name, len, &v) == 0 && v) {
		ino = v->ino;
		vnode_put(v);
	}
	return ovl_emit(s, name, len, ino, type, next);
}

static bool ovl_emit_lower(void *arg, const char *name, size_t len,
    uint64_t ino, uint8_t type, uint64_t next)
{
	struct ovl_scan *s = arg;
	struct vnode *v;

	next |= OVL_LOWER_COOKIE;
	if (ovl_peek(s->dir->upper, name, len, &v) == 0 && v) {
		vnode_put(v);
		*s->off = next;
		return true;
	}
	return ovl_emit(s, name, len, ino, type, next);
}

static int ovl_scan_tree(struct ovl_scan *s, struct vnode *dir, uint64_t off,
    bool (*emit)(void *arg, const char *name, size_t len, uint64_t ino,
	uint8_t type, uint64_t next))
{
	int err;

	if (!dir)
		return 0;
	rwlock_read(&dir->lock);
	err = dir->ops->readdir(dir, &off, emit, s);
	rwlock_unlock(&dir->lock);
	return err;
}

int ovl_readdir(struct vnode *v, uint64_t *off,
    bool (*emit)(void *arg, const char *name, size_t len, uint64_t ino,
	uint8_t type, uint64_t next),
    void *arg)
{
	struct ovl_scan s = {
		.dir = ovl_node(v),
		.off = off,
		.emit = emit,
		.arg = arg,
	};
	int err = 0;

	if (!(*off & OVL_LOWER_COOKIE)) {
		err = ovl_scan_tree(&s, s.dir->upper, *off, ovl_emit_upper);
		if (err || s.full)
			return err;
		*off = OVL_LOWER_COOKIE | 2;
	}
	return ovl_scan_tree(
	    &s, s.dir->lower, *off & ~OVL_LOWER_COOKIE, ovl_emit_lower);
}

static bool ovl_see_any(void *arg, const char *name, size_t len, uint64_t ino,
    uint8_t type, uint64_t next)
{
	(void)name;
	(void)len;
	(void)ino;
	(void)type;
	(void)next;
	*(bool *)arg = true;
	return false;
}

int ovl_check_empty(struct ovl_node *n)
{
	bool any = false;
	uint64_t off = 2;
	int err = ovl_readdir(&n->vnode, &off, ovl_see_any, &any);

	return err ? err : any ? -ENOTEMPTY : 0;
}
