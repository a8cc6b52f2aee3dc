#ifndef KERN_PIPE_H
#define KERN_PIPE_H

/* Pipes and FIFOs.  kernel/fs/pipe.c.  Thread context; may sleep. */

#include <stdint.h>

struct file;
struct vnode;

/* end[0] is read, end[1] written.  (flags): O_NONBLOCK.  0 or -ENOMEM. */
int pipe_create(struct file *end[2], uint32_t flags);

/*
 * For vnode_ops->open of an S_IFIFO vnode: sets f->ops and f->priv.  Waits
 * for the other end as fifo(7) says: -ENXIO, -ERESTARTSYS, -ENOMEM.
 * f->vnode is set already, or set by the caller after it; it outlives (f).
 */
int fifo_open(struct vnode *, struct file *);

/* F_GETPIPE_SZ, F_SETPIPE_SZ: bytes; -EBADF: no pipe; -EBUSY, -EPERM. */
long pipe_size(struct file *);
long pipe_set_size(struct file *, unsigned long bytes);

#endif /* KERN_PIPE_H */
