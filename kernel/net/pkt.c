/*
 * Packets: a header and a page of data, apart, since the page may be lent to
 * somebody who must not see a pointer of ours.
 */

#include "kern/mm.h"
#include "kern/net.h"

static void page_pkt_free(struct pkt *p)
{
	page_put(p->head);
	kfree(p);
}

struct pkt *pkt_alloc_ext(void)
{
	struct pkt *p = kzalloc(sizeof(*p));

	if (p)
		p->nseg = 1;
	return p;
}

struct pkt *pkt_alloc(void)
{
	struct pkt *p = pkt_alloc_ext();

	if (!p)
		return NULL;
	p->head = page_alloc(0, PAGE_ATOMIC);
	if (!p->head) {
		kfree(p);
		return NULL;
	}
	p->data = p->head + PKT_HEADROOM;
	p->cap = PAGE_SIZE;
	p->free = page_pkt_free;
	return p;
}

void pkt_free(struct pkt *p)
{
	struct pkt *next;

	for (; p; p = next) {
		next = p->seg_next;
		p->free(p);
	}
}

void pkt_free_seg(struct pkt *p)
{
	kfree(p);
}
