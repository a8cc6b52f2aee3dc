#include "kern/app.h"

#include "kern/arch.h"
#include "futex_int.h"
#include "signal_int.h"
#include "table_int.h"
#include "task_int.h"
#include "vdso_int.h"

static void app_syscall(struct trapframe *tf)
{
	struct task *t = task_self();

	t->tf = tf;
	tf->rax = (uint64_t)syscall_watched(tf);
	t->tf = NULL;
}

static void app_work(struct trapframe *tf)
{
	if (atomic_load(&thread_self()->app_work) & APP_WORK_EXIT)
		task_exit(0);
	signal_work(tf);
}

static void app_fault(
    struct trapframe *tf, enum app_fault kind, uintptr_t addr, int err)
{
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
	syscall_watch_changed();
	vdso_init();
	app_ops = &linux_app_ops;
}
