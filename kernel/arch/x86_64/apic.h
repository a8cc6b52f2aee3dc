#ifndef ARCH_APIC_H
#define ARCH_APIC_H

/*
 * The local APIC (apic.c), the I/O APICs (ioapic.c), and what the firmware
 * says of both (madt.c, mptable.c).
 */

#include <stdbool.h>
#include <stdint.h>

#define APIC_DELIVER_FIXED   0x000u
#define APIC_DELIVER_NMI     0x400u
#define APIC_DELIVER_INIT    0x500u
#define APIC_DELIVER_STARTUP 0x600u
#define APIC_LEVEL_ASSERT    0x4000u

void apic_init(void); /* once, then per cpu: */
void apic_cpu_init(void);
bool apic_present(void);
uint32_t apic_id(void);
void apic_eoi(void);
/* Any context.  (command): delivery mode and vector. */
void apic_send(uint32_t apic_id, uint32_t command);

/*
 * This cpu's one-shot timer: by TSC deadline, or, when apic_timer_needs_hz(),
 * by a counter of a frequency that clock.c measures.
 */
bool apic_timer_needs_hz(void);
void apic_timer_count_start(void);    /* from its maximum, no interrupt */
uint32_t apic_timer_count_stop(void); /* ticks since then */
void apic_timer_deadline(uint64_t tsc);
void apic_timer_count(uint32_t ticks);
void apic_timer_stop(void);

/* --- topology ----------------------------------------------------------- */

#define IOAPIC_MAX       4
#define IOAPIC_OVERRIDES 16

struct apic_topology {
	uint32_t cpu_apic_id[256]; /* CPU_MAX; any order */
	unsigned ncpu;
	struct {
		uint32_t pa, gsi_base;
	} ioapic[IOAPIC_MAX];
	unsigned nioapic;
	struct {
		uint8_t irq;
		uint16_t flags; /* ACPI MPS INTI flags */
		uint32_t gsi;
	} override[IOAPIC_OVERRIDES];
	unsigned noverride;
	bool have_pic;
};
extern struct apic_topology apic_topology;

/* Read ACPI's MADT, or else the MP table, into apic_topology. */
void apic_topology_read(void);

void ioapic_init(void);

#endif /* ARCH_APIC_H */
