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

/* One raised signal. */
struct sigentry {
	struct list link;
	siginfo_t info;
	bool owned; /* by a timer: not freed, link empty when not queued */
};

/* Before the program goes on: act on signals, or finish an interrupted call. */
void signal_work(struct trapframe *tf);
/* "SIGSEGV" */
const char *signal_name(int sig);

void signal_fault(
    struct trapframe *tf, enum app_fault kind, uintptr_t addr, int err);

/* A new program begins in (t): handlers go, what is ignored stays so. */
void signal_exec(struct task *t);

/* The least that a signal stack must hold: AT_MINSIGSTKSZ. */
size_t signal_stack_min(void);

#endif /* LINUX_SIGNAL_INT_H */
