#include "task_int.h"

#include <linux/capability.h>

#include "exec_int.h"
#include "kern/clock.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/mm.h"
#include "kern/string.h"
#include "kern/vfs.h"
#include "kern/vm.h"
#include "signal_int.h"

/* A spinlock: the timers' and the host's signals look processes up. */
struct spinlock proc_list_lock = SPINLOCK_INIT;
struct list proc_list = LIST_INIT(proc_list);
struct proc *proc_init;

static void sigqueue_init(struct sigqueue *q)
{
	q->set = 0;
	list_init(&q->entries);
}

static void task_main(void *arg)
{
	struct task *t = arg;

	t->entry(t);
	task_exit(0);
}

/*
 * Ended threads whose memory waits for a grace period.  Programs make threads
 * faster than these are over when thousands end at once, or real-time threads
 * hold the cpus: then who wants one more waits while there is progress.
 */
#define DEAD_MAX   4096
#define DEAD_STUCK NSEC_PER_SEC

static _Atomic unsigned ndead;

static NOINLINE bool wait_for_the_dead(void)
{
	uint64_t now = clock_mono(), since = now;
	unsigned n, least = UINT32_MAX;

	while ((n = atomic_load(&ndead)) >= DEAD_MAX) {
		if (n < least) {
			least = n;
			since = now;
		}
		if (now - since >= DEAD_STUCK)
			return false;
		(void)thread_sleep_until(now + NSEC_PER_MSEC, 0);
		now = clock_mono();
	}
	return true;
}

static void task_free(struct rcu_head *rcu)
{
	atomic_fetch_sub_explicit(&ndead, 1, memory_order_relaxed);
	kfree(container_of(rcu, struct task, rcu));
}

/* (t) is on no list any more. */
static void task_drop(struct task *t)
{
	t->thread->task = NULL;
	thread_put(t->thread);
	atomic_fetch_add_explicit(&ndead, 1, memory_order_relaxed);
	rcu_call(&t->rcu, task_free);
}

static struct task *task_alloc(struct proc *p, void (*entry)(struct task *))
{
	struct task *t = kzalloc(sizeof(*t));

	if (!t)
		return NULL;
	t->proc = p;
	t->entry = entry;
	t->start_time = clock_mono();
	t->altstack.ss_flags = SS_DISABLE;
	t->timer_slack = 50 * NSEC_PER_USEC;
	sigqueue_init(&t->pending);
	list_init(&t->link);
	list_init(&t->pi_waiters);
	return t;
}

/* The address space and the files are the process's: it keeps them. */
static int attach_thread(struct task *t, const char *name)
{
	struct thread *th;
	int r = thread_create(&th, name, task_main, t, -1);

	if (r != 0)
		return r;
	r = arch_thread_init_app(th);
	if (r != 0) {
		/* It has never run: the one reference is ours. */
		thread_put(th);
		return r;
	}
	th->vm = t->proc->vm;
	th->files = t->proc->files;
	fdtable_join(th->files);
	th->task = t;
	t->thread = th;
	return 0;
}

/* As on Linux the superuser's threads are not counted.  p->lock is held. */
static bool too_many(const struct proc *p)
{
	uint64_t exempt = 1ul << CAP_SYS_RESOURCE | 1ul << CAP_SYS_ADMIN;

	return p->ntask >= p->rlim[RLIMIT_NPROC].rlim_cur && p->uid != 0 &&
	       !(p->cap_effective & exempt);
}

int task_create(struct proc *p, const char *name, void (*entry)(struct task *),
    struct task **out)
{
	unsigned long flags;
	struct task *t;
	int r;

	if (unlikely(atomic_load_explicit(&ndead, memory_order_relaxed) >=
		     DEAD_MAX) &&
	    !wait_for_the_dead())
		return -EAGAIN;
	t = task_alloc(p, entry);
	if (!t)
		return -ENOMEM;
	r = attach_thread(t, name);
	if (r != 0) {
		kfree(t);
		return r;
	}
	flags = spin_lock_irqsave(&p->lock);
	if (p->exiting || p->execing || too_many(p)) {
		spin_unlock_irqrestore(&p->lock, flags);
		task_destroy_unstarted(t);
		return -EAGAIN;
	}
	list_add_tail(&p->tasks, &t->link);
	p->ntask++;
	spin_unlock_irqrestore(&p->lock, flags);
	*out = t;
	return 0;
}

void task_start(struct task *t)
{
	thread_start(t->thread);
}

void task_destroy_unstarted(struct task *t)
{
	struct proc *p = t->proc;
	unsigned long flags = spin_lock_irqsave(&p->lock);

	if (!list_empty(&t->link)) {
		list_del(&t->link);
		p->ntask--;
	}
	spin_unlock_irqrestore(&p->lock, flags);
	fdtable_leave(p->files);
	task_drop(t);
}

