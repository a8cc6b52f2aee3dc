#ifndef LINUX_FILE_IO_H
#define LINUX_FILE_IO_H

/* Shared by the system calls on descriptors. */

#include <linux/uio.h>
#include <stdint.h>

#include "kern/file.h"
#include "kern/uio.h"

#define IOV_FAST 8 /* vectors that need no allocation */

/* The program's iovec array, checked and copied. */
struct iov_buf {
	struct uio_vec *vec;
	struct uio_vec fast[IOV_FAST];
};
/* 0 or -errno; io_vec_free() in any case but an error. */
int io_vec_import(
    struct iov_buf *, struct uio *, const void *user_iov, unsigned long n);
void io_vec_free(struct iov_buf *);

/* (off) NULL: at the file's position, which moves. */
long io_read(struct file *, struct uio *, const int64_t *off);
long io_write(struct file *, struct uio *, const int64_t *off);

#endif /* LINUX_FILE_IO_H */
