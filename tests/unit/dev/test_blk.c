/* Requests on their way to a disk: bounds, a ring that is full, removal. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kern/mm.h"

#include "fake_mm.h"
#include "fake_sched.h"
#include "kern/arch.h"
#include "kern/blk.h"
#include "kern/sched.h"

/* --- a driver ------------------------------------------------------------ */

#define SECTORS 256
#define RING    4

static uint8_t media[SECTORS * 512];
static struct blk_req *ring[RING];
static unsigned nring, kicks, requests;
static int break_with;

static int drv_submit(struct blk_dev *b, unsigned queue, struct blk_req *r)
{
	(void)b;
	assert_int_equal(queue, 0);
	if (break_with)
		return break_with;
	if (nring == RING)
		return -EAGAIN;
	ring[nring++] = r;
	requests++;
	return 0;
}

static void drv_kick(struct blk_dev *b, unsigned queue)
{
	(void)b;
	(void)queue;
	kicks++;
}

static const struct blk_ops ops = { drv_submit, drv_kick };
static struct blk_dev disk;

static void drv_transfer(struct blk_req *r)
{
	uint8_t *at = media + r->sector * 512;

	for (unsigned i = 0; i < r->nseg; i++) {
		if (r->op == BLK_WRITE)
			memcpy(at, r->seg[i].va, r->seg[i].len);
		else
			memcpy(r->seg[i].va, at, r->seg[i].len);
		at += r->seg[i].len;
	}
}

/* Finish the oldest request. */
static void drv_finish(int status)
{
	struct blk_req *r = ring[0];

	assert_true(nring > 0);
	memmove(ring, ring + 1, --nring * sizeof(ring[0]));
	if (!status && (r->op == BLK_READ || r->op == BLK_WRITE))
		drv_transfer(r);
	blk_done(&disk, r, status);
	blk_dev_space(&disk, 0);
}

static void finish_when_asleep(void *arg)
{
	drv_finish(*(int *)arg);
}

static void finish_all(void *arg)
{
	while (nring)
		drv_finish(*(int *)arg);
}

static int setup(void **state)
{
	static int zero;

	(void)state;
	memset(&disk, 0, sizeof(disk));
	strcpy(disk.name, "vdx");
	disk.ops = &ops;
	disk.info = (struct blk_info){ .nsectors = SECTORS,
		.sector_size = 512,
		.max_seg = 3,
		.nqueues = 1 };
	nring = kicks = requests = 0;
	break_with = 0;
	for (size_t i = 0; i < sizeof(media); i++)
		media[i] = (uint8_t)(i / 512 + i);
	fake_sleep_hook = finish_when_asleep;
	fake_sleep_arg = &zero;
	return blk_dev_register(&disk);
}

static int teardown(void **state)
{
	(void)state;
	blk_dev_unregister(&disk);
	assert_int_equal(fake_mm_live(), 0);
	assert_int_equal(fake_locks_held(), 0);
	return 0;
}

/* --- requests ------------------------------------------------------------ */

struct request {
	struct blk_req r;
	struct blk_seg seg[4];
	unsigned done;
};

static uint8_t *page;

static void done(struct blk_req *r)
{
	((struct request *)(void *)r)->done++;
}

static struct request make(enum blk_op op, uint64_t sector, unsigned nseg)
{
	struct request q = {
		.r = { .op = op, .sector = sector, .nseg = nseg, .done = done }
	};

	for (unsigned i = 0; i < nseg && i < 4; i++)
		q.seg[i] = (struct blk_seg){ page + i * 512, 512 };
	return q;
}

static int submit(struct request *q)
{
	q->r.seg = q->seg;
	return blk_submit(&disk, &q->r);
}

static int page_setup(void **state)
{
	setup(state);
	page = page_alloc(0, 0);
	return 0;
}

static int page_teardown(void **state)
{
	page_free(page, 0);
	return teardown(state);
}

