#include "ptree.h"

#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/num.h"

#define PTREE_BITS  6u
#define PTREE_SLOTS (1u << PTREE_BITS)
#define PTREE_MAX   11u /* levels for 64 bits */

struct ptree_node {
	void *slot[PTREE_SLOTS];
};

static unsigned ptree_slot(uint64_t index, unsigned level)
{
	return (index >> (level * PTREE_BITS)) & (PTREE_SLOTS - 1);
}

/* Does (index) lie beyond what (height) levels can hold? */
static bool ptree_beyond(uint64_t index, unsigned height)
{
	return height < PTREE_MAX && index >> (height * PTREE_BITS) != 0;
}

uintptr_t ptree_get(const struct ptree *t, uint64_t index)
{
	void *p = t->root;

	if (ptree_beyond(index, t->height))
		return 0;
	for (unsigned level = t->height; level > 0 && p; level--)
		p = ((struct ptree_node *)p)
			->slot[ptree_slot(index, level - 1)];
	return (uintptr_t)p;
}

static int ptree_grow(struct ptree *t, uint64_t index)
{
	while (ptree_beyond(index, t->height)) {
		struct ptree_node *n = NULL;

		if (t->root) {
			n = kzalloc(sizeof(*n));
			if (!n)
				return -ENOMEM;
			n->slot[0] = t->root;
		}
		t->root = n;
		t->height++;
	}
	return 0;
}

static bool ptree_node_empty(const struct ptree_node *n)
{
	for (unsigned i = 0; i < PTREE_SLOTS; i++)
		if (n->slot[i])
			return false;
	return true;
}

uintptr_t ptree_clear(struct ptree *t, uint64_t index)
{
	void **path[PTREE_MAX + 1];
	void **slot = &t->root;
	unsigned level = t->height;
	uintptr_t old;

	if (ptree_beyond(index, t->height))
		return 0;
	for (; level > 0 && *slot; level--) {
		path[level] = slot;
		slot = &((struct ptree_node *)*slot)
			    ->slot[ptree_slot(index, level - 1)];
	}
	old = (uintptr_t)*slot;
	*slot = NULL;
	for (level++; level <= t->height; level++) {
		if (!ptree_node_empty(*path[level]))
			return old;
		kfree(*path[level]);
		*path[level] = NULL;
	}
	t->height = 0;
	return old;
}

int ptree_set(struct ptree *t, uint64_t index, uintptr_t word)
{
	void **slot = &t->root;

	if (ptree_grow(t, index))
		return -ENOMEM;
	for (unsigned level = t->height; level > 0; level--) {
		if (!*slot)
			*slot = kzalloc(sizeof(struct ptree_node));
		if (!*slot) {
			ptree_clear(t, index);
			return -ENOMEM;
		}
		slot = &((struct ptree_node *)*slot)
			    ->slot[ptree_slot(index, level - 1)];
	}
	*slot = (void *)word;
	return 0;
}

/* Below (p) at (level); *index is advanced to where the search stands. */
static uintptr_t ptree_next_in(void *p, unsigned level, uint64_t *index)
{
	const struct ptree_node *n = p;
	uint64_t step, next;

	if (level == 0)
		return (uintptr_t)p;
	step = 1ull << ((level - 1) * PTREE_BITS);
	for (unsigned i = ptree_slot(*index, level - 1); i < PTREE_SLOTS; i++) {
		bool end = add_overflow(*index & ~(step - 1), step, &next);
		uintptr_t found =
		    n->slot[i] ? ptree_next_in(n->slot[i], level - 1, index)
			       : 0;

		if (found)
			return found;
		if (end)
			break;
		*index = next;
	}
	return 0;
}

uintptr_t ptree_next(const struct ptree *t, uint64_t *index)
{
	if (!t->root || ptree_beyond(*index, t->height))
		return 0;
	return ptree_next_in(t->root, t->height, index);
}
