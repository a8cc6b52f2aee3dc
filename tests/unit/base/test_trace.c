/* kernel/base/trace.c: the rings, and the files that show and steer them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kern/errno.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/param.h"
#include "kern/procfs.h"
#include "kern/sched.h"
#include "kern/trace.h"

#include "fake_mm.h"

#define RECORDS 4096

TRACEPOINT(fruit, fruit_apple, "size,at%x");
TRACEPOINT(fruit, fruit_pear, "size");
TRACEPOINT(stone, stone_flint, "");

extern const struct proc_file *const proc_set_start[];
extern const struct proc_file *const proc_set_end[];

struct boot_params boot_params;
static char out[1 << 20];
static size_t out_len;
static unsigned stops, warnings;

void proc_printf(struct proc_out *o, const char *fmt, ...)
{
	va_list ap;

	(void)o;
	va_start(ap, fmt);
	out_len +=
	    (size_t)vsnprintf(out + out_len, sizeof(out) - out_len, fmt, ap);
	va_end(ap);
}

void log_write(enum log_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
	warnings++;
}

void arch_branch_set(const void *key, bool on)
{
	(void)key;
	(void)on;
}

int cpus_stop(void (*fn)(void *), void *arg)
{
	stops++;
	fn(arg);
	return 0;
}

static const struct proc_file *file(const char *name)
{
	for (const struct proc_file *const *f = proc_set_start;
	     f < proc_set_end; f++)
		if (!strcmp(strrchr((*f)->path, '/') + 1, name))
			return *f;
	fail_msg("no file %s", name);
	return NULL;
}

static const char *show(const char *name)
{
	struct proc_out o = { 0 };

	out_len = 0;
	out[0] = '\0';
	assert_int_equal(file(name)->show(&o), 0);
	return out;
}

static int store(const char *name, const char *text)
{
	return file(name)->store(text);
}

static unsigned count(const char *what)
{
	const char *p = show("trace");
	unsigned n = 0;

	for (; (p = strstr(p, what)); p++)
		n++;
	return n;
}

static void no_ring_without_memory(void **state)
{
	(void)state;
	fake_mm_fail_nth(1);
	assert_int_equal(store("set_event", "*"), -ENOMEM);
	assert_true(fake_mm_failed());
	assert_int_equal(stops, 0);
	assert_string_equal(show("set_event"), "");
}

static void globs(void **state)
{
	(void)state;
	assert_int_equal(store("set_event", "fruit:*"), 0);
	assert_non_null(strstr(show("set_event"), "fruit:fruit_apple\n"));
	assert_non_null(strstr(show("set_event"), "fruit:fruit_pear\n"));
	assert_null(strstr(show("set_event"), "flint"));
	assert_int_equal(store("set_event", "!fruit_?ear stone_f*t"), 0);
	assert_null(strstr(show("set_event"), "pear"));
	assert_non_null(strstr(show("set_event"), "stone:stone_flint\n"));
	assert_int_equal(store("set_event", "fruit,,!"), -EINVAL);
	assert_int_equal(warnings, 1);
	assert_int_equal(store("set_event", "!*"), 0);
	assert_string_equal(show("set_event"), "");
	assert_non_null(strstr(show("available_events"), "fruit_pear"));
}

static void formats(void **state)
{
	const uint64_t args[TRACE_ARGS] = { (uint64_t)-3, 0xbeef };

	(void)state;
	assert_int_equal(store("set_event", "*"), 0);
	assert_int_equal(store("trace", ""), 0);
	trace_record(&trace_fruit_apple, args);
	trace_record(&trace_stone_flint, args);
	assert_int_equal(count(": fruit_apple: size=-3 at=0xbeef\n"), 1);
	assert_int_equal(count(": stone_flint:\n"), 1);
	assert_int_equal(store("trace", ""), 0);
	assert_int_equal(count("fruit"), 0);
}

static void new_replace_old(void **state)
{
	(void)state;
	assert_int_equal(store("trace", ""), 0);
	for (uint64_t i = 0; i < RECORDS + 10; i++)
		trace_record(
		    &trace_fruit_pear, (const uint64_t[TRACE_ARGS]){ i });
	assert_int_equal(count("size="), RECORDS);
	assert_int_equal(count("size=9\n"), 0);
	assert_int_equal(count("size=10\n"), 1);
	assert_int_equal(count("size=4105\n"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_ring_without_memory),
		cmocka_unit_test(globs),
		cmocka_unit_test(formats),
		cmocka_unit_test(new_replace_old),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
