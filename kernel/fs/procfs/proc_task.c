#include "procfs.h"

#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/sched.h"

/* /proc/self/task: a directory for each thread, with the texts of the process
 * that say something about the thread (proc_out.tid). */

/* --- texts --------------------------------------------------------------- */

static int proc_tidtext_open(struct vnode *v, struct file *f)
{
	return proc_text_open_with(
	    f, proc_node(v)->file, proc_node(v)->tid, -1);
}

static const struct vnode_ops proc_tidtext_ops = {
	.getattr = proc_getattr,
	.open = proc_tidtext_open,
	.reclaim = proc_reclaim,
};

/* --- task/N -------------------------------------------------------------- */

static int proc_tid_lookup(
    struct vnode *v, const char *name, size_t len, struct vnode **out)
{
	struct proc_node *of = proc_child(proc_of(v)->self, name, len), *n;

	if (!of || of->vnode.ops == &proc_task_ops)
		return -ENOENT;
	if (!of->file) {
		vnode_get(&of->vnode);
		*out = &of->vnode;
		return 0;
	}
	n = proc_node_new(v->mount, &proc_tidtext_ops, of->vnode.mode);
	if (!n)
		return -ENOMEM;
	n->file = of->file;
	n->tid = proc_node(v)->tid;
	*out = &n->vnode;
	return 0;
}

/* What the process's directory lists, without task/ itself. */
struct proc_tid_emit {
	proc_emit emit;
	void *arg;
};

static bool proc_tid_emit(void *arg, const char *name, size_t len, uint64_t ino,
    uint8_t type, uint64_t next)
{
	struct proc_tid_emit *e = arg;

	if (len == 4 && name[0] == 't' && name[1] == 'a')
		return true;
	return e->emit(e->arg, name, len, ino, type, next);
}

static int proc_tid_readdir(
    struct vnode *v, uint64_t *off, proc_emit emit, void *arg)
{
	struct proc_tid_emit e = { .emit = emit, .arg = arg };

	return proc_readdir(&proc_of(v)->self->vnode, off, proc_tid_emit, &e);
}

static const struct vnode_ops proc_tid_ops = {
	.lookup = proc_tid_lookup,
	.readdir = proc_tid_readdir,
	.getattr = proc_getattr,
	.reclaim = proc_reclaim,
};

/* --- task ---------------------------------------------------------------- */

static bool proc_is_thread(uint32_t tid)
{
	struct thread *t = thread_find(tid);
	bool is = t && t->task;

	if (t)
		thread_put(t);
	return is;
}

static int proc_task_lookup(
    struct vnode *v, const char *name, size_t len, struct vnode **out)
{
	long tid = proc_number(name, len);
	struct proc_node *n;

	if (tid <= 0 || !proc_is_thread((uint32_t)tid))
		return -ENOENT;
	n = proc_node_new(v->mount, &proc_tid_ops, S_IFDIR | 0555);
	if (!n)
		return -ENOMEM;
	n->tid = (uint32_t)tid;
	n->vnode.flags = VNODE_NOCACHE;
	*out = &n->vnode;
	return 0;
}

/* The smallest id of a program's thread from (min) on. */
struct proc_task_next {
	uint32_t min, found;
};

static bool proc_task_see(struct thread *t, void *arg)
{
	struct proc_task_next *n = arg;

	if (t->task && t->id >= n->min && t->id < n->found)
		n->found = t->id;
	return true;
}

static int proc_task_readdir(
    struct vnode *v, uint64_t *off, proc_emit emit, void *arg)
{
	char digits[PROC_NUMBER_MAX];
	size_t at;

	(void)v;
	while (*off < UINT32_MAX) {
		struct proc_task_next n = {
			.min = (uint32_t)*off - 1,
			.found = UINT32_MAX,
		};

		thread_foreach(proc_task_see, &n);
		if (n.found == UINT32_MAX)
			break;
		at = proc_digits(digits, n.found);
		if (!emit(arg, digits + at, sizeof(digits) - at,
			0x20000u + n.found, S_IFDIR >> 12, n.found + 2ull))
			break;
		*off = n.found + 2ull;
	}
	return 0;
}

const struct vnode_ops proc_task_ops = {
	.lookup = proc_task_lookup,
	.readdir = proc_task_readdir,
	.getattr = proc_getattr,
	.reclaim = proc_reclaim_never,
};
