#ifndef FS_FILES_INT_H
#define FS_FILES_INT_H

/* Between the files of kernel/fs that make open files. */

#include <stdbool.h>

#include "kern/file.h"

/* A reference, unless the last one has gone (RCU read held). */
static inline bool file_try_get(struct file *f)
{
	uint32_t n = atomic_load_explicit(&f->refs, memory_order_relaxed);

	while (n != 0) {
		if (atomic_compare_exchange_weak_explicit(&f->refs, &n, n + 1,
			memory_order_acquire, memory_order_relaxed))
			return true;
	}
	return false;
}

/* file.c: a descriptor of (f) has gone, with its reference. */
void file_closed(struct file *);

/* epoll.c: the last reference of (f) has gone; forget it everywhere. */
void epoll_file_gone(struct file *);

#endif /* FS_FILES_INT_H */
