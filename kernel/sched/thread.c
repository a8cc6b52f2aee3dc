/* Threads: making them, ending them, finding them. */

#include "kern/arch.h"
#include "kern/clock.h"
#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/panic.h"
#include "kern/string.h"
#include "sched_int.h"

/*
 * All threads.  Readers walk it under RCU; the lock is for writers, and a
 * spinlock because the last reference may go in event context.
 */
static struct list all_threads = LIST_INIT(all_threads);
static struct spinlock all_lock = SPINLOCK_INIT;
static uint32_t last_id;

/* Protects (exited) and (join) of every thread. */
static struct spinlock exit_lock = SPINLOCK_INIT;

#define ID_MAX 4194304u /* Linux's limit for a thread id */

/* The same threads by id; whoever comes last is first in its chain. */
#define ID_CHAINS 1024
static struct thread *ids[ID_CHAINS];

static struct thread **id_chain(uint32_t id)
{
	return &ids[id % ID_CHAINS];
}

/* For readers under RCU, and with all_lock held. */
static struct thread *id_first(uint32_t id)
{
	struct thread *t = rcu_load(*id_chain(id));

	while (t && t->id != id)
		t = rcu_load(t->id_next);
	return t;
}

static void id_add(struct thread *t, uint32_t id)
{
	struct thread **chain = id_chain(id);

	t->id = id;
	t->id_next = *chain;
	rcu_store(*chain, t);
}

/* (t) itself keeps its next, for a reader that stands on it. */
static void id_del(struct thread *t)
{
	struct thread **at = id_chain(t->id);

	while (*at != t)
		at = &(*at)->id_next;
	rcu_store(*at, t->id_next);
}

static void all_add(struct thread *t)
{
	unsigned long flags = spin_lock_irqsave(&all_lock);
	static bool wrapped;

	do {
		if (++last_id == ID_MAX) {
			last_id = 1;
			wrapped = true;
		}
	} while (wrapped && id_first(last_id));
	id_add(t, last_id);
	t->all_link.next = &all_threads;
	t->all_link.prev = all_threads.prev;
	/* Readers go forward only: one store makes it visible. */
	rcu_store(all_threads.prev->next, &t->all_link);
	all_threads.prev = &t->all_link;
	spin_unlock_irqrestore(&all_lock, flags);
}

/* (t) itself keeps its next, for a reader that stands on it. */
static void all_del(struct thread *t)
{
	unsigned long flags = spin_lock_irqsave(&all_lock);

	t->all_link.next->prev = t->all_link.prev;
	rcu_store(t->all_link.prev->next, t->all_link.next);
	id_del(t);
	spin_unlock_irqrestore(&all_lock, flags);
}

static void thread_setup(struct thread *t, const char *name)
{
	(void)snprintf(t->name, sizeof(t->name), "%s", name);
	list_init(&t->run_link);
	list_init(&t->wait_link);
	waitq_init(&t->join);
	t->refs = 1;
	memset(t->affinity, 0xff, sizeof(t->affinity));
}

static void affinity_set_one(struct thread *t, unsigned cpu)
{
	memset(t->affinity, 0, sizeof(t->affinity));
	t->affinity[cpu / 64] = 1ull << (cpu % 64);
}

int thread_create(struct thread **out, const char *name, void (*fn)(void *),
    void *arg, int cpu)
{
	struct thread *self = thread_self();
	struct thread *t = kzalloc(sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->kstack = kstack_alloc();
	if (!t->kstack) {
		kfree(t);
		return -ENOMEM;
	}
	thread_setup(t, name);
	memcpy(t->affinity, self->affinity, sizeof(t->affinity));
	t->nice = self->nice;
	/* Not what others have lent to the creator. */
	t->policy = t->base_policy = self->base_policy;
	t->rt_priority = t->base_priority = self->base_priority;
	t->cpu = self->cpu;
	if (cpu >= 0) {
		affinity_set_one(t, (unsigned)cpu);
		t->cpu = (unsigned)cpu;
	}
	t->fn = fn;
	t->arg = arg;
	t->state = THREAD_SLEEPING;
	t->charged_at = clock_mono();
	t->vruntime = READ_ONCE(cpus[t->cpu]->runq->min_vruntime);
	balance_new(t);
	t->arch.kstack_top = (uintptr_t)t->kstack + KSTACK_SIZE;
	arch_thread_init(t, sched_entry, t);
	all_add(t);
	*out = t;
	return 0;
}

void thread_start(struct thread *t)
{
	thread_get(t); /* the running thread's own */
	(void)thread_wake(t, 0);
}

void thread_get(struct thread *t)
{
	uint32_t old =
	    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);

	assert(old != 0);
}

