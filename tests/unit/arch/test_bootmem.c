/* kernel/arch/x86_64/bootmem.c: memory maps as loaders make them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/arch/x86_64/arch_int.h"

#define K 1024ull
#define M (1024 * K)
#define G (1024 * M)

static struct boot_info info;

static void add(uint64_t pa, uint64_t len, enum boot_mem_type type)
{
	info.mem[info.nmem++] = (struct boot_mem){ pa, len, type };
}

static void expect(
    unsigned i, uint64_t pa, uint64_t len, enum boot_mem_type type)
{
	assert_true(i < info.nmem);
	assert_int_equal(info.mem[i].pa, pa);
	assert_int_equal(info.mem[i].len, len);
	assert_int_equal(info.mem[i].type, type);
}

static int clear(void **state)
{
	memset(&info, 0, sizeof(info));
	return 0;
}

static void test_sorted_and_merged(void **state)
{
	add(2 * M, 2 * M, BOOT_MEM_RAM);
	add(0, 640 * K, BOOT_MEM_RAM);
	add(1 * M, 1 * M, BOOT_MEM_RAM);
	bootmem_normalise(&info);
	assert_int_equal(info.nmem, 2);
	expect(0, 0, 640 * K, BOOT_MEM_RAM);
	expect(1, 1 * M, 3 * M, BOOT_MEM_RAM);
}

static void test_stricter_type_wins(void **state)
{
	add(0, 16 * M, BOOT_MEM_RAM);
	add(4 * M, 1 * M, BOOT_MEM_RESERVED);
	add(4 * M, 4 * M, BOOT_MEM_ACPI);
	bootmem_normalise(&info);
	assert_int_equal(info.nmem, 4);
	expect(0, 0, 4 * M, BOOT_MEM_RAM);
	expect(1, 4 * M, 1 * M, BOOT_MEM_RESERVED);
	expect(2, 5 * M, 3 * M, BOOT_MEM_ACPI);
	expect(3, 8 * M, 8 * M, BOOT_MEM_RAM);
}

static void test_rounding(void **state)
{
	add(1, 3 * 4096 - 1, BOOT_MEM_RAM);     /* shrinks */
	add(0x9fc00, 0x400, BOOT_MEM_RESERVED); /* grows */
	add(0x100001, 0x100, BOOT_MEM_RAM);     /* vanishes */
	bootmem_normalise(&info);
	assert_int_equal(info.nmem, 2);
	expect(0, 4096, 2 * 4096, BOOT_MEM_RAM);
	expect(1, 0x9f000, 0x1000, BOOT_MEM_RESERVED);
}

static void test_absurd_entries(void **state)
{
	add(UINT64_MAX - 4096, UINT64_MAX, BOOT_MEM_RAM);
	add(1 * M, UINT64_MAX, BOOT_MEM_RAM); /* wraps: cut at the limit */
	add(5, 0, BOOT_MEM_RAM);
	bootmem_normalise(&info);
	assert_int_equal(info.nmem, 1);
	assert_int_equal(info.mem[0].pa, 1 * M);
	assert_true(info.mem[0].len <= 1ull << 46);
}

static void test_empty(void **state)
{
	bootmem_normalise(&info);
	assert_int_equal(info.nmem, 0);
}

/* Whatever comes in: sorted, disjoint, whole pages, nothing invented. */
static void test_random_maps(void **state)
{
	unsigned seed = 5;

	for (int round = 0; round < 2000; round++) {
		struct boot_info in;
		unsigned n = 1 + (unsigned)round % BOOT_MEM_MAX;

		clear(state);
		for (unsigned i = 0; i < n; i++) {
			seed = seed * 1103515245u + 12345u;
			add((seed >> 8) % 256 * 1024, (seed >> 16) % 128 * 1024,
			    1 + (seed >> 4) % 5);
		}
		in = info;
		bootmem_normalise(&info);
		for (unsigned i = 0; i < info.nmem; i++) {
			struct boot_mem *m = &info.mem[i];

			assert_true(m->len && !((m->pa | m->len) & 4095));
			if (i)
				assert_true(m[-1].pa + m[-1].len <= m->pa);
			if (m->type != BOOT_MEM_RAM)
				continue;
			for (unsigned j = 0; j < n; j++)
				assert_true(
				    in.mem[j].type == BOOT_MEM_RAM ||
				    !in.mem[j].len ||
				    in.mem[j].pa + in.mem[j].len <= m->pa ||
				    in.mem[j].pa >= m->pa + m->len);
		}
	}
}

static void test_carve_from_the_top(void **state)
{
	add(0, 640 * K, BOOT_MEM_RAM);
	add(1 * M, 15 * M, BOOT_MEM_RAM);
	assert_int_equal(
	    bootmem_carve(&info, 64 * K, 4 * G, 2 * M, 3 * M), 16 * M - 64 * K);
	expect(1, 1 * M, 15 * M - 64 * K, BOOT_MEM_RAM);
	assert_int_equal(info.nmem, 2);
}

static void test_carve_below_a_limit_splits(void **state)
{
	add(0, 16 * M, BOOT_MEM_RAM);
	assert_int_equal(bootmem_carve(&info, 4096, 0xa0000, 0, 0), 0x9f000);
	assert_int_equal(info.nmem, 2);
	expect(0, 0, 0x9f000, BOOT_MEM_RAM);
	expect(1, 0xa0000, 16 * M - 0xa0000, BOOT_MEM_RAM);
}

static void test_carve_around_modules_and_image(void **state)
{
	add(1 * M, 15 * M, BOOT_MEM_RAM);
	info.module[0] = (struct boot_module){ .pa = 12 * M, .len = 4 * M };
	info.module[1] = (struct boot_module){ .pa = 5 * M, .len = 6 * M + 1 };
	info.nmodule = 2;
	/* between the modules; then only between image and module 1 */
	assert_int_equal(bootmem_carve(&info, 512 * K, 4 * G, 2 * M, 3 * M),
	    12 * M - 512 * K);
	assert_int_equal(
	    bootmem_carve(&info, 1 * M, 4 * G, 2 * M, 3 * M), 4 * M);
	/* nothing that large is left */
	assert_int_equal(bootmem_carve(&info, 2 * M, 4 * G, 2 * M, 3 * M), 0);
}

static void test_carve_refuses(void **state)
{
	add(0, 1 * M, BOOT_MEM_RESERVED);
	assert_int_equal(bootmem_carve(&info, 4096, 4 * G, 0, 0), 0);
	clear(state);
	for (unsigned i = 0; i < BOOT_MEM_MAX; i++)
		add(i * M, 512 * K, BOOT_MEM_RAM);
	/* a full map cannot be split, but can be shortened */
	assert_int_equal(bootmem_carve(&info, 4096, 128 * K, 0, 0), 0);
	assert_true(bootmem_carve(&info, 4096, 4 * G, 0, 0) != 0);
	assert_int_equal(info.nmem, BOOT_MEM_MAX);
}

#define CASE(f) cmocka_unit_test_setup(f, clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_sorted_and_merged),
		CASE(test_stricter_type_wins),
		CASE(test_rounding),
		CASE(test_absurd_entries),
		CASE(test_empty),
		CASE(test_random_maps),
		CASE(test_carve_from_the_top),
		CASE(test_carve_below_a_limit_splits),
		CASE(test_carve_around_modules_and_image),
		CASE(test_carve_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
