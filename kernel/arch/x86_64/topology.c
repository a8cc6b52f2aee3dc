/* Which processors and I/O APICs there are: ACPI first, then the MP table. */

#include "kern/compiler.h"
#include "kern/log.h"
#include "kern/num.h"
#include "kern/string.h"

#include "acpi.h"
#include "apic.h"
#include "arch_int.h"

#define EBDA_SEGMENT  0x40e /* in the BIOS data area */
#define BIOS_PA       0xf0000u
#define BIOS_LEN      0x10000u
#define BASE_TOP_PA   0x9fc00u /* the last KiB of base memory */
#define MP_CONFIG_MAX 0x10000u

struct apic_topology apic_topology;

static bool mp_read_at(uint64_t pa, size_t len)
{
	const uint8_t *mem = firmware_map(pa, len), *config;
	uint32_t config_pa;

	if (!mem || mptable_find(mem, len, &config_pa) < 0)
		return false;
	/* its length is in its header: enough for any is looked at */
	config = firmware_map(config_pa, 8);
	if (!config)
		return false;
	len = load_le16(config + 4);
	config = firmware_map(config_pa, MIN(len, (size_t)MP_CONFIG_MAX));
	return config && mptable_parse(config, len, &apic_topology);
}

/* Where MP 1.4, chapter 4 says that it may be. */
static bool mp_read(void)
{
	const uint8_t *bda = firmware_map(EBDA_SEGMENT, 2);
	uint64_t ebda = bda ? (uint64_t)load_le16(bda) << 4 : 0;

	if (ebda >= 0x80000 && ebda < 0xa0000 && mp_read_at(ebda, 1024))
		return true;
	return mp_read_at(BASE_TOP_PA, 1024) || mp_read_at(BIOS_PA, BIOS_LEN);
}

void apic_topology_read(void)
{
	struct apic_topology *t = &apic_topology;
	uint32_t len;
	const uint8_t *madt;

	acpi_init();
	madt = acpi_find("APIC", &len);
	if (madt && madt_parse(madt, len, t))
		return;
	memset(t, 0, sizeof(*t));
	if (mp_read())
		return;
	log_info("smp: neither ACPI nor an MP table lists processors");
	memset(t, 0, sizeof(*t));
	t->ncpu = 1;
	t->cpu_apic_id[0] = apic_id();
}
