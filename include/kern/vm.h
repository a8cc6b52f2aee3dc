#ifndef KERN_VM_H
#define KERN_VM_H

/*
 * Address spaces of programs.  kernel/mm/vm*.c.  Thread context; may sleep.
 * There is one space today; nothing may assume so.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch.h"
#include "mm.h"

#define VM_READ      1u
#define VM_WRITE     2u
#define VM_EXEC      4u
#define VM_PROT      7u

#define VM_SHARED    0x10u
#define VM_FIXED     0x20u /* replaces what is there */
#define VM_NOREPLACE 0x40u /* with VM_FIXED: -EEXIST instead */
#define VM_GROWSDOWN 0x80u
#define VM_32BIT     0x100u
#define VM_POPULATE  0x200u
#define VM_NORESERVE 0x400u
#define VM_STACK     0x800u  /* shown as [stack] */
#define VM_HEAP      0x1000u /* shown as [heap] */
#define VM_LOCKED    0x2000u
#define VM_NOWRITE   0x4000u /* a shared file open for reading only */
#define VM_HUGE      0x8000u /* MADV_HUGEPAGE */
#define VM_NOHUGE    0x10000u

/*
 * What backs a mapping that is not anonymous: a file's page cache, shared
 * memory, a device.
 */
struct vm_object;
struct vm_object_ops {
	/*
	 * Give page (index) of the object, at its direct-map address, with a
	 * reference for the mapping.  (write): it will be written through a
	 * shared mapping: mark it dirty.  0; -EFAULT or -EIO (SIGBUS) past the
	 * end or when it cannot be read; -ENOMEM.
	 */
	int (*page)(struct vm_object *, uint64_t index, bool write, void **);
	void (*get)(struct vm_object *);
	void (*put)(struct vm_object *);
	/* "/bin/app", for /proc/self/maps; NULL: no name */
	const char *(*name)(struct vm_object *);
	/* device and inode for /proc/self/maps; NULL: 0 */
	void (*ident)(struct vm_object *, uint64_t *dev, uint64_t *ino);
	/* msync: write [first, first + n) back; NULL: nothing to do */
	int (*sync)(struct vm_object *, uint64_t first, uint64_t n);
};
struct vm_object {
	const struct vm_object_ops *ops;
};

struct vm_space *vm_space_create(void);
void vm_space_get(struct vm_space *);
void vm_space_put(struct vm_space *);
struct pgtable *vm_space_pgtable(struct vm_space *);
/* Choose where mappings are placed: at random, or always the same.  Nothing is
 * mapped. */
void vm_space_place(struct vm_space *, bool randomly);
/* May memory be writable and executable at once?  It may not, unless told. */
void vm_space_allow_wx(struct vm_space *, bool allow);
/* No pages of 2 MiB from now on, or as the settings say. */
void vm_space_no_huge(struct vm_space *, bool none);

/*
 * Map [*addr, *addr + len): *addr is a hint, or exact with VM_FIXED; it is
 * page aligned, as is (len).  (obj) NULL: anonymous zeroed memory; else it
 * takes a reference.  (off) is in bytes, page aligned.  Private mappings of
 * an object are copied on write.  0, -EINVAL, -ENOMEM, -EEXIST; -EACCES for
 * write and execute together, unless the space allows that.
 */
int vm_map(struct vm_space *, uintptr_t *addr, size_t len, unsigned prot,
    unsigned flags, struct vm_object *obj, uint64_t off);
int vm_unmap(struct vm_space *, uintptr_t addr, size_t len);
int vm_protect(struct vm_space *, uintptr_t addr, size_t len, unsigned prot);
/* mremap(2): flags and errors are Linux's; the new address or -errno. */
long vm_remap(struct vm_space *, uintptr_t old, size_t old_len, size_t new_len,
    unsigned flags, uintptr_t new_addr);
/* madvise(2), msync(2), mlock(2), mincore(2): Linux's arguments. */
int vm_advise(struct vm_space *, uintptr_t addr, size_t len, int advice);
int vm_sync(struct vm_space *, uintptr_t addr, size_t len, int flags);
int vm_lock(
    struct vm_space *, uintptr_t addr, size_t len, bool lock, bool populate);
/* mlockall(2): (now) lock what there is, with its pages if (populate);
 * (future): 0, VM_LOCKED or VM_LOCKED | VM_POPULATE for what is mapped next. */
void vm_lock_all(struct vm_space *, bool now, bool populate, unsigned future);
void vm_unlock_all(struct vm_space *);
int vm_incore(struct vm_space *, uintptr_t addr, size_t len, uint8_t *vec);
/* Program break: (want) 0 asks.  Returns the break in force. */
uintptr_t vm_brk(struct vm_space *, uintptr_t want);
void vm_brk_init(struct vm_space *, uintptr_t start);

/* A mapped page of an object has gone (truncate): drop [first, first + n)
 * from every mapping of (obj). */
void vm_object_zap(struct vm_object *obj, uint64_t first, uint64_t n);

/* setrlimit(2)'s, bytes: AS, DATA, and STACK for what grows down. */
struct vm_limits {
	uint64_t as, data, stack;
};
void vm_set_limits(struct vm_space *, const struct vm_limits *);
/* CommitLimit and Committed_AS of /proc/meminfo, bytes. */
void vm_commit_stats(uint64_t *limit, uint64_t *used);

#define VM_FAULT_READ  VM_READ
#define VM_FAULT_WRITE VM_WRITE
#define VM_FAULT_EXEC  VM_EXEC
/*
 * Resolve a fault of the program or of the kernel on the program's memory.
 * 0; -EFAULT: nothing mapped (SEGV_MAPERR); -EACCES: not allowed
 * (SEGV_ACCERR); -EIO: SIGBUS; -ENOMEM.
 */
int vm_fault(struct vm_space *, uintptr_t addr, unsigned access);

/*
 * Code of a private file mapping that is executable and not writable: (from),
 * (n) bytes at (addr) within a page, becomes (to), in a copy of the page that
 * takes the page's place at once, for all cpus.  0, -EACCES when it is no such
 * code, -EAGAIN when something else is there, -ENOMEM.
 */
int vm_patch_text(struct vm_space *, uintptr_t addr, const void *from,
    const void *to, size_t n);

/* One row of /proc/self/maps. */
struct vm_info {
	uintptr_t start, end;
	unsigned prot, flags;
	uint64_t off;
	struct vm_object *obj; /* valid during the callback */
	uint64_t resident;     /* bytes */
	uint64_t huge;         /* of them: in pages of 2 MiB */
};
/* Ascending.  (fn) must not call back into vm. */
void vm_foreach(
    struct vm_space *, void (*fn)(const struct vm_info *, void *), void *arg);
struct vm_usage {
	uint64_t size, resident, data, stack, text, locked; /* bytes */
	uint64_t minflt, majflt;
};
void vm_usage(struct vm_space *, struct vm_usage *);

/* What the futexes of one word have in common in every space that maps it: its
 * object and offset; of private memory the space and address.  0, -EFAULT. */
int vm_futex_key(struct vm_space *, uintptr_t addr, uint64_t key[2]);

#endif /* KERN_VM_H */
