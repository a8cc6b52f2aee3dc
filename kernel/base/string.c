/*
 * The C library's string functions.  Compiled so that the compiler does not
 * turn a loop into a call of the very function it is in.
 */

#include "kern/compiler.h"
#include "kern/string.h"

#include <stdbool.h>
#include <stdint.h>

#ifndef __clang__
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

/* From here on the string instruction beats a loop of moves. */
#define REP_MIN 512

typedef uint64_t word __attribute__((may_alias, aligned(1)));
typedef uint32_t half __attribute__((may_alias, aligned(1)));

static void copy_words(uint8_t *d, const uint8_t *s, size_t n)
{
	size_t words = n / 8;

	__asm__ volatile("rep movsq" : "+D"(d), "+S"(s), "+c"(words)::"memory");
}

/* Under 16 bytes: two moves that may overlap each other. */
static void copy_small(uint8_t *d, const uint8_t *s, size_t n)
{
	if (n >= 8) {
		word a = *(const word *)s, b = *(const word *)(s + n - 8);

		*(word *)d = a;
		*(word *)(d + n - 8) = b;
	} else if (n >= 4) {
		half a = *(const half *)s, b = *(const half *)(s + n - 4);

		*(half *)d = a;
		*(half *)(d + n - 4) = b;
	} else if (n) {
		uint8_t a = s[0], b = s[n / 2], c = s[n - 1];

		d[0] = a;
		d[n / 2] = b;
		d[n - 1] = c;
	}
}

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
	return memmove(dst, src, n);
}

static void copy_forward(uint8_t *d, const uint8_t *s, size_t n)
{
	word tail = *(const word *)(s + n - 8);
	uint8_t *tail_at = d + n - 8;

	if (n >= REP_MIN) {
		copy_words(d, s, n);
	} else {
		for (; n >= 8; n -= 8, d += 8, s += 8)
			*(word *)d = *(const word *)s;
	}
	*(word *)tail_at = tail;
}

static void copy_backward(uint8_t *d, const uint8_t *s, size_t n)
{
	word head = *(const word *)s;

	for (size_t i = n; i >= 8; i -= 8)
		*(word *)(d + i - 8) = *(const word *)(s + i - 8);
	*(word *)d = head;
}

void *memmove(void *dst, const void *src, size_t n)
{
	uint8_t *d = dst;
	const uint8_t *s = src;

	if (n < 16)
		copy_small(d, s, n);
	else if ((uintptr_t)d - (uintptr_t)s >= n)
		copy_forward(d, s, n);
	else
		copy_backward(d, s, n);
	return dst;
}

void *memset(void *dst, int c, size_t n)
{
	uint64_t v = 0x0101010101010101ull * (uint8_t)c;
	uint8_t *d = dst;

	if (n < 8) {
		for (size_t i = 0; i < n; i++)
			d[i] = (uint8_t)c;
		return dst;
	}
	*(word *)(d + n - 8) = v;
	if (n >= REP_MIN) {
		size_t words = n / 8;

		__asm__ volatile("rep stosq"
				 : "+D"(d), "+c"(words)
				 : "a"(v)
				 : "memory");
		return dst;
	}
	for (; n >= 8; n -= 8, d += 8)
		*(word *)d = v;
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *p = a, *q = b;

	for (; n >= 8; n -= 8, p += 8, q += 8)
		if (*(const word *)p != *(const word *)q)
			break;
	for (; n; n--, p++, q++)
		if (*p != *q)
			return *p - *q;
	return 0;
}

void *memchr(const void *s, int c, size_t n)
{
	const uint8_t *p = s;

	for (; n; n--, p++)
		if (*p == (uint8_t)c)
			return (void *)(uintptr_t)p;
	return NULL;
}

size_t strlen(const char *s)
{
	const char *p = s;

	while (*p)
		p++;
	return (size_t)(p - s);
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (uint8_t)*a - (uint8_t)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	while (n && *a && *a == *b) {
		a++;
		b++;
		n--;
	}
	return n ? (uint8_t)*a - (uint8_t)*b : 0;
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)(uintptr_t)s;
		if (!*s)
			return NULL;
	}
}

char *strrchr(const char *s, int c)
{
	char *found = NULL;

	for (;; s++) {
		if (*s == (char)c)
			found = (char *)(uintptr_t)s;
		if (!*s)
			return found;
	}
}

char *strstr(const char *s, const char *what)
{
	size_t n = strlen(what);

	for (;; s++) {
		if (!strncmp(s, what, n))
			return (char *)(uintptr_t)s;
		if (!*s)
			return NULL;
	}
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'Z')
		return c - 'A' + 10;
	return 99;
}

static const char *skip_prefix(const char *s, int *base)
{
	bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X') &&
		   digit_value(s[2]) < 16;

	if (*base == 0)
		*base = hex ? 16 : s[0] == '0' ? 8 : 10;
	return hex && *base == 16 ? s + 2 : s;
}

/* ULONG_MAX on overflow; without errno, which the kernel has not. */
unsigned long strtoul(const char *restrict str, char **restrict end, int base)
{
	const char *s = str;
	unsigned long v = 0;
	bool neg = false, any = false, over = false;
	int d;

	while (*s == ' ' || (*s >= '\t' && *s <= '\r'))
		s++;
	if (*s == '+' || *s == '-')
		neg = *s++ == '-';
	s = skip_prefix(s, &base);
	for (; (d = digit_value(*s)) < base; s++) {
		any = true;
		if (__builtin_mul_overflow(v, (unsigned long)base, &v) ||
		    __builtin_add_overflow(v, (unsigned long)d, &v))
			over = true;
	}
	if (end)
		*end = (char *)(uintptr_t)(any ? s : str);
	if (over)
		return ~0ul;
	return neg ? -v : v;
}
