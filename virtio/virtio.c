/*
 * The virtio bus: finding the driver, agreeing on features, configuration,
 * failure.  VIRTIO 1.1, sections 2 and 3.
 */

#include <linux/virtio_ids.h>

#include "kern/clock.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/string.h"
#include "virtio/virtio.h"

#define RESET_TIMEOUT     (100 * NSEC_PER_MSEC)
#define CONFIG_TRIES      16
#define VQ_MAX_PER_DEVICE 1024

static const struct {
	uint32_t id;
	const char *type;
} virtio_types[] = {
	{ VIRTIO_ID_NET, "net" },
	{ VIRTIO_ID_BLOCK, "blk" },
	{ VIRTIO_ID_CONSOLE, "console" },
	{ VIRTIO_ID_RNG, "rng" },
	{ VIRTIO_ID_BALLOON, "balloon" },
};

static const char *type_of(uint32_t id)
{
	for (size_t i = 0; i < ARRAY_SIZE(virtio_types); i++)
		if (virtio_types[i].id == id)
			return virtio_types[i].type;
	return NULL;
}

/* Its own thread: detach() may wait for the device's users for ever. */
static void fail_thread(void *arg)
{
	struct virtio_dev *vd = arg;

	mutex_lock(&vd->attaching); /* attach() has returned */
	mutex_unlock(&vd->attaching);
	device_remove(&vd->dev);
	vd->tr->release(vd);
	thread_exit();
}

static void fail_work(struct work *w)
{
	struct virtio_dev *vd = container_of(w, struct virtio_dev, fail_work);
	struct thread *t;

	if (thread_create(&t, vd->name, fail_thread, vd, -1) != 0) {
		log_err("%s: no memory to remove it", vd->name);
		return;
	}
	thread_start(t);
	thread_put(t);
}

int virtio_add(struct virtio_dev *vd, uint32_t id)
{
	static unsigned count;
	int err;

	vd->id = id;
	vd->dev.bus = "virtio";
	vd->dev.type = type_of(id);
	if (!vd->dev.type)
		return -ENODEV;
	snprintf(vd->name, sizeof(vd->name), "virtio%u", count++);
	vd->dev.name = vd->name;
	vd->dev.bus_dev = vd;
	work_init(&vd->fail_work, fail_work);
	mutex_init(&vd->attaching);
	mutex_lock(&vd->attaching);
	err = device_add(&vd->dev);
	mutex_unlock(&vd->attaching);
	if (!err)
		return 0;
	/* After virtio_fail() it is fail_thread()'s to free. */
	if (atomic_exchange(&vd->broken, true))
		return 0;
	if (err != -ENODEV)
		vd->tr->set_status(vd, VIRTIO_CONFIG_S_FAILED);
	return err;
}

void virtio_fail(struct virtio_dev *vd, const char *why)
{
	if (atomic_exchange(&vd->broken, true))
		return;
	log_err("%s: %s; the device is not used any more", vd->name,
	    why ? why : "failed");
	vd->tr->set_status(vd, vd->tr->status(vd) | VIRTIO_CONFIG_S_FAILED);
	work_queue(&vd->fail_work);
}

/* --- status, features, configuration ------------------------------------ */

static int reset(struct virtio_dev *vd)
{
	uint64_t limit = clock_mono() + RESET_TIMEOUT;

	vd->tr->set_status(vd, 0);
	while (vd->tr->status(vd) != 0) {
		if (clock_mono() > limit)
			return -EIO;
		cpu_relax();
	}
	return 0;
}

int virtio_negotiate(struct virtio_dev *vd, uint64_t wanted)
{
	uint8_t st = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;

	if (reset(vd) != 0) {
		log_err("%s: does not reset", vd->name);
		return -EIO;
	}
	vd->tr->set_status(vd, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	vd->tr->set_status(vd, st);
	wanted |= VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC) |
		  VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX) |
		  VIRTIO_BIT(VIRTIO_F_ANY_LAYOUT);
	/* There is no IOMMU: what it would translate stays as it is. */
	if (vd->modern)
		wanted |= VIRTIO_BIT(VIRTIO_F_VERSION_1) |
			  VIRTIO_BIT(VIRTIO_F_ACCESS_PLATFORM);
	vd->features = vd->tr->features(vd) & wanted;
	if (!vd->modern)
		vd->features &= UINT32_MAX;
	vd->tr->set_features(vd, vd->features);
	if (!vd->modern)
		return 0;
	st |= VIRTIO_CONFIG_S_FEATURES_OK;
	vd->tr->set_status(vd, st);
	if (virtio_has(vd, VIRTIO_F_VERSION_1) &&
	    (vd->tr->status(vd) & VIRTIO_CONFIG_S_FEATURES_OK))
		return 0;
	log_err("%s: refuses the features %#llx", vd->name,
	    (unsigned long long)vd->features);
	vd->tr->set_status(vd, VIRTIO_CONFIG_S_FAILED);
	return -EIO;
}

