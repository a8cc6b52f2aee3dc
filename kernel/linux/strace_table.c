#include "strace_int.h"

#include <linux/fcntl.h>
#include <stddef.h>

#include "kern/app.h"
#include "syscalls.h"

/* The letter of a type: see strace_int.h. */
#define KIND(t) \
	_Generic((t)0, const char *: 's', int: 'd', long: 'd', \
	    unsigned: 'u', unsigned long: 'u', default: 'p')
#define ARG(t, a)                      \
	{                              \
#a, KIND(t), sizeof(t) \
	}

#define SYSCALL0(nr, name)         [nr] = { true, 0, { { NULL, 0, 0 } } },
#define SYSCALL1(nr, name, t0, a0) [nr] = { true, 1, { ARG(t0, a0) } },
#define SYSCALL2(nr, name, t0, a0, t1, a1) \
	[nr] = { true, 2, { ARG(t0, a0), ARG(t1, a1) } },
#define SYSCALL3(nr, name, t0, a0, t1, a1, t2, a2) \
	[nr] = { true, 3, { ARG(t0, a0), ARG(t1, a1), ARG(t2, a2) } },
#define SYSCALL4(nr, name, t0, a0, t1, a1, t2, a2, t3, a3) \
	[nr] = { true, 4,                                  \
		{ ARG(t0, a0), ARG(t1, a1), ARG(t2, a2), ARG(t3, a3) } },
#define SYSCALL5(nr, name, t0, a0, t1, a1, t2, a2, t3, a3, t4, a4)    \
	[nr] = { true, 5,                                             \
		{ ARG(t0, a0), ARG(t1, a1), ARG(t2, a2), ARG(t3, a3), \
		    ARG(t4, a4) } },
#define SYSCALL6(nr, name, t0, a0, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5) \
	[nr] = { true, 6,                                                  \
		{ ARG(t0, a0), ARG(t1, a1), ARG(t2, a2), ARG(t3, a3),      \
		    ARG(t4, a4), ARG(t5, a5) } },
static const struct strace_call calls[APP_NCALL] = {
#include "syscalls.def"
};

const struct strace_call *strace_call(uint64_t nr)
{
	static const struct strace_call none;

	return nr < APP_NCALL ? &calls[nr] : &none;
}

#define BIT(b)        \
	{             \
		b, #b \
	}
const struct strace_bit strace_open_bits[] = { BIT(O_CREAT), BIT(O_EXCL),
	BIT(O_NOCTTY), BIT(O_TRUNC), BIT(O_APPEND), BIT(O_NONBLOCK),
	BIT(O_DIRECT), BIT(O_DIRECTORY), BIT(O_NOFOLLOW), BIT(O_NOATIME),
	BIT(O_CLOEXEC), BIT(O_PATH), { 0, NULL } };
