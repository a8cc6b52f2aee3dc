#include "table_int.h"

#include <stdatomic.h>

#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "syscalls.h"

/*
 * One function per call takes the arguments out of the registers and gives
 * them their types, so that no function is called through a wrong one.
 */
#define SYSCALL0(nr, name)                                  \
	static long call_##name(const struct trapframe *tf) \
	{                                                   \
		(void)tf;                                   \
		return sys_##name();                        \
	}
#define SYSCALL1(nr, name, t0, a0)                          \
	static long call_##name(const struct trapframe *tf) \
	{                                                   \
		return sys_##name((t0)tf->rdi);             \
	}
#define SYSCALL2(nr, name, t0, a0, t1, a1)                   \
	static long call_##name(const struct trapframe *tf)  \
	{                                                    \
		return sys_##name((t0)tf->rdi, (t1)tf->rsi); \
	}
#define SYSCALL3(nr, name, t0, a0, t1, a1, t2, a2)                        \
	static long call_##name(const struct trapframe *tf)               \
	{                                                                 \
		return sys_##name((t0)tf->rdi, (t1)tf->rsi, (t2)tf->rdx); \
	}
#define SYSCALL4(nr, name, t0, a0, t1, a1, t2, a2, t3, a3)               \
	static long call_##name(const struct trapframe *tf)              \
	{                                                                \
		return sys_##name(                                       \
		    (t0)tf->rdi, (t1)tf->rsi, (t2)tf->rdx, (t3)tf->r10); \
	}
#define SYSCALL5(nr, name, t0, a0, t1, a1, t2, a2, t3, a3, t4, a4)       \
	static long call_##name(const struct trapframe *tf)              \
	{                                                                \
		return sys_##name((t0)tf->rdi, (t1)tf->rsi, (t2)tf->rdx, \
		    (t3)tf->r10, (t4)tf->r8);                            \
	}
#define SYSCALL6(nr, name, t0, a0, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5) \
	static long call_##name(const struct trapframe *tf)                \
	{                                                                  \
		return sys_##name((t0)tf->rdi, (t1)tf->rsi, (t2)tf->rdx,   \
		    (t3)tf->r10, (t4)tf->r8, (t5)tf->r9);                  \
	}
#include "syscalls.def"
#undef SYSCALL0
#undef SYSCALL1
#undef SYSCALL2
#undef SYSCALL3
#undef SYSCALL4
#undef SYSCALL5
#undef SYSCALL6

typedef long syscall_fn(const struct trapframe *);

#define SYSCALL0(nr, name)      [nr] = call_##name,
#define SYSCALL1(nr, name, ...) [nr] = call_##name,
#define SYSCALL2(nr, name, ...) [nr] = call_##name,
#define SYSCALL3(nr, name, ...) [nr] = call_##name,
#define SYSCALL4(nr, name, ...) [nr] = call_##name,
#define SYSCALL5(nr, name, ...) [nr] = call_##name,
#define SYSCALL6(nr, name, ...) [nr] = call_##name,
static syscall_fn *const table[NSYSCALL] = {
#include "syscalls.def"
};

/* One line in the log for each call. */
static long unsupported(uint64_t nr)
{
	static _Atomic uint64_t logged[NSYSCALL / 64];
	uint64_t bit = 1ul << (nr % 64);

	/* What is past the table shares one bit: the last. */
	if (nr >= NSYSCALL)
		bit = 1ul << 63;
	if (!(atomic_fetch_or(
		  &logged[nr < NSYSCALL ? nr / 64 : NSYSCALL / 64 - 1], bit) &
		bit))
		log_warn("system call %lu (%s) is not supported",
		    (unsigned long)nr, syscall_name(nr));
	return -ENOSYS;
}

long syscall_dispatch(const struct trapframe *tf)
{
	uint64_t nr = tf->rax;

	if (unlikely(nr >= NSYSCALL || !table[nr]))
		return unsupported(nr);
	return table[nr](tf);
}
