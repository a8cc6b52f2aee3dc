#ifndef FAKE_DEVICE_H
#define FAKE_DEVICE_H

/* A virtio device, its transport, and the layers that a driver talks to, for
 * tests of drivers. */

#include "virtio/virtio.h"

#define FDEV_QUEUES 8

struct fdev_queue {
	unsigned max;     /* entries; 0: there is no such queue */
	struct virtq *vq; /* NULL: not started */
	uint16_t avail, used;
	unsigned notified;
	bool no_irq; /* the driver gave no handler */
};

struct fdev {
	struct virtio_dev vd;
	uint64_t offered;
	uint8_t status;
	uint8_t config[256];
	uint32_t generation;
	unsigned unstable; /* the configuration changes so many times */
	bool refuses;      /* does not accept any features */
	bool stuck;        /* does not reset */
	bool irq_on;
	unsigned resets;
	struct fdev_queue q[FDEV_QUEUES];
};

/* A device of (id) that offers the modern interface and (features). */
void fdev_init(struct fdev *, uint32_t id, uint64_t features);
void fdev_config(struct fdev *, size_t off, const void *, size_t len);
/* Attach the driver: virtio_add()'s result. */
int fdev_attach(struct fdev *);
/* Take it away; then nothing may be left. */
void fdev_remove(struct fdev *);

/* The next chain that the driver has shown: its pieces. */
struct fdev_chain {
	unsigned id, nout, nin;
	struct {
		uint8_t *va;
		uint32_t len;
	} seg[300];
};
bool fdev_pop(struct fdev *, unsigned queue, struct fdev_chain *);
void fdev_push(struct fdev *, unsigned queue, uint32_t id, uint32_t len);
void fdev_irq(struct fdev *, unsigned queue);
void fdev_config_irq(struct fdev *);

#endif /* FAKE_DEVICE_H */
