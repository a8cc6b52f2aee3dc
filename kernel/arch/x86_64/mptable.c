/*
 * Processors and I/O APICs by the older MP table, which microvm without ACPI
 * and Firecracker have.  Source: Intel MultiProcessor Specification 1.4, 4.
 */

#include "kern/compiler.h"
#include "kern/num.h"
#include "kern/string.h"

#include "acpi.h"
#include "apic.h"

#define FLOATING_LEN   16
#define HEADER_LEN     44
#define HEADER_LENGTH  4
#define HEADER_COUNT   34

#define ENTRY_CPU      0 /* 20 bytes, the others 8 */
#define ENTRY_IOAPIC   2

#define CPU_ENABLED    1u
#define IOAPIC_ENABLED 1u
#define IOAPIC_PINS    24

long mptable_find(const uint8_t *mem, size_t len, uint32_t *config_pa)
{
	for (size_t off = 0; off + FLOATING_LEN <= len; off += 16) {
		const uint8_t *p = mem + off;

		if (memcmp(p, "_MP_", 4) || p[8] != 1 ||
		    acpi_sum(p, FLOATING_LEN))
			continue;
		*config_pa = load_le32(p + 4);
		return (long)off;
	}
	return -1;
}

static void entry_parse(const uint8_t *e, struct apic_topology *out)
{
	if (e[0] == ENTRY_CPU && (e[3] & CPU_ENABLED)) {
		if (out->ncpu < ARRAY_SIZE(out->cpu_apic_id))
			out->cpu_apic_id[out->ncpu++] = e[1];
	} else if (e[0] == ENTRY_IOAPIC && (e[3] & IOAPIC_ENABLED)) {
		if (out->nioapic == IOAPIC_MAX)
			return;
		/* the table has no numbering of lines across I/O APICs */
		out->ioapic[out->nioapic].gsi_base = out->nioapic * IOAPIC_PINS;
		out->ioapic[out->nioapic++].pa = load_le32(e + 4);
	}
}

bool mptable_parse(const uint8_t *t, size_t len, struct apic_topology *out)
{
	size_t off = HEADER_LEN, end;

	if (len < HEADER_LEN || memcmp(t, "PCMP", 4))
		return false;
	end = load_le16(t + HEADER_LENGTH);
	if (end < HEADER_LEN || end > len || acpi_sum(t, end))
		return false;
	out->have_pic = true;
	/* qboot leaves the count of entries 0: the length decides */
	while (off < end) {
		size_t n = t[off] == ENTRY_CPU ? 20 : 8;

		if (!range_ok(off, n, end))
			break;
		entry_parse(t + off, out);
		off += n;
	}
	return out->ncpu > 0;
}
