/* Both ends of a virtqueue in one process. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kern/errno.h"
#include "kern/mm.h"
#include "virtio/virtio.h"
#include "fake_mm.h"

/* The device's end: as a device sees the ring, nothing of struct virtq but
 * where it is. */
struct dev {
	struct vring ring;
	uint16_t avail, used;
	bool event_idx;
};

static struct virtq vq;
static struct dev dv;
static char mem[64][64];

void panic(const char *fmt, ...)
{
	fail_msg("panic: %s", fmt);
	abort();
}

static void start(unsigned num, bool event_idx, unsigned nind, unsigned size)
{
	assert_int_equal(vq_init(&vq, num, event_idx, nind, size), 0);
	dv = (struct dev){ .ring = vq.ring, .event_idx = event_idx };
}

static int end(void **state)
{
	(void)state;
	while (vq_drain(&vq))
		;
	vq_fini(&vq);
	assert_int_equal(fake_mm_live(), 0);
	return 0;
}

/* The next chain's head, -1 when there is none. */
static int dev_pop(void)
{
	if (dv.avail == __atomic_load_n(&dv.ring.avail->idx, __ATOMIC_ACQUIRE))
		return -1;
	return dv.ring.avail->ring[dv.avail++ % dv.ring.num];
}

static void dev_push(uint32_t id, uint32_t len)
{
	struct vring_used_elem *e = &dv.ring.used->ring[dv.used % dv.ring.num];

	e->id = id;
	e->len = len;
	dv.used++;
	__atomic_store_n(&dv.ring.used->idx, dv.used, __ATOMIC_RELEASE);
}

/* Would the device interrupt after going from (old) to dv.used? */
static bool dev_interrupts(uint16_t old)
{
	if (dv.event_idx)
		return vring_need_event(
		    vring_used_event(&dv.ring), dv.used, old);
	return !(dv.ring.avail->flags & VRING_AVAIL_F_NO_INTERRUPT);
}

/* Counts a chain's descriptors, by direction. */
static void dev_walk(unsigned head, unsigned *nout, unsigned *nin)
{
	struct vring_desc *table = dv.ring.desc, *d = &table[head];
	unsigned limit = 256;

	*nout = *nin = 0;
	if (d->flags & VRING_DESC_F_INDIRECT) {
		assert_int_equal(d->flags, VRING_DESC_F_INDIRECT);
		table = d = pa_to_va(d->addr);
	}
	for (;;) {
		if (d->flags & VRING_DESC_F_WRITE) {
			++*nin;
		} else {
			assert_int_equal(*nin, 0);
			++*nout;
		}
		if (!(d->flags & VRING_DESC_F_NEXT))
			return;
		assert_int_not_equal(--limit, 0);
		d = &table[d->next];
	}
}

static int add(unsigned nout, unsigned nin, void *cookie)
{
	struct vq_seg seg[64];

	for (unsigned i = 0; i < nout + nin; i++)
		seg[i] = (struct vq_seg){ mem[i], sizeof(mem[i]) };
	return vq_add(&vq, seg, nout, nin, cookie);
}

static void test_empty(void **state)
{
	uint32_t len;

	(void)state;
	start(8, false, 0, 0);
	assert_null(vq_take(&vq, &len));
	assert_false(vq_publish(&vq));
	assert_false(vq_pending(&vq));
	assert_false(vq_arm(&vq));
	assert_int_equal(dev_pop(), -1);
	assert_null(vq_drain(&vq));
}

static void test_one(void **state)
{
	unsigned nout, nin;
	uint32_t len;
	int head;

	(void)state;
	start(8, false, 0, 0);
	assert_int_equal(add(1, 2, mem), 0);
	assert_int_equal(dev_pop(), -1); /* not shown yet */
	assert_true(vq_publish(&vq));
	assert_false(vq_publish(&vq));
	head = dev_pop();
	assert_in_range(head, 0, 7);
	dev_walk((unsigned)head, &nout, &nin);
	assert_int_equal(nout, 1);
	assert_int_equal(nin, 2);
	assert_int_equal(vq.nfree, 5);
	dev_push((uint32_t)head, 100);
	assert_true(vq_pending(&vq));
	assert_ptr_equal(vq_take(&vq, &len), mem);
	assert_int_equal(len, 100);
	assert_int_equal(vq.nfree, 8);
	assert_null(vq_take(&vq, &len));
	assert_null(vq.fault);
}

