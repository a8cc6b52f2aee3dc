/*
 * virtio 0.9.5 over PCI, through ports.  VIRTIO 1.1, section 4.1.4.8; and the
 * two calls that differ between the interfaces.
 */

#include <linux/virtio_pci.h>

#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/num.h"

#include "mmio_reg.h"
#include "vpci_int.h"

#define LEGACY_REGS (VIRTIO_PCI_CONFIG_OFF(1))

static uint16_t reg(struct virtio_dev *vd, unsigned off)
{
	return (uint16_t)(vpci_of(vd)->port + off);
}

static uint8_t legacy_status(struct virtio_dev *vd)
{
	return inb(reg(vd, VIRTIO_PCI_STATUS));
}

static void legacy_set_status(struct virtio_dev *vd, uint8_t v)
{
	outb(reg(vd, VIRTIO_PCI_STATUS), v);
}

static uint64_t legacy_features(struct virtio_dev *vd)
{
	return inl(reg(vd, VIRTIO_PCI_HOST_FEATURES));
}

static void legacy_set_features(struct virtio_dev *vd, uint64_t f)
{
	outl(reg(vd, VIRTIO_PCI_GUEST_FEATURES), (uint32_t)f);
}

/* Enabling MSI-X moves the configuration. */
static void legacy_config_read(
    struct virtio_dev *vd, size_t off, void *buf, size_t len)
{
	unsigned start = VIRTIO_PCI_CONFIG_OFF(vpci_of(vd)->has_msix);
	uint8_t *p = buf;

	for (size_t i = 0; i < len; i++)
		p[i] = inb(reg(vd, (unsigned)(start + off + i)));
}

static void legacy_config_write(
    struct virtio_dev *vd, size_t off, const void *buf, size_t len)
{
	unsigned start = VIRTIO_PCI_CONFIG_OFF(vpci_of(vd)->has_msix);
	const uint8_t *p = buf;

	for (size_t i = 0; i < len; i++)
		outb(reg(vd, (unsigned)(start + off + i)), p[i]);
}

static uint32_t legacy_config_generation(struct virtio_dev *vd)
{
	(void)vd;
	return 0;
}

static unsigned legacy_vq_max(
    struct virtio_dev *vd, unsigned index, bool *fixed)
{
	unsigned num;

	*fixed = true;
	outw(reg(vd, VIRTIO_PCI_QUEUE_SEL), (uint16_t)index);
	num = inw(reg(vd, VIRTIO_PCI_QUEUE_NUM));
	return num <= VQ_NUM_MAX && IS_POW2(num) ? num : 0;
}

static int legacy_vq_start(
    struct virtio_dev *vd, struct virtq *vq, unsigned cpu)
{
	int vector = vpci_queue_vector(vpci_of(vd), vq, cpu);
	uint64_t pfn = va_to_pa(vq->ring.desc) >> VIRTIO_PCI_QUEUE_ADDR_SHIFT;

	if (vector < 0)
		return vector;
	if (pfn > UINT32_MAX)
		return -ENOMEM;
	outw(reg(vd, VIRTIO_PCI_QUEUE_SEL), (uint16_t)vq->index);
	outl(reg(vd, VIRTIO_PCI_QUEUE_PFN), (uint32_t)pfn);
	if (vector == VIRTIO_MSI_NO_VECTOR)
		return 0;
	outw(reg(vd, VIRTIO_MSI_QUEUE_VECTOR), (uint16_t)vector);
	if (inw(reg(vd, VIRTIO_MSI_QUEUE_VECTOR)) != vector)
		return -EIO;
	return 0;
}

static void legacy_notify(struct virtq *vq)
{
	outw(reg(vq->vd, VIRTIO_PCI_QUEUE_NOTIFY), (uint16_t)vq->index);
}

static const struct virtio_transport legacy_transport = {
	.status = legacy_status,
	.set_status = legacy_set_status,
	.features = legacy_features,
	.set_features = legacy_set_features,
	.config_read = legacy_config_read,
	.config_write = legacy_config_write,
	.config_generation = legacy_config_generation,
	.irq_setup = vpci_irq_setup,
	.irq_teardown = vpci_irq_teardown,
	.vq_max = legacy_vq_max,
	.vq_start = legacy_vq_start,
	.notify = legacy_notify,
	.release = vpci_release,
};

int vpci_legacy_init(struct vpci *vp)
{
	const struct pci_bar *bar = &vp->pci.bar[0];

	if (!bar->io || bar->pa == 0 || bar->size < LEGACY_REGS ||
	    vp->pci.cfg[PCI_REVISION] != VIRTIO_PCI_ABI_VERSION)
		return -ENODEV;
	vp->port = (uint16_t)bar->pa;
	vp->vd.tr = &legacy_transport;
	vp->vd.config_len = bar->size - LEGACY_REGS;
	return 0;
}

/* --- for vpci.c ----------------------------------------------------------- */

uint8_t vpci_isr(struct vpci *vp)
{
	if (vp->vd.modern)
		return reg_read8(vp->isr, 0);
	return inb((uint16_t)(vp->port + VIRTIO_PCI_ISR));
}

void vpci_set_config_vector(struct vpci *vp, uint16_t vector)
{
	if (vp->vd.modern)
		reg_write16(vp->common, VIRTIO_PCI_COMMON_MSIX, vector);
	else
		outw((uint16_t)(vp->port + VIRTIO_MSI_CONFIG_VECTOR), vector);
}
