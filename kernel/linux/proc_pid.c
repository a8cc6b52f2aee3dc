#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/procfs.h"
#include "kern/string.h"
#include "kern/vfs.h"
#include "kern/vm.h"
#include "signal_int.h"
#include "task_int.h"

/* The files of /proc/self, and of task/ below it: proc(5). */

#define TICK (NSEC_PER_SEC / 100)

/* What both status and stat tell of a thread, or of the process by its first
 * thread; a copy, taken under the process's lock. */
struct view {
	uint32_t tid, cpu;
	char name[16];
	char state;
	uint64_t pending, shared_pending, blocked, ignored, caught;
	uint64_t cpu_time, start_time, nvcsw, nivcsw;
	uint64_t affinity[THREAD_CPUS_WORDS];
	int nice, policy, rt_priority;
	unsigned nthread, nqueued;
};

static void view_actions(struct view *v, const struct proc *p)
{
	for (int sig = 1; sig <= NSIG_ALL; sig++) {
		if (p->action[sig].sa_handler == SIG_IGN)
			v->ignored |= SIGBIT(sig);
		else if (p->action[sig].sa_handler != SIG_DFL)
			v->caught |= SIGBIT(sig);
	}
}

static void view_thread(struct view *v, const struct task *t)
{
	const struct thread *th = t->thread;

	v->tid = th->id;
	v->cpu = th->cpu;
	memcpy(v->name, th->name, sizeof(v->name));
	v->state = atomic_load(&th->state) == THREAD_SLEEPING ? 'S' : 'R';
	v->pending = t->pending.set;
	v->blocked = t->blocked;
	v->cpu_time = thread_cpu_time(th);
	v->start_time = t->start_time;
	v->nvcsw = th->nvcsw;
	v->nivcsw = th->nivcsw;
	memcpy(v->affinity, th->affinity, sizeof(v->affinity));
	v->nice = th->nice;
	v->policy = th->base_policy;
	v->rt_priority = th->base_priority;
}

/* -ESRCH when the thread has gone. */
static int take_view(struct view *v, uint32_t tid)
{
	struct proc *p = proc_self();
	unsigned long flags;
	struct task *t;

	memset(v, 0, sizeof(*v));
	flags = spin_lock_irqsave(&p->lock);
	t = tid ? proc_task(p, tid) : p->leader;
	if (!t && !tid)
		t = task_self();
	if (t)
		view_thread(v, t);
	v->shared_pending = p->pending.set;
	v->nthread = p->ntask;
	v->nqueued = p->nqueued;
	view_actions(v, p);
	if (!tid) {
		v->cpu_time = proc_cpu_time_locked(p);
		v->tid = p->pid;
		v->start_time = p->start_time;
	}
	spin_unlock_irqrestore(&p->lock, flags);
	return t ? 0 : -ESRCH;
}

/* --- status -------------------------------------------------------------- */

static void status_ids(struct proc_out *out, const struct proc *p)
{
	proc_printf(out, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n", p->uid,
	    p->euid, p->suid, p->fsuid, p->gid, p->egid, p->sgid, p->fsgid);
	proc_printf(out, "FDSize:\t64\nGroups:\t");
	for (unsigned i = 0; i < p->ngroups; i++)
		proc_printf(out, "%u ", p->groups[i]);
	proc_printf(out,
	    "\nNStgid:\t%u\nNSpid:\t%u\nNSpgid:\t%u\n"
	    "NSsid:\t%u\n",
	    p->pid, p->pid, p->pgid, p->sid);
}

static void status_memory(struct proc_out *out, const struct proc *p)
{
	struct vm_usage u;

	vm_usage(p->vm, &u);
	proc_printf(out,
	    "VmPeak:\t%8lu kB\nVmSize:\t%8lu kB\n"
	    "VmLck:\t%8lu kB\nVmPin:\t%8u kB\n"
	    "VmHWM:\t%8lu kB\nVmRSS:\t%8lu kB\n",
	    u.size / 1024, u.size / 1024, u.locked / 1024, 0, u.resident / 1024,
	    u.resident / 1024);
	proc_printf(out,
	    "RssAnon:\t%8lu kB\nRssFile:\t%8u kB\n"
	    "RssShmem:\t%8u kB\nVmData:\t%8lu kB\n"
	    "VmStk:\t%8lu kB\nVmExe:\t%8lu kB\n"
	    "VmLib:\t%8u kB\nVmPTE:\t%8u kB\nVmSwap:\t%8u kB\n",
	    u.resident / 1024, 0, 0, u.data / 1024, u.stack / 1024,
	    u.text / 1024, 0, 0, 0);
}

