#ifndef LINUX_TABLE_INT_H
#define LINUX_TABLE_INT_H

/* The table of system calls.  table.c, syscall_names.c */

#include <stdint.h>

#include "kern/compiler.h"

struct trapframe;

/* Fill app_calls[]: at boot, and when calls are to be shown, or no more. */
void syscall_watch_changed(void);

/* Run the call that (tf) asks for: its result, -ENOSYS when there is none. */
long syscall_dispatch(const struct trapframe *tf);
/* The same, and show it to who wants to see calls. */
long syscall_watched(const struct trapframe *tf);

/* The name of any Linux call, ours or not; "?" past the last. */
const char *syscall_name(uint64_t nr);

#endif /* LINUX_TABLE_INT_H */
