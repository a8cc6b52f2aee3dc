#ifndef LINUX_FIXTURE_H
#define LINUX_FIXTURE_H

/*
 * One process with some threads, for host tests of kernel/linux; the
 * program's memory is the test's own.
 */

#include "../../../kernel/linux/task_int.h"

#define FIXTURE_THREADS 4

extern struct proc fixture_proc;
extern struct task fixture_task[FIXTURE_THREADS];

/* Everything as after a start: threads with the ids 101... */
void fixture_reset(void);
/* Run as thread (i). */
void fixture_become(unsigned i);
/* Has thread (i) been told to look for signals?  Forgets it. */
bool fixture_woken(unsigned i);

/* Accesses to the program's memory from (n) on fail once; 0: never. */
extern unsigned fixture_fault_at;

/* Called before each look at a word that may fault; NULL: nothing. */
extern void (*fixture_on_load)(void);
extern void (*fixture_on_find)(void); /* of thread_find() */

#endif /* LINUX_FIXTURE_H */
