/* The console's ring, with a daemon that also lies about its indices. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "xen/xencons_int.h"

static struct xencons_ring ring;
static struct xencons_buf buf;

static int setup(void **state)
{
	(void)state;
	memset(&ring, 0, sizeof(ring));
	memset(&buf, 0, sizeof(buf));
	return 0;
}

static void test_output(void **state)
{
	char in[20000], out[20000];
	size_t put = 0, got = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (char)(i * 31);
	ring.out_cons = ring.out_prod = UINT32_MAX - 7;
	while (got < sizeof(in)) {
		put += xencons_buf_put(&buf, in + put, sizeof(in) - put);
		xencons_push(&ring, &buf);
		assert_true(ring.out_prod - ring.out_cons <= sizeof(ring.out));
		while (ring.out_cons != ring.out_prod)
			out[got++] =
			    ring.out[ring.out_cons++ % sizeof(ring.out)];
	}
	assert_memory_equal(in, out, sizeof(in));
	assert_true(xencons_buf_empty(&buf));
	assert_true(xencons_all_read(&ring));
}

static void test_full(void **state)
{
	static char big[XENCONS_BUF + 10];

	(void)state;
	assert_int_equal(xencons_buf_put(&buf, big, sizeof(big)), XENCONS_BUF);
	assert_int_equal(xencons_buf_put(&buf, big, 1), 0);
	assert_int_equal(xencons_push(&ring, &buf), sizeof(ring.out));
	assert_int_equal(xencons_push(&ring, &buf), 0);
	assert_false(xencons_all_read(&ring));
}

static void test_output_lie(void **state)
{
	(void)state;
	xencons_buf_put(&buf, "abc", 3);
	ring.out_cons = 5; /* read more than was written */
	assert_int_equal(xencons_push(&ring, &buf), 0);
	ring.out_cons = UINT32_MAX / 2;
	assert_int_equal(xencons_push(&ring, &buf), 0);
	ring.out_cons = 0;
	assert_int_equal(xencons_push(&ring, &buf), 3);
}

static void test_input(void **state)
{
	char got[8];

	(void)state;
	ring.in_cons = ring.in_prod = UINT32_MAX - 1;
	for (const char *p = "hello"; *p; p++)
		ring.in[ring.in_prod++ % sizeof(ring.in)] = *p;
	assert_true(xencons_readable(&ring));
	assert_int_equal(xencons_pull(&ring, got, 2), 2);
	assert_int_equal(xencons_pull(&ring, got + 2, 6), 3);
	assert_memory_equal(got, "hello", 5);
	assert_false(xencons_readable(&ring));
	assert_int_equal(xencons_pull(&ring, got, 8), 0);
}

static void test_input_lie(void **state)
{
	char got[8];

	(void)state;
	ring.in_prod = sizeof(ring.in) + 1;
	assert_int_equal(xencons_pull(&ring, got, 8), 0);
	assert_false(xencons_readable(&ring));
	ring.in_prod = ring.in_cons - 1;
	assert_int_equal(xencons_pull(&ring, got, 8), 0);
	assert_false(xencons_readable(&ring));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_output, setup),
		cmocka_unit_test_setup(test_full, setup),
		cmocka_unit_test_setup(test_output_lie, setup),
		cmocka_unit_test_setup(test_input, setup),
		cmocka_unit_test_setup(test_input_lie, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
