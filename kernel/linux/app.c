#include "kern/app.h"

#include "kern/arch.h"
#include "signal_int.h"
#include "table_int.h"
#include "task_int.h"

static void app_syscall(struct trapframe *tf)
{
	task_self()->tf = tf;
	tf->rax = (uint64_t)syscall_dispatch(tf);
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

static const struct app_ops linux_app_ops = {
	.syscall = app_syscall,
	.work = app_work,
	.fault = app_fault,
};

void app_init(void)
{
	app_ops = &linux_app_ops;
}
