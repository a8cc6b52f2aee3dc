#ifndef VIRTIO_PCI_INT_H
#define VIRTIO_PCI_INT_H

/* PCI, as far as virtio needs it.  PCI Local Bus Specification 3.0. */

#include <stdbool.h>
#include <stdint.h>

#include "kern/arch.h"

#define PCI_CFG_SIZE         256
#define PCI_BARS             6

#define PCI_VENDOR           0x00
#define PCI_DEVICE           0x02
#define PCI_COMMAND          0x04
#define PCI_STATUS           0x06
#define PCI_REVISION         0x08
#define PCI_HEADER           0x0e
#define PCI_BAR0             0x10
#define PCI_SECONDARY        0x19 /* bridges: the bus behind */
#define PCI_SUBSYSTEM        0x2e
#define PCI_CAP_POINTER      0x34
#define PCI_IRQ_LINE         0x3c
#define PCI_IRQ_PIN          0x3d

#define PCI_COMMAND_IO       0x0001
#define PCI_COMMAND_MEM      0x0002
#define PCI_COMMAND_MASTER   0x0004
#define PCI_COMMAND_INTX_OFF 0x0400
#define PCI_STATUS_CAPS      0x0010
#define PCI_HEADER_BRIDGE    1
#define PCI_HEADER_MULTI     0x80

#define PCI_CAP_VENDOR       0x09
#define PCI_CAP_MSIX         0x11

struct pci_bar {
	uint64_t pa;   /* 0: unassigned */
	uint64_t size; /* 0: none */
	bool io, wide;
};

struct pci_dev {
	uint8_t bus, slot, fn;
	struct pci_bar bar[PCI_BARS];
	/* A copy, taken when the device was found. */
	uint8_t cfg[PCI_CFG_SIZE];
};

/* pci_cfg.c: configuration space.  Any context. */
bool pci_cfg_init(void); /* thread context; false: no PCI */
uint32_t pci_cfg_read32(const struct pci_dev *, unsigned off);
void pci_cfg_write32(const struct pci_dev *, unsigned off, uint32_t v);
uint16_t pci_cfg_read16(const struct pci_dev *, unsigned off);
void pci_cfg_write16(const struct pci_dev *, unsigned off, uint16_t v);

/* pci.c.  Thread context.  found() for every function; (pd) is the callee's
 * only during the call. */
void pci_scan(void (*found)(struct pci_dev *));
void pci_bars_read(struct pci_dev *); /* size them, place the unplaced */
void pci_enable(const struct pci_dev *);

/* pci_cap.c: pure functions on a copy of the configuration space. */
uint16_t pci_get16(const uint8_t *cfg, unsigned off);
uint32_t pci_get32(const uint8_t *cfg, unsigned off);
/* The capability (id) after (pos), the first with 0; 0: none. */
unsigned pci_cap_find(const uint8_t *cfg, uint8_t id, unsigned pos);

struct vpci_area {
	uint8_t bar;
	uint32_t off, len; /* 0: not there */
};
struct vpci_layout {
	struct vpci_area common, notify, isr, device;
	uint32_t notify_multiplier;
};
/* Where a modern device's structures are: 0; -ENOENT when one that must be
 * there is not, or none inside its BAR. */
int vpci_find_layout(
    const uint8_t *cfg, const struct pci_bar *bar, struct vpci_layout *);

/* pci_msix.c.  Thread context. */
struct pci_msix {
	const struct pci_dev *pci;
	unsigned pos, nvec;
	volatile uint32_t *table; /* NULL: no MSI-X */
	struct pci_msix_slot {
		unsigned cpu;
		int vector; /* 0: none */
	} * slot;
};
/* 0; -ENODEV when the device has none, -ENOMEM. */
int pci_msix_init(struct pci_msix *, const struct pci_dev *, unsigned want);
/* Have slot (n) call fn(arg) on (cpu); 0, -ENOSPC. */
int pci_msix_set(
    struct pci_msix *, unsigned n, unsigned cpu, irq_fn fn, void *arg);
void pci_msix_fini(struct pci_msix *);

#endif /* VIRTIO_PCI_INT_H */
