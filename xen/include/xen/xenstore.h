#ifndef XEN_XENSTORE_H
#define XEN_XENSTORE_H

/*
 * The xenstore: the tree of small strings by which domains agree on things.
 * Source: xen/include/public/io/xs_wire.h, docs/misc/xenstore.txt.
 * xen/xenstore.c (client), xs_wire.c (messages, pure)
 *
 * Thread context; all may sleep.  A path is relative to our own domain's
 * directory unless it begins with "/".  Errors are the store's own, as -errno
 * (-ENOENT, -EACCES, ...), -EIO when its answer makes no sense, -ENODEV when
 * there is no store, -ETIMEDOUT when it does not answer.
 *
 * (dir, node) name "dir/node"; (node) "" means dir itself.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kern/compiler.h"
#include "kern/list.h"

#define XS_PATH_MAX  256 /* of what we build ourselves, with the NUL */
#define XS_VALUE_MAX 512 /* of what xs_printf() writes, with the NUL */

/* NULL in the calls below: outside of any transaction. */
struct xs_txn {
	uint32_t id;
};

/*
 * Read a value to (buf), NUL-terminated.  Returns its length; -E2BIG when it
 * does not fit; -EINVAL when it holds a NUL.
 */
int xs_read(struct xs_txn *txn, const char *dir, const char *node, char *buf,
    size_t len) MUST_CHECK;

/* A decimal number.  No such node: *out is (dflt) and the result is 0;
 * -EINVAL when it is no number, or too large: *out is (dflt) too. */
int xs_read_u32(struct xs_txn *txn, const char *dir, const char *node,
    uint32_t dflt, uint32_t *out);
int xs_read_u64(struct xs_txn *txn, const char *dir, const char *node,
    uint64_t dflt, uint64_t *out);

int xs_write(
    struct xs_txn *txn, const char *dir, const char *node, const char *value);
int xs_printf(struct xs_txn *txn, const char *dir, const char *node,
    const char *fmt, ...) PRINTF_LIKE(4, 5);

int xs_rm(struct xs_txn *txn, const char *dir, const char *node);

/*
 * The names in a directory, one after another with a NUL each; *out is to be
 * kfree()d, and is NULL on error.  Returns how many.
 */
int xs_directory(struct xs_txn *txn, const char *dir, const char *node,
    char **out) MUST_CHECK;

/* Afterwards: the next name of xs_directory()'s result. */
const char *xs_next(const char *name);

/* A string that must be one decimal number: 0 or -EINVAL. */
int xs_number(const char *text, uint64_t *out);

int xs_txn_begin(struct xs_txn *txn) MUST_CHECK;
/* -EAGAIN: somebody else wrote meanwhile; start over. */
int xs_txn_end(struct xs_txn *txn, bool abort) MUST_CHECK;

/*
 * Call fn(w, path) in the watch thread when (path) or anything below it
 * changes, and once at the beginning.  (path) in the callback is what
 * changed.  Callbacks never overlap; they may use this interface, but hold up
 * every other one.
 */
struct xs_watch {
	const char *path; /* caller's, stays */
	void (*fn)(struct xs_watch *w, const char *path);
	void *arg; /* caller's */

	struct list link; /* xenstore.c's from here */
	uint32_t token;
};
int xs_watch_add(struct xs_watch *w) MUST_CHECK;
/* When it returns, fn neither runs nor will.  Not from a callback of (w). */
void xs_watch_remove(struct xs_watch *w);

#endif /* XEN_XENSTORE_H */