static void test_refused(void **state)
{
	struct request q;

	(void)state;
	q = make(BLK_READ, 0, 4); /* more pieces than it can take */
	assert_int_equal(submit(&q), -EINVAL);
	q = make(BLK_READ, 0, 0);
	assert_int_equal(submit(&q), -EINVAL);
	q = make(BLK_READ, 0, 1);
	q.seg[0].len = 100;
	assert_int_equal(submit(&q), -EINVAL);
	q.seg[0].len = 0;
	assert_int_equal(submit(&q), -EINVAL);
	q.seg[0].len = 512;
	q.seg[0].va = page + 1;
	assert_int_equal(submit(&q), -EINVAL);
	q.seg[0].va = page + 3584;
	q.seg[0].len = 1024; /* over the end of the page */
	assert_int_equal(submit(&q), -EINVAL);
	q = make(BLK_READ, SECTORS - 1, 2);
	assert_int_equal(submit(&q), -EIO);
	q = make(BLK_READ, UINT64_MAX, 1);
	assert_int_equal(submit(&q), -EIO);
	q = make(BLK_FLUSH, 0, 0);
	assert_int_equal(submit(&q), -EOPNOTSUPP);
	q = make(BLK_DISCARD, 0, 0);
	assert_int_equal(submit(&q), -EOPNOTSUPP);
	disk.info.readonly = true;
	q = make(BLK_WRITE, 0, 1);
	assert_int_equal(submit(&q), -EROFS);
	disk.info.sector_size = 4096;
	q = make(BLK_READ, 1, 1);
	assert_int_equal(submit(&q), -EINVAL);
	assert_int_equal(requests, 0);
}

static void test_full_ring(void **state)
{
	struct request q[10];

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		q[i] = make(BLK_READ, i, 1);
		assert_int_equal(submit(&q[i]), 0);
	}
	assert_int_equal(requests, RING);
	for (unsigned i = 0; i < 10; i++) {
		/* In the order in which they were asked for. */
		assert_ptr_equal(ring[0], &q[i].r);
		drv_finish(i == 3 ? -EIO : 0);
		assert_int_equal(q[i].done, 1);
		assert_int_equal(q[i].r.status, i == 3 ? -EIO : 0);
	}
	assert_int_equal(requests, 10);
	assert_int_equal(disk.inflight, 0);
}

static void test_broken_while_waiting(void **state)
{
	struct request q[6];

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		q[i] = make(BLK_READ, i, 1);
		assert_int_equal(submit(&q[i]), 0);
	}
	break_with = -EIO;
	drv_finish(0);
	assert_int_equal(q[4].r.status, -EIO);
	assert_int_equal(q[5].r.status, -EIO);
	assert_int_equal(q[4].done + q[5].done, 2);
	break_with = 0;
	while (nring)
		drv_finish(0);
}

static void test_removal(void **state)
{
	struct request q[6], late = make(BLK_READ, 0, 1);
	struct blk_dev *user;

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		q[i] = make(BLK_READ, i, 1);
		submit(&q[i]);
	}
	user = blk_dev_get("vdx");
	assert_ptr_equal(user, &disk);
	assert_null(blk_dev_get("vdy"));
	blk_dev_put(user);
	/* It sleeps until the driver has finished what it has. */
	fake_sleep_hook = finish_all;
	blk_dev_unregister(&disk);
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(q[i].done, 1);
		assert_int_equal(q[i].r.status, i < RING ? 0 : -EIO);
	}
	assert_int_equal(submit(&late), -EIO);
	assert_null(blk_dev_get("vdx"));
	assert_null(blk_dev_nth(0));
	setup(NULL);
}

static void test_names(void **state)
{
	struct blk_dev twin = disk, odd = disk;

	(void)state;
	assert_int_equal(blk_dev_register(&twin), -EEXIST);
	strcpy(odd.name, "odd");
	odd.info.sector_size = 100;
	assert_int_equal(blk_dev_register(&odd), -EINVAL);
	odd.info.sector_size = 512;
	odd.info.nsectors = UINT64_MAX;
	assert_int_equal(blk_dev_register(&odd), -EINVAL);
	assert_null(blk_dev_nth(1));
}

