/* kernel/base/string.c against the host's library, under other names. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define memcpy  k_memcpy
#define memmove k_memmove
#define memset  k_memset
#define memcmp  k_memcmp
#define memchr  k_memchr
#define strlen  k_strlen
#define strnlen k_strnlen
#define strcmp  k_strcmp
#define strncmp k_strncmp
#define strchr  k_strchr
#define strrchr k_strrchr
#define strstr  k_strstr
#define strtoul k_strtoul
#include "kernel/base/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strrchr
#undef strstr
#undef strtoul

#define MAX 1200

static void fill(uint8_t *p, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(seed = seed * 1103515245u + 12345u);
}

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

static void test_memmove_every_size_and_overlap(void **state)
{
	static uint8_t want[3 * MAX], got[3 * MAX];
	static const int shift[] = { 0, 1, 7, 8, 9, 15, 64, 511, -1, -7, -8,
		-16, -63, -600 };

	for (size_t n = 0; n < MAX; n += n < 80 ? 1 : 37) {
		for (size_t i = 0; i < ARRAY_SIZE(shift); i++) {
			fill(want, sizeof(want), (unsigned)n);
			fill(got, sizeof(got), (unsigned)n);
			memmove(want + MAX + shift[i], want + MAX, n);
			assert_ptr_equal(
			    k_memmove(got + MAX + shift[i], got + MAX, n),
			    got + MAX + shift[i]);
			assert_memory_equal(want, got, sizeof(want));
		}
	}
}

static void test_memcpy_and_memset_stay_inside(void **state)
{
	for (size_t n = 0; n < MAX; n++) {
		uint8_t *src = malloc(n), *dst = malloc(n); /* ASan looks */

		fill(src, n, 7);
		k_memcpy(dst, src, n);
		assert_memory_equal(src, dst, n);
		k_memset(dst, 0x1a5, n);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(dst[i], 0xa5);
		free(src);
		free(dst);
	}
}

static void test_memcmp_finds_each_difference(void **state)
{
	uint8_t a[40], b[40];

	fill(a, sizeof(a), 3);
	for (size_t n = 0; n <= sizeof(a); n++) {
		memcpy(b, a, sizeof(a));
		assert_int_equal(k_memcmp(a, b, n), 0);
		for (size_t i = 0; i < n; i++) {
			b[i] ^= 0x80;
			assert_int_equal(
			    sign(k_memcmp(a, b, n)), sign(memcmp(a, b, n)));
			b[i] ^= 0x80;
		}
	}
}

static void test_searches(void **state)
{
	static const char s[] = "abcabc";

	assert_ptr_equal(k_memchr(s, 'c', 6), s + 2);
	assert_null(k_memchr(s, 'c', 2));
	assert_ptr_equal(k_strchr(s, 'b'), s + 1);
	assert_ptr_equal(k_strchr(s, 0), s + 6);
	assert_null(k_strchr(s, 'x'));
	assert_ptr_equal(k_strrchr(s, 'b'), s + 4);
	assert_ptr_equal(k_strrchr(s, 0), s + 6);
	assert_null(k_strrchr(s, 'x'));
	assert_ptr_equal(k_strstr(s, "ca"), s + 2);
	assert_ptr_equal(k_strstr(s, ""), s);
	assert_null(k_strstr(s, "cb"));
	assert_int_equal(k_strlen(s), 6);
	assert_int_equal(k_strnlen(s, 3), 3);
	assert_int_equal(k_strnlen(s, 30), 6);
}

static void test_strcmp_is_unsigned(void **state)
{
	assert_int_equal(k_strcmp("a", "a"), 0);
	assert_true(k_strcmp("a", "\xff") < 0);
	assert_true(k_strcmp("ab", "a") > 0);
	assert_int_equal(k_strncmp("abc", "abd", 2), 0);
	assert_true(k_strncmp("abc", "abd", 3) < 0);
	assert_int_equal(k_strncmp("a", "a", 9), 0);
	assert_int_equal(k_strncmp("a", "b", 0), 0);
}

static void test_strtoul_as_the_library(void **state)
{
	static const char *const in[] = { "0", "42", "  +7x", "-1", "0x1f",
		"0x", "0xg", "017", "08", "", "abc", "18446744073709551615",
		"18446744073709551616", "99999999999999999999999", "z",
		" \t\n9", "0X10", "--1" };
	static const int base[] = { 0, 8, 10, 16, 36 };

	for (size_t i = 0; i < ARRAY_SIZE(in); i++) {
		for (size_t b = 0; b < ARRAY_SIZE(base); b++) {
			char *e1, *e2;
			unsigned long v1 = strtoul(in[i], &e1, base[b]);
			unsigned long v2 = k_strtoul(in[i], &e2, base[b]);

			assert_int_equal(v1, v2);
			assert_ptr_equal(e1, e2);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memmove_every_size_and_overlap),
		cmocka_unit_test(test_memcpy_and_memset_stay_inside),
		cmocka_unit_test(test_memcmp_finds_each_difference),
		cmocka_unit_test(test_searches),
		cmocka_unit_test(test_strcmp_is_unsigned),
		cmocka_unit_test(test_strtoul_as_the_library),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
