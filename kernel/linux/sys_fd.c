/* Descriptors, and what is done to the file behind one. */

#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/flock.h"
#include "kern/log.h"
#include "kern/num.h"
#include "kern/pipe.h"
#include "kern/signal.h"
#include "kern/vfs.h"
#include "syscalls.h"

#include <asm/ioctls.h>
#include <asm/stat.h>
#include <linux/fadvise.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include "kern/stat.h"

#define F_STATUS (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | FASYNC)

/* As the program sees it: O_LARGEFILE is always on for a 64-bit file. */
#define F_OPEN_ONLY (O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC)

/* --- duplicates -------------------------------------------------------- */

static long fd_dup_from(int fd, int from, bool cloexec)
{
	struct file *f = fd_get(fd);
	int r;

	if (!f)
		return -EBADF;
	r = fd_install(f, cloexec, from);
	if (r < 0)
		file_put(f);
	return r;
}

static long fd_dup_over(int old, int new, bool cloexec)
{
	struct file *f = fd_get(old);
	int r;

	if (!f)
		return -EBADF;
	r = fd_dup_to(f, new, cloexec);
	if (r < 0)
		file_put(f);
	return r;
}

long sys_dup(int fd)
{
	return fd_dup_from(fd, 0, false);
}

long sys_dup2(int old, int new)
{
	if (old == new)
		return fd_get_flags(old) < 0 ? -EBADF : new;
	return fd_dup_over(old, new, false);
}

long sys_dup3(int old, int new, int flags)
{
	if (flags & ~O_CLOEXEC || old == new)
		return -EINVAL;
	return fd_dup_over(old, new, flags & O_CLOEXEC);
}

/* --- fcntl and ioctl --------------------------------------------------- */

static long fcntl_setfl(struct file *f, unsigned long flags)
{
	uint32_t old = f->flags, new;

	do {
		new = (old & ~(uint32_t)F_STATUS) | (flags & F_STATUS);
	} while (!atomic_compare_exchange_weak(&f->flags, &old, new));
	return 0;
}

static long fcntl_lock(struct file *f, int cmd, unsigned long arg)
{
	struct flock fl;
	int r;

	if (copy_from_user(&fl, (void *)arg, sizeof(fl)))
		return -EFAULT;
	if (f->flags & O_PATH || !f->vnode)
		return -EBADF;
	r = flock_fcntl(f, cmd, &fl);
	if (r == 0 && (cmd == F_GETLK || cmd == F_OFD_GETLK))
		return copy_to_user((void *)arg, &fl, sizeof(fl));
	return r;
}

/* What O_PATH allows, and no more. */
static bool fcntl_path_ok(int cmd)
{
	return cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC || cmd == F_GETFD ||
	       cmd == F_SETFD || cmd == F_GETFL;
}

static long fcntl_file(struct file *f, int cmd, unsigned long arg)
{
	switch (cmd) {
	case F_GETFL:
		return (long)((f->flags & ~F_OPEN_ONLY) | 0100000);
	case F_SETFL:
		return fcntl_setfl(f, arg);
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return fcntl_lock(f, cmd, arg);
	case F_GETPIPE_SZ:
		return pipe_size(f);
	case F_SETPIPE_SZ:
		return pipe_set_size(f, arg);
	case F_GETOWN:
	case F_GETSIG:
		return 0;
	case F_SETOWN: /* no SIGIO is ever sent */
		return 0;
	default:
		log_once(LOG_INFO, "fcntl: command %d", cmd);
		return -EINVAL;
	}
}

static long fcntl_dup(int fd, unsigned long from, bool cloexec)
{
	if (from >= fd_limit())
		return fd_get_flags(fd) < 0 ? -EBADF : -EINVAL;
	return fd_dup_from(fd, (int)from, cloexec);
}