static void test_changed(void **state)
{
	struct blk_req r = { .op = BLK_WRITE };

	(void)state;
	assert_int_equal(blk_dev_changed(&disk, SECTORS / 2, true), 0);
	assert_int_equal(disk.info.nsectors, SECTORS / 2);
	assert_int_equal(blk_submit(&disk, &r), -EROFS);
	disk.info.sector_size = 4096;
	assert_int_equal(blk_dev_changed(&disk, 31, false), 0);
	assert_int_equal(disk.info.nsectors, 24); /* whole ones */
	assert_int_equal(blk_dev_changed(&disk, UINT64_MAX, true), -EINVAL);
	assert_int_equal(disk.info.nsectors, 24);
	assert_false(disk.info.readonly);
}

/* A disk may tell with the answer only that it has no cache to flush. */
static void test_flush(void **state)
{
	int status = -EOPNOTSUPP;

	(void)state;
	disk.info.can_flush = disk.info.readonly = true;
	fake_sleep_hook = finish_when_asleep;
	fake_sleep_arg = &status;
	assert_int_equal(blk_flush(&disk), 0);
	status = -EIO; /* as if it had written something */
	assert_int_equal(blk_flush(&disk), 0);
	disk.info.readonly = false;
	assert_int_equal(blk_flush(&disk), -EIO);
	assert_int_equal(requests, 3);
	disk.info.can_flush = false;
	assert_int_equal(blk_flush(&disk), 0);
	assert_int_equal(requests, 3);
}

/* --- and wait ------------------------------------------------------------ */

static void test_read_write(void **state)
{
	static uint8_t buf[100 * 512];

	(void)state;
	assert_int_equal(blk_rw(&disk, BLK_READ, 10, buf, sizeof(buf)), 0);
	assert_memory_equal(buf, media + 10 * 512, sizeof(buf));
	memset(buf, 0x5a, sizeof(buf));
	assert_int_equal(blk_rw(&disk, BLK_WRITE, 1, buf, 5 * 512), 0);
	assert_memory_equal(media + 512, buf, 5 * 512);
	assert_int_equal(media[6 * 512], 6);
	assert_int_equal(blk_rw(&disk, BLK_READ, 0, buf, 100), -EINVAL);
	assert_int_equal(blk_rw(&disk, BLK_READ, 250, buf, 10 * 512), -EIO);
	assert_int_equal(blk_rw(&disk, BLK_FLUSH, 0, buf, 512), -EINVAL);
	assert_int_equal(blk_flush(&disk), 0); /* has no cache */
}

static void test_pages(void **state)
{
	void *pages[8];

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		pages[i] = page_alloc(0, 0);
	requests = 0;
	assert_int_equal(blk_rw_pages(&disk, BLK_READ, 8, pages, 8), 0);
	assert_int_equal(requests, 3); /* three pieces at once */
	for (unsigned i = 0; i < 8; i++) {
		assert_memory_equal(
		    pages[i], media + (8 + i * 8) * 512, PAGE_SIZE);
		page_free(pages[i], 0);
	}
}

static void test_errors(void **state)
{
	static int eio = -EIO;
	uint8_t buf[1024];

	(void)state;
	fake_sleep_arg = &eio;
	assert_int_equal(blk_rw(&disk, BLK_READ, 0, buf, 1024), -EIO);
	break_with = -EIO;
	assert_int_equal(blk_rw(&disk, BLK_READ, 0, buf, 1024), -EIO);
	break_with = 0;
	fake_mm_fail_nth(1);
	assert_int_equal(blk_rw(&disk, BLK_READ, 0, buf, 1024), -ENOMEM);
	fake_mm_fail_nth(0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, page_setup, page_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_refused),
		TEST(test_full_ring),
		TEST(test_broken_while_waiting),
		TEST(test_removal),
		TEST(test_names),
		TEST(test_changed),
		TEST(test_flush),
		TEST(test_read_write),
		TEST(test_pages),
		TEST(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
