#ifndef KERN_RBTREE_H
#define KERN_RBTREE_H

/*
 * An intrusive red-black tree.  The user walks down to find where a new node
 * goes, links it there with rb_insert(), and owns keys and locking.
 * kernel/base/rbtree.c
 */

#include <stdbool.h>

#include "compiler.h"

struct rb_node {
	struct rb_node *parent, *child[2]; /* left, right */
	bool red;
};

struct rb_root {
	struct rb_node *node;
	/* NULL, or: compute what (n) keeps of all that is below it from itself
	 * and its children.  True: it is not what it was. */
	bool (*update)(struct rb_node *n);
};

#define rb_entry(n, type, member) container_of(n, type, member)

/* Link (n) as (parent)'s child (side), which is NULL; (parent) NULL: the tree
 * is empty. */
void rb_insert(
    struct rb_root *, struct rb_node *n, struct rb_node *parent, int side);
void rb_remove(struct rb_root *, struct rb_node *);
/* Something that (n) keeps of its own has changed: update() where it shows. */
void rb_update(struct rb_root *, struct rb_node *n);

/* In order; NULL at the end or in an empty tree. */
struct rb_node *rb_first(const struct rb_root *);
struct rb_node *rb_last(const struct rb_root *);
struct rb_node *rb_next(const struct rb_node *);
struct rb_node *rb_prev(const struct rb_node *);

#endif /* KERN_RBTREE_H */