static void test_two_out_of_order(void **state)
{
	uint32_t len;
	int a, b;

	(void)state;
	start(8, false, 0, 0);
	assert_int_equal(add(1, 1, mem[0]), 0);
	assert_int_equal(add(2, 0, mem[1]), 0);
	vq_publish(&vq);
	a = dev_pop();
	b = dev_pop();
	assert_int_equal(dev_pop(), -1);
	dev_push((uint32_t)b, 0);
	dev_push((uint32_t)a, 64);
	assert_ptr_equal(vq_take(&vq, &len), mem[1]);
	assert_int_equal(len, 0);
	assert_ptr_equal(vq_take(&vq, &len), mem[0]);
	assert_int_equal(len, 64);
	assert_int_equal(vq.nfree, 8);
}

/* All indices pass 65535 with chains of every length, direct and not. */
static void wrap(bool event_idx, unsigned nind)
{
	unsigned nout, nin, want;
	uint32_t len;
	int head;

	start(8, event_idx, nind, 6);
	for (unsigned i = 0; i < 70000; i++) {
		want = i % 5 + 1;
		assert_int_equal(add(want, i % 3, mem[i % 64]), 0);
		vq_publish(&vq);
		head = dev_pop();
		assert_int_not_equal(head, -1);
		dev_walk((unsigned)head, &nout, &nin);
		assert_int_equal(nout, want);
		assert_int_equal(nin, i % 3);
		dev_push((uint32_t)head, 0);
		assert_ptr_equal(vq_take(&vq, &len), mem[i % 64]);
	}
	assert_int_equal(vq.nfree, 8);
}

static void test_wraps(void **state)
{
	(void)state;
	wrap(false, 0);
}

static void test_wraps_indirect(void **state)
{
	(void)state;
	wrap(true, 3);
}

static void test_full_direct(void **state)
{
	unsigned nout, nin;

	(void)state;
	start(8, false, 0, 0);
	assert_int_equal(add(9, 0, mem), -ENOSPC);
	assert_int_equal(add(3, 0, mem[0]), 0);
	assert_int_equal(add(3, 0, mem[1]), 0);
	assert_int_equal(add(3, 0, mem[2]), -ENOSPC);
	assert_int_equal(add(2, 0, mem[2]), 0);
	assert_int_equal(vq.nfree, 0);
	assert_int_equal(add(1, 0, mem[3]), -ENOSPC);
	vq_publish(&vq);
	for (unsigned i = 0; i < 3; i++) {
		dev_walk((unsigned)dev_pop(), &nout, &nin);
		assert_int_equal(nout, i < 2 ? 3 : 2);
	}
	assert_int_equal(dev_pop(), -1);
}

/* With the tables used up the ring itself is used, and back. */
static void test_indirect_runs_out(void **state)
{
	unsigned nout, nin;
	uint32_t len;
	int head;

	(void)state;
	start(8, false, 2, 4);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(add(2, 1, mem[i]), 0);
	assert_int_equal(vq.nfree, 8 - 1 - 1 - 3);
	assert_int_equal(vq.ind_head, VQ_NO_IND);
	assert_int_equal(add(5, 0, mem[3]), -ENOSPC);
	vq_publish(&vq);
	for (unsigned i = 0; i < 3; i++) {
		head = dev_pop();
		dev_walk((unsigned)head, &nout, &nin);
		assert_int_equal(nout, 2);
		assert_int_equal(nin, 1);
		dev_push((uint32_t)head, 64);
		assert_ptr_equal(vq_take(&vq, &len), mem[i]);
	}
	assert_int_equal(vq.nfree, 8);
	assert_int_not_equal(vq.ind_head, VQ_NO_IND);
}

static void test_notification_flag(void **state)
{
	(void)state;
	start(8, false, 0, 0);
	dv.ring.used->flags = VRING_USED_F_NO_NOTIFY;
	add(1, 0, mem);
	assert_false(vq_publish(&vq));
	dv.ring.used->flags = 0;
	add(1, 0, mem);
	add(1, 0, mem);
	assert_true(vq_publish(&vq));
}

