#ifndef ARCH_SITE_H
#define ARCH_SITE_H

/* Call sites that are rewritten: door (c).  site.c */

#include <stdbool.h>

struct trapframe;

/* (tf) has come by the syscall instruction: if it is part of a site that can
 * be rewritten, that is done.  Thread context. */
void site_look(const struct trapframe *tf);

/* The program was interrupted in a stub: it was at the site.  Any context. */
void site_leave_stub(struct trapframe *tf);

/* A single step has led into a stub, or the program has jumped into the middle
 * of a site: true, and the call has been made.  Thread context. */
bool site_stepped(struct trapframe *tf);
bool site_trapped(struct trapframe *tf);

/* Where stubs jump to: the address to come back to in rcx. */
void door_site_entry(void);
extern char door_site_exit[], door_site_jump[];

#endif /* ARCH_SITE_H */
