/* kernel/base/printf.c against the host's snprintf. */

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define snprintf  k_snprintf
#define vsnprintf k_vsnprintf
#include "kernel/base/printf.c"
#undef snprintf
#undef vsnprintf

/* The same text, the same result, for a buffer of every size. */
#define SAME(...)                                                     \
	do {                                                          \
		char want[200], got[200];                             \
		for (size_t size = 0; size < 60; size++) {            \
			int a, b;                                     \
			memset(want, 'w', sizeof(want));              \
			memset(got, 'w', sizeof(got));                \
			a = snprintf(want, size, __VA_ARGS__);        \
			b = k_snprintf(got, size, __VA_ARGS__);       \
			assert_int_equal(a, b);                       \
			assert_memory_equal(want, got, sizeof(want)); \
		}                                                     \
	} while (0)

static void test_integers(void **state)
{
	static const int v[] = { 0, 1, -1, 9, 10, 12345, INT_MAX, INT_MIN };

	for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
		SAME("%d|%5d|%-5d|%05d|%+d|% d", v[i], v[i], v[i], v[i], v[i],
		    v[i]);
		SAME("%u|%x|%X|%#x|%o|%#o|%#10x|%-#10xE", v[i], v[i], v[i],
		    v[i], v[i], v[i], v[i], v[i]);
		SAME("%.3d|%8.3d|%-8.3d|%08.3d|%.0d", v[i], v[i], v[i], v[i],
		    v[i]);
		SAME("%#010x|%+05d|%hhd|%hd|%hhu|%hx", v[i], v[i], v[i], v[i],
		    v[i], v[i]);
	}
}

static void test_long_integers(void **state)
{
	static const long v[] = { 0, -1, LONG_MAX, LONG_MIN, 1l << 40 };

	for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
		SAME("%ld|%lu|%lx|%20ld|%-20lxE", v[i], v[i], v[i], v[i], v[i]);
		SAME("%zu|%zd|%td|%jd|%ju", (size_t)v[i], v[i], v[i],
		    (intmax_t)v[i], (uintmax_t)v[i]);
		SAME("%lld|%llx", (long long)v[i], (long long)v[i]);
	}
}

static void test_strings(void **state)
{
	SAME("%s|%10s|%-10s|%.2s|%10.1s|%-4.2sE", "abc", "abc", "abc", "abc",
	    "abc", "abc");
	SAME("%c%c|%3c|%-3cE", 'a', 'b', 'c', 'd');
	SAME("%%|100%%");
	SAME("%*d|%-*d|%*d|%.*s|%.*d", 5, 1, 5, 2, -5, 3, 2, "xyz", 4, 7);
	SAME("%s", "");
	SAME("%.0s", "never read");
}

static void test_pointers_and_null(void **state)
{
	char got[40];

	SAME("%p", (void *)0x1234);
	k_snprintf(got, sizeof(got), "%s", (char *)NULL);
	assert_string_equal(got, "(null)");
	k_snprintf(got, sizeof(got), "%p", NULL);
	assert_string_equal(got, "0x0");
}

static void test_string_without_end(void **state)
{
	static const char raw[3] = { 'a', 'b', 'c' };
	char got[8];

	assert_int_equal(k_snprintf(got, sizeof(got), "%.3s", raw), 3);
	assert_string_equal(got, "abc");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_long_integers),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_pointers_and_null),
		cmocka_unit_test(test_string_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
