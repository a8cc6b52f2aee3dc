#ifndef KERN_CRED_H
#define KERN_CRED_H

/* Who the current process is.  kernel/linux/cred.c */

#include <stdint.h>

struct cred { /* struct ucred of unix(7) */
	uint32_t pid, uid, gid;
};

/* The effective ids; zeroes in a kernel thread. */
void cred_current(struct cred *);

#endif /* KERN_CRED_H */
