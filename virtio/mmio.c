/* virtio over memory, versions 1 (legacy) and 2.  VIRTIO 1.1, section 4.2. */

#include <linux/virtio_mmio.h>

#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/param.h"
#include "kern/string.h"
#include "virtio/virtio.h"

#include "mmio_int.h"
#include "mmio_reg.h"

#define VMMIO_MAGIC 0x74726976u /* "virt" */
#define VMMIO_MAX   64          /* devices looked for in each place */

struct vmmio {
	struct virtio_dev vd;
	struct vmmio_place place;
	volatile uint8_t *regs;
	bool irq_on;
};

static struct vmmio *vmmio_of(struct virtio_dev *vd)
{
	return container_of(vd, struct vmmio, vd);
}

static uint32_t get(struct virtio_dev *vd, size_t off)
{
	return reg_read32(vmmio_of(vd)->regs, off);
}

static void put(struct virtio_dev *vd, size_t off, uint32_t v)
{
	reg_write32(vmmio_of(vd)->regs, off, v);
}

static uint8_t vmmio_status(struct virtio_dev *vd)
{
	return (uint8_t)get(vd, VIRTIO_MMIO_STATUS);
}

static void vmmio_set_status(struct virtio_dev *vd, uint8_t v)
{
	put(vd, VIRTIO_MMIO_STATUS, v);
}

