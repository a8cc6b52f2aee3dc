#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/syscall.h>

#include "../../../kernel/linux/table_int.h"
#include "kern/string.h"

#ifndef SYS_fchmodat2 /* younger than Debian 12's headers */
#define SYS_fchmodat2 452
#endif

struct call {
	int nr, linux_nr;
	const char *name;
	int args;
};

#define SYSCALL0(n, name)      { n, SYS_##name, #name, 0 },
#define SYSCALL1(n, name, ...) { n, SYS_##name, #name, 1 },
#define SYSCALL2(n, name, ...) { n, SYS_##name, #name, 2 },
#define SYSCALL3(n, name, ...) { n, SYS_##name, #name, 3 },
#define SYSCALL4(n, name, ...) { n, SYS_##name, #name, 4 },
#define SYSCALL5(n, name, ...) { n, SYS_##name, #name, 5 },
#define SYSCALL6(n, name, ...) { n, SYS_##name, #name, 6 },
static const struct call calls[] = {
#include "../../../kernel/linux/syscalls.def"
};

#define NCALL (sizeof(calls) / sizeof(calls[0]))

static void test_numbers_are_linux(void **state)
{
	(void)state;
	for (size_t i = 0; i < NCALL; i++) {
		if (calls[i].nr != calls[i].linux_nr)
			fail_msg("%s is %d in Linux, not %d", calls[i].name,
			    calls[i].linux_nr, calls[i].nr);
	}
}

static void test_ascending(void **state)
{
	(void)state;
	for (size_t i = 1; i < NCALL; i++)
		if (calls[i - 1].nr >= calls[i].nr)
			fail_msg("%s is out of order", calls[i].name);
}

static void test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < NCALL; i++)
		assert_string_equal(
		    syscall_name((uint64_t)calls[i].nr), calls[i].name);
	assert_string_equal(syscall_name(100000), "?");
	assert_string_equal(syscall_name(UINT64_MAX), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_are_linux),
		cmocka_unit_test(test_ascending),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
