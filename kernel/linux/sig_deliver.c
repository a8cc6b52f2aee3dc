#include "signal_int.h"

#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/string.h"
#include "kern/vm.h"
#include "task_int.h"

#define NR_RESTART_SYSCALL 219
#define SYSCALL_INSN_LEN   2

/* --- the interrupted call ------------------------------------------------ */

static void again(struct trapframe *tf, uint64_t nr)
{
	tf->rax = nr;
	if (tf->vector == TRAP_SYSCALL) {
		tf->rip -= SYSCALL_INSN_LEN;
		return;
	}
	/* The caller's address is still where its call has put it. */
	tf->rip = proc_self()->vdso.again;
	tf->rsp -= sizeof(tf->rip);
}

/* Once only: after this the frame is no longer one of a call's. */
static void finish_call(struct trapframe *tf, const struct sigaction *act)
{
	long result = (long)tf->rax;

	if (!trapframe_is_call(tf))
		return;
	switch (-result) {
	case ERESTARTSYS:
		if (act && !(act->sa_flags & SA_RESTART))
			tf->rax = (uint64_t)-EINTR;
		else
			again(tf, tf->error);
		break;
	case ERESTARTNOINTR:
		again(tf, tf->error);
		break;
	case ERESTARTNOHAND:
		if (act)
			tf->rax = (uint64_t)-EINTR;
		else
			again(tf, tf->error);
		break;
	case ERESTART_RESTARTBLOCK:
		if (act)
			tf->rax = (uint64_t)-EINTR;
		else
			again(tf, NR_RESTART_SYSCALL);
		break;
	default:
		break;
	}
	tf->vector = 0;
	tf->error = 0;
}

/* --- taking signals ------------------------------------------------------ */

static _Noreturn void die(
    struct proc *p, struct trapframe *tf, const siginfo_t *info)
{
	int sig = info->si_signo;

	if ((SIGBIT(sig) & SIG_SYNCHRONOUS) && info->si_code > 0) {
		p->fatal.known = true;
		p->fatal.rip = tf->rip;
		p->fatal.has_addr = sig == SIGSEGV || sig == SIGBUS;
		p->fatal.addr = (uintptr_t)task_self()->trap_addr;
	}
	proc_exit(0, sig);
}

/*
 * The next signal that has something to do: its number, or 0.  Both marks are
 * cleared under the lock, as they are set: a sleep that ends with -EINTR must
 * find app_work set on the way out, where its result is seen to.
 */
static int take_next(struct task *t, struct sigaction *act, siginfo_t *info)
{
	struct proc *p = t->proc;
	unsigned long flags = spin_lock_irqsave(&p->lock);
	int sig;

	atomic_fetch_and(&t->thread->app_work, ~APP_WORK_SIGNAL);
	thread_clear_interrupt();
	while ((sig = signal_take_locked(t, ~t->blocked, info)) != 0) {
		*act = p->action[sig];
		if (act->sa_handler == SIG_IGN)
			continue;
		if (act->sa_handler != SIG_DFL) {
			if (act->sa_flags & SA_RESETHAND)
				p->action[sig].sa_handler = SIG_DFL;
			break;
		}
		if (signal_default(sig) == SIG_DO_TERMINATE)
			break;
		if (signal_default(sig) == SIG_DO_STOP)
			log_warn("%s: a program cannot be stopped: ignored",
			    signal_name(sig));
	}
	spin_unlock_irqrestore(&p->lock, flags);
	return sig;
}

static void enter_handler(struct task *t, struct trapframe *tf, int sig,
    const struct sigaction *act, const siginfo_t *info)
{
	uint64_t go_back = t->restore_blocked ? t->saved_blocked : t->blocked;
	uint64_t during = t->blocked | act->sa_mask;
	siginfo_t bad;

	if (!(act->sa_flags & SA_NODEFER))
		during |= SIGBIT(sig);
	if (sigframe_push(t, tf, act, info, go_back) == 0) {
		t->restore_blocked = false;
		signal_set_blocked(during);
		return;
	}
	/* No stack for the handler: a second SIGSEGV is not handled. */
	memset(&bad, 0, sizeof(bad));
	bad.si_signo = SIGSEGV;
	bad.si_code = SI_KERNEL;
	t->trap_addr = tf->rsp;
	if (sig == SIGSEGV)
		die(t->proc, tf, &bad);
	signal_force(&bad);
}

