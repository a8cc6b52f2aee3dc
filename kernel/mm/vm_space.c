/* An address space and the tree of its mappings. */

#include "kern/errno.h"
#include "kern/num.h"
#include "kern/panic.h"
#include "kern/rand.h"
#include "vm_int.h"

/* Room for the stack above, wherever in 16 GiB it is, and how far down mmap's
 * area may start below; the bits are Linux's default. */
#define STACK_ROOM     ((1ul << 34) + (2ul << 30))
#define MMAP_RAND_BITS 28

#define STACK_LIMIT    (8ul << 20) /* until vm_set_limits() */

#define LOW_2G_START   0x40000000ul /* MAP_32BIT, as Linux has it */
#define LOW_2G_END     0x80000000ul

struct vm_tune vm_tune = {
	.max_map_count = 65530, /* Linux's */
	.overcommit_ratio = 50,
};

static struct vma *vma_of(struct rb_node *n)
{
	return n ? rb_entry(n, struct vma, node) : NULL;
}

struct vma *vma_next(const struct vma *v)
{
	return vma_of(rb_next(&v->node));
}

struct vma *vma_prev(const struct vma *v)
{
	return vma_of(rb_prev(&v->node));
}

struct vma *vma_before(struct vm_space *s, const struct vma *next)
{
	return next ? vma_prev(next) : vma_of(rb_last(&s->vmas));
}

struct vma *vma_find(struct vm_space *s, uintptr_t addr)
{
	struct rb_node *n = s->vmas.node;
	struct vma *best = NULL;

	while (n) {
		struct vma *v = vma_of(n);

		if (v->end > addr)
			best = v;
		n = n->child[v->end <= addr];
	}
	return best;
}

struct vma *vma_create(struct vm_space *s, uintptr_t start, uintptr_t end,
    unsigned prot, unsigned flags, struct vm_object *obj, uint64_t off)
{
	struct vma *v = kzalloc(sizeof(*v));

	if (!v)
		return NULL;
	v->start = start;
	v->end = end;
	v->prot = prot;
	v->flags = flags & VM_KEPT;
	v->obj = obj;
	v->off = off;
	v->space = s;
	list_init(&v->rmap);
	if (obj)
		obj->ops->get(obj);
	return v;
}

void vma_destroy(struct vma *v)
{
	if (v->obj)
		v->obj->ops->put(v->obj);
	kfree(v);
}

/* --- the tree and its gaps --------------------------------------------- */

/* Where a new mapping below (v) has to end. */
static uintptr_t roof_under(const struct vma *v)
{
	if (!(v->flags & VM_GROWSDOWN))
		return v->start;
	return v->start > VM_GUARD_GAP ? v->start - VM_GUARD_GAP : 0;
}

static uint64_t max_gap_of(struct rb_node *n)
{
	return n ? rb_entry(n, struct vma, node)->max_gap : 0;
}

static bool max_gap_update(struct rb_node *n)
{
	struct vma *v = vma_of(n);
	uint64_t below = MAX(max_gap_of(n->child[0]), max_gap_of(n->child[1]));
	uint64_t old = v->max_gap;

	v->max_gap = MAX(v->gap, below);
	return v->max_gap != old;
}

static uint64_t gap_between(const struct vma *prev, const struct vma *v)
{
	uintptr_t floor = prev ? prev->end : 0;

	return roof_under(v) > floor ? roof_under(v) - floor : 0;
}

/* What lies below (v), which may be NULL, has changed. */
static void gap_update(const struct vma *prev, struct vma *v)
{
	uint64_t gap = v ? gap_between(prev, v) : 0;

	if (!v || gap == v->gap)
		return;
	v->gap = gap;
	rb_update(&v->space->vmas, &v->node);
}

static void account(struct vma *v, int sign)
{
	uint64_t len = v->end - v->start;

	if (sign < 0)
		len = -len;
	v->space->size += len;
	if (v->flags & VM_LOCKED)
		v->space->locked += len;
	if (vm_is_data(v->prot, v->flags))
		v->space->data += len;
	if (v->flags & VM_ACCOUNT)
		vm_commit_count((int64_t)len);
}

