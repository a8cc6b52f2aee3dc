/* The disk driver against a device that the test plays. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>

#include "kern/blk.h"
#include "kern/errno.h"
#include "kern/mm.h"
#include "fake_device.h"
#include "fake_mm.h"
#include "fake_sched.h"

/* --- the layer above ----------------------------------------------------- */

static struct blk_dev *disk;
static int register_result;
static unsigned ndone, nspace, nchanged;

int blk_dev_register(struct blk_dev *bd)
{
	if (register_result)
		return register_result;
	disk = bd;
	return 0;
}

void blk_dev_unregister(struct blk_dev *bd)
{
	assert_ptr_equal(bd, disk);
	disk = NULL;
}

void blk_dev_space(struct blk_dev *bd, unsigned queue)
{
	(void)bd;
	(void)queue;
	assert_int_equal(fake_locks_held(), 0);
	nspace++;
}

int blk_dev_changed(struct blk_dev *bd, uint64_t nsectors, bool readonly)
{
	assert_false(readonly);
	bd->info.nsectors = nsectors;
	nchanged++;
	return 0;
}

void blk_done(struct blk_dev *bd, struct blk_req *req, int status)
{
	(void)bd;
	assert_int_equal(fake_locks_held(), 0);
	assert_int_equal(req->status, status);
	req->cookie = req; /* done */
	ndone++;
}

/* --- fixture ------------------------------------------------------------- */

static struct fdev fd;
static struct virtio_blk_config cfg;
static uint8_t page[64][4096] __attribute__((aligned(4096)));

#define ALL                                                                \
	(VIRTIO_BIT(VIRTIO_BLK_F_SEG_MAX) |                                \
	    VIRTIO_BIT(VIRTIO_BLK_F_SIZE_MAX) |                            \
	    VIRTIO_BIT(VIRTIO_BLK_F_BLK_SIZE) |                            \
	    VIRTIO_BIT(VIRTIO_BLK_F_FLUSH) | VIRTIO_BIT(VIRTIO_BLK_F_MQ) | \
	    VIRTIO_BIT(VIRTIO_BLK_F_DISCARD) |                             \
	    VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC) |                      \
	    VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX))

static int setup(void **state)
{
	(void)state;
	cfg = (struct virtio_blk_config){
		.capacity = 2048,
		.seg_max = 254,
		.size_max = 65536,
		.blk_size = 512,
		.num_queues = 4,
		.max_discard_sectors = 1000,
	};
	fdev_init(&fd, VIRTIO_ID_BLOCK, ALL);
	register_result = 0;
	ndone = nspace = nchanged = 0;
	return 0;
}

static int attach(void)
{
	fdev_config(&fd, 0, &cfg, sizeof(cfg));
	return fdev_attach(&fd);
}

static int end(void **state)
{
	(void)state;
	fdev_remove(&fd);
	assert_null(disk);
	assert_false(fd.irq_on);
	assert_int_equal(fake_mm_live(), 0);
	return 0;
}

static struct blk_seg seg[64];

static struct blk_req request(enum blk_op op, uint64_t sector, unsigned nseg)
{
	for (unsigned i = 0; i < nseg; i++)
		seg[i] = (struct blk_seg){ page[i], 4096 };
	return (struct blk_req){
		.op = op,
		.sector = sector,
		.nsectors = 8ull * nseg,
		.seg = seg,
		.nseg = nseg,
	};
}

static int submit(struct blk_req *req)
{
	int err = disk->ops->submit(disk, 0, req);

	disk->ops->kick(disk, 0);
	return err;
}

static const struct virtio_blk_outhdr *hdr(const struct fdev_chain *c)
{
	assert_int_equal(c->seg[0].len, sizeof(struct virtio_blk_outhdr));
	return (const void *)c->seg[0].va;
}

