#ifndef VIRTIO_MMIO_INT_H
#define VIRTIO_MMIO_INT_H

/* virtio over memory: where the devices are. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vmmio_place {
	uint64_t pa, size;
	unsigned gsi;
	bool level, active_low;
};

/* mmio_find.c: pure functions. */

/* The loader's SIZE@BASE:IRQ[:ID], as Linux reads it (numbers in any C base;
 * SIZE may end in K, M or G).  0 or -EINVAL. */
int vmmio_parse(const char *token, struct vmmio_place *);

/*
 * The (n)th device named LNRO0005 in (len) bytes of AML, with its memory and
 * its interrupt: 0; -ENOENT past the last; -EINVAL when its resources cannot
 * be read.  The byte patterns that firmware writes are looked for; AML is not
 * interpreted.
 */
int vmmio_dsdt_nth(
    const uint8_t *aml, size_t len, unsigned n, struct vmmio_place *);

/* mmio.c.  Thread context. */
void vmmio_probe(void);

#endif /* VIRTIO_MMIO_INT_H */
