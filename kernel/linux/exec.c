#include "exec_int.h"

#include <asm/fcntl.h>
#include <linux/stat.h>

#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/rand.h"
#include "kern/signal.h"
#include "kern/string.h"
#include "kern/vfs.h"
#include "kern/vm.h"
#include "app_timer_int.h"
#include "signal_int.h"
#include "task_int.h"

#define PATH_MAX_   4096
#define SCRIPT_LINE 256

/* All of one exec, too large for a kernel stack. */
struct exec {
	struct file *file, *interp;
	struct elf_plan plan, iplan;
	struct elf_image img, iimg;
	struct exec_info info;
	struct exec_layout layout;
	bool allow_wx;
	char *exe;              /* absolute path; NULL: not known */
	char line[SCRIPT_LINE]; /* of a script: "#!" and on */
	char path[PATH_MAX_];
	char *why;
};

static int fail(struct exec *x, int r, const char *what, const char *reason)
{
	if (what)
		snprintf(x->why, 128, "interpreter %s: %s", what, reason);
	else
		snprintf(x->why, 128, "%s", reason);
	return r;
}

static const char *errno_text(int r)
{
	switch (r) {
	case -ENOENT:
		return "not found";
	case -ENOTDIR:
		return "not found: part of the path is not a directory";
	case -EACCES:
		return "permission denied";
	case -EISDIR:
		return "is a directory";
	case -ELOOP:
		return "too many symbolic links";
	case -ENOMEM:
		return "out of memory";
	case -ENODEV:
		return "is on a file system that cannot map files";
	case -EIO:
		return "read error";
	default:
		return "cannot be opened";
	}
}

/* (what): the path when it is an interpreter's. */
static int open_program(
    struct exec *x, const char *path, const char *what, struct file **out)
{
	struct file *f;
	int r = vfs_open(NULL, path, O_RDONLY | O_CLOEXEC, 0, &f);

	if (r != 0)
		return fail(x, r, what, errno_text(r));
	r = 0;
	if (!f->vnode || S_ISDIR(f->vnode->mode))
		r = fail(x, -EACCES, what, "is a directory");
	else if (!S_ISREG(f->vnode->mode))
		r = fail(x, -EACCES, what, "is not a regular file");
	else if (!(f->vnode->mode & 0111))
		r = fail(x, -EACCES, what, "is not executable");
	if (r != 0)
		file_put(f);
	else
		*out = f;
	return r;
}

static long src_read(
    const struct elf_src *src, void *buf, size_t n, uint64_t off)
{
	return file_read_at(src->arg, buf, n, off);
}

static int plan_file(
    struct exec *x, struct file *f, struct elf_plan *plan, const char *what)
{
	struct elf_src src = { src_read, f, vnode_size(f->vnode) };
	const char *why;
	int r = elf_plan(&src, plan, &why);

	return r == 0 ? 0 : fail(x, r, what, why);
}

/* Split "#!path arg" at its first blanks; -ENOEXEC when it names none. */
static int parse_script(char *line, char **interp, char **arg)
{
	char *p = line + 2, *end;

	end = strchr(p, '\n');
	if (!end)
		return -ENOEXEC;
	while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*end = '\0';
	while (*p == ' ' || *p == '\t')
		p++;
	if (*p == '\0')
		return -ENOEXEC;
	*interp = p;
	while (*p && *p != ' ' && *p != '\t')
		p++;
	*arg = NULL;
	if (*p == '\0')
		return 0;
	*p++ = '\0';
	while (*p == ' ' || *p == '\t')
		p++;
	*arg = p;
	return 0;
}

/* A script: its interpreter becomes the program. */
static int open_script(struct exec *x, struct exec_args *args)
{
	char *interp, *arg;
	int r = parse_script(x->line, &interp, &arg);

	if (r != 0)
		return fail(x, r, NULL, "script without an interpreter");
	file_put(x->file);
	x->file = NULL;
	r = exec_args_prepend(args, x->path, 1);
	if (r == 0 && arg)
		r = exec_args_prepend(args, arg, 0);
	if (r == 0)
		r = exec_args_prepend(args, interp, 0);
	if (r != 0)
		return fail(x, r, NULL, errno_text(r));
	r = open_program(x, interp, interp, &x->file);
	if (r == 0)
		r = plan_file(x, x->file, &x->plan, interp);
	return r;
}

