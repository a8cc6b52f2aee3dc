#include "signal_int.h"

#include <linux/time_types.h>

#include "kern/arch.h"
#include "kern/clock.h"
#include "kern/errno.h"
#include "kern/string.h"
#include "sigframe_int.h"
#include "syscalls.h"
#include "task_int.h"
#include "time_int.h"

#define SIGSET_SIZE sizeof(uint64_t)

static bool sig_valid(int sig)
{
	return sig > 0 && sig <= NSIG_ALL;
}

/* --- actions and masks ---------------------------------------------------- */

static void set_action(struct proc *p, int sig, const struct sigaction *new)
{
	struct sigaction *act = &p->action[sig];

	*act = *new;
	act->sa_mask &= ~SIG_NEVER_BLOCKED;
	/* What is pending and now ignored is forgotten. */
	if (act->sa_handler == SIG_IGN ||
	    (act->sa_handler == SIG_DFL &&
		(signal_default(sig) == SIG_DO_IGNORE ||
		    signal_default(sig) == SIG_DO_CONTINUE)))
		signal_flush_locked(p, SIGBIT(sig));
}

long sys_rt_sigaction(int sig, const struct sigaction *user_new,
    struct sigaction *user_old, size_t size)
{
	struct proc *p = proc_self();
	struct sigaction new, old;
	unsigned long flags;

	if (size != SIGSET_SIZE || !sig_valid(sig))
		return -EINVAL;
	if (user_new && (SIGBIT(sig) & SIG_NEVER_BLOCKED))
		return -EINVAL;
	if (user_new && copy_from_user(&new, user_new, sizeof(new)) != 0)
		return -EFAULT;
	flags = spin_lock_irqsave(&p->lock);
	old = p->action[sig];
	if (user_new)
		set_action(p, sig, &new);
	spin_unlock_irqrestore(&p->lock, flags);
	if (user_old && copy_to_user(user_old, &old, sizeof(old)) != 0)
		return -EFAULT;
	return 0;
}

long sys_rt_sigprocmask(
    int how, const uint64_t *user_new, uint64_t *user_old, size_t size)
{
	uint64_t old = task_self()->blocked, set;

	if (size != SIGSET_SIZE)
		return -EINVAL;
	if (user_new) {
		if (copy_from_user(&set, user_new, sizeof(set)) != 0)
			return -EFAULT;
		if (how == SIG_BLOCK)
			signal_set_blocked(old | set);
		else if (how == SIG_UNBLOCK)
			signal_set_blocked(old & ~set);
		else if (how == SIG_SETMASK)
			signal_set_blocked(set);
		else
			return -EINVAL;
	}
	if (user_old && copy_to_user(user_old, &old, sizeof(old)) != 0)
		return -EFAULT;
	return 0;
}

long sys_rt_sigpending(uint64_t *user, size_t size)
{
	struct task *t = task_self();
	unsigned long flags;
	uint64_t set;

	if (size > SIGSET_SIZE)
		return -EINVAL;
	flags = spin_lock_irqsave(&t->proc->lock);
	set = (t->pending.set | t->proc->pending.set) & t->blocked;
	spin_unlock_irqrestore(&t->proc->lock, flags);
	return copy_to_user(user, &set, size);
}

long sys_sigaltstack(
    const struct sigaltstack *user_new, struct sigaltstack *user_old)
{
	struct task *t = task_self();
	bool in_use = sigframe_on_altstack(t, t->tf->rsp);
	struct sigaltstack old = t->altstack, new;
	unsigned mode;

	if (user_new) {
		if (copy_from_user(&new, user_new, sizeof(new)) != 0)
			return -EFAULT;
		mode = (unsigned)new.ss_flags & ~SS_AUTODISARM;
		if (in_use)
			return -EPERM;
		if (mode != 0 && mode != SS_DISABLE && mode != SS_ONSTACK)
			return -EINVAL;
		if (mode == SS_DISABLE) {
			new.ss_size = 0;
			new.ss_sp = NULL;
		} else if (new.ss_size < MINSIGSTKSZ) {
			return -ENOMEM;
		}
		t->altstack = new;
	}
	old.ss_flags =
	    (old.ss_flags & (int)SS_AUTODISARM) | (old.ss_size == 0 ? SS_DISABLE
						      : in_use      ? SS_ONSTACK
								    : 0);
	if (user_old)
		return copy_to_user(user_old, &old, sizeof(old));
	return 0;
}

long sys_rt_sigreturn(void)
{
	struct task *t = task_self();
	siginfo_t info;

	if (sigframe_pop(t, t->tf) == 0)
		return (long)t->tf->rax;
	memset(&info, 0, sizeof(info));
	info.si_signo = SIGSEGV;
	info.si_code = SI_KERNEL;
	signal_force(&info);
	return 0;
}

/* --- waiting ------------------------------------------------------------- */

static long suspend(void)
{
	while (!signal_pending())
		(void)thread_sleep_until(TIME_NEVER, WAIT_INTR);
	return -ERESTARTNOHAND;
}

long sys_pause(void)
{
	return suspend();
}

long sys_rt_sigsuspend(const uint64_t *user, size_t size)
{
	uint64_t set, old;
	long r;

	if (size != SIGSET_SIZE)
		return -EINVAL;
	if (copy_from_user(&set, user, sizeof(set)) != 0)
		return -EFAULT;
	(void)signal_mask_swap(&set, &old);
	r = suspend();
	signal_restore_mask_on_return(old);
	return r;
}

