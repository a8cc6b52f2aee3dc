/* Advisory locks. */

#include "fs_fixture.h"

#include "kern/flock.h"
#include "kern/sched.h"
#include "kern/signal.h"
#include "files_int.h"

static struct thread one, two, *normal; /* of two processes */
static struct file *f, *g;              /* two opens of one file */

static int setup(void **state)
{
	static int tables[2];

	fs_setup(state);
	normal = cpu_self()->current;
	one.files = (struct fdtable *)&tables[0];
	two.files = (struct fdtable *)&tables[1];
	one.id = 1;
	two.id = 2;
	assert_int_equal(vfs_open(NULL, "/f", O_CREAT | O_RDWR, 0600, &f), 0);
	assert_int_equal(vfs_open(NULL, "/f", O_RDWR, 0600, &g), 0);
	cpu_self()->current = &one;
	return 0;
}

static int teardown(void **state)
{
	if (f)
		file_put(f);
	file_put(g);
	f = NULL;
	cpu_self()->current = normal;
	return fs_teardown(state);
}

static int lock(struct file *file, int cmd, short type, long start, long len)
{
	struct flock fl = { .l_type = type, .l_start = start, .l_len = len };

	return flock_fcntl(file, cmd, &fl);
}

/* Who keeps process two from writing at (start): its range, or "-". */
static const char *holder(long start)
{
	static char buf[40];
	struct flock fl = { .l_type = F_WRLCK, .l_start = start, .l_len = 1 };

	cpu_self()->current = &two;
	assert_int_equal(flock_fcntl(f, F_GETLK, &fl), 0);
	cpu_self()->current = &one;
	if (fl.l_type == F_UNLCK)
		return "-";
	snprintf(buf, sizeof(buf), "%s %ld+%ld by %d",
	    fl.l_type == F_WRLCK ? "write" : "read", (long)fl.l_start,
	    (long)fl.l_len, fl.l_pid);
	return buf;
}

static void test_flock(void **state)
{
	(void)state;
	assert_int_equal(flock_apply(f, 1), 0);
	assert_int_equal(flock_apply(g, 1 | 4), 0);
	assert_int_equal(flock_apply(g, 2 | 4), -EAGAIN);
	/* Asking for the other kind lets go of the first, granted or not. */
	assert_int_equal(flock_apply(f, 2 | 4), 0);
	assert_int_equal(flock_apply(g, 1 | 4), -EAGAIN);
	assert_int_equal(flock_apply(f, 8), 0);
	assert_int_equal(flock_apply(g, 1 | 4), 0);
	assert_int_equal(flock_apply(f, 3), -EINVAL);
	assert_int_equal(flock_apply(f, 0), -EINVAL);
	assert_int_equal(flock_apply(g, 2 | 4), 0);
	assert_int_equal(lock(f, F_SETLK, F_WRLCK, 0, 0), 0); /* apart */
	flock_fd_closed(f);
}

static void test_ranges(void **state)
{
	(void)state;
	assert_int_equal(lock(f, F_SETLK, F_WRLCK, 100, 100), 0);
	assert_string_equal(holder(99), "-");
	assert_string_equal(holder(100), "write 100+100 by 1");
	assert_int_equal(lock(f, F_SETLK, F_UNLCK, 140, 20), 0);
	assert_string_equal(holder(139), "write 100+40 by 1");
	assert_string_equal(holder(150), "-");
	assert_string_equal(holder(160), "write 160+40 by 1");
	assert_int_equal(lock(f, F_SETLK, F_RDLCK, 0, 120), 0);
	assert_string_equal(holder(110), "read 0+120 by 1");
	assert_string_equal(holder(130), "write 120+20 by 1");
	assert_int_equal(lock(f, F_SETLK, F_WRLCK, 190, 0), 0);
	assert_string_equal(holder(1l << 60), "write 190+0 by 1");
	assert_int_equal(lock(f, F_SETLK, F_UNLCK, 200, -10), 0);
	assert_string_equal(holder(195), "-");
	assert_string_equal(holder(200), "write 200+0 by 1");
	assert_int_equal(lock(f, F_SETLK, F_UNLCK, 0, 0), 0);
	assert_true(list_empty(&f->vnode->flocks));
}

