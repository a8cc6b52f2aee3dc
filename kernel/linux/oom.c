/* The last resort when memory runs out: the process goes, with a report. */

#include "kern/log.h"
#include "kern/shrink.h"
#include "kern/vm.h"
#include "signal_int.h"
#include "task_int.h"

static void report_victim(const struct proc *p)
{
	struct vm_usage use;
	unsigned long long total, rss, tables = pgtable_bytes();

	vm_usage(p->vm, &use);
	total = use.size >> PAGE_SHIFT;
	rss = use.resident >> PAGE_SHIFT;
	log_err("Tasks state (memory values in pages):");
	log_err("[  pid  ]   uid  tgid total_vm      rss pgtables_bytes "
		"swapents oom_score_adj name");
	log_err("[%7u] %5u %5u %8llu %8llu %8llu %8u         %5d %s", p->pid,
	    p->uid, p->pid, total, rss, tables, 0, p->oom_score_adj, p->comm);
	log_err("oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,"
		"mems_allowed=0,global_oom,task_memcg=/,task=%s,pid=%u,uid=%u",
	    p->comm, p->pid, p->uid);
	log_err("Out of memory: Killed process %u (%s) total-vm:%llukB, "
		"anon-rss:%llukB, file-rss:0kB, shmem-rss:0kB, UID:%u "
		"pgtables:%llukB oom_score_adj:%d",
	    p->pid, p->comm, total * 4, rss * 4, p->uid, tables / 1024,
	    p->oom_score_adj);
}

void oom_kill_self(void)
{
	struct task *t = task_self();
	struct proc *p = t->proc;
	unsigned long flags;
	bool first;

	/* What is kept back is for its way out. */
	mm_frees_memory(true);
	flags = spin_lock_irqsave(&p->lock);
	first = !p->exiting;
	proc_kill_locked(p, 0, SIGKILL);
	spin_unlock_irqrestore(&p->lock, flags);
	atomic_fetch_or(&t->thread->app_work, APP_WORK_EXIT);
	if (!first)
		return;
	mm_oom_report(p->vm, p->comm, p->pid, p->oom_score_adj);
	report_victim(p);
}
