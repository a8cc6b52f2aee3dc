#ifndef KERN_PIPE_H
#define KERN_PIPE_H

/* Pipes and FIFOs.  kernel/fs/pipe.c.  Thread context; may sleep. */

#include <stdbool.h>
#include <stddef.h>
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

/*
 * For splice(2) and tee(2), on files for which pipe_size() is not negative.
 * Nothing is lost when the bytes cannot all be passed on, as long as nobody
 * else reads (or, of the second, writes) the same pipe at the time.
 */
/* Like a read, and leaves the bytes there. */
long pipe_peek(struct file *, void *buf, size_t n, bool nonblock);
/* (n) of the bytes that were peeked at go. */
void pipe_skip(struct file *, size_t n);
/* Wait for room: how many bytes can be written, or as a write fails. */
long pipe_room(struct file *, bool nonblock);

#endif /* KERN_PIPE_H */