void vma_insert(struct vma *v)
{
	struct rb_node *parent = NULL, *n = v->space->vmas.node;
	struct vma *near[2] = { NULL, NULL }; /* above and below */
	int side = 0;

	while (n) {
		parent = n;
		side = v->start > vma_of(n)->start;
		near[side] = vma_of(n);
		n = n->child[side];
	}
	v->gap = gap_between(near[1], v);
	rb_insert(&v->space->vmas, &v->node, parent, side);
	gap_update(v, near[0]);
	v->space->nvma++;
	account(v, 1);
	rmap_add(v);
}

void vma_remove(struct vma *v)
{
	struct vma *prev = vma_prev(v), *next = vma_next(v);

	rmap_del(v);
	account(v, -1);
	v->space->nvma--;
	rb_remove(&v->space->vmas, &v->node);
	gap_update(prev, next);
}

/* The order in the tree must stay the same. */
void vma_resize(struct vma *v, uintptr_t start, uintptr_t end)
{
	bool below = start != v->start, above = end != v->end;

	rmap_lock_if(v);
	account(v, -1);
	v->off += start - v->start;
	v->start = start;
	v->end = end;
	account(v, 1);
	rmap_unlock_if(v);
	if (below)
		gap_update(vma_prev(v), v);
	if (above)
		gap_update(v, vma_next(v));
}

void vma_set_prot(struct vma *v, unsigned prot, unsigned flags)
{
	account(v, -1);
	v->prot = prot;
	v->flags = flags;
	account(v, 1);
}

/* --- splitting and joining --------------------------------------------- */

bool vma_too_many(const struct vm_space *s)
{
	return s->nvma >= atomic_load_explicit(
			      &vm_tune.max_map_count, memory_order_relaxed);
}

/* Resident pages in [start, end); counted only when (v) is cut. */
static uint64_t count_resident(struct vma *v, uintptr_t start, uintptr_t end)
{
	struct vm_space *s = v->space;
	uint64_t n = 0;

	if (v->resident == 0)
		return 0;
	mutex_lock(&s->pt_lock);
	for (uintptr_t va = start; (va = pt_next(s->pt, va, end)) < end;
	     va += PAGE_SIZE)
		n++;
	mutex_unlock(&s->pt_lock);
	return n;
}

int vma_split(struct vma *v, uintptr_t addr)
{
	uint64_t off = v->off + (addr - v->start);
	struct vma *tail;

	if (vma_too_many(v->space) || vm_huge_cut(v->space, addr))
		return -ENOMEM;
	tail =
	    vma_create(v->space, addr, v->end, v->prot, v->flags, v->obj, off);
	if (!tail)
		return -ENOMEM;
	tail->touched = v->touched;
	tail->lazy = v->lazy;
	tail->resident = count_resident(v, addr, v->end);
	v->resident -= tail->resident;
	vma_resize(v, v->start, addr);
	vma_insert(tail);
	return 0;
}

static bool can_join(const struct vma *a, const struct vma *b)
{
	return a->end == b->start && a->prot == b->prot &&
	       a->flags == b->flags && a->obj == b->obj &&
	       !(a->flags & VM_GROWSDOWN) &&
	       (!a->obj || a->off + (a->end - a->start) == b->off);
}

/* (b), which follows (a), becomes part of it. */
static void join(struct vma *a, struct vma *b)
{
	uintptr_t end = b->end;

	vma_remove(b);
	a->resident += b->resident;
	if (b->touched)
		a->touched = true;
	if (b->lazy)
		a->lazy = true;
	vma_resize(a, a->start, end);
	vma_destroy(b);
}

struct vma *vma_merge(struct vma *v)
{
	struct vma *prev = vma_prev(v), *next = vma_next(v);

	if (next && can_join(v, next))
		join(v, next);
	if (prev && can_join(prev, v)) {
		join(prev, v);
		return prev;
	}
	return v;
}

