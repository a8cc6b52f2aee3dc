/*
 * The virtio entropy source: one buffer at a time, at attach and then every
 * minute, into the random pool.  VIRTIO 1.1, section 5.4.
 */

#include "kern/clock.h"
#include "kern/compiler.h"
#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/rand.h"
#include "kern/sched.h"
#include "kern/string.h"
#include "virtio/virtio.h"

#define VRNG_BYTES  64
#define VRNG_PERIOD (60 * NSEC_PER_SEC)

struct vrng {
	struct virtio_dev *vd;
	struct virtq *vq;
	struct timer timer;
	uint8_t *buf;
};

static void ask(struct vrng *vr)
{
	struct vq_seg seg = { vr->buf, VRNG_BYTES };

	if (vq_add(vr->vq, &seg, 0, 1, vr) == 0)
		vq_kick(vr->vq);
}

static void vrng_timer(struct timer *t)
{
	ask(container_of(t, struct vrng, timer));
}

/* The buffer is copied: the device may go on writing to it. */
static void vrng_irq(void *arg)
{
	struct vrng *vr = arg;
	uint8_t copy[VRNG_BYTES];
	uint32_t len;

	while (vq_take(vr->vq, &len)) {
		memcpy(copy, vr->buf, sizeof(copy));
		rand_add(copy, len, true);
		timer_set(&vr->timer, clock_mono() + VRNG_PERIOD);
	}
	if (vr->vq->fault)
		virtio_fail(vr->vd, vr->vq->fault);
}

static void vrng_free(struct vrng *vr)
{
	virtio_stop(vr->vd);
	timer_cancel(&vr->timer);
	virtio_queues_free(vr->vd);
	kfree(vr->buf);
}

static int vrng_attach(struct device *dev)
{
	struct vrng *vr = dev->softc;
	struct vq_config vc = { .num_max = 2, .fn = vrng_irq, .arg = vr };
	int err;

	vr->vd = dev->bus_dev;
	timer_init(&vr->timer, vrng_timer);
	vr->buf = kzalloc(VRNG_BYTES);
	if (!vr->buf)
		return -ENOMEM;
	err = virtio_negotiate(vr->vd, 0);
	if (!err)
		err = virtio_queues(vr->vd, 1);
	if (!err)
		err = vq_create(vr->vd, 0, &vc, &vr->vq);
	if (err) {
		vrng_free(vr);
		return err;
	}
	vq_arm(vr->vq);
	virtio_ready(vr->vd);
	ask(vr);
	return 0;
}

static void vrng_detach(struct device *dev)
{
	vrng_free(dev->softc);
}

static const struct driver vrng_driver = {
	.name = "vrng",
	.bus = "virtio",
	.type = "rng",
	.softc_size = sizeof(struct vrng),
	.attach = vrng_attach,
	.detach = vrng_detach,
};
DRIVER(vrng_driver);
