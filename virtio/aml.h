#ifndef VIRTIO_AML_H
#define VIRTIO_AML_H

/*
 * The few byte patterns of ACPI's DSDT that are looked for; AML is not
 * interpreted.  Pure functions.  ACPI 6, 6.4 (resources), 20.2 (encoding).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aml {
	const uint8_t *p, *end;
};

struct aml_res {
	uint32_t mem_pa, mem_size; /* the first Memory32Fixed */
	unsigned gsi;              /* the first Interrupt; 0: none */
	bool level, active_low;
};

/* Where the (n) bytes of (pattern) are in (a); NULL. */
const uint8_t *aml_search(struct aml a, const void *pattern, size_t n);

/* Moves (a) behind the next Name(_HID, (hid)); (hid) has 8 characters. */
bool aml_next_hid(struct aml *a, const char *hid);

/* The resources of the _CRS buffer that follows (a) closely; 0 or -EINVAL. */
int aml_crs(struct aml a, struct aml_res *);

/* An integer constant at (a), which moves behind it; 0 or -EINVAL. */
int aml_integer(struct aml *a, uint64_t *out);

#endif /* VIRTIO_AML_H */
