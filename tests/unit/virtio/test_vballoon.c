/* The balloon driver, compiled with the test, against a device and an
 * allocator that the test plays.  The driver's thread is the test. */
#include "virtio/vballoon.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_device.h"
#include "fake_mm.h"
#include "fake_sched.h"

#define NBLOCK 8u
#define REPORT 3u /* the queue's number: nothing before it is missing */

static struct fdev fd;
static struct vballoon *vb;

/* --- the allocator: blocks of 2 MiB, from 1 GiB on ------------------------ */

static unsigned floor_blocks, nours, nout;
static unsigned ntaken; /* between take or pick, and keep or give */
static uint64_t npages;
static uint64_t block_at[NBLOCK];
static unsigned nreported, noffered, ndropped;
static char report_block[4][16];

bool balloon_take(struct balloon_block *b, uint64_t most)
{
	if (nours <= floor_blocks || most < BLOCK_PAGES)
		return false;
	b->order = BALLOON_ORDER;
	b->pa = (1ull << 30) + (uint64_t)(--nours) * BLOCK_PAGES * PAGE_SIZE;
	ntaken++;
	return true;
}

void balloon_keep(const struct balloon_block *b)
{
	ntaken--;
	block_at[nout++] = b->pa;
	npages += BLOCK_PAGES;
}

bool balloon_pick(struct balloon_block *b, uint64_t most)
{
	if (nout == 0 || most < BLOCK_PAGES)
		return false;
	b->order = BALLOON_ORDER;
	b->pa = block_at[--nout];
	npages -= BLOCK_PAGES;
	ntaken++;
	return true;
}

void balloon_give(const struct balloon_block *b)
{
	(void)b;
	ntaken--;
	nours++;
}

uint64_t balloon_pages(void)
{
	return npages;
}

void *page_report_take(unsigned least, unsigned *order)
{
	assert_int_equal(least, BALLOON_ORDER);
	*order = BALLOON_ORDER;
	return noffered < ARRAY_SIZE(report_block) ? report_block[noffered++]
						   : NULL;
}

void page_report_done(void *va, unsigned order, bool reported)
{
	(void)va;
	assert_int_equal(order, BALLOON_ORDER);
	if (reported)
		nreported++;
	else
		ndropped++;
	/* Not before the device has done with it, or cannot any more. */
	assert_true(reported || fd.status == 0);
}

/* --- the device ---------------------------------------------------------- */

enum manner { HONEST, SILENT, WRONG_ID, TWICE, LONG };
static enum manner manner;
static uint32_t told[2][NBLOCK * BLOCK_PAGES];
static unsigned ntold[2], nsegs;

static void serve(unsigned q)
{
	struct fdev_chain c;

	while (manner != SILENT && fdev_pop(&fd, q, &c)) {
		for (unsigned i = 0; q < 2 && i < c.nout; i++) {
			memcpy(told[q] + ntold[q], c.seg[i].va, c.seg[i].len);
			ntold[q] += c.seg[i].len / 4;
		}
		nsegs += q == REPORT ? c.nin : 0;
		fdev_push(&fd, q, manner == WRONG_ID ? 1000 : c.id,
		    manner == LONG ? UINT32_MAX : 0);
		if (manner == TWICE)
			fdev_push(&fd, q, c.id, 0);
		fdev_irq(&fd, q);
	}
}

static void device(void *arg)
{
	(void)arg;
	serve(0);
	serve(1);
	serve(REPORT);
}

static void stop(void *arg)
{
	(void)arg;
	wake(vb, &vb->stop);
}

static void ask(uint32_t pages)
{
	fdev_config(&fd, 0, &pages, sizeof(pages));
	fdev_config_irq(&fd);
}

static uint32_t shown(void)
{
	uint32_t n;

	memcpy(&n, fd.config + 4, sizeof(n));
	return n;
}

#define ALL                                               \
	(VIRTIO_BIT(VIRTIO_BALLOON_F_STATS_VQ) |          \
	    VIRTIO_BIT(VIRTIO_BALLOON_F_DEFLATE_ON_OOM) | \
	    VIRTIO_BIT(VIRTIO_BALLOON_F_REPORTING))

static int setup(void **state)
{
	(void)state;
	manner = HONEST;
	floor_blocks = 0;
	nours = NBLOCK;
	nout = ntaken = nreported = noffered = ndropped = nsegs = 0;
	npages = 0;
	memset(ntold, 0, sizeof(ntold));
	fdev_init(&fd, VIRTIO_ID_BALLOON, ALL);
	fake_sleep_hook = device;
	assert_int_equal(fdev_attach(&fd), 0);
	vb = fd.vd.dev.softc;
	return 0;
}

/* All memory is ours again, and nothing is left. */
static int end(void **state)
{
	(void)state;
	fake_sleep_hook = stop;
	fake_thread_run(vb->thread);
	fdev_remove(&fd);
	fake_sleep_hook = NULL;
	assert_int_equal(nours, NBLOCK);
	assert_int_equal(ntaken, 0);
	assert_false(fd.irq_on);
	assert_int_equal(fake_locks_held(), 0);
	assert_int_equal(fake_mm_live(), 0);
	return 0;
}

