/*
 * PCI configuration space: the ports 0xcf8 and 0xcfc, or the memory that
 * ACPI's MCFG names where a machine (microvm) has no such ports.
 */

#include "kern/arch.h"
#include "kern/lock.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/string.h"

#include "mmio_reg.h"
#include "pci_int.h"

#define PORT_ADDRESS   0xcf8
#define PORT_DATA      0xcfc
#define ADDRESS_ON     0x80000000u

#define ECAM_BUS_SHIFT 20

/* ACPI 6, 5.2.6; PCI Firmware Specification 3.0, 4.1.2 */
struct acpi_mcfg {
	uint8_t header[36], reserved[8];
	uint64_t base;
	uint16_t segment;
	uint8_t bus_first, bus_last;
	uint32_t reserved2;
} PACKED;

/* Address and data are two accesses, from any context: nothing can sleep
 * between them. */
static struct spinlock port_lock = SPINLOCK_INIT;
static bool use_ports;
static uint64_t ecam_base;
static unsigned ecam_last;
static volatile uint8_t *ecam[256]; /* by bus, mapped when asked for */

static bool ports_work(void)
{
	bool ok;

	outl(PORT_ADDRESS, ADDRESS_ON);
	ok = inl(PORT_ADDRESS) == ADDRESS_ON;
	return ok && inl(PORT_DATA) != UINT32_MAX;
}

static bool ecam_find(void)
{
	const struct acpi_mcfg *m;
	uint32_t len;

	m = acpi_find("MCFG", &len);
	if (!m || len < sizeof(*m) || m->segment != 0 || m->bus_first != 0)
		return false;
	ecam_base = m->base;
	ecam_last = m->bus_last;
	return true;
}

bool pci_cfg_init(void)
{
	use_ports = ports_work();
	return use_ports || ecam_find();
}

/* The scan touches each bus first, in thread context. */
static volatile uint8_t *ecam_of(const struct pci_dev *pd)
{
	if (pd->bus > ecam_last)
		return NULL;
	if (!ecam[pd->bus])
		ecam[pd->bus] =
		    mmio_map(ecam_base + ((uint64_t)pd->bus << ECAM_BUS_SHIFT),
			1ul << ECAM_BUS_SHIFT);
	if (!ecam[pd->bus])
		return NULL;
	return ecam[pd->bus] + ((size_t)pd->slot << 15 | (size_t)pd->fn << 12);
}

static uint32_t port_address(const struct pci_dev *pd, unsigned off)
{
	return ADDRESS_ON | (uint32_t)pd->bus << 16 | (uint32_t)pd->slot << 11 |
	       (uint32_t)pd->fn << 8 | (off & 0xfc);
}

uint32_t pci_cfg_read32(const struct pci_dev *pd, unsigned off)
{
	volatile uint8_t *base;
	unsigned long flags;
	uint32_t v;

	if (!use_ports) {
		base = ecam_of(pd);
		return base ? reg_read32(base, off & 0xfc) : UINT32_MAX;
	}
	flags = spin_lock_irqsave(&port_lock);
	outl(PORT_ADDRESS, port_address(pd, off));
	v = inl(PORT_DATA);
	spin_unlock_irqrestore(&port_lock, flags);
	return v;
}

void pci_cfg_write32(const struct pci_dev *pd, unsigned off, uint32_t v)
{
	volatile uint8_t *base;
	unsigned long flags;

	if (!use_ports) {
		base = ecam_of(pd);
		if (base)
			reg_write32(base, off & 0xfc, v);
		return;
	}
	flags = spin_lock_irqsave(&port_lock);
	outl(PORT_ADDRESS, port_address(pd, off));
	outl(PORT_DATA, v);
	spin_unlock_irqrestore(&port_lock, flags);
}

uint16_t pci_cfg_read16(const struct pci_dev *pd, unsigned off)
{
	return (uint16_t)(pci_cfg_read32(pd, off) >> (off & 2) * 8);
}

/* Not by reading and writing back 32 bits: the status register beside the
 * command register clears the bits that are written to it. */
void pci_cfg_write16(const struct pci_dev *pd, unsigned off, uint16_t v)
{
	volatile uint8_t *base;
	unsigned long flags;

	if (!use_ports) {
		base = ecam_of(pd);
		if (base)
			reg_write16(base, off & 0xfe, v);
		return;
	}
	flags = spin_lock_irqsave(&port_lock);
	outl(PORT_ADDRESS, port_address(pd, off));
	outw((uint16_t)(PORT_DATA + (off & 2)), v);
	spin_unlock_irqrestore(&port_lock, flags);
}
