#include <linux/sched.h>

#include "exec_int.h"
#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/string.h"
#include "signal_int.h"
#include "syscalls.h"
#include "task_int.h"

/* What a thread of the same process shares, as every C library asks. */
#define THREAD_FLAGS \
	(CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_FILES | CLONE_FS)

#define FLAGS_KNOWN                                                          \
	(THREAD_FLAGS | CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID | \
	    CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | CLONE_DETACHED |     \
	    CLONE_IO | CLONE_UNTRACED | CLONE_PTRACE)

struct clone_request {
	uint64_t flags, stack, tls;
	uint32_t *parent_tid, *child_tid;
};

static int check_request(const struct clone_request *rq)
{
	if ((rq->flags & (CLONE_SIGHAND | CLONE_VM)) == CLONE_SIGHAND)
		return -EINVAL;
	if ((rq->flags & (CLONE_THREAD | CLONE_SIGHAND)) == CLONE_THREAD)
		return -EINVAL;
	if ((rq->flags & THREAD_FLAGS) != THREAD_FLAGS) {
		log_once(LOG_WARN,
		    "a second process is not supported "
		    "(clone flags %#lx)",
		    (unsigned long)rq->flags);
		return -ENOSYS;
	}
	if (rq->flags & ~(uint64_t)FLAGS_KNOWN) {
		log_once(LOG_WARN, "clone flags %#lx are not supported",
		    (unsigned long)rq->flags);
		return -EINVAL;
	}
	if ((rq->flags & CLONE_SETTLS) && rq->tls >= USER_MAX)
		return -EPERM;
	return 0;
}

/* The new thread's first steps. */
static void child_main(struct task *t)
{
	uint32_t id = t->thread->id;

	if (t->set_child_tid && user_store32(t->set_child_tid, id) != 0)
		log_debug("thread %u: nowhere to put its id", id);
	arch_enter_app(&t->start);
}

static void inherit(
    struct task *t, const struct task *parent, const struct clone_request *rq)
{
	t->start = *parent->tf;
	t->start.rax = 0;
	t->start.vector = 0;
	if (rq->stack)
		t->start.rsp = rq->stack;
	t->blocked = parent->blocked;
	t->timer_slack = parent->timer_slack;
	t->ioprio = parent->ioprio;
	t->thread->arch.fs_base =
	    rq->flags & CLONE_SETTLS ? rq->tls : parent->thread->arch.fs_base;
	if (rq->flags & CLONE_CHILD_SETTID)
		t->set_child_tid = rq->child_tid;
	if (rq->flags & CLONE_CHILD_CLEARTID)
		t->clear_child_tid = rq->child_tid;
}

static long clone_thread(const struct clone_request *rq)
{
	struct task *self = task_self(), *t;
	uint32_t id;
	int r = check_request(rq);

	if (r != 0)
		return r;
	r = task_create(self->proc, self->thread->name, child_main, &t);
	if (r != 0)
		return r == -ENOMEM ? -EAGAIN : r;
	inherit(t, self, rq);
	id = t->thread->id;
	if ((rq->flags & CLONE_PARENT_SETTID) &&
	    user_store32(rq->parent_tid, id) != 0) {
		task_destroy_unstarted(t);
		return -EFAULT;
	}
	task_start(t);
	return id;
}

long sys_clone(unsigned long flags, unsigned long stack, uint32_t *parent_tid,
    uint32_t *child_tid, unsigned long tls)
{
	struct clone_request rq = { flags & ~(unsigned long)CSIGNAL, stack, tls,
		parent_tid, child_tid };

	return clone_thread(&rq);
}

/* A longer struct of a newer program: what we do not know must be zero. */
static int copy_args(
    struct clone_args *args, const struct clone_args *user, size_t size)
{
	uint8_t rest[64];
	size_t n;

	if (size < CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	memset(args, 0, sizeof(*args));
	n = size < sizeof(*args) ? size : sizeof(*args);
	if (copy_from_user(args, user, n) != 0)
		return -EFAULT;
	for (size_t at = n; at < size; at += n) {
		n = size - at < sizeof(rest) ? size - at : sizeof(rest);
		if (copy_from_user(rest, (const char *)user + at, n) != 0)
			return -EFAULT;
		for (size_t i = 0; i < n; i++)
			if (rest[i])
				return -E2BIG;
	}
	return 0;
}

long sys_clone3(const struct clone_args *user, size_t size)
{
	struct clone_args args;
	struct clone_request rq;
	int r = copy_args(&args, user, size);

	if (r != 0)
		return r;
	if ((args.flags & CLONE_DETACHED) || args.exit_signal > NSIG_ALL ||
	    (args.flags & CSIGNAL))
		return -EINVAL;
	if ((args.stack == 0) != (args.stack_size == 0))
		return -EINVAL;
	if ((args.flags & CLONE_THREAD) && args.exit_signal)
		return -EINVAL;
	if (args.set_tid_size || (args.flags & CLONE_PIDFD))
		return -EOPNOTSUPP;
	if (!user_range_ok((void *)args.stack, args.stack_size))
		return -EINVAL;
	rq = (struct clone_request){ args.flags, args.stack + args.stack_size,
		args.tls, (uint32_t *)args.parent_tid,
		(uint32_t *)args.child_tid };
	return clone_thread(&rq);
}

long sys_fork(void)
{
	log_once(LOG_WARN, "fork: a second process is not supported");
	return -ENOSYS;
}

long sys_vfork(void)
{
	log_once(LOG_WARN, "vfork: a second process is not supported");
	return -ENOSYS;
}

/* There are no children to wait for. */
long sys_wait4(int pid, int *status, int options, struct rusage *usage)
{
	(void)pid;
	(void)status;
	(void)options;
	(void)usage;
	return -ECHILD;
}

long sys_waitid(
    int type, int id, struct siginfo *info, int options, struct rusage *usage)
{
	(void)type;
	(void)id;
	(void)info;
	(void)options;
	(void)usage;
	return -ECHILD;
}
