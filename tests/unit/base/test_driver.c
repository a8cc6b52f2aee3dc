/* kernel/dev/driver.c: a device finds its driver, or stays nobody's. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kern/driver.h"
#include "kern/errno.h"

#include "fake_mm.h"

static int attach_result;
static unsigned attached, detached;

static int attach(struct device *dev)
{
	const unsigned char *p = dev->softc;

	assert_non_null(dev->driver);
	for (int i = 0; i < 100; i++)
		assert_int_equal(p[i], 0);
	attached++;
	return attach_result;
}

static void detach(struct device *dev)
{
	assert_non_null(dev->softc);
	detached++;
}

const struct driver test_net = { "net", "busA", "net", 100, attach, detach };
const struct driver test_blk = { "blk", "busA", "blk", 100, attach, detach };

/* What kernel.lds does: the entries, between two names. */
__asm__(".pushsection .data.rel\n"
	".balign 8\n"
	".globl driver_set_start, driver_set_end\n"
	"driver_set_start: .quad test_net, test_blk\n"
	"driver_set_end:\n"
	".popsection\n");

static struct device dev;

static int setup(void **state)
{
	memset(&dev, 0, sizeof(dev));
	dev = (struct device){ .name = "d0", .bus = "busA", .type = "blk" };
	attach_result = 0;
	attached = detached = 0;
	return 0;
}

static int nothing_left(void **state)
{
	return fake_mm_live() != 0;
}

static void test_attach_and_remove(void **state)
{
	assert_int_equal(device_add(&dev), 0);
	assert_ptr_equal(dev.driver, &test_blk);
	device_remove(&dev);
	assert_null(dev.driver);
	assert_null(dev.softc);
	device_remove(&dev); /* once is enough */
	assert_int_equal(detached, 1);
}

static void test_nobody_wants_it(void **state)
{
	dev.type = "gpu";
	assert_int_equal(device_add(&dev), -ENODEV);
	dev.type = "blk";
	dev.bus = "busB";
	assert_int_equal(device_add(&dev), -ENODEV);
	assert_null(dev.driver);
	device_remove(&dev);
	assert_int_equal(attached + detached, 0);
}

static void test_attach_fails(void **state)
{
	attach_result = -EIO;
	assert_int_equal(device_add(&dev), -EIO);
	assert_null(dev.driver);
	assert_null(dev.softc);
	device_remove(&dev);
	assert_int_equal(detached, 0);
}

static void test_no_memory(void **state)
{
	fake_mm_fail_nth(1);
	assert_int_equal(device_add(&dev), -ENOMEM);
	assert_int_equal(attached, 0);
	assert_null(dev.driver);
	fake_mm_fail_nth(0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, nothing_left)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_attach_and_remove),
		CASE(test_nobody_wants_it),
		CASE(test_attach_fails),
		CASE(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
