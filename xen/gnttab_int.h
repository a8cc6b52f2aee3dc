#ifndef GNTTAB_INT_H
#define GNTTAB_INT_H

/* The two layouts of the grant table.  gnttab_abi.c */

#include <stdbool.h>
#include <stdint.h>

#include "xen/abi.h"
#include <xen/grant_table.h>

struct gnttab_abi {
	uint32_t per_frame; /* entries in a page */
	/* Give Xen a page for frame (n), the next one; 0 or -errno. */
	int (*add_frame)(unsigned n);
	void (*set)(grant_ref_t, domid_t, uint64_t gfn, bool readonly);
	/* False: the peer has it mapped. */
	bool (*end)(grant_ref_t);
	uint64_t (*frame)(grant_ref_t); /* the gfn that set() was given */
};
extern const struct gnttab_abi gnttab_v1, gnttab_v2;

#endif /* GNTTAB_INT_H */
