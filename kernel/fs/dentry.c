#include "fs_int.h"

#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/rand.h"
#include "kern/shrink.h"
#include "kern/string.h"

/*
 * The name cache: positive and negative names, by (parent, name).  Names that
 * nobody refers to stay on (dcache.lru) until there are too many or memory
 * runs short.
 *
 * Nothing is allocated and no vnode is put with the mutex held, so that the
 * shrinker may take it.
 */
#define DCACHE_BUCKETS 1024u
#define DCACHE_UNUSED  4096u /* unreferenced names kept */

static struct {
	struct mutex lock;
	struct list bucket[DCACHE_BUCKETS];
	struct list lru; /* the oldest first */
	unsigned nunused;
	uint64_t key[2];
} dcache;

static uint32_t dentry_hash(
    const struct dentry *parent, const char *name, size_t len)
{
	uint64_t key[2] = { dcache.key[0], dcache.key[1] ^ (uintptr_t)parent };

	return (uint32_t)siphash(key, name, len);
}

static struct dentry *dentry_find(
    struct dentry *parent, const char *name, size_t len, uint32_t hash)
{
	struct dentry *d;

	list_foreach (d, &dcache.bucket[hash % DCACHE_BUCKETS], hash)
		if (d->hashval == hash && d->parent == parent &&
		    d->len == len && memcmp(d->name, name, len) == 0)
			return d;
	return NULL;
}

static void dentry_ref(struct dentry *d)
{
	if (d->refs++ == 0 && d->hashed) {
		list_del(&d->lru);
		dcache.nunused--;
	}
}

static void dentry_hash_in(struct dentry *d)
{
	d->hashval = dentry_hash(d->parent, d->name, d->len);
	d->hashed = true;
	list_add(&dcache.bucket[d->hashval % DCACHE_BUCKETS], &d->hash);
}

static void dentry_hash_out(struct dentry *d)
{
	if (d->refs == 0 && d->hashed) {
		list_del(&d->lru);
		dcache.nunused--;
	}
	list_del(&d->hash);
	d->hashed = false;
}

static void dentry_free(struct dentry *d)
{
	if (d->vnode)
		vnode_put(d->vnode);
	kfree(d->name);
	kfree(d);
}

static struct dentry *dentry_alloc(struct mount *m, struct dentry *parent,
    const char *name, size_t len, struct vnode *v)
{
	struct dentry *d = kzalloc(sizeof(*d));

	if (d)
		d->name = kmalloc(len + 1);
	if (!d || !d->name) {
		kfree(d);
		if (v)
			vnode_put(v);
		return NULL;
	}
	memcpy(d->name, name, len);
	d->name[len] = '\0';
	d->len = len;
	d->mount = m;
	d->parent = parent;
	d->vnode = v;
	d->refs = 1;
	list_init(&d->hash);
	list_init(&d->lru);
	return d;
}

struct dentry *dentry_alone(struct mount *m, struct dentry *parent,
    const char *name, size_t len, struct vnode *v)
{
	struct dentry *d = dentry_alloc(m, parent, name, len, v);

	if (d && parent)
		dentry_get(parent);
	return d;
}

struct dentry *dentry_cached(
    struct dentry *parent, const char *name, size_t len)
{
	uint32_t hash = dentry_hash(parent, name, len);
	struct dentry *d;

	mutex_lock(&dcache.lock);
	d = dentry_find(parent, name, len, hash);
	if (d)
		dentry_ref(d);
	mutex_unlock(&dcache.lock);
	return d;
}

struct dentry *dentry_add(
    struct dentry *parent, const char *name, size_t len, struct vnode *v)
{
	struct dentry *d, *there;

	d = dentry_alloc(parent->mount, parent, name, len, v);
	if (!d)
		return NULL;
	mutex_lock(&dcache.lock);
	there = dentry_find(parent, name, len, dentry_hash(parent, name, len));
	if (there) {
		dentry_ref(there);
	} else {
		dentry_ref(parent);
		dentry_hash_in(d);
	}
	mutex_unlock(&dcache.lock);
	if (!there)
		return d;
	dentry_free(d);
	return there;
}

void dentry_fill(struct dentry *d, struct vnode *v)
{
	mutex_lock(&dcache.lock);
	d->vnode = v;
	mutex_unlock(&dcache.lock);
}

void dentry_mark_unlinked(struct dentry *d)
{
	mutex_lock(&dcache.lock);
	if (d->hashed)
		dentry_hash_out(d);
	d->unlinked = true;
	mutex_unlock(&dcache.lock);
}

static void dentry_swap_names(struct dentry *a, struct dentry *b)
{
	struct dentry *parent = a->parent;
	char *name = a->name;
	uint16_t len = a->len;

	a->parent = b->parent;
	a->name = b->name;
	a->len = b->len;
	b->parent = parent;
	b->name = name;
	b->len = len;
}

void dentry_move(struct dentry *d, struct dentry *to)
{
	mutex_lock(&dcache.lock);
	if (d->hashed)
		dentry_hash_out(d);
	if (to->hashed)
		dentry_hash_out(to);
	to->unlinked = true;
	dentry_swap_names(d, to);
	dentry_hash_in(d);
	mutex_unlock(&dcache.lock);
}

void dentry_get(struct dentry *d)
{
	mutex_lock(&dcache.lock);
	dentry_ref(d);
	mutex_unlock(&dcache.lock);
}

/* The last reference is gone and it was not kept: its parent, which loses
 * one too. */
