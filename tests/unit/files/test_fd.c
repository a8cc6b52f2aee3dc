#include "files_fixture.h"

static struct fake_file files[4];

static void four_files(void)
{
	for (unsigned i = 0; i < 4; i++)
		fake_file_init(&files[i]);
}

static void drop(struct fake_file *ff)
{
	file_put(ff->file);
	fake_rcu_run();
	assert_int_equal(ff->released, 1);
}

static void lowest_free_is_taken(void **state)
{
	(void)state;
	four_files();
	for (int i = 0; i < 3; i++)
		assert_int_equal(fd_install(files[i].file, false, 0), i);
	assert_int_equal(fd_close(1), 0);
	assert_int_equal(files[1].released, 1);
	assert_int_equal(fd_install(files[3].file, false, 0), 1);
	assert_null(fd_get(3));
	assert_null(fd_get(-1));
	assert_null(fd_get(1 << 30));
	assert_int_equal(fd_close(3), -EBADF);
	assert_int_equal(fd_close(-1), -EBADF);
	assert_int_equal(fd_close(100000), -EBADF);
}

static void install_from_a_number_on(void **state)
{
	(void)state;
	four_files();
	assert_int_equal(fd_install(files[0].file, false, 100), 100);
	assert_int_equal(fd_install(files[1].file, false, 0), 0);
	assert_int_equal(fd_install(files[2].file, false, 100), 101);
	assert_int_equal(fd_install(files[3].file, false, 0), 1);
	assert_int_equal(fd_next(0), 0);
	assert_int_equal(fd_next(2), 100);
	assert_int_equal(fd_next(102), -1);
	assert_int_equal(fd_next(1 << 28), -1);
}

static void limit_is_emfile(void **state)
{
	(void)state;
	four_files();
	fd_set_limit(2);
	fd_of(files[0].file);
	fd_of(files[1].file);
	assert_int_equal(fd_install(files[2].file, false, 0), -EMFILE);
	assert_int_equal(fd_dup_to(files[2].file, 2, false), -EBADF);
	assert_int_equal(fd_close(0), 0);
	assert_int_equal(fd_install(files[2].file, false, 0), 0);
	drop(&files[3]);
}

static void a_closed_file_lives_for_its_user(void **state)
{
	struct file *f;
	int fd;

	(void)state;
	four_files();
	fd = fd_of(files[0].file);
	f = fd_get(fd);
	assert_ptr_equal(f, files[0].file);
	assert_int_equal(fd_close(fd), 0);
	assert_null(fd_get(fd));
	assert_int_equal(files[0].released, 0);
	file_put(f);
	assert_int_equal(files[0].released, 1);
	for (int i = 1; i < 4; i++)
		drop(&files[i]);
}

static void dup_to_replaces(void **state)
{
	(void)state;
	four_files();
	fd_of(files[0].file);
	assert_int_equal(fd_dup_to(files[1].file, 0, true), 0);
	assert_int_equal(files[0].released, 1);
	assert_int_equal(fd_get_flags(0), FD_CLOEXEC);
	assert_int_equal(fd_dup_to(files[2].file, 500, false), 500);
	assert_int_equal(fd_get_flags(500), 0);
	assert_int_equal(fd_dup_to(files[3].file, -1, false), -EBADF);
	drop(&files[3]);
}

static void cloexec_and_ranges(void **state)
{
	(void)state;
	four_files();
	assert_int_equal(fd_install(files[0].file, true, 0), 0);
	assert_int_equal(fd_install(files[1].file, false, 0), 1);
	assert_int_equal(fd_install(files[2].file, false, 70), 70);
	assert_int_equal(fd_install(files[3].file, true, 200), 200);
	assert_int_equal(fd_set_flags(1, FD_CLOEXEC), 0);
	assert_int_equal(fd_set_flags(1, 0), 0);
	assert_int_equal(fd_set_flags(2, 0), -EBADF);
	fd_close_cloexec();
	assert_int_equal(files[0].released + files[3].released, 2);
	assert_int_equal(files[1].released + files[2].released, 0);
	fd_close_range(2, ~0u, true);
	assert_int_equal(fd_get_flags(70), FD_CLOEXEC);
	assert_int_equal(fd_get_flags(1), 0);
	fd_close_range(2, 69, false);
	assert_int_equal(files[2].released, 0);
	fd_close_range(70, 70, false);
	assert_int_equal(files[2].released, 1);
	assert_int_equal(files[1].released, 0);
}

