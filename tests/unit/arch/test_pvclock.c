/* kernel/arch/x86_64/pvclock.c: the host's arithmetic, and its updates. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/arch/x86_64/pvclock.c"

#define GHZ 1000000000ull

static uint64_t tsc;
static struct pvclock_time t;
static void (*on_read)(void); /* the host strikes between two loads */

uint64_t tsc_read(void)
{
	void (*fn)(void) = on_read;

	on_read = NULL;
	if (fn)
		fn();
	return tsc;
}

static int setup(void **state)
{
	memset(&t, 0, sizeof(t));
	t.version = 2;
	t.tsc = 1000;
	t.system_time = 5 * GHZ;
	t.mul = 1u << 31; /* half a ns a tick: 2 GHz */
	t.flags = PVCLOCK_TSC_STABLE;
	tsc = 1000;
	latest = 0;
	on_read = NULL;
	return 0;
}

static void test_scale(void **state)
{
	assert_int_equal(pvclock_ns(&t), 5 * GHZ);
	tsc += 2 * GHZ;
	assert_int_equal(pvclock_ns(&t), 6 * GHZ);
	t.shift = 1;
	assert_int_equal(pvclock_ns(&t), 7 * GHZ);
	t.shift = -1;
	assert_int_equal(pvclock_ns(&t), 5 * GHZ + GHZ / 2);
}

static void test_no_overflow_after_a_year(void **state)
{
	tsc += 2 * GHZ * 86400 * 365;
	assert_int_equal(pvclock_ns(&t), (5 + 86400ull * 365) * GHZ);
}

static void test_tsc_before_the_stamp(void **state)
{
	tsc = 10; /* another cpu's stamp, or one just made */
	assert_int_equal(pvclock_ns(&t), 5 * GHZ);
}

static void update(void)
{
	t.version += 2;
	t.tsc = tsc = 9000;
	t.system_time = 8 * GHZ;
}

static void test_update_while_reading(void **state)
{
	on_read = update;
	assert_int_equal(pvclock_ns(&t), 8 * GHZ);
}

static void finish_update(void)
{
	t.version++;
}

static void test_odd_version_is_waited_out(void **state)
{
	t.version = 3;
	on_read = finish_update;
	assert_int_equal(pvclock_ns(&t), 5 * GHZ);
	assert_int_equal(t.version, 4);
}

static void test_unstable_never_goes_back(void **state)
{
	t.flags = 0;
	tsc += 2 * GHZ;
	assert_int_equal(pvclock_ns(&t), 6 * GHZ);
	tsc -= 10;
	assert_int_equal(pvclock_ns(&t), 6 * GHZ);
	tsc += 20;
	assert_int_equal(pvclock_ns(&t), 6 * GHZ + 5);
}

static void test_hz(void **state)
{
	assert_int_equal(pvclock_tsc_hz(&t), 2 * GHZ);
	t.shift = 1;
	assert_int_equal(pvclock_tsc_hz(&t), 1 * GHZ);
	t.shift = -1;
	assert_int_equal(pvclock_tsc_hz(&t), 4 * GHZ);
	t.shift = 64;
	assert_int_equal(pvclock_tsc_hz(&t), 0);
	t.shift = 0;
	t.mul = 0;
	assert_int_equal(pvclock_tsc_hz(&t), 0);
}

#define CASE(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_scale),
		CASE(test_no_overflow_after_a_year),
		CASE(test_tsc_before_the_stamp),
		CASE(test_update_while_reading),
		CASE(test_odd_version_is_waited_out),
		CASE(test_unstable_never_goes_back),
		CASE(test_hz),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
