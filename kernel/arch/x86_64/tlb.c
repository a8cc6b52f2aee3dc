/*
 * Making all processors forget what a page table said.
 *
 * A flush waits for other processors, which may not even run (the hypervisor
 * has others to serve): what can be left out is worth most.
 *
 *   - Only cpus that have the table loaded are asked.  Another one that loads
 *     it does so after the change, and sees the change.
 *   - A cpu that runs a kernel thread keeps the program's table loaded, but
 *     touches nothing in the lower half: it is lazy.  It is not interrupted;
 *     it is marked stale, and forgets everything when it goes on with a
 *     program's thread of that table.
 *   - Unless a table itself is to be freed: the processor may walk through it
 *     at any time by speculation.  Then lazy cpus are interrupted too, and
 *     change to the kernel's table, so that they are asked once only.
 *
 * Who changes (tlb): its own cpu makes it TLB_ACTIVE or TLB_LAZY; the others
 * change TLB_LAZY to TLB_STALE and nothing else.  The interleavings, all with
 * sequentially consistent accesses:
 *
 *     flush: entry = 0; look at (pgtable); LAZY -> STALE or interrupt
 *     cpu:   exchange (tlb) with ACTIVE, forget all if it was STALE; access
 *
 *   The exchange comes first: the flush finds ACTIVE and interrupts.  It comes
 *   last: it finds STALE, and nothing remembered is used in between.
 *
 *     cpu:   tlb = ACTIVE; pgtable = new; load CR3; access
 *
 *   A flush of (new) that does not see the store of (pgtable) has changed the
 *   entry before CR3 is loaded.  One that sees it sees ACTIVE as well, or the
 *   LAZY of later.  A flush of the table from before that comes late may mark
 *   (new) as stale, which costs a flush, or interrupt, which flush_here()
 *   ignores: loading CR3 has made the cpu forget.
 *
 * Two cpus that flush at once serve each other: they wait with interrupts on.
 */

#include "kern/compiler.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/panic.h"
#include "kern/sched.h"

#include "arch_int.h"

/* From here on it is cheaper to forget everything. */
#define FLUSH_PAGES_MAX 32

enum tlb_state { TLB_LAZY, TLB_STALE, TLB_ACTIVE };

struct flush {
	uintptr_t va, end;
	struct pgtable *pt;
};

static void table_load(struct arch_cpu *a, struct pgtable *pt)
{
	__atomic_store_n(&a->pgtable, pt, __ATOMIC_SEQ_CST);
	write_cr3((uintptr_t)pt - DIRECT_MAP_BASE);
}

void tlb_switch(struct pgtable *pt)
{
	struct arch_cpu *a = cpu_self()->arch;
	unsigned was = atomic_load_explicit(&a->tlb, memory_order_relaxed);

	if (!pt) {
		/* A cpu that is stale stays so. */
		if (was == TLB_ACTIVE)
			atomic_store_explicit(
			    &a->tlb, TLB_LAZY, memory_order_release);
		return;
	}
	if (was != TLB_ACTIVE)
		was = atomic_exchange(&a->tlb, TLB_ACTIVE);
	if (pt != a->pgtable)
		table_load(a, pt);
	else if (was == TLB_STALE)
		write_cr3(read_cr3());
}

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

/* Interrupts off. */
static void flush_here(void *arg)
{
	struct arch_cpu *a = cpu_self()->arch;
	const struct flush *f = arg;
	bool kernel = f->pt == pgtable_kernel();

	if (!kernel && a->pgtable != f->pt)
		return;
	if (!kernel && a->tlb != TLB_ACTIVE) {
		table_load(a, pgtable_kernel());
		return;
	}
	if (f->end - f->va > FLUSH_PAGES_MAX * PAGE_SIZE) {
		flush_everything(kernel);
		return;
	}
	for (uintptr_t va = f->va; va < f->end; va += PAGE_SIZE)
		invlpg(va);
}

/* Must (a)'s cpu be interrupted?  If not, it is taken care of. */
static bool must_ask(struct arch_cpu *a, struct pgtable *pt, bool tables)
{
	unsigned lazy = TLB_LAZY;

	if (pt == pgtable_kernel())
		return true;
	if (__atomic_load_n(&a->pgtable, __ATOMIC_SEQ_CST) != pt)
		return false;
	if (tables)
		return true;
	return !atomic_compare_exchange_strong(&a->tlb, &lazy, TLB_STALE) &&
	       lazy != TLB_STALE;
}

/* Have (fn) called, here and on all cpus that use the table. */
static void flush(struct flush *f, bool tables, void (*fn)(void *))
{
	struct cpu_set set = { 0 };
	unsigned long flags;
	struct cpu *self;

	preempt_disable();
	self = cpu_self();
	atomic_thread_fence(memory_order_seq_cst);
	for (unsigned i = 0; i < CPU_MAX && cpus[i]; i++)
		if (cpus[i] != self && cpus[i]->online &&
		    must_ask(cpus[i]->arch, f->pt, tables))
			set.bits[i / 64] |= 1ull << (i % 64);
	flags = irq_save();
	fn(f);
	irq_restore(flags);
	cpu_call_set(&set, fn, f);
	preempt_enable();
}

void pt_flush_free(struct pgtable *pt, uintptr_t va, size_t len, void *tables)
{
	struct flush f = { ALIGN_DOWN(va, PAGE_SIZE),
		ALIGN_UP(va + len, PAGE_SIZE), pt };

	flush(&f, tables != NULL, flush_here);
	pt_free_tables(tables);
}

void pt_flush(struct pgtable *pt, uintptr_t va, size_t len)
{
	pt_flush_free(pt, va, len, NULL);
}

static void leave_here(void *arg)
{
	struct arch_cpu *a = cpu_self()->arch;
	const struct flush *f = arg;

	if (a->pgtable == f->pt)
		table_load(a, pgtable_kernel());
}

/* A kernel thread may still run on it, here or elsewhere. */
void tlb_leave(struct pgtable *pt)
{
	struct flush f = { .pt = pt };

	flush(&f, true, leave_here);
}