static void ten_thousand(void **state)
{
	struct file *f;

	(void)state;
	four_files();
	fd_set_limit(20000);
	f = files[0].file;
	fd_of(f);
	for (int i = 1; i < 10000; i++) {
		file_get(f);
		assert_int_equal(fd_install(f, i & 1, 0), i);
	}
	assert_int_equal(fd_get_flags(9999), FD_CLOEXEC);
	assert_int_equal(fd_get_flags(9998), 0);
	for (int i = 0; i < 10000; i += 2)
		assert_int_equal(fd_close(i), 0);
	for (int i = 0; i < 10000; i += 2) {
		file_get(f);
		assert_int_equal(fd_install(f, false, 0), i);
	}
	for (int i = 1; i < 4; i++)
		drop(&files[i]);
}

static void copy_has_the_same(void **state)
{
	struct fdtable *mine = thread_self()->files, *t;

	(void)state;
	four_files();
	fd_of(files[0].file);
	assert_int_equal(fd_install(files[1].file, true, 90), 90);
	for (long n = 1;; n++) {
		fake_mm_fail_nth(n);
		t = fdtable_copy(mine);
		if (t)
			break;
		assert_true(fake_mm_failed());
		fake_rcu_run();
	}
	fake_mm_fail_nth(0);
	thread_self()->files = t;
	assert_int_equal(fd_get_flags(90), FD_CLOEXEC);
	assert_int_equal(fd_close(0), 0);
	assert_int_equal(files[0].released, 0);
	assert_int_equal(fd_install(files[2].file, false, 0), 0);
	fdtable_put(t);
	thread_self()->files = mine;
	assert_int_equal(files[2].released, 1);
	assert_int_equal(files[1].released, 0);
	drop(&files[3]);
}

/* Alone, a thread needs no reference; with a second one it does, and has the
 * file for as long as it wants. */
static void a_borrowed_file_outlives_another_close(void **state)
{
	struct fdtable *t = thread_self()->files;
	struct fd_ref r;

	(void)state;
	four_files();
	fd_of(files[0].file);
	fdtable_join(t);
	r = fd_borrow(0);
	assert_ptr_equal(r.file, files[0].file);
	assert_int_equal(files[0].file->refs, 1);
	fd_return(r);
	assert_null(fd_borrow(1).file);
	assert_null(fd_borrow(-1).file);
	assert_null(fd_borrow(1 << 30).file);

	fdtable_join(t);
	assert_null(fd_borrow(1).file);
	assert_null(fd_borrow(-1).file);
	assert_null(fd_borrow(1 << 30).file);
	r = fd_borrow(0);
	assert_int_equal(fd_close(0), 0); /* the other's */
	assert_int_equal(files[0].released, 0);
	fd_return(r);
	assert_int_equal(files[0].released, 1);
	fdtable_leave(t);
	fd_of(files[1].file);
	assert_false(fd_borrow(0).counted);
	for (int i = 2; i < 4; i++)
		drop(&files[i]);
}

static void growing_may_fail(void **state)
{
	(void)state;
	four_files();
	fake_mm_fail_nth(1);
	assert_int_equal(fd_install(files[0].file, false, 64), -ENOMEM);
	fake_mm_fail_nth(1);
	assert_int_equal(fd_dup_to(files[0].file, 64, false), -ENOMEM);
	assert_int_equal(fd_install(files[0].file, false, 64), 64);
	for (int i = 1; i < 4; i++)
		drop(&files[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILES_TEST(lowest_free_is_taken),
		FILES_TEST(install_from_a_number_on),
		FILES_TEST(limit_is_emfile),
		FILES_TEST(a_closed_file_lives_for_its_user),
		FILES_TEST(dup_to_replaces),
		FILES_TEST(cloexec_and_ranges),
		FILES_TEST(ten_thousand),
		FILES_TEST(copy_has_the_same),
		FILES_TEST(a_borrowed_file_outlives_another_close),
		FILES_TEST(growing_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
