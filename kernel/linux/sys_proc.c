#include <asm/prctl.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/securebits.h>
#include <linux/times.h>

#include "kern/clock.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/log.h"
#include "kern/num.h"
#include "kern/string.h"
#include "kern/vm.h"
#include "signal_int.h"
#include "syscalls.h"
#include "table_int.h"
#include "task_int.h"

/* --- who am I ----------------------------------------------------------- */

long sys_getpid(void)
{
	return proc_self()->pid;
}

long sys_getppid(void)
{
	return proc_self()->ppid;
}

long sys_gettid(void)
{
	return thread_self()->id;
}

long sys_set_tid_address(uint32_t *user)
{
	task_self()->clear_child_tid = user;
	return thread_self()->id;
}

/* The process (pid), 0 for the caller's own; proc_list_lock is not needed
 * while processes only go with the machine. */
static struct proc *proc_by_id(int pid)
{
	unsigned long flags;
	struct proc *p;

	if (pid == 0)
		return proc_self();
	flags = spin_lock_irqsave(&proc_list_lock);
	p = proc_find((uint32_t)pid);
	spin_unlock_irqrestore(&proc_list_lock, flags);
	return p;
}

long sys_getpgid(int pid)
{
	struct proc *p = proc_by_id(pid);

	return p ? (long)p->pgid : -ESRCH;
}

long sys_getpgrp(void)
{
	return proc_self()->pgid;
}

long sys_setpgid(int pid, int pgid)
{
	struct proc *p = proc_by_id(pid);

	if (pgid < 0)
		return -EINVAL;
	if (!p)
		return -ESRCH;
	/* A session leader stays in its group; there is no other session. */
	if (p->sid == p->pid)
		return -EPERM;
	if (pgid != 0 && (uint32_t)pgid != p->pid)
		return -EPERM;
	p->pgid = p->pid;
	return 0;
}

long sys_getsid(int pid)
{
	struct proc *p = proc_by_id(pid);

	return p ? (long)p->sid : -ESRCH;
}

long sys_setsid(void)
{
	struct proc *p = proc_self();

	if (p->pgid == p->pid)
		return -EPERM;
	p->sid = p->pgid = p->pid;
	return p->sid;
}

/* --- limits and use ----------------------------------------------------- */

static int set_limit(struct proc *p, unsigned res, const struct rlimit64 *new)
{
	if (new->rlim_cur > new->rlim_max)
		return -EINVAL;
	if (res == RLIMIT_NOFILE && new->rlim_max > FD_MAX_LIMIT)
		return -EPERM;
	p->rlim[res] = *new;
	if (res == RLIMIT_NOFILE)
		fd_set_limit((unsigned)new->rlim_cur);
	if (res == RLIMIT_AS || res == RLIMIT_DATA || res == RLIMIT_STACK)
		vm_set_limits(
		    p->vm, &(struct vm_limits){ p->rlim[RLIMIT_AS].rlim_cur,
			       p->rlim[RLIMIT_DATA].rlim_cur,
			       p->rlim[RLIMIT_STACK].rlim_cur });
	return 0;
}

long sys_prlimit64(int pid, unsigned res, const struct rlimit64 *user_new,
    struct rlimit64 *user_old)
{
	struct proc *p = proc_by_id(pid);
	struct rlimit64 new, old;
	int r = 0;

	if (res >= RLIM_COUNT)
		return -EINVAL;
	if (user_new && copy_from_user(&new, user_new, sizeof(new)) != 0)
		return -EFAULT;
	if (!p)
		return -ESRCH;
	mutex_lock(&p->exec_lock);
	old = p->rlim[res];
	if (user_new)
		r = set_limit(p, res, &new);
	mutex_unlock(&p->exec_lock);
	if (r == 0 && user_old)
		r = copy_to_user(user_old, &old, sizeof(old));
	return r;
}

long sys_getrlimit(unsigned res, struct rlimit64 *user)
{
	if (res >= RLIM_COUNT)
		return -EINVAL;
	return sys_prlimit64(0, res, NULL, user) ? -EFAULT : 0;
}

long sys_setrlimit(unsigned res, const struct rlimit64 *user)
{
	if (!user)
		return -EFAULT;
	return sys_prlimit64(0, res, user, NULL);
}

