#include "files_fixture.h"

#include "kern/arch.h"
#include "kern/cred.h"
#include "kern/flock.h"
#include "kern/vfs.h"
#include "kernel/fs/files_int.h"

bool fake_signal_pending;
int fake_signal_raised;

static const char *fault_at;
static size_t fault_len;
static long live;

void fake_user_fault(const void *p, size_t n)
{
	fault_at = p;
	fault_len = n;
}

static bool faults(const void *p, size_t n)
{
	const char *at = p;

	return fault_at && n > 0 && at < fault_at + fault_len &&
	       fault_at < at + n;
}

int copy_to_user(void *to, const void *from, size_t n)
{
	if (faults(to, n))
		return -EFAULT;
	if (n > 0)
		memcpy(to, from, n);
	return 0;
}

int copy_from_user(void *to, const void *from, size_t n)
{
	if (faults(from, n))
		return -EFAULT;
	if (n > 0)
		memcpy(to, from, n);
	return 0;
}

int clear_user(void *to, size_t n)
{
	if (faults(to, n))
		return -EFAULT;
	memset(to, 0, n);
	return 0;
}

bool signal_pending(void)
{
	return fake_signal_pending;
}

void signal_raise_self(int sig)
{
	fake_signal_raised = sig;
}

void cred_current(struct cred *c)
{
	*c = (struct cred){ 7, 0, 0 };
}

/* No file here has a vnode: none of these may be called. */
void vnode_put(struct vnode *v)
{
	(void)v;
	abort();
}

void vnode_get(struct vnode *v)
{
	(void)v;
	abort();
}

void dentry_put(struct dentry *d)
{
	(void)d;
	abort();
}

void flock_file_gone(struct file *f)
{
	(void)f;
	abort();
}

void flock_fd_closed(struct file *f)
{
	(void)f;
	abort();
}

int vfs_getattr(struct vnode *v, struct vattr *va)
{
	(void)v;
	(void)va;
	abort();
}

void vattr_to_stat(
    const struct vnode *v, const struct vattr *va, struct stat *st)
{
	(void)v;
	(void)va;
	(void)st;
	abort();
}

WEAK void epoll_file_gone(struct file *f)
{
	(void)f;
	abort();
}

/* --- a file ------------------------------------------------------------ */

static uint32_t fake_poll(struct file *f, struct poll_entry *pe)
{
	struct fake_file *ff = f->priv;

	poll_wait(&ff->head, pe);
	if (ff->two_heads)
		poll_wait(&ff->head2, pe);
	ff->polled++;
	return ff->events;
}

static void fake_release(struct file *f)
{
	struct fake_file *ff = f->priv;

	ff->released++;
}

static const struct file_ops fake_ops = {
	.poll = fake_poll,
	.release = fake_release,
};

void fake_file_init(struct fake_file *ff)
{
	memset(ff, 0, sizeof(*ff));
	poll_head_init(&ff->head);
	poll_head_init(&ff->head2);
	ff->file = file_new(&fake_ops, O_RDWR, ff);
	assert_non_null(ff->file);
}

void fake_file_set(struct fake_file *ff, uint32_t events)
{
	ff->events = events;
	poll_notify(ff->two_heads ? &ff->head2 : &ff->head, events);
}

int fd_of(struct file *f)
{
	int fd = fd_install(f, false, 0);

	assert_true(fd >= 0);
	return fd;
}

long file_read_some(struct file *f, void *buf, size_t n)
{
	struct uio u;
	uint64_t off = 0;

	uio_init(&u, buf, n, false);
	return f->ops->read(f, &u, &off);
}

long file_write_some(struct file *f, const void *buf, size_t n)
{
	struct uio u;
	uint64_t off = 0;

	uio_init(&u, (void *)(uintptr_t)buf, n, false);
	return f->ops->write(f, &u, &off);
}

/* --- begin and end ----------------------------------------------------- */

int files_setup(void **state)
{
	(void)state;
	live = fake_mm_live();
	fake_signal_pending = false;
	fake_signal_raised = 0;
	fake_sleep_hook = NULL;
	thread_self()->interrupted = false;
	thread_self()->files = fdtable_create();
	assert_non_null(thread_self()->files);
	return 0;
}

int files_teardown(void **state)
{
	(void)state;
	fake_user_fault(NULL, 0);
	fake_mm_fail_nth(0);
	fdtable_put(thread_self()->files);
	thread_self()->files = NULL;
	while (fake_rcu_run() || fake_work_run())
		;
	assert_int_equal(fake_mm_live(), live);
	assert_int_equal(fake_locks_held(), 0);
	assert_int_equal(fake_timers_pending(), 0);
	return 0;
}
