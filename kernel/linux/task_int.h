#ifndef LINUX_TASK_INT_H
#define LINUX_TASK_INT_H

/*
 * The program's view: a process (struct proc) with its threads (struct task).
 * task.c makes and finds them, exit.c ends them.
 */

#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/resource.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "kern/app.h"
#include "kern/arch.h"
#include "kern/compiler.h"
#include "kern/list.h"
#include "kern/lock.h"
#include "kern/platform.h"
#include "kern/poll.h"
#include "kern/sched.h"
#include "vdso_int.h"

struct dentry;
struct fdtable;
struct fs_ctx;
struct futex_waiter;
struct itimers; /* sys_itimer.c */
struct vm_space;

#define NSIG_ALL 64

/* stack_t.ss_flags: in no UAPI header. */
#define SS_ONSTACK    1
#define SS_DISABLE    2
#define SS_AUTODISARM (1u << 31)

#define RLIM_COUNT    RLIM_NLIMITS

/* Signals that were raised and not taken yet; proc->lock protects it. */
struct sigqueue {
	uint64_t set;        /* bit (sig - 1) */
	struct list entries; /* struct sigentry, in order */
};

/* An interrupted call that goes on with restart_syscall(2). */
struct restart {
	long (*fn)(struct restart *);
	uint64_t deadline;
	uint64_t arg[4];
};

struct task {
	struct thread *thread;
	struct proc *proc;
	struct list link; /* proc->tasks */
	struct rcu_head rcu;
	uint64_t start_time;

	/* The registers of a call that is marked SYSCALL_FRAME, else NULL. */
	struct trapframe *tf;

	/* proc->lock protects: others send to this thread. */
	struct sigqueue pending;
	uint64_t blocked;
	uint64_t waited; /* rt_sigtimedwait: taken though blocked */

	/* The thread's own. */
	uint64_t saved_blocked; /* sigsuspend, ppoll: the mask to go back to */
	bool restore_blocked;
	stack_t altstack;
	struct restart restart;
	uint32_t *clear_child_tid; /* the program's */
	uint32_t *set_child_tid;
	uintptr_t robust_list;
	struct list pi_waiters; /* of the locks it has: see futex_pi.c */
	struct futex_waiter *pi_blocked;
	int pi_lent;
	bool pi_gone;
	/* futex_wait(): how long to look first, ns; 0: not known yet. */
	uint32_t spin, spin_pause;
	const uint32_t *wait_word; /* what it has looked at last */
	const uint32_t *lock_word; /* the last that turned out to be a lock */
	int pdeath_signal;
	uint64_t trapno, trap_error, trap_addr; /* of the last fault */
	unsigned ioprio;
	uint64_t timer_slack;
	void (*entry)(struct task *); /* kernel's first steps of the thread */
	struct trapframe start;       /* for entry(): where it will begin */
};

struct proc {
	uint32_t pid, ppid, pgid, sid;
	struct list link; /* all processes */

	/* A spinlock, irqsave: timers raise signals in event context. */
	struct spinlock lock;
	struct list tasks;
	unsigned ntask;
	struct task *leader; /* NULL once it has gone */
	struct sigqueue pending;
	struct sigaction action[NSIG_ALL + 1];
	unsigned nqueued; /* signals with an entry of their own */
	struct poll_head signal_poll;
	bool exiting; /* every thread must go */
	bool execing;
	int exit_code;
	int fatal_signal; /* 0: exited */
	struct {
		bool known, has_addr;
		uintptr_t rip, addr;
	} fatal;                /* where a fault was the reason */
	struct waitq exec_wait; /* for the other threads to go */

	struct vm_space *vm;
	struct vdso_place vdso;
	struct fdtable *files;
	struct fs_ctx *fs;

	/* Timers; sys_itimer.c and posix_timer.c. */
	struct itimers *itimers;
	struct mutex timer_lock;
	struct list posix_timers;
	int next_timer_id;

