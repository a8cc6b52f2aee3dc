#ifndef LINUX_TABLE_INT_H
#define LINUX_TABLE_INT_H

/* The table of system calls.  table.c, syscall_names.c */

#include <stdint.h>

#include "kern/compiler.h"

struct trapframe;

/* Boot: fill app_calls[]. */
void syscall_table_init(void);

/* Run the call that (tf) asks for: its result, -ENOSYS when there is none. */
long syscall_dispatch(const struct trapframe *tf);

/* The name of any Linux call, ours or not; "?" past the last. */
const char *syscall_name(uint64_t nr);

#endif /* LINUX_TABLE_INT_H */
