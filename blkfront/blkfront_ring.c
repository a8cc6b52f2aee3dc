#include "kern/compiler.h"
#include "kern/errno.h"
#include "kern/num.h"
#include "kern/string.h"
#include "blkfront_ring.h"

#define SECTOR            512u
#define SECTORS_PER_PAGE  (PAGE_SIZE / SECTOR)
#define DIRECT_SEGS       BLKIF_MAX_SEGMENTS_PER_REQUEST
#define INDIRECT_PER_PAGE (PAGE_SIZE / sizeof(struct blkif_request_segment))

_Static_assert(BLKRING_SEGS_MAX <= INDIRECT_PER_PAGE,
    "one page of descriptors serves every request");
_Static_assert(sizeof(struct blkif_request) == 112, "x86-64 ABI");

/* --- books -------------------------------------------------------------- */

int blkring_init(struct blkring *r, void *mem, uint32_t bytes,
    uint32_t max_pages, const struct blkfeat *feat)
{
	memset(r, 0, sizeof(*r));
	xring_init(&r->ring, mem, bytes, sizeof(struct blkif_request));
	r->feat = *feat;
	r->max_pages = max_pages;
	r->free_page = BLKPAGE_NONE;
	r->slot = kmalloc_array(r->ring.size, sizeof(struct blkslot));
	r->page = kmalloc_array(max_pages, sizeof(struct blkpage));
	if (!r->slot || !r->page) {
		blkring_destroy(r);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < r->ring.size; i++)
		r->slot[i].next_free = (uint16_t)(i + 1);
	r->slot[r->ring.size - 1].next_free = BLKSLOT_NONE;
	return 0;
}

void blkring_destroy(struct blkring *r)
{
	kfree(r->slot);
	kfree(r->page);
	memset(r, 0, sizeof(*r));
}

static uint16_t slot_get(struct blkring *r, struct blk_req *req, uint8_t op)
{
	uint16_t id = r->free_slot;
	struct blkslot *s = &r->slot[id];

	r->free_slot = s->next_free;
	r->inflight++;
	s->req = req;
	s->op = op;
	s->pages = BLKPAGE_NONE;
	return id;
}

static void pages_put(struct blkring *r, uint32_t first)
{
	while (first != BLKPAGE_NONE) {
		uint32_t next = r->page[first].next;

		r->page[first].next = r->free_page;
		r->free_page = first;
		r->nfree++;
		first = next;
	}
}

static void slot_put(struct blkring *r, uint16_t id)
{
	struct blkslot *s = &r->slot[id];

	pages_put(r, s->pages);
	s->req = NULL;
	s->next_free = r->free_slot;
	r->free_slot = id;
	r->inflight--;
}

/* Make (n) pages free if that is possible. */
static bool pages_ready(struct blkring *r, uint32_t n)
{
	while (r->nfree < n && r->npages < r->max_pages) {
		struct blkpage *p = &r->page[r->npages];

		if (r->page_new(r->page_arg, p) != 0)
			break;
		p->next = r->free_page;
		r->free_page = r->npages++;
		r->nfree++;
	}
	return r->nfree >= n;
}

int blkring_reserve(struct blkring *r)
{
	return pages_ready(r, r->feat.max_segs + r->feat.indirect) ? 0
								   : -ENOMEM;
}

/* The list keeps its order: (*tail) is the last page's link. */
static struct blkpage *page_take(struct blkring *r, uint32_t **tail)
{
	struct blkpage *p = &r->page[r->free_page];

	**tail = r->free_page;
	r->free_page = p->next;
	r->nfree--;
	p->next = BLKPAGE_NONE;
	*tail = &p->next;
	return p;
}

/* --- requests ----------------------------------------------------------- */

/* Bytes of a request's segments; 0 when they make no sense. */
static uint64_t req_bytes(const struct blk_req *req)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < req->nseg; i++) {
		if (req->seg[i].len == 0 || req->seg[i].len % SECTOR != 0 ||
		    req->seg[i].len > PAGE_SIZE)
			return 0;
		sum += req->seg[i].len;
	}
	return sum;
}

