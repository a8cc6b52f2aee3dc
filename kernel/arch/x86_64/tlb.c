/* Making all processors forget what a page table said. */

#include "kern/compiler.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/panic.h"
#include "kern/sched.h"

#include "arch_int.h"

/* From here on it is cheaper to forget everything. */
#define FLUSH_PAGES_MAX 32

struct flush {
	uintptr_t va, end;
	struct pgtable *pt;
};

/* The kernel's entries are global: only a change of CR4.PGE drops all. */
static void flush_everything(bool kernel)
{
	if (kernel) {
		uint64_t cr4 = read_cr4();

		write_cr4(cr4 & ~(uint64_t)CR4_PGE);
		write_cr4(cr4);
	} else {
		write_cr3(read_cr3());
	}
}

static void flush_here(void *arg)
{
	const struct flush *f = arg;

	if (f->end - f->va > FLUSH_PAGES_MAX * PAGE_SIZE) {
		flush_everything(f->pt == pgtable_kernel());
		return;
	}
	for (uintptr_t va = f->va; va < f->end; va += PAGE_SIZE)
		invlpg(va);
}

/*
 * arch_switch() publishes the table before it loads it: a cpu that is not seen
 * to use it loads it after the change, and sees the change.
 */
static bool cpu_uses(const struct cpu *c, struct pgtable *pt)
{
	return c->online &&
	       (pt == pgtable_kernel() ||
		   __atomic_load_n(&c->arch->pgtable, __ATOMIC_SEQ_CST) == pt);
}

void pt_flush(struct pgtable *pt, uintptr_t va, size_t len)
{
	struct flush f = { ALIGN_DOWN(va, PAGE_SIZE),
		ALIGN_UP(va + len, PAGE_SIZE), pt };
	struct cpu_set set = { 0 };
	struct cpu *self;

	preempt_disable();
	self = cpu_self();
	atomic_thread_fence(memory_order_seq_cst);
	for (unsigned i = 0; i < CPU_MAX && cpus[i]; i++)
		if (cpus[i] != self && cpu_uses(cpus[i], pt))
			set.bits[i / 64] |= 1ull << (i % 64);
	if (cpu_uses(self, pt))
		flush_here(&f);
	cpu_call_set(&set, flush_here, &f);
	preempt_enable();
}
