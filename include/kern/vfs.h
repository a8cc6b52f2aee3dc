#ifndef KERN_VFS_H
#define KERN_VFS_H

/*
 * Names and files.  kernel/fs/: vfs.c (mounts, file systems), path.c (walk),
 * dentry.c (name cache), pcache.c (page cache), vnode.c.
 * Thread context; may sleep.  0, a count, or -errno.
 */

#include <asm/stat.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"
#include "file.h"
#include "list.h"
#include "lock.h"
#include "vm.h"

struct vnode;
struct mount;
struct dentry;
struct fs_stat; /* what statfs(2) shows */

#define VATTR_MODE  1u
#define VATTR_UID   2u
#define VATTR_GID   4u
#define VATTR_SIZE  8u
#define VATTR_ATIME 16u
#define VATTR_MTIME 32u
#define VATTR_CTIME 64u /* set by the layer */

struct vattr {
	uint32_t mode, uid, gid, nlink;
	uint64_t ino, size, rdev, blocks;
	uint64_t atime, mtime, ctime; /* ns since 1970 */
};

/*
 * A NULL operation is answered by the layer as the comment behind it says.  The
 * layer holds vnode->lock of a directory for writing in create, unlink and
 * rename, for reading in lookup and readdir.
 */
struct vnode_ops {
	int (*lookup)(struct vnode *dir, const char *name, size_t len,
	    struct vnode **out); /* -ENOTDIR */
	/* (mode) has the S_IFMT bits: file, directory, symlink, node */
	int (*create)(struct vnode *dir, const char *name, size_t len,
	    uint32_t mode, uint64_t rdev, const char *target,
	    struct vnode **out); /* -EROFS */
	int (*link)(struct vnode *dir, const char *name, size_t len,
	    struct vnode *); /* -EROFS */
	int (*unlink)(struct vnode *dir, const char *name, size_t len,
	    struct vnode *, bool rmdir); /* -EROFS */
	int (*rename)(struct vnode *od, const char *on, size_t onlen,
	    struct vnode *nd, const char *nn, size_t nnlen, struct vnode *what,
	    struct vnode *replaced);                    /* -EROFS */
	int (*getattr)(struct vnode *, struct vattr *); /* required */
	/* NULL: -EROFS */
	int (*setattr)(struct vnode *, const struct vattr *, unsigned what);
	int (*readdir)(struct vnode *, uint64_t *off,
	    bool (*emit)(void *arg, const char *name, size_t len, uint64_t ino,
		uint8_t type, uint64_t next),
	    void *arg);                                   /* -ENOTDIR */
	long (*readlink)(struct vnode *, char *, size_t); /* -EINVAL */
	/* Give the file operations of this open (devices, FIFOs, /proc); NULL:
	 * the page-cached file of pcache.c */
	int (*open)(struct vnode *, struct file *);
	/* A file without a name, for O_TMPFILE. */
	int (*tmpfile)(struct vnode *dir, uint32_t mode,
	    struct vnode **out); /* -EOPNOTSUPP */
	/* A link that is not text: where it leads, with a reference. */
	int (*follow)(struct vnode *, struct dentry **); /* readlink's text */
	/* The open file that this stands for, with a reference: what open(2)
	 * gives instead of a new one. */
	struct file *(*reopen)(struct vnode *); /* a new one */
	/* The vnode whose pages are this file's; no reference. */
	struct vnode *(*data)(struct vnode *); /* its own */
	/* Page cache: fill one page of the file at its direct-map address.
	 * NULL for both: the page cache is the only place of the contents. */
	int (*read_page)(struct vnode *, uint64_t index, void *page);
	/* The same for (n) pages from (first) on; what is past the end is 0.
	 * Used instead of read_page when there is one. */
	int (*read_pages)(
	    struct vnode *, uint64_t first, unsigned n, void **pages);
	int (*write_page)(struct vnode *, uint64_t index, const void *page);
	/* Last reference gone: free the file system's own part. */
	void (*reclaim)(struct vnode *);
};

struct vnode {
	const struct vnode_ops *ops;
	struct mount *mount;
	struct vm_object object; /* this file's pages, for mappings */
	_Atomic uint32_t refs;
	uint32_t mode; /* S_IFMT and permissions; kept by the fs */
	uint64_t ino;
	_Atomic uint64_t size; /* of a regular file; see vnode_size() */
	struct rwlock lock;
	struct pcache *pcache; /* kernel/fs/pcache.c */
	void *priv;            /* the file system's */
	struct list flocks;    /* advisory locks; kernel/fs/flock.c */
	unsigned flags;        /* VNODE_* */
};

