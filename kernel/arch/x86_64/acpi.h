#ifndef ARCH_ACPI_H
#define ARCH_ACPI_H

/* acpi.c, madt.c, mptable.c */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct apic_topology;

/* Find the tables.  Memory works; before other cpus run. */
void acpi_init(void);

/* (pa) to a readable address for (len) bytes, kept for ever; NULL. */
const void *firmware_map(uint64_t pa, size_t len);

/* Pure: from a whole checked table.  False: nothing usable in it. */
bool madt_parse(const uint8_t *t, size_t len, struct apic_topology *out);
/* Pure: from an MP configuration table. */
bool mptable_parse(const uint8_t *t, size_t len, struct apic_topology *out);
/* Offset of a valid MP floating pointer in (mem), or -1; *config_pa. */
long mptable_find(const uint8_t *mem, size_t len, uint32_t *config_pa);

uint8_t acpi_sum(const uint8_t *p, size_t n);

static inline uint32_t load_le32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

static inline uint64_t load_le64(const uint8_t *p)
{
	return load_le32(p) | (uint64_t)load_le32(p + 4) << 32;
}

static inline uint16_t load_le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

#endif /* ARCH_ACPI_H */