long sys_fcntl(int fd, int cmd, unsigned long arg)
{
	struct file *f;
	long r;

	switch (cmd) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		return fcntl_dup(fd, arg, cmd == F_DUPFD_CLOEXEC);
	case F_GETFD:
		return fd_get_flags(fd);
	case F_SETFD:
		return fd_set_flags(fd, (int)arg);
	default:
		break;
	}
	f = fd_get(fd);
	if (!f)
		return -EBADF;
	r = f->flags & O_PATH && !fcntl_path_ok(cmd) ? -EBADF
						     : fcntl_file(f, cmd, arg);
	file_put(f);
	return r;
}

static long ioctl_flag(struct file *f, unsigned long arg, uint32_t flag)
{
	int on;

	if (copy_from_user(&on, (void *)arg, sizeof(on)))
		return -EFAULT;
	if (on)
		atomic_fetch_or(&f->flags, flag);
	else
		atomic_fetch_and(&f->flags, ~flag);
	return 0;
}

/* What is left to read, of a regular file. */
static long ioctl_fionread(struct file *f, unsigned long arg)
{
	struct stat st;
	int64_t left;
	int n, err = file_stat(f, &st);

	if (err)
		return err;
	mutex_lock(&f->pos_lock);
	left = st.st_size - (int64_t)f->pos;
	mutex_unlock(&f->pos_lock);
	n = (int)left;
	return copy_to_user((void *)arg, &n, sizeof(n));
}

static long ioctl_file(struct file *f, unsigned req, unsigned long arg)
{
	long r = -ENOTTY;

	switch (req) {
	case FIONBIO:
		return ioctl_flag(f, arg, O_NONBLOCK);
	case FIOASYNC:
		return ioctl_flag(f, arg, FASYNC);
	case FIGETBSZ: {
		int size = 4096;

		return copy_to_user((void *)arg, &size, sizeof(size));
	}
	default:
		break;
	}
	if (f->ops->ioctl)
		r = f->ops->ioctl(f, req, arg);
	if (r == -ENOTTY && req == FIONREAD && f->vnode &&
	    S_ISREG(f->vnode->mode))
		r = ioctl_fionread(f, arg);
	return r;
}

long sys_ioctl(int fd, unsigned req, unsigned long arg)
{
	struct file *f;
	long r;

	if (req == FIOCLEX || req == FIONCLEX)
		return fd_set_flags(fd, req == FIOCLEX ? FD_CLOEXEC : 0);
	f = fd_get(fd);
	if (!f)
		return -EBADF;
	r = f->flags & O_PATH ? -EBADF : ioctl_file(f, req, arg);
	file_put(f);
	return r;
}

/* --- the file behind a descriptor -------------------------------------- */

long sys_fstat(int fd, void *user_st)
{
	struct fd_ref ref = fd_borrow(fd);
	struct stat st;
	int r;

	if (!ref.file)
		return -EBADF;
	r = file_stat(ref.file, &st);
	fd_return(ref);
	if (r == 0 && copy_to_user(user_st, &st, sizeof(st)))
		r = -EFAULT;
	return r;
}

long sys_flock(int fd, unsigned op)
{
	struct file *f = fd_get(fd);
	int r = -EINVAL;
	unsigned what = op & ~(unsigned)LOCK_NB;

	if (!f)
		return -EBADF;
	if (f->flags & O_PATH)
		r = -EBADF;
	else if (what == LOCK_SH || what == LOCK_EX || what == LOCK_UN)
		r = f->vnode ? flock_apply(f, (int)op) : 0;
	file_put(f);
	return r;
}

static long fd_fsync(int fd, bool data_only)
{
	struct file *f = fd_get(fd);
	int r = -EINVAL;

	if (!f)
		return -EBADF;
	if (f->flags & O_PATH)
		r = -EBADF;
	else if (f->ops->fsync)
		r = f->ops->fsync(f, data_only);
	file_put(f);
	return r;
}

long sys_fsync(int fd)
{
	return fd_fsync(fd, false);
}

long sys_fdatasync(int fd)
{
	return fd_fsync(fd, true);
}

