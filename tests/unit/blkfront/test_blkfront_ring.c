/*
 * Both ends of a disk's ring in one process: blkfront_ring.c on one side, an
 * honest or a lying back end on the other.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "blkfront/blkfront_ring.h"
#include "fake_mm.h"
#include "kern/errno.h"

#define SECTOR     512u
#define DISK_BYTES (1u << 20)
#define MAX_PAGES  256u
#define FIRST_REF  8u

static struct blkring ring;
static void *shared;
static uint8_t *disk;
static uint32_t be_req_cons, be_rsp_prod; /* the back end's own */
static void *granted[MAX_PAGES];
static unsigned ngranted, new_calls, fail_new;

static const struct blkfeat all_features = {
	.max_segs = BLKRING_SEGS_MAX,
	.indirect = true,
	.flush = true,
	.discard = true,
};

/* --- fixture ------------------------------------------------------------ */

static int page_new(void *arg, struct blkpage *p)
{
	(void)arg;
	if (++new_calls == fail_new)
		return -ENOMEM;
	p->va = page_alloc(0, PAGE_ZERO);
	if (!p->va)
		return -ENOMEM;
	assert_true(ngranted < MAX_PAGES);
	p->ref = FIRST_REF + ngranted;
	granted[ngranted++] = p->va;
	return 0;
}

static void open_ring(unsigned pages, const struct blkfeat *feat)
{
	uint32_t order = pages == 1 ? 0 : 2;

	shared = page_alloc(order, PAGE_ZERO);
	assert_int_equal(
	    blkring_init(&ring, shared, pages * PAGE_SIZE, MAX_PAGES, feat), 0);
	ring.page_new = page_new;
	be_req_cons = be_rsp_prod = 0;
	ngranted = new_calls = fail_new = 0;
	disk = malloc(DISK_BYTES);
	for (unsigned i = 0; i < DISK_BYTES; i++)
		disk[i] = (uint8_t)(i * 7 + i / SECTOR);
}

static void close_ring(void)
{
	uint32_t order = ring.ring.size > 32 ? 2 : 0;

	assert_int_equal(ring.inflight, 0);
	assert_int_equal(ring.nfree, ring.npages);
	for (uint32_t i = 0; i < ring.npages; i++)
		page_free(ring.page[i].va, 0);
	blkring_destroy(&ring);
	page_free(shared, order);
	free(disk);
	assert_int_equal(fake_mm_live(), 0);
}

/* --- the back end ------------------------------------------------------- */

static union blkif_sring_entry *be_slot(uint32_t i)
{
	uint8_t *base = (uint8_t *)shared + sizeof(struct xring_shared);

	return (void *)(base + (i & (ring.ring.size - 1)) *
				   sizeof(union blkif_sring_entry));
}

static bool be_get(struct blkif_request *req)
{
	struct xring_shared *sh = shared;

	if (sh->req_prod == be_req_cons)
		return false;
	memcpy(req, be_slot(be_req_cons++), sizeof(*req));
	return true;
}

static void be_put(uint64_t id, uint8_t op, int16_t status)
{
	struct xring_shared *sh = shared;
	struct blkif_response rsp = {
		.id = id,
		.operation = op,
		.status = status,
	};

	memcpy(be_slot(be_rsp_prod++), &rsp, sizeof(rsp));
	sh->rsp_prod = be_rsp_prod;
}

static void *be_page(grant_ref_t ref)
{
	assert_in_range(ref, FIRST_REF, FIRST_REF + ngranted - 1);
	return granted[ref - FIRST_REF];
}

static void be_io(uint8_t op, uint64_t sector,
    const struct blkif_request_segment *seg, unsigned n)
{
	uint64_t off = sector * SECTOR;

	for (unsigned i = 0; i < n; i++) {
		uint8_t *p = be_page(seg[i].gref);
		uint32_t len;

		assert_true(seg[i].first_sect <= seg[i].last_sect);
		assert_true(seg[i].last_sect < 8);
		len = (seg[i].last_sect - seg[i].first_sect + 1u) * SECTOR;
		p += seg[i].first_sect * SECTOR;
		assert_true(off + len <= DISK_BYTES);
		if (op == BLKIF_OP_READ)
			memcpy(p, disk + off, len);
		else
			memcpy(disk + off, p, len);
		off += len;
	}
}

