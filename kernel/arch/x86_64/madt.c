/*
 * Processors and I/O APICs, as ACPI's MADT lists them.
 * Source: ACPI specification 6.2, 5.2.12.
 */

#include "kern/compiler.h"
#include "kern/num.h"

#include "acpi.h"
#include "apic.h"

#define MADT_FLAGS       40
#define MADT_ENTRIES     44

#define MADT_PCAT_COMPAT 1u

#define ENTRY_LAPIC      0
#define ENTRY_IOAPIC     1
#define ENTRY_OVERRIDE   2
#define ENTRY_X2APIC     9

#define CPU_ENABLED      1u

static void cpu_add(struct apic_topology *t, uint32_t id)
{
	for (unsigned i = 0; i < t->ncpu; i++)
		if (t->cpu_apic_id[i] == id)
			return;
	if (t->ncpu < ARRAY_SIZE(t->cpu_apic_id))
		t->cpu_apic_id[t->ncpu++] = id;
}

static void entry_parse(const uint8_t *e, size_t len, struct apic_topology *t)
{
	if (e[0] == ENTRY_LAPIC && len >= 8) {
		if (load_le32(e + 4) & CPU_ENABLED)
			cpu_add(t, e[3]);
	} else if (e[0] == ENTRY_X2APIC && len >= 16) {
		if (load_le32(e + 8) & CPU_ENABLED)
			cpu_add(t, load_le32(e + 4));
	} else if (e[0] == ENTRY_IOAPIC && len >= 12) {
		if (t->nioapic == IOAPIC_MAX)
			return;
		t->ioapic[t->nioapic].pa = load_le32(e + 4);
		t->ioapic[t->nioapic++].gsi_base = load_le32(e + 8);
	} else if (e[0] == ENTRY_OVERRIDE && len >= 10) {
		if (t->noverride == IOAPIC_OVERRIDES)
			return;
		t->override[t->noverride].irq = e[3];
		t->override[t->noverride].gsi = load_le32(e + 4);
		t->override[t->noverride++].flags = load_le16(e + 8);
	}
}

bool madt_parse(const uint8_t *t, size_t len, struct apic_topology *out)
{
	size_t off = MADT_ENTRIES;

	if (len < MADT_ENTRIES)
		return false;
	out->have_pic = load_le32(t + MADT_FLAGS) & MADT_PCAT_COMPAT;
	while (off + 2 <= len) {
		size_t n = t[off + 1];

		if (n < 2 || !range_ok(off, n, len))
			break;
		entry_parse(t + off, n, out);
		off += n;
	}
	return out->ncpu > 0;
}
