/* The grant table in both layouts, with Xen's part played by the test. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake_mm.h"
#include "fake_sched.h"
#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/param.h"
#include "kern/sched.h"
#include "xen/gnttab.h"
#include "xen/xen_int.h"
#include <xen/memory.h>

#define FRAMES 4u /* that Xen allows */

static void *frame[FRAMES], *status_frame[FRAMES];
static const char *version;
static unsigned fail_map;

/* --- Xen ---------------------------------------------------------------- */

long xen_hypercall(unsigned nr, unsigned long cmd, unsigned long b,
    unsigned long c, unsigned long d)
{
	struct gnttab_query_size *q = (void *)b;
	struct gnttab_set_version *v = (void *)b;

	(void)c;
	(void)d;
	assert_int_equal(nr, __HYPERVISOR_grant_table_op);
	if (cmd == GNTTABOP_query_size) {
		q->max_nr_frames = FRAMES;
		q->status = GNTST_okay;
	} else {
		assert_int_equal(cmd, GNTTABOP_set_version);
		assert_int_equal(v->version, 2);
	}
	return 0;
}

int xen_add_to_physmap(unsigned space, unsigned long idx, const void *va)
{
	assert_int_equal(space, XENMAPSPACE_grant_table);
	if (fail_map != 0 && --fail_map == 0)
		return -ENOMEM;
	if (idx & XENMAPIDX_grant_table_status)
		status_frame[idx & ~XENMAPIDX_grant_table_status] = (void *)va;
	else
		frame[idx] = (void *)va;
	return 0;
}

const char *param_loader(const char *key, unsigned n)
{
	assert_string_equal(key, "xen.gnttab");
	return n == 0 ? version : NULL;
}

static bool v2(void)
{
	return version != NULL;
}

static uint16_t *flags_of(grant_ref_t ref)
{
	struct grant_entry_v1 *e1 = frame[ref / (v2() ? 256 : 512)];
	union grant_entry_v2 *e2 = (void *)e1;

	return v2() ? &e2[ref % 256].hdr.flags : &e1[ref % 512].flags;
}

static uint64_t frame_of(grant_ref_t ref)
{
	struct grant_entry_v1 *e1 = frame[ref / (v2() ? 256 : 512)];
	union grant_entry_v2 *e2 = (void *)e1;

	return v2() ? e2[ref % 256].full_page.frame : e1[ref % 512].frame;
}

/* The peer maps the page, or lets go of it. */
static void set_mapped(grant_ref_t ref, bool mapped)
{
	uint16_t use = GTF_reading | GTF_writing, *word = flags_of(ref);
	uint16_t *st = status_frame[0];

	if (v2())
		word = &st[ref];
	*word = mapped ? *word | use : *word & ~use;
}

/* --- tests, in this order ------------------------------------------------ */

static void *page;

static void test_grant(void **state)
{
	grant_ref_t a, b;

	(void)state;
	assert_int_equal(gnttab_grant(5, page, false, &a), 0);
	assert_int_equal(gnttab_grant(5, page, true, &b), 0);
	assert_true(a >= GNTTAB_NR_RESERVED_ENTRIES && a != b);
	assert_int_equal(*flags_of(a), GTF_permit_access);
	assert_int_equal(*flags_of(b), GTF_permit_access | GTF_readonly);
	/* Version 1 has 32 bits for it, which a host address may exceed. */
	assert_int_equal(
	    (uint32_t)frame_of(a), (uint32_t)(va_to_pa(page) >> PAGE_SHIFT));
	assert_true(gnttab_revoke(a));
	assert_int_equal(*flags_of(a), 0);
	assert_true(gnttab_revoke(b));
	assert_false(gnttab_revoke(0)); /* the toolstack's */
	assert_false(gnttab_revoke(GNTTAB_REF_NONE));
}

static void test_busy(void **state)
{
	grant_ref_t a, b;

	(void)state;
	assert_int_equal(gnttab_grant(5, page, false, &a), 0);
	set_mapped(a, true);
	assert_false(gnttab_revoke(a));
	/* Still ours: nobody gets it. */
	assert_int_equal(gnttab_grant(5, page, false, &b), 0);
	assert_int_not_equal(a, b);
	set_mapped(a, false);
	assert_true(gnttab_revoke(a));
	assert_true(gnttab_revoke(b));
}

