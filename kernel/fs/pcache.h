#ifndef PCACHE_H
#define PCACHE_H

/*
 * The pages of regular files.  A file system that has nowhere else to keep
 * them (ramfs) gives no read_page operation: what is not in the cache is then
 * a hole.  The others' pages are clean and go when memory runs short.
 * kernel/fs/pcache.c; thread context, may sleep.
 */

#include "kern/lock.h"
#include "kern/sched.h"
#include "kern/vm.h"
#include "ptree.h"

struct vnode;
struct uio;

/* How many pages a tmpfs may have. */
struct pcache_quota {
	_Atomic uint64_t used;
	uint64_t limit; /* UINT64_MAX: none */
};

#define PCACHE_WINDOW_MAX 32u /* pages filled at once */

struct pcache {
	struct mutex lock; /* protects everything below */
	struct waitq filled;
	struct ptree tree;
	uint64_t npages;
	struct pcache_quota *quota; /* NULL: none */
	unsigned window;            /* pages to fill at once, a power of two */
	struct list link;           /* all that can be shrunk */
	char *name;                 /* for /proc/self/maps */
};

/* Give (v) a page cache.  -ENOMEM. */
int pcache_create(struct vnode *v, struct pcache_quota *, unsigned window);
/* Drops every page; from reclaim, or after a failed pcache_create(). */
void pcache_destroy(struct vnode *v);

/*
 * Page (index), with a reference.  Of a hole: NULL, or with (alloc) a new
 * zeroed page.  -ENOMEM, -ENOSPC, -EIO.
 */
int pcache_page(struct vnode *v, uint64_t index, bool alloc, void **page);
/* Put (page) there, with its reference; nothing was there.  For loaders. */
int pcache_insert(struct vnode *v, uint64_t index, void *page);

/* The vnode's lock is held for writing. */
long pcache_write(struct vnode *v, struct uio *, uint64_t off);
int pcache_resize(struct vnode *v, uint64_t size);
int pcache_punch(struct vnode *v, uint64_t off, uint64_t len);

long pcache_read(struct vnode *v, struct uio *, uint64_t off);
/* The first offset from (off) on that has data, or a hole; the file's size
 * when there is none. */
uint64_t pcache_seek(struct vnode *v, uint64_t off, bool hole);
uint64_t pcache_pages(const struct vnode *v);

/* Remember the name to show in /proc/self/maps. */
void pcache_set_name(struct vnode *v, const char *name);

/* Bytes that pages take which can be had again. */
uint64_t pcache_reclaimable(void);
void pcache_shrink_all(void);

void pcache_init(void);

extern const struct vm_object_ops pcache_object_ops;

#endif /* PCACHE_H */