static struct dentry *dentry_drop(struct dentry *d)
{
	struct dentry *parent = d->parent;

	dentry_free(d);
	return parent;
}

void dentry_put(struct dentry *d)
{
	bool kept;

	while (d) {
		mutex_lock(&dcache.lock);
		kept = --d->refs > 0;
		if (!kept && d->hashed) {
			list_add_tail(&dcache.lru, &d->lru);
			dcache.nunused++;
			kept = true;
		}
		mutex_unlock(&dcache.lock);
		if (kept)
			break;
		d = dentry_drop(d);
	}
	if (READ_ONCE(dcache.nunused) > DCACHE_UNUSED)
		dentry_prune(DCACHE_UNUSED / 16);
}

/* Forget the oldest unreferenced name, of (m) only unless that is NULL. */
static bool dentry_prune_one(const struct mount *m)
{
	struct dentry *d, *found = NULL;

	mutex_lock(&dcache.lock);
	list_foreach (d, &dcache.lru, lru) {
		if (!m || d->mount == m) {
			found = d;
			break;
		}
	}
	if (found)
		dentry_hash_out(found);
	mutex_unlock(&dcache.lock);
	if (found)
		dentry_put(dentry_drop(found));
	return found != NULL;
}

unsigned dentry_prune(unsigned n)
{
	unsigned done = 0;

	while (done < n && dentry_prune_one(NULL))
		done++;
	return done;
}

void dentry_forget_mount(struct mount *m)
{
	while (dentry_prune_one(m))
		;
}

struct vnode *dentry_vnode(struct dentry *d)
{
	return d->vnode;
}

bool dentry_unlinked(struct dentry *d)
{
	bool r;

	mutex_lock(&dcache.lock);
	r = d->unlinked;
	mutex_unlock(&dcache.lock);
	return r;
}

struct dentry *dentry_parent(struct dentry *d)
{
	struct dentry *p;

	mutex_lock(&dcache.lock);
	p = d->parent;
	if (p)
		dentry_ref(p);
	mutex_unlock(&dcache.lock);
	return p;
}

bool dentry_is_ancestor(struct dentry *a, struct dentry *d)
{
	mutex_lock(&dcache.lock);
	while (d && d != a)
		d = d->parent;
	mutex_unlock(&dcache.lock);
	return d != NULL;
}

struct dentry *dentry_cross(struct dentry *d)
{
	struct dentry *top = d;

	mutex_lock(&dcache.lock);
	while (top->mounted)
		top = top->mounted;
	if (top != d)
		dentry_ref(top);
	mutex_unlock(&dcache.lock);
	if (top != d)
		dentry_put(d);
	return top;
}

int dentry_set_mounted(struct dentry *d, struct dentry *root)
{
	int err = 0;

	mutex_lock(&dcache.lock);
	if (root && (d->mounted || d->unlinked))
		err = d->mounted ? -EBUSY : -ENOENT;
	else
		d->mounted = root;
	mutex_unlock(&dcache.lock);
	return err;
}

bool dentry_sole_user(struct dentry *d)
{
	bool r;

	mutex_lock(&dcache.lock);
	r = d->refs == 1;
	mutex_unlock(&dcache.lock);
	return r;
}

/* Put "/name" before what is in [*at, end). */
static bool path_prepend(
    char *buf, char **at, const char *name, size_t len, bool slash)
{
	if ((size_t)(*at - buf) < len + slash)
		return false;
	*at -= len;
	memcpy(*at, name, len);
	if (slash)
		*--*at = '/';
	return true;
}

static char *dentry_path_locked(
    struct dentry *d, const struct dentry *root, char *buf, char *end)
{
	static const char deleted[] = " (deleted)";
	char *at = end;

	*--at = '\0';
	if (d->unlinked && !path_prepend(buf, &at, deleted, 10, false))
		return NULL;
	while (d != root) {
		if (!d->parent) {
			if (!d->mount || !d->mount->mountpoint)
				break;
			d = d->mount->mountpoint;
			continue;
		}
		if (!path_prepend(buf, &at, d->name, d->len, true))
			return NULL;
		d = d->parent;
	}
	if (*at != '/' && !path_prepend(buf, &at, "", 0, true))
		return NULL;
	return at;
}

long dentry_path(struct dentry *d, char *buf, size_t n)
{
	struct dentry *root = fs_root();
	char *at = NULL;

	mutex_lock(&dcache.lock);
	if (n > 1)
		at = dentry_path_locked(d, root, buf, buf + n);
	mutex_unlock(&dcache.lock);
	dentry_put(root);
	if (!at)
		return -ENAMETOOLONG;
	n = (size_t)(buf + n - at);
	memmove(buf, at, n);
	return (long)n - 1;
}

static size_t dentry_shrink(struct shrinker *s, size_t target, bool hard)
{
	(void)s;
	(void)hard;
	return dentry_prune(target / sizeof(struct dentry) + 1) *
	       sizeof(struct dentry);
}

static struct shrinker dentry_shrinker = {
	.name = "names",
	.shrink = dentry_shrink,
};

void dentry_init(void)
{
	mutex_init(&dcache.lock);
	list_init(&dcache.lru);
	for (unsigned i = 0; i < DCACHE_BUCKETS; i++)
		list_init(&dcache.bucket[i]);
	rand_bytes(dcache.key, sizeof(dcache.key));
	shrinker_register(&dentry_shrinker);
}