static void test_leak(void **state)
{
	void *mine = page_alloc(0, 0);
	long live = fake_mm_live();
	grant_ref_t a, b, c;

	(void)state;
	assert_int_equal(gnttab_grant(5, mine, false, &a), 0);
	assert_int_equal(gnttab_grant(5, page, false, &b), 0);
	set_mapped(a, true);
	set_mapped(b, true);
	if (v2())
		gnttab_revoke_page(a, mine);
	else
		gnttab_leak(a, NULL); /* the page is not to be found again */
	gnttab_leak(b, NULL);
	assert_int_equal(gnttab_leaked(), 2);
	fake_clock_advance(3 * NSEC_PER_SEC);
	assert_int_equal(gnttab_leaked(), 2);
	assert_int_equal(fake_mm_live(), live);
	assert_int_equal(gnttab_grant(5, page, false, &c), 0);
	assert_true(c != a && c != b);
	assert_true(gnttab_revoke(c));
	set_mapped(b, false);
	fake_clock_advance(2 * NSEC_PER_SEC);
	assert_int_equal(gnttab_leaked(), 1);
	assert_int_equal(fake_mm_live(), live);
	set_mapped(a, false);
	fake_clock_advance(2 * NSEC_PER_SEC);
	assert_int_equal(gnttab_leaked(), 0);
	if (!v2())
		page_put(mine);
	assert_int_equal(fake_mm_live(), live - 1);
	assert_int_equal(fake_timers_pending(), 0);
}

static void test_pool(void **state)
{
	struct gnttab_pool pool;
	grant_ref_t ref[3];

	(void)state;
	assert_int_equal(gnttab_pool_init(&pool, 3), 0);
	for (unsigned i = 0; i < 3; i++)
		ref[i] = gnttab_pool_grant(&pool, 7, page, false);
	assert_int_equal(
	    gnttab_pool_grant(&pool, 7, page, false), GNTTAB_REF_NONE);
	set_mapped(ref[1], true);
	assert_true(gnttab_pool_revoke(&pool, ref[0]));
	assert_false(gnttab_pool_revoke(&pool, ref[1]));
	assert_true(gnttab_pool_revoke(&pool, ref[2]));
	assert_int_equal(pool.n, 2);
	gnttab_leak(ref[1], NULL);
	gnttab_pool_destroy(&pool);
	gnttab_pool_destroy(&pool);
	set_mapped(ref[1], false);
	fake_clock_advance(2 * NSEC_PER_SEC);
	assert_int_equal(gnttab_leaked(), 0);
}

/* All there is, twice; what does not fit is refused and nothing is lost. */
static void test_exhaust(void **state)
{
	unsigned all = FRAMES * (v2() ? 256 : 512) - GNTTAB_NR_RESERVED_ENTRIES;
	struct gnttab_pool pool, other;

	(void)state;
	fail_map = 1;
	assert_int_equal(gnttab_pool_init(&pool, all), -ENOSPC);
	fail_map = 0;
	for (unsigned round = 0; round < 2; round++) {
		assert_int_equal(gnttab_pool_init(&pool, all), 0);
		assert_int_equal(gnttab_pool_init(&other, 1), -ENOSPC);
		gnttab_pool_destroy(&pool);
		assert_int_equal(gnttab_pool_init(&pool, all + 1), -ENOSPC);
	}
}

static void test_no_memory(void **state)
{
	struct gnttab_pool pool;
	long live = fake_mm_live();

	(void)state;
	fake_mm_fail_nth(1);
	assert_int_equal(gnttab_pool_init(&pool, 4), -ENOMEM);
	fake_mm_fail_nth(0);
	assert_int_equal(fake_mm_live(), live);
}

/* The table is for ever, so each version is a program of its own. */
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grant),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_leak),
		cmocka_unit_test(test_pool),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_exhaust),
	};

#ifdef TEST_GNTTAB_V2
	version = "2";
#endif
	page = page_alloc(0, 0);
	if (gnttab_init() != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