static uint64_t vmmio_features(struct virtio_dev *vd)
{
	uint64_t lo;

	put(vd, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	lo = get(vd, VIRTIO_MMIO_DEVICE_FEATURES);
	put(vd, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	return (uint64_t)get(vd, VIRTIO_MMIO_DEVICE_FEATURES) << 32 | lo;
}

static void vmmio_set_features(struct virtio_dev *vd, uint64_t f)
{
	put(vd, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	put(vd, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)f);
	put(vd, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	put(vd, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(f >> 32));
	if (!vd->modern)
		put(vd, VIRTIO_MMIO_GUEST_PAGE_SIZE, PAGE_SIZE);
}

static void vmmio_config_read(
    struct virtio_dev *vd, size_t off, void *buf, size_t len)
{
	volatile uint8_t *regs = vmmio_of(vd)->regs;
	uint8_t *p = buf;

	for (size_t i = 0; i < len; i++)
		p[i] = reg_read8(regs, VIRTIO_MMIO_CONFIG + off + i);
}

static void vmmio_config_write(
    struct virtio_dev *vd, size_t off, const void *buf, size_t len)
{
	volatile uint8_t *regs = vmmio_of(vd)->regs;
	const uint8_t *p = buf;

	for (size_t i = 0; i < len; i++)
		reg_write8(regs, VIRTIO_MMIO_CONFIG + off + i, p[i]);
}

static uint32_t vmmio_config_generation(struct virtio_dev *vd)
{
	return vd->modern ? get(vd, VIRTIO_MMIO_CONFIG_GENERATION) : 0;
}

static unsigned vmmio_vq_max(struct virtio_dev *vd, unsigned index, bool *fixed)
{
	*fixed = false;
	put(vd, VIRTIO_MMIO_QUEUE_SEL, index);
	return MIN(get(vd, VIRTIO_MMIO_QUEUE_NUM_MAX), VQ_NUM_MAX);
}

static void put_addr(struct virtio_dev *vd, size_t lo, const void *va)
{
	uint64_t pa = va_to_pa(va);

	put(vd, lo, (uint32_t)pa);
	put(vd, lo + 4, (uint32_t)(pa >> 32));
}

static int vmmio_vq_start(struct virtio_dev *vd, struct virtq *vq, unsigned cpu)
{
	uint64_t pfn = va_to_pa(vq->ring.desc) / PAGE_SIZE;

	(void)cpu; /* one interrupt for all queues */
	put(vd, VIRTIO_MMIO_QUEUE_SEL, vq->index);
	put(vd, VIRTIO_MMIO_QUEUE_NUM, vq->num);
	if (!vd->modern) {
		if (pfn > UINT32_MAX)
			return -ENOMEM;
		put(vd, VIRTIO_MMIO_QUEUE_ALIGN, PAGE_SIZE);
		put(vd, VIRTIO_MMIO_QUEUE_PFN, (uint32_t)pfn);
		return 0;
	}
	put_addr(vd, VIRTIO_MMIO_QUEUE_DESC_LOW, vq->ring.desc);
	put_addr(vd, VIRTIO_MMIO_QUEUE_AVAIL_LOW, vq->ring.avail);
	put_addr(vd, VIRTIO_MMIO_QUEUE_USED_LOW, vq->ring.used);
	put(vd, VIRTIO_MMIO_QUEUE_READY, 1);
	return 0;
}

static void vmmio_notify(struct virtq *vq)
{
	put(vq->vd, VIRTIO_MMIO_QUEUE_NOTIFY, vq->index);
}

/* Acknowledge first: what finishes from then on raises the line again. */
static void vmmio_irq(void *arg)
{
	struct virtio_dev *vd = arg;
	uint32_t isr = get(vd, VIRTIO_MMIO_INTERRUPT_STATUS);

	if (isr == 0)
		return;
	put(vd, VIRTIO_MMIO_INTERRUPT_ACK, isr);
	if (isr & VIRTIO_MMIO_INT_CONFIG)
		virtio_config_irq(vd);
	if (isr & VIRTIO_MMIO_INT_VRING)
		virtio_queues_irq(vd);
}

static int vmmio_irq_setup(struct virtio_dev *vd, unsigned nvq)
{
	struct vmmio *vm = vmmio_of(vd);
	int err;

	(void)nvq;
	err = irq_gsi_attach(vm->place.gsi, vm->place.level,
	    vm->place.active_low, vmmio_irq, vd);
	vm->irq_on = err == 0;
	return err;
}

static void vmmio_irq_teardown(struct virtio_dev *vd)
{
	struct vmmio *vm = vmmio_of(vd);

	if (vm->irq_on)
		irq_gsi_detach(vm->place.gsi, vmmio_irq, vd);
	vm->irq_on = false;
}

static void vmmio_release(struct virtio_dev *vd)
{
	struct vmmio *vm = vmmio_of(vd);

	if (vm->regs)
		mmio_unmap((void *)(uintptr_t)vm->regs, vm->place.size);
	kfree(vm);
}

static const struct virtio_transport vmmio_transport = {
	.status = vmmio_status,
	.set_status = vmmio_set_status,
	.features = vmmio_features,
	.set_features = vmmio_set_features,
	.config_read = vmmio_config_read,
	.config_write = vmmio_config_write,
	.config_generation = vmmio_config_generation,
	.irq_setup = vmmio_irq_setup,
	.irq_teardown = vmmio_irq_teardown,
	.vq_max = vmmio_vq_max,
	.vq_start = vmmio_vq_start,
	.notify = vmmio_notify,
	.release = vmmio_release,
};

/* --- finding -------------------------------------------------------------- */

/* 0, or -ENODEV for a place with nothing that we can drive. */
static int vmmio_open(struct vmmio *vm)
{
	struct virtio_dev *vd = &vm->vd;
	uint32_t version, id;

	vm->regs = mmio_map(vm->place.pa, vm->place.size);
	if (!vm->regs)
		return -ENOMEM;
	if (get(vd, VIRTIO_MMIO_MAGIC_VALUE) != VMMIO_MAGIC)
		return -ENODEV;
	version = get(vd, VIRTIO_MMIO_VERSION);
	id = get(vd, VIRTIO_MMIO_DEVICE_ID);
	if ((version != 1 && version != 2) || id == 0)
		return -ENODEV;
	vd->tr = &vmmio_transport;
	vd->modern = version == 2;
	vd->config_len = vm->place.size - VIRTIO_MMIO_CONFIG;
	return virtio_add(vd, id);
}

static void vmmio_found(const struct vmmio_place *pl)
{
	struct vmmio *vm;
	int err;

	if (pl->size <= VIRTIO_MMIO_CONFIG)
		return;
	vm = kzalloc(sizeof(*vm));
	if (!vm)
		return;
	vm->place = *pl;
	err = vmmio_open(vm);
	if (!err)
		return;
	if (err != -ENODEV)
		log_err("virtio-mmio at %#llx: %d", (unsigned long long)pl->pa,
		    err);
	vmmio_release(&vm->vd);
}

static unsigned probe_tokens(void)
{
	struct vmmio_place pl;
	const char *s;
	unsigned n;

	for (n = 0; n < VMMIO_MAX; n++) {
		s = param_loader("virtio_mmio.device", n);
		if (!s)
			break;
		if (vmmio_parse(s, &pl) == 0)
			vmmio_found(&pl);
		else
			log_err("virtio_mmio.device=%s: not understood", s);
	}
	return n;
}

static void probe_dsdt(void)
{
	struct vmmio_place pl;
	uint32_t len;
	const void *aml = acpi_find("DSDT", &len);
	int err = aml ? 0 : -ENOENT;

	for (unsigned n = 0; n < VMMIO_MAX && err != -ENOENT; n++) {
		err = vmmio_dsdt_nth(aml, len, n, &pl);
		if (err == 0)
			vmmio_found(&pl);
		else if (err != -ENOENT)
			log_err("ACPI: virtio-mmio %u: not understood", n);
	}
}

/* A loader that gives tokens need not have them in ACPI, nor the other way
 * round; one that does both means the same devices. */
void vmmio_probe(void)
{
	if (probe_tokens() == 0)
		probe_dsdt();
}
