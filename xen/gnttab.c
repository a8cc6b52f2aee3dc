/*
 * The grant table: which of our pages which domain may map.
 *
 * The first entries belong to the toolstack (console, xenstore).  Free
 * references are a list through next[]; so are the leaked ones, whose page is
 * found again in the entry itself.
 */

#include "kern/clock.h"
#include "kern/errno.h"
#include "kern/lock.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/param.h"
#include "kern/sched.h"
#include "kern/string.h"
#include "gnttab_int.h"
#include "xen/gnttab.h"
#include "xen_int.h"

#define FRAMES_MAX   256u
#define RETRY_NS     NSEC_PER_SEC
#define LEAK_NO_PAGE 0x80000000u /* in next[]: the caller kept the page */

static const struct gnttab_abi *abi;
static uint32_t *next[FRAMES_MAX]; /* by frame; NULL: not there yet */
static unsigned nframes, frames_limit;
static grant_ref_t free_head = GNTTAB_REF_NONE;
static grant_ref_t leak_head = GNTTAB_REF_NONE;
static unsigned nleaked;
static struct timer leak_timer;
/* Drivers grant and revoke from event context: a mutex cannot serve. */
static struct spinlock lock = SPINLOCK_INIT;

static uint32_t *next_of(grant_ref_t ref)
{
	return &next[ref / abi->per_frame][ref % abi->per_frame];
}

/* Is (ref) one that we could have handed out? */
static bool ref_ok(grant_ref_t ref)
{
	return abi && ref >= GNTTAB_NR_RESERVED_ENTRIES &&
	       ref / abi->per_frame < nframes;
}

/* One more frame of entries; the lock is held. */
static int grow(void)
{
	unsigned frame = nframes;
	grant_ref_t first = frame * abi->per_frame, ref;
	int err;

	if (frame >= frames_limit)
		return -ENOSPC;
	next[frame] = kmalloc_array(abi->per_frame, sizeof(uint32_t));
	if (!next[frame])
		return -ENOMEM;
	err = abi->add_frame(frame);
	if (err != 0) {
		kfree(next[frame]);
		next[frame] = NULL;
		return err;
	}
	nframes++;
	for (ref = first + abi->per_frame; ref-- > first;) {
		if (ref < GNTTAB_NR_RESERVED_ENTRIES)
			break;
		*next_of(ref) = free_head;
		free_head = ref;
	}
	return 0;
}

static grant_ref_t ref_get(void)
{
	unsigned long flags = spin_lock_irqsave(&lock);
	grant_ref_t ref = GNTTAB_REF_NONE;

	if (abi && (free_head != GNTTAB_REF_NONE || grow() == 0)) {
		ref = free_head;
		free_head = *next_of(ref);
	}
	spin_unlock_irqrestore(&lock, flags);
	return ref;
}

static void ref_put(grant_ref_t ref)
{
	unsigned long flags = spin_lock_irqsave(&lock);

	*next_of(ref) = free_head;
	free_head = ref;
	spin_unlock_irqrestore(&lock, flags);
}

/* --- single grants ------------------------------------------------------ */

int gnttab_grant(
    domid_t peer, const void *page, bool readonly, grant_ref_t *ref)
{
	*ref = ref_get();
	if (*ref == GNTTAB_REF_NONE)
		return -ENOSPC;
	abi->set(*ref, peer, va_to_pa(page) >> PAGE_SHIFT, readonly);
	return 0;
}

bool gnttab_revoke(grant_ref_t ref)
{
	if (!ref_ok(ref) || !abi->end(ref))
		return false;
	ref_put(ref);
	return true;
}

/* --- what the peer will not let go -------------------------------------- */

/* The lock is held.  True: it is over and the reference is free. */
static bool leak_retry(grant_ref_t ref, uint32_t link)
{
	void *page = pa_to_va(abi->frame(ref) << PAGE_SHIFT);

	if (!abi->end(ref))
		return false;
	if (!(link & LEAK_NO_PAGE))
		page_put(page);
	*next_of(ref) = free_head;
	free_head = ref;
	nleaked--;
	return true;
}

/* The end of the list is all ones with or without the mark. */
static grant_ref_t leak_next(uint32_t link)
{
	link &= ~LEAK_NO_PAGE;
	return link == (GNTTAB_REF_NONE & ~LEAK_NO_PAGE) ? GNTTAB_REF_NONE
							 : link;
}

