#include "vdso_int.h"

#include <linux/elf.h>

#include "kern/compiler.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/panic.h"
#include "kern/rand.h"
#include "kern/string.h"
#include "kern/vdso.h"
#include "kern/vm.h"

#define VDSO_BASE  0x7f0000000000ul
#define VDSO_BITS  28 /* pages */
#define VDSO_TRIES 8
#define VDSO_PAGES 2 /* at most */

/* Pages that are there for ever, read-only to programs. */
struct vdso_object {
	struct vm_object obj; /* first */
	const char *name;
	unsigned npages;
	void *page[VDSO_PAGES];
};

static int object_page(
    struct vm_object *obj, uint64_t index, bool write, void **out)
{
	struct vdso_object *o = container_of(obj, struct vdso_object, obj);

	(void)write;
	if (index >= o->npages)
		return -EFAULT;
	page_get(o->page[index]);
	*out = o->page[index];
	return 0;
}

static void object_refs(struct vm_object *obj)
{
	(void)obj; /* never freed */
}

static const char *object_name(struct vm_object *obj)
{
	return container_of(obj, struct vdso_object, obj)->name;
}

static const struct vm_object_ops object_ops = {
	.page = object_page,
	.get = object_refs,
	.put = object_refs,
	.name = object_name,
};

static struct vdso_object data = { { &object_ops }, "[vvar]", 0, { NULL } };
static struct vdso_object image = { { &object_ops }, "[vdso]", 0, { NULL } };

static bool fill(struct vdso_object *o, const char *from, size_t len)
{
	for (size_t at = 0; at < len; at += PAGE_SIZE) {
		void *page = page_alloc(0, PAGE_ZERO);

		if (!page)
			return false;
		if (from)
			memcpy(page, from + at, MIN(len - at, PAGE_SIZE));
		o->page[o->npages++] = page;
	}
	return true;
}

void vdso_init(void)
{
	size_t len = (size_t)(vdso_image_end - vdso_image);

	assert(len <= VDSO_PAGES * PAGE_SIZE);
	if (!fill(&data, NULL, PAGE_SIZE) || !fill(&image, vdso_image, len)) {
		log_warn("no memory for a vDSO");
		image.npages = 0;
		return;
	}
	clock_publish(data.page[0]);
}

static int map_object(
    struct vm_space *vm, struct vdso_object *o, uintptr_t at, unsigned prot)
{
	return vm_map(vm, &at, o->npages * PAGE_SIZE, prot,
	    VM_FIXED | VM_NOREPLACE, &o->obj, 0);
}

static int map_at(struct vm_space *vm, uintptr_t at)
{
	int r = map_object(vm, &data, at, VM_READ);

	if (r != 0)
		return r;
	r = map_object(vm, &image, at + PAGE_SIZE, VM_READ | VM_EXEC);
	if (r != 0)
		(void)vm_unmap(vm, at, PAGE_SIZE);
	return r;
}

/* The data is a page before the code, which finds it there. */
void vdso_map(struct vm_space *vm, struct vdso_place *place)
{
	const struct elf64_hdr *elf = (const void *)vdso_image;
	uintptr_t at;
	int r = -EEXIST;

	memset(place, 0, sizeof(*place));
	if (image.npages == 0)
		return;
	for (unsigned i = 0; i < VDSO_TRIES && r == -EEXIST; i++) {
		at = VDSO_BASE +
		     ((rand_u64() & ((1ul << VDSO_BITS) - 1)) << PAGE_SHIFT);
		r = map_at(vm, at);
	}
	if (r != 0) {
		log_warn("the vDSO cannot be mapped: error %d", r);
		return;
	}
	place->base = at + PAGE_SIZE;
	place->again = place->base + elf->e_entry;
}