	/* Set by exec; exec_lock protects them against /proc readers. */
	struct mutex exec_lock;
	char *exe;            /* absolute path */
	bool allow_wx;        /* wx.c */
	_Atomic bool wx_used; /* asked for, and logged */
	char comm[16];
	uintptr_t arg_start, arg_end, env_start, env_end;
	uintptr_t stack_top;
	uint64_t auxv[2 * 24];
	unsigned auxv_len; /* bytes */

	struct rlimit64 rlim[RLIM_COUNT];
	uint32_t uid, euid, suid, fsuid, gid, egid, sgid, fsgid;
	uint32_t groups[32];
	unsigned ngroups;
	uint64_t cap_effective, cap_permitted, cap_inheritable;
	uint32_t personality;
	bool dumpable, no_new_privs, subreaper, keepcaps;
	int thp_disable;
	int oom_score_adj;
	_Atomic uint64_t dead_cpu_time; /* of threads that have gone */
	uint64_t start_time;
	_Atomic uint32_t membarrier_registered;
};

/* wx.c: is (exe) a program that may have memory writable and executable? */
bool wx_allowed(const char *exe);
/* 0, or -EACCES when (prot) has both and may not; (what) goes to the log, the
 * first time. */
int wx_check(int prot, const char *what);
void wx_note(struct proc *, const char *what);

static inline struct task *task_self(void)
{
	return thread_self()->task;
}

static inline struct proc *proc_self(void)
{
	return thread_self()->task->proc;
}

/* A process with one thread that will run entry(task) in the kernel. */
int proc_create(struct proc **, struct task **, const char *name,
    void (*entry)(struct task *));
/* One more thread of (p).  Not started.  -ENOMEM, -EAGAIN. */
int task_create(struct proc *p, const char *name, void (*entry)(struct task *),
    struct task **);
void task_start(struct task *);
void task_destroy_unstarted(struct task *);
/* Take a thread that ends off its process; true: it was the last. */
bool task_leave(struct task *);

/* proc_list_lock is held by the callers of these. */
extern struct spinlock proc_list_lock;
extern struct list proc_list;
struct proc *proc_find(uint32_t pid);

/* The thread (tid) of (p), whose lock is held; NULL when there is none. */
struct task *proc_task(struct proc *p, uint32_t tid);

/* CPU time of all threads, ns. */
uint64_t proc_cpu_time(struct proc *);
uint64_t proc_cpu_time_locked(const struct proc *); /* p->lock is held */

/* The first process: the program on the command line. */
extern struct proc *proc_init;

/* --- exit.c ------------------------------------------------------------- */

/* The current thread goes. */
_Noreturn void task_exit(int code);
/* The whole process goes, with exit status (code) or by (sig). */
_Noreturn void proc_exit(int code, int sig);
/* Begin it without leaving: for another process or event context. */
void proc_kill_locked(struct proc *, int code, int sig);
/* All threads but the current go; 0, or -EAGAIN when we must go as well. */
int proc_single_thread(struct task *);

/* A line for the one who reads the console: "osv: " is put before it. */
void report(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* --- oom.c -------------------------------------------------------------- */

/* There is no page for the current thread: report it; the process goes when
 * the thread leaves the kernel. */
void oom_kill_self(void);

/* --- futex.c ------------------------------------------------------------ */

/* The current thread goes: mark what it held. */
void futex_exit_robust(struct task *);
void futex_exit_pi(struct task *);
/* The priority of a thread that may wait for a lock has been set. */
void futex_pi_priority_set(struct thread *);
/* Wake (n) waiters of a word, for a thread that goes. */
void futex_wake_word(uint32_t *user, unsigned n);

/* --- app.c, shutdown.c -------------------------------------------------- */

void app_init(void);
void shutdown_init(void);
/* How the machine is to stop: what the host asked for, or power-off. */
enum platform_halt shutdown_how(void);

#endif /* LINUX_TASK_INT_H */
