/* The console's ring, with a daemon that reads at any moment, and lies too. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The daemon also runs in the midst of a push: before each load. */
static void daemon_runs(void);

static uint32_t load(const uint32_t *p)
{
	daemon_runs();
	return *p;
}

#define __atomic_load_n(p, order) load(p)
#include "xen/xencons_ring.c"
#undef __atomic_load_n

static struct xencons_ring ring;
static struct xencons_buf buf;

static char out[20000];
static size_t outlen;
static uint32_t pace; /* the bytes that the daemon reads when it runs */

static void daemon_runs(void)
{
	for (uint32_t i = 0; i < pace && ring.out_cons != ring.out_prod; i++) {
		assert_true(outlen < sizeof(out));
		out[outlen++] = ring.out[ring.out_cons++ % sizeof(ring.out)];
	}
}

static int setup(void **state)
{
	(void)state;
	memset(&ring, 0, sizeof(ring));
	memset(&buf, 0, sizeof(buf));
	outlen = 0;
	pace = 0;
	return 0;
}

/* All of it arrives, and in order, when the daemon reads at this pace. */
static void output_at(uint32_t bytes)
{
	static char in[sizeof(out)];
	size_t put = 0;

	setup(NULL);
	pace = bytes;
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (char)(i * 31 + i / 256);
	ring.out_cons = ring.out_prod = UINT32_MAX - 7;
	while (outlen < sizeof(in)) {
		size_t n = sizeof(in) - put;

		put += xencons_buf_put(&buf, in + put, n < 47 ? n : 47);
		xencons_push(&ring, &buf);
		assert_true(ring.out_prod - ring.out_cons <= sizeof(ring.out));
		assert_true(buf.prod - buf.cons <= XENCONS_BUF);
	}
	assert_memory_equal(in, out, sizeof(in));
	assert_int_equal(xencons_unread(&ring, &buf), 0);
}

static void test_output(void **state)
{
	(void)state;
	for (uint32_t bytes = 1; bytes <= sizeof(ring.out); bytes++)
		output_at(bytes);
}

static void test_full(void **state)
{
	static char big[XENCONS_BUF + 10];

	(void)state;
	assert_int_equal(xencons_buf_put(&buf, big, sizeof(big)), XENCONS_BUF);
	assert_int_equal(xencons_buf_put(&buf, big, 1), 0);
	assert_int_equal(xencons_push(&ring, &buf), sizeof(ring.out));
	assert_int_equal(xencons_push(&ring, &buf), 0);
	assert_int_equal(xencons_unread(&ring, &buf), XENCONS_BUF);
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
