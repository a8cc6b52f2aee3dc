#ifndef LINUX_VDSO_INT_H
#define LINUX_VDSO_INT_H

/* The vDSO in a program's address space.  vdso.c */

#include <stdint.h>

struct vm_space;

void vdso_init(void);

/* Where vdso_map() put it; 0: the program has none. */
struct vdso_place {
	uintptr_t base;  /* of the ELF file */
	uintptr_t again; /* see kern/vdso.h */
};
void vdso_map(struct vm_space *, struct vdso_place *);

#endif /* LINUX_VDSO_INT_H */
