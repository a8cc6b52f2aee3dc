#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <elf.h>

#include "../../../kernel/linux/exec_int.h"
#include "fake_mm.h"
#include "kern/app.h"
#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/param.h"
#include "kern/string.h"

struct boot_params boot_params;

/* The program's memory is ours; strings end where a test says. */
static const char *bad_pointer;

int copy_from_user(void *dst, const void *user_src, size_t n)
{
	if (user_src == bad_pointer)
		return -EFAULT;
	memcpy(dst, user_src, n);
	return 0;
}

long strncpy_from_user(char *dst, const char *user_src, size_t n)
{
	size_t len = strnlen(user_src, n);

	if (user_src == bad_pointer)
		return -EFAULT;
	if (len == n)
		return -ENAMETOOLONG;
	memcpy(dst, user_src, len + 1);
	return (long)len;
}

#define TOP 0x7ffff0000000ul

static struct exec_info info = {
	.execfn = "/bin/app",
	.entry = 0x1111,
	.phdr = 0x2222,
	.vdso = 0x4444,
	.call_entry = 0x5555,
	.phnum = 7,
	.interp_base = 0x3333,
	.hwcap = 0x4444,
	.minsigstksz = 3632,
	.random = { 1, 2, 3, 4 },
};

static uint8_t buf[65536];
static size_t size;

static void *at(uintptr_t addr)
{
	assert_in_range(addr, TOP - size, TOP - 1);
	return buf + (addr - (TOP - size));
}

static uint64_t find_aux(const uint64_t *v, uint64_t type)
{
	for (; v[0] != AT_NULL; v += 2)
		if (v[0] == type)
			return v[1];
	fail_msg("no auxiliary value %d", (int)type);
	return 0;
}

static void build(const struct exec_args *a, struct exec_stack *st)
{
	size = exec_stack_size(a, &info);
	assert_in_range(size, 1, sizeof(buf));
	memset(buf, 0xee, sizeof(buf));
	exec_stack_build(a, &info, TOP, buf, size, st);
	assert_true(st->sp >= TOP - size);
	assert_int_equal(st->sp % 16, 0);
}

static void check(unsigned nargs, unsigned nenv)
{
	struct exec_args a = { 0 };
	struct exec_stack st;
	const uint64_t *v;
	char s[32];

	for (unsigned i = 0; i < nargs + nenv; i++) {
		snprintf(s, sizeof(s), "string %u", i);
		assert_int_equal(exec_args_add(&a, s, i >= nargs), 0);
	}
	build(&a, &st);
	v = at(st.sp);
	assert_int_equal(*v++, nargs);
	for (unsigned i = 0; i < nargs + nenv; i++) {
		if (i == nargs)
			assert_int_equal(*v++, 0);
		snprintf(s, sizeof(s), "string %u", i);
		assert_string_equal((char *)at(*v++), s);
	}
	if (nenv == 0)
		assert_int_equal(*v++, 0);
	assert_int_equal(*v++, 0);
	assert_ptr_equal(v, at(st.auxv));
	assert_int_equal(find_aux(v, AT_SYSINFO_EHDR), 0x4444);
	assert_int_equal(find_aux(v, AT_OSV_CALL), 0x5555);
	assert_int_equal(find_aux(v, AT_PHDR), 0x2222);
	assert_int_equal(find_aux(v, AT_PHNUM), 7);
	assert_int_equal(find_aux(v, AT_PHENT), sizeof(Elf64_Phdr));
	assert_int_equal(find_aux(v, AT_BASE), 0x3333);
	assert_int_equal(find_aux(v, AT_ENTRY), 0x1111);
	assert_int_equal(find_aux(v, AT_PAGESZ), 4096);
	assert_int_equal(find_aux(v, AT_SECURE), 0);
	assert_int_equal(find_aux(v, AT_MINSIGSTKSZ), 3632);
	assert_string_equal(at(find_aux(v, AT_EXECFN)), "/bin/app");
	assert_string_equal(at(find_aux(v, AT_PLATFORM)), "x86_64");
	assert_memory_equal(at(find_aux(v, AT_RANDOM)), info.random, 16);
	assert_int_equal(st.arg_end, st.env_start);
	assert_int_equal(st.env_end - st.arg_start, a.len);
	assert_int_equal(st.auxv_len % 16, 0);
	exec_args_free(&a);
}

