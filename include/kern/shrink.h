#ifndef KERN_SHRINK_H
#define KERN_SHRINK_H

/*
 * Shrinkers: who keeps memory that could be had again says how to get it
 * back.  kernel/mm/shrink.c
 *
 * One thread, "reclaim", calls them, one after another, with no lock held:
 * softly while little is free, so that allocations need not wait, and (hard)
 * when somebody does wait and that was not enough.  Each is asked for its share
 * of what is wanted, in a rotation, so that the burden is not always the first
 * one's.
 *
 * Whoever waits may hold any lock, so a shrinker must only try the locks under
 * which memory is allocated: else the wait ends after RECLAIM_PATIENCE only,
 * with nothing.  It may allocate, and gets what is kept for that.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "list.h"
#include "sched.h"

#define RECLAIM_PATIENCE (5 * NSEC_PER_SEC)

struct shrinker {
	const char *name;
	/* Give up to (target) bytes back; returns how many.  What is claimed
	 * is not relied on.  (hard): drop also what was used just now.  Thread
	 * context; may sleep for a while. */
	size_t (*shrink)(struct shrinker *, size_t target, bool hard);

	/* kernel/mm/shrink.c's */
	struct list link;
	uint64_t soft, hard, freed; /* calls; bytes claimed */
};

/* Thread context, not from a shrinker.  shrinker_unregister(): after it
 * returns shrink() neither runs nor will. */
void shrinker_register(struct shrinker *);
void shrinker_unregister(struct shrinker *);
/* (fn) must not come back here. */
void shrinker_foreach(void (*fn)(const struct shrinker *, void *), void *arg);

/*
 * Wait until the shrinkers were asked, hard, for (bytes).  False: they had
 * nothing, or the caller must not wait here.  Thread context; allocators do
 * this by themselves.
 */
bool mm_reclaim(size_t bytes) MUST_CHECK;
/* Ask softly for (bytes) and do not wait.  Any context. */
void mm_reclaim_soon(size_t bytes);

/*
 * Between the two the current thread's allocations do not wait for shrinkers,
 * which may need a lock that it holds; the kernel's own data may take half of
 * what is kept back instead.  Nests: (old) is what begin returned.
 */
bool mm_noreclaim_begin(void) MUST_CHECK;
void mm_noreclaim_end(bool old);

/*
 * Does the current thread work at getting memory back?  Then it never waits
 * for the shrinkers, and half of what is kept back is for it.
 */
void mm_frees_memory(bool);

/*
 * Nothing is left, and a process has to go: say on the console who asked and
 * who holds the memory.  (s) is the process's.  Thread context.
 * kernel/mm/oom.c
 */
struct vm_space;
void mm_oom_report(struct vm_space *s, const char *comm, uint32_t pid, int adj);

/* Boot: starts the thread; before it nothing is reclaimed. */
void shrink_start(void);

#endif /* KERN_SHRINK_H */
