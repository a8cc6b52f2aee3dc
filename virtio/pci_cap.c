/*
 * Capabilities of a PCI device, read from a copy of its configuration space.
 * PCI 3.0, 6.7; VIRTIO 1.1, 4.1.4.
 */

#include <linux/virtio_pci.h>

#include "kern/errno.h"
#include "kern/num.h"
#include "kern/string.h"

#include "pci_int.h"

#define CAP_FIRST 0x40u /* below it is the standard header */
#define CAP_MAX   48    /* four bytes each at least: a longer list loops */

uint16_t pci_get16(const uint8_t *cfg, unsigned off)
{
	return (uint16_t)(cfg[off] | cfg[off + 1] << 8);
}

uint32_t pci_get32(const uint8_t *cfg, unsigned off)
{
	return pci_get16(cfg, off) | (uint32_t)pci_get16(cfg, off + 2) << 16;
}

unsigned pci_cap_find(const uint8_t *cfg, uint8_t id, unsigned pos)
{
	if (!(pci_get16(cfg, PCI_STATUS) & PCI_STATUS_CAPS))
		return 0;
	pos = pos ? cfg[pos + 1] : cfg[PCI_CAP_POINTER];
	for (unsigned i = 0; i < CAP_MAX; i++) {
		pos &= 0xfc;
		if (pos < CAP_FIRST)
			return 0;
		if (cfg[pos] == id)
			return pos;
		pos = cfg[pos + 1];
	}
	return 0;
}

static bool area_read(const uint8_t *cfg, unsigned pos,
    const struct pci_bar *bar, uint32_t need, struct vpci_area *a)
{
	uint8_t cap_len = cfg[pos + VIRTIO_PCI_CAP_LEN];
	uint8_t nr = cfg[pos + VIRTIO_PCI_CAP_BAR];
	uint32_t off = pci_get32(cfg, pos + VIRTIO_PCI_CAP_OFFSET);
	uint32_t len = pci_get32(cfg, pos + VIRTIO_PCI_CAP_LENGTH);

	if (a->len != 0) /* the first one counts */
		return false;
	if (cap_len < sizeof(struct virtio_pci_cap) || nr >= PCI_BARS)
		return false;
	if (bar[nr].io || bar[nr].pa == 0)
		return false;
	if (len < need || off % 4 != 0 || !range_ok(off, len, bar[nr].size))
		return false;
	*a = (struct vpci_area){ .bar = nr, .off = off, .len = len };
	return true;
}

static void cap_read(const uint8_t *cfg, unsigned pos,
    const struct pci_bar *bar, struct vpci_layout *l)
{
	switch (cfg[pos + VIRTIO_PCI_CAP_CFG_TYPE]) {
	case VIRTIO_PCI_CAP_COMMON_CFG:
		area_read(cfg, pos, bar, sizeof(struct virtio_pci_common_cfg),
		    &l->common);
		break;
	case VIRTIO_PCI_CAP_NOTIFY_CFG:
		if (pos + sizeof(struct virtio_pci_notify_cap) <=
			PCI_CFG_SIZE &&
		    area_read(cfg, pos, bar, 2, &l->notify))
			l->notify_multiplier =
			    pci_get32(cfg, pos + VIRTIO_PCI_NOTIFY_CAP_MULT);
		break;
	case VIRTIO_PCI_CAP_ISR_CFG:
		area_read(cfg, pos, bar, 1, &l->isr);
		break;
	case VIRTIO_PCI_CAP_DEVICE_CFG:
		area_read(cfg, pos, bar, 1, &l->device);
		break;
	default:
		break;
	}
}

int vpci_find_layout(
    const uint8_t *cfg, const struct pci_bar *bar, struct vpci_layout *l)
{
	unsigned pos = 0;

	memset(l, 0, sizeof(*l));
	for (unsigned i = 0; i < CAP_MAX; i++) {
		pos = pci_cap_find(cfg, PCI_CAP_VENDOR, pos);
		if (pos == 0)
			break;
		if (pos + sizeof(struct virtio_pci_cap) <= PCI_CFG_SIZE)
			cap_read(cfg, pos, bar, l);
	}
	if (l->common.len == 0 || l->notify.len == 0 || l->isr.len == 0)
		return -ENOENT;
	return 0;
}
