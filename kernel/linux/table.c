#include "table_int.h"

#include <stdatomic.h>
#include <stdbool.h>

#include "kern/app.h"
#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/param.h"
#include "kern/trace.h"
#include "strace_int.h"
#include "syscalls.h"

#define SYSCALL0(nr, name)      [nr] = (app_call_fn *)sys_##name,
#define SYSCALL1(nr, name, ...) [nr] = (app_call_fn *)sys_##name,
#define SYSCALL2(nr, name, ...) [nr] = (app_call_fn *)sys_##name,
#define SYSCALL3(nr, name, ...) [nr] = (app_call_fn *)sys_##name,
#define SYSCALL4(nr, name, ...) [nr] = (app_call_fn *)sys_##name,
#define SYSCALL5(nr, name, ...) [nr] = (app_call_fn *)sys_##name,
#define SYSCALL6(nr, name, ...) [nr] = (app_call_fn *)sys_##name,
static app_call_fn *const table[APP_NCALL] = {
#include "syscalls.def"
};
#undef SYSCALL0
#undef SYSCALL1
#undef SYSCALL2
#undef SYSCALL3
#undef SYSCALL4
#undef SYSCALL5
#undef SYSCALL6

#define SYSCALL0(...)
#define SYSCALL1(...)
#define SYSCALL2(...)
#define SYSCALL3(...)
#define SYSCALL4(...)
#define SYSCALL5(...)
#define SYSCALL6(...)
#define SYSCALL_FRAME(nr) [nr] = true,
static const bool wants_frame[APP_NCALL] = {
#include "syscalls.def"
};

app_call_fn *app_calls[APP_NCALL];

TRACEPOINT_WATCHED(
    raw_syscalls, sys_enter, "id,a0%x,a1%x,a2%x", syscall_watch_changed);
TRACEPOINT_WATCHED(raw_syscalls, sys_exit, "id,ret", syscall_watch_changed);

/* Have all calls pass app_ops->syscall(), or only those that must. */
static void watch(bool all)
{
	for (unsigned nr = 0; nr < APP_NCALL; nr++) {
		bool direct = table[nr] && !wants_frame[nr] && !all;

		__atomic_store_n(&app_calls[nr],
		    direct ? table[nr] : app_call_frame, __ATOMIC_RELAXED);
	}
}

void syscall_watch_changed(void)
{
	watch(boot_params.strace || trace_sys_enter.on || trace_sys_exit.on);
}

/* One line in the log for each call. */
static long unsupported(uint64_t nr)
{
	static _Atomic uint64_t logged[APP_NCALL / 64];
	uint64_t bit = 1ul << (nr % 64);

	/* What is past the table shares one bit: the last. */
	if (nr >= APP_NCALL)
		bit = 1ul << 63;
	if (!(atomic_fetch_or(
		  &logged[nr < APP_NCALL ? nr / 64 : APP_NCALL / 64 - 1], bit) &
		bit))
		log_warn("system call %lu (%s) is not supported",
		    (unsigned long)nr, syscall_name(nr));
	return -ENOSYS;
}

long syscall_dispatch(const struct trapframe *tf)
{
	uint64_t nr = (uint32_t)tf->rax; /* as Linux does */

	if (unlikely(nr >= APP_NCALL || !table[nr]))
		return unsupported(nr);
	return arch_call(table[nr], tf);
}

static long show_and_dispatch(const struct trapframe *tf)
{
	return boot_params.strace ? strace_dispatch(tf) : syscall_dispatch(tf);
}

long syscall_watched(const struct trapframe *tf)
{
	long r;

	TRACE(sys_enter, tf->rax, tf->rdi, tf->rsi, tf->rdx);
	r = show_and_dispatch(tf);
	TRACE(sys_exit, tf->error, (uint64_t)r);
	return r;
}