static void test_two_processes(void **state)
{
	(void)state;
	assert_int_equal(lock(f, F_SETLK, F_RDLCK, 0, 10), 0);
	cpu_self()->current = &two;
	assert_int_equal(lock(f, F_SETLK, F_RDLCK, 5, 10), 0);
	assert_int_equal(lock(f, F_SETLK, F_WRLCK, 12, 10), 0);
	assert_int_equal(lock(f, F_SETLK, F_WRLCK, 9, 1), -EAGAIN);
	cpu_self()->current = &one;
	assert_int_equal(lock(f, F_SETLK, F_RDLCK, 12, 1), -EAGAIN);
	/* Closing any descriptor of the file lets all of them go. */
	cpu_self()->current = &two;
	flock_fd_closed(g);
	cpu_self()->current = &one;
	assert_int_equal(lock(f, F_SETLK, F_WRLCK, 0, 0), 0);
	flock_fd_closed(f);
	assert_true(list_empty(&f->vnode->flocks));
}

static void test_open_file_locks(void **state)
{
	struct flock fl = { .l_type = F_RDLCK, .l_pid = 7 };

	(void)state;
	assert_int_equal(lock(f, F_OFD_SETLK, F_WRLCK, 0, 10), 0);
	assert_int_equal(lock(g, F_OFD_SETLK, F_RDLCK, 9, 1), -EAGAIN);
	assert_int_equal(lock(g, F_SETLK, F_RDLCK, 9, 1), -EAGAIN);
	assert_int_equal(flock_fcntl(f, F_OFD_SETLK, &fl), -EINVAL);
	flock_fd_closed(f); /* not theirs */
	assert_int_equal(lock(g, F_OFD_SETLK, F_RDLCK, 9, 1), -EAGAIN);
	file_put(f);
	f = NULL;
	assert_int_equal(lock(g, F_OFD_SETLK, F_RDLCK, 9, 1), 0);
}

static void test_bad_arguments(void **state)
{
	struct flock fl = { .l_type = F_WRLCK };
	struct file *ro;

	(void)state;
	assert_int_equal(lock(f, F_SETLK, 9, 0, 0), -EINVAL);
	assert_int_equal(lock(f, F_SETLK, F_WRLCK, -1, 5), -EINVAL);
	assert_int_equal(lock(f, F_SETLK, F_WRLCK, 5, -6), -EINVAL);
	assert_int_equal(lock(f, F_SETLK, F_WRLCK, INT64_MAX, 2), -EOVERFLOW);
	fl.l_whence = 5;
	assert_int_equal(flock_fcntl(f, F_SETLK, &fl), -EINVAL);
	assert_int_equal(vfs_open(NULL, "/f", O_RDONLY, 0, &ro), 0);
	assert_int_equal(lock(ro, F_SETLK, F_WRLCK, 0, 1), -EBADF);
	assert_int_equal(lock(ro, F_SETLK, F_RDLCK, 0, 1), 0);
	file_put(ro);
	flock_fd_closed(f);
}

static void unlock_other(void *arg)
{
	(void)arg;
	cpu_self()->current = &two;
	assert_int_equal(lock(f, F_SETLK, F_UNLCK, 0, 0), 0);
	cpu_self()->current = &one;
}

static void test_waiting(void **state)
{
	(void)state;
	cpu_self()->current = &two;
	assert_int_equal(lock(f, F_SETLK, F_WRLCK, 0, 10), 0);
	cpu_self()->current = &one;
	fake_sleep_hook = unlock_other;
	assert_int_equal(lock(f, F_SETLKW, F_WRLCK, 5, 10), 0);
	fake_sleep_hook = NULL;
	flock_fd_closed(f);
}

static void test_no_memory(void **state)
{
	(void)state;
	for (long n = 1; n < 3; n++) {
		fake_mm_fail_nth(n);
		assert_int_equal(lock(f, F_SETLK, F_WRLCK, 0, 10), -ENOLCK);
	}
	fake_mm_fail_nth(0);
	assert_true(list_empty(&f->vnode->flocks));
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_flock),
		TEST(test_ranges),
		TEST(test_two_processes),
		TEST(test_open_file_locks),
		TEST(test_bad_arguments),
		TEST(test_waiting),
		TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
