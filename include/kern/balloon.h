#ifndef KERN_BALLOON_H
#define KERN_BALLOON_H

/*
 * Memory that goes to the hypervisor and comes back, for the driver that
 * talks to it.  kernel/mm/balloon.c
 *
 * A block is 2^order pages, aligned to its size.  To give memory away:
 * balloon_take(), tell the hypervisor, balloon_keep(); to get it back:
 * balloon_pick(), ask the hypervisor, balloon_give().  When the hypervisor
 * refuses, the other one of keep and give.  Thread context; may sleep; one
 * driver at a time.
 */

#include <stdbool.h>
#include <stdint.h>

#include "mm.h"

#define BALLOON_ORDER 9 /* 2 MiB: what both sides can map as one */

struct balloon_block {
	paddr_t pa;
	unsigned order;
};

/*
 * A block of free memory, of order BALLOON_ORDER, or 0 when there is none so
 * large or (most) pages are less: it is not memory any more, and must not be
 * touched.  False when that would leave too little free; the shrinkers are
 * asked then, so that it may do later.
 */
bool balloon_take(struct balloon_block *, uint64_t most) MUST_CHECK;
void balloon_keep(const struct balloon_block *); /* the hypervisor has it */
/* A block that the hypervisor has, likewise; false: there is none. */
bool balloon_pick(struct balloon_block *, uint64_t most) MUST_CHECK;
void balloon_give(const struct balloon_block *); /* it is memory again */

/*
 * Free page reporting: a free block of at least (least) that has not been
 * reported since it was allocated last, its order in (*order), which the
 * caller has until page_report_done(); NULL: none, or little is free.
 * (reported): the hypervisor has been told that its contents do not matter.
 * page.c; any context.
 */
void *page_report_take(unsigned least, unsigned *order) MUST_CHECK;
void page_report_done(void *va, unsigned order, bool reported);

/* Pages that the hypervisor has, with the RAM that was absent at boot. */
uint64_t balloon_pages(void);

#endif /* KERN_BALLOON_H */
