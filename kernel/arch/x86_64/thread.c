/* A thread's part of the processor: its stack, FS base and vector state. */

#include "kern/compiler.h"
#include "kern/num.h"
#include "kern/sched.h"
#include "kern/string.h"
#include "kern/vm.h"

#include "arch_int.h"
#include "fpu.h"

void arch_thread_init(struct thread *t, void (*fn)(void *), void *arg)
{
	/* what switch_stacks() pops: r15 r14 r13 r12 rbx rbp, and its ret */
	uint64_t *sp = (uint64_t *)(t->arch.kstack_top - 16) - 7;

	memset(sp, 0, 9 * sizeof(*sp));
	sp[3] = (uintptr_t)arg;
	sp[4] = (uintptr_t)fn;
	sp[6] = (uintptr_t)thread_first;
	t->arch.rsp = (uintptr_t)sp;
	t->arch.fs_base = 0;
	t->arch.fpu = NULL;
}

static struct pgtable *pgtable_of(const struct thread *t)
{
	return t->vm ? vm_space_pgtable(t->vm) : NULL;
}

static uint64_t read_fs_base(const struct thread *t)
{
	uint64_t v;

	if (!cpu_features.fsgsbase)
		return t->arch.fs_base;
	__asm__ volatile("rdfsbase %0" : "=r"(v));
	return v;
}

static void write_fs_base(uint64_t v)
{
	if (cpu_features.fsgsbase)
		__asm__ volatile("wrfsbase %0" ::"r"(v));
	else
		wrmsr(MSR_FS_BASE, v);
}

/* All that (prev) and (next) may need. */
static NOINLINE void switch_any(
    struct cpu *c, struct thread *prev, struct thread *next)
{
	if (prev->arch.fpu) {
		prev->arch.fs_base = read_fs_base(prev);
		fpu_save(c, prev);
	}
	if (prev->vm != next->vm)
		tlb_switch(pgtable_of(next));
	if (next->arch.fpu && !fpu_loaded(c, next)) {
		write_fs_base(next->arch.fs_base);
		fpu_load(c, next);
	}
	switch_stacks(&prev->arch.rsp, next->arch.rsp);
}

/*
 * Between two threads of one program on a processor of today nothing has to be
 * called, so that no registers are saved but by switch_stacks().
 */
void arch_switch(struct thread *prev, struct thread *next)
{
	struct cpu *c = cpu_self();

	c->kstack_top = next->arch.kstack_top;
	if (unlikely(!prev->arch.fpu || !next->arch.fpu ||
		     prev->vm != next->vm || !cpu_features.fast_switch)) {
		switch_any(c, prev, next);
		return;
	}
	__asm__ volatile("rdfsbase %0" : "=r"(prev->arch.fs_base));
	__asm__ volatile("wrfsbase %0" ::"r"(next->arch.fs_base));
	fpu_exchange(c, prev, next);
	switch_stacks(&prev->arch.rsp, next->arch.rsp);
}

void arch_set_fs_base(uint64_t base)
{
	unsigned long flags = irq_save();

	thread_self()->arch.fs_base = base;
	write_fs_base(base);
	irq_restore(flags);
}

int arch_thread_init_app(struct thread *t)
{
	return fpu_create(t);
}

void arch_thread_destroy(struct thread *t)
{
	fpu_destroy(t);
}

/*
 * The copy is needed because (tf) may be anywhere, and enter_app() wants it
 * deeper on this stack than where it goes.
 */
void arch_enter_app(const struct trapframe *tf)
{
	struct trapframe copy = *tf;
	struct thread *t = thread_self();
	unsigned long flags = irq_save();

	tlb_switch(pgtable_of(t)); /* execve made another */
	irq_restore(flags);
	enter_app(&copy);
}
