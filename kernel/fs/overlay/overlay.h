#ifndef OVERLAY_H
#define OVERLAY_H

/*
 * A writable tree over a read-only one.  What is changed is copied up into a
 * tmpfs that nobody else sees; a name of the lower tree that was removed has a
 * whiteout there.
 *
 * Locks: the layer's lock of an overlay vnode, then overlay->copy, then the
 * lock of one vnode of the upper tree (two in rename).
 */

#include "fs_int.h"

/* Flags of vnodes of the upper tree, beside VNODE_*. */
#define OVL_WHITEOUT 0x100u /* there is no such name */
#define OVL_OPAQUE   0x200u /* nothing of the lower directory is seen */

struct overlay {
	struct mount *upper, *lower;
	struct mutex copy; /* what is being copied up */
};

/*
 * A name that somebody knows.  A directory may be in both trees, anything
 * else is in one: upper, once it is set.
 */
struct ovl_node {
	struct vnode vnode;
	_Atomic(struct vnode *) upper; /* set once, under copy */
	struct vnode *lower;
	struct ovl_node *parent; /* with a reference; NULL: needs none */
	char *name;              /* in (parent), to copy it up there */
};

static inline struct ovl_node *ovl_node(struct vnode *v)
{
	return container_of(v, struct ovl_node, vnode);
}

static inline struct overlay *ovl_of(const struct vnode *v)
{
	return v->mount->priv;
}

/* Where the file is now. */
static inline struct vnode *ovl_real(struct ovl_node *n)
{
	struct vnode *u = n->upper;

	return u ? u : n->lower;
}

/* overlay.c: takes over the references on (upper) and (lower), also when it
 * fails.  (parent) NULL: nothing is ever copied up. */
int ovl_node_new(struct mount *, struct ovl_node *parent, const char *name,
    size_t len, struct vnode *upper, struct vnode *lower, uint64_t ino,
    struct vnode **out);
#define OVL_UPPER_INO (1ull << 40) /* keeps the two trees' numbers apart */

/* ovl_copy.c: see that it is in the upper tree; of a file's contents only
 * the first (size) bytes are needed there. */
int ovl_copy_up(struct ovl_node *, uint64_t size);

/* ovl_dir.c */
int ovl_lookup(
    struct vnode *, const char *name, size_t len, struct vnode **out);
int ovl_readdir(struct vnode *, uint64_t *off,
    bool (*emit)(void *arg, const char *name, size_t len, uint64_t ino,
	uint8_t type, uint64_t next),
    void *arg);
/* 0, -ENOTEMPTY or -errno. */
int ovl_check_empty(struct ovl_node *);
/* The vnode of (name) in one tree's directory (dir): *out is NULL when there
 * is none; whiteouts are given. */
int ovl_peek(
    struct vnode *dir, const char *name, size_t len, struct vnode **out);

/* ovl_change.c */
int ovl_create(struct vnode *, const char *name, size_t len, uint32_t mode,
    uint64_t rdev, const char *target, struct vnode **out);
int ovl_tmpfile(struct vnode *, uint32_t mode, struct vnode **out);
int ovl_link(struct vnode *, const char *name, size_t len, struct vnode *);
int ovl_unlink(
    struct vnode *, const char *name, size_t len, struct vnode *, bool rmdir);
int ovl_rename(struct vnode *od, const char *on, size_t onlen, struct vnode *nd,
    const char *nn, size_t nnlen, struct vnode *what, struct vnode *replaced);

#endif /* OVERLAY_H */
