/*
 * The entries of the grant table, version 1 and version 2.
 * Source: xen/include/public/grant_table.h, "Some rough guidelines on
 * accessing and updating grant-table entries".
 */

#include "kern/compiler.h"
#include "kern/errno.h"
#include "kern/mm.h"
#include "gnttab_int.h"
#include "xen_int.h"
#include <xen/memory.h>

#define FRAMES_MAX   256u
#define IN_USE       (GTF_reading | GTF_writing)

#define V1_PER_FRAME (PAGE_SIZE / sizeof(struct grant_entry_v1))
#define V2_PER_FRAME (PAGE_SIZE / sizeof(union grant_entry_v2))
#define ST_PER_FRAME (PAGE_SIZE / sizeof(grant_status_t))

/* Our own pages, which Xen replaced by the table's. */
static void *frames[FRAMES_MAX];
static grant_status_t *status_frames[FRAMES_MAX];

static int map_frame(unsigned long idx, void **out)
{
	void *page = page_alloc(0, PAGE_ZERO | PAGE_ATOMIC);
	int err;

	if (!page)
		return -ENOMEM;
	err = xen_add_to_physmap(XENMAPSPACE_grant_table, idx, page);
	if (err != 0) {
		page_free(page, 0);
		return err;
	}
	*out = page;
	return 0;
}

/* --- version 1 ---------------------------------------------------------- */

static struct grant_entry_v1 *v1_entry(grant_ref_t ref)
{
	struct grant_entry_v1 *frame = frames[ref / V1_PER_FRAME];

	return &frame[ref % V1_PER_FRAME];
}

static int v1_add_frame(unsigned n)
{
	return n < FRAMES_MAX ? map_frame(n, &frames[n]) : -ENOSPC;
}

static void v1_set(grant_ref_t ref, domid_t peer, uint64_t gfn, bool readonly)
{
	struct grant_entry_v1 *e = v1_entry(ref);

	e->frame = (uint32_t)gfn;
	e->domid = peer;
	/* The flags make the entry valid: last. */
	__atomic_store_n(&e->flags,
	    GTF_permit_access | (readonly ? GTF_readonly : 0),
	    __ATOMIC_RELEASE);
}

static bool v1_end(grant_ref_t ref)
{
	struct grant_entry_v1 *e = v1_entry(ref);
	uint16_t flags = __atomic_load_n(&e->flags, __ATOMIC_RELAXED);

	/* Xen sets the use bits at any moment, so only an exchange will do. */
	do {
		if (flags & IN_USE)
			return false;
	} while (!__atomic_compare_exchange_n(&e->flags, &flags, GTF_invalid,
	    false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
	return true;
}

static uint64_t v1_frame(grant_ref_t ref)
{
	return v1_entry(ref)->frame;
}

const struct gnttab_abi gnttab_v1 = {
	.per_frame = V1_PER_FRAME,
	.add_frame = v1_add_frame,
	.set = v1_set,
	.end = v1_end,
	.frame = v1_frame,
};

/* --- version 2 ---------------------------------------------------------- */

static union grant_entry_v2 *v2_entry(grant_ref_t ref)
{
	union grant_entry_v2 *frame = frames[ref / V2_PER_FRAME];

	return &frame[ref % V2_PER_FRAME];
}

static int v2_add_frame(unsigned n)
{
	unsigned st = n * V2_PER_FRAME / ST_PER_FRAME;
	void *page;
	int err;

	if (n >= FRAMES_MAX)
		return -ENOSPC;
	err = map_frame(n, &frames[n]);
	if (err != 0 || status_frames[st])
		return err;
	err = map_frame(st | XENMAPIDX_grant_table_status, &page);
	if (err == 0)
		status_frames[st] = page;
	return err;
}

static void v2_set(grant_ref_t ref, domid_t peer, uint64_t gfn, bool readonly)
{
	union grant_entry_v2 *e = v2_entry(ref);

	e->full_page.frame = gfn;
	e->hdr.domid = peer;
	/* The flags make the entry valid: last. */
	__atomic_store_n(&e->hdr.flags,
	    GTF_permit_access | (readonly ? GTF_readonly : 0),
	    __ATOMIC_RELEASE);
}

static bool v2_end(grant_ref_t ref)
{
	grant_status_t *st =
	    &status_frames[ref / ST_PER_FRAME][ref % ST_PER_FRAME];

	__atomic_store_n(
	    &v2_entry(ref)->hdr.flags, GTF_invalid, __ATOMIC_SEQ_CST);
	/* No new user can appear; old ones show in the status word, which Xen
	 * sets before it looks at the flags again. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return (__atomic_load_n(st, __ATOMIC_ACQUIRE) & IN_USE) == 0;
}

static uint64_t v2_frame(grant_ref_t ref)
{
	return v2_entry(ref)->full_page.frame;
}

const struct gnttab_abi gnttab_v2 = {
	.per_frame = V2_PER_FRAME,
	.add_frame = v2_add_frame,
	.set = v2_set,
	.end = v2_end,
	.frame = v2_frame,
};