static void ns_to_timeval(uint64_t ns, struct __kernel_old_timeval *tv)
{
	tv->tv_sec = (long)(ns / NSEC_PER_SEC);
	tv->tv_usec = (long)(ns % NSEC_PER_SEC / NSEC_PER_USEC);
}

struct switches {
	uint64_t voluntary, involuntary;
};

static struct switches proc_switches(struct proc *p)
{
	struct switches s = { 0, 0 };
	unsigned long flags = spin_lock_irqsave(&p->lock);
	struct task *t;

	list_foreach (t, &p->tasks, link) {
		s.voluntary += t->thread->nvcsw;
		s.involuntary += t->thread->nivcsw;
	}
	spin_unlock_irqrestore(&p->lock, flags);
	return s;
}

long sys_getrusage(int who, struct rusage *user)
{
	struct thread *th = thread_self();
	struct proc *p = proc_self();
	struct vm_usage use;
	struct switches s;
	struct rusage ru;

	memset(&ru, 0, sizeof(ru));
	if (who == RUSAGE_CHILDREN)
		return copy_to_user(user, &ru, sizeof(ru));
	if (who != RUSAGE_SELF && who != RUSAGE_THREAD)
		return -EINVAL;
	vm_usage(p->vm, &use);
	s = who == RUSAGE_SELF ? proc_switches(p)
			       : (struct switches){ th->nvcsw, th->nivcsw };
	/* The processor's time is not divided: all of it is the program's. */
	ns_to_timeval(
	    who == RUSAGE_SELF ? proc_cpu_time(p) : thread_cpu_time(th),
	    &ru.ru_utime);
	ru.ru_maxrss = (long)(use.resident / 1024);
	ru.ru_minflt = (long)use.minflt;
	ru.ru_majflt = (long)use.majflt;
	ru.ru_nvcsw = (long)s.voluntary;
	ru.ru_nivcsw = (long)s.involuntary;
	return copy_to_user(user, &ru, sizeof(ru));
}

long sys_times(struct tms *user)
{
	uint64_t tick = NSEC_PER_SEC / 100;
	struct tms t;

	memset(&t, 0, sizeof(t));
	t.tms_utime = (long)(proc_cpu_time(proc_self()) / tick);
	if (user && copy_to_user(user, &t, sizeof(t)) != 0)
		return -EFAULT;
	return (long)(clock_mono() / tick);
}

/* --- the thread --------------------------------------------------------- */

long sys_arch_prctl(int code, unsigned long addr)
{
	uint64_t base;

	switch (code) {
	case ARCH_SET_FS:
		if (addr >= USER_MAX)
			return -EPERM;
		arch_set_fs_base(addr);
		return 0;
	case ARCH_GET_FS:
		base = thread_self()->arch.fs_base;
		return copy_to_user((void *)addr, &base, sizeof(base));
	case ARCH_SET_GS:
	case ARCH_GET_GS:
		/* GS base is the kernel's own, always. */
		log_once(LOG_WARN, "arch_prctl: GS is not the program's");
		return -EPERM;
	case ARCH_GET_CPUID:
		return 1;
	default:
		return -EINVAL;
	}
}

long sys_set_robust_list(uintptr_t head, size_t len)
{
	if (len != 24)
		return -EINVAL;
	task_self()->robust_list = head;
	return 0;
}

long sys_get_robust_list(int tid, uintptr_t *user_head, size_t *user_len)
{
	struct proc *p = proc_self();
	struct task *t = task_self();
	uintptr_t head = 0;
	size_t len = 24;
	unsigned long flags;

	if (tid == 0)
		tid = (int)t->thread->id;
	flags = spin_lock_irqsave(&p->lock);
	t = proc_task(p, (uint32_t)tid);
	if (t)
		head = t->robust_list;
	spin_unlock_irqrestore(&p->lock, flags);
	if (!t)
		return -ESRCH;
	if (copy_to_user(user_len, &len, sizeof(len)) != 0)
		return -EFAULT;
	return copy_to_user(user_head, &head, sizeof(head));
}

/* Both of Debian's C libraries go on without it. */
long sys_rseq(void *area, uint32_t len, int flags, uint32_t sig)
{
	(void)area;
	(void)len;
	(void)flags;
	(void)sig;
	return -ENOSYS;
}

/* --- prctl -------------------------------------------------------------- */

