#ifndef PTREE_H
#define PTREE_H

/*
 * A sparse array of words, 64 to a node: the pages of a file by index.
 * No locking; 0 means "nothing there".  kernel/fs/ptree.c
 */

#include <stdint.h>

struct ptree {
	void *root;      /* height 0: the word of index 0 itself */
	unsigned height; /* levels of nodes */
};

uintptr_t ptree_get(const struct ptree *, uint64_t index);
/* 0 or -ENOMEM; (word) is not 0. */
int ptree_set(struct ptree *, uint64_t index, uintptr_t word);
/* Returns what was there. */
uintptr_t ptree_clear(struct ptree *, uint64_t index);
/* The first word at or after *index, and its index; 0: none. */
uintptr_t ptree_next(const struct ptree *, uint64_t *index);

#endif /* PTREE_H */
