#ifndef LINUX_STRACE_INT_H
#define LINUX_STRACE_INT_H

/* Showing system calls: --strace, and the trace points of raw_syscalls. */

#include <stdbool.h>
#include <stdint.h>

struct trapframe;

/* What a system call looks like; the number is the place in the table. */
struct strace_arg {
	const char *name;
	char kind; /* d: signed, u: unsigned, p: pointer, s: a path or name */
	uint8_t size;
};
struct strace_call {
	bool known;
	unsigned nargs;
	struct strace_arg arg[6];
};

/* strace_table.c */
const struct strace_call *strace_call(uint64_t nr);
/* O_CREAT|...: what open(2) takes. */
struct strace_bit {
	unsigned bit;
	const char *name;
};
extern const struct strace_bit strace_open_bits[]; /* ends with a 0 */

/* errno_text.c: of a positive number. */
struct errno_text {
	const char *name, *text;
};
const struct errno_text *errno_text(long error);

/* strace.c: does what syscall_dispatch() does, and shows it. */
long strace_dispatch(const struct trapframe *tf);

#endif /* LINUX_STRACE_INT_H */
