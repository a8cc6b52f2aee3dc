/* The terminal's line discipline. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kern/console.h"
#include "kernel/dev/tty_int.h"

#define SIGINT_BIT (1u << 2)

static char echoed[20000];
static struct ldisc l;

static size_t room;

size_t console_room(void)
{
	return room;
}

void console_write(const char *s, size_t n)
{
	strncat(echoed, s, n);
}

static int setup(void **state)
{
	(void)state;
	memset(&l, 0, sizeof(l));
	echoed[0] = '\0';
	room = SIZE_MAX;
	l.tio.c_iflag = ICRNL;
	l.tio.c_lflag =
	    ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN;
	l.tio.c_cc[VINTR] = 3;
	l.tio.c_cc[VERASE] = 127;
	l.tio.c_cc[VKILL] = 21;
	l.tio.c_cc[VEOF] = 4;
	l.tio.c_cc[VWERASE] = 23;
	l.tio.c_cc[VLNEXT] = 22;
	l.tio.c_cc[VMIN] = 1;
	return 0;
}

static void type(const char *s)
{
	while (*s)
		ldisc_receive(&l, (uint8_t)*s++);
}

static const char *take(size_t n)
{
	static char buf[8192];

	buf[ldisc_take(&l, buf, n)] = '\0';
	return buf;
}

static void test_lines(void **state)
{
	(void)state;
	type("abc");
	assert_false(ldisc_ready(&l));
	assert_int_equal(ldisc_count(&l), 0);
	type("\rdef\n");
	assert_true(ldisc_ready(&l));
	assert_string_equal(take(100), "abc\n");
	assert_string_equal(take(2), "de");
	assert_true(ldisc_ready(&l));
	assert_string_equal(take(100), "f\n");
	assert_false(ldisc_ready(&l));
	assert_string_equal(echoed, "abc\ndef\n");
}

static void test_editing(void **state)
{
	(void)state;
	type("ab\x7f"
	     "c\x7f\x7f\x7f\x7f"
	     "x\n");
	assert_string_equal(take(100), "x\n");
	assert_string_equal(echoed, "ab\b \bc\b \b\b \bx\n");
	type("one two  \x17\x17three\x15"
	     "end\n");
	assert_string_equal(take(100), "end\n");
	/* What was committed cannot be taken back. */
	type("kept\n\x7f\x7f\n");
	assert_string_equal(take(100), "kept\n");
	assert_string_equal(take(100), "\n");
	type("\x16\x03\n"); /* literally */
	assert_string_equal(take(100), "\x03\n");
	assert_int_equal(l.signals, 0);
}

static void test_utf8(void **state)
{
	(void)state;
	l.tio.c_iflag |= IUTF8;
	type("a\xc3\xa9\x7f"
	     "b\n");
	assert_string_equal(take(100), "ab\n");
}

static void test_end_of_file(void **state)
{
	(void)state;
	type("\x04");
	assert_true(ldisc_ready(&l));
	assert_true(ldisc_eof(&l));
	assert_int_equal(ldisc_count(&l), 0);
	assert_string_equal(take(100), "");
	assert_false(ldisc_ready(&l));
	type("abc\x04"); /* gives what there is, and is not seen itself */
	assert_string_equal(take(100), "abc");
	assert_false(ldisc_ready(&l));
	type("abc\x04");
	assert_string_equal(take(3), "abc");
	assert_false(ldisc_ready(&l));
}

static void test_signals(void **state)
{
	(void)state;
	type("abc\x03");
	assert_int_equal(l.signals, SIGINT_BIT);
	assert_false(ldisc_ready(&l));
	type("d\n");
	assert_string_equal(take(100), "d\n");
	assert_string_equal(echoed, "abc^Cd\n");
	l.signals = 0;
	l.tio.c_lflag &= ~(unsigned)ISIG;
	type("\x03\n");
	assert_int_equal(l.signals, 0);
	assert_string_equal(take(100), "\x03\n");
}

static void test_raw(void **state)
{
	(void)state;
	l.tio.c_lflag = 0;
	l.tio.c_iflag = 0;
	type("a\x7f\x03\x04\r");
	assert_true(ldisc_ready(&l));
	assert_int_equal(ldisc_count(&l), 5);
	assert_string_equal(take(2), "a\x7f");
	assert_string_equal(take(100), "\x03\x04\r");
	assert_string_equal(echoed, "");
}

static void test_change_of_mode(void **state)
{
	struct termios t = l.tio;

	(void)state;
	type("half");
	t.c_lflag &= ~(unsigned)ICANON;
	ldisc_set(&l, &t);
	assert_int_equal(ldisc_count(&l), 4);
	assert_string_equal(take(2), "ha");
	t.c_lflag |= ICANON;
	ldisc_set(&l, &t);
	assert_string_equal(take(100), "lf");
	type("x\n");
	assert_string_equal(take(100), "x\n");
}

/* A line that is too long loses its middle, never its end. */
static void test_full(void **state)
{
	size_t n = 0;

	(void)state;
	l.tio.c_lflag &= ~(unsigned)ECHO;
	for (int i = 0; i < 10000; i++)
		type("x");
	type("\n");
	assert_true(ldisc_ready(&l));
	while (ldisc_ready(&l))
		n += strlen(take(1000));
	assert_int_equal(n, LDISC_SIZE);
	for (int i = 0; i < 10000; i++)
		type("\n");
	for (n = 0; ldisc_ready(&l); n++)
		assert_string_equal(take(10), "\n");
	assert_int_equal(n, LDISC_SIZE);
	type("again\n");
	assert_string_equal(take(100), "again\n");
}

static void test_flush(void **state)
{
	(void)state;
	type("one\ntwo");
	ldisc_flush(&l);
	assert_false(ldisc_ready(&l));
	type("x\n");
	assert_string_equal(take(100), "x\n");
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

static void test_no_room_to_echo(void **state)
{
	(void)state;
	room = 0;
	type("one");
	room = SIZE_MAX;
	type(" two\n");
	assert_string_equal(echoed, " two\n");
	assert_string_equal(take(100), "one two\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_lines),
		TEST(test_no_room_to_echo),
		TEST(test_editing),
		TEST(test_utf8),
		TEST(test_end_of_file),
		TEST(test_signals),
		TEST(test_raw),
		TEST(test_change_of_mode),
		TEST(test_full),
		TEST(test_flush),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