/* Everything that can be refused before anything is changed. */
static int exec_check(struct exec *x, struct exec_args *args)
{
	long n;
	int r = open_program(x, x->path, NULL, &x->file);

	if (r != 0)
		return r;
	n = file_read_at(x->file, x->line, sizeof(x->line) - 1, 0);
	if (n < 0)
		return fail(x, (int)n, NULL, "read error");
	if (n > 2 && x->line[0] == '#' && x->line[1] == '!')
		r = open_script(x, args);
	else
		r = plan_file(x, x->file, &x->plan, NULL);
	if (r != 0 || x->plan.interp[0] == '\0')
		return r;
	r = open_program(x, x->plan.interp, x->plan.interp, &x->interp);
	if (r == 0)
		r = plan_file(x, x->interp, &x->iplan, x->plan.interp);
	if (r == 0 && x->iplan.interp[0])
		r = fail(
		    x, -ENOEXEC, x->plan.interp, "wants an interpreter itself");
	return r;
}

/* Which program it is decides whether it may have memory that is writable and
 * executable. */
static int exec_check_wx(struct exec *x)
{
	x->exe = kmalloc(PATH_MAX_);
	if (x->exe && dentry_path(x->file->dentry, x->exe, PATH_MAX_) < 0) {
		kfree(x->exe);
		x->exe = NULL;
	}
	x->allow_wx = wx_allowed(x->exe);
	if (x->allow_wx)
		return 0;
	if (x->plan.wx_segment || (x->interp && x->iplan.wx_segment))
		return fail(x, -ENOEXEC, NULL,
		    "segment both writable and executable (see --allow-wx)");
	if (x->plan.exec_stack)
		log_warn("%s asks for an executable stack: ignored, "
			 "--allow-wx=%s gives it one",
		    x->path, x->exe ? x->exe : x->path);
	return 0;
}

static int map_images(struct exec *x, struct vm_space *vm)
{
	int r = elf_map(vm, x->file, &x->plan, x->layout.pie_base, &x->img);

	if (r != 0)
		return fail(x, r, NULL, "its segments cannot be mapped");
	vm_brk_init(vm, x->img.end + x->layout.brk_gap);
	if (!x->interp)
		return 0;
	r = elf_map(vm, x->interp, &x->iplan, 0, &x->iimg);
	if (r != 0)
		return fail(x, r, x->plan.interp, "cannot be mapped");
	return 0;
}

/*
 * Room for the stack; untouched pages cost nothing.  What is below stays free:
 * vm places nothing within 18 GiB of the end unless it is asked to, so that an
 * overflow faults.
 */
static int map_stack(struct exec *x, struct proc *p, size_t size)
{
	uintptr_t at = x->layout.stack_top - size;
	unsigned prot = VM_READ | VM_WRITE;

	if (x->plan.exec_stack && x->allow_wx) {
		prot |= VM_EXEC;
		wx_note(p, "stack");
	}
	return vm_map(p->vm, &at, size, prot, VM_FIXED | VM_STACK, NULL, 0);
}

static void fill_info(struct exec *x, const struct proc *p)
{
	struct exec_info *i = &x->info;
	uint32_t r[4];

	cpuid(1, 0, r);
	i->execfn = x->path;
	i->entry = x->img.entry;
	i->phdr = x->img.phdr;
	i->phnum = x->plan.phnum;
	i->interp_base = x->interp ? x->iimg.base : 0;
	i->hwcap = r[3];
	i->vdso = p->vdso.base;
	/* An interrupted call begins again in the vDSO. */
	i->call_entry = i->vdso ? (uintptr_t)arch_call_entry : 0;
	i->minsigstksz = signal_stack_min();
	i->uid = p->uid;
	i->euid = p->euid;
	i->gid = p->gid;
	i->egid = p->egid;
	rand_bytes(i->random, sizeof(i->random));
}

static void note_stack(
    struct proc *p, const struct exec_stack *st, const uint8_t *buf)
{
	mutex_lock(&p->exec_lock);
	p->arg_start = st->arg_start;
	p->arg_end = st->arg_end;
	p->env_start = st->env_start;
	p->env_end = st->env_end;
	p->stack_top = st->sp;
	p->auxv_len = (unsigned)MIN(st->auxv_len, sizeof(p->auxv));
	memcpy(p->auxv, buf, p->auxv_len);
	mutex_unlock(&p->exec_lock);
}

