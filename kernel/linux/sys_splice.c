/*
 * Moving bytes between files inside the kernel: through a buffer, since no
 * file gives its pages away.
 */

#include "file_io.h"
#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/pipe.h"
#include "kern/signal.h"
#include "kern/vfs.h"
#include "syscalls.h"

#include "kern/stat.h"

#define COPY_ORDER        4 /* 64 KiB at a time */
#define COPY_BYTES        (PAGE_SIZE << COPY_ORDER)
#define COPY_MAX          0x7ffff000ul

#define SPLICE_F_MOVE     1u
#define SPLICE_F_NONBLOCK 2u
#define SPLICE_F_MORE     4u
#define SPLICE_F_GIFT     8u
#define SPLICE_F_ALL      15u

/* One side of a copy: a file, and where in it; (at) NULL: its position. */
struct copy_end {
	struct file *f;
	int64_t *at;
};

static long copy_read(struct copy_end *e, void *buf, size_t n)
{
	struct uio u;
	long r;

	uio_init(&u, buf, n, false);
	r = io_read(e->f, &u, e->at);
	if (r > 0 && e->at)
		*e->at += r;
	return r;
}

static long copy_write(struct copy_end *e, const void *buf, size_t n)
{
	struct uio u;
	long r;

	/* The bytes are only read. */
	uio_init(&u, (void *)(uintptr_t)buf, n, false);
	r = io_write(e->f, &u, e->at);
	if (r > 0 && e->at)
		*e->at += r;
	return r;
}

/* Write all of it: as many as went, or -errno when none did. */
static long copy_write_all(struct copy_end *e, const char *buf, size_t n)
{
	size_t done = 0;

	while (done < n) {
		long r = copy_write(e, buf + done, n - done);

		if (r <= 0)
			return done > 0 ? (long)done : r;
		done += (size_t)r;
	}
	return (long)done;
}

/* Bytes that were read and could not be written are still to be read. */
static void copy_unread(struct copy_end *e, size_t n)
{
	if (n == 0)
		return;
	if (e->at) {
		*e->at -= (int64_t)n;
	} else if (e->f->ops->seek) {
		mutex_lock(&e->f->pos_lock);
		e->f->pos -= n;
		mutex_unlock(&e->f->pos_lock);
	}
}

static long copy_loop(
    struct copy_end *in, struct copy_end *out, size_t n, char *buf)
{
	size_t done = 0;
	long r = 0;

	while (done < n) {
		size_t part = MIN(n - done, COPY_BYTES);
		long got = copy_read(in, buf, part);

		r = got;
		if (got <= 0)
			break;
		r = copy_write_all(out, buf, (size_t)got);
		if (r > 0)
			done += (size_t)r;
		if (r < got) {
			copy_unread(in, (size_t)(got - MAX(r, 0)));
			break;
		}
		if (signal_pending())
			break;
	}
	return done > 0 ? (long)done : r;
}

static long copy_range(struct copy_end *in, struct copy_end *out, size_t n)
{
	char *buf = page_alloc(COPY_ORDER, 0);
	long r;

	if (!buf)
		return -ENOMEM;
	r = copy_loop(in, out, MIN(n, COPY_MAX), buf);
	page_free(buf, COPY_ORDER);
	return r;
}

/* An offset of the program's, when it gave one. */
static int copy_offset_in(struct copy_end *e, int64_t *off, const void *user)
{
	e->at = NULL;
	if (!user)
		return 0;
	if (copy_from_user(off, user, sizeof(*off)))
		return -EFAULT;
	e->at = off;
	return *off < 0 ? -EINVAL : 0;
}

static int copy_offset_out(const struct copy_end *e, void *user)
{
	return e->at ? copy_to_user(user, e->at, sizeof(*e->at)) : 0;
}

/* Both files of a call; the caller drops what it got. */
static int copy_open(
    struct copy_end *in, int in_fd, struct copy_end *out, int out_fd)
{
	in->f = fd_get(in_fd);
	out->f = fd_get(out_fd);
	if (!in->f || !out->f || !file_readable(in->f) ||
	    !file_writable(out->f))
		return -EBADF;
	return 0;
}

static void copy_close(struct copy_end *in, struct copy_end *out)
{
	if (in->f)
		file_put(in->f);
	if (out->f)
		file_put(out->f);
}

/* --- sendfile ---------------------------------------------------------- */

static long sendfile_run(
    struct copy_end *in, struct copy_end *out, void *user_off, size_t n)
{
	int64_t off;
	long r = copy_offset_in(in, &off, user_off);

	if (r)
		return r;
	if (!in->f->ops->seek)
		return user_off ? -ESPIPE : -EINVAL;
	if (out->f->flags & O_APPEND)
		return -EINVAL;
	r = copy_range(in, out, n);
	if (r >= 0 && copy_offset_out(in, user_off))
		r = -EFAULT;
	return r;
}

long sys_sendfile(int out_fd, int in_fd, void *user_off, size_t n)
{
	struct copy_end in, out = { .at = NULL };
	long r = copy_open(&in, in_fd, &out, out_fd);

	if (r == 0)
		r = sendfile_run(&in, &out, user_off, n);
	copy_close(&in, &out);
	return r;
}

/* --- copy_file_range --------------------------------------------------- */

static int copy_check_regular(const struct file *f)
{
	if (!f->vnode)
		return -EINVAL;
	if (S_ISDIR(f->vnode->mode))
		return -EISDIR;
	return S_ISREG(f->vnode->mode) ? 0 : -EINVAL;
}

