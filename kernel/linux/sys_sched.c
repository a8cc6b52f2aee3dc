#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <linux/time_types.h>

#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/num.h"
#include "kern/sched.h"
#include "kern/string.h"
#include "syscalls.h"
#include "task_int.h"
#include "time_int.h"

#define NICE_MIN    (-20)
#define NICE_MAX    19
#define RT_PRIO_MAX 99

struct sched_param_user {
	int priority;
};

long sys_sched_yield(void)
{
	sched_yield_cpu();
	return 0;
}

long sys_getcpu(uint32_t *cpu, uint32_t *node, void *unused)
{
	(void)unused;
	if (cpu && user_store32(cpu, cpu_self()->id) != 0)
		return -EFAULT;
	if (node && user_store32(node, 0) != 0)
		return -EFAULT;
	return 0;
}

/* With a reference; 0 is the caller.  NULL for who is no program's thread. */
static struct thread *find_thread(int tid)
{
	struct thread *t = thread_self();

	if (tid == 0) {
		thread_get(t);
		return t;
	}
	t = tid > 0 ? thread_find((uint32_t)tid) : NULL;
	if (t && !t->task) {
		thread_put(t);
		return NULL;
	}
	return t;
}

/* --- affinity ------------------------------------------------------------ */

long sys_sched_setaffinity(int tid, unsigned len, const void *user)
{
	uint64_t mask[THREAD_CPUS_WORDS] = { 0 };
	struct thread *t;
	int r;

	if (copy_from_user(mask, user, MIN(len, sizeof(mask))) != 0)
		return -EFAULT;
	t = find_thread(tid);
	if (!t)
		return -ESRCH;
	r = thread_set_affinity(t, mask);
	thread_put(t);
	return r;
}

long sys_sched_getaffinity(int tid, unsigned len, void *user)
{
	uint64_t mask[THREAD_CPUS_WORDS] = { 0 };
	unsigned ncpu = cpu_count();
	struct thread *t;
	unsigned n;

	if ((len & 7) || len * 8ul < ncpu)
		return -EINVAL;
	t = find_thread(tid);
	if (!t)
		return -ESRCH;
	for (unsigned i = 0; i < ncpu; i++)
		mask[i / 64] |= t->affinity[i / 64] & (1ul << (i % 64));
	thread_put(t);
	n = (unsigned)MIN(len, ALIGN_UP(ncpu, 64) / 8);
	if (copy_to_user(user, mask, n) != 0)
		return -EFAULT;
	return n;
}

/* --- policy and priority ------------------------------------------------- */

