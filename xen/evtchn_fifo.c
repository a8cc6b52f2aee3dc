/*
 * The FIFO event channel ABI: one word for each of 131072 ports in pages that
 * we give to Xen, and for each vcpu a queue of due ports per priority, linked
 * through those words.
 * Source: xen/include/public/event_channel.h; "Event Channel Internals: FIFO
 * ABI", draft H.
 */

#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/lock.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "xen_int.h"

#define PENDING        (1u << EVTCHN_FIFO_PENDING)
#define MASKED         (1u << EVTCHN_FIFO_MASKED)
#define LINKED         (1u << EVTCHN_FIFO_LINKED)
#define BUSY           (1u << EVTCHN_FIFO_BUSY)
#define LINK           ((uint32_t)EVTCHN_FIFO_LINK_MASK)

#define WORDS_PER_PAGE (PAGE_SIZE / sizeof(event_word_t))
#define PAGES_MAX      (EVTCHN_FIFO_NR_CHANNELS / WORDS_PER_PAGE)

/* A control block is smaller than this and must be aligned to 8. */
#define BLOCK_STRIDE    128u
#define BLOCKS_PER_PAGE (PAGE_SIZE / BLOCK_STRIDE)

static event_word_t *words[PAGES_MAX];
static unsigned nwords_pages;
static uint8_t *block_page;
static unsigned blocks_used;
/* Ports and cpus come up with interrupts off as well: a mutex cannot serve. */
static struct spinlock grow_lock = SPINLOCK_INIT;

static event_word_t *word_of(evtchn_port_t port)
{
	event_word_t *page;

	if (port >= EVTCHN_FIFO_NR_CHANNELS)
		return NULL;
	page = __atomic_load_n(&words[port / WORDS_PER_PAGE], __ATOMIC_ACQUIRE);
	return page ? &page[port % WORDS_PER_PAGE] : NULL;
}

/* Room for a control block; grow_lock is held. */
static uint8_t *block_get(void)
{
	if (!block_page || blocks_used == BLOCKS_PER_PAGE) {
		block_page = page_alloc(0, PAGE_ZERO | PAGE_ATOMIC);
		blocks_used = 0;
	}
	return block_page ? block_page + BLOCK_STRIDE * blocks_used++ : NULL;
}

static int fifo_cpu_init(struct xen_cpu *xc)
{
	struct evtchn_init_control op = { .vcpu = xc->vcpu };
	unsigned long flags = spin_lock_irqsave(&grow_lock);
	uint8_t *block = block_get();
	int err;

	spin_unlock_irqrestore(&grow_lock, flags);
	if (!block)
		return -ENOMEM;
	op.control_gfn = va_to_pa(block) >> PAGE_SHIFT;
	op.offset = (uint32_t)((uintptr_t)block & (PAGE_SIZE - 1));
	err = hypercall_evtchn(EVTCHNOP_init_control, &op);
	if (err == 0)
		xc->fifo = (void *)block;
	return err;
}

/* One more page of words, all masked; grow_lock is held. */
static int words_grow(void)
{
	struct evtchn_expand_array op;
	event_word_t *page;
	int err;

	if (nwords_pages == PAGES_MAX)
		return -ENOSPC;
	page = page_alloc(0, PAGE_ATOMIC);
	if (!page)
		return -ENOMEM;
	for (unsigned i = 0; i < WORDS_PER_PAGE; i++)
		page[i] = MASKED;
	/* Xen may link a port of it as soon as it knows the page. */
	__atomic_store_n(&words[nwords_pages], page, __ATOMIC_RELEASE);
	op.array_gfn = va_to_pa(page) >> PAGE_SHIFT;
	err = hypercall_evtchn(EVTCHNOP_expand_array, &op);
	if (err != 0) {
		__atomic_store_n(&words[nwords_pages], NULL, __ATOMIC_RELEASE);
		page_free(page, 0);
		return err;
	}
	nwords_pages++;
	return 0;
}

