#ifndef LINUX_SIGNAL_INT_H
#define LINUX_SIGNAL_INT_H

/*
 * Signals.  signal.c raises, queues and takes them; sig_deliver.c acts on
 * them; sigframe.c is the layout on the program's stack; sys_signal.c has the
 * calls.  proc->lock protects queues, masks and actions.
 * Source: signal(7), and Linux's x86-64 signal frame
 */

#include <asm/siginfo.h>
#include <asm/signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kern/app.h"
#include "kern/list.h"
#include "kern/signal.h"

struct proc;
struct sigqueue;
struct task;
struct trapframe;

#define SIGBIT(sig)       (1ul << ((sig)-1))
#define SIG_RT_FIRST      32
#define SIG_NEVER_BLOCKED (SIGBIT(SIGKILL) | SIGBIT(SIGSTOP))
#define SIG_SYNCHRONOUS                                                        \
	(SIGBIT(SIGSEGV) | SIGBIT(SIGBUS) | SIGBIT(SIGILL) | SIGBIT(SIGTRAP) | \
	    SIGBIT(SIGFPE) | SIGBIT(SIGSYS))

/* One raised signal. */
struct sigentry {
	struct list link; /* on no list: not pending */
	struct sigqueue *queue;
	siginfo_t info;
	/* NULL: freed when taken.  Else the owner's: told, with proc->lock
	 * held, that it is being taken; may complete (info). */
	void (*taken)(struct sigentry *, siginfo_t *info);
};

/* --- signal.c ----------------------------------------------------------- */

/* "SIGSEGV" */
const char *signal_name(int sig);

/* What a signal does when nobody asked. */
enum sig_default {
	SIG_DO_TERMINATE,
	SIG_DO_IGNORE,
	SIG_DO_STOP,
	SIG_DO_CONTINUE
};
enum sig_default signal_default(int sig);

/*
 * Send to the thread (tid) of (p), or to the process with (tid) 0.  Any
 * context.  0; -ESRCH: no such thread; -EAGAIN: too many are queued.
 */
int signal_send(struct proc *p, uint32_t tid, const siginfo_t *info);

/* p->lock is held for these. */
/* Send with an entry of the caller's.  -EALREADY: it is pending; -ECANCELED:
 * the signal is ignored; -ESRCH. */
int signal_send_entry_locked(struct proc *p, uint32_t tid, struct sigentry *e);
/* Take an entry of the caller's back. */
void signal_cancel_entry_locked(struct sigentry *e);
/* Take one signal of (mask) for (t): its number, or 0. */
int signal_take_locked(struct task *t, uint64_t mask, siginfo_t *info);
/* Drop what is pending of (mask), of the process and all its threads. */
void signal_flush_locked(struct proc *p, uint64_t mask);

void signal_set_blocked(uint64_t blocked); /* the current thread's */
/* Drop what is left of a thread that goes. */
void signal_task_gone(struct task *t);

/* A signal from kill(2) and its like: (code) is SI_USER, SI_TKILL. */
void signal_info_user(siginfo_t *info, int sig, int code);

/* --- sig_deliver.c ------------------------------------------------------ */

/* Before the program goes on: act on signals, or finish an interrupted call. */
void signal_work(struct trapframe *tf);
void signal_fault(
    struct trapframe *tf, enum app_fault kind, uintptr_t addr, int err);
/* A signal that cannot be blocked or ignored, at the current thread. */
void signal_force(const siginfo_t *info);

/* A new program begins in (t): handlers go, what is ignored stays so. */
void signal_exec(struct task *t);

/* --- sigframe.c --------------------------------------------------------- */

/* The least that a signal stack must hold: AT_MINSIGSTKSZ. */
size_t signal_stack_min(void);

/* Make (tf) enter the handler of (act) on a new frame; (blocked) is the mask
 * to go back to.  0 or -EFAULT. */
int sigframe_push(struct task *t, struct trapframe *tf,
    const struct sigaction *act, const siginfo_t *info, uint64_t blocked);
/* rt_sigreturn: the registers and mask of the frame at (tf)'s stack. */
int sigframe_pop(struct task *t, struct trapframe *tf);

/* Is (sp) on the thread's alternate stack? */
bool sigframe_on_altstack(const struct task *t, uintptr_t sp);

#endif /* LINUX_SIGNAL_INT_H */
