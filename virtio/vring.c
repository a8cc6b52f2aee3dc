/*
 * The driver's side of a split virtqueue.  VIRTIO 1.1, section 2.6.
 *
 * The device can write all of the ring, so nothing in it is read back except
 * the used ring and its two hints, each once; the chains live in vq->slot.
 */

#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/panic.h"
#include "kern/string.h"
#include "virtio/virtio.h"

#define VRING_ALIGN 4096 /* what the legacy interface demands */

static unsigned order_of(size_t bytes)
{
	unsigned order = 0;

	while ((PAGE_SIZE << order) < bytes)
		order++;
	return order;
}

static int vq_init_indirect(struct virtq *vq, unsigned n, unsigned size)
{
	if (n == 0 || size == 0)
		return 0;
	vq->ind_order = order_of((size_t)n * size * sizeof(*vq->ind));
	vq->ind_next = kmalloc_array(n, sizeof(*vq->ind_next));
	vq->ind = page_alloc(vq->ind_order, PAGE_ZERO);
	if (!vq->ind_next || !vq->ind)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++)
		vq->ind_next[i] =
		    i + 1 < n ? (uint16_t)(i + 1) : (uint16_t)VQ_NO_IND;
	vq->ind_num = (uint16_t)n;
	vq->ind_size = (uint16_t)size;
	vq->ind_head = 0;
	return 0;
}

int vq_init(struct virtq *vq, unsigned num, bool event_idx, unsigned ind_num,
    unsigned ind_size)
{
	void *mem;

	memset(vq, 0, sizeof(*vq));
	if (!IS_POW2(num) || num > VQ_NUM_MAX || ind_num >= VQ_NO_IND ||
	    ind_size > VQ_NUM_MAX)
		return -EINVAL;
	vq->ind_head = VQ_NO_IND;
	vq->ring_order = order_of(vring_size(num, VRING_ALIGN));
	mem = page_alloc(vq->ring_order, PAGE_ZERO);
	if (!mem)
		return -ENOMEM;
	vring_init(&vq->ring, num, mem, VRING_ALIGN);
	vq->slot = kmalloc_array(num, sizeof(*vq->slot));
	if (!vq->slot || vq_init_indirect(vq, ind_num, ind_size) != 0) {
		vq_fini(vq);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < num; i++)
		vq->slot[i].next = (uint16_t)(i + 1);
	vq->num = vq->nfree = (uint16_t)num;
	vq->event_idx = event_idx;
	vq->armed = true; /* as zeroed memory says */
	return 0;
}

void vq_fini(struct virtq *vq)
{
	if (vq->ring.desc)
		page_free(vq->ring.desc, vq->ring_order);
	if (vq->ind)
		page_free(vq->ind, vq->ind_order);
	kfree(vq->ind_next);
	kfree(vq->slot);
	vq->ring.desc = NULL;
	vq->ind = NULL;
	vq->ind_next = NULL;
	vq->slot = NULL;
}

/* --- adding ------------------------------------------------------------- */

static void set_desc(struct vring_desc *d, const struct vq_seg *s, bool in)
{
	d->addr = va_to_pa(s->va);
	d->len = s->len;
	d->flags = in ? VRING_DESC_F_WRITE : 0;
}

static void fill_indirect(struct virtq *vq, struct vring_desc *head,
    const struct vq_seg *seg, unsigned nout, unsigned n)
{
	uint16_t t = vq->ind_head;
	struct vring_desc *d = &vq->ind[(size_t)t * vq->ind_size];

	vq->ind_head = vq->ind_next[t];
	vq->slot[vq->free_head].ind = t;
	head->addr = va_to_pa(d);
	head->len = n * (uint32_t)sizeof(*d);
	head->flags = VRING_DESC_F_INDIRECT;
	for (unsigned i = 0; i < n; i++, d++) {
		set_desc(d, &seg[i], i >= nout);
		d->next = (uint16_t)(i + 1);
		if (i + 1 < n)
			d->flags |= VRING_DESC_F_NEXT;
	}
}

/* Returns the first descriptor that stays free. */
static uint16_t fill_direct(
    struct virtq *vq, const struct vq_seg *seg, unsigned nout, unsigned n)
{
	uint16_t i = vq->free_head;

	for (unsigned k = 0; k < n; k++) {
		struct vring_desc *d = &vq->ring.desc[i];

		set_desc(d, &seg[k], k >= nout);
		i = vq->slot[i].next;
		d->next = i;
		if (k + 1 < n)
			d->flags |= VRING_DESC_F_NEXT;
	}
	return i;
}

static uint32_t sum_in(const struct vq_seg *seg, unsigned nout, unsigned n)
{
	uint32_t sum = 0;

	for (unsigned i = nout; i < n; i++)
		if (add_overflow(sum, seg[i].len, &sum))
			return UINT32_MAX;
	return sum;
}