static void status_signals(struct proc_out *out, const struct view *v)
{
	proc_printf(
	    out, "Threads:\t%u\nSigQ:\t%u/8192\n", v->nthread, v->nqueued);
	proc_printf(out,
	    "SigPnd:\t%016lx\nShdPnd:\t%016lx\n"
	    "SigBlk:\t%016lx\nSigIgn:\t%016lx\n"
	    "SigCgt:\t%016lx\n",
	    v->pending, v->shared_pending, v->blocked, v->ignored, v->caught);
}

static void status_caps(struct proc_out *out, const struct proc *p)
{
	proc_printf(out,
	    "CapInh:\t%016lx\nCapPrm:\t%016lx\n"
	    "CapEff:\t%016lx\nCapBnd:\t%016lx\n"
	    "CapAmb:\t%016x\nNoNewPrivs:\t%d\nSeccomp:\t0\n"
	    "Seccomp_filters:\t0\n",
	    p->cap_inheritable, p->cap_permitted, p->cap_effective,
	    (1ul << 41) - 1, 0, p->no_new_privs);
}

/* "ff" and "0-7"; an affinity may name cpus that do not exist. */
static void status_cpus(struct proc_out *out, const struct view *v)
{
	unsigned ncpu = cpu_count(), from, i;
	const char *comma = "";
	uint64_t low = v->affinity[0];

	if (ncpu < 64)
		low &= (1ul << ncpu) - 1;
	proc_printf(out, "Cpus_allowed:\t%lx\nCpus_allowed_list:\t", low);
	for (i = 0; i < ncpu; i++) {
		if (!(v->affinity[i / 64] >> (i % 64) & 1))
			continue;
		from = i;
		while (i + 1 < ncpu &&
		       (v->affinity[(i + 1) / 64] >> ((i + 1) % 64) & 1))
			i++;
		if (from == i)
			proc_printf(out, "%s%u", comma, i);
		else
			proc_printf(out, "%s%u-%u", comma, from, i);
		comma = ",";
	}
	proc_printf(out, "\nMems_allowed:\t1\nMems_allowed_list:\t0\n");
}

static int show_status(struct proc_out *out)
{
	struct proc *p = proc_self();
	struct view v;
	int r = take_view(&v, out->tid);

	if (r != 0)
		return r;
	proc_printf(out,
	    "Name:\t%s\nUmask:\t%04o\nState:\t%s\nTgid:\t%u\n"
	    "Ngid:\t0\nPid:\t%u\nPPid:\t%u\nTracerPid:\t0\n",
	    out->tid ? v.name : p->comm, fs_umask(),
	    v.state == 'S' ? "S (sleeping)" : "R (running)", p->pid, v.tid,
	    p->ppid);
	status_ids(out, p);
	status_memory(out, p);
	proc_printf(out, "CoreDumping:\t0\nTHP_enabled:\t1\n");
	status_signals(out, &v);
	status_caps(out, p);
	status_cpus(out, &v);
	proc_printf(out,
	    "voluntary_ctxt_switches:\t%lu\n"
	    "nonvoluntary_ctxt_switches:\t%lu\n",
	    v.nvcsw, v.nivcsw);
	return 0;
}

static const struct proc_file status_file = {
	.path = "self/status",
	.show = show_status,
};
PROC_FILE(status_file);

/* --- stat, statm --------------------------------------------------------- */

