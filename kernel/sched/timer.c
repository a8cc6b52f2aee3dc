/*
 * A tree of timers on each cpu, the earliest of which the hardware's one-shot
 * event follows.  A timer stays at its home cpu while it is pending or its
 * function runs there, so the function never runs twice at once.
 */

#include "kern/arch.h"
#include "kern/clock.h"
#include "kern/mm.h"
#include "kern/panic.h"
#include "sched_int.h"

struct timerq {
	/* A spinlock because timers fire in event context and any cpu may
	 * cancel them. */
	struct spinlock lock;
	struct cpu *cpu;
	struct rb_root tree;
	struct rb_node *first;
	struct timer *running;
	uint64_t programmed; /* what the hardware waits for */
};

static struct timerq boot_timerq;

void timer_cpu_init(struct cpu *c)
{
	struct timerq *tq = &boot_timerq;

	if (tq->cpu)
		tq = kzalloc(sizeof(*tq));
	if (!tq)
		panic("no memory for cpu %u", c->id);
	tq->cpu = c;
	tq->programmed = TIME_NEVER;
	c->timerq = tq;
}

void timer_init(struct timer *t, void (*fn)(struct timer *))
{
	*t = (struct timer){ .fn = fn };
}

static struct timer *timer_of(struct rb_node *n)
{
	return rb_entry(n, struct timer, node);
}

static void timerq_insert(struct timerq *tq, struct timer *t)
{
	struct rb_node *parent = NULL, *n = tq->tree.node;
	bool first = true;
	int side = 0;

	while (n) {
		parent = n;
		side = t->deadline >= timer_of(n)->deadline;
		if (side)
			first = false;
		n = n->child[side];
	}
	rb_insert(&tq->tree, &t->node, parent, side);
	if (first)
		tq->first = &t->node;
	t->cpu = tq->cpu;
}

static void timerq_remove(struct timerq *tq, struct timer *t)
{
	if (tq->first == &t->node)
		tq->first = rb_next(&t->node);
	rb_remove(&tq->tree, &t->node);
	t->cpu = NULL;
}

/*
 * The lock is held, on its own cpu.  A later event than needed is moved, an
 * earlier one is left to fire for nothing.
 */
static void timerq_program(struct timerq *tq)
{
	uint64_t at = tq->first ? timer_of(tq->first)->deadline : TIME_NEVER;

	if (at >= tq->programmed)
		return;
	tq->programmed = at;
	arch_timer_set(at);
}

/* Interrupts off.  Lock the queue of (t)'s home; NULL: it has none. */
static struct timerq *home_lock(struct timer *t)
{
	struct cpu *home;

	while ((home = atomic_load(&t->home)) != NULL) {
		spin_lock(&home->timerq->lock);
		if (atomic_load(&t->home) == home)
			return home->timerq;
		spin_unlock(&home->timerq->lock);
	}
	return NULL;
}

/* As home_lock(), after an attempt to make this cpu (t)'s home. */
static struct timerq *home_move_here(struct timer *t, struct cpu *self)
{
	struct timerq *tq = home_lock(t);
	struct cpu *none = NULL;

	if (!tq) {
		atomic_compare_exchange_strong(&t->home, &none, self);
		return home_lock(t);
	}
	if (tq->cpu == self || tq->running == t)
		return tq;
	if (t->cpu)
		timerq_remove(tq, t);
	atomic_store(&t->home, self);
	spin_unlock(&tq->lock);
	return home_lock(t);
}

void timer_set(struct timer *t, uint64_t deadline)
{
	unsigned long flags = irq_save();
	struct cpu *self = cpu_self();
	struct timerq *tq = home_move_here(t, self);
	unsigned kick = CPU_NONE;

	if (t->cpu)
		timerq_remove(tq, t);
	t->deadline = deadline;
	timerq_insert(tq, t);
	if (tq->cpu == self)
		timerq_program(tq);
	else if (tq->first == &t->node)
		kick = tq->cpu->id;
	spin_unlock(&tq->lock);
	if (kick != CPU_NONE)
		cpu_ipi(kick, VECTOR_RESCHED);
	irq_restore(flags);
}

bool timer_cancel(struct timer *t)
{
	unsigned long flags = irq_save();
	struct timerq *tq;
	bool pending = false, running = false;

	do {
		tq = home_lock(t);
		if (!tq)
			break;
		if (t->cpu) {
			timerq_remove(tq, t);
			pending = true;
		}
		running = tq->running == t;
		assert(!running || tq->cpu != cpu_self());
		spin_unlock(&tq->lock);
		if (running) {
			irq_restore(flags);
			cpu_relax();
			flags = irq_save();
		}
	} while (running);
	irq_restore(flags);
	return pending;
}

void timer_resched(void)
{
	struct timerq *tq = cpu_self()->timerq;

	spin_lock(&tq->lock);
	timerq_program(tq);
	spin_unlock(&tq->lock);
}

void timer_interrupt(void)
{
	struct timerq *tq = cpu_self()->timerq;
	struct timer *t;

	spin_lock(&tq->lock);
	tq->programmed = 0; /* until all have run: see timerq_program() */
	while (tq->first) {
		t = timer_of(tq->first);
		if (t->deadline > clock_mono())
			break;
		timerq_remove(tq, t);
		tq->running = t;
		spin_unlock(&tq->lock);
		t->fn(t); /* may free (t) */
		spin_lock(&tq->lock);
		tq->running = NULL;
	}
	tq->programmed = TIME_NEVER;
	timerq_program(tq);
	spin_unlock(&tq->lock);
}