static int make_stack(
    struct exec *x, struct proc *p, const struct exec_args *args, uintptr_t *sp)
{
	uint64_t size = MIN(p->rlim[RLIMIT_STACK].rlim_cur, 1ul << 30);
	size_t n = exec_stack_size(args, &x->info);
	struct exec_stack st;
	uintptr_t top = x->layout.stack_top;
	uint8_t *buf;
	int r;

	size = ALIGN_UP(MAX(size, n + 128 * 1024), PAGE_SIZE);
	r = map_stack(x, p, size);
	if (r != 0)
		return r;
	buf = vmalloc(n);
	if (!buf)
		return -ENOMEM;
	exec_stack_build(args, &x->info, top, buf, n, &st);
	r = copy_to_user((void *)st.sp, buf + (n - (top - st.sp)), top - st.sp);
	if (r == 0)
		note_stack(p, &st, buf + (n - (top - st.auxv)));
	vfree(buf);
	*sp = st.sp;
	return r;
}

/* What of the old program does not pass to the new one. */
static void reset_process(struct exec *x, struct proc *p)
{
	struct task *t = task_self();
	const char *base = strrchr(x->path, '/');

	base = base ? base + 1 : x->path;
	mutex_lock(&p->exec_lock);
	kfree(p->exe);
	p->exe = x->exe;
	x->exe = NULL;
	p->allow_wx = x->allow_wx;
	p->wx_used = false;
	snprintf(p->comm, sizeof(p->comm), "%s", base);
	mutex_unlock(&p->exec_lock);
	snprintf(t->thread->name, sizeof(t->thread->name), "%s", base);
	fd_close_cloexec();
	signal_exec(t);
	posix_timers_clear(p);
	t->clear_child_tid = NULL;
	t->robust_list = 0;
}

static void set_registers(
    const struct exec *x, uintptr_t sp, struct trapframe *tf)
{
	memset(tf, 0, sizeof(*tf));
	tf->rip = x->interp ? x->iimg.entry : x->img.entry;
	tf->rsp = sp;
	tf->rflags = IRQ_FLAG_IF | 2;
}

static int exec_replace(
    struct exec *x, struct exec_args *args, struct trapframe *tf, bool *gone)
{
	struct proc *p = proc_self();
	uintptr_t sp;
	int r;

	if (proc_single_thread(task_self()) != 0)
		return fail(x, -ERESTARTNOINTR, NULL, "the process is ending");
	*gone = true;
	r = vm_unmap(p->vm, USER_MIN, USER_MAX - USER_MIN);
	if (r != 0)
		return fail(x, r, NULL, "the old program cannot be unmapped");
	arch_forget_sites();
	reset_process(x, p);
	exec_layout_choose(p->personality, &x->layout);
	vm_space_place(p->vm, x->layout.random);
	vm_space_allow_wx(p->vm, x->allow_wx);
	r = map_images(x, p->vm);
	if (r != 0)
		return r;
	vdso_map(p->vm, &p->vdso);
	fill_info(x, p);
	r = make_stack(x, p, args, &sp);
	if (r != 0)
		return fail(x, r, NULL, "no memory for its stack");
	set_registers(x, sp, tf);
	arch_set_fs_base(0);
	p->execing = false;
	return 0;
}

int exec_load(const char *path, struct exec_args *args, struct trapframe *tf,
    char why[128], bool *gone)
{
	struct exec *x = vmalloc(sizeof(*x));
	int r;

	*gone = false;
	if (!x) {
		snprintf(why, 128, "out of memory");
		return -ENOMEM;
	}
	x->why = why;
	snprintf(x->path, sizeof(x->path), "%s", path);
	r = exec_check(x, args);
	if (r == 0)
		r = exec_check_wx(x);
	if (r == 0)
		r = exec_replace(x, args, tf, gone);
	if (x->interp)
		file_put(x->interp);
	if (x->file)
		file_put(x->file);
	kfree(x->exe);
	vfree(x);
	return r;
}
