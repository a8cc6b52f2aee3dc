#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "kern/clock.h"
#include "kern/errno.h"
#include "kern/list.h"
#include "kern/lock.h"
#include "kern/sched.h"
#include "fake_sched.h"

struct fake_thread {
	struct thread t; /* first */
	void (*fn)(void *);
	void *arg;
};

void (*fake_sleep_hook)(void *);
void *fake_sleep_arg;

static uint64_t now = NSEC_PER_SEC;
static uint64_t wall_offset = 1700000000 * NSEC_PER_SEC;
static unsigned locks_held;
static unsigned sleeping_held; /* of them: one may sleep with these */
static struct timer *timers[256];
static struct list works = LIST_INIT(works);
static struct mpsc_node *rcu_queue;
static struct thread boot_thread = { .id = 1, .name = "test" };
static struct cpu boot_cpu = { .self = &boot_cpu, .current = &boot_thread };
static struct fake_thread *last_thread;
static jmp_buf exit_jmp;
static uint32_t next_id = 2;

struct cpu *cpus[CPU_MAX] = { &boot_cpu };

static void must(bool ok)
{
	if (!ok)
		abort();
}

struct cpu *cpu_self(void)
{
	return &boot_cpu;
}

struct thread *thread_self(void)
{
	return boot_cpu.current;
}

_Atomic unsigned sched_ncpu = 1;

unsigned fake_locks_held(void)
{
	return locks_held;
}

/* --- clock and timers -------------------------------------------------- */

uint64_t fake_clock_now(void)
{
	return now;
}

uint64_t clock_mono(void)
{
	return now;
}

uint64_t clock_wall(void)
{
	return now + wall_offset;
}

void clock_wall_set(uint64_t ns)
{
	wall_offset = ns - now;
}

/* The earliest timer due by (limit); slot + 1, or 0. */
static unsigned timer_due(uint64_t limit)
{
	unsigned best = 0;

	for (unsigned i = 0; i < 256; i++) {
		if (!timers[i] || timers[i]->deadline > limit)
			continue;
		if (!best || timers[i]->deadline < timers[best - 1]->deadline)
			best = i + 1;
	}
	return best;
}

void fake_clock_advance(uint64_t ns)
{
	uint64_t until = now + ns;
	unsigned slot;

	while ((slot = timer_due(until)) != 0) {
		struct timer *t = timers[slot - 1];

		if (t->deadline > now)
			now = t->deadline;
		timer_cancel(t);
		t->fn(t);
	}
	now = until;
}

unsigned fake_timers_pending(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < 256; i++)
		n += timers[i] != NULL;
	return n;
}

void timer_init(struct timer *t, void (*fn)(struct timer *))
{
	*t = (struct timer){ .fn = fn };
}

void timer_set(struct timer *t, uint64_t deadline)
{
	unsigned i;

	timer_cancel(t);
	for (i = 0; timers[i]; i++)
		must(i < 255);
	timers[i] = t;
	t->cpu = &boot_cpu;
	t->deadline = deadline;
}

bool timer_cancel(struct timer *t)
{
	if (!t->cpu)
		return false;
	for (unsigned i = 0; i < 256; i++)
		if (timers[i] == t)
			timers[i] = NULL;
	t->cpu = NULL;
	return true;
}

/* --- locks ------------------------------------------------------------- */

void spin_contended(struct spinlock *l)
{
	must(!l->held); /* nobody else runs who would let it go */
}

void spin_lock(struct spinlock *l)
{
	must(!l->held);
	l->held = 1;
	locks_held++;
}

void spin_unlock(struct spinlock *l)
{
	must(l->held);
	l->held = 0;
	locks_held--;
}

unsigned long spin_lock_irqsave(struct spinlock *l)
{
	spin_lock(l);
	return 0;
}

void spin_unlock_irqrestore(struct spinlock *l, unsigned long flags)
{
	(void)flags;
	spin_unlock(l);
}

