/* Xenstore messages and byte rings, with a daemon that writes what it likes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kern/errno.h"
#include "xen/xs_wire.h"

static struct xenstore_domain_interface sh;
static struct xs_ring ring;

static int setup(void **state)
{
	(void)state;
	memset(&sh, 0, sizeof(sh));
	xs_ring_init(&ring, &sh);
	return 0;
}

static void test_ring(void **state)
{
	char in[3000], out[3000];
	size_t put = 0, got = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (char)(i * 13);
	/* Across the end of the free-running indices too. */
	sh.req_prod = sh.req_cons = sh.rsp_prod = sh.rsp_cons = UINT32_MAX - 99;
	xs_ring_init(&ring, &sh);
	while (got < sizeof(in)) {
		size_t n = xs_ring_put(&ring, in + put, sizeof(in) - put);

		put += n;
		assert_true(sh.req_prod - sh.req_cons <= XENSTORE_RING_SIZE);
		/* The daemon sends it back. */
		while (sh.req_cons != sh.req_prod)
			sh.rsp[MASK_XENSTORE_IDX(sh.rsp_prod++)] =
			    sh.req[MASK_XENSTORE_IDX(sh.req_cons++)];
		got += xs_ring_take(&ring, out + got, sizeof(out) - got);
	}
	assert_memory_equal(in, out, sizeof(in));
	assert_int_equal(xs_ring_take(&ring, out, 1), 0);
	assert_false(ring.broken);
}

static void test_full(void **state)
{
	char buf[2000] = { 0 };

	(void)state;
	assert_int_equal(xs_ring_put(&ring, buf, 2000), XENSTORE_RING_SIZE);
	assert_int_equal(xs_ring_put(&ring, buf, 1), 0);
	sh.req_cons = 10;
	assert_int_equal(xs_ring_put(&ring, buf, 2000), 10);
	assert_false(ring.broken);
}

static void test_bad_index(void **state)
{
	char c;

	(void)state;
	sh.rsp_prod = XENSTORE_RING_SIZE + 1;
	assert_int_equal(xs_ring_take(&ring, &c, 1), 0);
	assert_true(ring.broken);
	sh.rsp_prod = 1; /* too late to be good */
	assert_int_equal(xs_ring_take(&ring, &c, 1), 0);
	xs_ring_init(&ring, &sh);
	sh.req_cons = 1; /* read what was not written */
	assert_int_equal(xs_ring_put(&ring, "x", 1), 0);
	assert_true(ring.broken);
}

static void test_skip(void **state)
{
	char c = 0;

	(void)state;
	memcpy(sh.rsp, "abc", 3);
	sh.rsp_prod = 3;
	assert_int_equal(xs_ring_take(&ring, NULL, 2), 2);
	assert_int_equal(xs_ring_take(&ring, &c, 5), 1);
	assert_int_equal(c, 'c');
}

static void test_header(void **state)
{
	struct xsd_sockmsg h = { .type = XS_READ, .len = 4096 };

	(void)state;
	assert_true(xs_hdr_ok(&h));
	h.len = 4097;
	assert_false(xs_hdr_ok(&h));
	h.len = UINT32_MAX;
	assert_false(xs_hdr_ok(&h));
	h = (struct xsd_sockmsg){ .type = XS_TYPE_COUNT };
	assert_false(xs_hdr_ok(&h));
}

static void test_error(void **state)
{
	(void)state;
	assert_int_equal(xs_error("ENOENT", 7), -ENOENT);
	assert_int_equal(xs_error("ENOENT", 6), -ENOENT);
	assert_int_equal(xs_error("EAGAIN\0junk", 11), -EAGAIN);
	assert_int_equal(xs_error("ENOEN", 5), -EIO);
	assert_int_equal(xs_error("ENOENTX", 7), -EIO);
	assert_int_equal(xs_error("", 0), -EIO);
}

static void test_number(void **state)
{
	static const char *const bad[] = { "", "-1", "+1", " 1", "1 ", "0x10",
		"12a", "18446744073709551616", "99999999999999999999" };
	uint64_t v = 5;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(
		    xs_parse_u64(bad[i], strlen(bad[i]), &v), -EINVAL);
	assert_int_equal(xs_parse_u64("1\0002", 3, &v), -EINVAL);
	assert_int_equal(xs_parse_u64("18446744073709551615", 20, &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(xs_parse_u64("0042", 5, &v), 0);
	assert_int_equal(v, 42);
}

static void test_names(void **state)
{
	(void)state;
	assert_int_equal(xs_count_names("", 0), 0);
	assert_int_equal(xs_count_names("a\0bc\0", 5), 2);
	assert_int_equal(xs_count_names("a\0bc", 4), -EIO);
	assert_int_equal(xs_count_names("\0\0", 2), 2);
}

static void test_event(void **state)
{
	const char *path;
	uint32_t token;

	(void)state;
	assert_int_equal(
	    xs_parse_event("device/vif\0007\0", 13, &path, &token), 0);
	assert_string_equal(path, "device/vif");
	assert_int_equal(token, 7);
	assert_int_equal(xs_parse_event("device", 6, &path, &token), -EIO);
	assert_int_equal(xs_parse_event("device\0", 7, &path, &token), -EIO);
	assert_int_equal(xs_parse_event("d\0x\0", 4, &path, &token), -EIO);
	assert_int_equal(
	    xs_parse_event("d\0004294967296\0", 13, &path, &token), -EIO);
	assert_int_equal(xs_parse_event("", 0, &path, &token), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_ring, setup),
		cmocka_unit_test_setup(test_full, setup),
		cmocka_unit_test_setup(test_bad_index, setup),
		cmocka_unit_test_setup(test_skip, setup),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_number),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
