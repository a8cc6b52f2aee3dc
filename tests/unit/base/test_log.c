/* kernel/base/log.c and kernel/dev/console.c: the ring, levels, consoles. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kern/console.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/platform.h"

#include "fake_sched.h"

static char shown[2][4096];
static char early[4096];

static void append(char *to, const char *s, size_t n)
{
	size_t len = strlen(to);

	assert_true(len + n < 4096);
	memcpy(to + len, s, n);
	to[len + n] = '\0';
}

static void con_write(struct console *c, const char *s, size_t n)
{
	append(c->softc, s, n);
}

static size_t con_read(struct console *c, char *buf, size_t n)
{
	size_t len = strlen(c->name);

	len = len < n ? len : n;
	memcpy(buf, c->name, len);
	return len;
}

static const struct console_ops ops = { .write = con_write, .read = con_read };
static struct console serial = { "ttyS0", &ops, shown[0], false };
static struct console hvc = { "hvc0", &ops, shown[1], false };

static void early_putc(char c)
{
	append(early, &c, 1);
}

static const struct platform fake_platform = { .putc = early_putc };
const struct platform *platform;

static int clear(void **state)
{
	shown[0][0] = shown[1][0] = early[0] = '\0';
	return 0;
}

/* In the order of a boot; the cases after it build on it. */
static void test_early_lines_are_kept(void **state)
{
	log_warn("before %d", 1);
	log_info("not shown");
	assert_string_equal(early, "");
	platform = &fake_platform;
	log_console_start();
	assert_string_equal(early, "osv: before 1\r\n");
}

static void test_levels(void **state)
{
	log_info("quiet");
	log_err("loud\n"); /* its own newline is as good */
	assert_string_equal(early, "osv: loud\r\n");
	clear(state);
	log_set_console_level(LOG_DEBUG);
	fake_clock_advance(1234567000);
	log_debug("all");
	assert_non_null(strstr(early, ".234567] all\r\n"));
	log_set_console_level(LOG_WARN);
}

static void test_fresh_line(void **state)
{
	console_write("program", 7);
	log_err("kernel");
	console_write("x\n", 2);
	log_err("again");
	assert_string_equal(
	    early, "program\r\nosv: kernel\r\nx\r\nosv: again\r\n");
}

static void test_consoles_take_over(void **state)
{
	assert_int_equal(console_register(&serial), 0);
	assert_int_equal(console_register(&hvc), 0);
	console_write("a\nb", 3);
	assert_string_equal(early, "");
	assert_string_equal(shown[0], "a\r\nb");
	assert_string_equal(shown[1], "a\r\nb");
}

static void test_selection(void **state)
{
	char buf[16];

	assert_int_equal(console_select("vga"), -EINVAL);
	assert_int_equal(console_select("hvc"), 0);
	console_write("x", 1);
	assert_string_equal(shown[0], "");
	assert_string_equal(shown[1], "x");
	assert_int_equal(console_read(buf, sizeof(buf)), 4);
	assert_memory_equal(buf, "hvc0", 4);
	assert_int_equal(console_select("all"), 0);
	assert_int_equal(console_read(buf, 7), 7); /* one, then the other */
	assert_memory_equal(buf, "ttyS0hv", 7);
}

static unsigned inputs;

static void count_input(void)
{
	inputs++;
}

static void test_input_of_the_chosen(void **state)
{
	console_rx_ready(&serial); /* nobody listens yet */
	console_input = count_input;
	console_select("hvc");
	console_rx_ready(&serial);
	assert_int_equal(inputs, 0);
	console_rx_ready(&hvc);
	assert_int_equal(inputs, 1);
	console_select("all");
}

static void test_unregister(void **state)
{
	console_unregister(&hvc);
	console_write("x", 1);
	assert_string_equal(shown[0], "x");
	assert_string_equal(shown[1], "");
	console_unregister(&serial);
	console_unregister(&serial);
	console_write("y", 1);
	assert_string_equal(early, "y");
}

static void test_long_line_is_cut(void **state)
{
	char text[1000], tail[8];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_info("%s", text);
	assert_int_equal(log_read(tail, 4), 4);
	assert_memory_equal(tail, "xxx\n", 4);
}

static void test_ring_wraps(void **state)
{
	static char all[80 * 1024];
	size_t n;

	for (int i = 0; i < 4000; i++)
		log_info("line %d", i);
	n = log_read(all, sizeof(all));
	assert_int_equal(n, 64 * 1024);
	assert_memory_equal(all + n - 10, "line 3999\n", 10);
	assert_int_equal(log_read(all, 5), 5);
	assert_memory_equal(all, "3999\n", 5);
	assert_int_equal(log_read(all, 0), 0);
}

#define CASE(f) cmocka_unit_test_setup(f, clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_early_lines_are_kept),
		CASE(test_levels),
		CASE(test_fresh_line),
		CASE(test_consoles_take_over),
		CASE(test_selection),
		CASE(test_input_of_the_chosen),
		CASE(test_unregister),
		CASE(test_long_line_is_cut),
		CASE(test_ring_wraps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
