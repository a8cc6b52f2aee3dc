#include "files_fixture.h"

#include "kern/pipe.h"

#include <linux/limits.h>
#include <signal.h>

static struct file *rd, *wr;

static void open_pipe(uint32_t flags)
{
	struct file *end[2];

	assert_int_equal(pipe_create(end, flags), 0);
	rd = end[0];
	wr = end[1];
}

static void close_pipe(void)
{
	file_put(rd);
	file_put(wr);
}

static uint32_t events(struct file *f)
{
	return f->ops->poll(f, NULL);
}

/* Byte (i) of an endless stream that does not repeat at page sizes. */
static char pattern(size_t i)
{
	return (char)(i % 251);
}

static void bytes_come_out_in_order(void **state)
{
	char buf[5000];
	size_t in = 0, out = 0;

	(void)state;
	open_pipe(O_NONBLOCK);
	for (unsigned round = 0; round < 400; round++) {
		size_t n = 1 + round * 37 % sizeof(buf);
		long r;

		for (size_t i = 0; i < n; i++)
			buf[i] = pattern(in + i);
		r = file_write_some(wr, buf, n);
		if (r > 0)
			in += (size_t)r;
		else
			assert_int_equal(r, -EAGAIN);
		r = file_read_some(rd, buf, 1 + round * 53 % sizeof(buf));
		for (long i = 0; i < r; i++)
			assert_int_equal(buf[i], pattern(out + (size_t)i));
		if (r > 0)
			out += (size_t)r;
	}
	assert_true(out > 100000 && in - out <= 65536);
	close_pipe();
}

static void holds_64_kib(void **state)
{
	static char big[70000];

	(void)state;
	open_pipe(O_NONBLOCK);
	assert_int_equal(file_write_some(wr, big, sizeof(big)), 65536);
	assert_int_equal(file_write_some(wr, big, 1), -EAGAIN);
	assert_int_equal(events(wr), 0);
	assert_int_equal(file_read_some(rd, big, 4095), 4095);
	/* Room comes in pages. */
	assert_int_equal(file_write_some(wr, big, 1), -EAGAIN);
	assert_int_equal(events(wr), 0);
	assert_int_equal(file_read_some(rd, big, 1), 1);
	assert_int_equal(events(wr), EPOLLOUT | EPOLLWRNORM);
	assert_int_equal(file_write_some(wr, big, 1), 1);
	/* PIPE_BUF bytes are one piece, more are not. */
	assert_int_equal(file_write_some(wr, big, PIPE_BUF), -EAGAIN);
	assert_int_equal(file_write_some(wr, big, PIPE_BUF + 1), PIPE_BUF - 1);
	assert_int_equal(file_read_some(rd, big, sizeof(big)), 65536);
	assert_int_equal(file_read_some(rd, big, 1), -EAGAIN);
	close_pipe();
}

static void the_ends_notice_each_other(void **state)
{
	char buf[8];

	(void)state;
	open_pipe(0);
	assert_int_equal(events(rd), 0);
	assert_int_equal(file_write_some(wr, "abc", 3), 3);
	assert_int_equal(events(rd), EPOLLIN | EPOLLRDNORM);
	file_put(wr);
	assert_int_equal(events(rd), EPOLLIN | EPOLLRDNORM | EPOLLHUP);
	assert_int_equal(file_read_some(rd, buf, 8), 3);
	assert_int_equal(file_read_some(rd, buf, 8), 0);
	assert_int_equal(events(rd), EPOLLHUP);
	file_put(rd);

	open_pipe(0);
	file_put(rd);
	assert_true(events(wr) & EPOLLERR);
	assert_int_equal(file_write_some(wr, "abc", 3), -EPIPE);
	assert_int_equal(fake_signal_raised, SIGPIPE);
	assert_int_equal(file_write_some(wr, "", 0), 0);
	file_put(wr);
}

static void write_soon(void *arg)
{
	(void)arg;
	fake_sleep_hook = NULL;
	assert_int_equal(file_write_some(wr, "late", 4), 4);
}

static void read_soon(void *arg)
{
	char buf[10000];

	(void)arg;
	assert_int_equal(file_read_some(rd, buf, sizeof(buf)), sizeof(buf));
}

static void hang_up_soon(void *arg)
{
	(void)arg;
	fake_sleep_hook = NULL;
	file_put(wr);
}

static void readers_and_writers_sleep(void **state)
{
	static char big[100000];
	char buf[8];

	(void)state;
	open_pipe(0);
	fake_sleep_hook = write_soon;
	assert_int_equal(file_read_some(rd, buf, 8), 4);
	fake_sleep_hook = read_soon;
	assert_int_equal(file_write_some(wr, big, sizeof(big)), sizeof(big));
	fake_sleep_hook = NULL;
	assert_int_equal(file_read_some(rd, big, sizeof(big)), 60000);
	fake_sleep_hook = hang_up_soon;
	assert_int_equal(file_read_some(rd, buf, 8), 0);
	file_put(rd);
}

static void a_signal_ends_the_sleep(void **state)
{
	static char big[70000];
	char buf[8];

	(void)state;
	open_pipe(0);
	thread_self()->interrupted = true;
	assert_int_equal(file_read_some(rd, buf, 8), -ERESTARTSYS);
	/* What has been written counts. */
	assert_int_equal(file_write_some(wr, big, sizeof(big)), 65536);
	assert_int_equal(file_write_some(wr, big, 1), -ERESTARTSYS);
	close_pipe();
}

