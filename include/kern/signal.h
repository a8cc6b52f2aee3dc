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

#endif /* KERN_SIGNAL_H */