/* Do a request as it should be done; returns the operation to answer. */
static uint8_t be_do(const struct blkif_request *req)
{
	struct blkif_request_indirect ind;

	if (req->operation == BLKIF_OP_INDIRECT) {
		memcpy(&ind, req, sizeof(ind));
		be_io(ind.indirect_op, ind.sector_number,
		    be_page(ind.indirect_grefs[0]), ind.nr_segments);
		return ind.indirect_op;
	}
	if (req->operation == BLKIF_OP_READ || req->operation == BLKIF_OP_WRITE)
		be_io(req->operation, req->sector_number, req->seg,
		    req->nr_segments);
	return req->operation;
}

static uint64_t be_id(const struct blkif_request *req)
{
	struct blkif_request_indirect ind;

	if (req->operation != BLKIF_OP_INDIRECT)
		return req->id;
	memcpy(&ind, req, sizeof(ind));
	return ind.id;
}

static unsigned be_serve(void)
{
	struct blkif_request req;
	unsigned n = 0;

	while (be_get(&req)) {
		be_put(be_id(&req), be_do(&req), BLKIF_RSP_OKAY);
		n++;
	}
	return n;
}

/* --- the caller --------------------------------------------------------- */

struct io {
	struct blk_req req;
	struct blk_seg seg[80];
	uint8_t *buf;
};

static struct io *io_new(
    enum blk_op op, uint64_t sector, unsigned nseg, uint32_t seg_len)
{
	struct io *io = calloc(1, sizeof(*io));

	io->buf = malloc((size_t)nseg * seg_len + 1);
	memset(io->buf, 0xee, (size_t)nseg * seg_len + 1);
	io->req.op = op;
	io->req.sector = sector;
	io->req.seg = io->seg;
	io->req.nseg = nseg;
	io->req.status = 1;
	for (unsigned i = 0; i < nseg; i++) {
		io->seg[i].va = io->buf + (size_t)i * seg_len;
		io->seg[i].len = seg_len;
	}
	return io;
}

static void io_free(struct io *io)
{
	free(io->buf);
	free(io);
}

static unsigned list_len(struct list *l)
{
	struct list *e;
	unsigned n = 0;

	for (e = l->next; e != l; e = e->next)
		n++;
	return n;
}

/* How many requests have ended. */
static unsigned reap(void)
{
	struct list done = LIST_INIT(done);

	blkring_reap(&ring, &done);
	return list_len(&done);
}

static void io_send(struct io *io)
{
	assert_int_equal(blkring_submit(&ring, &io->req), 0);
	blkring_publish(&ring);
}

/* Submit, serve, reap: the status. */
static int io_run(struct io *io)
{
	io_send(io);
	assert_int_equal(be_serve(), 1);
	assert_int_equal(reap(), 1);
	return io->req.status;
}

/* One read in flight; the back end has seen it. */
static struct io *io_in_flight(struct blkif_request *req)
{
	struct io *io = io_new(BLK_READ, 0, 1, 4096);

	io_send(io);
	assert_true(be_get(req));
	return io;
}

/* --- honest ------------------------------------------------------------- */

static void test_read_write(void **state)
{
	static const struct {
		unsigned nseg, len;
	} shapes[] = {
		{ 1, 512 },
		{ 1, 4096 },
		{ 3, 512 },
		{ 5, 1536 },
		{ 11, 4096 },
		{ 12, 4096 },
		{ 64, 4096 },
		{ 80, 512 },
	};

	(void)state;
	open_ring(1, &all_features);
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		size_t n = (size_t)shapes[i].nseg * shapes[i].len;
		struct io *rd =
		    io_new(BLK_READ, 3, shapes[i].nseg, shapes[i].len);
		struct io *wr =
		    io_new(BLK_WRITE, 700, shapes[i].nseg, shapes[i].len);

		assert_int_equal(io_run(rd), 0);
		assert_memory_equal(rd->buf, disk + 3 * SECTOR, n);
		assert_int_equal(rd->buf[n], 0xee);
		for (size_t j = 0; j < n; j++)
			wr->buf[j] = (uint8_t)(j ^ i);
		assert_int_equal(io_run(wr), 0);
		assert_memory_equal(wr->buf, disk + 700 * SECTOR, n);
		io_free(rd);
		io_free(wr);
	}
	close_ring();
}