bool task_leave(struct task *t)
{
	struct proc *p = t->proc;
	unsigned long flags = spin_lock_irqsave(&p->lock);
	bool last;

	list_del(&t->link);
	last = --p->ntask == 0;
	if (p->leader == t)
		p->leader = NULL;
	waitq_wake_all(&p->exec_wait);
	spin_unlock_irqrestore(&p->lock, flags);
	if (last)
		return true;
	fdtable_leave(p->files);
	signal_task_gone(t);
	atomic_fetch_add(&p->dead_cpu_time, thread_cpu_time(t->thread));
	task_drop(t);
	return false;
}

static void set_default_limits(struct proc *p)
{
	for (unsigned i = 0; i < RLIM_COUNT; i++)
		p->rlim[i] =
		    (struct rlimit64){ RLIM64_INFINITY, RLIM64_INFINITY };
	p->rlim[RLIMIT_STACK].rlim_cur = EXEC_STACK_SIZE;
	p->rlim[RLIMIT_CORE].rlim_cur = 0;
	p->rlim[RLIMIT_NOFILE] =
	    (struct rlimit64){ FD_MAX_DEFAULT, FD_MAX_LIMIT };
	p->rlim[RLIMIT_NICE] = (struct rlimit64){ 0, 0 };
	p->rlim[RLIMIT_RTPRIO] = (struct rlimit64){ 0, 0 };
	p->rlim[RLIMIT_MSGQUEUE] = (struct rlimit64){ 819200, 819200 };
}

static void proc_destroy(struct proc *p)
{
	if (p->vm)
		vm_space_put(p->vm);
	if (p->files)
		fdtable_put(p->files);
	if (p->fs)
		fs_ctx_put(p->fs);
	kfree(p);
}

static struct proc *proc_alloc(void)
{
	struct proc *p = kzalloc(sizeof(*p));

	if (!p)
		return NULL;
	list_init(&p->link);
	list_init(&p->tasks);
	list_init(&p->posix_timers);
	sigqueue_init(&p->pending);
	waitq_init(&p->exec_wait);
	poll_head_init(&p->signal_poll);
	mutex_init(&p->timer_lock);
	mutex_init(&p->exec_lock);
	p->dumpable = true;
	p->cap_effective = p->cap_permitted = (1ul << 41) - 1;
	p->start_time = clock_mono();
	set_default_limits(p);
	p->vm = vm_space_create();
	p->files = fdtable_create();
	p->fs = fs_ctx_create();
	if (!p->vm || !p->files || !p->fs) {
		proc_destroy(p);
		return NULL;
	}
	return p;
}

int proc_create(struct proc **out, struct task **task, const char *name,
    void (*entry)(struct task *))
{
	struct proc *p = proc_alloc();
	unsigned long flags;
	int r;

	if (!p)
		return -ENOMEM;
	r = task_create(p, name, entry, task);
	if (r != 0) {
		proc_destroy(p);
		return r;
	}
	p->leader = *task;
	p->pid = p->pgid = p->sid = (*task)->thread->id;
	flags = spin_lock_irqsave(&proc_list_lock);
	list_add_tail(&proc_list, &p->link);
	spin_unlock_irqrestore(&proc_list_lock, flags);
	*out = p;
	return 0;
}

struct proc *proc_find(uint32_t pid)
{
	struct proc *p;

	list_foreach (p, &proc_list, link)
		if (p->pid == pid)
			return p;
	return NULL;
}

struct task *proc_task(struct proc *p, uint32_t tid)
{
	struct thread *th = thread_find(tid);
	struct task *t = th ? th->task : NULL;

	/* With p->lock held (t) is not freed: that takes a grace period. */
	if (th)
		thread_put(th);
	return t && t->proc == p && !list_empty(&t->link) ? t : NULL;
}

uint64_t proc_cpu_time_locked(const struct proc *p)
{
	uint64_t sum = atomic_load(&p->dead_cpu_time);
	const struct task *t;

	list_foreach (t, &p->tasks, link)
		sum += thread_cpu_time(t->thread);
	return sum;
}

uint64_t proc_cpu_time(struct proc *p)
{
	unsigned long flags = spin_lock_irqsave(&p->lock);
	uint64_t sum = proc_cpu_time_locked(p);

	spin_unlock_irqrestore(&p->lock, flags);
	return sum;
}

uint32_t app_pid(void)
{
	struct task *t = task_self();

	return t ? t->proc->pid : 0;
}

long app_exe_path(char *buf, size_t n)
{
	struct proc *p = proc_self();
	long len = -ENOENT;

	mutex_lock(&p->exec_lock);
	if (p->exe)
		len = snprintf(buf, n, "%s", p->exe);
	mutex_unlock(&p->exec_lock);
	return len;
}