static void test_notification_event(void **state)
{
	(void)state;
	start(8, true, 0, 0);
	vring_avail_event(&dv.ring) = 2; /* tell me of the third */
	add(1, 0, mem);
	assert_false(vq_publish(&vq));
	add(1, 0, mem);
	add(1, 0, mem);
	assert_true(vq_publish(&vq));
	add(1, 0, mem);
	assert_false(vq_publish(&vq));
}

static void exchange(unsigned n)
{
	uint32_t len;

	for (unsigned i = 0; i < n; i++)
		add(1, 0, mem);
	vq_publish(&vq);
	for (unsigned i = 0; i < n; i++)
		dev_push((uint32_t)dev_pop(), 0);
	while (vq_take(&vq, &len))
		;
}

static void arming(bool event_idx)
{
	uint16_t old;
	uint32_t len;

	start(8, event_idx, 0, 0);
	vq_disarm(&vq);
	old = dv.used;
	exchange(5);
	assert_false(dev_interrupts(old));
	assert_false(vq_arm(&vq));
	old = dv.used;
	add(1, 0, mem);
	vq_publish(&vq);
	dev_push((uint32_t)dev_pop(), 0);
	assert_true(dev_interrupts(old));
	assert_true(vq_arm(&vq)); /* there is something */
	assert_non_null(vq_take(&vq, &len));
	assert_false(vq_arm(&vq));
}

static void test_arm_flag(void **state)
{
	(void)state;
	arming(false);
}

static void test_arm_event(void **state)
{
	(void)state;
	arming(true);
}

/* Eight in flight: the sixth finished one interrupts, no earlier one. */
static void test_arm_late(void **state)
{
	unsigned when = 0;
	uint16_t old;
	int head[8];

	(void)state;
	start(8, true, 0, 0);
	for (unsigned i = 0; i < 8; i++)
		add(1, 0, mem);
	vq_publish(&vq);
	assert_false(vq_arm_late(&vq));
	for (unsigned i = 0; i < 8; i++)
		head[i] = dev_pop();
	for (unsigned i = 0; i < 8; i++) {
		old = dv.used;
		dev_push((uint32_t)head[i], 0);
		if (dev_interrupts(old) && when == 0)
			when = i + 1;
	}
	assert_int_equal(when, 6);
	assert_true(vq_arm_late(&vq));
}

/* --- a device that lies -------------------------------------------------- */

static void check_broken(void)
{
	uint32_t len;

	assert_null(vq_take(&vq, &len));
	assert_non_null(vq.fault);
	assert_null(vq_take(&vq, &len));
	assert_int_equal(add(1, 0, mem), -EIO);
	assert_false(vq_publish(&vq));
	assert_true(vq_pending(&vq));
}

static unsigned drain(void)
{
	unsigned n = 0;

	while (vq_drain(&vq))
		n++;
	assert_int_equal(vq.nfree, vq.num);
	return n;
}

static void test_id_out_of_range(void **state)
{
	static const uint32_t ids[] = { 8, 0x10000, 0xffffffff, 0x80000000 };

	for (unsigned i = 0; i < 4; i++) {
		start(8, false, 0, 0);
		add(1, 1, mem);
		vq_publish(&vq);
		dev_push(ids[i], 0);
		check_broken();
		assert_int_equal(drain(), 1);
		end(state);
	}
	start(8, false, 0, 0);
}

static void test_id_not_in_flight(void **state)
{
	(void)state;
	start(8, false, 0, 0);
	add(1, 1, mem);
	vq_publish(&vq);
	dev_push(7, 0);
	check_broken();
	assert_int_equal(drain(), 1);
}

static void test_id_inside_a_chain(void **state)
{
	(void)state;
	start(8, false, 0, 0);
	add(3, 1, mem);
	vq_publish(&vq);
	dev_push(dv.ring.desc[dev_pop()].next, 0);
	check_broken();
	assert_int_equal(drain(), 1);
}

