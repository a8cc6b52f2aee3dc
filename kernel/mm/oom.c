/*
 * Out of memory: who holds it, in the words of Linux's mm/oom_kill.c and
 * lib/show_mem.c, which people and tools know how to read.  Counts are pages
 * unless they say kB.  The lines without a namesake are ours.
 */

#include "kern/app.h"
#include "kern/log.h"
#include "kern/percpu.h"
#include "kern/sched.h"
#include "kern/shrink.h"
#include "kern/string.h"
#include "kern/vm.h"
#include "mm_int.h"

#define NBIGGEST 5

struct biggest {
	struct vm_info info[NBIGGEST];
	char name[NBIGGEST][48];
	unsigned n;
};

static unsigned long long pages(uint64_t bytes)
{
	return bytes >> PAGE_SHIFT;
}

static unsigned long long kb(uint64_t bytes)
{
	return bytes >> 10;
}

static void report_memory(const struct mm_stats *st)
{
	uint64_t mark[3];

	page_marks(mark);
	log_err("Mem-Info:");
	log_err("active_anon:%llu inactive_anon:0 isolated_anon:0",
	    pages(st->anon));
	log_err(" active_file:%llu inactive_file:0 isolated_file:0",
	    pages(st->file_cache));
	log_err(" unevictable:0 dirty:0 writeback:0");
	log_err(" slab_reclaimable:0 slab_unreclaimable:%llu", pages(st->slab));
	log_err(" pagetables:%llu kernel_stack:%llu vmalloc:%llu",
	    pages(st->page_tables), pages(st->kstacks), pages(st->vmalloc));
	log_err(" drivers_and_sockets:%llu balloon:%llu", pages(st->rest),
	    pages(st->balloon));
	log_err(" free:%llu", pages(st->free));
	log_err("Node 0 Normal free:%llukB min:%llukB low:%llukB high:%llukB "
		"present:%llukB managed:%llukB",
	    kb(st->free), kb(mark[0]), kb(mark[1]), kb(mark[2]), kb(st->total),
	    kb(st->total - st->reserved));
	log_err("%llu total pagecache pages", pages(st->file_cache));
	log_err("%llu pages RAM", pages(st->total));
	log_err("%llu pages reserved", pages(st->reserved));
}

static void report_shrinker(const struct shrinker *s, void *arg)
{
	(void)arg;
	log_err("shrinker %s: asked %llu times softly, %llu hard, freed %llukB",
	    s->name, (unsigned long long)s->soft, (unsigned long long)s->hard,
	    kb(s->freed));
}

/* Keep the largest, sorted; the object is ours only during the call. */
static void find_biggest(const struct vm_info *i, void *arg)
{
	struct biggest *b = arg;
	unsigned at = b->n;
	const char *name = NULL;

	while (at > 0 && b->info[at - 1].resident < i->resident)
		at--;
	if (at == NBIGGEST || i->resident == 0)
		return;
	if (b->n < NBIGGEST)
		b->n++;
	for (unsigned k = b->n - 1; k > at; k--) {
		b->info[k] = b->info[k - 1];
		memcpy(b->name[k], b->name[k - 1], sizeof(b->name[k]));
	}
	if (i->obj && i->obj->ops->name)
		name = i->obj->ops->name(i->obj);
	if (!name)
		name = i->flags & VM_HEAP    ? "[heap]"
		       : i->flags & VM_STACK ? "[stack]"
					     : "[anon]";
	b->info[at] = *i;
	snprintf(b->name[at], sizeof(b->name[at]), "%s", name);
}

static void report_mappings(struct vm_space *s)
{
	struct biggest *b = kzalloc(sizeof(*b));

	if (!b)
		return;
	vm_foreach(s, find_biggest, b);
	for (unsigned i = 0; i < b->n; i++)
		log_err("mapping %lx-%lx rss:%llukB %s",
		    (unsigned long)b->info[i].start,
		    (unsigned long)b->info[i].end, kb(b->info[i].resident),
		    b->name[i]);
	kfree(b);
}

void mm_oom_report(struct vm_space *s, const char *comm, uint32_t pid, int adj)
{
	struct mm_stats st;

	mm_stats(&st);
	log_err("%s invoked oom-killer: "
		"gfp_mask=0x140dca(GFP_HIGHUSER_MOVABLE|__GFP_ZERO), order=0, "
		"oom_score_adj=%d",
	    comm, adj);
	log_err("CPU: %u PID: %u Comm: %s Not tainted " LINUX_RELEASE,
	    cpu_self()->id, pid, comm);
	report_memory(&st);
	shrinker_foreach(report_shrinker, NULL);
	report_mappings(s);
}
