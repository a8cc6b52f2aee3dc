/*
 * Reading, writing and closing.  The position is locked for the length of a
 * call on what has one (so that two writers through one description do not
 * overlap), never on a pipe or socket, whose reader may block for ever.
 */

#include "file_io.h"
#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/signal.h"
#include "syscalls.h"

#include <linux/close_range.h>
#include <linux/fs.h>

int io_vec_import(
    struct iov_buf *b, struct uio *u, const void *user_iov, unsigned long n)
{
	int err;

	if (n > UIO_MAXIOV)
		return -EINVAL;
	b->vec = b->fast;
	if (n > IOV_FAST) {
		b->vec = kmalloc_array(n, sizeof(*b->vec));
		if (!b->vec)
			return -ENOMEM;
	}
	err = uio_import(u, b->vec, user_iov, (unsigned)n);
	if (err)
		io_vec_free(b);
	return err;
}

void io_vec_free(struct iov_buf *b)
{
	if (b->vec != b->fast)
		kfree(b->vec);
}

typedef long (*io_fn)(struct file *, struct uio *, uint64_t *);

/* On what has a position: there, which is locked, or at (off). */
static NOINLINE long io_at(
    struct file *f, io_fn fn, struct uio *u, const int64_t *off)
{
	uint64_t at;
	long r;

	if (off) {
		at = (uint64_t)*off;
		return f->ops->seek ? fn(f, u, &at) : -ESPIPE;
	}
	mutex_lock(&f->pos_lock);
	r = fn(f, u, &f->pos);
	mutex_unlock(&f->pos_lock);
	return r;
}

static inline long io_run(
    struct file *f, io_fn fn, struct uio *u, const int64_t *off)
{
	if (off && *off < 0)
		return -EINVAL;
	if (off || f->can & FILE_POSITION)
		return io_at(f, fn, u, off);
	return fn(f, u, &f->pos);
}

/* Why it may not: it was opened otherwise, or there is no such operation. */
static COLD long io_cannot(bool open_for_it)
{
	return open_for_it ? -EINVAL : -EBADF;
}

static inline long io_move(
    struct file *f, uint32_t what, struct uio *u, const int64_t *off)
{
	if (what == FILE_READS)
		return io_run(f, f->ops->read, u, off);
	return io_run(f, f->ops->write, u, off);
}

long io_read(struct file *f, struct uio *u, const int64_t *off)
{
	if (!(f->can & FILE_READS))
		return io_cannot(file_readable(f));
	return io_move(f, FILE_READS, u, off);
}

long io_write(struct file *f, struct uio *u, const int64_t *off)
{
	if (!(f->can & FILE_WRITES))
		return io_cannot(file_writable(f));
	return io_move(f, FILE_WRITES, u, off);
}

/* One buffer of the program's.  (what): FILE_READS or FILE_WRITES. */
static inline long io_one(struct file *f, uint32_t what, const void *buf,
    size_t n, const int64_t *off)
{
	struct uio u;

	if (unlikely(!(f->can & what)))
		return io_cannot(
		    what == FILE_READS ? file_readable(f) : file_writable(f));
	if (unlikely(!user_range_ok(buf, n)))
		return -EFAULT;
	uio_init(&u, (void *)(uintptr_t)buf, n, true);
	return io_move(f, what, &u, off);
}

/* Other threads may close (fd) meanwhile, or it is not open. */
static inline long io_counted(
    int fd, uint32_t what, const void *buf, size_t n, const int64_t *off)
{
	struct file *f = fd_get(fd);
	long r;

	if (!f)
		return -EBADF;
	r = io_one(f, what, buf, n, off);
	file_put(f);
	return r;
}

typedef long (*io_dir)(struct file *, struct uio *, const int64_t *);

static long io_vector(
    int fd, io_dir dir, const void *iov, unsigned long n, const int64_t *off)
{
	struct fd_ref ref = fd_borrow(fd);
	struct iov_buf b;
	struct uio u;
	long r;

	if (!ref.file)
		return -EBADF;
	r = io_vec_import(&b, &u, iov, n);
	if (r == 0) {
		r = dir(ref.file, &u, off);
		io_vec_free(&b);
	}
	fd_return(ref);
	return r;
}