static void test_id_twice(void **state)
{
	uint32_t len;
	int head;

	(void)state;
	start(8, false, 0, 0);
	add(1, 0, mem[0]);
	add(1, 0, mem[1]);
	vq_publish(&vq);
	head = dev_pop();
	dev_push((uint32_t)head, 0);
	dev_push((uint32_t)head, 0);
	assert_ptr_equal(vq_take(&vq, &len), mem[0]);
	check_broken();
	assert_int_equal(drain(), 1);
}

static void test_index_jumps(void **state)
{
	static const uint16_t jumps[] = { 2, 9, 0x8000, 0xffff };

	for (unsigned i = 0; i < 4; i++) {
		start(8, false, 0, 0);
		add(1, 0, mem);
		vq_publish(&vq);
		dv.ring.used->idx = jumps[i];
		check_broken();
		assert_int_equal(drain(), 1);
		end(state);
	}
	start(8, false, 0, 0);
}

/* What was added but not shown cannot have finished. */
static void test_index_past_shown(void **state)
{
	(void)state;
	start(8, false, 0, 0);
	add(1, 0, mem);
	dev_push(0, 0);
	check_broken();
	assert_int_equal(drain(), 1);
}

static void test_length(void **state)
{
	uint32_t len;

	(void)state;
	start(8, false, 0, 0);
	add(1, 2, mem[0]);
	add(2, 0, mem[1]);
	vq_publish(&vq);
	dev_push((uint32_t)dev_pop(), 128);
	assert_ptr_equal(vq_take(&vq, &len), mem[0]);
	assert_int_equal(len, 128);
	dev_push((uint32_t)dev_pop(), 1); /* it was given none */
	check_broken();
	assert_int_equal(drain(), 1);
}

/* The device scribbles over descriptors and the available ring. */
static void test_scribble(void **state)
{
	uint32_t len;
	int head;

	(void)state;
	start(8, false, 2, 4);
	add(2, 2, mem[0]);
	add(5, 0, mem[1]);
	vq_publish(&vq);
	head = dev_pop();
	memset(dv.ring.desc, 0xff, 8 * sizeof(*dv.ring.desc));
	memset(dv.ring.avail->ring, 0xff, 8 * sizeof(uint16_t));
	memset(vq.ind, 0xff, 2 * 4 * sizeof(*vq.ind));
	dev_push((uint32_t)head, 128);
	assert_ptr_equal(vq_take(&vq, &len), mem[0]);
	assert_int_equal(drain(), 1);
}

/* --- memory -------------------------------------------------------------- */

static void test_no_memory(void **state)
{
	long n;

	for (n = 1;; n++) {
		fake_mm_fail_nth(n);
		if (vq_init(&vq, 64, true, 8, 8) == 0)
			break;
		assert_true(fake_mm_failed());
		assert_int_equal(fake_mm_live(), 0);
	}
	fake_mm_fail_nth(0);
	assert_int_equal(n, 5);
	(void)state;
}

static void test_bad_size(void **state)
{
	struct virtq bad;

	(void)state;
	start(8, false, 0, 0);
	assert_int_equal(vq_init(&bad, 0, false, 0, 0), -EINVAL);
	assert_int_equal(vq_init(&bad, 12, false, 0, 0), -EINVAL);
	assert_int_equal(vq_init(&bad, 65536, false, 0, 0), -EINVAL);
	assert_int_equal(vq_init(&bad, 1, false, 0, 0), 0);
	vq_fini(&bad);
	vq_fini(&bad); /* harmless */
}

#define T(f) cmocka_unit_test_teardown(f, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_empty),
		T(test_one),
		T(test_two_out_of_order),
		T(test_wraps),
		T(test_wraps_indirect),
		T(test_full_direct),
		T(test_indirect_runs_out),
		T(test_notification_flag),
		T(test_notification_event),
		T(test_arm_flag),
		T(test_arm_event),
		T(test_arm_late),
		T(test_id_out_of_range),
		T(test_id_not_in_flight),
		T(test_id_inside_a_chain),
		T(test_id_twice),
		T(test_index_jumps),
		T(test_index_past_shown),
		T(test_length),
		T(test_scribble),
		T(test_no_memory),
		T(test_bad_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