void mutex_init(struct mutex *m)
{
	*m = (struct mutex)MUTEX_INIT(*m);
}

bool mutex_trylock(struct mutex *m)
{
	if (m->owner)
		return false;
	m->owner = thread_self();
	locks_held++;
	sleeping_held++;
	return true;
}

void mutex_lock(struct mutex *m)
{
	must(mutex_trylock(m));
}

void mutex_unlock(struct mutex *m)
{
	must(m->owner == thread_self());
	m->owner = NULL;
	locks_held--;
	sleeping_held--;
}

bool mutex_held(const struct mutex *m)
{
	return m->owner == thread_self();
}

void rwlock_init(struct rwlock *l)
{
	memset(l, 0, sizeof(*l));
	list_init(&l->waiters);
}

void rwlock_read(struct rwlock *l)
{
	must(l->readers >= 0);
	l->readers++;
	locks_held++;
	sleeping_held++;
}

bool rwlock_try_read(struct rwlock *l)
{
	if (l->readers < 0)
		return false;
	rwlock_read(l);
	return true;
}

void rwlock_write(struct rwlock *l)
{
	must(l->readers == 0);
	l->readers = -1;
	locks_held++;
	sleeping_held++;
}

void rwlock_unlock(struct rwlock *l)
{
	must(l->readers != 0);
	l->readers = l->readers < 0 ? 0 : l->readers - 1;
	locks_held--;
	sleeping_held--;
}

/* --- sleeping ---------------------------------------------------------- */

/* With the caller's lock released and the thread queued on (q). */
static int sleep_here(uint64_t deadline, unsigned how)
{
	struct thread *t = thread_self();

	if ((how & WAIT_INTR) && t->interrupted)
		t->wait_status = -EINTR;
	else if (fake_sleep_hook)
		fake_sleep_hook(fake_sleep_arg);
	if (t->wait_status == -EAGAIN && (how & WAIT_INTR) && t->interrupted)
		t->wait_status = -EINTR;
	if (t->wait_status != -EAGAIN)
		return t->wait_status;
	must(deadline != TIME_NEVER);
	if (deadline > now)
		fake_clock_advance(deadline - now);
	return t->wait_status == -EAGAIN ? -ETIMEDOUT : t->wait_status;
}

static void sleep_prepare(struct waitq *q)
{
	struct thread *t = thread_self();

	t->wait_status = -EAGAIN;
	list_add_tail(&q->waiters, &t->wait_link);
}

int waitq_wait(struct waitq *q, struct spinlock *l, unsigned long *flags,
    uint64_t deadline, unsigned how)
{
	int err;

	sleep_prepare(q);
	spin_unlock_irqrestore(l, *flags);
	must(locks_held == sleeping_held);
	err = sleep_here(deadline, how);
	*flags = spin_lock_irqsave(l);
	list_del(&thread_self()->wait_link);
	return err;
}

int waitq_wait_mutex(
    struct waitq *q, struct mutex *m, uint64_t deadline, unsigned how)
{
	int err;

	sleep_prepare(q);
	mutex_unlock(m);
	err = sleep_here(deadline, how);
	mutex_lock(m);
	list_del(&thread_self()->wait_link);
	return err;
}

static unsigned sleep_how;

void sleep_begin(unsigned how)
{
	thread_self()->wait_status = -EAGAIN;
	sleep_how = how;
}

int sleep_end(uint64_t deadline, unsigned how)
{
	must(how == sleep_how);
	must(locks_held == sleeping_held);
	return sleep_here(deadline, how);
}

int sleep_unlock(struct spinlock *lock, uint64_t deadline, unsigned how)
{
	sleep_begin(how);
	must(lock->held);
	/* spin_take() is inline, and not counted. */
	if (locks_held > sleeping_held)
		locks_held--;
	spin_release(lock);
	return sleep_end(deadline, how);
}

