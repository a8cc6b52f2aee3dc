#include "elf_int.h"

#include "kern/errno.h"
#include "kern/file.h"
#include "kern/log.h"
#include "kern/num.h"
#include "kern/vm.h"

/* The part of (s) that the file has: private pages of the file. */
static int map_file_part(struct vm_space *vm, struct vm_object *obj,
    const struct elf_seg *s, uintptr_t base)
{
	uintptr_t start = base + ALIGN_DOWN(s->vaddr, PAGE_SIZE);
	uintptr_t end = base + ALIGN_UP(s->vaddr + s->filesz, PAGE_SIZE);

	if (s->filesz == 0)
		return 0;
	return vm_map(vm, &start, end - start, s->prot, VM_FIXED, obj,
	    ALIGN_DOWN(s->offset, PAGE_SIZE));
}

/* What follows the file's bytes: the rest of their last page, then pages. */
static int map_zero_part(
    struct vm_space *vm, const struct elf_seg *s, uintptr_t base)
{
	uintptr_t data_end = base + s->vaddr + s->filesz;
	uintptr_t page = s->filesz == 0 ? ALIGN_DOWN(data_end, PAGE_SIZE)
					: ALIGN_UP(data_end, PAGE_SIZE);
	uintptr_t end = base + ALIGN_UP(s->vaddr + s->memsz, PAGE_SIZE);
	int r = 0;

	if (s->memsz == s->filesz)
		return 0;
	if (page < end)
		r = vm_map(vm, &page, end - page, s->prot, VM_FIXED, NULL, 0);
	/*
	 * Up to the end of the page: loaders take what follows their data for
	 * zeroed memory.  In a read-only segment it stays the file's.
	 */
	if (r == 0 && s->filesz != 0 && (s->prot & VM_WRITE))
		r = clear_user(
		    (void *)data_end, ALIGN_UP(data_end, PAGE_SIZE) - data_end);
	return r;
}

/* Keep the whole extent together: holes between segments fault. */
static int reserve(struct vm_space *vm, const struct elf_plan *p,
    uint64_t where, uintptr_t *base)
{
	uint64_t slack = p->align - PAGE_SIZE;
	uintptr_t at = where;
	int r;

	if (!p->pie) {
		at = p->lo;
		*base = 0;
		return vm_map(vm, &at, p->hi - p->lo, 0,
		    VM_FIXED | VM_NOREPLACE, NULL, 0);
	}
	r = vm_map(vm, &at, p->hi - p->lo + slack, 0, VM_NORESERVE, NULL, 0);
	if (r != 0)
		return r;
	*base = ALIGN_UP(at - p->lo, p->align);
	return 0;
}

int elf_map(struct vm_space *vm, struct file *f, const struct elf_plan *p,
    uint64_t where, struct elf_image *img)
{
	struct vm_object *obj;
	uintptr_t base = 0;
	int r;

	if (!f->ops->mmap)
		return -ENODEV;
	r = f->ops->mmap(f, VM_READ | VM_EXEC, false, &obj);
	if (r != 0)
		return r;
	r = reserve(vm, p, where, &base);
	for (unsigned i = 0; i < p->nseg && r == 0; i++) {
		r = map_file_part(vm, obj, &p->seg[i], base);
		if (r == 0)
			r = map_zero_part(vm, &p->seg[i], base);
	}
	obj->ops->put(obj);
	img->base = base;
	img->entry = base + p->entry;
	img->phdr = p->phdr_vaddr ? base + p->phdr_vaddr : 0;
	img->end = base + p->hi;
	return r;
}
