#ifndef RAMFS_H
#define RAMFS_H

/* ramfs and tmpfs: files that are in memory alone. */

#include "fs_int.h"
#include "pcache.h"

struct ramfs_entry;

struct ramfs_dir {
	struct ptree order;          /* entries by cookie, for readdir */
	struct ramfs_entry **bucket; /* NULL until there are a few */
	unsigned nbuckets, n;
	uint64_t next_cookie;
};

struct ramfs_node {
	struct vnode vnode;
	uint32_t uid, gid, nlink;
	uint64_t rdev;
	uint64_t atime, mtime, ctime;
	bool linkable; /* O_TMPFILE: may get a first name */
	struct ramfs_dir dir;
	char *target; /* of a symlink */
};

/* A mount: m->priv. */
struct ramfs {
	struct pcache_quota quota;
	_Atomic uint64_t next_ino, nnodes;
	bool limited; /* tmpfs */
};

static inline struct ramfs_node *ramfs_node(struct vnode *v)
{
	return container_of(v, struct ramfs_node, vnode);
}

/* For file systems that begin as an empty one.  -ENOMEM. */
int ramfs_mount_with(
    struct mount *, uint32_t mode, const char *options, bool limited);
void ramfs_unmount(struct mount *);
int ramfs_statfs(struct mount *, struct fs_stat *);

/* ramfs_dir.c.  The directory's lock is held, for writing to change it. */
struct ramfs_node *ramfs_dir_find(
    struct ramfs_dir *, const char *name, size_t len);
int ramfs_dir_add(struct ramfs_dir *, const char *name, size_t len,
    struct ramfs_node *); /* takes a reference on the node */
void ramfs_dir_remove(struct ramfs_dir *, const char *name, size_t len);
/* Let (name), which is there, mean another node. */
void ramfs_dir_replace(
    struct ramfs_dir *, const char *name, size_t len, struct ramfs_node *);
int ramfs_readdir(struct vnode *, uint64_t *off,
    bool (*emit)(void *arg, const char *name, size_t len, uint64_t ino,
	uint8_t type, uint64_t next),
    void *arg);
void ramfs_dir_destroy(struct ramfs_dir *);

#endif /* RAMFS_H */
