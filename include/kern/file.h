#ifndef KERN_FILE_H
#define KERN_FILE_H

/* Open files and descriptors.  kernel/fs/file.c, kernel/fs/fd.c */

#include <linux/fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lock.h"
#include "poll.h"
#include "sched.h"
#include "uio.h"

struct file;
struct vnode;
struct dentry;
struct stat;
struct vm_object;
struct thread;

/*
 * A NULL operation is answered by the layer: see the right column.  All
 * return 0 or a count, or -errno.  Thread context; may sleep, interruptibly:
 * a signal ends a blocked call with -ERESTARTSYS (signal.h) when nothing has
 * been transferred.  file->flags & O_NONBLOCK: -EAGAIN instead of sleeping.
 */
struct file_ops {
	/* (*off) is advanced; it is the file's position or pread's offset.
	 * Without a position it is left alone. */
	long (*read)(struct file *, struct uio *, uint64_t *off);  /* -EINVAL */
	long (*write)(struct file *, struct uio *, uint64_t *off); /* -EINVAL */
	/* Without it lseek and pread answer -ESPIPE. */
	int64_t (*seek)(struct file *, int64_t off, int whence);
	/* There is a seek(), and the position means nothing. */
	bool no_position;
	long (*ioctl)(
	    struct file *, unsigned req, unsigned long arg); /* -ENOTTY */
	/* Events ready now (EPOLLIN...); registers (pe) first. */
	uint32_t (*poll)(struct file *, struct poll_entry *pe); /* IN|OUT */
	int (*fsync)(struct file *, bool data_only);            /* -EINVAL */
	int (*stat)(struct file *, struct stat *); /* vnode's, or anonymous */
	/* The object to map, with a reference. */
	int (*mmap)(struct file *, unsigned prot, bool shared,
	    struct vm_object **);                     /* -ENODEV */
	int (*truncate)(struct file *, uint64_t len); /* -EINVAL */
	int (*fallocate)(struct file *, int mode, uint64_t off,
	    uint64_t len); /* -EOPNOTSUPP */
	/* getdents: calls emit() until it returns false; *off is the cookie */
	int (*readdir)(struct file *, uint64_t *off,
	    bool (*emit)(void *arg, const char *name, size_t len, uint64_t ino,
		uint8_t type, uint64_t next),
	    void *arg); /* -ENOTDIR */
	/* "socket:[12]", "anon_inode:[eventpoll]" for /proc/self/fd */
	int (*path)(struct file *, char *buf, size_t n);
	void (*release)(struct file *); /* last reference; required */
};

/* What read and write need to know of a file, in one look. */
#define FILE_READS    1u /* it is open for reading, and there is a read() */
#define FILE_WRITES   2u
#define FILE_POSITION 4u /* which a transfer moves, and locks */

struct file {
	const struct file_ops *ops;
	uint32_t can; /* FILE_*; file_set_ops() */
	_Atomic uint32_t refs;
	_Atomic uint32_t flags; /* O_*: access mode and status flags */
	struct mutex pos_lock;
	uint64_t pos;
	/* With references, which go after release(). */
	struct vnode *vnode;     /* NULL: pipe, socket, anonymous */
	struct dentry *dentry;   /* NULL likewise; for paths and *at() */
	void *priv;              /* the implementation's */
	struct list epoll_items; /* kernel/fs/epoll.c */
	struct spinlock epoll_lock;
};

/* A new file with one reference; NULL when out of memory. */
struct file *file_new(const struct file_ops *, uint32_t flags, void *priv);
/* While it is being opened: nobody else has it. */
void file_set_ops(struct file *, const struct file_ops *);
void file_get(struct file *);
void file_put(struct file *);

static inline uint32_t file_flags(const struct file *f)
{
	return atomic_load_explicit(&f->flags, memory_order_relaxed);
}

static inline bool file_readable(const struct file *f)
{
	uint32_t flags = file_flags(f);

	return ((flags + 1) & 1) && !(flags & O_PATH);
}

static inline bool file_writable(const struct file *f)
{
	uint32_t flags = file_flags(f);

	return ((flags + 1) & 2) && !(flags & O_PATH);
}

static inline bool file_nonblock(const struct file *f)
{
	return file_flags(f) & O_NONBLOCK;
}

/* fstat(2). */
int file_stat(struct file *, struct stat *);
/* A number for /proc/self/fd ("pipe:[7]") and st_ino of what has no vnode. */
uint64_t file_new_ino(void);

/* For the kernel itself: read all of [off, off + n), short at the end. */
long file_read_at(struct file *, void *buf, size_t n, uint64_t off);

/* --- descriptors of the current process -------------------------------- */

/* kernel/fs/fd.c's own, but for fd_alone() */
struct fd_array {
	struct rcu_head rcu;
	unsigned n;
	uint64_t *open, *cloexec; /* bits; writers only */
	struct file *slot[];
};

struct fdtable {
	struct fd_array *array;
	_Atomic unsigned users; /* threads whose calls use it */
	_Atomic unsigned refs;
	_Atomic unsigned limit;
	struct mutex lock;
	unsigned lowest; /* no free descriptor below */
};

struct fdtable *fdtable_create(void);
struct fdtable *fdtable_copy(struct fdtable *); /* NULL: no memory */
void fdtable_get(struct fdtable *);
void fdtable_put(struct fdtable *);
/* A thread makes calls on it from now on, and no more.  While only one does,
 * fd_borrow() takes no reference. */
void fdtable_join(struct fdtable *);
void fdtable_leave(struct fdtable *);

#define FD_MAX_DEFAULT 1024 /* RLIMIT_NOFILE, soft */
#define FD_MAX_LIMIT   (1u << 20)

/* With a reference; NULL: -EBADF. */
struct file *fd_get(int fd);
/*
 * The file of (fd) for the length of one call that neither closes nor replaces
 * a descriptor, with no reference: NULL when another thread could do so
 * meanwhile, or there is none.  Then fd_get() knows.
 */
static inline struct file *fd_alone(int fd)
{
	struct fdtable *t = thread_self()->files;

	if (atomic_load_explicit(&t->users, memory_order_acquire) > 1 ||
	    (unsigned)fd >= t->array->n)
		return NULL;
	return t->array->slot[(unsigned)fd];
}
/* Either way. */
struct fd_ref {
	struct file *file; /* NULL: -EBADF, and nothing to give back */
	bool counted;
};
static inline struct fd_ref fd_borrow(int fd)
{
	struct file *f = fd_alone(fd);

	if (likely(f))
		return (struct fd_ref){ f, false };
	f = fd_get(fd);
	return (struct fd_ref){ f, f != NULL };
}
static inline void fd_return(struct fd_ref r)
{
	if (r.counted)
		file_put(r.file);
}
/* Takes over the reference.  The lowest free descriptor from (from) on, or
 * -EMFILE (the file is still the caller's). */
int fd_install(struct file *, bool cloexec, int from);
int fd_close(int fd); /* -EBADF */
/* The same at (fd); closes what was there.  -EBADF: above the limit. */
int fd_dup_to(struct file *, int fd, bool cloexec);
int fd_get_flags(int fd); /* FD_CLOEXEC */
int fd_set_flags(int fd, int flags);
void fd_set_limit(unsigned max);
unsigned fd_limit(void);
void fd_close_all(struct fdtable *);
void fd_close_cloexec(void); /* execve */
/* Close (or mark FD_CLOEXEC) all of [first, last]. */
void fd_close_range(unsigned first, unsigned last, bool only_mark);
/* For /proc/self/fd: the next open descriptor >= fd, or -1. */
int fd_next(int fd);

#endif /* KERN_FILE_H */
