#ifndef VIRTIO_ACPI_INT_H
#define VIRTIO_ACPI_INT_H

/* Stopping the machine by ACPI, and being asked to. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kern/compiler.h"

/* ACPI 6, 5.2.3.2 */
struct acpi_gas {
	uint8_t space, bits, offset, access;
	uint64_t addr;
} PACKED;
#define ACPI_SPACE_MEMORY 0
#define ACPI_SPACE_IO     1

/* What of the FADT (ACPI 6, 5.2.9) is used, wherever it was. */
struct acpi_power {
	uint16_t sci;
	uint16_t pm1a_event, pm1a_control, pm1b_control; /* ports; 0: none */
	uint8_t pm1_event_len;
	uint16_t smi_command;
	uint8_t enable_value;
	bool has_reset, hw_reduced, has_button;
	struct acpi_gas reset, sleep;
	uint8_t reset_value;
};

/* acpi_fadt.c: pure functions.  0; -EINVAL when it is too short. */
int acpi_read_fadt(const uint8_t *fadt, size_t len, struct acpi_power *);
/* SLP_TYPa and SLP_TYPb of \_S5 in AML: 0, -ENOENT. */
int acpi_find_s5(const uint8_t *aml, size_t len, uint8_t type[2]);
/* The Generic Event Device as QEMU's microvm describes it: its interrupt and
 * its event register; 0, -ENOENT. */
int acpi_find_ged(
    const uint8_t *aml, size_t len, unsigned *gsi, uint64_t *event_pa);

/* acpi.c */
void acpi_power_init(void); /* thread context */
void acpi_poweroff(void);   /* any context; returns when it did not work */
void acpi_reset(void);      /* likewise */

#endif /* VIRTIO_ACPI_INT_H */
