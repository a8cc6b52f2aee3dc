#ifndef KERN_DRIVER_H
#define KERN_DRIVER_H

/*
 * Devices and drivers.  kernel/dev/driver.c
 *
 * A bus (xenbus, virtio) finds devices and calls device_add().  The device
 * layer picks the driver whose (bus, type) pair is equal to the device's,
 * allocates softc_size zeroed bytes, and calls attach().  A device may go at
 * any moment: the bus then calls device_remove().
 */

#include <stddef.h>

#include "compiler.h"

struct driver;

struct device {
	const char *name;            /* "vif0"; owned by the bus */
	const char *bus;             /* "xenbus", "virtio" */
	const char *type;            /* "vif", "net" */
	void *bus_dev;               /* struct xenbus_dev, struct virtio_dev */
	void *softc;                 /* the driver's own state */
	const struct driver *driver; /* NULL: nobody's */
};

struct driver {
	const char *name; /* "netfront", used in log lines */
	const char *bus;
	const char *type;
	size_t softc_size;

	/*
	 * Thread context; may sleep.  Returns 0, or -errno with everything
	 * undone and the device left to nobody.
	 */
	int (*attach)(struct device *);

	/*
	 * Thread context; may sleep.  Stops I/O, fails what is in flight with
	 * -EIO, frees everything.
	 */
	void (*detach)(struct device *);
};

#define DRIVER(d) LINKER_SET_ADD(driver_set, struct driver, d)

/* Thread context.  0; -ENODEV when no driver wants it; attach()'s error. */
int device_add(struct device *);
void device_remove(struct device *);

#endif /* KERN_DRIVER_H */