#define VNODE_NOCACHE 1u /* do not remember the names in this directory */

/* The length of the file, wherever its pages are. */
static inline uint64_t vnode_size(struct vnode *v)
{
	return v->ops->data ? v->ops->data(v)->size : v->size;
}

void vnode_init(struct vnode *, const struct vnode_ops *, struct mount *,
    uint64_t ino, uint32_t mode);
void vnode_get(struct vnode *);
void vnode_put(struct vnode *);

struct mount {
	const struct fs_type *type;
	struct vnode *root;
	struct dentry *root_dentry;
	struct dentry *mountpoint; /* NULL: the root of all */
	struct mount *parent;
	uint32_t dev;   /* st_dev */
	unsigned flags; /* MS_RDONLY... */
	char source[64], dir[256];
	void *priv;
	struct list link;
};

struct fs_type {
	const char *name; /* "ramfs", "tmpfs", "erofs", "proc", "devtmpfs" */
	/* Sets m->root.  (source): device name or "none". */
	int (*mount)(struct mount *m, const char *source, const char *options);
	void (*unmount)(struct mount *);
	int (*statfs)(struct mount *, struct fs_stat *);
	bool on_disk; /* (source) is one: for /proc/filesystems */
};
#define FILESYSTEM(f) LINKER_SET_ADD(fs_set, struct fs_type, f)

struct fs_stat {
	uint64_t type, bsize, blocks, bfree, bavail, files, ffree, namelen;
};

int vfs_mount(const char *type, const char *source, const char *dir,
    unsigned flags, const char *options);
int vfs_unmount(const char *dir);
int vfs_statfs(struct mount *, struct fs_stat *);
void vfs_foreach_mount(void (*fn)(const struct mount *, void *), void *arg);

/*
 * The root and working directory of a process.  Paths below are relative to
 * (at): NULL for the working directory.
 */
struct fs_ctx;
struct fs_ctx *fs_ctx_create(void); /* at the root of all */
void fs_ctx_put(struct fs_ctx *);
extern struct fs_ctx *(*fs_ctx_current)(void); /* set by kernel/linux */

#define WALK_NOFOLLOW  1u /* the last component */
#define WALK_DIRECTORY 2u /* it must be one */
#define WALK_EMPTY     4u /* "" means (at) itself */

/* With a reference. */
int vfs_lookup(
    struct dentry *at, const char *path, unsigned how, struct dentry **);
struct vnode *dentry_vnode(struct dentry *); /* NULL: no such name */
void dentry_get(struct dentry *);
void dentry_put(struct dentry *);
bool dentry_unlinked(struct dentry *);
/* Absolute path, NUL-terminated, " (deleted)" appended if it is: its length or
 * -ENAMETOOLONG. */
long dentry_path(struct dentry *, char *buf, size_t n);

int vfs_open(struct dentry *at, const char *path, int flags, uint32_t mode,
    struct file **);
/* A file without a name on a tmpfs of the kernel's own, for memfd_create(2)
 * and shared anonymous memory; (name) is shown in /proc. */
int vfs_anon_file(const char *name, int flags, struct file **);
int vfs_mknod(struct dentry *at, const char *path, uint32_t mode, uint64_t rdev,
    struct dentry **out /* may be NULL */);
int vfs_mkdir(struct dentry *at, const char *path, uint32_t mode);
int vfs_symlink(const char *target, struct dentry *at, const char *path);
int vfs_link(struct dentry *from, struct dentry *at, const char *path);
int vfs_unlink(struct dentry *at, const char *path, bool rmdir);
int vfs_rename(struct dentry *oat, const char *opath, struct dentry *nat,
    const char *npath, unsigned flags);
int vfs_getattr(struct vnode *, struct vattr *);
int vfs_setattr(struct vnode *, const struct vattr *, unsigned what);
void vattr_to_stat(const struct vnode *, const struct vattr *, struct stat *);
/* access(2): always as root */
int vfs_access(struct dentry *, int mode);

int fs_chdir(struct dentry *);
int fs_chroot(struct dentry *);
uint32_t fs_umask(void);
uint32_t fs_set_umask(uint32_t mask); /* the old one */
struct dentry *fs_cwd(void);          /* with a reference */
struct dentry *fs_root(void);

/* Boot: mount what --rootfs= says (NULL: find it): "ramfs", "erofs", "none";
 * /dev, /proc, /sys, /tmp, /run on top.  Says what it looked for when there
 * is nothing. */
int vfs_mount_root(const char *which);

#endif /* KERN_VFS_H */
