/* Buffers of a read or write: see kern/uio.h. */

#include "kern/uio.h"

#include <linux/uio.h>

#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/string.h"

void uio_next(struct uio *u)
{
	while (u->len == 0 && u->left > 0) {
		u->base = u->next->base;
		u->len = u->next->len;
		u->next++;
	}
}

void uio_init_vec(
    struct uio *u, const struct uio_vec *vec, unsigned n, bool user)
{
	u->base = NULL;
	u->len = u->left = 0;
	for (unsigned i = 0; i < n; i++)
		u->left += vec[i].len;
	u->next = vec;
	u->user = user;
	uio_next(u);
}

void uio_skip(struct uio *u, size_t n)
{
	while (n > 0) {
		size_t part = MIN(n, u->len);

		uio_moved(u, part);
		n -= part;
	}
}

int uio_import(
    struct uio *u, struct uio_vec *vec, const void *user_iov, unsigned n)
{
	/* struct iovec and struct uio_vec are laid out alike. */
	_Static_assert(sizeof(struct iovec) == sizeof(*vec), "iovec");
	size_t total = 0;

	if (n > UIO_MAXIOV)
		return -EINVAL;
	if (n > 0 && copy_from_user(vec, user_iov, n * sizeof(*vec)))
		return -EFAULT;
	for (unsigned i = 0; i < n; i++) {
		if ((long)vec[i].len < 0)
			return -EINVAL;
		if (!user_range_ok(vec[i].base, vec[i].len))
			return -EFAULT;
		vec[i].len = MIN(vec[i].len, UIO_MAX_BYTES - total);
		total += vec[i].len;
	}
	u->next = vec;
	u->len = 0;
	u->left = total;
	u->user = true;
	uio_next(u);
	return 0;
}

enum uio_op { UIO_PUT, UIO_GET, UIO_ZERO };

static int uio_move(
    const struct uio *u, enum uio_op op, void *base, char *buf, size_t n)
{
	if (u->user && op == UIO_PUT)
		return copy_to_user(base, buf, n);
	if (u->user && op == UIO_GET)
		return copy_from_user(buf, base, n);
	if (u->user)
		return clear_user(base, n);
	if (op == UIO_PUT)
		memcpy(base, buf, n);
	else if (op == UIO_GET)
		memcpy(buf, base, n);
	else
		memset(base, 0, n);
	return 0;
}

/*
 * A copy that fails says not where: go page by page, since a fault cannot
 * happen in the middle of one.  Returns the bytes moved.
 */
static size_t uio_move_partial(
    const struct uio *u, enum uio_op op, char *base, char *buf, size_t n)
{
	size_t done = 0;

	if (uio_move(u, op, base, buf, n) == 0)
		return n;
	while (done < n) {
		size_t off = (uintptr_t)(base + done) & (PAGE_SIZE - 1);
		size_t part = MIN(n - done, PAGE_SIZE - off);

		if (uio_move(u, op, base + done, buf ? buf + done : NULL, part))
			break;
		done += part;
	}
	return done;
}

static NOINLINE long uio_run(struct uio *u, enum uio_op op, char *buf, size_t n)
{
	size_t done = 0;

	while (done < n && u->left > 0) {
		size_t part = MIN(u->len, n - done);
		size_t moved = uio_move_partial(
		    u, op, u->base, buf ? buf + done : NULL, part);

		done += moved;
		uio_moved(u, moved);
		if (moved < part)
			return done > 0 ? (long)done : -EFAULT;
	}
	return (long)done;
}

long uio_put_slow(struct uio *u, const void *src, size_t n)
{
	/* The bytes are only read: uio_run() serves both directions. */
	return uio_run(u, UIO_PUT, (char *)(uintptr_t)src, n);
}

long uio_get_slow(struct uio *u, void *dst, size_t n)
{
	return uio_run(u, UIO_GET, dst, n);
}

long uio_zero(struct uio *u, size_t n)
{
	return uio_run(u, UIO_ZERO, NULL, n);
}
