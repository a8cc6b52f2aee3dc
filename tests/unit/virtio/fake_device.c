#include <stdlib.h>
#include <string.h>

#include "kern/mm.h"
#include "kern/num.h"
#include "kern/rand.h"
#include "fake_device.h"
#include "fake_sched.h"

void rand_bytes(void *p, size_t n)
{
	memset(p, 0xff, n);
}

/* --- the transport ------------------------------------------------------- */

static struct fdev *of(struct virtio_dev *vd)
{
	return container_of(vd, struct fdev, vd);
}

static uint8_t get_status(struct virtio_dev *vd)
{
	if (of(vd)->stuck)
		fake_clock_advance(NSEC_PER_MSEC);
	return of(vd)->status;
}

static void set_status(struct virtio_dev *vd, uint8_t v)
{
	struct fdev *fd = of(vd);

	if (v == 0 && !fd->stuck) {
		fd->resets++;
		for (unsigned i = 0; i < FDEV_QUEUES; i++)
			fd->q[i].vq = NULL;
	}
	if (v == 0 && fd->stuck)
		v = VIRTIO_CONFIG_S_ACKNOWLEDGE;
	if (fd->refuses)
		v &= (uint8_t)~VIRTIO_CONFIG_S_FEATURES_OK;
	fd->status = v;
}

static uint64_t get_features(struct virtio_dev *vd)
{
	return of(vd)->offered;
}

static void set_features(struct virtio_dev *vd, uint64_t f)
{
	if (f & ~of(vd)->offered)
		abort();
}

static void config_read(struct virtio_dev *vd, size_t off, void *p, size_t len)
{
	if (!range_ok(off, len, sizeof(of(vd)->config)))
		abort();
	memcpy(p, of(vd)->config + off, len);
	if (of(vd)->unstable) {
		of(vd)->unstable--;
		of(vd)->generation++;
	}
}

static void config_write(
    struct virtio_dev *vd, size_t off, const void *p, size_t len)
{
	if (!range_ok(off, len, sizeof(of(vd)->config)))
		abort();
	memcpy(of(vd)->config + off, p, len);
}

static uint32_t config_generation(struct virtio_dev *vd)
{
	return of(vd)->generation;
}

static int irq_setup(struct virtio_dev *vd, unsigned nvq)
{
	(void)nvq;
	of(vd)->irq_on = true;
	return 0;
}

static void irq_teardown(struct virtio_dev *vd)
{
	of(vd)->irq_on = false;
}

static unsigned vq_max(struct virtio_dev *vd, unsigned index, bool *fixed)
{
	*fixed = false;
	return index < FDEV_QUEUES ? of(vd)->q[index].max : 0;
}

static int vq_start(struct virtio_dev *vd, struct virtq *vq, unsigned cpu)
{
	struct fdev_queue *q = &of(vd)->q[vq->index];

	(void)cpu;
	*q = (struct fdev_queue){ .max = q->max, .vq = vq };
	q->no_irq = !vq->fn;
	return 0;
}

static void notify(struct virtq *vq)
{
	of(vq->vd)->q[vq->index].notified++;
}

static void release(struct virtio_dev *vd)
{
	of(vd)->vd.tr = NULL;
}

static const struct virtio_transport transport = {
	.status = get_status,
	.set_status = set_status,
	.features = get_features,
	.set_features = set_features,
	.config_read = config_read,
	.config_write = config_write,
	.config_generation = config_generation,
	.irq_setup = irq_setup,
	.irq_teardown = irq_teardown,
	.vq_max = vq_max,
	.vq_start = vq_start,
	.notify = notify,
	.release = release,
};

/* --- the device ---------------------------------------------------------- */

void fdev_init(struct fdev *fd, uint32_t id, uint64_t features)
{
	memset(fd, 0, sizeof(*fd));
	fd->vd.id = id;
	fd->vd.tr = &transport;
	fd->vd.modern = true;
	fd->vd.config_len = sizeof(fd->config);
	fd->offered = features | VIRTIO_BIT(VIRTIO_F_VERSION_1);
	for (unsigned i = 0; i < FDEV_QUEUES; i++)
		fd->q[i].max = 256;
}

void fdev_config(struct fdev *fd, size_t off, const void *p, size_t len)
{
	memcpy(fd->config + off, p, len);
}

int fdev_attach(struct fdev *fd)
{
	return virtio_add(&fd->vd, fd->vd.id);
}

void fdev_remove(struct fdev *fd)
{
	fake_work_run(); /* after virtio_fail() its thread removes it */
	if (fake_thread_last())
		fake_thread_run(fake_thread_last());
	device_remove(&fd->vd.dev);
	fake_work_run();
}

bool fdev_pop(struct fdev *fd, unsigned queue, struct fdev_chain *c)
{
	struct fdev_queue *q = &fd->q[queue];
	struct vring_desc *table, *d;

	if (!q->vq || q->avail == __atomic_load_n(&q->vq->ring.avail->idx,
				      __ATOMIC_ACQUIRE))
		return false;
	memset(c, 0, sizeof(*c));
	c->id = q->vq->ring.avail->ring[q->avail++ % q->vq->ring.num];
	table = q->vq->ring.desc;
	d = &table[c->id];
	if (d->flags & VRING_DESC_F_INDIRECT)
		table = d = pa_to_va(d->addr);
	for (;; d = &table[d->next]) {
		unsigned n = c->nout + c->nin;

		if (n == ARRAY_SIZE(c->seg))
			abort();
		c->seg[n].va = pa_to_va(d->addr);
		c->seg[n].len = d->len;
		if (d->flags & VRING_DESC_F_WRITE)
			c->nin++;
		else
			c->nout++;
		if (!(d->flags & VRING_DESC_F_NEXT))
			return true;
	}
}

void fdev_push(struct fdev *fd, unsigned queue, uint32_t id, uint32_t len)
{
	struct fdev_queue *q = &fd->q[queue];
	struct vring *r = &q->vq->ring;

	r->used->ring[q->used % r->num].id = id;
	r->used->ring[q->used % r->num].len = len;
	q->used++;
	__atomic_store_n(&r->used->idx, q->used, __ATOMIC_RELEASE);
}

void fdev_irq(struct fdev *fd, unsigned queue)
{
	struct fdev_queue *q = &fd->q[queue];

	if (fd->irq_on && q->vq && q->vq->fn)
		q->vq->fn(q->vq->arg);
}

void fdev_config_irq(struct fdev *fd)
{
	if (fd->irq_on)
		virtio_config_irq(&fd->vd);
}
