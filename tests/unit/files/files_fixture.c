#include "files_fixture.h"

#include "kernel/fs/files_int.h"

static long live;

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