static void test_wraps(void **state)
{
	struct io *io;

	(void)state;
	open_ring(1, &all_features);
	/* Also across the end of the free-running index. */
	ring.ring.req_prod = ring.ring.rsp_cons = ring.ring.rsp_seen =
	    UINT32_MAX - 50;
	be_req_cons = be_rsp_prod = UINT32_MAX - 50;
	((struct xring_shared *)shared)->req_prod = UINT32_MAX - 50;
	((struct xring_shared *)shared)->rsp_prod = UINT32_MAX - 50;
	for (unsigned i = 0; i < 200; i++) {
		io = io_new(BLK_READ, i, 1 + i % 20, 1024);
		assert_int_equal(io_run(io), 0);
		assert_memory_equal(
		    io->buf, disk + i * SECTOR, (1 + i % 20) * 1024u);
		io_free(io);
	}
	close_ring();
}

static void test_full(void **state)
{
	struct io *io[33];

	(void)state;
	open_ring(1, &all_features);
	assert_int_equal(ring.ring.size, 32);
	for (unsigned i = 0; i < 33; i++)
		io[i] = io_new(BLK_READ, i, 1, 512);
	for (unsigned i = 0; i < 32; i++)
		assert_int_equal(blkring_submit(&ring, &io[i]->req), 0);
	assert_false(ring.starved);
	assert_int_equal(blkring_submit(&ring, &io[32]->req), -EAGAIN);
	assert_true(ring.starved);
	blkring_publish(&ring);
	be_serve();
	assert_int_equal(reap(), 32);
	assert_int_equal(io_run(io[32]), 0);
	for (unsigned i = 0; i < 33; i++) {
		assert_int_equal(io[i]->req.status, 0);
		assert_memory_equal(io[i]->buf, disk + i * SECTOR, 512);
		io_free(io[i]);
	}
	close_ring();
}

static void test_out_of_pages(void **state)
{
	struct io *a = io_new(BLK_READ, 0, 64, 4096);
	struct io *b = io_new(BLK_READ, 8, 64, 4096);

	(void)state;
	open_ring(1, &all_features);
	assert_int_equal(blkring_reserve(&ring), 0);
	assert_int_equal(ring.npages, 65);
	fail_new = new_calls + 1;
	assert_int_equal(blkring_submit(&ring, &a->req), 0);
	assert_int_equal(blkring_submit(&ring, &b->req), -EAGAIN);
	blkring_publish(&ring);
	be_serve();
	assert_int_equal(reap(), 1);
	assert_int_equal(io_run(b), 0);
	io_free(a);
	io_free(b);
	close_ring();
}

static void test_bad_requests(void **state)
{
	struct blkfeat direct = { .max_segs = 11 };
	struct io *big = io_new(BLK_READ, 0, 12, 4096);
	struct io *none = io_new(BLK_READ, 0, 0, 0);
	struct io *odd = io_new(BLK_WRITE, 0, 1, 100);
	struct io *flush = io_new(BLK_FLUSH, 0, 0, 0);
	struct io *discard = io_new(BLK_DISCARD, 0, 0, 0);

	(void)state;
	open_ring(1, &direct);
	assert_int_equal(blkring_submit(&ring, &big->req), -EINVAL);
	assert_int_equal(blkring_submit(&ring, &none->req), -EINVAL);
	assert_int_equal(blkring_submit(&ring, &odd->req), -EINVAL);
	assert_int_equal(blkring_submit(&ring, &flush->req), -EOPNOTSUPP);
	assert_int_equal(blkring_submit(&ring, &discard->req), -EOPNOTSUPP);
	big->req.nseg = 11;
	assert_int_equal(io_run(big), 0);
	io_free(big);
	io_free(none);
	io_free(odd);
	io_free(flush);
	io_free(discard);
	close_ring();
}

