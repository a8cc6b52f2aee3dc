#ifndef ARCH_FPU_H
#define ARCH_FPU_H

/* fpu.c: the vector registers, which only programs use. */

struct thread;

void fpu_init(void);     /* once, on the boot cpu */
void fpu_cpu_init(void); /* on every cpu */

/* (t)->arch.fpu is set; interrupts off. */
void fpu_save(struct thread *t);
void fpu_load(struct thread *t);

int fpu_create(struct thread *t); /* 0 or -ENOMEM */
void fpu_destroy(struct thread *t);

#endif /* ARCH_FPU_H */
