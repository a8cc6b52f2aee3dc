#ifndef KERN_UIO_H
#define KERN_UIO_H

/*
 * Where the bytes of a read or write are: the program's buffers or the
 * kernel's.  kernel/fs/uio.c.  Thread context, no spinlock held.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct uio_vec {
	void *base;
	size_t len;
};

struct uio {
	const struct uio_vec *vec; /* a checked copy: never the program's */
	unsigned n;
	size_t skip; /* consumed of vec[0] */
	size_t left; /* bytes in all */
	bool user;   /* base is the program's */
};

/* One buffer.  (v) must live as long as (u). */
void uio_init(
    struct uio *u, struct uio_vec *v, void *base, size_t len, bool user);

/* Copy the array of (n) struct iovec at (user_iov) to (vec), which has room
 * for (n), and check it: -EFAULT, -EINVAL. */
int uio_import(
    struct uio *u, struct uio_vec *vec, const void *user_iov, unsigned n);

/*
 * Copy up to (n) bytes, advance; returns the bytes copied (short at the end),
 * or -EFAULT when not even one byte could be.
 */
long uio_put(struct uio *u, const void *src, size_t n); /* for read */
long uio_get(struct uio *u, void *dst, size_t n);       /* for write */
long uio_zero(struct uio *u, size_t n);

#endif /* KERN_UIO_H */