static void fifo_mask(evtchn_port_t port)
{
	event_word_t *w = word_of(port);

	if (w)
		__atomic_fetch_or(w, MASKED, __ATOMIC_SEQ_CST);
}

static int fifo_port_init(evtchn_port_t port)
{
	unsigned long flags;
	int err = 0;

	if (port >= EVTCHN_FIFO_NR_CHANNELS)
		return -EINVAL;
	flags = spin_lock_irqsave(&grow_lock);
	while (err == 0 && port >= nwords_pages * WORDS_PER_PAGE)
		err = words_grow();
	spin_unlock_irqrestore(&grow_lock, flags);
	if (err == 0)
		fifo_mask(port);
	return err;
}

static void fifo_clear(evtchn_port_t port)
{
	event_word_t *w = word_of(port);

	if (w)
		__atomic_fetch_and(w, ~PENDING, __ATOMIC_SEQ_CST);
}

/* Clear MASKED unless the port is pending.  False: it is. */
static bool unmask_quiet(event_word_t *w)
{
	event_word_t old = __atomic_load_n(w, __ATOMIC_RELAXED);

	while (old & MASKED) {
		if (old & PENDING)
			return false;
		/* BUSY: Xen is linking the word and will be done soon. */
		old &= ~BUSY;
		if (__atomic_compare_exchange_n(w, &old, old & ~MASKED, false,
			__ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
			break;
	}
	return true;
}

static void fifo_unmask(evtchn_port_t port)
{
	struct evtchn_unmask op = { .port = port };
	event_word_t *w = word_of(port);

	if (w && !unmask_quiet(w))
		hypercall_evtchn(EVTCHNOP_unmask, &op);
}

/* Take the word off its queue; returns the port linked behind it. */
static uint32_t unlink_word(event_word_t *w)
{
	event_word_t old = __atomic_load_n(w, __ATOMIC_RELAXED);

	while (!__atomic_compare_exchange_n(w, &old, old & ~(LINKED | LINK),
	    false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		;
	return old & LINK;
}

/* Deliver the first port of queue (q).  False: the queue is empty now. */
static bool consume_one(struct xen_cpu *xc, unsigned q)
{
	uint32_t port = xc->fifo_head[q];
	event_word_t *w;

	/* Our copy of the head runs ahead of Xen's while the queue lasts. */
	if (port == 0)
		port = __atomic_load_n(&xc->fifo->head[q], __ATOMIC_ACQUIRE);
	w = port != 0 ? word_of(port) : NULL;
	if (!w) {
		xc->fifo_head[q] = 0;
		return false;
	}
	xc->fifo_head[q] = unlink_word(w);
	if ((__atomic_load_n(w, __ATOMIC_SEQ_CST) & (PENDING | MASKED)) ==
	    PENDING)
		evtchn_deliver(xc, port);
	return xc->fifo_head[q] != 0;
}

static void fifo_scan(struct xen_cpu *xc)
{
	uint32_t ready, q;

	ready = __atomic_exchange_n(&xc->fifo->ready, 0, __ATOMIC_SEQ_CST);
	ready &= (1u << EVTCHN_FIFO_MAX_QUEUES) - 1;
	while (ready != 0) {
		q = (uint32_t)__builtin_ctz(ready);
		if (!consume_one(xc, q))
			ready &= ~(1u << q);
		ready |=
		    __atomic_exchange_n(&xc->fifo->ready, 0, __ATOMIC_SEQ_CST) &
		    ((1u << EVTCHN_FIFO_MAX_QUEUES) - 1);
	}
}

const struct evtchn_abi evtchn_fifo = {
	.name = "FIFO",
	.nports = EVTCHN_FIFO_NR_CHANNELS,
	.strays = true,
	.cpu_init = fifo_cpu_init,
	.port_init = fifo_port_init,
	.clear = fifo_clear,
	.mask = fifo_mask,
	.unmask = fifo_unmask,
	.scan = fifo_scan,
};