static void test_stack(void **state)
{
	(void)state;
	for (unsigned nargs = 0; nargs < 9; nargs++)
		for (unsigned nenv = 0; nenv < 9; nenv++)
			check(nargs, nenv);
	assert_int_equal(fake_mm_live(), 0);
}

static void test_user_strings(void **state)
{
	static char big[EXEC_ARG_MAX + 1];
	const char *argv[] = { "one", "", big, NULL };
	struct exec_args a = { 0 };

	(void)state;
	memset(big, 'x', EXEC_ARG_MAX - 1);
	assert_int_equal(exec_args_add_user(&a, argv, false), 0);
	assert_int_equal(a.argc, 3);
	assert_int_equal(a.len, 4 + 1 + EXEC_ARG_MAX);
	big[EXEC_ARG_MAX - 1] = 'x';
	assert_int_equal(exec_args_add_user(&a, argv, true), -E2BIG);
	exec_args_free(&a);
	bad_pointer = argv[1];
	assert_int_equal(exec_args_add_user(&a, argv, true), -EFAULT);
	bad_pointer = NULL;
	exec_args_free(&a);
	assert_int_equal(exec_args_add_user(&a, NULL, true), 0);
	assert_int_equal(fake_mm_live(), 0);
}

static void test_too_much(void **state)
{
	static char big[EXEC_ARG_MAX];
	struct exec_args a = { 0 };
	int r = 0;

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	for (int i = 0; i < 17 && r == 0; i++)
		r = exec_args_add(&a, big, false);
	assert_int_equal(r, -E2BIG);
	assert_true(a.len <= EXEC_ARGS_MAX);
	exec_args_free(&a);
}

static void test_script(void **state)
{
	struct exec_args a = { 0 };

	(void)state;
	exec_args_add(&a, "script", false);
	exec_args_add(&a, "arg", false);
	exec_args_add(&a, "K=V", true);
	assert_int_equal(exec_args_prepend(&a, "/path/script", 1), 0);
	assert_int_equal(exec_args_prepend(&a, "-x", 0), 0);
	assert_int_equal(exec_args_prepend(&a, "/bin/sh", 0), 0);
	assert_int_equal(a.argc, 4);
	assert_memory_equal(
	    a.text, "/bin/sh\0-x\0/path/script\0arg\0K=V", a.len);
	exec_args_free(&a);
}

static void test_no_memory(void **state)
{
	struct exec_args a = { 0 };
	int r;

	(void)state;
	for (long n = 1;; n++) {
		fake_mm_fail_nth(n);
		r = 0;
		for (int i = 0; i < 2000 && r == 0; i++)
			r = exec_args_add(&a, "some string", false);
		exec_args_free(&a);
		if (!fake_mm_failed())
			break;
		assert_int_equal(r, -ENOMEM);
	}
	assert_int_equal(r, 0);
	fake_mm_fail_nth(0);
	assert_int_equal(fake_mm_live(), 0);
}

static bool has(const struct exec_args *a, const char *kv)
{
	const char *s = a->text;

	for (unsigned i = 0; i < a->envc; i++, s += strlen(s) + 1)
		if (strcmp(s, kv) == 0)
			return true;
	return false;
}

static void test_environment(void **state)
{
	struct exec_args a = { 0 };

	(void)state;
	boot_params.hostname = "box";
	boot_params.env[0] = "TERM=vt100";
	boot_params.env[1] = "A=1";
	boot_params.env[2] = "A=2";
	boot_params.env[3] = "nonsense";
	boot_params.nenv = 4;
	assert_int_equal(boot_env(&a), 0);
	assert_true(has(&a, "HOSTNAME=box"));
	assert_true(has(&a, "HOME=/"));
	assert_true(has(&a, "TERM=vt100"));
	assert_false(has(&a, "TERM=linux"));
	assert_true(has(&a, "A=2"));
	assert_false(has(&a, "A=1"));
	assert_int_equal(a.envc, 5);
	exec_args_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stack),
		cmocka_unit_test(test_user_strings),
		cmocka_unit_test(test_too_much),
		cmocka_unit_test(test_script),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