static bool copy_overlaps(
    const struct copy_end *in, const struct copy_end *out, size_t n)
{
	uint64_t a = in->at ? (uint64_t)*in->at : in->f->pos;
	uint64_t b = out->at ? (uint64_t)*out->at : out->f->pos;

	return in->f->vnode == out->f->vnode && (a > b ? a - b < n : b - a < n);
}

static long copy_file_run(struct copy_end *in, void *user_in,
    struct copy_end *out, void *user_out, size_t n)
{
	int64_t in_off, out_off;
	long r = copy_offset_in(in, &in_off, user_in);

	if (r == 0)
		r = copy_offset_in(out, &out_off, user_out);
	if (r == 0)
		r = copy_check_regular(in->f);
	if (r == 0)
		r = copy_check_regular(out->f);
	if (r == 0 && out->f->flags & O_APPEND)
		r = -EBADF;
	if (r == 0 && copy_overlaps(in, out, n))
		r = -EINVAL;
	if (r == 0)
		r = copy_range(in, out, n);
	if (r >= 0 &&
	    (copy_offset_out(in, user_in) || copy_offset_out(out, user_out)))
		r = -EFAULT;
	return r;
}

long sys_copy_file_range(int in_fd, void *user_in, int out_fd, void *user_out,
    size_t n, unsigned flags)
{
	struct copy_end in, out;
	long r = copy_open(&in, in_fd, &out, out_fd);

	if (r == 0 && flags)
		r = -EINVAL;
	if (r == 0)
		r = copy_file_run(&in, user_in, &out, user_out, n);
	copy_close(&in, &out);
	return r;
}

/* --- splice and tee ---------------------------------------------------- */

static bool is_pipe(struct file *f)
{
	return pipe_size(f) >= 0;
}

/* Up to (n) bytes for (out): as many as it has room for, so that what cannot
 * be put back is not read. */
static long splice_get(struct copy_end *in, const struct copy_end *out,
    void *buf, size_t n, bool nonblock)
{
	if (is_pipe(out->f)) {
		long room =
		    pipe_room(out->f, nonblock || file_nonblock(out->f));

		if (room < 0)
			return room;
		n = MIN(n, (size_t)room);
	}
	if (is_pipe(in->f))
		return pipe_peek(
		    in->f, buf, n, nonblock || file_nonblock(in->f));
	return copy_read(in, buf, n);
}

/* A page at a time: a caller that wants more comes again. */
static long splice_run(struct copy_end *in, struct copy_end *out, size_t n,
    bool nonblock, bool keep)
{
	char *buf = page_alloc(0, 0);
	long got, r;

	if (!buf)
		return -ENOMEM;
	got = splice_get(in, out, buf, MIN(n, PAGE_SIZE), nonblock);
	r = got;
	if (got > 0) {
		r = copy_write_all(out, buf, (size_t)got);
		if (!is_pipe(in->f))
			copy_unread(in, (size_t)(got - MAX(r, 0)));
		else if (r > 0 && !keep)
			pipe_skip(in->f, (size_t)r);
	}
	page_free(buf, 0);
	return r;
}

static long splice_check(struct copy_end *in, void *user_in, int64_t *in_off,
    struct copy_end *out, void *user_out, int64_t *out_off)
{
	bool in_pipe = is_pipe(in->f), out_pipe = is_pipe(out->f);
	long r;

	if (!in_pipe && !out_pipe)
		return -EINVAL;
	if ((in_pipe && user_in) || (out_pipe && user_out))
		return -ESPIPE;
	if (out->f->flags & O_APPEND && !out_pipe)
		return -EINVAL;
	r = copy_offset_in(in, in_off, user_in);
	return r ? r : copy_offset_in(out, out_off, user_out);
}

long sys_splice(int in_fd, void *user_in, int out_fd, void *user_out, size_t n,
    unsigned flags)
{
	int64_t in_off, out_off;
	struct copy_end in, out;
	long r;

	if (flags & ~SPLICE_F_ALL)
		return -EINVAL;
	if (n == 0)
		return 0;
	r = copy_open(&in, in_fd, &out, out_fd);
	if (r == 0)
		r = splice_check(
		    &in, user_in, &in_off, &out, user_out, &out_off);
	if (r == 0)
		r = splice_run(&in, &out, n, flags & SPLICE_F_NONBLOCK, false);
	if (r >= 0 &&
	    (copy_offset_out(&in, user_in) || copy_offset_out(&out, user_out)))
		r = -EFAULT;
	copy_close(&in, &out);
	return r;
}

long sys_tee(int in_fd, int out_fd, size_t n, unsigned flags)
{
	struct copy_end in = { .at = NULL }, out = { .at = NULL };
	long r;

	if (flags & ~SPLICE_F_ALL)
		return -EINVAL;
	if (n == 0)
		return 0;
	r = copy_open(&in, in_fd, &out, out_fd);
	if (r == 0 && (!is_pipe(in.f) || !is_pipe(out.f)))
		r = -EINVAL;
	if (r == 0)
		r = splice_run(&in, &out, n, flags & SPLICE_F_NONBLOCK, true);
	copy_close(&in, &out);
	return r;
}

/* vmsplice(2) copies: the pages stay the program's. */
long sys_vmsplice(int fd, const void *iov, unsigned long n, unsigned flags)
{
	struct file *f;
	long r;

	if (flags & ~SPLICE_F_ALL)
		return -EINVAL;
	f = fd_get(fd);
	if (!f)
		return -EBADF;
	r = pipe_size(f);
	if (r > 0)
		r = file_writable(f) ? sys_writev(fd, iov, n)
				     : sys_readv(fd, iov, n);
	file_put(f);
	return r;
}
