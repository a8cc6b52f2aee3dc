#ifndef PROCFS_H
#define PROCFS_H

/*
 * /proc and /sys: one tree of nodes for each, made when it is mounted from
 * the linker set proc_set.  Nodes of the tree live as long as the mount; those
 * of descriptors and threads as long as somebody refers to them.
 */

#include "fs_int.h"

#include "kern/procfs.h"

struct proc_node {
	struct vnode vnode;
	struct proc_node *parent, *child, *next; /* the tree */
	const char *name;
	size_t name_len;
	const struct proc_file *file; /* of a text */
	uint32_t tid;                 /* below task/ */
	int fd;                       /* fd/ and fdinfo/ */
	const char *target;           /* of a symlink that never changes */
};

struct procfs {
	_Atomic uint64_t next_ino;
	uint64_t started;
	struct proc_node *root, *self; /* self: the process's directory */
	struct proc_node *self_link, *thread_link; /* in no directory */
};

static inline struct proc_node *proc_node(struct vnode *v)
{
	return container_of(v, struct proc_node, vnode);
}

static inline struct procfs *proc_of(const struct vnode *v)
{
	return v->mount->priv;
}

typedef bool (*proc_emit)(void *arg, const char *name, size_t len, uint64_t ino,
    uint8_t type, uint64_t next);

/* procfs.c */
struct proc_node *proc_node_new(
    struct mount *, const struct vnode_ops *, uint32_t mode);
/* A node in the tree; NULL: no memory. */
struct proc_node *proc_add(struct mount *, struct proc_node *parent,
    const char *name, size_t len, const struct vnode_ops *, uint32_t mode);
struct proc_node *proc_child(struct proc_node *, const char *name, size_t len);
int proc_getattr(struct vnode *, struct vattr *);
void proc_reclaim(struct vnode *); /* of a node outside the tree */
void proc_reclaim_never(struct vnode *);
int proc_lookup(
    struct vnode *, const char *name, size_t len, struct vnode **out);
int proc_readdir(struct vnode *, uint64_t *off, proc_emit emit, void *arg);
/* Digits only, no sign, no leading zero; -1: not a number. */
long proc_number(const char *name, size_t len);
/* Its decimal digits at the end of (buf); returns where they begin. */
#define PROC_NUMBER_MAX 12
size_t proc_digits(char buf[PROC_NUMBER_MAX], unsigned n);

/* proc_text.c */
extern const struct vnode_ops proc_text_ops;
extern const struct file_ops proc_text_file_ops;
int proc_text_open_with(
    struct file *, const struct proc_file *, uint32_t tid, int fd);

/* proc_self.c: the process's directory. */
extern const struct vnode_ops proc_root_ops;
int proc_self_make(struct mount *);

/* proc_fd.c: its descriptors. */
extern const struct vnode_ops proc_fd_ops, proc_fdinfo_ops;
int proc_fdinfo_show(struct proc_out *, int fd);

/* proc_task.c: its threads. */
extern const struct vnode_ops proc_task_ops;

#endif /* PROCFS_H */