static void thread_free(struct rcu_head *h)
{
	struct thread *t = container_of(h, struct thread, rcu);

	arch_thread_destroy(t);
	kstack_free(t->kstack);
	kfree(t);
}

void thread_put(struct thread *t)
{
	uint32_t old =
	    atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel);

	assert(old != 0);
	if (old != 1)
		return;
	all_del(t);
	rcu_call(&t->rcu, thread_free);
}

void thread_exit(void)
{
	struct thread *t = thread_self();
	unsigned long flags = spin_lock_irqsave(&exit_lock);

	t->exited = true;
	waitq_wake_all(&t->join);
	spin_unlock(&exit_lock);
	(void)flags; /* interrupts stay off */
	atomic_store(&t->state, THREAD_DEAD);
	schedule();
	panic("thread %u runs after its end", t->id);
}

/*
 * Drops the reference of thread_start().  The stack and the vector state are
 * not what readers under RCU look at: the next thread has them at once, warm,
 * and thousands that wait for a grace period hold little memory.
 */
void thread_reap(struct thread *t)
{
	arch_thread_destroy(t);
	if (kstack_recycle(t->kstack))
		t->kstack = NULL;
	thread_put(t);
}

void thread_join(struct thread *t)
{
	unsigned long flags = spin_lock_irqsave(&exit_lock);

	while (!t->exited)
		waitq_wait(&t->join, &exit_lock, &flags, TIME_NEVER, 0);
	spin_unlock_irqrestore(&exit_lock, flags);
}

int thread_set_affinity(struct thread *t, const uint64_t *mask)
{
	bool any = false;

	for (unsigned i = 0; i < CPU_MAX; i++)
		if (cpus[i] && cpus[i]->online &&
		    (mask[i / 64] >> (i % 64) & 1))
			any = true;
	if (!any)
		return -EINVAL;
	for (unsigned w = 0; w < THREAD_CPUS_WORDS; w++)
		WRITE_ONCE(t->affinity[w], mask[w]);
	if (t == thread_self()) {
		sched_yield_cpu(); /* leaves a cpu it may not run on */
		return 0;
	}
	/*
	 * A cpu looks at the mask before it runs a thread; the interrupt comes
	 * after that if it may have seen the old one.  A waker that changes
	 * t->cpu now makes the new cpu look after the fence.
	 */
	atomic_thread_fence(memory_order_seq_cst);
	sched_resched(READ_ONCE(t->cpu));
	return 0;
}

void thread_foreach(bool (*fn)(struct thread *, void *), void *arg)
{
	struct list *l;

	rcu_read_lock();
	for (l = rcu_load(all_threads.next); l != &all_threads;
	     l = rcu_load(l->next)) {
		struct thread *t = list_entry(l, struct thread, all_link);

		if (!t->exited && !fn(t, arg))
			break;
	}
	rcu_read_unlock();
}

/* Not from 0: it is on its way to thread_free(). */
static bool get_live(struct thread *t)
{
	uint32_t refs = atomic_load_explicit(&t->refs, memory_order_relaxed);

	while (refs != 0)
		if (atomic_compare_exchange_weak(&t->refs, &refs, refs + 1))
			return true;
	return false;
}

struct thread *thread_find(uint32_t id)
{
	struct thread *t;

	rcu_read_lock();
	t = id_first(id);
	if (t && (t->exited || !get_live(t)))
		t = NULL;
	rcu_read_unlock();
	return t;
}

void thread_take_id(uint32_t id)
{
	struct thread *t = thread_self();
	unsigned long flags = spin_lock_irqsave(&all_lock);

	/* A reader that stands on (t) goes on in its new chain, and may miss
	 * who is behind it in the old one: for execve nobody is. */
	if (t->id != id) {
		id_del(t);
		id_add(t, id);
	}
	spin_unlock_irqrestore(&all_lock, flags);
}

/* --- boot -------------------------------------------------------------- */

void thread_adopt(struct cpu *c)
{
	static struct thread boot;

	thread_setup(&boot, "main");
	boot.cpu = c->id;
	boot.state = THREAD_RUNNING;
	boot.on_cpu = true;
	boot.charged_at = clock_mono();
	time_starts(&boot, boot.charged_at);
	boot.arch.kstack_top = c->kstack_top;
	c->current = &boot;
}

struct thread *thread_idle(struct cpu *c)
{
	struct thread *t = kzalloc(sizeof(*t));

	if (t)
		t->kstack = kstack_alloc();
	if (!t || !t->kstack)
		panic("no memory for cpu %u", c->id);
	thread_setup(t, "idle");
	affinity_set_one(t, c->id);
	t->cpu = c->id;
	t->fn = idle_main;
	t->state = THREAD_RUNNING;
	t->arch.kstack_top = (uintptr_t)t->kstack + KSTACK_SIZE;
	arch_thread_init(t, sched_entry, t);
	return t;
}
