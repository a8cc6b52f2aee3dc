/*
 * Finding PCI functions and their memory.  The firmware has numbered the
 * buses and normally placed the BARs; one that it left unplaced gets a hole.
 */

#include "kern/log.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/string.h"

#include "pci_int.h"

#define BAR_IO      0x1u
#define BAR_64      0x4u
#define BAR_IO_MASK 0xfffcu
#define BAR_MASK    0xfffffff0u

/* SeaBIOS fills the hole that QEMU's PCs leave below 4 GiB from its top. */
#define HOLE_TOP    0xf0000000ull
#define HOLE_BOTTOM 0xe0000000ull

static uint64_t hole = HOLE_TOP;

static void scan_bus(
    unsigned bus, unsigned depth, void (*found)(struct pci_dev *));

static void read_config(struct pci_dev *pd)
{
	for (unsigned off = 0; off < PCI_CFG_SIZE; off += 4) {
		uint32_t v = pci_cfg_read32(pd, off);

		memcpy(&pd->cfg[off], &v, 4);
	}
}

/* Returns false when there is no such function. */
static bool scan_function(unsigned bus, unsigned slot, unsigned fn,
    unsigned depth, void (*found)(struct pci_dev *), uint8_t *header)
{
	struct pci_dev pd = {
		.bus = (uint8_t)bus,
		.slot = (uint8_t)slot,
		.fn = (uint8_t)fn,
	};

	if (pci_cfg_read16(&pd, PCI_VENDOR) == 0xffff)
		return false;
	*header = (uint8_t)pci_cfg_read16(&pd, PCI_HEADER);
	if ((*header & ~PCI_HEADER_MULTI) == PCI_HEADER_BRIDGE) {
		bus = pci_cfg_read16(&pd, PCI_SECONDARY & ~1u) >> 8;
		if (bus > pd.bus)
			scan_bus(bus, depth + 1, found);
		return true;
	}
	read_config(&pd);
	found(&pd);
	return true;
}

static void scan_bus(
    unsigned bus, unsigned depth, void (*found)(struct pci_dev *))
{
	uint8_t header = 0, other;

	if (depth > 8)
		return;
	for (unsigned slot = 0; slot < 32; slot++) {
		if (!scan_function(bus, slot, 0, depth, found, &header) ||
		    !(header & PCI_HEADER_MULTI))
			continue;
		for (unsigned fn = 1; fn < 8; fn++)
			scan_function(bus, slot, fn, depth, found, &other);
	}
}

void pci_scan(void (*found)(struct pci_dev *))
{
	scan_bus(0, 0, found);
}

/* --- BARs ---------------------------------------------------------------- */

/* Decoding is off: the value that is there for a moment does no harm. */
static uint32_t bar_probe(const struct pci_dev *pd, unsigned off, uint32_t *was)
{
	uint32_t mask;

	*was = pci_cfg_read32(pd, off);
	pci_cfg_write32(pd, off, UINT32_MAX);
	mask = pci_cfg_read32(pd, off);
	pci_cfg_write32(pd, off, *was);
	return mask;
}

/* Returns how many registers it took. */
static unsigned bar_read(struct pci_dev *pd, unsigned n)
{
	struct pci_bar *bar = &pd->bar[n];
	unsigned off = PCI_BAR0 + 4 * n;
	uint32_t was, was_hi, mask, mask_hi = UINT32_MAX;

	mask = bar_probe(pd, off, &was);
	if (mask == 0)
		return 1;
	if (mask & BAR_IO) {
		bar->io = true;
		bar->pa = was & BAR_IO_MASK;
		bar->size = (uint16_t) - (mask & BAR_IO_MASK);
		return 1;
	}
	bar->pa = was & BAR_MASK;
	bar->wide = (mask & BAR_64) && n + 1 < PCI_BARS;
	if (bar->wide) {
		mask_hi = bar_probe(pd, off + 4, &was_hi);
		bar->pa |= (uint64_t)was_hi << 32;
	}
	bar->size = -((uint64_t)mask_hi << 32 | (mask & BAR_MASK));
	return bar->wide ? 2 : 1;
}

static void bar_place(struct pci_dev *pd, unsigned n)
{
	struct pci_bar *bar = &pd->bar[n];
	uint64_t pa;

	if (bar->io || bar->size == 0 || bar->pa != 0)
		return;
	if (bar->size > hole - HOLE_BOTTOM) {
		log_warn("pci %u:%u.%u: no room for BAR %u", pd->bus, pd->slot,
		    pd->fn, n);
		return;
	}
	pa = ALIGN_DOWN(hole - bar->size, MAX(bar->size, (uint64_t)PAGE_SIZE));
	hole = pa;
	bar->pa = pa;
	pci_cfg_write32(pd, PCI_BAR0 + 4 * n, (uint32_t)pa);
	if (bar->wide)
		pci_cfg_write32(pd, PCI_BAR0 + 4 * n + 4, 0);
}

void pci_bars_read(struct pci_dev *pd)
{
	uint16_t command = pci_cfg_read16(pd, PCI_COMMAND);

	pci_cfg_write16(pd, PCI_COMMAND,
	    command & (uint16_t) ~(PCI_COMMAND_IO | PCI_COMMAND_MEM));
	for (unsigned n = 0; n < PCI_BARS;)
		n += bar_read(pd, n);
	for (unsigned n = 0; n < PCI_BARS; n++)
		bar_place(pd, n);
	pci_cfg_write16(pd, PCI_COMMAND, command);
}

void pci_enable(const struct pci_dev *pd)
{
	uint16_t command = pci_cfg_read16(pd, PCI_COMMAND);

	command |= PCI_COMMAND_IO | PCI_COMMAND_MEM | PCI_COMMAND_MASTER;
	command &= (uint16_t)~PCI_COMMAND_INTX_OFF;
	pci_cfg_write16(pd, PCI_COMMAND, command);
}
