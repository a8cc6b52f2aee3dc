/* Source: Cormen, Leiserson, Rivest, Stein: Introduction to Algorithms, 13. */

#include <stddef.h>

#include "kern/rbtree.h"

static bool is_red(const struct rb_node *n)
{
	return n && n->red;
}

/* Which child of its parent (n) is. */
static int side_of(const struct rb_node *n)
{
	return n->parent->child[1] == n;
}

/* Put (new), which may be NULL, where (old) hangs. */
static void replace(
    struct rb_root *root, struct rb_node *old, struct rb_node *new)
{
	if (!old->parent)
		root->node = new;
	else
		old->parent->child[side_of(old)] = new;
	if (new)
		new->parent = old->parent;
}

/* (n) goes down to the side (side); its other child takes its place. */
static void rotate(struct rb_root *root, struct rb_node *n, int side)
{
	struct rb_node *up = n->child[!side];

	n->child[!side] = up->child[side];
	if (n->child[!side])
		n->child[!side]->parent = n;
	replace(root, n, up);
	up->child[side] = n;
	n->parent = up;
	if (root->update) {
		(void)root->update(n);
		(void)root->update(up);
	}
}

void rb_update(struct rb_root *root, struct rb_node *n)
{
	while (n && root->update(n))
		n = n->parent;
}

/* All from (n) up: one in between is new to its place, and what it was does
 * not say whether those above it have changed. */
static void update_path(struct rb_root *root, struct rb_node *n)
{
	for (; n; n = n->parent)
		(void)root->update(n);
}

void rb_insert(
    struct rb_root *root, struct rb_node *n, struct rb_node *parent, int side)
{
	*n = (struct rb_node){ .parent = parent, .red = true };
	if (root->update)
		(void)root->update(n);
	if (!parent) {
		root->node = n;
		n->red = false;
		return;
	}
	parent->child[side] = n;
	if (root->update)
		rb_update(root, parent);
	while (is_red(n->parent)) {
		struct rb_node *grand = n->parent->parent;
		int s = side_of(n->parent);
		struct rb_node *uncle = grand->child[!s];

		if (is_red(uncle)) {
			n->parent->red = uncle->red = false;
			grand->red = true;
			n = grand;
			continue;
		}
		if (side_of(n) != s) {
			n = n->parent;
			rotate(root, n, s);
		}
		n->parent->red = false;
		grand->red = true;
		rotate(root, grand, !s);
	}
	root->node->red = false;
}

/* The subtree (n), which may be NULL, hangs at (parent) and is one black
 * short. */
static void remove_fixup(
    struct rb_root *root, struct rb_node *n, struct rb_node *parent)
{
	while (parent && !is_red(n)) {
		int s = parent->child[1] == n;
		struct rb_node *sib = parent->child[!s];

		if (sib->red) {
			sib->red = false;
			parent->red = true;
			rotate(root, parent, s);
			sib = parent->child[!s];
		}
		if (!is_red(sib->child[0]) && !is_red(sib->child[1])) {
			sib->red = true;
			n = parent;
			parent = n->parent;
			continue;
		}
		if (!is_red(sib->child[!s])) {
			sib->child[s]->red = false;
			sib->red = true;
			rotate(root, sib, !s);
			sib = parent->child[!s];
		}
		sib->red = parent->red;
		parent->red = false;
		sib->child[!s]->red = false;
		rotate(root, parent, s);
		return;
	}
	if (n)
		n->red = false;
}

void rb_remove(struct rb_root *root, struct rb_node *n)
{
	struct rb_node *child, *parent, *succ;
	bool black, moved = n->child[0] && n->child[1];

	if (!n->child[0] || !n->child[1]) {
		child = n->child[0] ? n->child[0] : n->child[1];
		parent = n->parent;
		black = !n->red;
		replace(root, n, child);
	} else {
		succ = n->child[1];
		while (succ->child[0])
			succ = succ->child[0];
		child = succ->child[1];
		black = !succ->red;
		parent = succ->parent == n ? succ : succ->parent;
		replace(root, succ, child);
		for (int s = 0; s < 2; s++) {
			succ->child[s] = n->child[s];
			if (succ->child[s])
				succ->child[s]->parent = succ;
		}
		succ->red = n->red;
		replace(root, n, succ);
	}
	if (root->update && moved)
		update_path(root, parent);
	else if (root->update)
		rb_update(root, parent);
	if (black)
		remove_fixup(root, child, parent);
}

/* The outermost node on (side) of the subtree (n). */
static struct rb_node *outermost(struct rb_node *n, int side)
{
	while (n && n->child[side])
		n = n->child[side];
	return n;
}

static struct rb_node *neighbour(const struct rb_node *n, int side)
{
	if (n->child[side])
		return outermost(n->child[side], !side);
	while (n->parent && side_of(n) == side)
		n = n->parent;
	return n->parent;
}

struct rb_node *rb_first(const struct rb_root *root)
{
	return outermost(root->node, 0);
}

struct rb_node *rb_last(const struct rb_root *root)
{
	return outermost(root->node, 1);
}

struct rb_node *rb_next(const struct rb_node *n)
{
	return neighbour(n, 1);
}

struct rb_node *rb_prev(const struct rb_node *n)
{
	return neighbour(n, 0);
}
