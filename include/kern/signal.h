#ifndef KERN_SIGNAL_H
#define KERN_SIGNAL_H

/* Signals, for rooms that raise them.  kernel/linux/signal.c */

#include <stdbool.h>
#include <stdint.h>

struct task;
struct thread;

/* Internal results of an interrupted call; never reach the program. */
#define ERESTARTSYS           512 /* restart if SA_RESTART, else EINTR */
#define ERESTARTNOINTR        513 /* always restart */
#define ERESTARTNOHAND        514 /* EINTR if a handler ran, else restart */
#define ERESTART_RESTARTBLOCK 516 /* the same, after recomputing a timeout */

/* Raise (sig) at the current thread (SIGPIPE, a timer's) or process. */
void signal_raise_self(int sig);
void signal_raise_process(int sig); /* any context */
bool signal_pending(void);          /* for the current thread */

/*
 * ppoll, pselect, epoll_pwait: block (*new) instead of what is blocked now,
 * which goes to (*old).  When the call ends: with a signal pending (-EINTR),
 * signal_restore_mask_on_return(old) lets its handler run with the temporary
 * mask and brings the old one back after it; else swap back.  The current
 * thread's; SIGKILL and SIGSTOP are never blocked.  Bit (sig - 1).
 */
int signal_mask_swap(const uint64_t *new, uint64_t *old);
void signal_restore_mask_on_return(uint64_t old);

/*
 * signalfd: take one pending signal of (mask) (bit sig - 1) from the current
 * thread or its process: 0, or -EAGAIN.  signal_pending_in() only looks.
 */
struct signalfd_siginfo;
int signal_dequeue(uint64_t mask, struct signalfd_siginfo *);
bool signal_pending_in(uint64_t mask);
/* Notified (EPOLLIN) for each signal that becomes pending in the process. */
struct poll_head *signal_poll_head(void);

#endif /* KERN_SIGNAL_H */
