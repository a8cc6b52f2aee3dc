#include "kern/app.h"

#include "kern/arch.h"
#include "kern/errno.h"
#include "futex_int.h"
#include "signal_int.h"
#include "table_int.h"
#include "task_int.h"

static bool wants_restart(long result)
{
	return result <= -ERESTARTSYS && result >= -ERESTART_RESTARTBLOCK;
}

static void app_syscall(struct trapframe *tf)
{
	struct task *t = task_self();
	long result;

	t->tf = tf;
	result = syscall_dispatch(tf);
	tf->rax = (uint64_t)result;
	/* The signal may be another thread's by now: the call goes on. */
	if (unlikely(wants_restart(result)))
		atomic_fetch_or(&t->thread->app_work, APP_WORK_SIGNAL);
}

static void app_work(struct trapframe *tf)
{
	struct thread *t = thread_self();

	t->task->tf = tf;
	if (atomic_load(&t->app_work) & APP_WORK_EXIT)
		task_exit(0);
	signal_work(tf);
}

static void app_fault(
    struct trapframe *tf, enum app_fault kind, uintptr_t addr, int err)
{
	task_self()->tf = tf;
	signal_fault(tf, kind, addr, err);
}

static void app_no_memory(void)
{
	if (thread_self()->task)
		oom_kill_self();
}

static const struct app_ops linux_app_ops = {
	.syscall = app_syscall,
	.work = app_work,
	.fault = app_fault,
	.no_memory = app_no_memory,
};

void app_init(void)
{
	futex_init();
	app_ops = &linux_app_ops;
}
