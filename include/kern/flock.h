#ifndef KERN_FLOCK_H
#define KERN_FLOCK_H

/*
 * Advisory locks of files: flock(2) and fcntl(2).  kernel/fs/flock.c
 * Thread context; may sleep.  0, or -EWOULDBLOCK, -EAGAIN, -EDEADLK, -EBADF,
 * -EINVAL, -ENOLCK, -ERESTARTSYS (signal.h).
 */

#include <linux/fcntl.h>

struct file;

/* flock(2): LOCK_SH, LOCK_EX or LOCK_UN, with LOCK_NB or without. */
int flock_apply(struct file *, int op);

/* F_GETLK, F_SETLK, F_SETLKW and F_OFD_*: (fl) is a copy in the kernel and is
 * written by the first. */
int flock_fcntl(struct file *, int cmd, struct flock *fl);

/* A descriptor of (f) was closed: the process's POSIX locks on its vnode go. */
void flock_fd_closed(struct file *);
/* The last reference of (f) went: its flock() and OFD locks go. */
void flock_file_gone(struct file *);

#endif /* KERN_FLOCK_H */
