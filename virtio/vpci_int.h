#ifndef VIRTIO_VPCI_INT_H
#define VIRTIO_VPCI_INT_H

/* virtio over PCI: what both of its interfaces share. */

#include "virtio/virtio.h"
#include "pci_int.h"

struct vpci {
	struct virtio_dev vd;
	struct pci_dev pci;
	struct pci_msix msix;
	bool has_msix, per_queue;
	unsigned gsi; /* INTx; 0: none attached */

	/* modern */
	struct vpci_layout layout;
	volatile uint8_t *bar[PCI_BARS]; /* mapped when used */
	volatile uint8_t *common, *notify, *isr, *config;

	/* legacy */
	uint16_t port;
};

#define VPCI_VEC_CONFIG 0
#define VPCI_VEC_QUEUES 1 /* the first queue's, or all queues' */

static inline struct vpci *vpci_of(struct virtio_dev *vd)
{
	return container_of(vd, struct vpci, vd);
}

/* vpci.c.  Thread context. */
void vpci_found(struct pci_dev *);
int vpci_irq_setup(struct virtio_dev *, unsigned nvq);
void vpci_irq_teardown(struct virtio_dev *);
/* The MSI-X vector that (vq) shall use, VIRTIO_MSI_NO_VECTOR without MSI-X. */
int vpci_queue_vector(struct vpci *, struct virtq *, unsigned cpu);
void vpci_release(struct virtio_dev *);

/* pci_modern.c, pci_legacy.c: 0 or -errno */
int vpci_modern_init(struct vpci *);
int vpci_legacy_init(struct vpci *);
/* Reads and so acknowledges the interrupt.  Any context. */
uint8_t vpci_isr(struct vpci *);
void vpci_set_config_vector(struct vpci *, uint16_t vector);

#endif /* VIRTIO_VPCI_INT_H */
