/*
 * May a program have more memory?  The limits of setrlimit(2), and Linux's
 * overcommit: mode 0 refuses only what could never be there, 1 nothing, 2 what
 * all private writable memory together could not have.  Source:
 * Documentation/mm/overcommit-accounting.rst
 */

#include "kern/errno.h"
#include "kern/num.h"
#include "vm_int.h"

enum { COMMIT_GUESS, COMMIT_ALWAYS, COMMIT_NEVER };

static _Atomic int64_t committed; /* bytes of mappings with VM_ACCOUNT */

static unsigned mode(void)
{
	return atomic_load_explicit(&vm_tune.overcommit, memory_order_relaxed);
}

static uint64_t commit_limit(void)
{
	return mm_total_bytes() / 100 * vm_tune.overcommit_ratio;
}

void vm_commit_stats(uint64_t *limit, uint64_t *used)
{
	int64_t n = atomic_load(&committed);

	*limit = ALIGN_DOWN(commit_limit(), PAGE_SIZE);
	*used = n > 0 ? (uint64_t)n : 0;
}

void vm_commit_count(int64_t bytes)
{
	atomic_fetch_add_explicit(&committed, bytes, memory_order_relaxed);
}

bool vm_accounts(unsigned prot, unsigned flags)
{
	if (!(prot & VM_WRITE) || (flags & VM_SHARED))
		return false;
	return !(flags & VM_NORESERVE) || mode() == COMMIT_NEVER;
}

int vm_may_commit(uint64_t len)
{
	uint64_t limit, used;

	switch (mode()) {
	case COMMIT_ALWAYS:
		return 0;
	case COMMIT_NEVER:
		vm_commit_stats(&limit, &used);
		return used + len > limit ? -ENOMEM : 0;
	default:
		return len > mm_total_bytes() ? -ENOMEM : 0;
	}
}

bool vm_is_data(unsigned prot, unsigned flags)
{
	return (prot & VM_WRITE) &&
	       !(flags & (VM_SHARED | VM_STACK | VM_GROWSDOWN));
}

bool vm_limits_allow(
    const struct vm_space *s, uint64_t len, unsigned prot, unsigned flags)
{
	if (s->size + len > s->limit.as)
		return false;
	return !vm_is_data(prot, flags) || s->data + len <= s->limit.data;
}

void vm_set_limits(struct vm_space *s, const struct vm_limits *l)
{
	rwlock_write(&s->lock);
	s->limit = *l;
	rwlock_unlock(&s->lock);
}
