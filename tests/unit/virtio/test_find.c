/* Finding devices and registers in what the loader and ACPI say. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kern/errno.h"
#include "virtio/acpi_int.h"
#include "virtio/mmio_int.h"

/* --- virtio_mmio.device= ------------------------------------------------- */

static void test_token(void **state)
{
	struct vmmio_place pl;

	(void)state;
	assert_int_equal(vmmio_parse("512@0xfeb00e00:12", &pl), 0);
	assert_int_equal(pl.pa, 0xfeb00e00);
	assert_int_equal(pl.size, 512);
	assert_int_equal(pl.gsi, 12);
	assert_false(pl.level);
	assert_false(pl.active_low);
	assert_int_equal(vmmio_parse("4K@0xd0000000:5:3", &pl), 0);
	assert_int_equal(pl.size, 4096);
	assert_int_equal(pl.gsi, 5);
	assert_int_equal(vmmio_parse("0x200@3489660928:0x30", &pl), 0);
	assert_int_equal(pl.pa, 0xd0000000);
	assert_int_equal(pl.gsi, 48);
}

static void test_token_bad(void **state)
{
	static const char *const bad[] = {
		"",
		"512",
		"512@",
		"512@0xfeb00e00",
		"512@0xfeb00e00:",
		"512@0xfeb00e00:12:",
		"512@0xfeb00e00:12x",
		"512@0xfeb00e00:12:1x",
		"512@0xfeb00e00:-1",
		" 512@0xfeb00e00:12",
		"512P@0xfeb00e00:12",
		"@0xfeb00e00:12",
		"0@0xfeb00e00:12",
		"16@0xfeb00e00:12",
		"512@0xfeb00e01:12",
		"512@0xfeb00e00:70000",
		"0xffffffffffffffff@0xfeb00e00:12",
		"0x400000000000000G@0xfeb00e00:12",
		"512@0xffffffffffffff00:12",
	};
	struct vmmio_place pl;

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (vmmio_parse(bad[i], &pl) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
}

/* --- the DSDT ------------------------------------------------------------ */

#define HEADER   "DSDT....................................."
#define HID      "\x08_HID\x0dLNRO0005\0"
#define UID      "\x08_UID\x0a\x17"
#define CRS      "\x08_CRS\x11\x1a\x0a\x17"
#define MEM      "\x86\x09\0\1\0\x2e\xb0\xfe\0\2\0\0"
#define IRQ      "\x89\6\0\1\1\x2f\0\0\0"
#define END      "\x79\0"
#define DEVICE   HID UID CRS MEM IRQ END

#define BYTES(s) (const uint8_t *)(s), sizeof(s) - 1

/* (s) in memory of its own, so that one byte too far is seen. */
static int dsdt_nth(
    const void *s, size_t len, unsigned n, struct vmmio_place *pl)
{
	uint8_t *copy = malloc(len ? len : 1);
	int err;

	memcpy(copy, s, len);
	err = vmmio_dsdt_nth(copy, len, n, pl);
	free(copy);
	return err;
}

static void test_dsdt(void **state)
{
	static const char two[] =
	    HEADER DEVICE "junk" HID CRS "\x86\x09\0\1\0\x2c\xb0\xfe\0\2\0\0"
			  "\x89\6\0\7\1\x2e\0\0\0" END;
	struct vmmio_place pl;

	(void)state;
	assert_int_equal(dsdt_nth(BYTES(two), 0, &pl), 0);
	assert_int_equal(pl.pa, 0xfeb02e00);
	assert_int_equal(pl.size, 0x200);
	assert_int_equal(pl.gsi, 0x2f);
	assert_true(pl.level);
	assert_false(pl.active_low);
	assert_int_equal(dsdt_nth(BYTES(two), 1, &pl), 0);
	assert_int_equal(pl.pa, 0xfeb02c00);
	assert_int_equal(pl.gsi, 0x2e);
	assert_false(pl.level);
	assert_true(pl.active_low);
	assert_int_equal(dsdt_nth(BYTES(two), 2, &pl), -ENOENT);
	assert_int_equal(dsdt_nth(BYTES(HEADER), 0, &pl), -ENOENT);
	assert_int_equal(dsdt_nth("", 0, 0, &pl), -ENOENT);
}

/* Every way to cut it short is an error, none reads past the end. */
static void test_dsdt_truncated(void **state)
{
	static const char one[] = HEADER DEVICE;
	struct vmmio_place pl;

	(void)state;
	for (size_t n = 0; n < sizeof(one) - 3; n++)
		assert_int_not_equal(dsdt_nth(one, n, 0, &pl), 0);
	assert_int_equal(dsdt_nth(BYTES(one), 0, &pl), 0);
}

static void test_dsdt_bad(void **state)
{
	static const char no_irq[] = HID "\x08_CRS\x11\x11\x0a\x0e" MEM END;
	static const char no_mem[] = HID "\x08_CRS\x11\x0e\x0a\x0b" IRQ END;
	static const char not_buffer[] = HID "\x08_CRS\x12\x1a\x0a\x17" MEM IRQ;
	static const char long_buffer[] =
	    HID "\x08_CRS\x11\x1a\x0a\xff" MEM IRQ;
	static const char long_res[] =
	    HID "\x08_CRS\x11\x1a\x0a\x0c\x86\xff\xff\1\0\x2c\xb0\xfe\0\2\0\0";
	struct vmmio_place pl;

	(void)state;
	assert_int_equal(dsdt_nth(BYTES(no_irq), 0, &pl), -EINVAL);
	assert_int_equal(dsdt_nth(BYTES(no_mem), 0, &pl), -EINVAL);
	assert_int_equal(dsdt_nth(BYTES(not_buffer), 0, &pl), -EINVAL);
	assert_int_equal(dsdt_nth(BYTES(long_buffer), 0, &pl), -EINVAL);
	assert_int_equal(dsdt_nth(BYTES(long_res), 0, &pl), -EINVAL);
	assert_int_equal(dsdt_nth(BYTES(HID), 0, &pl), -EINVAL);
}

/* --- power --------------------------------------------------------------- */

static int s5(const void *s, size_t len, uint8_t type[2])
{
	uint8_t *copy = malloc(len ? len : 1);
	int err;

	memcpy(copy, s, len);
	err = acpi_find_s5(copy, len, type);
	free(copy);
	return err;
}

static void test_s5(void **state)
{
	static const char bytes[] =
	    "..\x08_S5_\x12\x07\x04\x0a\x05\x0a\x06\0\0";
	static const char small[] = "..\x08_S5_\x12\x06\x04\0\1\0\0";
	static const char wide[] = "_S5_ _S5_\x12\x46\0\x04\x0b\x07\0\1";
	uint8_t type[2];

	(void)state;
	assert_int_equal(s5(BYTES(bytes), type), 0);
	assert_int_equal(type[0], 5);
	assert_int_equal(type[1], 6);
	assert_int_equal(s5(BYTES(small), type), 0);
	assert_int_equal(type[0], 0);
	assert_int_equal(type[1], 1);
	assert_int_equal(s5(BYTES(wide), type), 0);
	assert_int_equal(type[0], 7);
	assert_int_equal(s5(BYTES("_S5_\x12\x07\x01\x0a\5"), type), -ENOENT);
	for (size_t n = 0; n < 12; n++)
		assert_int_equal(s5(bytes, n, type), -ENOENT);
}

static void test_ged(void **state)
{
	static const char ged[] =
	    "\x08_HID\x0d"
	    "ACPI0013\0"
	    "\x08_CRS\x11\x0e\x0a\x0b\x89\6\0\3\1\x09\0\0\0"
	    "\x79\0"
	    "[\x80"
	    "EREG\0\x0c\0\0\xa0\xfe\x0a\4";
	uint64_t pa;
	unsigned gsi;

	(void)state;
	assert_int_equal(acpi_find_ged(BYTES(ged), &gsi, &pa), 0);
	assert_int_equal(gsi, 9);
	assert_int_equal(pa, 0xfea00000);
	for (size_t n = 0; n < sizeof(ged) - 3; n++)
		assert_int_equal(
		    acpi_find_ged((const uint8_t *)ged, n, &gsi, &pa), -ENOENT);
}

static void put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, sizeof(v));
}