static int show_stat(struct proc_out *out)
{
	struct proc *p = proc_self();
	struct vm_usage u;
	struct view v;
	int r = take_view(&v, out->tid);
	bool rt;

	if (r != 0)
		return r;
	vm_usage(p->vm, &u);
	rt = v.rt_priority > 0;
	proc_printf(out, "%u (%s) %c %u %u %u 0 -1 4194304 %lu 0 %lu 0 ", v.tid,
	    out->tid ? v.name : p->comm, v.state, p->ppid, p->pgid, p->sid,
	    u.minflt, u.majflt);
	proc_printf(out, "%llu 0 0 0 %d %d %u 0 %llu %lu %lu %llu ",
	    v.cpu_time / TICK, rt ? -1 - v.rt_priority : 20 + v.nice, v.nice,
	    v.nthread, v.start_time / TICK, u.size, u.resident / PAGE_SIZE,
	    RLIM64_INFINITY);
	proc_printf(out, "0 0 %lu 0 0 %lu %lu %lu %lu 0 0 0 17 %u %d %d 0 0 0 ",
	    p->stack_top, v.pending & 0x7fffffff, v.blocked & 0x7fffffff,
	    v.ignored & 0x7fffffff, v.caught & 0x7fffffff, v.cpu, v.rt_priority,
	    v.policy);
	proc_printf(out, "0 0 0 %lu %lu %lu %lu 0\n", p->arg_start, p->arg_end,
	    p->env_start, p->env_end);
	return 0;
}

static const struct proc_file stat_file = {
	.path = "self/stat",
	.show = show_stat,
};
PROC_FILE(stat_file);

static int show_statm(struct proc_out *out)
{
	struct vm_usage u;

	vm_usage(proc_self()->vm, &u);
	proc_printf(out, "%lu %lu 0 %lu 0 %lu 0\n", u.size / PAGE_SIZE,
	    u.resident / PAGE_SIZE, u.text / PAGE_SIZE,
	    (u.data + u.stack) / PAGE_SIZE);
	return 0;
}

static const struct proc_file statm_file = {
	.path = "self/statm",
	.show = show_statm,
};
PROC_FILE(statm_file);

static int show_schedstat(struct proc_out *out)
{
	struct view v;
	int r = take_view(&v, out->tid);

	if (r == 0)
		proc_printf(out, "%lu 0 %lu\n", v.cpu_time, v.nvcsw + v.nivcsw);
	return r;
}

static const struct proc_file schedstat_file = {
	.path = "self/schedstat",
	.show = show_schedstat,
};
PROC_FILE(schedstat_file);

/* --- what exec left ------------------------------------------------------ */

/* The program's own strings, which it may have changed or unmapped. */
static int copy_range(struct proc_out *out, uintptr_t from, uintptr_t to)
{
	char buf[512];
	size_t n;

	for (; from < to; from += n) {
		n = MIN(to - from, sizeof(buf));
		if (copy_from_user(buf, (void *)from, n) != 0)
			break;
		proc_write(out, buf, n);
	}
	return 0;
}

static int show_cmdline(struct proc_out *out)
{
	return copy_range(out, proc_self()->arg_start, proc_self()->arg_end);
}

static const struct proc_file cmdline_file = {
	.path = "self/cmdline",
	.show = show_cmdline,
};
PROC_FILE(cmdline_file);

static int show_environ(struct proc_out *out)
{
	return copy_range(out, proc_self()->env_start, proc_self()->env_end);
}

static const struct proc_file environ_file = {
	.path = "self/environ",
	.show = show_environ,
};
PROC_FILE(environ_file);

static int show_auxv(struct proc_out *out)
{
	struct proc *p = proc_self();

	mutex_lock(&p->exec_lock);
	proc_write(out, p->auxv, p->auxv_len);
	mutex_unlock(&p->exec_lock);
	return 0;
}

static const struct proc_file auxv_file = {
	.path = "self/auxv",
	.show = show_auxv,
};
PROC_FILE(auxv_file);

static int show_comm(struct proc_out *out)
{
	struct view v;
	int r = take_view(&v, out->tid);

	if (r == 0)
		proc_printf(out, "%s\n", out->tid ? v.name : proc_self()->comm);
	return r;
}

static int store_comm(const char *text)
{
	struct proc *p = proc_self();
	struct thread *th = thread_self();

	snprintf(p->comm, sizeof(p->comm), "%s", text);
	snprintf(th->name, sizeof(th->name), "%s", text);
	return 0;
}

static const struct proc_file comm_file = {
	.path = "self/comm",
	.show = show_comm,
	.store = store_comm,
};
PROC_FILE(comm_file);

/* --- limits and the like ------------------------------------------------- */

