/* From an object to its mappings. */

#include "kern/num.h"
#include "vm_int.h"

#define NBUCKET 64

/*
 * Protects the lists, and against change the mappings on them.  Taken with a
 * file system's locks held: nothing is called from here that could sleep for
 * I/O.
 */
static struct mutex rmap_lock = MUTEX_INIT(rmap_lock);
static struct list rmap[NBUCKET];

static struct list *bucket(const struct vm_object *obj)
{
	struct list *l = &rmap[((uintptr_t)obj >> 6) % NBUCKET];

	if (!l->next)
		list_init(l);
	return l;
}

void rmap_lock_if(const struct vma *v)
{
	if (v->obj)
		mutex_lock(&rmap_lock);
}

void rmap_unlock_if(const struct vma *v)
{
	if (v->obj)
		mutex_unlock(&rmap_lock);
}

void rmap_add(struct vma *v)
{
	if (!v->obj)
		return;
	mutex_lock(&rmap_lock);
	list_add(bucket(v->obj), &v->rmap);
	mutex_unlock(&rmap_lock);
}

void rmap_del(struct vma *v)
{
	if (!v->obj)
		return;
	mutex_lock(&rmap_lock);
	list_del(&v->rmap);
	mutex_unlock(&rmap_lock);
}

static void zap_one(struct vma *v, uint64_t first, uint64_t n)
{
	uint64_t len = v->end - v->start, begin, end, last;

	if (add_overflow(first, n, &last) || last > UINT64_MAX >> PAGE_SHIFT)
		last = UINT64_MAX >> PAGE_SHIFT;
	begin = MAX(first << PAGE_SHIFT, v->off);
	end = MIN(last << PAGE_SHIFT, v->off + len);
	if (begin < end)
		vma_zap(
		    v, v->start + (begin - v->off), v->start + (end - v->off));
}

void vm_object_zap(struct vm_object *obj, uint64_t first, uint64_t n)
{
	struct vma *v;

	mutex_lock(&rmap_lock);
	list_foreach (v, bucket(obj), rmap) {
		if (v->obj != obj)
			continue;
		/* A fault that has asked for a page before now must not
		 * install it after us. */
		mutex_lock(&v->space->pt_lock);
		atomic_fetch_add(&v->space->zap_seq, 1);
		mutex_unlock(&v->space->pt_lock);
		zap_one(v, first, n);
	}
	mutex_unlock(&rmap_lock);
}