int vq_add(struct virtq *vq, const struct vq_seg *seg, unsigned nout,
    unsigned nin, void *cookie)
{
	unsigned n = nout + nin;
	uint16_t head = vq->free_head;
	struct vq_slot *slot;
	bool indirect;

	assert(n != 0 && cookie);
	if (vq->fault)
		return -EIO;
	indirect = n > 1 && n <= vq->ind_size && vq->ind_head != VQ_NO_IND;
	if (vq->nfree < (indirect ? 1 : n))
		return -ENOSPC;
	slot = &vq->slot[head];
	slot->ind = VQ_NO_IND;
	slot->ndesc = (uint16_t)(indirect ? 1 : n);
	slot->in_len = sum_in(seg, nout, n);
	slot->cookie = cookie;
	if (indirect) {
		fill_indirect(vq, &vq->ring.desc[head], seg, nout, n);
		vq->free_head = slot->next;
	} else {
		vq->free_head = fill_direct(vq, seg, nout, n);
	}
	vq->nfree = (uint16_t)(vq->nfree - slot->ndesc);
	vq->ring.avail->ring[vq->avail_idx % vq->num] = head;
	vq->avail_idx++;
	return 0;
}

bool vq_publish(struct virtq *vq)
{
	uint16_t old = vq->shown_idx, new = vq->avail_idx;

	if (old == new || vq->fault)
		return false;
	vq->inflight = (uint16_t)(vq->inflight + (uint16_t)(new - old));
	vq->shown_idx = new;
	__atomic_store_n(&vq->ring.avail->idx, new, __ATOMIC_RELEASE);
	/* The device stores its hint, fences, and looks at idx: one of the
	 * two sees the other's store. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (vq->event_idx)
		return vring_need_event(
		    READ_ONCE(vring_avail_event(&vq->ring)), new, old);
	return !(READ_ONCE(vq->ring.used->flags) & VRING_USED_F_NO_NOTIFY);
}

/* --- taking ------------------------------------------------------------- */

static void *vq_fault(struct virtq *vq, const char *why)
{
	vq->fault = why;
	return NULL;
}

/* Give back the chain of (head), which is in flight. */
static void *release_slot(struct virtq *vq, uint16_t head)
{
	struct vq_slot *slot = &vq->slot[head];
	void *cookie = slot->cookie;
	uint16_t last = head;

	for (unsigned i = 1; i < slot->ndesc; i++)
		last = vq->slot[last].next;
	vq->slot[last].next = vq->free_head;
	vq->free_head = head;
	vq->nfree = (uint16_t)(vq->nfree + slot->ndesc);
	if (slot->ind != VQ_NO_IND) {
		vq->ind_next[slot->ind] = vq->ind_head;
		vq->ind_head = slot->ind;
	}
	slot->cookie = NULL;
	slot->ndesc = 0;
	return cookie;
}

void *vq_take(struct virtq *vq, uint32_t *len)
{
	const struct vring_used_elem *e;
	uint16_t idx, ready;
	uint32_t id;

	if (vq->fault)
		return NULL;
	idx = __atomic_load_n(&vq->ring.used->idx, __ATOMIC_ACQUIRE);
	ready = (uint16_t)(idx - vq->used_idx);
	if (ready == 0)
		return NULL;
	if (ready > vq->inflight)
		return vq_fault(vq, "used index past what is in flight");
	e = &vq->ring.used->ring[vq->used_idx % vq->num];
	id = READ_ONCE(e->id);
	*len = READ_ONCE(e->len);
	if (id >= vq->num)
		return vq_fault(vq, "used id out of range");
	if (!vq->slot[id].cookie)
		return vq_fault(vq, "used id not in flight");
	if (*len > vq->slot[id].in_len)
		return vq_fault(vq, "used length past the buffer");
	vq->used_idx++;
	vq->inflight--;
	return release_slot(vq, (uint16_t)id);
}

bool vq_pending(const struct virtq *vq)
{
	uint16_t idx = __atomic_load_n(&vq->ring.used->idx, __ATOMIC_ACQUIRE);

	return vq->fault || idx != vq->used_idx;
}

static bool arm_at(struct virtq *vq, uint16_t event)
{
	vq->armed = true;
	WRITE_ONCE(vq->ring.avail->flags, 0);
	if (vq->event_idx)
		WRITE_ONCE(vring_used_event(&vq->ring), event);
	/* Ask, then look: the device does it the other way round. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return vq->fault ||
	       (uint16_t)(READ_ONCE(vq->ring.used->idx) - vq->used_idx) >
		   (uint16_t)(event - vq->used_idx);
}

bool vq_arm(struct virtq *vq)
{
	return arm_at(vq, vq->used_idx);
}

bool vq_arm_late(struct virtq *vq)
{
	unsigned most = vq->inflight - vq->inflight / 4;

	if (!vq->event_idx || most == 0)
		return arm_at(vq, vq->used_idx);
	return arm_at(vq, (uint16_t)(vq->used_idx + most - 1));
}

void vq_disarm(struct virtq *vq)
{
	if (!vq->armed)
		return;
	vq->armed = false;
	if (vq->event_idx) /* as far away as an index can be */
		WRITE_ONCE(
		    vring_used_event(&vq->ring), (uint16_t)(vq->used_idx - 1));
	else
		WRITE_ONCE(vq->ring.avail->flags, VRING_AVAIL_F_NO_INTERRUPT);
}

void *vq_drain(struct virtq *vq)
{
	vq->fault = "stopped";
	for (unsigned i = 0; i < vq->num; i++)
		if (vq->slot[i].cookie)
			return release_slot(vq, (uint16_t)i);
	return NULL;
}
