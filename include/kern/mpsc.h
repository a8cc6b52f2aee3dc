#ifndef KERN_MPSC_H
#define KERN_MPSC_H

/*
 * A queue of many producers and one consumer, without a lock: producers push
 * on a stack by compare-and-swap, the consumer takes all of it at once and
 * turns it round, so that nothing is ever compared with a node that has come
 * back.  Any context; a node is its producer's until it is pushed and the
 * consumer's from mpsc_take() on.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct mpsc_node {
	struct mpsc_node *next;
};

struct mpsc {
	_Atomic(struct mpsc_node *) newest;
};

static inline bool mpsc_empty(struct mpsc *q)
{
	return atomic_load(&q->newest) == NULL;
}

/*
 * True: it was empty, so that the consumer may have to be told.  Sequentially
 * consistent: a look at whether the consumer sleeps is not done before.
 */
static inline bool mpsc_push(struct mpsc *q, struct mpsc_node *n)
{
	struct mpsc_node *newest =
	    atomic_load_explicit(&q->newest, memory_order_relaxed);

	do
		n->next = newest;
	while (!atomic_compare_exchange_weak(&q->newest, &newest, n));
	return newest == NULL;
}

/* All there are, a chain in the order of pushing; NULL: none. */
static inline struct mpsc_node *mpsc_take(struct mpsc *q)
{
	struct mpsc_node *n = atomic_exchange(&q->newest, NULL), *next;
	struct mpsc_node *oldest = NULL;

	for (; n; n = next) {
		next = n->next;
		n->next = oldest;
		oldest = n;
	}
	return oldest;
}

#endif /* KERN_MPSC_H */
