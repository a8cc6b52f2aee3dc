#ifndef FS_FILES_INT_H
#define FS_FILES_INT_H

/* Between the files of kernel/fs that make open files. */

#include <stdbool.h>

struct file;

/* file.c: a reference, unless the last one has gone (RCU read held). */
bool file_try_get(struct file *);

/* file.c: a descriptor of (f) has gone, with its reference. */
void file_closed(struct file *);

/* epoll.c: the last reference of (f) has gone; forget it everywhere. */
void epoll_file_gone(struct file *);

#endif /* FS_FILES_INT_H */
