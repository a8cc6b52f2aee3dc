#include "exec_int.h"

#include <linux/fcntl.h>

#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/string.h"
#include "kern/vfs.h"
#include "syscalls.h"
#include "task_int.h"

#define EXEC_PATH_MAX 4096

/* The path of what (fd) is, with (path) after it. */
static int path_at(int fd, char *path)
{
	struct file *f;
	char *base;
	long n;

	if (path[0] == '/' || (fd == AT_FDCWD && path[0]))
		return 0;
	f = fd_get(fd);
	if (!f)
		return -EBADF;
	base = kmalloc(EXEC_PATH_MAX);
	n = -ENOMEM;
	if (base)
		n = f->dentry ? dentry_path(f->dentry, base, EXEC_PATH_MAX)
			      : -EACCES;
	file_put(f);
	if (n >= 0) {
		size_t len = (size_t)n, more = strlen(path);

		if (len + 1 + more >= EXEC_PATH_MAX) {
			n = -ENAMETOOLONG;
		} else {
			if (more)
				base[len++] = '/';
			memcpy(base + len, path, more + 1);
			memcpy(path, base, len + more + 1);
		}
	}
	kfree(base);
	return n < 0 ? (int)n : 0;
}

static int collect(
    struct exec_args *args, const char *const *argv, const char *const *envp)
{
	int r = exec_args_add_user(args, argv, false);

	/* As Linux does for a program that would not look. */
	if (r == 0 && args->argc == 0)
		r = exec_args_add(args, "", false);
	return r == 0 ? exec_args_add_user(args, envp, true) : r;
}

/* The process keeps its id, files and address space; the rest is new. */
static int replace(const char *path, struct exec_args *args)
{
	struct task *t = task_self();
	char why[128];
	bool gone;
	int r = exec_load(path, args, &t->start, why, &gone);

	if (r == 0)
		return 0;
	log_info("execve %s: %s", path, why);
	if (gone) {
		report("%s: %s", path, why);
		proc_exit(0, SIGKILL);
	}
	return r;
}

static long execute(int fd, const char *user_path, const char *const *argv,
    const char *const *envp, int flags)
{
	struct exec_args args = { 0 };
	char *path = kmalloc(EXEC_PATH_MAX);
	long r;

	if (!path)
		return -ENOMEM;
	r = strncpy_from_user(path, user_path, EXEC_PATH_MAX);
	if (r == 0 && !(flags & AT_EMPTY_PATH))
		r = -ENOENT;
	if (r >= 0)
		r = path_at(fd, path);
	if (r >= 0)
		r = collect(&args, argv, envp);
	if (r == 0)
		r = replace(path, &args);
	exec_args_free(&args);
	kfree(path);
	if (r != 0)
		return r;
	(void)fpu_restore_user(NULL);
	arch_enter_app(&task_self()->start);
}

long sys_execve(
    const char *path, const char *const *argv, const char *const *envp)
{
	return execute(AT_FDCWD, path, argv, envp, 0);
}

long sys_execveat(int fd, const char *path, const char *const *argv,
    const char *const *envp, int flags)
{
	if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	return execute(fd, path, argv, envp, flags);
}