static void test_flush_discard(void **state)
{
	struct blkif_request req;
	struct blkif_request_discard dis;
	struct io *flush = io_new(BLK_FLUSH, 0, 0, 0);
	struct io *discard = io_new(BLK_DISCARD, 77, 0, 0);

	(void)state;
	open_ring(1, &all_features);
	discard->req.nsectors = 1234;
	assert_int_equal(blkring_submit(&ring, &flush->req), 0);
	assert_int_equal(blkring_submit(&ring, &discard->req), 0);
	blkring_publish(&ring);
	assert_true(be_get(&req));
	assert_int_equal(req.operation, BLKIF_OP_FLUSH_DISKCACHE);
	assert_int_equal(req.nr_segments, 0);
	be_put(req.id, req.operation, BLKIF_RSP_OKAY);
	assert_true(be_get(&req));
	memcpy(&dis, &req, sizeof(dis));
	assert_int_equal(dis.operation, BLKIF_OP_DISCARD);
	assert_int_equal(dis.sector_number, 77);
	assert_int_equal(dis.nr_sectors, 1234);
	be_put(dis.id, dis.operation, BLKIF_RSP_OKAY);
	assert_int_equal(reap(), 2);
	assert_int_equal(flush->req.status, 0);
	assert_int_equal(discard->req.status, 0);
	io_free(flush);
	io_free(discard);
	close_ring();
}

/* What was offered and is refused is not asked for again. */
static void test_not_supported(void **state)
{
	struct blkfeat feat = all_features;
	struct blkif_request req;
	struct io *io;

	(void)state;
	feat.barrier = true;
	open_ring(1, &feat);
	io = io_new(BLK_FLUSH, 0, 0, 0);
	for (unsigned i = 0; i < 2; i++) {
		io_send(io);
		assert_true(be_get(&req));
		assert_int_equal(req.operation,
		    i == 0 ? BLKIF_OP_FLUSH_DISKCACHE : BLKIF_OP_WRITE_BARRIER);
		be_put(req.id, req.operation, BLKIF_RSP_EOPNOTSUPP);
		assert_int_equal(reap(), 1);
		assert_int_equal(io->req.status, 0);
	}
	assert_int_equal(blkring_submit(&ring, &io->req), -EOPNOTSUPP);
	io->req.op = BLK_DISCARD;
	io_send(io);
	assert_true(be_get(&req));
	be_put(req.id, req.operation, BLKIF_RSP_EOPNOTSUPP);
	assert_int_equal(reap(), 1);
	assert_int_equal(io->req.status, -EOPNOTSUPP);
	assert_int_equal(blkring_submit(&ring, &io->req), -EOPNOTSUPP);
	assert_null(ring.broken);
	io_free(io);
	close_ring();
}

/* A failed read leaves the caller's memory alone. */
static void test_io_error(void **state)
{
	struct blkif_request req;
	struct io *io;

	(void)state;
	open_ring(1, &all_features);
	io = io_in_flight(&req);
	be_do(&req);
	be_put(req.id, req.operation, BLKIF_RSP_ERROR);
	assert_int_equal(reap(), 1);
	assert_int_equal(io->req.status, -EIO);
	assert_int_equal(io->buf[0], 0xee);
	assert_null(ring.broken);
	io_free(io);
	close_ring();
}