/* Copy between the request's segments and the slot's pages. */
static void copy_data(
    struct blkring *r, const struct blk_req *req, uint32_t first, bool to_pages)
{
	struct blkpage *p = &r->page[first];
	uint32_t off = 0;

	for (unsigned i = 0; i < req->nseg; i++) {
		char *va = req->seg[i].va;
		uint32_t left = req->seg[i].len;

		while (left != 0) {
			uint32_t n;

			if (off == PAGE_SIZE) {
				p = &r->page[p->next];
				off = 0;
			}
			n = MIN(left, (uint32_t)PAGE_SIZE - off);
			if (to_pages)
				memcpy((char *)p->va + off, va, n);
			else
				memcpy(va, (char *)p->va + off, n);
			va += n;
			off += n;
			left -= n;
		}
	}
}

/* Pages for (bytes) of data on the slot's list, described in (seg). */
static void put_segments(struct blkring *r, uint64_t bytes, uint32_t **tail,
    struct blkif_request_segment *seg)
{
	while (bytes != 0) {
		uint64_t n = MIN(bytes, (uint64_t)PAGE_SIZE);
		struct blkpage *p = page_take(r, tail);

		*seg++ = (struct blkif_request_segment){
			.gref = p->ref,
			.first_sect = 0,
			.last_sect = (uint8_t)(n / SECTOR - 1),
		};
		bytes -= n;
	}
}

static uint16_t put_direct(struct blkring *r, struct blk_req *req, uint8_t op,
    uint64_t bytes, unsigned nsegs)
{
	uint16_t id = slot_get(r, req, op);
	uint32_t *tail = &r->slot[id].pages;
	struct blkif_request br = {
		.operation = op,
		.nr_segments = (uint8_t)nsegs,
		.handle = r->handle,
		.id = id,
		.sector_number = req->sector,
	};

	put_segments(r, bytes, &tail, br.seg);
	xring_put(&r->ring, &br, sizeof(br));
	return id;
}

static uint16_t put_indirect(struct blkring *r, struct blk_req *req, uint8_t op,
    uint64_t bytes, unsigned nsegs)
{
	struct blkif_request_segment seg[BLKRING_SEGS_MAX];
	uint16_t id = slot_get(r, req, op); /* what the answer names */
	uint32_t *tail = &r->slot[id].pages;
	struct blkif_request_indirect br = {
		.operation = BLKIF_OP_INDIRECT,
		.indirect_op = op,
		.nr_segments = (uint16_t)nsegs,
		.id = id,
		.sector_number = req->sector,
		.handle = r->handle,
	};
	struct blkpage *desc;

	put_segments(r, bytes, &tail, seg);
	desc = page_take(r, &tail); /* last, so that the data comes first */
	memcpy(desc->va, seg, nsegs * sizeof(seg[0]));
	br.indirect_grefs[0] = desc->ref;
	xring_put(&r->ring, &br, sizeof(br));
	return id;
}

static int submit_data(struct blkring *r, struct blk_req *req)
{
	uint64_t bytes = req_bytes(req);
	unsigned nsegs = (unsigned)((bytes + PAGE_SIZE - 1) / PAGE_SIZE);
	uint8_t op = req->op == BLK_READ ? BLKIF_OP_READ : BLKIF_OP_WRITE;
	bool indirect = nsegs > DIRECT_SEGS;
	uint16_t id;

	if (bytes == 0 || nsegs > r->feat.max_segs)
		return -EINVAL;
	if (!pages_ready(r, nsegs + indirect))
		return -EAGAIN;
	if (indirect)
		id = put_indirect(r, req, op, bytes, nsegs);
	else
		id = put_direct(r, req, op, bytes, nsegs);
	if (op == BLKIF_OP_WRITE)
		copy_data(r, req, r->slot[id].pages, true);
	return 0;
}

static int submit_discard(struct blkring *r, struct blk_req *req)
{
	struct blkif_request_discard br = {
		.operation = BLKIF_OP_DISCARD,
		.handle = r->handle,
		.sector_number = req->sector,
		.nr_sectors = req->nsectors,
	};

	if (!r->feat.discard)
		return -EOPNOTSUPP;
	br.id = slot_get(r, req, BLKIF_OP_DISCARD);
	xring_put(&r->ring, &br, sizeof(br));
	return 0;
}

