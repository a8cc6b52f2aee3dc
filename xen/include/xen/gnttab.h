#ifndef XEN_GNTTAB_H
#define XEN_GNTTAB_H

/*
 * Grants: letting another domain use one of our pages.
 * Source: xen/include/public/grant_table.h.  xen/gnttab.c
 *
 * A page that is granted must be a page of page_alloc() and must not be used
 * for anything else until its grant has been revoked.  The other side may
 * refuse to let go; then gnttab_leak() keeps page and reference until it does.
 *
 * Any context unless said otherwise.
 */

#include <stdbool.h>

#include "xen/abi.h"
#include <xen/grant_table.h>

#define GNTTAB_REF_NONE 0xffffffffu

/* Let (peer) map (page).  0, or -ENOSPC when the table is full and cannot
 * grow. */
int gnttab_grant(
    domid_t peer, const void *page, bool readonly, grant_ref_t *ref);

/*
 * True: the grant is over and (ref) is free.  False: the peer still has the
 * page mapped; the grant stands and (ref) is still the caller's.
 */
bool gnttab_revoke(grant_ref_t ref);

/* (ref) could not be revoked: take over the reference and (page), which may
 * be NULL; it is page_put() when the peer has let go. */
void gnttab_leak(grant_ref_t ref, void *page);

/* Revoke (ref) and page_put(page): now if possible, else later. */
void gnttab_revoke_page(grant_ref_t ref, void *page);

/* References that wait for their peer, for /proc and tests. */
unsigned gnttab_leaked(void);

/*
 * References put by for one queue, so that its hot path takes no lock.  One
 * user at a time: the queue's lock protects the pool.
 */
struct gnttab_pool {
	grant_ref_t *ref;
	unsigned n, size;
};

/* 0, -ENOMEM, -ENOSPC.  */
int gnttab_pool_init(struct gnttab_pool *pool, unsigned size);
/* What is in the pool becomes free; what is out must have been put back or
 * leaked.  Fine on a zeroed or destroyed pool.  Thread context. */
void gnttab_pool_destroy(struct gnttab_pool *pool);

/* GNTTAB_REF_NONE when the pool is empty. */
grant_ref_t gnttab_pool_grant(
    struct gnttab_pool *pool, domid_t peer, const void *page, bool readonly);
/* As gnttab_revoke(), but (ref) goes back to the pool. */
bool gnttab_pool_revoke(struct gnttab_pool *pool, grant_ref_t ref);

#endif /* XEN_GNTTAB_H */
