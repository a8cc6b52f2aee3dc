#ifndef KERN_UIO_H
#define KERN_UIO_H

/*
 * Where the bytes of a read or write are: the program's buffers or the
 * kernel's.  kernel/fs/uio.c.  Thread context, no spinlock held.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch.h"

struct uio_vec {
	void *base;
	size_t len;
};

struct uio {
	char *base;  /* the current buffer: what is left of it */
	size_t len;  /* of that; 0 only at the end of all */
	size_t left; /* bytes in all */
	bool user;   /* the buffers are the program's */
	/* Those after it, while there are bytes left for them: a checked copy,
	 * never the program's array. */
	const struct uio_vec *next;
};

/* What one call moves at most, as Linux has it. */
#define UIO_MAX_BYTES (0x7ffffffful & ~0xffful)

/* One buffer. */
static inline void uio_init(struct uio *u, void *base, size_t len, bool user)
{
	u->base = base;
	u->len = u->left = len < UIO_MAX_BYTES ? len : UIO_MAX_BYTES;
	u->user = user;
}

/* (n) of them, which must live as long as (u); their sum is in bounds. */
void uio_init_vec(
    struct uio *u, const struct uio_vec *vec, unsigned n, bool user);

/* Copy the array of (n) struct iovec at (user_iov) to (vec), which has room
 * for (n), and check it: -EFAULT, -EINVAL. */
int uio_import(
    struct uio *u, struct uio_vec *vec, const void *user_iov, unsigned n);

/* The next (n) bytes, which are there, have been moved in another way. */
void uio_skip(struct uio *u, size_t n);

/*
 * Copy up to (n) bytes, advance; returns the bytes copied (short at the end),
 * or -EFAULT when not even one byte could be.
 */
long uio_put_slow(struct uio *u, const void *src, size_t n);
long uio_get_slow(struct uio *u, void *dst, size_t n);
long uio_zero(struct uio *u, size_t n);

/* (n) bytes of the current buffer have been moved; 0 too. */
void uio_next(struct uio *u);
static inline long uio_moved(struct uio *u, size_t n)
{
	u->base += n;
	u->left -= n;
	u->len -= n;
	if (u->len == 0 && u->left > 0)
		uio_next(u);
	return (long)n;
}

/* Most copies are inside one buffer of the program's, and do not fault. */
static inline long uio_put(struct uio *u, const void *src, size_t n) /* read */
{
	if (likely(u->user && n <= u->len) &&
	    likely(copy_to_user(u->base, src, n) == 0))
		return uio_moved(u, n);
	return uio_put_slow(u, src, n);
}

static inline long uio_get(struct uio *u, void *dst, size_t n) /* write */
{
	if (likely(u->user && n <= u->len) &&
	    likely(copy_from_user(dst, u->base, n) == 0))
		return uio_moved(u, n);
	return uio_get_slow(u, dst, n);
}

#endif /* KERN_UIO_H */
