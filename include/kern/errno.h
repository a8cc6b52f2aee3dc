#ifndef KERN_ERRNO_H
#define KERN_ERRNO_H

/* Linux's own numbers, from Debian's linux-libc-dev. */
#include <linux/errno.h>

#endif /* KERN_ERRNO_H */
