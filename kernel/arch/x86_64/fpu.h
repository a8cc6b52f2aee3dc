#ifndef ARCH_FPU_H
#define ARCH_FPU_H

/* fpu.c: the vector registers, which only programs use. */

#include <stdbool.h>
#include <stdint.h>

#include "kern/sched.h"

#include "arch_int.h"

struct fpu_state {
	unsigned last_cpu; /* whose registers may still hold (area) */
	uint8_t pad[60];
	uint8_t area[];
};

extern uint64_t fpu_features; /* as in XCR0; 0: FXSAVE only */

void fpu_init(void);     /* once, on the boot cpu */
void fpu_cpu_init(void); /* on every cpu */

/* (optimise): parts that are as they were loaded may be left out. */
void fpu_area_save(uint8_t *area, bool optimise);
void fpu_area_load(const uint8_t *area);

/*
 * For a switch: (t)->arch.fpu is set; (c) is the caller's; interrupts off.
 * What is said of the registers holds for FS base as well.
 */

static inline void fpu_saved(struct cpu *c, struct thread *t)
{
	struct fpu_state *f = t->arch.fpu;

	f->last_cpu = c->id;
	c->arch->fpu_owner = t;
}

/* For cpu_features.fast_switch: both in one. */
static inline void fpu_exchange(
    struct cpu *c, struct thread *prev, struct thread *next)
{
	struct fpu_state *p = prev->arch.fpu, *n = next->arch.fpu;
	uint32_t which = (uint32_t)fpu_features;

	__asm__ volatile("xsaveopt64 (%0)" ::"r"(p->area), "a"(which), "d"(0)
			 : "memory");
	p->last_cpu = c->id;
	__asm__ volatile("xrstor64 (%0)" ::"r"(n->area), "a"(which), "d"(0)
			 : "memory");
	c->arch->fpu_owner = next;
}

static inline void fpu_save(struct cpu *c, struct thread *t)
{
	struct fpu_state *f = t->arch.fpu;

	fpu_area_save(f->area, true);
	fpu_saved(c, t);
}

/*
 * Do the registers hold (t)'s?  They do when nobody else's state was loaded
 * here since (t) was saved here.  A new thread in the place of one that is gone
 * has no last_cpu yet.
 */
static inline bool fpu_loaded(const struct cpu *c, const struct thread *t)
{
	const struct fpu_state *f = t->arch.fpu;

	return c->arch->fpu_owner == t && f->last_cpu == c->id;
}

static inline void fpu_load(struct cpu *c, struct thread *t)
{
	struct fpu_state *f = t->arch.fpu;

	fpu_area_load(f->area);
	c->arch->fpu_owner = t;
}

int fpu_create(struct thread *t); /* 0 or -ENOMEM */
void fpu_destroy(struct thread *t);

#endif /* ARCH_FPU_H */