/* Finish (c) as an honest device does. */
static void answer(const struct fdev_chain *c, uint8_t status)
{
	uint32_t len = 0;

	for (unsigned i = c->nout; i < c->nout + c->nin; i++)
		len += c->seg[i].len;
	*c->seg[c->nout + c->nin - 1].va = status;
	fdev_push(&fd, 0, c->id, len);
	fdev_irq(&fd, 0);
}

/* --- tests --------------------------------------------------------------- */

static void test_attach(void **state)
{
	(void)state;
	assert_int_equal(attach(), 0);
	assert_int_equal(disk->info.nsectors, 2048);
	assert_int_equal(disk->info.sector_size, 512);
	assert_int_equal(disk->info.max_seg, 62);
	assert_int_equal(disk->info.nqueues, 1); /* one cpu */
	assert_true(disk->info.can_flush);
	assert_true(disk->info.can_discard);
	assert_false(disk->info.readonly);
	assert_true(fd.status & VIRTIO_CONFIG_S_DRIVER_OK);
}

static void test_attach_plain(void **state)
{
	(void)state;
	fd.offered =
	    VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(VIRTIO_BLK_F_RO);
	cfg.blk_size = 77; /* not offered: not read */
	assert_int_equal(attach(), 0);
	assert_true(disk->info.readonly);
	assert_false(disk->info.can_flush);
	assert_false(disk->info.can_discard);
	assert_int_equal(disk->info.sector_size, 512);
}

static void test_read(void **state)
{
	struct blk_req req = request(BLK_READ, 100, 3);
	struct fdev_chain c;

	(void)state;
	assert_int_equal(attach(), 0);
	assert_int_equal(disk->ops->submit(disk, 0, &req), 0);
	assert_false(fdev_pop(&fd, 0, &c));
	disk->ops->kick(disk, 0);
	assert_int_equal(fd.q[0].notified, 1);
	assert_true(fdev_pop(&fd, 0, &c));
	assert_int_equal(c.nout, 1);
	assert_int_equal(c.nin, 4);
	assert_int_equal(hdr(&c)->type, VIRTIO_BLK_T_IN);
	assert_int_equal(hdr(&c)->sector, 100);
	assert_ptr_equal(c.seg[2].va, page[1]);
	assert_int_equal(c.seg[4].len, 1);
	assert_int_equal(ndone, 0);
	answer(&c, VIRTIO_BLK_S_OK);
	assert_int_equal(ndone, 1);
	assert_int_equal(req.status, 0);
}

