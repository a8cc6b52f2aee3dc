#include "ramfs.h"

#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/string.h"

/* Directories of ramfs: entries in the order of their making, and hashed by
 * name. */

#define RAMFS_COOKIE_FIRST 2u /* "." and ".." are 0 and 1 */
#define RAMFS_BUCKETS_MIN  16u

struct ramfs_entry {
	struct ramfs_entry *next; /* in its bucket */
	struct ramfs_node *node;  /* with a reference */
	uint64_t cookie;
	uint32_t hash;
	uint8_t len;
	char name[];
};

/* FNV-1a: the names are the program's own, which can only hurt itself. */
static uint32_t ramfs_hash(const char *name, size_t len)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)name[i]) * 16777619u;
	return h;
}

/* Where the pointer to the entry is, or to where it would be. */
static struct ramfs_entry **ramfs_dir_slot(
    struct ramfs_dir *d, const char *name, size_t len, uint32_t hash)
{
	struct ramfs_entry **e = &d->bucket[hash & (d->nbuckets - 1)];

	while (*e && !((*e)->hash == hash && (*e)->len == len &&
			 memcmp((*e)->name, name, len) == 0))
		e = &(*e)->next;
	return e;
}

static struct ramfs_entry *ramfs_dir_entry(
    struct ramfs_dir *d, const char *name, size_t len)
{
	if (!d->bucket)
		return NULL;
	return *ramfs_dir_slot(d, name, len, ramfs_hash(name, len));
}

struct ramfs_node *ramfs_dir_find(
    struct ramfs_dir *d, const char *name, size_t len)
{
	struct ramfs_entry *e = ramfs_dir_entry(d, name, len);

	return e ? e->node : NULL;
}

/* Twice the buckets, when there are twice as many entries.  Failing is no
 * error unless there are none yet. */
static int ramfs_dir_grow(struct ramfs_dir *d)
{
	unsigned n = d->nbuckets ? d->nbuckets * 2 : RAMFS_BUCKETS_MIN;
	struct ramfs_entry **b;

	if (d->nbuckets && d->n < d->nbuckets * 2)
		return 0;
	b = kmalloc_array(n, sizeof(struct ramfs_entry *));
	if (!b)
		return d->nbuckets ? 0 : -ENOMEM;
	for (unsigned i = 0; i < d->nbuckets; i++) {
		struct ramfs_entry *e, *next;

		for (e = d->bucket[i]; e; e = next) {
			next = e->next;
			e->next = b[e->hash & (n - 1)];
			b[e->hash & (n - 1)] = e;
		}
	}
	kfree(d->bucket);
	d->bucket = b;
	d->nbuckets = n;
	return 0;
}

int ramfs_dir_add(
    struct ramfs_dir *d, const char *name, size_t len, struct ramfs_node *node)
{
	struct ramfs_entry *e, **slot;

	if (len > FS_NAME_MAX)
		return -ENAMETOOLONG;
	if (ramfs_dir_grow(d))
		return -ENOMEM;
	e = kmalloc(sizeof(*e) + len);
	if (!e)
		return -ENOMEM;
	if (d->next_cookie == 0)
		d->next_cookie = RAMFS_COOKIE_FIRST;
	e->cookie = d->next_cookie;
	e->node = node;
	e->hash = ramfs_hash(name, len);
	e->len = (uint8_t)len;
	memcpy(e->name, name, len);
	if (ptree_set(&d->order, e->cookie, (uintptr_t)e)) {
		kfree(e);
		return -ENOMEM;
	}
	d->next_cookie++;
	d->n++;
	slot = &d->bucket[e->hash & (d->nbuckets - 1)];
	e->next = *slot;
	*slot = e;
	vnode_get(&node->vnode);
	return 0;
}

void ramfs_dir_remove(struct ramfs_dir *d, const char *name, size_t len)
{
	struct ramfs_entry **slot, *e;

	slot = ramfs_dir_slot(d, name, len, ramfs_hash(name, len));
	e = *slot;
	*slot = e->next;
	ptree_clear(&d->order, e->cookie);
	d->n--;
	vnode_put(&e->node->vnode);
	kfree(e);
}

void ramfs_dir_replace(
    struct ramfs_dir *d, const char *name, size_t len, struct ramfs_node *node)
{
	struct ramfs_entry *e = ramfs_dir_entry(d, name, len);

	vnode_get(&node->vnode);
	vnode_put(&e->node->vnode);
	e->node = node;
}

int ramfs_readdir(struct vnode *v, uint64_t *off,
    bool (*emit)(void *arg, const char *name, size_t len, uint64_t ino,
	uint8_t type, uint64_t next),
    void *arg)
{
	struct ramfs_dir *d = &ramfs_node(v)->dir;
	uint64_t at = *off;
	const struct ramfs_entry *e;

	for (;; at++) {
		e = (const struct ramfs_entry *)ptree_next(&d->order, &at);
		if (!e)
			return 0;
		if (!emit(arg, e->name, e->len, e->node->vnode.ino,
			(uint8_t)(e->node->vnode.mode >> 12), at + 1))
			return 0;
		*off = at + 1;
	}
}

/* Also of one that is not empty: the whole file system goes. */
void ramfs_dir_destroy(struct ramfs_dir *d)
{
	struct ramfs_entry *e;
	uint64_t at = 0;

	while ((e = (struct ramfs_entry *)ptree_next(&d->order, &at))) {
		ptree_clear(&d->order, at);
		vnode_put(&e->node->vnode);
		kfree(e);
	}
	kfree(d->bucket);
}