/* The legacy interface has no generation: read until two copies agree. */
static bool config_stable(
    struct virtio_dev *vd, size_t off, const void *buf, size_t len)
{
	uint8_t again[64];
	size_t n;

	for (size_t done = 0; done < len; done += n) {
		n = MIN(len - done, sizeof(again));
		vd->tr->config_read(vd, off + done, again, n);
		if (memcmp((const char *)buf + done, again, n) != 0)
			return false;
	}
	return true;
}

int virtio_config_get(struct virtio_dev *vd, size_t off, void *buf, size_t len)
{
	uint32_t before;

	if (!range_ok(off, len, vd->config_len))
		return -ERANGE;
	for (unsigned i = 0; i < CONFIG_TRIES; i++) {
		before = vd->tr->config_generation(vd);
		vd->tr->config_read(vd, off, buf, len);
		if (vd->tr->config_generation(vd) == before &&
		    (vd->modern || config_stable(vd, off, buf, len)))
			return 0;
	}
	return -EIO;
}

int virtio_config_set(
    struct virtio_dev *vd, size_t off, const void *buf, size_t len)
{
	if (!range_ok(off, len, vd->config_len))
		return -ERANGE;
	vd->tr->config_write(vd, off, buf, len);
	return 0;
}

void virtio_ready(struct virtio_dev *vd)
{
	vd->tr->set_status(vd, vd->tr->status(vd) | VIRTIO_CONFIG_S_DRIVER_OK);
}

void virtio_config_irq(struct virtio_dev *vd)
{
	void (*changed)(struct virtio_dev *) = vd->config_changed;

	if (vd->tr->status(vd) & VIRTIO_CONFIG_S_NEEDS_RESET)
		virtio_fail(vd, "the device asks for a reset");
	else if (changed)
		changed(vd);
}

/* --- queues -------------------------------------------------------------- */

int virtio_queues(struct virtio_dev *vd, unsigned nvq)
{
	int err;

	if (nvq > VQ_MAX_PER_DEVICE)
		return -EINVAL;
	vd->vq = kmalloc_array(nvq, sizeof(struct virtq *));
	if (!vd->vq)
		return -ENOMEM;
	vd->nvq = nvq;
	err = vd->tr->irq_setup(vd, nvq);
	if (err)
		log_err("%s: no interrupt (%d)", vd->name, err);
	return err;
}

/* A queue appears while the interrupt that it shares may be running. */
void virtio_queues_irq(struct virtio_dev *vd)
{
	for (unsigned i = 0; i < vd->nvq; i++) {
		struct virtq *vq =
		    __atomic_load_n(&vd->vq[i], __ATOMIC_ACQUIRE);

		if (vq && vq->fn)
			vq->fn(vq->arg);
	}
}

int vq_create(struct virtio_dev *vd, unsigned index, const struct vq_config *vc,
    struct virtq **out)
{
	bool event_idx = virtio_has(vd, VIRTIO_RING_F_EVENT_IDX);
	bool indirect = virtio_has(vd, VIRTIO_RING_F_INDIRECT_DESC);
	bool fixed = false;
	struct virtq *vq;
	unsigned num;
	int err;

	num = index < vd->nvq ? vd->tr->vq_max(vd, index, &fixed) : 0;
	if (num == 0)
		return -ENOENT;
	if (!fixed)
		num = 1u << ilog2(MIN(num, vc->num_max));
	vq = kzalloc(sizeof(*vq));
	if (!vq)
		return -ENOMEM;
	err = vq_init(
	    vq, num, event_idx, indirect ? vc->ind_num : 0, vc->ind_size);
	if (err)
		goto free;
	vq->vd = vd;
	vq->index = index;
	vq->fn = vc->fn;
	vq->arg = vc->arg;
	err = vd->tr->vq_start(vd, vq, vc->cpu);
	if (err)
		goto fini;
	*out = vq;
	__atomic_store_n(&vd->vq[index], vq, __ATOMIC_RELEASE);
	return 0;
fini:
	log_err("%s: queue %u: %d", vd->name, index, err);
	vq_fini(vq);
free:
	kfree(vq);
	return err;
}

void vq_kick(struct virtq *vq)
{
	if (vq_publish(vq))
		vq->vd->tr->notify(vq);
}

void virtio_stop(struct virtio_dev *vd)
{
	if (reset(vd) != 0)
		log_err("%s: does not reset", vd->name);
	if (vd->vq)
		vd->tr->irq_teardown(vd);
}

void virtio_queues_free(struct virtio_dev *vd)
{
	for (unsigned i = 0; i < vd->nvq; i++) {
		if (!vd->vq[i])
			continue;
		vq_fini(vd->vq[i]);
		kfree(vd->vq[i]);
	}
	kfree(vd->vq);
	vd->vq = NULL;
	vd->nvq = 0;
}