static long set_name(const char *user)
{
	struct thread *th = thread_self();
	char name[16];
	long n = strncpy_from_user(name, user, sizeof(name));

	if (n == -ENAMETOOLONG)
		name[sizeof(name) - 1] = '\0';
	else if (n < 0)
		return n;
	memset(th->name, 0, sizeof(th->name));
	snprintf(th->name, sizeof(th->name), "%s", name);
	if (proc_self()->leader == task_self())
		snprintf(proc_self()->comm, sizeof(name), "%s", name);
	return 0;
}

static long put_int(unsigned long user, int v)
{
	return copy_to_user((void *)user, &v, sizeof(v));
}

static long prctl_cap(int op, unsigned long a)
{
	if (op == PR_CAPBSET_READ)
		return a <= CAP_LAST_CAP ? 1 : -EINVAL;
	if (op == PR_CAPBSET_DROP)
		return a <= CAP_LAST_CAP ? 0 : -EINVAL;
	if (a == PR_CAP_AMBIENT_IS_SET || a == PR_CAP_AMBIENT_CLEAR_ALL ||
	    a == PR_CAP_AMBIENT_LOWER)
		return 0;
	return a == PR_CAP_AMBIENT_RAISE ? -EPERM : -EINVAL;
}

static long prctl_thread(int op, unsigned long a)
{
	struct task *t = task_self();
	char name[16] = { 0 };

	switch (op) {
	case PR_SET_NAME:
		return set_name((const char *)a);
	case PR_GET_NAME:
		snprintf(name, sizeof(name), "%s", t->thread->name);
		return copy_to_user((void *)a, name, sizeof(name));
	case PR_SET_PDEATHSIG:
		if (a > NSIG_ALL)
			return -EINVAL;
		t->pdeath_signal = (int)a;
		return 0;
	case PR_GET_PDEATHSIG:
		return put_int(a, t->pdeath_signal);
	case PR_SET_TIMERSLACK:
		t->timer_slack = a ? a : 50 * NSEC_PER_USEC;
		return 0;
	case PR_GET_TIMERSLACK:
		return (long)t->timer_slack;
	default:
		return -EINVAL;
	}
}

static long set_flag(bool *flag, unsigned long v)
{
	if (v > 1)
		return -EINVAL;
	*flag = v;
	return 0;
}

static long prctl_proc(int op, unsigned long a)
{
	struct proc *p = proc_self();

	switch (op) {
	case PR_SET_DUMPABLE:
		return set_flag(&p->dumpable, a);
	case PR_GET_DUMPABLE:
		return p->dumpable;
	case PR_SET_KEEPCAPS:
		return set_flag(&p->keepcaps, a);
	case PR_GET_KEEPCAPS:
		return p->keepcaps;
	case PR_SET_NO_NEW_PRIVS:
		if (a != 1)
			return -EINVAL;
		p->no_new_privs = true;
		return 0;
	case PR_GET_NO_NEW_PRIVS:
		return p->no_new_privs;
	case PR_SET_CHILD_SUBREAPER:
		p->subreaper = a != 0;
		return 0;
	case PR_GET_CHILD_SUBREAPER:
		return put_int(a, p->subreaper);
	case PR_SET_THP_DISABLE:
		p->thp_disable = a != 0;
		vm_space_no_huge(p->vm, a != 0);
		return 0;
	case PR_GET_THP_DISABLE:
		return p->thp_disable;
	case PR_GET_SECUREBITS:
	case PR_GET_SECCOMP:
	case PR_GET_TIMING:
		return 0;
	default:
		log_once(LOG_WARN, "prctl %d is not supported", op);
		return -EINVAL;
	}
}

long sys_prctl(
    int op, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
	(void)c;
	(void)d;
	switch (op) {
	case PR_SET_NAME:
	case PR_GET_NAME:
	case PR_SET_PDEATHSIG:
	case PR_GET_PDEATHSIG:
	case PR_SET_TIMERSLACK:
	case PR_GET_TIMERSLACK:
		return prctl_thread(op, a);
	case PR_CAPBSET_READ:
	case PR_CAPBSET_DROP:
	case PR_CAP_AMBIENT:
		return prctl_cap(op, a);
	case PR_SET_VMA:
		/* A name for anonymous memory: nothing shows it. */
		(void)b;
		return a == PR_SET_VMA_ANON_NAME ? 0 : -EINVAL;
	default:
		return prctl_proc(op, a);
	}
}