long sys_sync_file_range(int fd, int64_t off, int64_t n, unsigned flags)
{
	int64_t end;

	if (off < 0 || n < 0 || add_overflow(off, n, &end) ||
	    flags & ~(SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
			SYNC_FILE_RANGE_WAIT_AFTER))
		return -EINVAL;
	return fd_fsync(fd, true);
}

long sys_ftruncate(int fd, int64_t len)
{
	struct file *f;
	int r = -EINVAL;

	if (len < 0)
		return -EINVAL;
	f = fd_get(fd);
	if (!f)
		return -EBADF;
	if (f->flags & O_PATH)
		r = -EBADF;
	else if (file_writable(f) && f->ops->truncate)
		r = f->ops->truncate(f, (uint64_t)len);
	file_put(f);
	return r;
}

static long file_allocate(struct file *f, int mode, uint64_t off, uint64_t n)
{
	if (!file_writable(f))
		return -EBADF;
	if (!f->vnode)
		return -ESPIPE;
	if (S_ISFIFO(f->vnode->mode))
		return -ESPIPE;
	if (!S_ISREG(f->vnode->mode))
		return S_ISDIR(f->vnode->mode) ? -EISDIR : -ENODEV;
	if (!f->ops->fallocate)
		return -EOPNOTSUPP;
	return f->ops->fallocate(f, mode, off, n);
}

long sys_fallocate(int fd, int mode, int64_t off, int64_t n)
{
	struct file *f;
	int64_t end;
	long r;

	if (off < 0 || n <= 0)
		return -EINVAL;
	if (add_overflow(off, n, &end))
		return -EFBIG;
	f = fd_get(fd);
	if (!f)
		return -EBADF;
	r = file_allocate(f, mode, (uint64_t)off, (uint64_t)n);
	file_put(f);
	return r;
}

/* Advice that is checked and not taken: the page cache reads ahead itself. */
long sys_fadvise64(int fd, int64_t off, int64_t n, int advice)
{
	struct file *f = fd_get(fd);
	long r = 0;

	(void)off;
	if (!f)
		return -EBADF;
	if (f->flags & O_PATH)
		r = -EBADF;
	else if (!f->vnode || S_ISFIFO(f->vnode->mode))
		r = -ESPIPE;
	else if (n < 0 || advice < POSIX_FADV_NORMAL ||
		 advice > POSIX_FADV_NOREUSE)
		r = -EINVAL;
	file_put(f);
	return r;
}

long sys_readahead(int fd, int64_t off, size_t n)
{
	struct file *f = fd_get(fd);
	long r = 0;

	(void)off;
	(void)n;
	if (!f)
		return -EBADF;
	if (!file_readable(f))
		r = -EBADF;
	else if (!f->vnode || !S_ISREG(f->vnode->mode))
		r = -EINVAL;
	file_put(f);
	return r;
}

/* --- pipes ------------------------------------------------------------- */

static int pipe_install(struct file *end[2], bool cloexec, int fd[2])
{
	fd[0] = fd_install(end[0], cloexec, 0);
	if (fd[0] < 0) {
		file_put(end[0]);
		file_put(end[1]);
		return fd[0];
	}
	fd[1] = fd_install(end[1], cloexec, 0);
	if (fd[1] < 0) {
		file_put(end[1]);
		fd_close(fd[0]);
		return fd[1];
	}
	return 0;
}

long sys_pipe2(int *user_fd, int flags)
{
	struct file *end[2];
	int fd[2], err;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK)) {
		if (flags & O_DIRECT)
			log_once(LOG_INFO, "pipe2: no packet mode");
		return -EINVAL;
	}
	err = pipe_create(end, (uint32_t)flags & O_NONBLOCK);
	if (err)
		return err;
	err = pipe_install(end, flags & O_CLOEXEC, fd);
	if (err)
		return err;
	if (copy_to_user(user_fd, fd, sizeof(fd))) {
		fd_close(fd[0]);
		fd_close(fd[1]);
		return -EFAULT;
	}
	return 0;
}

long sys_pipe(int *user_fd)
{
	return sys_pipe2(user_fd, 0);
}
