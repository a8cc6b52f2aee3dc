/* kernel/arch/x86_64/madt.c and mptable.c: tables as firmware leaves them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/arch/x86_64/acpi.h"
#include "kernel/arch/x86_64/apic.h"

static uint8_t table[8192];
static size_t len;
static struct apic_topology topo;

uint8_t acpi_sum(const uint8_t *p, size_t n)
{
	uint8_t sum = 0;

	while (n--)
		sum = (uint8_t)(sum + *p++);
	return sum;
}

static void put(const void *p, size_t n)
{
	memcpy(table + len, p, n);
	len += n;
}

#define PUT(...)                                      \
	do {                                          \
		const uint8_t b_[] = { __VA_ARGS__ }; \
		put(b_, sizeof(b_));                  \
	} while (0)

static int clear(void **state)
{
	memset(table, 0, sizeof(table));
	memset(&topo, 0, sizeof(topo));
	len = 44;
	return 0;
}

/* The parsers see a copy of just the right size: ASan watches its end. */
static bool parse(bool (*fn)(const uint8_t *, size_t, struct apic_topology *))
{
	uint8_t *copy = malloc(len);
	bool ok;

	memcpy(copy, table, len);
	ok = fn(copy, len, &topo);
	free(copy);
	return ok;
}

static void test_madt_of_a_pc(void **state)
{
	table[40] = 1;
	PUT(0, 8, 0, 0, 1, 0, 0, 0);
	PUT(0, 8, 1, 1, 1, 0, 0, 0);
	PUT(0, 8, 2, 2, 0, 0, 0, 0); /* could be plugged in */
	PUT(1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0);
	PUT(1, 12, 1, 0, 0, 0, 0xc1, 0xfe, 24, 0, 0, 0);
	PUT(2, 10, 0, 0, 2, 0, 0, 0, 0, 0);
	PUT(2, 10, 0, 9, 9, 0, 0, 0, 0xf, 0);
	PUT(4, 6, 0xff, 0, 0, 1); /* local NMI: not ours */
	assert_true(parse(madt_parse));
	assert_true(topo.have_pic);
	assert_int_equal(topo.ncpu, 2);
	assert_int_equal(topo.cpu_apic_id[1], 1);
	assert_int_equal(topo.nioapic, 2);
	assert_int_equal(topo.ioapic[1].pa, 0xfec10000);
	assert_int_equal(topo.ioapic[1].gsi_base, 24);
	assert_int_equal(topo.noverride, 2);
	assert_int_equal(topo.override[0].gsi, 2);
	assert_int_equal(topo.override[1].flags, 0xf);
}

static void test_madt_x2apic_ids(void **state)
{
	PUT(0, 8, 0, 0, 1, 0, 0, 0);
	PUT(9, 16, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0); /* again */
	PUT(9, 16, 0, 0, 0x34, 0x12, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0);
	PUT(9, 16, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0); /* disabled */
	assert_true(parse(madt_parse));
	assert_int_equal(topo.ncpu, 2);
	assert_int_equal(topo.cpu_apic_id[1], 0x1234);
}

static void test_madt_damaged(void **state)
{
	len = 43;
	assert_false(parse(madt_parse));
	len = 44;
	assert_false(parse(madt_parse)); /* no processors */
	PUT(0, 8, 0, 0, 1, 0, 0, 0);
	PUT(0, 0); /* no length: would never end */
	assert_true(parse(madt_parse));
	assert_int_equal(topo.ncpu, 1);
	clear(state);
	PUT(0, 8, 0, 0, 1, 0, 0, 0);
	PUT(1, 12, 0, 0); /* past the end */
	assert_true(parse(madt_parse));
	assert_int_equal(topo.nioapic, 0);
	clear(state);
	PUT(0, 4, 0, 0); /* too short for what it is */
	assert_false(parse(madt_parse));
}

static void test_madt_more_than_fits(void **state)
{
	for (int i = 0; i < 10; i++)
		PUT(1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0);
	for (int i = 0; i < 40; i++)
		PUT(2, 10, 0, 0, 2, 0, 0, 0, 0, 0);
	for (unsigned i = 0; i < 200; i++)
		PUT(9, 16, 0, 0, (uint8_t)i, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0);
	assert_true(parse(madt_parse));
	assert_int_equal(topo.nioapic, IOAPIC_MAX);
	assert_int_equal(topo.noverride, IOAPIC_OVERRIDES);
	assert_int_equal(topo.ncpu, 200);
	for (unsigned i = 0; i < 30; i++)
		PUT(0, 8, 0, (uint8_t)i, 1, 0, 0, 0);
	for (unsigned i = 30; i < 77; i++)
		PUT(0, 8, 0, (uint8_t)i, 1, 0, 0, 0);
	assert_true(parse(madt_parse));
	assert_int_equal(topo.ncpu, 256);
}

static void mp_finish(void)
{
	memcpy(table, "PCMP", 4);
	table[4] = (uint8_t)len;
	table[5] = (uint8_t)(len >> 8);
	table[7] = 0;
	table[7] = (uint8_t)-acpi_sum(table, len);
}

static void mp_two_cpus(void)
{
	PUT(0, 0, 0x14, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	PUT(0, 1, 0x14, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	PUT(0, 2, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	PUT(1, 0, 'I', 'S', 'A', ' ', ' ', ' ');
	PUT(2, 2, 0x11, 1, 0, 0, 0xc0, 0xfe);
	PUT(3, 0, 0, 0, 0, 0, 2, 0);
}

/* The count of entries (offset 34) stays 0, as qboot leaves it. */
static void test_mptable(void **state)
{
	mp_two_cpus();
	mp_finish();
	assert_true(parse(mptable_parse));
	assert_int_equal(topo.ncpu, 2);
	assert_int_equal(topo.cpu_apic_id[1], 1);
	assert_int_equal(topo.nioapic, 1);
	assert_int_equal(topo.ioapic[0].pa, 0xfec00000);
	assert_true(topo.have_pic);
}

static void test_mptable_damaged(void **state)
{
	mp_two_cpus();
	mp_finish();
	table[60] ^= 1;
	assert_false(parse(mptable_parse)); /* sum */
	table[60] ^= 1;
	table[0] = 'X';
	assert_false(parse(mptable_parse)); /* signature */
	table[0] = 'P';
	len -= 1;
	assert_false(parse(mptable_parse)); /* longer than it is */
	len = 20;
	assert_false(parse(mptable_parse));
	clear(state);
	PUT(0, 0, 0x14, 1); /* an entry that goes on past the end */
	mp_finish();
	assert_false(parse(mptable_parse));
}

static void test_mp_pointer(void **state)
{
	uint32_t pa;
	uint8_t *p = table + 48;

	assert_int_equal(mptable_find(table, 1024, &pa), -1);
	memcpy(p, "_MP_\x10\xfc\x09\x00\x01\x04", 10);
	p[10] = (uint8_t)-acpi_sum(p, 16);
	assert_int_equal(mptable_find(table, 1024, &pa), 48);
	assert_int_equal(pa, 0x9fc10);
	assert_int_equal(mptable_find(table, 48 + 15, &pa), -1);
	p[11] = 1;
	assert_int_equal(mptable_find(table, 1024, &pa), -1);
}

#define CASE(f) cmocka_unit_test_setup(f, clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_madt_of_a_pc),
		CASE(test_madt_x2apic_ids),
		CASE(test_madt_damaged),
		CASE(test_madt_more_than_fits),
		CASE(test_mptable),
		CASE(test_mptable_damaged),
		CASE(test_mp_pointer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
