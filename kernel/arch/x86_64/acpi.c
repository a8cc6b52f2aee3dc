/*
 * ACPI's tables: where they are, and that they are whole.
 * Source: ACPI specification 6.2, 5.2.
 */

#include "kern/boot.h"
#include "kern/compiler.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/string.h"

#include "acpi.h"
#include "arch_int.h"

#define TABLES_MAX    64
#define TABLE_LEN_MAX (4u << 20)
#define HEADER_LEN    36
#define RSDP_V1_LEN   20
#define RSDP_V2_LEN   36
#define RSDP_RSDT     16
#define RSDP_XSDT     24
#define RSDP_REVISION 15
#define FADT_DSDT     40
#define FADT_X_DSDT   140

#define BIOS_AREA     0xe0000u
#define BIOS_AREA_LEN 0x20000u

struct table {
	char sig[4];
	const uint8_t *va;
	uint32_t len;
};

static struct table tables[TABLES_MAX];
static unsigned ntable;

uint8_t acpi_sum(const uint8_t *p, size_t n)
{
	uint8_t sum = 0;

	while (n--)
		sum = (uint8_t)(sum + *p++);
	return sum;
}

/* Firmware's memory is in the direct map, unless the loader called it
 * reserved. */
const void *firmware_map(uint64_t pa, size_t len)
{
	uintptr_t va = DIRECT_MAP_BASE + pa;
	uint64_t end;

	if (!pa || add_overflow(pa, len, &end) || end >= 1ull << 46)
		return NULL;
	for (uint64_t p = ALIGN_DOWN(pa, PAGE_SIZE); p < end; p += PAGE_SIZE)
		if (!pt_lookup(pgtable_kernel(), DIRECT_MAP_BASE + p, NULL,
			NULL, NULL, NULL, NULL))
			return mmio_map(pa, len);
	return (const void *)va;
}

/* Map a table whole; NULL when its length is absurd or its sum wrong. */
static const uint8_t *table_map(uint64_t pa, uint32_t *len)
{
	const uint8_t *t = firmware_map(pa, HEADER_LEN);

	if (!t)
		return NULL;
	*len = load_le32(t + 4);
	if (*len < HEADER_LEN || *len > TABLE_LEN_MAX)
		return NULL;
	t = firmware_map(pa, *len);
	if (!t || acpi_sum(t, *len))
		return NULL;
	return t;
}

static void table_add(uint64_t pa)
{
	struct table *t = &tables[ntable];

	if (ntable == TABLES_MAX)
		return;
	t->va = table_map(pa, &t->len);
	if (!t->va) {
		log_warn("acpi: table at %#lx is damaged", pa);
		return;
	}
	memcpy(t->sig, t->va, sizeof(t->sig));
	ntable++;
}

static void dsdt_add(void)
{
	uint32_t len;
	const uint8_t *fadt = acpi_find("FACP", &len);
	uint64_t pa = 0;

	if (!fadt)
		return;
	if (len >= FADT_X_DSDT + 8)
		pa = load_le64(fadt + FADT_X_DSDT);
	if (!pa && len >= FADT_DSDT + 4)
		pa = load_le32(fadt + FADT_DSDT);
	if (pa)
		table_add(pa);
}

static const uint8_t *rsdp_check(const uint8_t *p)
{
	if (!p || memcmp(p, "RSD PTR ", 8) || acpi_sum(p, RSDP_V1_LEN))
		return NULL;
	return p;
}

static const uint8_t *rsdp_find(void)
{
	const uint8_t *bios, *rsdp;

	if (boot_info.rsdp_pa) {
		rsdp = rsdp_check(firmware_map(boot_info.rsdp_pa, RSDP_V2_LEN));
		if (rsdp)
			return rsdp;
	}
	bios = firmware_map(BIOS_AREA, BIOS_AREA_LEN);
	for (size_t off = 0; off + RSDP_V2_LEN <= BIOS_AREA_LEN; off += 16)
		if ((rsdp = rsdp_check(bios + off)))
			return rsdp;
	return NULL;
}

void acpi_init(void)
{
	const uint8_t *rsdp = rsdp_find(), *root;
	unsigned entry = 4;
	uint64_t pa;
	uint32_t len;

	if (!rsdp)
		return;
	pa = load_le32(rsdp + RSDP_RSDT);
	if (rsdp[RSDP_REVISION] >= 2 && load_le64(rsdp + RSDP_XSDT)) {
		pa = load_le64(rsdp + RSDP_XSDT);
		entry = 8;
	}
	root = table_map(pa, &len);
	if (!root) {
		log_warn("acpi: no usable root table at %#lx", pa);
		return;
	}
	for (uint32_t off = HEADER_LEN; off + entry <= len; off += entry)
		table_add(
		    entry == 8 ? load_le64(root + off) : load_le32(root + off));
	dsdt_add();
}

const void *acpi_find(const char sig[4], uint32_t *len)
{
	for (unsigned i = 0; i < ntable; i++) {
		if (memcmp(tables[i].sig, sig, sizeof(tables[i].sig)))
			continue;
		*len = tables[i].len;
		return tables[i].va;
	}
	return NULL;
}