static void size_changes_with_bytes_inside(void **state)
{
	char buf[30000];

	(void)state;
	open_pipe(O_NONBLOCK);
	assert_int_equal(pipe_size(rd), 65536);
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = pattern(i);
	assert_int_equal(file_write_some(wr, buf, 30000), 30000);
	assert_int_equal(file_read_some(rd, buf, 25000), 25000);
	assert_int_equal(pipe_set_size(rd, 4096), -EBUSY);
	assert_int_equal(pipe_set_size(rd, 8193), 16384);
	assert_int_equal(file_read_some(rd, buf, 100), 100);
	assert_int_equal(buf[0], pattern(25000));
	assert_int_equal(file_write_some(wr, buf, 30000), 16384 - 5424);
	assert_int_equal(file_read_some(rd, buf, 4900), 4900);
	assert_int_equal(buf[4899], pattern(29999));
	assert_int_equal(file_read_some(rd, buf, 30000), 16384 - 5424);
	assert_int_equal(pipe_set_size(rd, 1), 4096);
	assert_int_equal(pipe_set_size(rd, 1 << 21), -EPERM);
	assert_int_equal(pipe_set_size(rd, 1ul << 40), -EINVAL);
	close_pipe();
}

/* The copy fails with a page made for it and nothing in it. */
static void a_fault_at_a_page_leaks_nothing(void **state)
{
	static char big[65536];
	struct uio u;
	uint64_t off = 0;

	(void)state;
	open_pipe(O_NONBLOCK);
	assert_int_equal(file_write_some(wr, big, 4096), 4096);
	fake_user_fault(big, sizeof(big));
	uio_init(&u, big, 10, true);
	assert_int_equal(wr->ops->write(wr, &u, &off), -EFAULT);
	assert_int_equal(file_read_some(rd, big, 4096), 4096);
	uio_init(&u, big, 10, true);
	assert_int_equal(rd->ops->read(rd, &u, &off), -EAGAIN);
	assert_int_equal(file_write_some(wr, "x", 1), 1);
	uio_init(&u, big, 10, true);
	assert_int_equal(rd->ops->read(rd, &u, &off), -EFAULT);
	fake_user_fault(NULL, 0);
	assert_int_equal(file_read_some(rd, big, 10), 1);
	close_pipe();
}

static void memory_may_run_out(void **state)
{
	struct file *end[2];
	static char big[20000];
	long n, r;

	(void)state;
	for (n = 1;; n++) {
		fake_mm_fail_nth(n);
		r = pipe_create(end, O_NONBLOCK);
		if (r == 0)
			break;
		assert_int_equal(r, -ENOMEM);
	}
	assert_true(n > 3);
	rd = end[0];
	wr = end[1];
	fake_mm_fail_nth(3);
	assert_int_equal(file_write_some(wr, big, sizeof(big)), 20000);
	assert_true(fake_mm_failed());
	assert_int_equal(file_write_some(wr, big, 480), 480);
	fake_mm_fail_nth(1);
	assert_int_equal(file_write_some(wr, big, 10), -ENOMEM);
	fake_mm_fail_nth(1);
	assert_int_equal(pipe_set_size(wr, 1 << 17), -ENOMEM);
	assert_int_equal(file_read_some(rd, big, sizeof(big)), 20000);
	assert_int_equal(file_read_some(rd, big, sizeof(big)), 480);
	close_pipe();
}

static struct vnode *const some_vnode = (struct vnode *)&rd;

static struct file *open_fifo(uint32_t flags, int *err)
{
	static const struct file_ops none;
	struct file *f = file_new(&none, flags, NULL);

	*err = fifo_open(some_vnode, f);
	if (*err) {
		kfree(container_of(f, struct file, ops));
		f = NULL;
	}
	return f;
}

static void open_writer_soon(void *arg)
{
	int err;

	(void)arg;
	fake_sleep_hook = NULL;
	wr = open_fifo(O_WRONLY, &err);
	assert_int_equal(err, 0);
}

static void a_fifo_waits_for_its_other_end(void **state)
{
	char buf[8];
	int err;

	(void)state;
	assert_null(open_fifo(O_WRONLY | O_NONBLOCK, &err));
	assert_int_equal(err, -ENXIO);
	thread_self()->interrupted = true;
	assert_null(open_fifo(O_RDONLY, &err));
	assert_int_equal(err, -ERESTARTSYS);
	thread_self()->interrupted = false;

	fake_sleep_hook = open_writer_soon;
	rd = open_fifo(O_RDONLY, &err);
	assert_int_equal(err, 0);
	assert_int_equal(file_write_some(wr, "hi", 2), 2);
	assert_int_equal(file_read_some(rd, buf, 8), 2);
	file_put(wr);
	assert_int_equal(events(rd), EPOLLHUP);
	file_put(rd);
}

static void a_fifo_nobody_wrote_has_not_hung_up(void **state)
{
	int err;

	(void)state;
	rd = open_fifo(O_RDONLY | O_NONBLOCK, &err);
	assert_int_equal(err, 0);
	assert_int_equal(events(rd), 0);
	wr = open_fifo(O_WRONLY | O_NONBLOCK, &err);
	assert_int_equal(err, 0);
	file_put(wr);
	assert_int_equal(events(rd), EPOLLHUP);
	file_put(rd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILES_TEST(bytes_come_out_in_order),
		FILES_TEST(holds_64_kib),
		FILES_TEST(the_ends_notice_each_other),
		FILES_TEST(readers_and_writers_sleep),
		FILES_TEST(a_signal_ends_the_sleep),
		FILES_TEST(size_changes_with_bytes_inside),
		FILES_TEST(a_fault_at_a_page_leaks_nothing),
		FILES_TEST(memory_may_run_out),
		FILES_TEST(a_fifo_waits_for_its_other_end),
		FILES_TEST(a_fifo_nobody_wrote_has_not_hung_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