bool thread_wake(struct thread *t, int status)
{
	bool slept = t->wait_status == -EAGAIN;

	if (slept)
		t->wait_status = status;
	return slept;
}

unsigned waitq_wake(struct waitq *q, unsigned n)
{
	struct thread *t;
	unsigned woken = 0;

	while (woken < n && !list_empty(&q->waiters)) {
		t = list_first(&q->waiters, struct thread, wait_link);
		list_del(&t->wait_link);
		t->wait_status = 0;
		woken++;
	}
	return woken;
}

void thread_interrupt(struct thread *t)
{
	t->interrupted = true;
}

void thread_clear_interrupt(void)
{
	thread_self()->interrupted = false;
}

int thread_sleep_until(uint64_t deadline, unsigned how)
{
	struct waitq q = WAITQ_INIT(q);
	int err;

	sleep_prepare(&q);
	err = sleep_here(deadline, how);
	list_del(&thread_self()->wait_link);
	return err == -ETIMEDOUT ? 0 : err;
}

void sched_yield_cpu(void)
{
}

bool sched_nobody_waits(void)
{
	return true;
}

void preempt_resched(void)
{
}

/* --- threads ----------------------------------------------------------- */

int thread_create(struct thread **out, const char *name, void (*fn)(void *),
    void *arg, int cpu)
{
	struct fake_thread *ft = calloc(1, sizeof(*ft));

	(void)cpu;
	ft->fn = fn;
	ft->arg = arg;
	ft->t.id = next_id++;
	ft->t.refs = 1;
	strncpy(ft->t.name, name, sizeof(ft->t.name) - 1);
	list_init(&ft->t.wait_link);
	*out = &ft->t;
	return 0;
}

void thread_start(struct thread *t)
{
	thread_get(t);
	last_thread = (struct fake_thread *)t;
}

struct thread *fake_thread_last(void)
{
	return last_thread ? &last_thread->t : NULL;
}

void fake_thread_run(struct thread *t)
{
	struct fake_thread *ft = (struct fake_thread *)t;

	must(!t->exited);
	boot_cpu.current = t;
	if (setjmp(exit_jmp) == 0)
		ft->fn(ft->arg);
	boot_cpu.current = &boot_thread;
	t->exited = true;
	if (last_thread == ft)
		last_thread = NULL;
	thread_put(t);
}

void thread_exit(void)
{
	longjmp(exit_jmp, 1);
}

void thread_get(struct thread *t)
{
	t->refs++;
}

void thread_put(struct thread *t)
{
	if (--t->refs == 0)
		free(t);
}

void thread_join(struct thread *t)
{
	if (!t->exited)
		fake_thread_run(t);
}

/* --- deferred work ----------------------------------------------------- */

void work_init(struct work *w, void (*fn)(struct work *))
{
	list_init(&w->link);
	w->fn = fn;
	w->queued = false;
}

void work_queue(struct work *w)
{
	if (w->queued)
		return;
	w->queued = true;
	list_add_tail(&works, &w->link);
}

bool fake_work_run(void)
{
	bool any = false;

	while (!list_empty(&works)) {
		struct work *w = list_first(&works, struct work, link);

		list_del(&w->link);
		w->queued = false;
		w->fn(w);
		any = true;
	}
	return any;
}

void work_flush(void)
{
	fake_work_run();
}

void rcu_call(struct rcu_head *h, void (*fn)(struct rcu_head *))
{
	h->fn = fn;
	h->node.next = rcu_queue;
	rcu_queue = &h->node;
}

bool fake_rcu_run(void)
{
	bool any = false;

	while (rcu_queue) {
		struct rcu_head *h =
		    container_of(rcu_queue, struct rcu_head, node);

		rcu_queue = h->node.next;
		h->fn(h);
		any = true;
	}
	return any;
}

void rcu_synchronize(void)
{
	fake_rcu_run();
}