static int take(struct task *t, uint64_t set, uint64_t waited, siginfo_t *info)
{
	unsigned long flags = spin_lock_irqsave(&t->proc->lock);
	int sig = signal_take_locked(t, set, info);

	t->waited = sig ? 0 : waited;
	spin_unlock_irqrestore(&t->proc->lock, flags);
	return sig;
}

long sys_rt_sigtimedwait(const uint64_t *user_set, siginfo_t *user_info,
    const struct __kernel_timespec *user_timeout, size_t size)
{
	struct task *t = task_self();
	uint64_t set, deadline = TIME_NEVER;
	siginfo_t info;
	int sig, r;

	if (size != SIGSET_SIZE)
		return -EINVAL;
	if (copy_from_user(&set, user_set, sizeof(set)) != 0)
		return -EFAULT;
	set &= ~SIG_NEVER_BLOCKED;
	r = user_timeout ? time_deadline(user_timeout, &deadline) : 0;
	if (r != 0)
		return r;
	sig = take(t, set, set, &info);
	if (!sig) {
		r = thread_sleep_until(deadline, WAIT_INTR);
		sig = take(t, set, 0, &info);
	}
	if (!sig)
		return r == -EINTR ? -EINTR : -EAGAIN;
	if (user_info && copy_to_user(user_info, &info, sizeof(info)) != 0)
		return -EFAULT;
	return sig;
}

/* --- sending ------------------------------------------------------------- */

/* (tid) 0: the process.  Signal 0 only asks whether there is somebody. */
static long send_to(struct proc *p, uint32_t tid, const siginfo_t *info)
{
	unsigned long flags;
	bool there;

	if (info->si_signo != 0)
		return signal_send(p, tid, info);
	flags = spin_lock_irqsave(&p->lock);
	there = tid == 0 || proc_task(p, tid);
	spin_unlock_irqrestore(&p->lock, flags);
	return there ? 0 : -ESRCH;
}

static struct proc *find_proc(uint32_t pid)
{
	unsigned long flags = spin_lock_irqsave(&proc_list_lock);
	struct proc *p = proc_find(pid);

	spin_unlock_irqrestore(&proc_list_lock, flags);
	return p;
}

/* -1: everybody but the caller; 0 or -pgid: a group. */
static long kill_many(int pid, const siginfo_t *info)
{
	uint32_t group = pid == 0 ? proc_self()->pgid : (uint32_t)-pid;
	unsigned long flags;
	struct proc *p;
	long r = -ESRCH;

	flags = spin_lock_irqsave(&proc_list_lock);
	list_foreach (p, &proc_list, link) {
		if (pid == -1 ? p != proc_self() : p->pgid == group)
			r = send_to(p, 0, info);
	}
	spin_unlock_irqrestore(&proc_list_lock, flags);
	return r;
}

long sys_kill(int pid, int sig)
{
	struct proc *p;
	siginfo_t info;

	if (sig < 0 || sig > NSIG_ALL)
		return -EINVAL;
	if (pid == (int)0x80000000)
		return -ESRCH;
	signal_info_user(&info, sig, SI_USER);
	if (pid <= 0)
		return kill_many(pid, &info);
	p = find_proc((uint32_t)pid);
	return p ? send_to(p, 0, &info) : -ESRCH;
}

static long send_to_thread(int pid, int tid, const siginfo_t *info)
{
	struct proc *p;

	p = pid > 0 ? find_proc((uint32_t)pid) : proc_self();
	return p ? send_to(p, (uint32_t)tid, info) : -ESRCH;
}

long sys_tgkill(int pid, int tid, int sig)
{
	siginfo_t info;

	if (sig < 0 || sig > NSIG_ALL || pid <= 0 || tid <= 0)
		return -EINVAL;
	signal_info_user(&info, sig, SI_TKILL);
	return send_to_thread(pid, tid, &info);
}

long sys_tkill(int tid, int sig)
{
	siginfo_t info;

	if (sig < 0 || sig > NSIG_ALL || tid <= 0)
		return -EINVAL;
	signal_info_user(&info, sig, SI_TKILL);
	return send_to_thread(0, tid, &info);
}

/* A program may not pretend that the kernel or kill() sent it. */
static int import_info(siginfo_t *info, const siginfo_t *user, int sig, int pid)
{
	if (copy_from_user(info, user, sizeof(*info)) != 0)
		return -EFAULT;
	if (sig < 0 || sig > NSIG_ALL)
		return -EINVAL;
	info->si_signo = sig;
	if ((info->si_code >= 0 || info->si_code == SI_TKILL) &&
	    pid != (int)proc_self()->pid)
		return -EPERM;
	return 0;
}

long sys_rt_sigqueueinfo(int pid, int sig, const siginfo_t *user)
{
	siginfo_t info;
	struct proc *p;
	int r = import_info(&info, user, sig, pid);

	if (r != 0)
		return r;
	p = find_proc((uint32_t)pid);
	return p ? send_to(p, 0, &info) : -ESRCH;
}

long sys_rt_tgsigqueueinfo(int pid, int tid, int sig, const siginfo_t *user)
{
	siginfo_t info;
	int r = import_info(&info, user, sig, pid);

	if (r != 0)
		return r;
	if (pid <= 0 || tid <= 0)
		return -EINVAL;
	return send_to_thread(pid, tid, &info);
}