static bool is_rt(int policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

static int check_policy(int policy, int priority)
{
	if (is_rt(policy))
		return priority >= 1 && priority <= RT_PRIO_MAX ? 0 : -EINVAL;
	if (policy != SCHED_NORMAL && policy != SCHED_BATCH &&
	    policy != SCHED_IDLE)
		return -EINVAL;
	return priority == 0 ? 0 : -EINVAL;
}

static long set_policy(int tid, int policy, int priority)
{
	int r = check_policy(policy & ~SCHED_RESET_ON_FORK, priority);
	struct thread *t;

	if (tid < 0)
		return -EINVAL;
	if (r != 0)
		return r;
	t = find_thread(tid);
	if (!t)
		return -ESRCH;
	thread_set_policy(t, policy & ~SCHED_RESET_ON_FORK, priority);
	futex_pi_priority_set(t);
	thread_put(t);
	return 0;
}

static int get_param(const struct sched_param_user *user, int *priority)
{
	struct sched_param_user p;

	if (!user)
		return -EINVAL;
	if (copy_from_user(&p, user, sizeof(p)) != 0)
		return -EFAULT;
	*priority = p.priority;
	return 0;
}

long sys_sched_setscheduler(
    int tid, int policy, const struct sched_param_user *user)
{
	int priority, r = get_param(user, &priority);

	if (policy < 0)
		return -EINVAL;
	return r != 0 ? r : set_policy(tid, policy, priority);
}

long sys_sched_getscheduler(int tid)
{
	struct thread *t;
	int policy;

	if (tid < 0)
		return -EINVAL;
	t = find_thread(tid);
	if (!t)
		return -ESRCH;
	policy = t->base_policy;
	thread_put(t);
	return policy;
}

long sys_sched_setparam(int tid, const struct sched_param_user *user)
{
	int priority, r = get_param(user, &priority);
	long policy;

	if (r != 0)
		return r;
	policy = sys_sched_getscheduler(tid);
	return policy < 0 ? policy : set_policy(tid, (int)policy, priority);
}

long sys_sched_getparam(int tid, struct sched_param_user *user)
{
	struct sched_param_user p = { 0 };
	struct thread *t;

	if (tid < 0 || !user)
		return -EINVAL;
	t = find_thread(tid);
	if (!t)
		return -ESRCH;
	p.priority = t->base_priority;
	thread_put(t);
	return copy_to_user(user, &p, sizeof(p));
}

long sys_sched_get_priority_max(int policy)
{
	if (check_policy(policy, is_rt(policy) ? 1 : 0) != 0)
		return -EINVAL;
	return is_rt(policy) ? RT_PRIO_MAX : 0;
}

long sys_sched_get_priority_min(int policy)
{
	if (check_policy(policy, is_rt(policy) ? 1 : 0) != 0)
		return -EINVAL;
	return is_rt(policy) ? 1 : 0;
}

long sys_sched_rr_get_interval(int tid, struct __kernel_timespec *user)
{
	long policy = sys_sched_getscheduler(tid);

	if (policy < 0)
		return policy;
	return time_put(user, policy == SCHED_FIFO ? 0 : 100 * NSEC_PER_MSEC);
}

long sys_sched_getattr(
    int tid, struct sched_attr *user, unsigned size, unsigned flags)
{
	struct sched_attr a;
	struct thread *t;

	if (tid < 0 || flags || size < SCHED_ATTR_SIZE_VER0)
		return -EINVAL;
	t = find_thread(tid);
	if (!t)
		return -ESRCH;
	memset(&a, 0, sizeof(a));
	a.size = (uint32_t)MIN(size, sizeof(a));
	a.sched_policy = (uint32_t)t->base_policy;
	a.sched_nice = t->nice;
	a.sched_priority = (uint32_t)t->base_priority;
	thread_put(t);
	return copy_to_user(user, &a, a.size);
}

long sys_sched_setattr(int tid, const struct sched_attr *user, unsigned flags)
{
	struct sched_attr a;
	struct thread *t;
	long r;

	if (tid < 0 || flags || !user)
		return -EINVAL;
	memset(&a, 0, sizeof(a));
	if (copy_from_user(&a, user, SCHED_ATTR_SIZE_VER0) != 0)
		return -EFAULT;
	if (a.size && a.size < SCHED_ATTR_SIZE_VER0)
		return -E2BIG;
	r = set_policy(tid, (int)a.sched_policy, (int)a.sched_priority);
	if (r != 0 || is_rt((int)a.sched_policy))
		return r;
	t = find_thread(tid);
	if (!t)
		return -ESRCH;
	t->nice = MIN(MAX(a.sched_nice, NICE_MIN), NICE_MAX);
	thread_put(t);
	return 0;
}

/* Does (which, who) mean the thread (tid)?  The process's, unless one thread
 * is named: on Linux a nice value is a thread's. */
static bool nice_concerns(const struct task *t, int which, uint32_t who)
{
	const struct proc *p = t->proc;

	if (which == PRIO_PROCESS)
		return who == 0 ? t == task_self() : t->thread->id == who;
	if (which == PRIO_PGRP)
		return who == 0 || p->pgid == who;
	return who == 0 || p->uid == who;
}

/* Apply to each; the best (lowest) nice value seen, or NICE_MAX + 1. */
static int nice_apply(int which, int who, const int *set)
{
	struct proc *p = proc_self();
	unsigned long flags = spin_lock_irqsave(&p->lock);
	int best = NICE_MAX + 1;
	struct task *t;

	list_foreach (t, &p->tasks, link) {
		if (!nice_concerns(t, which, (uint32_t)who))
			continue;
		if (set)
			t->thread->nice = *set;
		best = MIN(best, t->thread->nice);
	}
	spin_unlock_irqrestore(&p->lock, flags);
	return best;
}

long sys_getpriority(int which, int who)
{
	int best;

	if (which < PRIO_PROCESS || which > PRIO_USER)
		return -EINVAL;
	best = nice_apply(which, who, NULL);
	return best > NICE_MAX ? -ESRCH : 20 - best;
}

long sys_setpriority(int which, int who, int nice)
{
	if (which < PRIO_PROCESS || which > PRIO_USER)
		return -EINVAL;
	nice = MIN(MAX(nice, NICE_MIN), NICE_MAX);
	return nice_apply(which, who, &nice) > NICE_MAX ? -ESRCH : 0;
}