static void test_notify(void **state)
{
	struct xring_shared *sh;
	struct blkif_request req;
	struct io *io = io_new(BLK_READ, 0, 1, 512);

	(void)state;
	open_ring(4, &all_features);
	assert_int_equal(ring.ring.size, 128);
	sh = shared;
	assert_false(blkring_publish(&ring)); /* nothing new */
	assert_int_equal(blkring_submit(&ring, &io->req), 0);
	assert_true(blkring_publish(&ring));
	assert_false(blkring_arm(&ring));
	assert_true(be_get(&req));
	sh->req_event = be_req_cons + 2; /* not for the next one */
	be_put(req.id, be_do(&req), BLKIF_RSP_OKAY);
	/* The answer came before we armed: no event will come for it. */
	assert_true(blkring_arm(&ring));
	assert_int_equal(reap(), 1);
	assert_false(blkring_arm(&ring));
	assert_int_equal(sh->rsp_event, be_rsp_prod + 1);
	assert_int_equal(blkring_submit(&ring, &io->req), 0);
	assert_false(blkring_publish(&ring));
	assert_true(be_get(&req));
	be_put(req.id, be_do(&req), BLKIF_RSP_OKAY);
	assert_int_equal(reap(), 1);
	io_free(io);
	close_ring();
}

/* --- lying -------------------------------------------------------------- */

enum lie {
	LIE_ID_RANGE,
	LIE_ID_HUGE,
	LIE_ID_FREE,
	LIE_TWICE,
	LIE_OP,
	LIE_STATUS,
	LIE_STATUS_POSITIVE,
	LIE_INDEX,
	LIE_INDEX_BACK,
	LIES
};

static void tell(enum lie lie, const struct blkif_request *req)
{
	struct xring_shared *sh = shared;

	switch (lie) {
	case LIE_ID_RANGE:
		be_put(ring.ring.size, req->operation, 0);
		break;
	case LIE_ID_HUGE:
		be_put(UINT64_MAX - 3, req->operation, 0);
		break;
	case LIE_ID_FREE:
		be_put(req->id + 5, req->operation, 0);
		break;
	case LIE_TWICE:
		be_put(req->id, req->operation, 0);
		be_put(req->id, req->operation, 0);
		break;
	case LIE_OP:
		be_put(req->id, BLKIF_OP_WRITE, 0);
		break;
	case LIE_STATUS:
		be_put(req->id, req->operation, -77);
		break;
	case LIE_STATUS_POSITIVE:
		be_put(req->id, req->operation, 1);
		break;
	case LIE_INDEX:
		sh->rsp_prod = be_rsp_prod + ring.ring.size + 1;
		break;
	case LIE_INDEX_BACK:
		sh->rsp_prod = be_rsp_prod - 1;
		break;
	case LIES:
		break;
	}
}

static void test_lies(void **state)
{
	(void)state;
	for (enum lie lie = 0; lie < LIES; lie++) {
		struct blkif_request req, req2;
		struct io *a, *b;

		open_ring(1, &all_features);
		a = io_in_flight(&req);
		b = io_in_flight(&req2);
		tell(lie, &req);
		assert_null(ring.broken);
		/* All has ended, once; the first may have ended well. */
		assert_int_equal(reap(), 2);
		assert_non_null(ring.broken);
		assert_int_equal(b->req.status, -EIO);
		assert_int_equal(a->req.status, lie == LIE_TWICE ? 0 : -EIO);
		/* And nothing more comes of it. */
		assert_int_equal(blkring_submit(&ring, &a->req), -EIO);
		be_put(req2.id, req2.operation, 0);
		assert_int_equal(reap(), 0);
		assert_false(blkring_arm(&ring));
		assert_false(blkring_publish(&ring));
		io_free(a);
		io_free(b);
		close_ring();
	}
}

/* A lie that is noticed while arming is found by the next reap. */
static void test_lie_at_arm(void **state)
{
	struct xring_shared *sh;
	struct blkif_request req;
	struct io *io;

	(void)state;
	open_ring(1, &all_features);
	sh = shared;
	io = io_in_flight(&req);
	sh->rsp_prod = 1000;
	assert_true(blkring_arm(&ring));
	assert_int_equal(reap(), 1);
	assert_int_equal(io->req.status, -EIO);
	io_free(io);
	close_ring();
}