static int submit_flush(struct blkring *r, struct blk_req *req)
{
	struct blkif_request br = {
		.operation = r->feat.flush ? BLKIF_OP_FLUSH_DISKCACHE
					   : BLKIF_OP_WRITE_BARRIER,
		.handle = r->handle,
	};

	if (!r->feat.flush && !r->feat.barrier)
		return -EOPNOTSUPP;
	br.id = slot_get(r, req, br.operation);
	xring_put(&r->ring, &br, sizeof(br));
	return 0;
}

int blkring_submit(struct blkring *r, struct blk_req *req)
{
	int err = -EINVAL;

	if (r->broken)
		return -EIO;
	if (xring_room(&r->ring) == 0 || r->free_slot == BLKSLOT_NONE)
		err = -EAGAIN;
	else if (req->op == BLK_READ || req->op == BLK_WRITE)
		err = submit_data(r, req);
	else if (req->op == BLK_DISCARD)
		err = submit_discard(r, req);
	else if (req->op == BLK_FLUSH)
		err = submit_flush(r, req);
	if (err == -EAGAIN)
		r->starved = true;
	return err;
}

bool blkring_publish(struct blkring *r)
{
	return xring_publish(&r->ring);
}

/* --- responses ---------------------------------------------------------- */

static void finish(
    struct blkring *r, uint16_t id, int status, struct list *done)
{
	struct blk_req *req = r->slot[id].req;

	if (status == 0 && req->op == BLK_READ)
		copy_data(r, req, r->slot[id].pages, false);
	req->status = status;
	slot_put(r, id);
	list_add_tail(done, &req->link);
}

/* What is wrong with a response; NULL: nothing. */
static const char *response_lie(
    const struct blkring *r, const struct blkif_response *rsp)
{
	if (rsp->id >= r->ring.size)
		return "a response with an id out of range";
	if (!r->slot[rsp->id].req)
		return "a response to no request";
	if (rsp->operation != r->slot[rsp->id].op)
		return "a response to another operation";
	if (rsp->status < BLKIF_RSP_EOPNOTSUPP || rsp->status > BLKIF_RSP_OKAY)
		return "a response with an absurd status";
	return NULL;
}

/* The back end offered an operation and refuses it: do not ask again. */
static int not_supported(struct blkring *r, uint8_t op)
{
	switch (op) {
	case BLKIF_OP_FLUSH_DISKCACHE:
		r->feat.flush = false;
		return 0; /* no cache to flush that it would know of */
	case BLKIF_OP_WRITE_BARRIER:
		r->feat.barrier = false;
		return 0;
	case BLKIF_OP_DISCARD:
		r->feat.discard = false;
		return -EOPNOTSUPP;
	default:
		return -EIO;
	}
}

void blkring_reap(struct blkring *r, struct list *done)
{
	struct blkif_response rsp;
	const char *lie;
	int status;

	while (!r->broken && xring_take(&r->ring, &rsp, sizeof(rsp))) {
		lie = response_lie(r, &rsp);
		if (lie) {
			blkring_break(r, lie, done);
			return;
		}
		status = rsp.status == BLKIF_RSP_OKAY ? 0 : -EIO;
		if (rsp.status == BLKIF_RSP_EOPNOTSUPP)
			status = not_supported(r, rsp.operation);
		finish(r, (uint16_t)rsp.id, status, done);
	}
	if (r->ring.broken && !r->broken)
		blkring_break(r, "an absurd producer index", done);
}

bool blkring_arm(struct blkring *r)
{
	/* A lie that is found here is for the next blkring_reap(). */
	return xring_arm(&r->ring, 1) || (r->ring.broken && !r->broken);
}

void blkring_break(struct blkring *r, const char *why, struct list *done)
{
	if (!r->broken)
		r->broken = why;
	r->ring.broken = true;
	for (uint32_t i = 0; r->slot && i < r->ring.size; i++) {
		if (r->slot[i].req)
			finish(r, (uint16_t)i, -EIO, done);
	}
}
