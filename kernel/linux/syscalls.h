#ifndef LINUX_SYSCALLS_H
#define LINUX_SYSCALLS_H

/*
 * The kernel's interface to programs.  kernel/linux/syscalls.def is the only
 * list of system calls; prototypes and dispatch come from it.
 *
 * sys_NAME(): 0 or more on success, -errno on failure, as Linux does.
 */

#include <stddef.h>
#include <stdint.h>

/* The types that programs pass pointers to. */
struct __kernel_itimerspec;
struct __kernel_old_itimerval;
struct __kernel_old_timeval;
struct __kernel_timespec;
struct __user_cap_data_struct;
struct __user_cap_header_struct;
struct clone_args;
struct new_utsname;
struct rlimit64;
struct rusage;
struct sched_attr;
struct sched_param_user;
struct sigaction;
struct sigaltstack;
struct sigevent;
struct siginfo;
struct sysinfo;
struct timezone;
struct tms;

#define SYSCALL0(nr, name)                 long sys_##name(void);
#define SYSCALL1(nr, name, t0, a0)         long sys_##name(t0 a0);
#define SYSCALL2(nr, name, t0, a0, t1, a1) long sys_##name(t0 a0, t1 a1);
#define SYSCALL3(nr, name, t0, a0, t1, a1, t2, a2) \
	long sys_##name(t0 a0, t1 a1, t2 a2);
#define SYSCALL4(nr, name, t0, a0, t1, a1, t2, a2, t3, a3) \
	long sys_##name(t0 a0, t1 a1, t2 a2, t3 a3);
#define SYSCALL5(nr, name, t0, a0, t1, a1, t2, a2, t3, a3, t4, a4) \
	long sys_##name(t0 a0, t1 a1, t2 a2, t3 a3, t4 a4);
#define SYSCALL6(nr, name, t0, a0, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5) \
	long sys_##name(t0 a0, t1 a1, t2 a2, t3 a3, t4 a4, t5 a5);
#include "syscalls.def"
#undef SYSCALL0
#undef SYSCALL1
#undef SYSCALL2
#undef SYSCALL3
#undef SYSCALL4
#undef SYSCALL5
#undef SYSCALL6

#endif /* LINUX_SYSCALLS_H */
