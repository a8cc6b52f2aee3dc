#include "signal_int.h"

#include <linux/signalfd.h>

#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/poll.h"
#include "kern/string.h"
#include "task_int.h"

/* Entries that a process may have queued: memory is the kernel's. */
#define QUEUED_MAX 8192

const char *signal_name(int sig)
{
	static const char *const names[] = { "?", "SIGHUP", "SIGINT", "SIGQUIT",
		"SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL",
		"SIGUSR1", "SIGSEGV", "SIGUSR2", "SIGPIPE", "SIGALRM",
		"SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT", "SIGSTOP",
		"SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGXCPU", "SIGXFSZ",
		"SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO", "SIGPWR",
		"SIGSYS" };

	if (sig > 0 && (size_t)sig < ARRAY_SIZE(names))
		return names[sig];
	return "real-time";
}

enum sig_default signal_default(int sig)
{
	switch (sig) {
	case SIGCHLD:
	case SIGURG:
	case SIGWINCH:
		return SIG_DO_IGNORE;
	case SIGCONT:
		return SIG_DO_CONTINUE;
	case SIGSTOP:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
		return SIG_DO_STOP;
	default:
		return SIG_DO_TERMINATE;
	}
}

/* --- queues: proc->lock is held ------------------------------------------ */

static bool is_ignored(const struct proc *p, int sig)
{
	__sighandler_t h = p->action[sig].sa_handler;

	if (h == SIG_IGN)
		return true;
	return h == SIG_DFL && (signal_default(sig) == SIG_DO_IGNORE ||
				   signal_default(sig) == SIG_DO_CONTINUE);
}

/* Some thread keeps it for later, so it may not be dropped. */
static bool is_blocked_by_all(
    const struct proc *p, const struct task *only, int sig)
{
	const struct task *t;

	if (only)
		return (only->blocked & SIGBIT(sig)) != 0;
	list_foreach (t, &p->tasks, link)
		if (!(t->blocked & SIGBIT(sig)))
			return false;
	return true;
}

static bool wants(const struct task *t, int sig)
{
	if (t->waited & SIGBIT(sig))
		return true;
	return !(t->blocked & SIGBIT(sig));
}

static void wake(struct task *t)
{
	atomic_fetch_or(&t->thread->app_work, APP_WORK_SIGNAL);
	thread_interrupt(t->thread);
}

/* Who shall act on a signal of the process: the first thread by preference,
 * as in Linux; nobody when all block it. */
static void wake_one(struct proc *p, int sig, const struct task *except)
{
	struct task *t;

	if (p->leader && p->leader != except && wants(p->leader, sig)) {
		wake(p->leader);
		return;
	}
	list_foreach (t, &p->tasks, link) {
		if (t != except && wants(t, sig)) {
			wake(t);
			return;
		}
	}
}

static void post(struct proc *p, struct task *t, int sig)
{
	if (t)
		t->pending.set |= SIGBIT(sig);
	else
		p->pending.set |= SIGBIT(sig);
	poll_notify(&p->signal_poll, EPOLLIN);
	if (!t)
		wake_one(p, sig, NULL);
	else if (wants(t, sig))
		wake(t);
}

/* Nothing to queue for: true. */
static bool drop_locked(struct proc *p, struct task *t, int sig)
{
	if (p->exiting)
		return true;
	if (sig == SIGKILL) {
		proc_kill_locked(p, 0, SIGKILL);
		/* The current thread is told as well. */
		if (thread_self()->task && thread_self()->task->proc == p) {
			atomic_fetch_or(
			    &thread_self()->app_work, APP_WORK_EXIT);
			thread_interrupt(thread_self());
		}
		return true;
	}
	return is_ignored(p, sig) && !is_blocked_by_all(p, t, sig);
}

static void enqueue(struct sigqueue *q, struct sigentry *e)
{
	e->queue = q;
	list_add_tail(&q->entries, &e->link);
}

