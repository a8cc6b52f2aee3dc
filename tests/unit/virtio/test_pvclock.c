/* The host's clock, with the test as the host. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "virtio/pvclock.h"

static struct pvclock_info info;
static uint64_t ticks;
static int writes; /* while it is being read */

static uint64_t tsc(void)
{
	if (writes > 0) {
		writes--;
		info.version += 2;
		info.system_time += 1000;
	}
	return ticks;
}

static void host(uint64_t at, uint64_t ns, uint32_t mul, int shift, int flags)
{
	info = (struct pvclock_info){
		.version = 2,
		.tsc = at,
		.system_time = ns,
		.mul = mul,
		.shift = (int8_t)shift,
		.flags = (uint8_t)flags,
	};
}

static void test_scale(void **state)
{
	(void)state;
	host(1000, 5000, 0x80000000u, 0, PVCLOCK_TSC_STABLE); /* 2 GHz */
	ticks = 3000;
	assert_int_equal(pvclock_read(&info, tsc), 6000);
	host(1000, 5000, 0x80000000u, 1, PVCLOCK_TSC_STABLE);
	assert_int_equal(pvclock_read(&info, tsc), 7000);
	host(1000, 5000, 0x80000000u, -1, PVCLOCK_TSC_STABLE);
	assert_int_equal(pvclock_read(&info, tsc), 5500);
	ticks = 1000 + (1ull << 52); /* weeks: no overflow */
	host(1000, 0, 0x80000000u, 0, PVCLOCK_TSC_STABLE);
	assert_int_equal(pvclock_read(&info, tsc), 1ull << 51);
}

static void test_torn(void **state)
{
	(void)state;
	host(0, 0, 0x80000000u, 0, PVCLOCK_TSC_STABLE);
	ticks = 0;
	writes = 3;
	assert_int_equal(pvclock_read(&info, tsc), 3000);
}

/* Clocks of two cpus that do not agree. */
static void test_never_back(void **state)
{
	uint64_t first;

	(void)state;
	host(0, 1ull << 60, 0x80000000u, 0, 0);
	ticks = 0;
	first = pvclock_read(&info, tsc);
	assert_int_equal(first, 1ull << 60);
	info.system_time -= 500;
	assert_int_equal(pvclock_read(&info, tsc), first);
	info.system_time += 600;
	assert_int_equal(pvclock_read(&info, tsc), first + 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scale),
		cmocka_unit_test(test_torn),
		cmocka_unit_test(test_never_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
