/* Threads: making them, ending them, finding them. */

#include "kern/arch.h"
#include "kern/clock.h"
#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/panic.h"
#include "kern/string.h"
#include "sched_int.h"

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
	tid_add(t);
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
	tid_del(t);
	rcu_call(&t->rcu, thread_free);
}

void thread_exit(void)
{
	struct thread *t = thread_self();
	unsigned long flags = spin_lock_irqsave(&t->exit_lock);

	t->exited = true;
	waitq_wake_all(&t->join);
	spin_unlock(&t->exit_lock);
	(void)flags; /* interrupts stay off */
	atomic_store(&t->state, THREAD_DEAD);
	reschedule();
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
	unsigned long flags = spin_lock_irqsave(&t->exit_lock);

	while (!t->exited)
		waitq_wait(&t->join, &t->exit_lock, &flags, TIME_NEVER, 0);
	spin_unlock_irqrestore(&t->exit_lock, flags);
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