static int send_locked(struct proc *p, struct task *t, const siginfo_t *info)
{
	struct sigqueue *q = t ? &t->pending : &p->pending;
	int sig = info->si_signo;
	struct sigentry *e;

	if (drop_locked(p, t, sig))
		return 0;
	if (sig < SIG_RT_FIRST && (q->set & SIGBIT(sig)))
		return 0;
	e = p->nqueued < QUEUED_MAX ? kzalloc(sizeof(*e)) : NULL;
	if (e) {
		e->info = *info;
		enqueue(q, e);
		p->nqueued++;
	} else if (sig >= SIG_RT_FIRST) {
		return -EAGAIN;
	}
	/* Without an entry the signal is taken with empty details. */
	post(p, t, sig);
	return 0;
}

int signal_send(struct proc *p, uint32_t tid, const siginfo_t *info)
{
	unsigned long flags = spin_lock_irqsave(&p->lock);
	struct task *t = tid ? proc_task(p, tid) : NULL;
	int r = tid && !t ? -ESRCH : send_locked(p, t, info);

	spin_unlock_irqrestore(&p->lock, flags);
	return r;
}

int signal_send_entry_locked(struct proc *p, uint32_t tid, struct sigentry *e)
{
	struct task *t = tid ? proc_task(p, tid) : NULL;

	if (tid && !t)
		return -ESRCH;
	if (!list_empty(&e->link))
		return -EALREADY;
	if (drop_locked(p, t, e->info.si_signo))
		return -ECANCELED;
	enqueue(t ? &t->pending : &p->pending, e);
	post(p, t, e->info.si_signo);
	return 0;
}

static bool has_entry(const struct sigqueue *q, int sig)
{
	const struct sigentry *e;

	list_foreach (e, &q->entries, link)
		if (e->info.si_signo == sig)
			return true;
	return false;
}

void signal_cancel_entry_locked(struct sigentry *e)
{
	if (list_empty(&e->link))
		return;
	list_del(&e->link);
	if (!has_entry(e->queue, e->info.si_signo))
		e->queue->set &= ~SIGBIT(e->info.si_signo);
}

static void release(struct proc *p, struct sigentry *e, siginfo_t *info)
{
	list_del(&e->link);
	if (e->taken) {
		e->taken(e, info);
		return;
	}
	p->nqueued--;
	kfree(e);
}

static void take_from(
    struct proc *p, struct sigqueue *q, int sig, siginfo_t *info)
{
	struct sigentry *e;

	memset(info, 0, sizeof(*info));
	info->si_signo = sig;
	list_foreach (e, &q->entries, link) {
		if (e->info.si_signo != sig)
			continue;
		*info = e->info;
		release(p, e, info);
		break;
	}
	if (!has_entry(q, sig))
		q->set &= ~SIGBIT(sig);
}

/* Faults first, then the lowest number. */
static int first_of(uint64_t set)
{
	if (set & SIG_SYNCHRONOUS)
		set &= SIG_SYNCHRONOUS;
	return set ? __builtin_ctzl(set) + 1 : 0;
}

int signal_take_locked(struct task *t, uint64_t mask, siginfo_t *info)
{
	struct sigqueue *q = &t->pending;
	int sig = first_of(q->set & mask);

	if (!sig) {
		q = &t->proc->pending;
		sig = first_of(q->set & mask);
	}
	if (sig)
		take_from(t->proc, q, sig, info);
	return sig;
}

/* Does (t) have anything to act on?  Sets or clears APP_WORK_SIGNAL. */
static void signal_recheck_locked(struct task *t)
{
	uint64_t set = t->pending.set | t->proc->pending.set;

	if (set & ~t->blocked)
		wake(t);
}

static void signal_set_blocked_locked(struct task *t, uint64_t blocked)
{
	struct proc *p = t->proc;
	uint64_t newly, set;

	blocked &= ~SIG_NEVER_BLOCKED;
	newly = blocked & ~t->blocked;
	t->blocked = blocked;
	/* What this thread was woken for and will not take is another's. */
	for (set = p->pending.set & newly; set; set &= set - 1)
		wake_one(p, __builtin_ctzl(set) + 1, t);
	signal_recheck_locked(t);
}

