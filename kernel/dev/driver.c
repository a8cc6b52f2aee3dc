/* Matching devices with drivers. */

#include "kern/compiler.h"
#include "kern/driver.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/string.h"

extern const struct driver *const driver_set_start[], *const driver_set_end[];

static const struct driver *driver_find(const struct device *dev)
{
	const struct driver *const *d;

	for (d = driver_set_start; d < driver_set_end; d++)
		if (!strcmp((*d)->bus, dev->bus) &&
		    !strcmp((*d)->type, dev->type))
			return *d;
	return NULL;
}

int device_add(struct device *dev)
{
	const struct driver *d = driver_find(dev);
	int err = -ENOMEM;

	dev->driver = NULL;
	dev->softc = NULL;
	if (!d) {
		log_info(
		    "%s: no driver for %s/%s", dev->name, dev->bus, dev->type);
		return -ENODEV;
	}
	/* attach() may already need to know whose the device is */
	dev->softc = kzalloc(d->softc_size ? d->softc_size : 1);
	if (dev->softc) {
		dev->driver = d;
		err = d->attach(dev);
	}
	if (err) {
		log_warn("%s: %s: error %d", dev->name, d->name, -err);
		dev->driver = NULL;
		kfree(dev->softc);
		dev->softc = NULL;
	}
	return err;
}

void device_remove(struct device *dev)
{
	if (!dev->driver)
		return;
	dev->driver->detach(dev);
	dev->driver = NULL;
	kfree(dev->softc);
	dev->softc = NULL;
}
