#ifndef KERN_PROCFS_H
#define KERN_PROCFS_H

/*
 * Files of /proc (and /sys) that other rooms fill: kernel/fs/procfs registers
 * the tree; a room adds its file with PROC_FILE().
 */

#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

/* Text under construction; grows by itself; overflow is remembered. */
struct proc_out {
	char *buf;
	size_t len, cap;
	int error;
	uint32_t tid; /* the thread asked for below task/; 0: the process */
};
void proc_printf(struct proc_out *, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Bytes as they are: NULs too. */
void proc_write(struct proc_out *, const void *, size_t);

struct proc_file {
	const char *path; /* "net/tcp", "self/maps", "sys/vm/overcommit_memory";
	                   * "/sys/..." is for sysfs */
	/* Thread context; writes the whole text.  0 or -errno.  NULL: write
	 * only. */
	int (*show)(struct proc_out *);
	/* A written value, NUL-terminated, without the newline at its end;
	 * NULL: read only. */
	int (*store)(const char *text);
};
#define PROC_FILE(f) LINKER_SET_ADD(proc_set, struct proc_file, f)

#endif /* KERN_PROCFS_H */