/* More answers than requests, though each names one in flight. */
static void test_answers_unasked(void **state)
{
	struct io *io = io_new(BLK_READ, 0, 1, 512);

	(void)state;
	open_ring(1, &all_features);
	/* Submitted, not yet published: the back end cannot know it. */
	assert_int_equal(blkring_submit(&ring, &io->req), 0);
	be_put(ring.slot[0].req ? 0 : 1, BLKIF_OP_READ, 0);
	be_put(0, BLKIF_OP_READ, 0);
	assert_int_equal(reap(), 1);
	assert_non_null(ring.broken);
	io_free(io);
	close_ring();
}

static void test_close_in_flight(void **state)
{
	struct list done = LIST_INIT(done);
	struct blkif_request req;
	struct io *io;

	(void)state;
	open_ring(1, &all_features);
	io = io_in_flight(&req);
	blkring_break(&ring, "closed", &done);
	assert_int_equal(list_len(&done), 1);
	assert_int_equal(io->req.status, -EIO);
	be_put(req.id, be_do(&req), BLKIF_RSP_OKAY); /* too late */
	assert_int_equal(reap(), 0);
	blkring_break(&ring, "again", &done);
	assert_int_equal(list_len(&done), 1);
	assert_string_equal(ring.broken, "closed");
	io_free(io);
	close_ring();
}

/* A back end that writes noise into the whole ring at every step. */
static void test_noise(void **state)
{
	uint32_t seed = 1;

	(void)state;
	for (unsigned round = 0; round < 300; round++) {
		struct list done = LIST_INIT(done);
		struct io *io[8];
		unsigned ended;

		open_ring(1, &all_features);
		for (unsigned i = 0; i < 8; i++) {
			io[i] = io_new(BLK_READ, i, 1 + i, 512);
			assert_int_equal(blkring_submit(&ring, &io[i]->req), 0);
		}
		blkring_publish(&ring);
		for (unsigned step = 0; step < 6; step++) {
			uint8_t *p = shared;

			for (unsigned i = 0; i < 200; i++) {
				seed = seed * 1664525 + 1013904223;
				p[seed % 512] = (uint8_t)(seed >> 24) & 7;
			}
			((struct xring_shared *)shared)->rsp_prod =
			    (seed >> 8) % 9;
			blkring_reap(&ring, &done);
		}
		ended = list_len(&done);
		assert_int_equal(ended + ring.inflight, 8);
		blkring_break(&ring, "closed", &done);
		assert_int_equal(list_len(&done), 8);
		for (unsigned i = 0; i < 8; i++)
			io_free(io[i]);
		close_ring();
	}
}

/* --- no memory ---------------------------------------------------------- */

static void test_no_memory(void **state)
{
	void *mem = page_alloc(0, PAGE_ZERO);
	unsigned n = 0;

	(void)state;
	for (;;) {
		int err;

		fake_mm_fail_nth(++n);
		err = blkring_init(
		    &ring, mem, PAGE_SIZE, MAX_PAGES, &all_features);
		if (err == 0)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(fake_mm_live(), 1);
	}
	fake_mm_fail_nth(0);
	assert_true(n > 2);
	ring.page_new = page_new;
	ngranted = new_calls = 0;
	for (fail_new = 1; blkring_reserve(&ring) != 0; fail_new++)
		new_calls = 0;
	fail_new = 0;
	assert_int_equal(ring.npages, 65);
	for (uint32_t i = 0; i < ring.npages; i++)
		page_free(ring.page[i].va, 0);
	blkring_destroy(&ring);
	blkring_destroy(&ring);
	page_free(mem, 0);
	assert_int_equal(fake_mm_live(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_write),
		cmocka_unit_test(test_wraps),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_out_of_pages),
		cmocka_unit_test(test_bad_requests),
		cmocka_unit_test(test_flush_discard),
		cmocka_unit_test(test_not_supported),
		cmocka_unit_test(test_io_error),
		cmocka_unit_test(test_notify),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_lie_at_arm),
		cmocka_unit_test(test_answers_unasked),
		cmocka_unit_test(test_close_in_flight),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
