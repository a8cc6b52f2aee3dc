#ifndef ARCH_FPU_H
#define ARCH_FPU_H

/* fpu.c: the vector registers, which only programs use. */

#include <stdbool.h>

struct cpu;
struct thread;

void fpu_init(void);     /* once, on the boot cpu */
void fpu_cpu_init(void); /* on every cpu */

/* (t)->arch.fpu is set; (c) is the caller's; interrupts off.  What is said of
 * the registers holds for FS base as well. */
void fpu_save(struct cpu *c, struct thread *t);
bool fpu_loaded(const struct cpu *c, const struct thread *t);
void fpu_load(struct cpu *c, struct thread *t);

int fpu_create(struct thread *t); /* 0 or -ENOMEM */
void fpu_destroy(struct thread *t);

#endif /* ARCH_FPU_H */
