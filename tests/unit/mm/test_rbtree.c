#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "kern/rbtree.h"

#define N 512

struct item {
	struct rb_node node;
	int key;
	int weight, heaviest; /* of its own; of all that is below */
	bool in;
};

static struct item items[N];
static struct rb_root root;

static struct item *item_of(struct rb_node *n)
{
	return rb_entry(n, struct item, node);
}

static int heaviest(struct rb_node *n)
{
	int h = item_of(n)->weight;

	for (int s = 0; s < 2; s++)
		if (n->child[s] && item_of(n->child[s])->heaviest > h)
			h = item_of(n->child[s])->heaviest;
	return h;
}

static bool update(struct rb_node *n)
{
	int old = item_of(n)->heaviest;

	return (item_of(n)->heaviest = heaviest(n)) != old;
}

static void insert(struct item *it)
{
	struct rb_node *parent = NULL, *n = root.node;
	int side = 0;

	while (n) {
		parent = n;
		side = it->key > item_of(n)->key;
		n = n->child[side];
	}
	rb_insert(&root, &it->node, parent, side);
	it->in = true;
}

/* Returns the black height; fails when a rule is broken. */
static int check_node(struct rb_node *n, struct rb_node *parent)
{
	int h[2];

	if (!n)
		return 1;
	assert_ptr_equal(n->parent, parent);
	if (n->red)
		assert_false(parent->red);
	for (int s = 0; s < 2; s++)
		h[s] = check_node(n->child[s], n);
	assert_int_equal(h[0], h[1]);
	if (root.update)
		assert_int_equal(item_of(n)->heaviest, heaviest(n));
	return h[0] + !n->red;
}

static void check_order(void)
{
	struct rb_node *n = rb_first(&root);
	struct rb_node *last = NULL;

	for (int i = 0; i < N; i++) {
		if (!items[i].in)
			continue;
		assert_non_null(n);
		assert_int_equal(item_of(n)->key, i);
		assert_ptr_equal(rb_prev(n), last);
		last = n;
		n = rb_next(n);
	}
	assert_null(n);
	assert_ptr_equal(rb_last(&root), last);
}

static void run(void)
{
	for (int i = 0; i < N; i++)
		items[i] = (struct item){ .key = i };
	root.node = NULL;
	srand(3);
	for (int i = 0; i < 30000; i++) {
		struct item *it = &items[rand() % N];

		if (it->in && root.update && rand() % 3 == 0) {
			it->weight = rand() % 1000;
			rb_update(&root, &it->node);
		} else if (it->in) {
			rb_remove(&root, &it->node);
			it->in = false;
		} else {
			it->weight = rand() % 1000;
			insert(it);
		}
		if (i % 16 == 0) {
			if (root.node)
				assert_false(root.node->red);
			check_node(root.node, NULL);
			check_order();
		}
	}
}

static void test_random(void **state)
{
	(void)state;
	run();
}

static void test_update(void **state)
{
	(void)state;
	root.update = update;
	run();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_update),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
