/*
 * Ballooning: how much memory the domain has follows memory/target, which "xl
 * mem-set" writes.
 *
 * Sources: xen/include/public/memory.h; docs/misc/xenstore-paths.pandoc,
 * ~/memory/target and ~/memory/static-max, both in KiB.  The target does not
 * count what the memory map does not show; neither does static-max, so it is
 * their difference that the balloon has to hold.
 */

#include "kern/balloon.h"

#include "kern/boot.h"
#include "kern/clock.h"
#include "kern/log.h"
#include "kern/num.h"
#include "kern/sched.h"
#include "xen/xenstore.h"
#include "xen_int.h"
#include <xen/memory.h>

#define BLOCK_PAGES (1u << BALLOON_ORDER)
#define RETRY_MIN   (250 * NSEC_PER_MSEC)
#define RETRY_MAX   (32 * NSEC_PER_SEC)

static uint64_t static_max; /* KiB */

/* The watch and the worker meet here. */
static struct mutex lock = MUTEX_INIT(lock);
static struct waitq changed = WAITQ_INIT(changed);
static uint64_t target; /* KiB; 0: not known yet */
static bool news;       /* the target was written */

/* --- hypercalls ---------------------------------------------------------- */

/* How many of the (n) extents Xen says it has done: no more than that. */
static unsigned reserve(unsigned op, xen_pfn_t *pfn, unsigned n, unsigned order)
{
	struct xen_memory_reservation r = {
		.nr_extents = n,
		.extent_order = order,
		.domid = DOMID_SELF,
	};
	int done;

	set_xen_guest_handle(r.extent_start, pfn);
	done = hypercall_memory(op, &r);
	return done < 0 ? 0 : MIN((unsigned)done, n);
}

/* The same for one block, page by page when Xen will not do it at once: how
 * many of its pages, from the first on. */
static unsigned reserve_block(unsigned op, const struct balloon_block *b)
{
	static xen_pfn_t pfn[BLOCK_PAGES]; /* the worker's alone */
	unsigned n = 1u << b->order;

	pfn[0] = b->pa >> PAGE_SHIFT;
	if (b->order && reserve(op, pfn, 1, b->order) == 1)
		return n;
	for (unsigned i = 0; i < n; i++)
		pfn[i] = (b->pa >> PAGE_SHIFT) + i;
	return reserve(op, pfn, n, 0);
}

/* The first (done) pages of (b) go one way, the others the other way. */
static void settle(const struct balloon_block *b, unsigned done,
    void (*did)(const struct balloon_block *),
    void (*rest)(const struct balloon_block *))
{
	unsigned n = 1u << b->order;

	if (done == n) {
		did(b);
		return;
	}
	if (done == 0) {
		rest(b);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		struct balloon_block page = { b->pa + i * PAGE_SIZE, 0 };

		(i < done ? did : rest)(&page);
	}
}

/* --- the steps ----------------------------------------------------------- */

static bool inflate(uint64_t most)
{
	struct balloon_block b;
	unsigned done;

	if (!balloon_take(&b, most))
		return false;
	done = reserve_block(XENMEM_decrease_reservation, &b);
	settle(&b, done, balloon_keep, balloon_give);
	return done != 0;
}

static bool deflate(uint64_t most)
{
	struct balloon_block b;
	unsigned done;

	if (!balloon_pick(&b, most))
		return false;
	done = reserve_block(XENMEM_populate_physmap, &b);
	settle(&b, done, balloon_give, balloon_keep);
	return done != 0;
}

/* Pages that the balloon should hold. */
static uint64_t goal(void)
{
	uint64_t pages;

	mutex_lock(&lock);
	pages = target && target < static_max
		    ? (static_max - target) / (PAGE_SIZE / 1024)
		    : 0;
	mutex_unlock(&lock);
	return pages;
}

/* Go towards the target.  False: no further for now. */
static bool move(void)
{
	uint64_t want = goal(), now = balloon_pages();

	while (now != want) {
		if (!(now < want ? inflate(want - now) : deflate(now - want)))
			return false;
		sched_yield_cpu();
		want = goal();
		now = balloon_pages();
	}
	return true;
}

/* --- the worker ---------------------------------------------------------- */

static void wait_for_news(uint64_t deadline)
{
	mutex_lock(&lock);
	if (!news)
		(void)waitq_wait_mutex(&changed, &lock, deadline, 0);
	mutex_unlock(&lock);
}

static bool take_news(void)
{
	bool was;

	mutex_lock(&lock);
	was = news;
	news = false;
	mutex_unlock(&lock);
	return was;
}

static void log_size(bool there)
{
	struct mm_stats st;

	mm_stats(&st);
	log_info("xen: memory is %llu MiB now%s",
	    (unsigned long long)(st.total >> 20),
	    there ? "" : ", which is not the target: trying on");
}

static void worker(void *arg)
{
	uint64_t pause = RETRY_MIN;

	(void)arg;
	for (;;) {
		bool fresh = take_news(), there = move();

		if (fresh || there)
			pause = RETRY_MIN;
		if (fresh)
			log_size(there);
		wait_for_news(there ? TIME_NEVER : clock_mono() + pause);
		pause = MIN(2 * pause, RETRY_MAX);
	}
}

/* --- the store ----------------------------------------------------------- */

static void target_written(struct xs_watch *w, const char *path)
{
	uint64_t kb;

	(void)w;
	(void)path;
	if (xs_read_u64(NULL, "memory", "target", 0, &kb) != 0 || kb == 0) {
		log_once(LOG_WARN, "xen: memory/target makes no sense");
		return;
	}
	mutex_lock(&lock);
	target = kb;
	news = true;
	waitq_wake_all(&changed);
	mutex_unlock(&lock);
}

/*
 * Xen counts what the map shows but is not there as still to be filled in on
 * demand: say that it never will be, else what is filled in later is missing
 * elsewhere.
 */
static void release_absent(void)
{
	for (unsigned i = 0; i < boot_info.nmem; i++) {
		const struct boot_mem *m = &boot_info.mem[i];
		struct balloon_block b = { m->pa, 0 };

		if (m->type != BOOT_MEM_ABSENT)
			continue;
		for (; b.pa < m->pa + m->len; b.pa += PAGE_SIZE << b.order) {
			b.order = IS_ALIGNED(b.pa, BLOCK_PAGES * PAGE_SIZE) &&
					  m->pa + m->len - b.pa >=
					      BLOCK_PAGES * PAGE_SIZE
				      ? BALLOON_ORDER
				      : 0;
			(void)reserve_block(XENMEM_decrease_reservation, &b);
		}
	}
}

void xen_balloon_init(void)
{
	static struct xs_watch watch = { .path = "memory/target",
		.fn = target_written };
	struct thread *t;
	int err;

	err = xs_read_u64(NULL, "memory", "static-max", 0, &static_max);
	if (err || static_max == 0) {
		log_warn("xen: no memory/static-max: no ballooning");
		return;
	}
	release_absent();
	if (thread_create(&t, "xenballoon", worker, NULL, -1) != 0) {
		log_warn("xen: no memory: no ballooning");
		return;
	}
	thread_start(t);
	thread_put(t);
	if (xs_watch_add(&watch) != 0)
		log_warn("xen: xl mem-set will not be heard");
}