bool vm_range_ok(uintptr_t addr, size_t len)
{
	return IS_ALIGNED(addr, PAGE_SIZE) && IS_ALIGNED(len, PAGE_SIZE) &&
	       addr >= USER_MIN && len <= USER_MAX && addr <= USER_MAX - len;
}

bool vm_range_free(struct vm_space *s, uintptr_t addr, size_t len)
{
	struct vma *v = vma_find(s, addr);

	return !v || roof_under(v) >= addr + len;
}

/* The highest mapping, not above (n), with (len) bytes free below it. */
static struct vma *gap_search(struct rb_node *n, size_t len)
{
	while (n && vma_of(n)->gap < len && max_gap_of(n->child[0]) < len) {
		while (n->parent && n->parent->child[0] == n)
			n = n->parent;
		n = n->parent;
	}
	if (!n || vma_of(n)->gap >= len)
		return vma_of(n);
	/* It is in the left subtree: there is no way back up from here. */
	n = n->child[0];
	for (;;) {
		if (max_gap_of(n->child[1]) >= len)
			n = n->child[1];
		else if (vma_of(n)->gap >= len)
			return vma_of(n);
		else
			n = n->child[0];
	}
}

/* The highest place in [floor, roof) for (len) bytes; 0: none. */
static uintptr_t gap_below(
    struct vm_space *s, uintptr_t floor, uintptr_t roof, size_t len)
{
	struct vma *v = vma_find(s, roof), *prev = vma_before(s, v);

	/* The gap that the roof is in, or that ends at what it is in. */
	if (v)
		roof = MIN(roof, roof_under(v));
	if (prev && (roof < prev->end || roof - prev->end < len)) {
		v = gap_search(&prev->node, len);
		if (!v)
			return 0;
		roof = roof_under(v);
		prev = vma_prev(v);
	}
	if (prev)
		floor = MAX(floor, prev->end);
	return roof > floor && roof - floor >= len ? roof - len : 0;
}

uintptr_t vm_find_gap(struct vm_space *s, size_t len, unsigned flags)
{
	uintptr_t at;

	if (flags & VM_32BIT)
		return gap_below(s, LOW_2G_START, LOW_2G_END, len);
	at = gap_below(s, USER_MIN, s->mmap_base, len);
	return at ? at : gap_below(s, s->mmap_base, USER_MAX, len);
}

struct vm_space *vm_space_create(void)
{
	struct vm_space *s = kzalloc(sizeof(*s));

	if (!s)
		return NULL;
	s->pt = pgtable_create();
	if (!s->pt) {
		kfree(s);
		return NULL;
	}
	vm_lazy_start();
	s->limit = (struct vm_limits){ UINT64_MAX, UINT64_MAX, STACK_LIMIT };
	s->refs = 1;
	s->vmas.update = max_gap_update;
	rwlock_init(&s->lock);
	mutex_init(&s->pt_lock);
	list_init(&s->lazy_link);
	vm_space_place(s, true);
	return s;
}

void vm_space_place(struct vm_space *s, bool randomly)
{
	uint64_t r = rand_u64() & ((1ul << MMAP_RAND_BITS) - 1);

	s->mmap_base = USER_MAX - STACK_ROOM;
	if (randomly)
		s->mmap_base -= r << PAGE_SHIFT;
}

void vm_space_allow_wx(struct vm_space *s, bool allow)
{
	s->allow_wx = allow;
}

void vm_space_get(struct vm_space *s)
{
	uint32_t old = atomic_fetch_add(&s->refs, 1);

	assert(old != 0);
}

void vm_space_put(struct vm_space *s)
{
	struct rb_node *n;
	uint32_t old = atomic_fetch_sub(&s->refs, 1);

	assert(old != 0);
	if (old != 1)
		return;
	vm_lazy_forget(s);
	while ((n = rb_first(&s->vmas)) != NULL) {
		struct vma *v = vma_of(n);

		vma_zap(v, v->start, v->end);
		vma_remove(v);
		vma_destroy(v);
	}
	pgtable_destroy(s->pt);
	kfree(s);
}

struct pgtable *vm_space_pgtable(struct vm_space *s)
{
	return s->pt;
}
