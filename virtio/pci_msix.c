/* MSI-X.  PCI 3.0, 6.8.2. */

#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/string.h"

#include "pci_int.h"

#define MSIX_CONTROL     2
#define MSIX_TABLE       4
#define MSIX_ENABLE      0x8000
#define MSIX_MASK_ALL    0x4000
#define MSIX_SIZE_MASK   0x07ff
#define MSIX_ENTRY_WORDS 4
#define MSIX_ENTRY_SIZE  16u
#define MSIX_ENTRY_MASK  1u

int pci_msix_init(struct pci_msix *mx, const struct pci_dev *pd, unsigned want)
{
	const struct pci_bar *bar;
	uint32_t where;
	unsigned n;

	memset(mx, 0, sizeof(*mx));
	mx->pci = pd;
	mx->pos = pci_cap_find(pd->cfg, PCI_CAP_MSIX, 0);
	if (mx->pos == 0 || mx->pos + 12 > PCI_CFG_SIZE)
		return -ENODEV;
	n = (pci_get16(pd->cfg, mx->pos + MSIX_CONTROL) & MSIX_SIZE_MASK) + 1u;
	where = pci_get32(pd->cfg, mx->pos + MSIX_TABLE);
	if ((where & 7) >= PCI_BARS)
		return -ENODEV;
	bar = &pd->bar[where & 7];
	where &= ~7u;
	if (bar->io || bar->pa == 0 ||
	    !range_ok(where, n * MSIX_ENTRY_SIZE, bar->size))
		return -ENODEV;
	mx->nvec = MIN(n, want);
	mx->slot = kmalloc_array(mx->nvec, sizeof(*mx->slot));
	if (!mx->slot)
		return -ENOMEM;
	mx->table = mmio_map(bar->pa + where, mx->nvec * MSIX_ENTRY_SIZE);
	if (!mx->table) {
		kfree(mx->slot);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < mx->nvec; i++)
		mx->table[i * MSIX_ENTRY_WORDS + 3] = MSIX_ENTRY_MASK;
	pci_cfg_write16(pd, mx->pos + MSIX_CONTROL, MSIX_ENABLE);
	return 0;
}

int pci_msix_set(
    struct pci_msix *mx, unsigned n, unsigned cpu, irq_fn fn, void *arg)
{
	volatile uint32_t *e = &mx->table[(size_t)n * MSIX_ENTRY_WORDS];
	uint64_t addr;
	uint32_t data;
	int vector;

	vector = irq_vector_alloc(cpu, fn, arg);
	if (vector < 0)
		return vector;
	mx->slot[n].cpu = cpu;
	mx->slot[n].vector = vector;
	irq_msi_message(cpu, (unsigned)vector, &addr, &data);
	e[0] = (uint32_t)addr;
	e[1] = (uint32_t)(addr >> 32);
	e[2] = data;
	e[3] = 0;
	return 0;
}

void pci_msix_fini(struct pci_msix *mx)
{
	if (!mx->table)
		return;
	pci_cfg_write16(mx->pci, mx->pos + MSIX_CONTROL, MSIX_MASK_ALL);
	for (unsigned i = 0; i < mx->nvec; i++)
		if (mx->slot[i].vector)
			irq_vector_free(
			    mx->slot[i].cpu, (unsigned)mx->slot[i].vector);
	mmio_unmap((void *)(uintptr_t)mx->table, mx->nvec * MSIX_ENTRY_SIZE);
	kfree(mx->slot);
	mx->table = NULL;
	mx->slot = NULL;
}
