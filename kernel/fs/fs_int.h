#ifndef FS_INT_H
#define FS_INT_H

/* What the files of kernel/fs share and no other room sees. */

#include "kern/stat.h"
#include "kern/vfs.h"

#define FS_NAME_MAX  255
#define FS_PATH_MAX  4096
#define FS_LINKS_MAX 40 /* symlinks followed in one walk: path_resolution(7) */

/* --- dentry.c: the name cache ------------------------------------------- */

/*
 * A name in a directory, or the answer that there is none.  Everything but
 * (mount) and, while a reference is held, (vnode) of a positive one is
 * protected by the cache's mutex; a name only changes with its directory's
 * vnode lock held for writing as well.
 */
struct dentry {
	struct dentry *parent; /* with a reference; NULL: root of a mount */
	struct vnode *vnode;   /* with a reference; NULL: no such name */
	struct mount *mount;
	struct dentry *mounted; /* the root of what is mounted here */
	struct list hash;
	struct list lru; /* while unreferenced */
	unsigned refs;
	uint32_t hashval;
	bool hashed, unlinked;
	uint16_t len;
	char *name;
};

/* With a reference, or NULL: not known. */
struct dentry *dentry_cached(
    struct dentry *parent, const char *name, size_t len);
/* A new name; takes over the reference on (v), also when it fails: NULL.  If
 * it is there already, that one is returned. */
struct dentry *dentry_add(
    struct dentry *parent, const char *name, size_t len, struct vnode *v);
/* A name that walks cannot find: roots, O_TMPFILE, magic links. */
struct dentry *dentry_alone(struct mount *, struct dentry *parent,
    const char *name, size_t len, struct vnode *v);
void dentry_fill(struct dentry *, struct vnode *); /* was negative */
void dentry_mark_unlinked(struct dentry *);
/* (d) gets the place of (to), which is forgotten. */
void dentry_move(struct dentry *d, struct dentry *to);
struct dentry *dentry_parent(struct dentry *); /* with a reference, or NULL */
bool dentry_is_ancestor(struct dentry *a, struct dentry *d);
/* The root of what is mounted on (d), or (d): consumes and gives a
 * reference. */
struct dentry *dentry_cross(struct dentry *d);
int dentry_set_mounted(struct dentry *d, struct dentry *root);
void dentry_forget_mount(struct mount *);
bool dentry_sole_user(struct dentry *); /* has one reference */
unsigned dentry_prune(unsigned n);
void dentry_init(void);

/* --- path.c -------------------------------------------------------------- */

#define WALK_PARENT 0x100u /* stop before the last component */

struct walk {
	struct dentry *root; /* of the process */
	struct dentry *cur;  /* where the walk is */
	const char *rest;    /* still to be walked */
	char *buf;           /* what (rest) points into; NULL: the caller's */
	unsigned links;
	/* WALK_PARENT: the last component; len 0: (cur) itself was named */
	const char *last;
	size_t last_len;
	bool slash; /* one follows it */
};

int walk_begin(
    struct walk *, struct dentry *at, const char *path, unsigned how);
int walk_run(struct walk *, unsigned how);
/* After WALK_PARENT: (link) is the last component and a symlink. */
int walk_follow(struct walk *, struct dentry *link);
void walk_end(struct walk *);
/* The name in the directory (dir), negative if there is none; with a
 * reference.  _locked: the caller holds the directory's lock. */
int walk_child(
    struct dentry *dir, const char *name, size_t len, struct dentry **);
int walk_child_locked(
    struct dentry *dir, const char *name, size_t len, struct dentry **);
bool name_is_dots(const char *name, size_t len);

/* --- name.c -------------------------------------------------------------- */

/* Make (d), a negative name; its directory's lock is held for writing. */
int name_create(struct dentry *dir, struct dentry *d, uint32_t mode,
    uint64_t rdev, const char *target);

/* --- vfs.c --------------------------------------------------------------- */

struct fs_ctx {
	_Atomic uint32_t refs;
	_Atomic uint32_t umask;
	struct mutex lock; /* protects root and cwd */
	struct dentry *root, *cwd;
};

struct fs_ctx *fs_ctx(void); /* the caller's, or the kernel's own */
struct mount *mount_create(const char *type, const char *source, unsigned flags,
    const char *options, int *err);
void mount_destroy(struct mount *);
uint64_t fs_now(void);

/* --- vnode.c ------------------------------------------------------------- */

bool vnode_tryget(struct vnode *);
static inline struct vnode *vnode_data(struct vnode *v)
{
	return v->ops->data ? v->ops->data(v) : v;
}
static inline bool vnode_is(const struct vnode *v, uint32_t type)
{
	return (v->mode & S_IFMT) == type;
}
int vnode_check_write(const struct vnode *); /* -EROFS */

/* --- vfile.c: open files ------------------------------------------------- */

extern const struct file_ops vfile_ops; /* of the page cache */
extern const struct file_ops dir_ops;
extern const struct file_ops path_ops; /* O_PATH */
int64_t vfile_seek_size(struct file *, int64_t off, int whence, uint64_t size);

/* --- numbers of devices, as stat(2) shows them --- */

static inline uint64_t dev_make(unsigned major, unsigned minor)
{
	return (minor & 0xff) | (major << 8) | (uint64_t)(minor & ~0xffu) << 12;
}
static inline unsigned dev_major(uint64_t rdev)
{
	return (rdev >> 8) & 0xfff;
}
static inline unsigned dev_minor(uint64_t rdev)
{
	return (rdev & 0xff) | ((rdev >> 12) & 0xfff00);
}

/* --- anon.c --- */
int anon_init(void);

/* --- open.c --- */
/* An open file on (d), which has just been made. */
int open_created(struct dentry *d, int flags, struct file **);

/* --- devfs/ -------------------------------------------------------------- */

/* Give (f) the operations of the device (rdev): -ENXIO. */
int dev_open(struct vnode *, uint64_t rdev, struct file *);
/* devfs/blkfile.c: the disk whose node has (minor). */
int blkfile_open(struct file *, unsigned minor);
#define BLK_MAJOR 254u /* of every disk; the minor is its place in the list */

#endif /* FS_INT_H */
