/* See explore.h. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explore.h"

#define CTXS     8
#define REGIONS  8
#define WEAK_MAX 4
#define STORES   6
#define STACK    16384
#define BUCKETS  (1ul << 23)

struct store {
	volatile void *p;
	uint64_t v;
	size_t n;
};

struct x_ctx {
	uint64_t *sp;
	bool ended;
	bool (*ready)(void *); /* NULL: goes on at any time */
	void *ready_arg;
	unsigned choices; /* of x_choose(); 0: none asked for */
};

struct x_cpu {
	struct x_ctx *current;
	struct store stores[STORES]; /* oldest first */
	unsigned nstore;
	bool irq_off;
	void (*irq)(void); /* pending */
};

/* What explore() saves and restores, besides regions and stacks. */
static struct world {
	struct x_ctx ctx[CTXS];
	struct x_cpu cpu[X_CPUS];
	const char *failure;
} w;

static unsigned char stacks[CTXS][STACK] __attribute__((aligned(16)));
static unsigned nctx;
static struct {
	void *p;
	size_t n;
} regions[REGIONS], weak[WEAK_MAX];
static unsigned nregion, nweak;
static bool must_end[CTXS];
static const volatile void *torn;
static bool booting;

/* The step that is being made. */
static struct x_cpu *self;
static unsigned chosen;
static bool take_irq;
static uint64_t *engine_sp;

/* --- contexts ------------------------------------------------------------ */

/* Keep what a callee keeps, change stacks. */
void x_swap(uint64_t **save, uint64_t *sp);
__asm__(".text\n"
	".globl x_swap\n"
	"x_swap:\n"
	"	pushq %rbp\n"
	"	pushq %rbx\n"
	"	pushq %r12\n"
	"	pushq %r13\n"
	"	pushq %r14\n"
	"	pushq %r15\n"
	"	movq %rsp, (%rdi)\n"
	"	movq %rsi, %rsp\n"
	"	popq %r15\n"
	"	popq %r14\n"
	"	popq %r13\n"
	"	popq %r12\n"
	"	popq %rbx\n"
	"	popq %rbp\n"
	"	ret\n"
	".globl x_first\n"
	"x_first:\n"
	"	movq %r12, %rdi\n"
	"	call *%rbx\n"
	"	call x_end\n");
void x_first(void);
void x_end(void);

void x_reset(void)
{
	memset(&w, 0, sizeof(w));
	memset(must_end, 0, sizeof(must_end));
	nctx = nregion = nweak = 0;
	torn = NULL;
}

void x_tear(const void *p)
{
	torn = p;
}

void x_boot(unsigned cpu)
{
	self = &w.cpu[cpu];
	booting = true;
}

void x_region(void *p, size_t n)
{
	regions[nregion].p = p;
	regions[nregion++].n = n;
}

void x_weaken(const void *p, size_t n)
{
	weak[nweak].p = (void *)p;
	weak[nweak++].n = n;
}

struct x_ctx *x_ctx_new(void (*fn)(void *), void *arg)
{
	struct x_ctx *ctx = &w.ctx[nctx];
	uint64_t *sp = (uint64_t *)(stacks[nctx] + STACK) - 9;

	memset(sp, 0, 9 * sizeof(*sp));
	sp[3] = (uintptr_t)arg;     /* r12 */
	sp[4] = (uintptr_t)fn;      /* rbx */
	sp[6] = (uintptr_t)x_first; /* where it returns to */
	ctx->sp = sp;
	nctx++;
	return ctx;
}

void x_cpu_start(unsigned cpu, struct x_ctx *ctx)
{
	w.cpu[cpu].current = ctx;
}

void x_must_end(struct x_ctx *ctx)
{
	must_end[ctx - w.ctx] = true;
}

unsigned x_cpu(void)
{
	return (unsigned)(self - w.cpu);
}

static void flush_all(struct x_cpu *c);

static void to_engine(void)
{
	if (booting) {
		flush_all(self);
		return;
	}
	x_swap(&self->current->sp, engine_sp);
}

/* The handler may switch, and what it interrupted go on elsewhere. */
static void handle_irq(struct x_ctx *ctx)
{
	void (*fn)(void) = self->irq;
	struct x_ctx was = *ctx;

	take_irq = false;
	ctx->ready = NULL;
	ctx->choices = 0;
	self->irq = NULL;
	self->irq_off = true;
	fn();
	self->irq_off = false;
	ctx->ready = was.ready;
	ctx->choices = was.choices;
}

void x_point(void)
{
	struct x_ctx *ctx = self->current;

	to_engine();
	while (take_irq) {
		handle_irq(ctx);
		to_engine();
	}
}

