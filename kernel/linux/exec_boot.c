#include "exec_int.h"

#include <asm/fcntl.h>

#include "kern/app.h"
#include "kern/boot.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/log.h"
#include "kern/num.h"
#include "kern/panic.h"
#include "kern/param.h"
#include "kern/platform.h"
#include "kern/string.h"
#include "kern/vfs.h"
#include "task_int.h"

/* What a shell would make of it. */
#define STATUS_NOT_FOUND 127
#define STATUS_NOT_RUN   126

static struct fs_ctx *current_fs(void)
{
	struct task *t = thread_self()->task;

	return t ? t->proc->fs : NULL;
}

static int open_console(void)
{
	struct file *f;
	int r = vfs_open(NULL, "/dev/console", O_RDWR, 0, &f);

	for (int fd = 0; fd < 3 && r == 0; fd++) {
		if (fd > 0)
			file_get(f);
		r = MIN(fd_install(f, false, fd), 0);
		if (r < 0)
			file_put(f);
	}
	return r;
}

static int enter_cwd(void)
{
	struct dentry *d;
	int r;

	if (!boot_params.cwd)
		return 0;
	r = vfs_lookup(NULL, boot_params.cwd, WALK_DIRECTORY, &d);
	if (r != 0)
		return r;
	r = fs_chdir(d);
	dentry_put(d);
	return r;
}

static int collect(struct exec_args *args)
{
	int r = 0;

	for (unsigned i = 0; i < boot_params.argc && r == 0; i++)
		r = exec_args_add(args, boot_params.argv[i], false);
	return r == 0 ? boot_env(args) : r;
}

static _Noreturn void refuse(const char *path, int r, const char *why)
{
	report("%s: %s", path, why);
	platform_halt(shutdown_how(),
	    r == -ENOENT || r == -ENOTDIR ? STATUS_NOT_FOUND : STATUS_NOT_RUN);
}

/* The first program's thread: in the kernel until it has a program. */
static void boot_main(struct task *t)
{
	const char *path = boot_params.argv[0];
	struct exec_args args = { 0 };
	char why[128];
	bool gone;
	int r;

	r = open_console();
	if (r != 0)
		log_warn("/dev/console cannot be opened (%d)", r);
	r = enter_cwd();
	if (r != 0)
		refuse(boot_params.cwd, r, "cannot be entered (--cwd)");
	r = collect(&args);
	if (r != 0)
		refuse(path, r, "out of memory");
	r = exec_load(path, &args, &t->start, why, &gone);
	if (r != 0)
		refuse(path, r, why);
	exec_args_free(&args);
	bootchart_mark("program");
	if (boot_params.bootchart)
		bootchart_print();
	arch_enter_app(&t->start);
}

void exec_init(void)
{
	struct task *t;
	int r;

	if (boot_params.argc == 0) {
		report("no program to run: name one on the command line");
		param_usage();
		platform_halt(PLATFORM_POWEROFF, 2);
	}
	app_init();
	shutdown_init();
	fs_ctx_current = current_fs;
	r = proc_create(&proc_init, &t, "app", boot_main);
	if (r != 0)
		panic("no memory for the first process (%d)", r);
	task_start(t);
}
