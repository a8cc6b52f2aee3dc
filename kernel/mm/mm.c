/* Boot of the memory management, shrinkers and statistics. */

#include "kern/arch.h"
#include "kern/mm.h"
#include "kern/panic.h"
#include "kern/percpu.h"
#include "kern/sched.h"
#include "mm_int.h"

static struct mm_cpu boot_mm_cpu;
static _Atomic(struct shrinker *) shrinkers;
static _Atomic int64_t file_bytes;
static _Atomic int64_t anon_pages;

bool mm_may_block(void)
{
	struct cpu *c = cpu_self();

	return irq_enabled() && c->preempt_off == 0 && !c->in_irq &&
	       thread_self() && !thread_self()->in_shrinker;
}

/* Registration is for ever, so that the list can be walked without a lock. */
void shrinker_register(struct shrinker *s)
{
	struct shrinker *head = atomic_load(&shrinkers);

	do {
		s->next = head;
	} while (!atomic_compare_exchange_weak(&shrinkers, &head, s));
}

bool mm_shrink(size_t bytes)
{
	struct thread *t = thread_self();
	size_t got = 0;

	/* A shrinker that allocates must not come back here. */
	t->in_shrinker = true;
	for (struct shrinker *s = shrinkers; s && got < bytes; s = s->next)
		got += s->shrink(bytes - got, true);
	t->in_shrinker = false;
	return got > 0;
}

void mm_account_file(int64_t delta)
{
	atomic_fetch_add_explicit(&file_bytes, delta, memory_order_relaxed);
}

void mm_account_anon(int64_t pages)
{
	atomic_fetch_add_explicit(&anon_pages, pages, memory_order_relaxed);
}

static uint64_t positive(int64_t n)
{
	return n > 0 ? (uint64_t)n : 0;
}

void mm_stats(struct mm_stats *st)
{
	*st = (struct mm_stats){ 0 };
	page_stats(st);
	st->slab = slab_bytes();
	st->kstacks = kstack_bytes();
	st->page_tables = pgtable_bytes();
	st->anon = positive(atomic_load(&anon_pages)) << PAGE_SHIFT;
	st->file_cache = positive(atomic_load(&file_bytes));
}

void mm_init(void)
{
	cpu_self()->mm = &boot_mm_cpu;
	page_init();
	slab_init();
}

void mm_cpu_init(struct cpu *c)
{
	if (c->mm)
		return;
	c->mm = kzalloc(sizeof(*c->mm));
	if (!c->mm)
		panic("no memory for cpu %u", c->id);
}