void x_end(void)
{
	self->current->ended = true;
	to_engine();
	abort();
}

void x_wait(bool (*ready)(void *), void *arg)
{
	self->current->ready = ready;
	self->current->ready_arg = arg;
	x_point();
	self->current->ready = NULL;
	self->current->ready_arg = NULL;
}

unsigned x_choose(unsigned n)
{
	unsigned got;

	self->current->choices = n;
	x_point();
	got = chosen;
	self->current->choices = 0;
	return got;
}

void x_fail(const char *why)
{
	w.failure = why;
	x_end();
}

void x_switch(struct x_ctx *to)
{
	struct x_ctx *from = self->current;

	self->current = to;
	x_swap(&from->sp, to->sp);
}

/* --- memory -------------------------------------------------------------- */

static void put(volatile void *p, size_t n, uint64_t v)
{
	memcpy((void *)(uintptr_t)p, &v, n);
}

static uint64_t get(const volatile void *p, size_t n)
{
	uint64_t v = 0;

	memcpy(&v, (const void *)(uintptr_t)p, n);
	return v;
}

static void flush_one(struct x_cpu *c)
{
	struct store s = c->stores[0];

	c->nstore--;
	memmove(c->stores, c->stores + 1, c->nstore * sizeof(s));
	memset(&c->stores[c->nstore], 0, sizeof(s));
	put(s.p, s.n, s.v);
}

static void flush_all(struct x_cpu *c)
{
	while (c->nstore)
		flush_one(c);
}

uint64_t x_load(const volatile void *p, size_t n)
{
	x_point();
	for (unsigned i = self->nstore; i-- > 0;)
		if (self->stores[i].p == p)
			return self->stores[i].v;
	return get(p, n);
}

static bool is_weak(const volatile void *p)
{
	for (unsigned i = 0; i < nweak; i++)
		if ((uintptr_t)p - (uintptr_t)weak[i].p < weak[i].n)
			return true;
	return false;
}

void x_store(volatile void *p, size_t n, uint64_t v, bool seq_cst)
{
	x_point();
	if (self->nstore == STORES)
		flush_one(self);
	self->stores[self->nstore++] = (struct store){ p, v, n };
	if (seq_cst && !is_weak(p))
		flush_all(self);
}

uint64_t x_exchange(volatile void *p, size_t n, uint64_t v)
{
	uint64_t old;

	x_point();
	flush_all(self);
	old = get(p, n);
	put(p, n, v);
	return old;
}

bool x_cas(volatile void *p, size_t n, uint64_t *old, uint64_t v)
{
	uint64_t now;
	bool same;

	x_point();
	flush_all(self);
	now = get(p, n);
	same = now == *old;
	if (p == torn)
		x_point();
	if (same)
		put(p, n, v);
	*old = now;
	return same;
}

uint64_t x_fetch(volatile void *p, size_t n, char op, uint64_t v)
{
	uint64_t old;

	x_point();
	flush_all(self);
	old = get(p, n);
	put(p, n, op == '+' ? old + v : op == '|' ? old | v : old & v);
	return old;
}

void x_fence(bool seq_cst)
{
	if (!seq_cst)
		return;
	x_point();
	flush_all(self);
}

/* --- interrupts ---------------------------------------------------------- */

unsigned long x_irq_save(void)
{
	bool was_off = self->irq_off;

	self->irq_off = true;
	return was_off ? 0 : IRQ_FLAG_IF;
}

void x_irq_restore(unsigned long flags)
{
	if (flags & IRQ_FLAG_IF)
		self->irq_off = false;
}

void x_interrupt(unsigned cpu, void (*fn)(void))
{
	x_point();
	flush_all(self); /* whoever sends one sees to it */
	w.cpu[cpu].irq = fn;
}

static bool never(void *arg)
{
	(void)arg;
	return false;
}

void x_halt(void)
{
	struct x_ctx *ctx = self->current;

	self->irq_off = false;
	ctx->ready = never;
	to_engine();
	ctx->ready = NULL;
	handle_irq(ctx);
}

/* --- the search ---------------------------------------------------------- */

struct snapshot {
	size_t n;
	unsigned char bytes[];
};

static size_t stack_live(unsigned i)
{
	return (size_t)(stacks[i] + STACK - (unsigned char *)w.ctx[i].sp);
}

static struct snapshot *save(void)
{
	size_t n = sizeof(w);
	struct snapshot *s;
	unsigned char *at;