static void test_others(void **state)
{
	struct blk_req w = request(BLK_WRITE, 5, 2);
	struct blk_req f = request(BLK_FLUSH, 0, 0);
	struct blk_req d = request(BLK_DISCARD, 16, 0);
	const struct virtio_blk_discard_write_zeroes *r;
	struct fdev_chain c;

	(void)state;
	assert_int_equal(attach(), 0);
	assert_int_equal(submit(&w), 0);
	assert_true(fdev_pop(&fd, 0, &c));
	assert_int_equal(hdr(&c)->type, VIRTIO_BLK_T_OUT);
	assert_int_equal(c.nout, 3);
	assert_int_equal(c.nin, 1);
	answer(&c, VIRTIO_BLK_S_IOERR);
	assert_int_equal(w.status, -EIO);
	assert_int_equal(submit(&f), 0);
	assert_true(fdev_pop(&fd, 0, &c));
	assert_int_equal(hdr(&c)->type, VIRTIO_BLK_T_FLUSH);
	assert_int_equal(c.nout + c.nin, 2);
	answer(&c, VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(f.status, -EOPNOTSUPP);
	d.nsectors = 5000; /* more than the device takes */
	assert_int_equal(submit(&d), 0);
	assert_true(fdev_pop(&fd, 0, &c));
	assert_int_equal(hdr(&c)->type, VIRTIO_BLK_T_DISCARD);
	r = (const void *)c.seg[1].va;
	assert_int_equal(r->sector, 16);
	assert_int_equal(r->num_sectors, 1000);
	answer(&c, VIRTIO_BLK_S_OK);
	assert_int_equal(d.status, 0);
}

/* A device that takes little at once gets pages in pieces. */
static void test_size_max(void **state)
{
	struct blk_req req;
	struct fdev_chain c;

	(void)state;
	cfg.size_max = 1536;
	assert_int_equal(attach(), 0);
	assert_int_equal(disk->info.max_seg, 62 / 3);
	req = request(BLK_WRITE, 0, 20);
	assert_int_equal(submit(&req), 0);
	assert_true(fdev_pop(&fd, 0, &c));
	assert_int_equal(c.nout, 1 + 60);
	assert_int_equal(c.seg[3].len, 1024);
	answer(&c, VIRTIO_BLK_S_OK);
	assert_int_equal(req.status, 0);
	req = request(BLK_WRITE, 0, 21);
	assert_int_equal(submit(&req), -EINVAL);
}

static void test_full(void **state)
{
	static struct blk_req req[300];
	struct fdev_chain c;
	unsigned n;

	(void)state;
	assert_int_equal(attach(), 0);
	for (n = 0; n < 300; n++) {
		req[n] = request(BLK_READ, n, 1);
		if (submit(&req[n]) != 0)
			break;
	}
	assert_in_range(n, 32, 128);
	assert_int_equal(submit(&req[n]), -EAGAIN);
	assert_int_equal(nspace, 0);
	assert_true(fdev_pop(&fd, 0, &c));
	answer(&c, VIRTIO_BLK_S_OK);
	assert_int_equal(nspace, 1);
	assert_int_equal(submit(&req[n]), 0);
}

static void test_resize(void **state)
{
	(void)state;
	assert_int_equal(attach(), 0);
	cfg.capacity = 4096;
	fdev_config(&fd, 0, &cfg, sizeof(cfg));
	fdev_config_irq(&fd);
	assert_int_equal(nchanged, 0);
	fake_work_run();
	assert_int_equal(nchanged, 1);
	assert_int_equal(disk->info.nsectors, 4096);
}

/* --- a device that lies -------------------------------------------------- */

static void test_bad_config(void **state)
{
	static const uint32_t bad_size[] = { 0, 3, 256, 513, 8192, 0x80000000 };

	for (unsigned i = 0; i < 6; i++) {
		setup(state);
		cfg.blk_size = bad_size[i];
		assert_int_equal(attach(), -EINVAL);
		end(state);
	}
	setup(state);
	cfg.num_queues = 0;
	assert_int_equal(attach(), -EINVAL);
	end(state);
	setup(state);
	cfg.seg_max = 0;
	assert_int_equal(attach(), -EINVAL);
	end(state);
	setup(state);
	cfg.size_max = 511;
	assert_int_equal(attach(), -EINVAL);
	end(state);
	setup(state);
	fd.vd.config_len = 10;
	assert_int_equal(attach(), -EIO);
	assert_true(fd.status == 0 || fd.status & VIRTIO_CONFIG_S_FAILED);
	end(state);
	setup(state);
	fd.unstable = 100000; /* never twice the same */
	assert_int_equal(attach(), -EIO);
	end(state);
	setup(state);
	fd.unstable = 5;
	assert_int_equal(attach(), 0);
}

static void test_negotiation(void **state)
{
	fd.refuses = true;
	assert_int_equal(attach(), -EIO);
	end(state);
	setup(state);
	fd.offered &= ~VIRTIO_BIT(VIRTIO_F_VERSION_1);
	assert_int_equal(attach(), -EIO);
	end(state);
	setup(state);
	fd.stuck = true;
	assert_int_equal(attach(), -EIO);
	end(state);
	setup(state);
	fd.q[0].max = 0;
	assert_int_equal(attach(), -ENOENT);
}

/* Whatever it says, what was in flight ends with -EIO and stays ended. */
static void broken(void (*lie)(const struct fdev_chain *))
{
	struct blk_req a = request(BLK_READ, 0, 1);
	struct blk_req b = request(BLK_READ, 8, 1);
	struct fdev_chain c;

	assert_int_equal(attach(), 0);
	assert_int_equal(submit(&a), 0);
	assert_int_equal(submit(&b), 0);
	assert_true(fdev_pop(&fd, 0, &c));
	lie(&c);
	fdev_irq(&fd, 0);
	assert_true(fd.vd.broken);
	fdev_remove(&fd);
	assert_int_equal(ndone, 2);
	assert_int_equal(a.status, -EIO);
	assert_int_equal(b.status, -EIO);
	assert_null(fd.vd.tr);
	end(NULL);
	setup(NULL);
}

static void lie_id(const struct fdev_chain *c)
{
	(void)c;
	fdev_push(&fd, 0, 4096, 1);
}

static void lie_length(const struct fdev_chain *c)
{
	fdev_push(&fd, 0, c->id, 4098);
}

static void lie_index(const struct fdev_chain *c)
{
	(void)c;
	fd.q[0].used = 1000;
	fdev_push(&fd, 0, 0, 1);
}

static void test_lies(void **state)
{
	(void)state;
	broken(lie_id);
	broken(lie_length);
	broken(lie_index);
}

/* A read that says yes and wrote nothing must not show old memory. */
static void test_short_read(void **state)
{
	struct blk_req req = request(BLK_READ, 0, 1);
	struct fdev_chain c;

	(void)state;
	assert_int_equal(attach(), 0);
	assert_int_equal(submit(&req), 0);
	assert_true(fdev_pop(&fd, 0, &c));
	*c.seg[2].va = VIRTIO_BLK_S_OK;
	fdev_push(&fd, 0, c.id, 1);
	fdev_irq(&fd, 0);
	assert_int_equal(req.status, -EIO);
	req = request(BLK_READ, 0, 1);
	assert_int_equal(submit(&req), 0);
	assert_true(fdev_pop(&fd, 0, &c));
	fdev_push(&fd, 0, c.id, 0); /* no status either */
	fdev_irq(&fd, 0);
	assert_int_equal(req.status, -EIO);
}

static void test_needs_reset(void **state)
{
	struct blk_req req = request(BLK_READ, 0, 1);

	(void)state;
	assert_int_equal(attach(), 0);
	assert_int_equal(submit(&req), 0);
	fd.status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	fdev_config_irq(&fd);
	fdev_remove(&fd);
	assert_int_equal(req.status, -EIO);
}

/* It goes with requests in flight; later ones find it gone. */
static void test_removed(void **state)
{
	struct blk_req req = request(BLK_WRITE, 0, 1);

	(void)state;
	assert_int_equal(attach(), 0);
	assert_int_equal(submit(&req), 0);
	fdev_remove(&fd);
	assert_int_equal(ndone, 1);
	assert_int_equal(req.status, -EIO);
	assert_true(fd.resets >= 2);
}

static void test_no_memory(void **state)
{
	long n;

	for (n = 1;; n++) {
		fake_mm_fail_nth(n);
		if (attach() == 0)
			break;
		assert_true(fake_mm_failed());
		fake_mm_fail_nth(0);
		end(state);
		setup(state);
	}
	fake_mm_fail_nth(0);
	assert_true(n > 6);
}

static void test_register_fails(void **state)
{
	(void)state;
	register_result = -ENOSPC;
	assert_int_equal(attach(), -ENOSPC);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_attach),
		T(test_attach_plain),
		T(test_read),
		T(test_others),
		T(test_size_max),
		T(test_full),
		T(test_resize),
		T(test_bad_config),
		T(test_negotiation),
		T(test_lies),
		T(test_short_read),
		T(test_needs_reset),
		T(test_removed),
		T(test_no_memory),
		T(test_register_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
