/* virtio 1.x over PCI.  VIRTIO 1.1, sections 4.1.3 to 4.1.5. */

#define VIRTIO_PCI_NO_LEGACY
#include <linux/virtio_pci.h>

#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/num.h"

#include "mmio_reg.h"
#include "vpci_int.h"

/* More than any device's structures need; some BARs are huge. */
#define BAR_MAP_MAX (1ull << 20)

static uint8_t modern_status(struct virtio_dev *vd)
{
	return reg_read8(vpci_of(vd)->common, VIRTIO_PCI_COMMON_STATUS);
}

static void modern_set_status(struct virtio_dev *vd, uint8_t v)
{
	reg_write8(vpci_of(vd)->common, VIRTIO_PCI_COMMON_STATUS, v);
}

static uint64_t modern_features(struct virtio_dev *vd)
{
	volatile uint8_t *c = vpci_of(vd)->common;
	uint64_t lo;

	reg_write32(c, VIRTIO_PCI_COMMON_DFSELECT, 0);
	lo = reg_read32(c, VIRTIO_PCI_COMMON_DF);
	reg_write32(c, VIRTIO_PCI_COMMON_DFSELECT, 1);
	return (uint64_t)reg_read32(c, VIRTIO_PCI_COMMON_DF) << 32 | lo;
}

static void modern_set_features(struct virtio_dev *vd, uint64_t f)
{
	volatile uint8_t *c = vpci_of(vd)->common;

	reg_write32(c, VIRTIO_PCI_COMMON_GFSELECT, 0);
	reg_write32(c, VIRTIO_PCI_COMMON_GF, (uint32_t)f);
	reg_write32(c, VIRTIO_PCI_COMMON_GFSELECT, 1);
	reg_write32(c, VIRTIO_PCI_COMMON_GF, (uint32_t)(f >> 32));
}

static void modern_config_read(
    struct virtio_dev *vd, size_t off, void *buf, size_t len)
{
	volatile uint8_t *c = vpci_of(vd)->config;
	uint8_t *p = buf;

	for (size_t i = 0; i < len; i++)
		p[i] = reg_read8(c, off + i);
}

static void modern_config_write(
    struct virtio_dev *vd, size_t off, const void *buf, size_t len)
{
	volatile uint8_t *c = vpci_of(vd)->config;
	const uint8_t *p = buf;

	for (size_t i = 0; i < len; i++)
		reg_write8(c, off + i, p[i]);
}

static uint32_t modern_config_generation(struct virtio_dev *vd)
{
	return reg_read8(vpci_of(vd)->common, VIRTIO_PCI_COMMON_CFGGENERATION);
}

static unsigned modern_vq_max(
    struct virtio_dev *vd, unsigned index, bool *fixed)
{
	volatile uint8_t *c = vpci_of(vd)->common;

	*fixed = false;
	if (index >= reg_read16(c, VIRTIO_PCI_COMMON_NUMQ))
		return 0;
	reg_write16(c, VIRTIO_PCI_COMMON_Q_SELECT, (uint16_t)index);
	return reg_read16(c, VIRTIO_PCI_COMMON_Q_SIZE);
}

static void write_addr(volatile uint8_t *c, size_t off, const void *va)
{
	uint64_t pa = va_to_pa(va);

	reg_write32(c, off, (uint32_t)pa);
	reg_write32(c, off + 4, (uint32_t)(pa >> 32));
}

static int modern_vq_start(
    struct virtio_dev *vd, struct virtq *vq, unsigned cpu)
{
	struct vpci *vp = vpci_of(vd);
	volatile uint8_t *c = vp->common;
	int vector = vpci_queue_vector(vp, vq, cpu);
	uint64_t bell;

	if (vector < 0)
		return vector;
	reg_write16(c, VIRTIO_PCI_COMMON_Q_SELECT, (uint16_t)vq->index);
	bell = (uint64_t)reg_read16(c, VIRTIO_PCI_COMMON_Q_NOFF) *
	       vp->layout.notify_multiplier;
	if (bell % 2 != 0 || !range_ok(bell, 2, vp->layout.notify.len))
		return -EIO;
	vq->doorbell = (volatile uint16_t *)(vp->notify + bell);
	reg_write16(c, VIRTIO_PCI_COMMON_Q_SIZE, vq->num);
	write_addr(c, VIRTIO_PCI_COMMON_Q_DESCLO, vq->ring.desc);
	write_addr(c, VIRTIO_PCI_COMMON_Q_AVAILLO, vq->ring.avail);
	write_addr(c, VIRTIO_PCI_COMMON_Q_USEDLO, vq->ring.used);
	reg_write16(c, VIRTIO_PCI_COMMON_Q_MSIX, (uint16_t)vector);
	if (vector != VIRTIO_MSI_NO_VECTOR &&
	    reg_read16(c, VIRTIO_PCI_COMMON_Q_MSIX) != vector)
		return -EIO;
	reg_write16(c, VIRTIO_PCI_COMMON_Q_ENABLE, 1);
	return 0;
}

static void modern_notify(struct virtq *vq)
{
	*vq->doorbell = (uint16_t)vq->index;
}

static const struct virtio_transport modern_transport = {
	.status = modern_status,
	.set_status = modern_set_status,
	.features = modern_features,
	.set_features = modern_set_features,
	.config_read = modern_config_read,
	.config_write = modern_config_write,
	.config_generation = modern_config_generation,
	.irq_setup = vpci_irq_setup,
	.irq_teardown = vpci_irq_teardown,
	.vq_max = modern_vq_max,
	.vq_start = modern_vq_start,
	.notify = modern_notify,
	.release = vpci_release,
};

/* The structures lie inside their BARs, but a mapping is limited. */
static volatile uint8_t *area_map(struct vpci *vp, const struct vpci_area *a)
{
	uint64_t end = (uint64_t)a->off + a->len;
	uint64_t size = vp->pci.bar[a->bar].size;

	if (a->len == 0 || end > BAR_MAP_MAX)
		return NULL;
	if (size > BAR_MAP_MAX)
		vp->pci.bar[a->bar].size = size = BAR_MAP_MAX;
	if (!vp->bar[a->bar])
		vp->bar[a->bar] = mmio_map(vp->pci.bar[a->bar].pa, size);
	return vp->bar[a->bar] ? vp->bar[a->bar] + a->off : NULL;
}

int vpci_modern_init(struct vpci *vp)
{
	vp->common = area_map(vp, &vp->layout.common);
	vp->notify = area_map(vp, &vp->layout.notify);
	vp->isr = area_map(vp, &vp->layout.isr);
	vp->config = area_map(vp, &vp->layout.device);
	if (!vp->common || !vp->notify || !vp->isr)
		return -ENOMEM;
	vp->vd.tr = &modern_transport;
	vp->vd.modern = true;
	vp->vd.config_len = vp->config ? vp->layout.device.len : 0;
	return 0;
}
