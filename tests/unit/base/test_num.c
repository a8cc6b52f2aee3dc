/* The macros of num.h: what they evaluate, and how often. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kern/num.h"

static int calls;

/* An index that somebody else moves on: no two reads agree. */
static uint32_t moving(void)
{
	return (uint32_t)++calls * 10;
}

static void test_once(void **state)
{
	(void)state;
	calls = 0;
	assert_int_equal(MIN(moving(), 15u), 10);
	assert_int_equal(MIN(15u, moving()), 15);
	assert_int_equal(MAX(moving(), 5u), 30);
	assert_int_equal(MAX(5u, moving()), 40);
	assert_int_equal(MAX(MIN(moving(), 99u), moving()), 60);
	assert_int_equal(calls, 6);
}

static void test_types(void **state)
{
	(void)state;
	assert_true(MIN((uint64_t)1 << 40, 7u) == 7);
	assert_true(MAX((uint64_t)1 << 40, 7u) == (uint64_t)1 << 40);
	assert_true(MIN(-1, 1) == -1);
	assert_true(MAX(-1l, -2) == -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