void signal_work(struct trapframe *tf)
{
	struct task *t = task_self();
	struct sigaction act;
	siginfo_t info;
	int sig = take_next(t, &act, &info);

	if (sig && act.sa_handler == SIG_DFL)
		die(t->proc, tf, &info);
	finish_call(tf, sig ? &act : NULL);
	if (sig) {
		enter_handler(t, tf, sig, &act, &info);
		/* Others may wait behind it: they nest. */
		atomic_fetch_or(&t->thread->app_work, APP_WORK_SIGNAL);
	} else if (t->restore_blocked) {
		t->restore_blocked = false;
		signal_set_blocked(t->saved_blocked);
	}
}

/* --- faults -------------------------------------------------------------- */

void signal_force(const siginfo_t *info)
{
	struct task *t = task_self();
	struct proc *p = t->proc;
	int sig = info->si_signo;
	unsigned long flags = spin_lock_irqsave(&p->lock);
	struct sigaction *act = &p->action[sig];

	if ((t->blocked & SIGBIT(sig)) || act->sa_handler == SIG_IGN) {
		act->sa_handler = SIG_DFL;
		t->blocked &= ~SIGBIT(sig);
	}
	spin_unlock_irqrestore(&p->lock, flags);
	(void)signal_send(p, t->thread->id, info);
}

static void page_fault_info(siginfo_t *info, uintptr_t addr, int err)
{
	info->si_signo = err == -EIO ? SIGBUS : SIGSEGV;
	info->si_addr = (void *)addr;
	if (err == -EIO)
		info->si_code = BUS_ADRERR;
	else
		info->si_code = err == -EACCES ? SEGV_ACCERR : SEGV_MAPERR;
}

static void fault_info(siginfo_t *info, enum app_fault kind, uintptr_t rip)
{
	info->si_addr = (void *)rip;
	switch (kind) {
	case APP_FAULT_DIVIDE:
		info->si_signo = SIGFPE;
		info->si_code = FPE_INTDIV;
		break;
	case APP_FAULT_OPCODE:
		info->si_signo = SIGILL;
		info->si_code = ILL_ILLOPN;
		break;
	case APP_FAULT_FPU:
		info->si_signo = SIGFPE;
		info->si_code = FPE_FLTUNK;
		break;
	case APP_FAULT_ALIGN:
		info->si_signo = SIGBUS;
		info->si_code = BUS_ADRALN;
		break;
	case APP_FAULT_BREAK:
		info->si_signo = SIGTRAP;
		info->si_code = SI_KERNEL;
		info->si_addr = NULL;
		break;
	case APP_FAULT_DEBUG:
		info->si_signo = SIGTRAP;
		info->si_code = TRAP_TRACE;
		break;
	case APP_FAULT_PAGE:
	case APP_FAULT_GP:
	default:
		info->si_signo = SIGSEGV;
		info->si_code = SI_KERNEL;
		info->si_addr = NULL;
		break;
	}
}

void signal_fault(
    struct trapframe *tf, enum app_fault kind, uintptr_t addr, int err)
{
	struct task *t = task_self();
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	if (kind == APP_FAULT_PAGE && err == -ENOMEM) {
		oom_kill_self();
		return;
	}
	if (kind == APP_FAULT_PAGE)
		page_fault_info(&info, addr, err);
	else
		fault_info(&info, kind, tf->rip);
	/* The program is told what it would be at its own privilege level. */
	t->trapno = tf->vector;
	t->trap_error = tf->error | (kind == APP_FAULT_PAGE ? 4 : 0);
	t->trap_addr = kind == APP_FAULT_PAGE ? addr : 0;
	signal_force(&info);
}

void signal_exec(struct task *t)
{
	struct proc *p = t->proc;
	unsigned long flags = spin_lock_irqsave(&p->lock);

	for (int sig = 1; sig <= NSIG_ALL; sig++) {
		__sighandler_t h = p->action[sig].sa_handler;

		memset(&p->action[sig], 0, sizeof(p->action[sig]));
		if (h == SIG_IGN)
			p->action[sig].sa_handler = SIG_IGN;
	}
	spin_unlock_irqrestore(&p->lock, flags);
	memset(&t->altstack, 0, sizeof(t->altstack));
	t->altstack.ss_flags = SS_DISABLE;
}