static void leak_push(grant_ref_t ref, bool no_page)
{
	*next_of(ref) =
	    (leak_head & ~LEAK_NO_PAGE) | (no_page ? LEAK_NO_PAGE : 0);
	leak_head = ref;
}

static void leak_scan(struct timer *t)
{
	unsigned long flags = spin_lock_irqsave(&lock);
	grant_ref_t ref = leak_head;

	leak_head = GNTTAB_REF_NONE;
	while (ref != GNTTAB_REF_NONE) {
		uint32_t link = *next_of(ref);

		if (!leak_retry(ref, link))
			leak_push(ref, (link & LEAK_NO_PAGE) != 0);
		ref = leak_next(link);
	}
	if (nleaked != 0)
		timer_set(t, clock_mono() + RETRY_NS);
	spin_unlock_irqrestore(&lock, flags);
}

void gnttab_leak(grant_ref_t ref, void *page)
{
	unsigned long flags;
	bool first;

	if (!ref_ok(ref))
		return;
	flags = spin_lock_irqsave(&lock);
	leak_push(ref, page == NULL);
	first = nleaked++ == 0;
	spin_unlock_irqrestore(&lock, flags);
	log_once(LOG_WARN, "xen: a back end keeps a page mapped");
	if (first)
		timer_set(&leak_timer, clock_mono() + RETRY_NS);
}

void gnttab_revoke_page(grant_ref_t ref, void *page)
{
	if (gnttab_revoke(ref))
		page_put(page);
	else
		gnttab_leak(ref, page);
}

unsigned gnttab_leaked(void)
{
	return nleaked;
}

/* --- pools -------------------------------------------------------------- */

int gnttab_pool_init(struct gnttab_pool *pool, unsigned size)
{
	memset(pool, 0, sizeof(*pool));
	pool->ref = kmalloc_array(size, sizeof(grant_ref_t));
	if (!pool->ref)
		return -ENOMEM;
	pool->size = size;
	while (pool->n < size) {
		grant_ref_t ref = ref_get();

		if (ref == GNTTAB_REF_NONE) {
			gnttab_pool_destroy(pool);
			return -ENOSPC;
		}
		pool->ref[pool->n++] = ref;
	}
	return 0;
}

void gnttab_pool_destroy(struct gnttab_pool *pool)
{
	while (pool->n != 0)
		ref_put(pool->ref[--pool->n]);
	kfree(pool->ref);
	memset(pool, 0, sizeof(*pool));
}

grant_ref_t gnttab_pool_grant(
    struct gnttab_pool *pool, domid_t peer, const void *page, bool readonly)
{
	grant_ref_t ref;

	if (pool->n == 0)
		return GNTTAB_REF_NONE;
	ref = pool->ref[--pool->n];
	abi->set(ref, peer, va_to_pa(page) >> PAGE_SHIFT, readonly);
	return ref;
}

bool gnttab_pool_revoke(struct gnttab_pool *pool, grant_ref_t ref)
{
	if (!ref_ok(ref) || pool->n == pool->size || !abi->end(ref))
		return false;
	pool->ref[pool->n++] = ref;
	return true;
}

/* --- start -------------------------------------------------------------- */

static unsigned frames_offered(void)
{
	struct gnttab_query_size op = { .dom = DOMID_SELF };

	if (hypercall_gnttab(GNTTABOP_query_size, &op, 1) != 0 ||
	    op.status != GNTST_okay)
		return 1;
	return MIN(op.max_nr_frames, FRAMES_MAX);
}

/* Version 2 only has more address bits, at the price of bigger entries and a
 * second word to look at, so it must be asked for: xen.gnttab=2. */
static const struct gnttab_abi *choose(void)
{
	const char *v = param_loader("xen.gnttab", 0);
	struct gnttab_set_version op = { .version = 2 };

	if (v && strcmp(v, "2") == 0 &&
	    hypercall_gnttab(GNTTABOP_set_version, &op, 1) == 0 &&
	    op.version == 2)
		return &gnttab_v2;
	return &gnttab_v1;
}

int gnttab_init(void)
{
	unsigned long flags;
	int err;

	timer_init(&leak_timer, leak_scan);
	flags = spin_lock_irqsave(&lock);
	abi = choose();
	frames_limit = frames_offered();
	err = grow();
	if (err != 0)
		abi = NULL;
	spin_unlock_irqrestore(&lock, flags);
	return err;
}