	for (unsigned i = 0; i < nctx; i++)
		n += stack_live(i);
	for (unsigned i = 0; i < nregion; i++)
		n += regions[i].n;
	s = malloc(sizeof(*s) + n);
	s->n = n;
	at = s->bytes;
	memcpy(at, &w, sizeof(w));
	at += sizeof(w);
	for (unsigned i = 0; i < nctx; at += stack_live(i), i++)
		memcpy(at, w.ctx[i].sp, stack_live(i));
	for (unsigned i = 0; i < nregion; at += regions[i].n, i++)
		memcpy(at, regions[i].p, regions[i].n);
	return s;
}

static void restore(const struct snapshot *s)
{
	const unsigned char *at = s->bytes;

	memcpy(&w, at, sizeof(w));
	at += sizeof(w);
	for (unsigned i = 0; i < nctx; at += stack_live(i), i++)
		memcpy(w.ctx[i].sp, at, stack_live(i));
	for (unsigned i = 0; i < nregion; at += regions[i].n, i++)
		memcpy(regions[i].p, at, regions[i].n);
}

static uint64_t hash(const struct snapshot *s, uint64_t h)
{
	for (size_t i = 0; i < s->n; i += 8) {
		uint64_t v = 0;

		memcpy(&v, s->bytes + i, s->n - i < 8 ? s->n - i : 8);
		h = (h ^ v) * 0x9e3779b97f4a7c15ul;
		h ^= h >> 29;
	}
	return h;
}

/* The states that have been seen, by 128 bits of hash each. */
static uint64_t (*seen)[2];
static unsigned long nseen;

static bool is_new(const struct snapshot *s)
{
	uint64_t a = hash(s, 1), b = hash(s, 0x1234567) | 1;
	size_t i = a % BUCKETS;

	for (; seen[i][1]; i = (i + 1) % BUCKETS)
		if (seen[i][0] == a && seen[i][1] == b)
			return false;
	seen[i][0] = a;
	seen[i][1] = b;
	if (++nseen > BUCKETS / 4 * 3) {
		fprintf(stderr, "too many states\n");
		abort();
	}
	return true;
}

/* Move (n) of a processor: 0 flush, 1 interrupt, 2 and up go on. */
static bool move(struct x_cpu *c, unsigned n)
{
	struct x_ctx *ctx = c->current;

	if (!ctx)
		return false;
	if (n == 0) {
		if (!c->nstore)
			return false;
		flush_one(c);
		return true;
	}
	if (n == 1) {
		if (!c->irq || c->irq_off || ctx->ended)
			return false;
		take_irq = true;
	} else {
		if (ctx->ended || n - 2 >= (ctx->choices ? ctx->choices : 1) ||
		    (ctx->ready && !ctx->ready(ctx->ready_arg)))
			return false;
		take_irq = false;
		chosen = n - 2;
	}
	self = c;
	x_swap(&engine_sp, ctx->sp);
	return true;
}

#define MOVES (X_CPUS * 5)

struct frame {
	struct snapshot *state;
	unsigned next; /* move */
	bool moved;
};

static const char *stuck(void)
{
	for (unsigned i = 0; i < nctx; i++)
		if (must_end[i] && !w.ctx[i].ended)
			return "nobody can go on";
	return NULL;
}

const char *explore(void)
{
	static struct frame *stack;
	static size_t room;
	size_t depth = 1;

	if (!stack) {
		room = 1 << 20;
		stack = malloc(room * sizeof(*stack));
	}
	flush_all(self ? self : &w.cpu[0]);
	booting = false;
	seen = calloc(BUCKETS, sizeof(*seen));
	nseen = 0;
	w.failure = NULL;
	stack[0] = (struct frame){ .state = save() };
	while (depth && !w.failure) {
		struct frame *f = &stack[depth - 1];
		struct snapshot *s;
		unsigned n;

		if (f->next == MOVES) {
			restore(f->state);
			if (!f->moved)
				w.failure = stuck();
			free(f->state);
			depth--;
			continue;
		}
		restore(f->state);
		n = (f->next * 7 + (unsigned)depth * 5) % MOVES; /* any order */
		if (!move(&w.cpu[n % X_CPUS], n / X_CPUS)) {
			f->next++;
			continue;
		}
		f->next++;
		f->moved = true;
		s = save();
		if (depth == room)
			abort();
		if (w.failure || !is_new(s))
			free(s);
		else
			stack[depth++] = (struct frame){ .state = s };
	}
	while (depth)
		free(stack[--depth].state);
	free(seen);
	printf("             %lu states: %s\n", nseen,
	    w.failure ? w.failure : "fine");
	return w.failure;
}