static void test_fadt(void **state)
{
	uint8_t f[268] = { 0 };
	struct acpi_power ap;

	(void)state;
	f[46] = 9;
	put32(f + 48, 0xb2);
	f[52] = 2;
	put32(f + 56, 0x600);
	put32(f + 64, 0x604);
	f[88] = 4;
	assert_int_equal(acpi_read_fadt(f, 115, &ap), -EINVAL);
	assert_int_equal(acpi_read_fadt(f, 116, &ap), 0);
	assert_int_equal(ap.sci, 9);
	assert_int_equal(ap.pm1a_control, 0x604);
	assert_true(ap.has_button);
	assert_false(ap.has_reset);
	put32(f + 112, 1u << 10 | 1u << 4);
	f[116] = ACPI_SPACE_IO;
	put32(f + 120, 0xcf9);
	f[128] = 0xf;
	assert_int_equal(acpi_read_fadt(f, sizeof(f), &ap), 0);
	assert_true(ap.has_reset);
	assert_false(ap.has_button);
	assert_int_equal(ap.reset.addr, 0xcf9);
	assert_int_equal(ap.reset_value, 0xf);
	put32(f + 64, 0x10604); /* not a port */
	assert_int_equal(acpi_read_fadt(f, sizeof(f), &ap), 0);
	assert_int_equal(ap.pm1a_control, 0);
	put32(f + 112, 1u << 20);
	put32(f + 248, 0xfea00200);
	assert_int_equal(acpi_read_fadt(f, sizeof(f), &ap), 0);
	assert_true(ap.hw_reduced);
	assert_int_equal(ap.sleep.addr, 0xfea00200);
	assert_int_equal(ap.pm1a_event, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_token),
		cmocka_unit_test(test_token_bad),
		cmocka_unit_test(test_dsdt),
		cmocka_unit_test(test_dsdt_truncated),
		cmocka_unit_test(test_dsdt_bad),
		cmocka_unit_test(test_s5),
		cmocka_unit_test(test_ged),
		cmocka_unit_test(test_fadt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
