#ifndef KERN_LIST_H
#define KERN_LIST_H

/*
 * An intrusive circular doubly linked list.  The head is a struct list as
 * well; an entry that is on no list may be made so with list_init().
 * No locking: the owner of the head says how it is protected.
 */

#include <stdbool.h>

#include "compiler.h"

struct list {
	struct list *next, *prev;
};

#define LIST_INIT(name)          \
	{                        \
		&(name), &(name) \
	}

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_insert_(
    struct list *e, struct list *prev, struct list *next)
{
	e->prev = prev;
	e->next = next;
	prev->next = e;
	next->prev = e;
}

static inline void list_add(struct list *head, struct list *e)
{
	list_insert_(e, head, head->next);
}

static inline void list_add_tail(struct list *head, struct list *e)
{
	list_insert_(e, head->prev, head);
}

/* Leaves (e) on no list, so that a second removal does nothing. */
static inline void list_del(struct list *e)
{
	e->prev->next = e->next;
	e->next->prev = e->prev;
	list_init(e);
}

#define list_entry(e, type, member) container_of(e, type, member)

/* NULL when the list is empty. */
#define list_first(head, type, member) \
	(list_empty(head) ? NULL : list_entry((head)->next, type, member))

#define list_foreach(pos, head, member)                                \
	for (pos = list_entry((head)->next, __typeof__(*pos), member); \
	     &pos->member != (head);                                   \
	     pos = list_entry(pos->member.next, __typeof__(*pos), member))

/* (pos) may be removed in the body. */
#define list_foreach_safe(pos, tmp, head, member)                         \
	for (pos = list_entry((head)->next, __typeof__(*pos), member),    \
	    tmp = list_entry(pos->member.next, __typeof__(*pos), member); \
	     &pos->member != (head); pos = tmp,                           \
	    tmp = list_entry(tmp->member.next, __typeof__(*tmp), member))

#endif /* KERN_LIST_H */
