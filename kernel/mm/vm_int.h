#ifndef VM_INT_H
#define VM_INT_H

/*
 * Private to kernel/mm: mappings of a space.
 *
 * Order of locks: vm_space.lock, then a file system's, then rmap_lock, then
 * vm_space.pt_lock.  vm_object_zap() is called with a file system's locks
 * held, so it must not take vm_space.lock: the mappings of an object are also
 * on a list under rmap_lock.
 *
 * Page tables: an entry of anonymous memory that is empty is filled by
 * compare-and-swap (pt_slot()) by whoever has the space locked, for reading
 * too.  All else is done under pt_lock; tables are taken out only with the
 * space locked for writing as well.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "kern/list.h"
#include "kern/lock.h"
#include "kern/rbtree.h"
#include "kern/vm.h"
#include "mm_int.h"

#define VM_GUARD_GAP (256 * PAGE_SIZE) /* below a mapping that grows down */

/* What a mapping remembers of vm_map()'s flags. */
#define VM_KEPT                                                         \
	(VM_SHARED | VM_GROWSDOWN | VM_NORESERVE | VM_STACK | VM_HEAP | \
	    VM_LOCKED | VM_NOWRITE | VM_HUGE | VM_NOHUGE | VM_ACCOUNT)

#define VM_ACCOUNT 0x80000000u /* counted as committed: vm_commit.c */

/* Written with the space locked for writing, and with rmap_lock held too when
 * (obj) is set. */
struct vma {
	struct rb_node node; /* by start */
	uintptr_t start, end;
	unsigned prot, flags;
	struct vm_object *obj;
	uint64_t off; /* of (start) in (obj), bytes */
	struct vm_space *space;
	struct list rmap;          /* rmap_lock */
	_Atomic uint64_t resident; /* pages */
	_Atomic bool touched;      /* there may be tables of its own */
	_Atomic bool lazy;         /* vm_lazy.c */
	/* Bytes free directly below, and the most there are in the subtree. */
	uint64_t gap, max_gap;
};

struct vm_space {
	_Atomic uint32_t refs;
	struct pgtable *pt;
	struct rwlock lock;       /* the mappings; faults are readers */
	struct mutex pt_lock;     /* pt_*() on (pt): see above */
	_Atomic uint64_t zap_seq; /* vm_object_zap()s; changed under pt_lock */
	struct rb_root vmas;
	unsigned nvma;
	uint64_t size, locked; /* bytes */
	uint64_t data;         /* private and writable, but for stacks */
	struct vm_limits limit;
	uintptr_t mmap_base; /* mappings are placed below it */
	bool allow_wx;
	_Atomic bool no_huge;
	uintptr_t brk_start, brk;
	unsigned lock_future;  /* MCL_FUTURE: flags for what is mapped next */
	struct list lazy_link; /* vm_lazy.c */
	_Atomic uint64_t minflt, majflt;
};

/* Pages that were unmapped; freed once no cpu can reach them. */
struct vm_gather {
	struct vm_space *space;
	struct pt_batch gone; /* with what to flush */
	void *tables;         /* that have become empty: pt_prune() */
	uint64_t few[16];
};

/* What /proc/sys/vm changes: vm_sysctl.c. */
struct vm_tune {
	_Atomic unsigned max_map_count;
	_Atomic unsigned huge; /* an index of vm_huge_modes[] */
	_Atomic unsigned overcommit, overcommit_ratio;
};
extern struct vm_tune vm_tune;

/* vm_space.c */
struct vma *vma_find(struct vm_space *, uintptr_t addr); /* end > addr */
struct vma *vma_next(const struct vma *);
struct vma *vma_prev(const struct vma *);
/* The last mapping below (next), which may be NULL. */
struct vma *vma_before(struct vm_space *, const struct vma *next);
struct vma *vma_create(struct vm_space *, uintptr_t start, uintptr_t end,
    unsigned prot, unsigned flags, struct vm_object *obj, uint64_t off);
void vma_insert(struct vma *);
void vma_destroy(struct vma *); /* not in the tree */
void vma_remove(struct vma *);  /* from the tree */
/* Would one more be too many?  vm.max_map_count */
bool vma_too_many(const struct vm_space *);
/* Cut in two at (addr); 0 or -ENOMEM. */
int vma_split(struct vma *, uintptr_t addr);
/* Join with the neighbours where that says the same. */
struct vma *vma_merge(struct vma *);
void vma_resize(struct vma *, uintptr_t start, uintptr_t end);
/* [addr, addr + len) is inside what a program may use. */
bool vm_range_ok(uintptr_t addr, size_t len);
/* Is nothing mapped, and nothing that grows down close above? */
bool vm_range_free(struct vm_space *, uintptr_t addr, size_t len);
uintptr_t vm_find_gap(struct vm_space *, size_t len, unsigned flags);
/* (flags) may gain VM_ACCOUNT. */
void vma_set_prot(struct vma *, unsigned prot, unsigned flags);

