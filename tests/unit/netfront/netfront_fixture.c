/* Grants and the back end of a network queue. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kern/errno.h"
#include "kern/mm.h"
#include "netfront/netfront_ring.h"
#include "fake_mm.h"
#include "netfront_fixture.h"

/* --- grants -------------------------------------------------------------- */

struct test_grant grant[NGRANTS];
unsigned granted, leaked;
bool no_pages;

int page_new(void *arg, struct nf_page *p)
{
	assert_ptr_equal(arg, grant);
	if (no_pages)
		return -ENOMEM;
	p->va = page_alloc(0, PAGE_ZERO | PAGE_ATOMIC);
	if (!p->va)
		return -ENOMEM;
	for (p->ref = 8; grant[p->ref].va; p->ref++)
		assert_true(p->ref < NGRANTS - 1);
	grant[p->ref].va = p->va;
	granted++;
	return 0;
}

bool page_end(void *arg, struct nf_page *p)
{
	assert_ptr_equal(arg, grant);
	assert_ptr_equal(grant[p->ref].va, p->va);
	granted--;
	if (grant[p->ref].kept) {
		leaked++;
		return false;
	}
	grant[p->ref].va = NULL;
	return true;
}

/* --- the back end --------------------------------------------------------- */

void *shared;

struct back back_of(uint32_t slot_len)
{
	return (struct back){
		.sh = shared,
		.slot = (uint8_t *)shared + sizeof(struct xring_shared),
		.size = 256,
		.slot_len = slot_len,
	};
}

bool back_get(struct back *b, void *req)
{
	if (b->cons == __atomic_load_n(&b->sh->req_prod, __ATOMIC_ACQUIRE))
		return false;
	memcpy(req, b->slot + b->cons++ % b->size * b->slot_len, b->slot_len);
	return true;
}

void back_put(struct back *b, const void *rsp, size_t len)
{
	memcpy(b->slot + b->prod++ % b->size * b->slot_len, rsp, len);
}

/* Returns whether the front end wants an event. */
bool back_show(struct back *b)
{
	uint32_t old = b->sh->rsp_prod;

	__atomic_store_n(&b->sh->rsp_prod, b->prod, __ATOMIC_RELEASE);
	return b->prod - b->sh->rsp_event < b->prod - old;
}

uint8_t pattern(uint32_t i)
{
	return (uint8_t)(i * 7 + (i >> 8));
}
