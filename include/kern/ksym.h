#ifndef KERN_KSYM_H
#define KERN_KSYM_H

/* Names of kernel functions.  Any context.  kernel/base/ksym.c */

#include <stdint.h>

/* The function that (addr) is in and the offset in it; NULL: none known. */
const char *ksym_find(uint64_t addr, uint64_t *off);

#endif /* KERN_KSYM_H */