/* vm_commit.c: does such a mapping count as committed? */
bool vm_accounts(unsigned prot, unsigned flags);
/* 0, or -ENOMEM for what is more than may be promised. */
int vm_may_commit(uint64_t len);
void vm_commit_count(int64_t bytes);
bool vm_is_data(unsigned prot, unsigned flags);
/* RLIMIT_AS and RLIMIT_DATA. */
bool vm_limits_allow(
    const struct vm_space *, uint64_t len, unsigned prot, unsigned flags);

/* vm_gather.c */
void gather_init(struct vm_gather *, struct vm_space *);
/* Flush, and free what has gone. */
void gather_flush(struct vm_gather *);
void gather_end(struct vm_gather *);
/* Unmap the pages of [start, end), inside (v), into (g). */
void gather_zap(
    struct vm_gather *, struct vma *v, uintptr_t start, uintptr_t end);
/* Count what has gone from (v) since there were (first) entries. */
void gather_account(struct vm_gather *, struct vma *v, unsigned first);
/* Take out the tables of [start, end), where nothing is mapped any more; the
 * space is locked for writing. */
void gather_prune(struct vm_gather *, uintptr_t start, uintptr_t end);
/* Zap, and forget them at once. */
void vma_zap(struct vma *v, uintptr_t start, uintptr_t end);

/*
 * vm_huge.c: pages of 2 MiB for anonymous memory.  They are a matter of the
 * page table alone: below them are 512 pages that each have their reference.
 * None crosses the end of a mapping.
 */
extern const char *const vm_huge_modes[4];
/* Is the whole 2 MiB around (va) part of (v), and wanted large? */
bool vm_huge_wanted(const struct vma *v, uintptr_t va);
/* Zeroed; NULL: there is not enough to spare. */
void *vm_huge_alloc(void);
/* No large page crosses (va) from now on: 0 or -ENOMEM. */
int vm_huge_cut(struct vm_space *, uintptr_t va);
/* Bytes of (v) in large pages. */
uint64_t vm_huge_bytes(struct vma *v);

/* vm_map.c: the space is locked for writing */
/* Make [addr, addr + len) begin and end between mappings; 0 or -ENOMEM. */
int vm_split_range(struct vm_space *, uintptr_t addr, size_t len);
void vm_merge_range(struct vm_space *, uintptr_t addr, size_t len);
int vm_unmap_locked(struct vm_space *, uintptr_t addr, size_t len);
void vm_populate(struct vm_space *, uintptr_t addr, size_t len, unsigned prot);

/* vm_advise.c: 0, or an error of madvise(2)'s */
int vm_populate_range(
    struct vm_space *, uintptr_t addr, size_t len, unsigned access);

/* vm_lock.c: call (fn) for each mapping's part of the range; holes: -ENOMEM at
 * the end.  The space is locked. */
int vma_for_range(struct vm_space *, uintptr_t addr, size_t len,
    int (*fn)(struct vma *, uintptr_t, uintptr_t, int), int arg);

/* vm_lazy.c: MADV_FREE; 0 or -ENOMEM */
int vma_lazy_free(struct vma *, uintptr_t start, uintptr_t end);
void vm_lazy_start(void);               /* there is a space */
void vm_lazy_forget(struct vm_space *); /* it goes */

/* vm_object.c */
void rmap_add(struct vma *);
void rmap_del(struct vma *);
void rmap_lock_if(const struct vma *);
void rmap_unlock_if(const struct vma *);

/* vm_shm.c: what backs a shared anonymous mapping; NULL: no memory */
struct vm_object *shm_create(size_t len);
bool vm_object_is_shm(const struct vm_object *);

static inline unsigned vm_pt_prot(unsigned prot)
{
	unsigned p = prot & VM_PROT ? 0 : PT_NONE;

	if (prot & VM_WRITE)
		p |= PT_WRITE;
	if (prot & VM_EXEC)
		p |= PT_EXEC;
	return p;
}

#endif /* VM_INT_H */