static void put_limit(char buf[24], uint64_t v)
{
	if (v == RLIM64_INFINITY)
		snprintf(buf, 24, "unlimited");
	else
		snprintf(buf, 24, "%lu", v);
}

static int show_limits(struct proc_out *out)
{
	static const char *const rows[RLIM_COUNT][2] = {
		[RLIMIT_CPU] = { "Max cpu time", "seconds" },
		[RLIMIT_FSIZE] = { "Max file size", "bytes" },
		[RLIMIT_DATA] = { "Max data size", "bytes" },
		[RLIMIT_STACK] = { "Max stack size", "bytes" },
		[RLIMIT_CORE] = { "Max core file size", "bytes" },
		[RLIMIT_RSS] = { "Max resident set", "bytes" },
		[RLIMIT_NPROC] = { "Max processes", "processes" },
		[RLIMIT_NOFILE] = { "Max open files", "files" },
		[RLIMIT_MEMLOCK] = { "Max locked memory", "bytes" },
		[RLIMIT_AS] = { "Max address space", "bytes" },
		[RLIMIT_LOCKS] = { "Max file locks", "locks" },
		[RLIMIT_SIGPENDING] = { "Max pending signals", "signals" },
		[RLIMIT_MSGQUEUE] = { "Max msgqueue size", "bytes" },
		[RLIMIT_NICE] = { "Max nice priority", "" },
		[RLIMIT_RTPRIO] = { "Max realtime priority", "" },
		[RLIMIT_RTTIME] = { "Max realtime timeout", "us" },
	};
	const struct proc *p = proc_self();
	char soft[24], hard[24];

	proc_printf(out, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit",
	    "Hard Limit", "Units");
	for (unsigned i = 0; i < RLIM_COUNT; i++) {
		put_limit(soft, p->rlim[i].rlim_cur);
		put_limit(hard, p->rlim[i].rlim_max);
		proc_printf(out, "%-25s %-20s %-20s %-10s\n", rows[i][0], soft,
		    hard, rows[i][1]);
	}
	return 0;
}

static const struct proc_file limits_file = {
	.path = "self/limits",
	.show = show_limits,
};
PROC_FILE(limits_file);

static int show_oom_score_adj(struct proc_out *out)
{
	proc_printf(out, "%d\n", proc_self()->oom_score_adj);
	return 0;
}

static int store_oom_score_adj(const char *text)
{
	bool negative = *text == '-';
	unsigned long v = strtoul(text + negative, NULL, 10);

	if (v > 1000)
		return -EINVAL;
	proc_self()->oom_score_adj = negative ? -(int)v : (int)v;
	return 0;
}

static const struct proc_file oom_score_adj_file = {
	.path = "self/oom_score_adj",
	.show = show_oom_score_adj,
	.store = store_oom_score_adj,
};
PROC_FILE(oom_score_adj_file);

/* Files whose text never changes. */
#define CONSTANT_FILE(id, file_path, text)          \
	static int show_##id(struct proc_out *out)  \
	{                                           \
		proc_printf(out, "%s", text);       \
		return 0;                           \
	}                                           \
	static const struct proc_file id##_file = { \
		.path = "self/" file_path,          \
		.show = show_##id,                  \
	};                                          \
	PROC_FILE(id##_file)

CONSTANT_FILE(cgroup, "cgroup", "0::/\n");
CONSTANT_FILE(oom_score, "oom_score", "0\n");
CONSTANT_FILE(wchan, "wchan", "0");
CONSTANT_FILE(loginuid, "loginuid", "4294967295");
CONSTANT_FILE(sessionid, "sessionid", "4294967295");
CONSTANT_FILE(setgroups, "setgroups", "allow\n");
CONSTANT_FILE(uid_map, "uid_map", "         0          0 4294967295\n");
CONSTANT_FILE(gid_map, "gid_map", "         0          0 4294967295\n");
CONSTANT_FILE(io, "io",
    "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\n"
    "write_bytes: 0\ncancelled_write_bytes: 0\n");

static int show_personality(struct proc_out *out)
{
	proc_printf(out, "%08x\n", proc_self()->personality);
	return 0;
}

static const struct proc_file personality_file = {
	.path = "self/personality",
	.show = show_personality,
};
PROC_FILE(personality_file);
