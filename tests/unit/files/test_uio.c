#include "files_fixture.h"

#include "kern/uio.h"

#include <linux/uio.h>

static void put_runs_over_all_vectors(void **state)
{
	char a[3], b[1], c[8];
	struct uio_vec v[4] = { { a, 3 }, { b, 0 }, { b, 1 }, { c, 8 } };
	struct uio u;

	(void)state;
	uio_init_vec(&u, v, 4, false);
	assert_int_equal(uio_put(&u, "abcdef", 6), 6);
	assert_memory_equal(a, "abc", 3);
	assert_memory_equal(b, "d", 1);
	assert_memory_equal(c, "ef", 2);
	assert_int_equal(u.left, 6);
	assert_int_equal(uio_put(&u, "0123456789", 10), 6); /* short */
	assert_memory_equal(c, "ef012345", 8);
	assert_int_equal(u.left, 0);
	assert_int_equal(uio_put(&u, "x", 1), 0);
}

static void get_and_zero_move_the_same_way(void **state)
{
	char a[4] = "abc", b[4] = "def", out[8];
	struct uio_vec v[2] = { { a, 4 }, { b, 4 } };
	struct uio u;

	(void)state;
	uio_init_vec(&u, v, 2, false);
	assert_int_equal(uio_get(&u, out, 6), 6);
	assert_memory_equal(out, "abc\0de", 6);
	assert_int_equal(uio_zero(&u, 1), 1);
	assert_memory_equal(b, "de\0\0", 4);
	assert_int_equal(u.left, 1);
}

/* Three pages, of which the second faults. */
static void fault_ends_the_copy_at_its_page(void **state)
{
	char *mem = aligned_alloc(PAGE_SIZE, 3 * PAGE_SIZE);
	char src[3 * PAGE_SIZE];
	struct uio u;

	(void)state;
	memset(src, 'x', sizeof(src));
	memset(mem, 0, 3 * PAGE_SIZE);
	fake_user_fault(mem + PAGE_SIZE, PAGE_SIZE);
	uio_init(&u, mem + 100, 2 * PAGE_SIZE, true);
	assert_int_equal(uio_put(&u, src, sizeof(src)), (long)PAGE_SIZE - 100);
	assert_int_equal(mem[PAGE_SIZE - 1], 'x');
	assert_int_equal(mem[PAGE_SIZE], 0);
	assert_int_equal(u.left, PAGE_SIZE + 100);
	/* Now it stands at the bad page. */
	assert_int_equal(uio_put(&u, src, 1), -EFAULT);
	assert_int_equal(uio_zero(&u, 1), -EFAULT);
	assert_int_equal(uio_get(&u, src, 1), -EFAULT);
	assert_int_equal(u.left, PAGE_SIZE + 100);
	free(mem);
}

static void import_checks_the_array(void **state)
{
	struct iovec iov[3] = { { (void *)0x10000, 5 }, { NULL, 0 },
		{ (void *)0x20000, 7 } };
	struct uio_vec v[3];
	struct uio u;

	(void)state;
	assert_int_equal(uio_import(&u, v, iov, 3), 0);
	assert_int_equal(u.left, 12);
	assert_true(u.user);
	assert_int_equal(uio_import(&u, v, iov, UIO_MAXIOV + 1), -EINVAL);
	iov[1].iov_len = (size_t)-1;
	assert_int_equal(uio_import(&u, v, iov, 3), -EINVAL);
	iov[1].iov_len = 1;
	iov[1].iov_base = (void *)-4096; /* the kernel's half */
	assert_int_equal(uio_import(&u, v, iov, 3), -EFAULT);
	fake_user_fault(iov, sizeof(iov));
	assert_int_equal(uio_import(&u, v, iov, 3), -EFAULT);
	assert_int_equal(uio_import(&u, v, iov, 0), 0);
	assert_int_equal(u.left, 0);
}

static void import_clips_the_total(void **state)
{
	struct iovec iov[3] = { { (void *)0x10000, 0x7ffff000 - 1 },
		{ (void *)0x10000, 10 }, { (void *)0x10000, 10 } };
	struct uio_vec v[3];
	struct uio u;

	(void)state;
	assert_int_equal(uio_import(&u, v, iov, 3), 0);
	assert_int_equal(u.left, 0x7ffff000);
	assert_int_equal(v[1].len, 1);
	assert_int_equal(v[2].len, 0);
	uio_init(&u, (void *)0x10000, (size_t)1 << 40, true);
	assert_int_equal(u.left, 0x7ffff000);
}

static void skip_leaves_the_rest(void **state)
{
	char a[3] = "abc", b[4] = "defg", out[8];
	struct uio_vec v[4] = { { a, 0 }, { a, 3 }, { b, 0 }, { b, 4 } };
	struct uio u;

	(void)state;
	uio_init_vec(&u, v, 4, true);
	uio_skip(&u, 0);
	assert_int_equal(u.len, 3);
	uio_skip(&u, 3);
	assert_ptr_equal(u.base, b);
	uio_skip(&u, 2);
	assert_int_equal(uio_get(&u, out, 8), 2);
	assert_memory_equal(out, "fg", 2);
	assert_int_equal(u.left, 0);
	assert_int_equal(u.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILES_TEST(put_runs_over_all_vectors),
		FILES_TEST(get_and_zero_move_the_same_way),
		FILES_TEST(fault_ends_the_copy_at_its_page),
		FILES_TEST(import_checks_the_array),
		FILES_TEST(skip_leaves_the_rest),
		FILES_TEST(import_clips_the_total),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
