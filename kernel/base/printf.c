/* snprintf: integers, strings and pointers; there is no floating point here. */

#include <stdbool.h>
#include <stdint.h>

#include "kern/compiler.h"
#include "kern/string.h"

struct out {
	char *buf;
	size_t size, len; /* len: what would have been written */
};

struct spec {
	bool left, zero, plus, space, alt, upper;
	int width, prec; /* prec -1: none */
	int size;        /* bytes of the integer argument */
};

static void out_char(struct out *o, char c)
{
	if (o->len < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void out_pad(struct out *o, char c, int n)
{
	while (n-- > 0)
		out_char(o, c);
}

static void out_text(
    struct out *o, const struct spec *s, const char *text, size_t len)
{
	int pad = s->width - (int)len;

	if (!s->left)
		out_pad(o, ' ', pad);
	for (size_t i = 0; i < len; i++)
		out_char(o, text[i]);
	if (s->left)
		out_pad(o, ' ', pad);
}

/* The digits, last first; returns how many. */
static int digits_of(char *d, uint64_t v, unsigned base, bool upper)
{
	const char *set = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	int n = 0;

	for (; v; v /= base)
		d[n++] = set[v % base];
	return n;
}

static void out_number(struct out *o, const struct spec *s, const char *prefix,
    uint64_t v, unsigned base)
{
	char d[24];
	int n = digits_of(d, v, base, s->upper);
	int plen = (int)strlen(prefix);
	int zeros = (s->prec < 0 ? 1 : s->prec) - n;
	int pad;

	if (s->alt && base == 8 && zeros < 1)
		zeros = 1;
	if (zeros < 0)
		zeros = 0;
	pad = s->width - plen - zeros - n;
	if (s->zero && !s->left && s->prec < 0 && pad > 0) {
		zeros += pad;
		pad = 0;
	}
	if (!s->left)
		out_pad(o, ' ', pad);
	while (*prefix)
		out_char(o, *prefix++);
	out_pad(o, '0', zeros);
	while (n)
		out_char(o, d[--n]);
	if (s->left)
		out_pad(o, ' ', pad);
}

static bool parse_flag(struct spec *s, char c)
{
	switch (c) {
	case '-':
		s->left = true;
		return true;
	case '0':
		s->zero = true;
		return true;
	case '+':
		s->plus = true;
		return true;
	case ' ':
		s->space = true;
		return true;
	case '#':
		s->alt = true;
		return true;
	default:
		return false;
	}
}

struct args {
	va_list ap; /* in a struct, so that it can be passed by address */
};

/* A number, or * for the next argument. */
static const char *parse_int(const char *f, struct args *args, int *v)
{
	if (*f == '*') {
		*v = va_arg(args->ap, int);
		return f + 1;
	}
	for (*v = 0; *f >= '0' && *f <= '9'; f++)
		*v = *v * 10 + *f - '0';
	return f;
}

static const char *parse_size(const char *f, struct spec *s)
{
	s->size = sizeof(int);
	if (*f == 'h') {
		s->size = f[1] == 'h' ? 1 : 2;
		return f + (f[1] == 'h' ? 2 : 1);
	}
	if (*f == 'l') {
		s->size = 8;
		return f + (f[1] == 'l' ? 2 : 1);
	}
	if (*f == 'z' || *f == 't' || *f == 'j') {
		s->size = 8;
		return f + 1;
	}
	return f;
}

static int64_t sign_extend(uint64_t v, int size)
{
	unsigned shift = 64 - 8 * (unsigned)size;

	return (int64_t)(v << shift) >> shift;
}

static uint64_t truncate(uint64_t v, int size)
{
	unsigned shift = 64 - 8 * (unsigned)size;

	return v << shift >> shift;
}

static void out_signed(struct out *o, const struct spec *s, uint64_t arg)
{
	int64_t v = sign_extend(arg, s->size);
	const char *sign = s->plus ? "+" : s->space ? " " : "";

	if (v < 0)
		out_number(o, s, "-", -(uint64_t)v, 10);
	else
		out_number(o, s, sign, (uint64_t)v, 10);
}

static void out_unsigned(
    struct out *o, const struct spec *s, uint64_t arg, char conv)
{
	uint64_t v = truncate(arg, s->size);

	if (conv == 'u')
		out_number(o, s, "", v, 10);
	else if (conv == 'o')
		out_number(o, s, "", v, 8);
	else if (conv == 'X')
		out_number(o, s, s->alt && v ? "0X" : "", v, 16);
	else
		out_number(o, s, s->alt && v ? "0x" : "", v, 16);
}

static void out_string(struct out *o, const struct spec *s, const char *text)
{
	if (!text)
		text = "(null)";
	out_text(o, s, text,
	    s->prec < 0 ? strlen(text) : strnlen(text, (size_t)s->prec));
}

static const char *parse_spec(const char *f, struct args *args, struct spec *s)
{
	*s = (struct spec){ .prec = -1 };
	while (parse_flag(s, *f))
		f++;
	f = parse_int(f, args, &s->width);
	if (s->width < 0) {
		s->left = true;
		s->width = -s->width;
	}
	if (*f == '.')
		f = parse_int(f + 1, args, &s->prec);
	return parse_size(f, s);
}

static void out_integer(
    struct out *o, struct spec *s, struct args *args, char conv)
{
	uint64_t arg = s->size == 8 ? va_arg(args->ap, uint64_t)
				    : va_arg(args->ap, unsigned);

	s->upper = conv == 'X';
	if (conv == 'd' || conv == 'i')
		out_signed(o, s, arg);
	else
		out_unsigned(o, s, arg, conv);
}

static void out_arg(struct out *o, struct spec *s, struct args *args, char conv)
{
	char c;

	switch (conv) {
	case 'd':
	case 'i':
	case 'u':
	case 'x':
	case 'X':
	case 'o':
		out_integer(o, s, args, conv);
		break;
	case 'c':
		c = (char)va_arg(args->ap, int);
		out_text(o, s, &c, 1);
		break;
	case 's':
		out_string(o, s, va_arg(args->ap, const char *));
		break;
	case 'p':
		out_number(o, s, "0x", (uintptr_t)va_arg(args->ap, void *), 16);
		break;
	default:
		out_char(o, conv);
		break;
	}
}

int vsnprintf(
    char *restrict buf, size_t size, const char *restrict fmt, va_list ap)
{
	struct out o = { buf, size, 0 };
	const char *f = fmt;
	struct args args;

	va_copy(args.ap, ap);
	while (*f) {
		struct spec s;

		if (*f != '%') {
			out_char(&o, *f++);
			continue;
		}
		f = parse_spec(f + 1, &args, &s);
		if (!*f)
			break;
		out_arg(&o, &s, &args, *f++);
	}
	va_end(args.ap);
	if (size)
		buf[o.len < size ? o.len : size - 1] = '\0';
	return (int)o.len;
}

int snprintf(char *restrict buf, size_t size, const char *restrict fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}
