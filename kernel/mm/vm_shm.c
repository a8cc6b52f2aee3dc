/*
 * What backs a shared anonymous mapping: pages that stay when they are
 * unmapped.  Two levels, so that a large sparse one costs little.
 */

#include "kern/errno.h"
#include "kern/num.h"
#include "vm_int.h"

#define LEAF_PAGES (PAGE_SIZE / sizeof(void *))

struct shm {
	struct vm_object obj; /* first */
	_Atomic uint32_t refs;
	struct mutex lock; /* leaf[] and what is below it */
	uint64_t npages, nleaf;
	void ***leaf;
};

static struct shm *shm_of(struct vm_object *obj)
{
	return container_of(obj, struct shm, obj);
}

static void **shm_slot(struct shm *m, uint64_t index)
{
	void ***leaf = &m->leaf[index / LEAF_PAGES];

	if (!*leaf)
		*leaf = page_alloc(0, PAGE_ZERO);
	return *leaf ? &(*leaf)[index % LEAF_PAGES] : NULL;
}

static int shm_page_locked(struct shm *m, uint64_t index, void **out)
{
	void **slot = shm_slot(m, index);

	if (!slot)
		return -ENOMEM;
	if (!*slot) {
		*slot = page_alloc(0, PAGE_ZERO | PAGE_USER);
		if (!*slot)
			return -ENOMEM;
		mm_account_anon(1);
	}
	page_get(*slot);
	*out = *slot;
	return 0;
}

static int shm_page(
    struct vm_object *obj, uint64_t index, bool write, void **out)
{
	struct shm *m = shm_of(obj);
	int err;

	(void)write;
	if (index >= m->npages)
		return -EFAULT;
	mutex_lock(&m->lock);
	err = shm_page_locked(m, index, out);
	mutex_unlock(&m->lock);
	return err;
}

static void shm_get(struct vm_object *obj)
{
	atomic_fetch_add(&shm_of(obj)->refs, 1);
}

static void leaf_free(void **leaf)
{
	for (unsigned i = 0; i < LEAF_PAGES; i++) {
		if (!leaf[i])
			continue;
		page_put(leaf[i]);
		mm_account_anon(-1);
	}
	page_free(leaf, 0);
}

static void shm_put(struct vm_object *obj)
{
	struct shm *m = shm_of(obj);

	if (atomic_fetch_sub(&m->refs, 1) != 1)
		return;
	for (uint64_t i = 0; i < m->nleaf; i++)
		if (m->leaf[i])
			leaf_free(m->leaf[i]);
	kfree(m->leaf);
	kfree(m);
}

static const char *shm_name(struct vm_object *obj)
{
	(void)obj;
	return "/dev/zero (deleted)";
}

static const struct vm_object_ops shm_ops = {
	.page = shm_page,
	.get = shm_get,
	.put = shm_put,
	.name = shm_name,
};

bool vm_object_is_shm(const struct vm_object *obj)
{
	return obj->ops == &shm_ops;
}

struct vm_object *shm_create(size_t len)
{
	struct shm *m = kzalloc(sizeof(*m));

	if (!m)
		return NULL;
	m->obj.ops = &shm_ops;
	m->refs = 1;
	mutex_init(&m->lock);
	m->npages = len >> PAGE_SHIFT;
	m->nleaf = (m->npages + LEAF_PAGES - 1) / LEAF_PAGES;
	m->leaf = kmalloc_array(m->nleaf, sizeof(*m->leaf));
	if (!m->leaf) {
		kfree(m);
		return NULL;
	}
	return &m->obj;
}
