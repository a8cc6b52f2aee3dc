#include "task_int.h"

#include <stdarg.h>

#include "kern/arch.h"
#include "kern/console.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/net.h"
#include "kern/string.h"
#include "signal_int.h"
#include "syscalls.h"

/* How long the last data may take to reach its peers. */
#define DRAIN_MAX (2 * NSEC_PER_SEC)

void report(const char *fmt, ...)
{
	char line[512] = "osv: ";
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line + 5, sizeof(line) - 6, fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(line) - 7)
		n = sizeof(line) - 7;
	line[n + 5] = '\n';
	console_write(line, (size_t)n + 6);
}

static void report_death(const struct proc *p)
{
	const char *name = p->exe ? p->exe : p->comm;
	char where[64] = "";
	size_t n = 0;

	if (p->fatal_signal == 0) {
		report("%s: exited with status %d", name, p->exit_code);
		return;
	}
	if (p->fatal.known)
		n = (size_t)snprintf(
		    where, sizeof(where), " at %#lx", p->fatal.rip);
	if (p->fatal.known && p->fatal.has_addr)
		snprintf(where + n, sizeof(where) - n, ", address %#lx",
		    p->fatal.addr);
	report("%s: killed by signal %d (%s)%s", name, p->fatal_signal,
	    signal_name(p->fatal_signal), where);
}

/* The first process has gone: say how, and stop the machine. */
static _Noreturn void machine_stop(struct proc *p)
{
	int status = p->fatal_signal ? 128 + p->fatal_signal : p->exit_code;

	/* Peers get the rest and see their connections end. */
	fd_close_all(p->files);
	net_drain(DRAIN_MAX);
	report_death(p);
	platform_halt(shutdown_how(), status);
}

void task_exit(int code)
{
	struct task *t = task_self();
	struct proc *p = t->proc;

	futex_exit_robust(t);
	futex_exit_pi(t);
	if (t->clear_child_tid && user_store32(t->clear_child_tid, 0) == 0)
		futex_wake_word(t->clear_child_tid, 1);
	if (p->leader == t && !p->exiting)
		p->exit_code = code;
	if (task_leave(t))
		machine_stop(p);
	thread_exit();
}

/* Every thread of (p) but (self), which may be none of them. */
static void tell_to_exit(struct proc *p, const struct task *self)
{
	struct task *t;

	list_foreach (t, &p->tasks, link) {
		if (t == self)
			continue;
		atomic_fetch_or(&t->thread->app_work, APP_WORK_EXIT);
		thread_interrupt(t->thread);
	}
}

void proc_kill_locked(struct proc *p, int code, int sig)
{
	if (p->exiting)
		return;
	p->exiting = true;
	p->exit_code = code;
	p->fatal_signal = sig;
	tell_to_exit(p, thread_self()->task);
}

void proc_exit(int code, int sig)
{
	struct proc *p = proc_self();
	unsigned long flags = spin_lock_irqsave(&p->lock);

	proc_kill_locked(p, code, sig);
	spin_unlock_irqrestore(&p->lock, flags);
	task_exit(code);
}

int proc_single_thread(struct task *self)
{
	struct proc *p = self->proc;
	unsigned long flags = spin_lock_irqsave(&p->lock);
	int r = 0;

	if (p->exiting || p->execing) {
		spin_unlock_irqrestore(&p->lock, flags);
		return -EAGAIN;
	}
	p->execing = true;
	tell_to_exit(p, self);
	while (p->ntask > 1 && r == 0)
		(void)waitq_wait(
		    &p->exec_wait, &p->lock, &flags, TIME_NEVER, 0);
	p->leader = self;
	/* Whichever thread it was: it is the process now. */
	thread_take_id(p->pid);
	spin_unlock_irqrestore(&p->lock, flags);
	return 0;
}

long sys_exit(int code)
{
	task_exit(code & 0xff);
}

long sys_exit_group(int code)
{
	proc_exit(code & 0xff, 0);
}