/* --- tests --------------------------------------------------------------- */

static void test_down_and_up(void **state)
{
	uint32_t first = (1u << 18) + (NBLOCK - 1) * BLOCK_PAGES;

	(void)state;
	ask(2 * BLOCK_PAGES);
	assert_true(move(vb));
	assert_int_equal(ntold[0], 2 * BLOCK_PAGES);
	for (unsigned i = 0; i < BLOCK_PAGES; i++) {
		assert_int_equal(told[0][i], first + i);
		assert_int_equal(
		    told[0][BLOCK_PAGES + i], first - BLOCK_PAGES + i);
	}
	assert_int_equal(shown(), 2 * BLOCK_PAGES);
	ask(BLOCK_PAGES);
	assert_true(move(vb));
	assert_int_equal(ntold[1], BLOCK_PAGES);
	assert_int_equal(told[1][0], first - BLOCK_PAGES);
	assert_int_equal(shown(), BLOCK_PAGES);
}

/* More than there is: what can be had, and the device stays. */
static void test_absurd(void **state)
{
	(void)state;
	floor_blocks = 3;
	ask(UINT32_MAX);
	assert_false(move(vb));
	assert_int_equal(nout, NBLOCK - 3);
	assert_false(fd.vd.broken);
	assert_int_equal(shown(), (NBLOCK - 3) * BLOCK_PAGES);
}

static void lies(enum manner how)
{
	manner = how;
	ask(2 * BLOCK_PAGES);
	assert_false(move(vb));
	(void)report_some(vb);
	assert_true(fd.vd.broken);
	assert_int_equal(ntaken, 0);
}

static void test_wrong_id(void **state)
{
	(void)state;
	lies(WRONG_ID);
}

static void test_long(void **state)
{
	(void)state;
	lies(LONG);
}

static void test_silent(void **state)
{
	(void)state;
	lies(SILENT);
}

/* The second answer is noticed with the next request at the latest. */
static void test_twice(void **state)
{
	(void)state;
	lies(TWICE);
}

static void test_report(void **state)
{
	(void)state;
	while (report_some(vb))
		;
	assert_int_equal(nsegs, 4);
	assert_int_equal(nreported, 4);
	assert_int_equal(ndropped, 0);
}

static void test_report_silent(void **state)
{
	(void)state;
	manner = SILENT;
	assert_false(report_some(vb));
	assert_int_equal(nreported, 0);
	assert_int_equal(ndropped, 4);
	assert_true(fd.vd.broken);
}

static void test_stats(void **state)
{
	struct virtio_balloon_stat *s;
	struct fdev_chain c;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		assert_true(fdev_pop(&fd, 2, &c));
		assert_int_equal(c.nin, 0);
		assert_int_equal(c.seg[0].len, NSTATS * sizeof(*s));
		s = (void *)c.seg[0].va;
		assert_int_equal(s[3].tag, VIRTIO_BALLOON_S_MEMTOT);
		assert_int_equal(s[3].val, 1ull << 30);
		fdev_push(&fd, 2, c.id, 0);
		fdev_irq(&fd, 2);
		assert_true(move(vb));
	}
}

/* It gives way, and statistics do not make it grow again. */
static void test_oom(void **state)
{
	struct fdev_chain c;

	(void)state;
	ask(4 * BLOCK_PAGES);
	assert_true(move(vb));
	assert_int_equal(vballoon_shrink(&vb->shrinker, PAGE_SIZE, false), 0);
	assert_int_equal(
	    vballoon_shrink(&vb->shrinker, 2 * BLOCK_PAGES * PAGE_SIZE, true),
	    2 * BLOCK_PAGES * PAGE_SIZE);
	assert_true(fdev_pop(&fd, 2, &c));
	fdev_push(&fd, 2, c.id, 0);
	fdev_irq(&fd, 2);
	(void)move(vb);
	assert_int_equal(nout, 2);
	ask(4 * BLOCK_PAGES);
	assert_true(move(vb));
	assert_int_equal(nout, 4);
}

static void test_no_memory(void **state)
{
	int err = -ENOMEM;

	(void)state;
	for (long n = 1; err; n++) {
		fdev_init(&fd, VIRTIO_ID_BALLOON, ALL);
		fake_mm_fail_nth(n);
		err = fdev_attach(&fd);
		if (!fake_mm_failed())
			assert_int_equal(err, 0);
		if (err)
			assert_int_equal(fake_mm_live(), 0);
		assert_true(n < 100);
	}
	fake_mm_fail_nth(0);
	vb = fd.vd.dev.softc;
	nours = NBLOCK;
	nout = ntaken = 0;
	(void)end(state);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_down_and_up),
		TEST(test_absurd),
		TEST(test_wrong_id),
		TEST(test_long),
		TEST(test_silent),
		TEST(test_twice),
		TEST(test_report),
		TEST(test_report_silent),
		TEST(test_stats),
		TEST(test_oom),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
