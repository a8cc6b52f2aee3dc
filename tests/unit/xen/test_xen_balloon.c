/* Compiled with the file under test; Xen's and the allocator's part is played
 * by the test, which has a byte for each page. */
#include "xen/balloon.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake_sched.h"

#define NPAGES 8192u /* 32 MiB */

enum where { OURS, TAKEN, XENS };
static uint8_t where[NPAGES]; /* as the guest believes */
static bool has[NPAGES];      /* as Xen believes */
static unsigned npages_out;
static unsigned floor_pages; /* the allocator gives no more than this */
static unsigned limit;       /* pages of a hypercall that Xen does */
static long lie;             /* what it answers instead; 0: the truth */
static unsigned nlarge;

struct boot_info boot_info;

/* --- the allocator ------------------------------------------------------- */

static bool find(enum where w, unsigned order, struct balloon_block *b)
{
	unsigned n = 1u << order;

	for (unsigned i = 0; i < NPAGES; i += n) {
		unsigned k = 0;

		while (k < n && where[i + k] == w)
			k++;
		if (k < n)
			continue;
		b->pa = (paddr_t)i << PAGE_SHIFT;
		b->order = order;
		return true;
	}
	return false;
}

static void mark(const struct balloon_block *b, enum where from, enum where to)
{
	for (unsigned i = 0; i < 1u << b->order; i++) {
		assert_int_equal(where[(b->pa >> PAGE_SHIFT) + i], from);
		where[(b->pa >> PAGE_SHIFT) + i] = (uint8_t)to;
		npages_out += (to == XENS) - (from == XENS);
	}
}

bool balloon_take(struct balloon_block *b, uint64_t most)
{
	unsigned ours = 0;

	for (unsigned i = 0; i < NPAGES; i++)
		ours += where[i] == OURS;
	if (!(most >= BLOCK_PAGES && ours >= floor_pages + BLOCK_PAGES &&
		find(OURS, BALLOON_ORDER, b)) &&
	    !(ours > floor_pages && find(OURS, 0, b)))
		return false;
	mark(b, OURS, TAKEN);
	return true;
}

void balloon_keep(const struct balloon_block *b)
{
	mark(b, TAKEN, XENS);
}

bool balloon_pick(struct balloon_block *b, uint64_t most)
{
	if (!(most >= BLOCK_PAGES && find(XENS, BALLOON_ORDER, b)) &&
	    !find(XENS, 0, b))
		return false;
	mark(b, XENS, TAKEN);
	return true;
}

void balloon_give(const struct balloon_block *b)
{
	mark(b, TAKEN, OURS);
}

uint64_t balloon_pages(void)
{
	return npages_out;
}

/* --- Xen ----------------------------------------------------------------- */

long xen_hypercall(unsigned nr, unsigned long cmd, unsigned long b,
    unsigned long c, unsigned long d)
{
	struct xen_memory_reservation *r = (void *)b;
	unsigned n = 1u << r->extent_order, done = 0;
	bool away = cmd == XENMEM_decrease_reservation;

	(void)c;
	(void)d;
	assert_int_equal(nr, __HYPERVISOR_memory_op);
	assert_true(away || cmd == XENMEM_populate_physmap);
	assert_int_equal(r->domid, DOMID_SELF);
	nlarge += n > 1;
	for (; done < r->nr_extents && limit >= n; done++, limit -= n) {
		for (unsigned i = 0; i < n; i++) {
			xen_pfn_t pfn = r->extent_start.p[done] + i;

			assert_true(pfn < NPAGES);
			/* Never what the guest may be using. */
			assert_int_equal(where[pfn], TAKEN);
			assert_true(has[pfn] == away);
			has[pfn] = !away;
		}
	}
	return lie ? lie : (long)done;
}

static char store_target[32];

int xs_read_u64(struct xs_txn *txn, const char *dir, const char *node,
    uint64_t dflt, uint64_t *out)
{
	(void)txn;
	(void)dflt;
	assert_string_equal(dir, "memory");
	*out = strcmp(node, "target") == 0 ? strtoull(store_target, NULL, 10)
					   : NPAGES * 4;
	return 0;
}

int xs_watch_add(struct xs_watch *w)
{
	(void)w;
	return 0;
}

void mm_stats(struct mm_stats *st)
{
	memset(st, 0, sizeof(*st));
}

void *kstack_alloc(void)
{
	return NULL;
}

void kstack_free(void *p)
{
	(void)p;
}

/* --- tests --------------------------------------------------------------- */

static int setup(void **state)
{
	(void)state;
	memset(where, OURS, sizeof(where));
	memset(has, true, sizeof(has));
	npages_out = floor_pages = nlarge = 0;
	limit = UINT32_MAX;
	lie = 0;
	static_max = NPAGES * 4;
	target = 0;
	return 0;
}

static void set_target(unsigned kb)
{
	snprintf(store_target, sizeof(store_target), "%u", kb);
	target_written(NULL, "memory/target");
	assert_true(take_news());
}

static void agree(void)
{
	for (unsigned i = 0; i < NPAGES; i++) {
		assert_int_not_equal(where[i], TAKEN);
		assert_true(has[i] == (where[i] == OURS));
	}
}

static void test_down_and_up(void **state)
{
	(void)state;
	assert_true(move()); /* no target yet */
	assert_int_equal(npages_out, 0);
	set_target(NPAGES * 4 - 8192);
	assert_true(move());
	assert_int_equal(npages_out, 2048);
	assert_true(nlarge == 4);
	agree();
	set_target(NPAGES * 4 - 8188);
	assert_true(move());
	assert_int_equal(npages_out, 2047);
	agree();
	set_target(NPAGES * 4);
	assert_true(move());
	assert_int_equal(npages_out, 0);
	agree();
	/* More than there can be is all there is. */
	set_target(NPAGES * 8);
	assert_true(move());
	agree();
}

static void test_floor(void **state)
{
	(void)state;
	floor_pages = 3000;
	set_target(4096);
	assert_false(move());
	assert_int_equal(npages_out, NPAGES - 3000);
	agree();
}

/* Xen does a part of what it is asked for. */
static void test_partial(void **state)
{
	(void)state;
	limit = 700;
	set_target(NPAGES * 4 - 8192);
	assert_false(move());
	assert_int_equal(npages_out, 700);
	agree();
	limit = UINT32_MAX;
	assert_true(move());
	agree();
	limit = 100;
	set_target(NPAGES * 4);
	assert_false(move());
	agree();
	limit = UINT32_MAX;
	assert_true(move());
	assert_int_equal(npages_out, 0);
	agree();
}

/* An answer that makes no sense does not lead out of bounds. */
static void test_lies(void **state)
{
	static const long lies[] = { -1, -38, INT32_MAX, INT32_MIN, 513 };

	for (unsigned i = 0; i < ARRAY_SIZE(lies); i++) {
		setup(state);
		limit = 0;
		lie = lies[i];
		set_target(NPAGES * 4 - 8192);
		assert_true(move() == (lies[i] > 0));
		for (unsigned k = 0; k < NPAGES; k++)
			assert_int_not_equal(where[k], TAKEN);
	}
}

static void test_bad_target(void **state)
{
	(void)state;
	set_target(NPAGES * 4 - 8192);
	strcpy(store_target, "0");
	target_written(NULL, "memory/target");
	assert_false(take_news());
	assert_int_equal(goal(), 2048);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_down_and_up),
		TEST(test_floor),
		TEST(test_partial),
		TEST(test_lies),
		TEST(test_bad_target),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
