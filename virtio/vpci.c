/*
 * virtio over PCI: finding the devices, interrupts.  VIRTIO 1.1, section 4.1.
 */

#include <linux/virtio_pci.h>

#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/percpu.h"
#include "kern/string.h"

#include "vpci_int.h"

#define VENDOR_VIRTIO 0x1af4
#define DEVICE_FIRST  0x1000
#define DEVICE_MODERN 0x1040 /* + the virtio id */
#define DEVICE_LAST   0x107f

static void config_irq(void *arg)
{
	virtio_config_irq(arg);
}

static void queues_irq(void *arg)
{
	virtio_queues_irq(arg);
}

static void intx_irq(void *arg)
{
	struct vpci *vp = arg;
	uint8_t isr = vpci_isr(vp);

	if (isr & VIRTIO_PCI_ISR_CONFIG)
		virtio_config_irq(&vp->vd);
	if (isr & ~VIRTIO_PCI_ISR_CONFIG)
		virtio_queues_irq(&vp->vd);
}

/*
 * The line that the firmware chose is an ISA interrupt, which QEMU's chipsets
 * raise at the I/O APIC's pin of the same number too, level and active high
 * as the MADT's overrides for them say.
 */
static int intx_setup(struct vpci *vp)
{
	unsigned line = vp->pci.cfg[PCI_IRQ_LINE];
	int err;

	if (vp->pci.cfg[PCI_IRQ_PIN] == 0 || line == 0 || line == 0xff)
		return -ENODEV;
	err = irq_gsi_attach(line, true, false, intx_irq, vp);
	if (!err)
		vp->gsi = line;
	return err;
}

/* One vector for each queue; with fewer vectors, one for all queues. */
static int msix_setup(struct vpci *vp, unsigned nvq)
{
	int err;

	err = pci_msix_init(&vp->msix, &vp->pci, nvq + VPCI_VEC_QUEUES);
	if (err)
		return err;
	if (vp->msix.nvec <= VPCI_VEC_QUEUES) {
		pci_msix_fini(&vp->msix);
		return -ENODEV;
	}
	vp->per_queue = vp->msix.nvec >= nvq + VPCI_VEC_QUEUES;
	err = pci_msix_set(&vp->msix, VPCI_VEC_CONFIG, 0, config_irq, &vp->vd);
	if (!err && !vp->per_queue)
		err = pci_msix_set(
		    &vp->msix, VPCI_VEC_QUEUES, 0, queues_irq, &vp->vd);
	if (err) {
		pci_msix_fini(&vp->msix);
		return err;
	}
	vp->has_msix = true;
	vpci_set_config_vector(vp, VPCI_VEC_CONFIG);
	return 0;
}

int vpci_irq_setup(struct virtio_dev *vd, unsigned nvq)
{
	struct vpci *vp = vpci_of(vd);

	if (msix_setup(vp, nvq) == 0)
		return 0;
	return intx_setup(vp);
}

void vpci_irq_teardown(struct virtio_dev *vd)
{
	struct vpci *vp = vpci_of(vd);

	if (vp->has_msix)
		pci_msix_fini(&vp->msix);
	if (vp->gsi)
		irq_gsi_detach(vp->gsi, intx_irq, vp);
	vp->has_msix = false;
	vp->gsi = 0;
}

int vpci_queue_vector(struct vpci *vp, struct virtq *vq, unsigned cpu)
{
	unsigned n = VPCI_VEC_QUEUES + vq->index;
	int err;

	if (!vp->has_msix || !vq->fn)
		return VIRTIO_MSI_NO_VECTOR;
	if (!vp->per_queue)
		return VPCI_VEC_QUEUES;
	err = pci_msix_set(&vp->msix, n, cpu % cpu_count(), vq->fn, vq->arg);
	return err ? err : (int)n;
}

/* --- finding ------------------------------------------------------------- */

static uint32_t virtio_id(const struct pci_dev *pd)
{
	uint16_t device = pci_get16(pd->cfg, PCI_DEVICE);

	if (pci_get16(pd->cfg, PCI_VENDOR) != VENDOR_VIRTIO ||
	    device < DEVICE_FIRST || device > DEVICE_LAST)
		return 0;
	if (device >= DEVICE_MODERN)
		return device - DEVICE_MODERN;
	return pci_get16(pd->cfg, PCI_SUBSYSTEM);
}

static int vpci_init(struct vpci *vp)
{
	pci_bars_read(&vp->pci);
	pci_enable(&vp->pci);
	if (vpci_find_layout(vp->pci.cfg, vp->pci.bar, &vp->layout) == 0)
		return vpci_modern_init(vp);
	return vpci_legacy_init(vp);
}

void vpci_release(struct virtio_dev *vd)
{
	struct vpci *vp = vpci_of(vd);

	for (unsigned i = 0; i < PCI_BARS; i++)
		if (vp->bar[i])
			mmio_unmap(
			    (void *)(uintptr_t)vp->bar[i], vp->pci.bar[i].size);
	kfree(vp);
}

void vpci_found(struct pci_dev *pd)
{
	uint32_t id = virtio_id(pd);
	struct vpci *vp;
	int err;

	if (id == 0)
		return;
	vp = kzalloc(sizeof(*vp));
	if (!vp)
		return;
	vp->pci = *pd;
	err = vpci_init(vp);
	if (!err)
		err = virtio_add(&vp->vd, id);
	if (!err)
		return;
	if (err != -ENODEV)
		log_err("pci %u:%u.%u: virtio device %u: %d", pd->bus, pd->slot,
		    pd->fn, id, err);
	vpci_release(&vp->vd);
}