static void flush_queue(struct proc *p, struct sigqueue *q, uint64_t mask)
{
	struct sigentry *e, *next;
	siginfo_t none;

	list_foreach_safe (e, next, &q->entries, link) {
		if (mask & SIGBIT(e->info.si_signo)) {
			none = e->info;
			release(p, e, &none);
		}
	}
	q->set &= ~mask;
}

void signal_flush_locked(struct proc *p, uint64_t mask)
{
	struct task *t;

	flush_queue(p, &p->pending, mask);
	list_foreach (t, &p->tasks, link)
		flush_queue(p, &t->pending, mask);
}

/* --- the rest of the kernel ---------------------------------------------- */

void signal_set_blocked(uint64_t blocked)
{
	struct task *t = task_self();
	unsigned long flags = spin_lock_irqsave(&t->proc->lock);

	signal_set_blocked_locked(t, blocked);
	spin_unlock_irqrestore(&t->proc->lock, flags);
}

void signal_task_gone(struct task *t)
{
	struct proc *p = t->proc;
	unsigned long flags = spin_lock_irqsave(&p->lock);
	uint64_t set;

	flush_queue(p, &t->pending, ~0ul);
	for (set = p->pending.set & ~t->blocked; set; set &= set - 1)
		wake_one(p, __builtin_ctzl(set) + 1, t);
	spin_unlock_irqrestore(&p->lock, flags);
}

void signal_info_user(siginfo_t *info, int sig, int code)
{
	memset(info, 0, sizeof(*info));
	info->si_signo = sig;
	info->si_code = code;
	info->si_pid = (int)proc_self()->pid;
	info->si_uid = proc_self()->uid;
}

void signal_raise_self(int sig)
{
	struct task *t = task_self();
	siginfo_t info;

	signal_info_user(&info, sig, SI_USER);
	(void)signal_send(t->proc, t->thread->id, &info);
}

void signal_raise_process(int sig)
{
	siginfo_t info;

	if (!proc_init)
		return;
	memset(&info, 0, sizeof(info));
	info.si_signo = sig;
	info.si_code = SI_KERNEL;
	(void)signal_send(proc_init, 0, &info);
}

bool signal_pending(void)
{
	return atomic_load(&thread_self()->app_work) != 0;
}

int signal_mask_swap(const uint64_t *new, uint64_t *old)
{
	*old = task_self()->blocked;
	signal_set_blocked(*new);
	return 0;
}

void signal_restore_mask_on_return(uint64_t old)
{
	struct task *t = task_self();

	t->saved_blocked = old;
	t->restore_blocked = true;
	atomic_fetch_or(&t->thread->app_work, APP_WORK_SIGNAL);
}

bool signal_pending_in(uint64_t mask)
{
	struct task *t = task_self();

	return (READ_ONCE(t->pending.set) | READ_ONCE(t->proc->pending.set)) &
	       mask;
}

int signal_dequeue(uint64_t mask, struct signalfd_siginfo *out)
{
	struct task *t = task_self();
	unsigned long flags;
	siginfo_t info;
	int sig;

	flags = spin_lock_irqsave(&t->proc->lock);
	sig = signal_take_locked(t, mask & ~SIG_NEVER_BLOCKED, &info);
	spin_unlock_irqrestore(&t->proc->lock, flags);
	if (!sig)
		return -EAGAIN;
	memset(out, 0, sizeof(*out));
	out->ssi_signo = (uint32_t)sig;
	out->ssi_errno = info.si_errno;
	out->ssi_code = info.si_code;
	if (info.si_code == SI_TIMER) {
		out->ssi_tid = (uint32_t)info.si_tid;
		out->ssi_overrun = (uint32_t)info.si_overrun;
	} else {
		out->ssi_pid = (uint32_t)info.si_pid;
		out->ssi_uid = info.si_uid;
	}
	if (info.si_code < 0) {
		out->ssi_int = info.si_int;
		out->ssi_ptr = (uint64_t)info.si_ptr;
	}
	return 0;
}

struct poll_head *signal_poll_head(void)
{
	return &proc_self()->signal_poll;
}