static NOINLINE long read_counted(
    int fd, void *buf, size_t n, const int64_t *off)
{
	return io_counted(fd, FILE_READS, buf, n, off);
}

static NOINLINE long write_counted(
    int fd, const void *buf, size_t n, const int64_t *off)
{
	return io_counted(fd, FILE_WRITES, buf, n, off);
}

static inline long io_reads(int fd, void *buf, size_t n, const int64_t *off)
{
	struct file *f = fd_alone(fd);

	return likely(f) ? io_one(f, FILE_READS, buf, n, off)
			 : read_counted(fd, buf, n, off);
}

static inline long io_writes(
    int fd, const void *buf, size_t n, const int64_t *off)
{
	struct file *f = fd_alone(fd);

	return likely(f) ? io_one(f, FILE_WRITES, buf, n, off)
			 : write_counted(fd, buf, n, off);
}

long sys_read(int fd, void *buf, size_t n)
{
	return io_reads(fd, buf, n, NULL);
}

long sys_write(int fd, const void *buf, size_t n)
{
	return io_writes(fd, buf, n, NULL);
}

long sys_pread64(int fd, void *buf, size_t n, int64_t off)
{
	return io_reads(fd, buf, n, &off);
}

long sys_pwrite64(int fd, const void *buf, size_t n, int64_t off)
{
	return io_writes(fd, buf, n, &off);
}

long sys_readv(int fd, const void *iov, unsigned long n)
{
	return io_vector(fd, io_read, iov, n, NULL);
}

long sys_writev(int fd, const void *iov, unsigned long n)
{
	return io_vector(fd, io_write, iov, n, NULL);
}

/* The high half of the offset is for 32-bit programs. */
long sys_preadv(
    int fd, const void *iov, unsigned long n, int64_t off, unsigned long high)
{
	(void)high;
	return io_vector(fd, io_read, iov, n, &off);
}

long sys_pwritev(
    int fd, const void *iov, unsigned long n, int64_t off, unsigned long high)
{
	(void)high;
	return io_vector(fd, io_write, iov, n, &off);
}

/*
 * RWF_HIPRI, RWF_DSYNC and RWF_SYNC ask for no more than what a call here
 * does; what changes its result is refused.
 */
static bool rwf_ok(int flags)
{
	return (flags & ~(RWF_HIPRI | RWF_DSYNC | RWF_SYNC)) == 0;
}

long sys_preadv2(int fd, const void *iov, unsigned long n, int64_t off,
    unsigned long high, int flags)
{
	(void)high;
	if (!rwf_ok(flags))
		return -EOPNOTSUPP;
	return io_vector(fd, io_read, iov, n, off == -1 ? NULL : &off);
}

long sys_pwritev2(int fd, const void *iov, unsigned long n, int64_t off,
    unsigned long high, int flags)
{
	(void)high;
	if (!rwf_ok(flags))
		return -EOPNOTSUPP;
	return io_vector(fd, io_write, iov, n, off == -1 ? NULL : &off);
}

long sys_close(int fd)
{
	return fd_close(fd);
}

long sys_close_range(unsigned first, unsigned last, unsigned flags)
{
	if (flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC))
		return -EINVAL;
	if (first > last)
		return -EINVAL;
	fd_close_range(first, last, flags & CLOSE_RANGE_CLOEXEC);
	return 0;
}

long sys_lseek(int fd, int64_t off, int whence)
{
	struct fd_ref ref = fd_borrow(fd);
	struct file *f = ref.file;
	int64_t r = -ESPIPE;

	if (!f)
		return -EBADF;
	if (file_flags(f) & O_PATH) {
		r = -EBADF;
	} else if ((unsigned)whence > SEEK_HOLE) {
		r = -EINVAL;
	} else if (f->ops->seek) {
		mutex_lock(&f->pos_lock);
		r = f->ops->seek(f, off, whence);
		mutex_unlock(&f->pos_lock);
	}
	fd_return(ref);
	return r;
}
