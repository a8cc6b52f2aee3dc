#include "linux_fixture.h"

#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/string.h"
#include "kern/vm.h"

struct proc fixture_proc;
struct proc *proc_init = &fixture_proc;
struct task fixture_task[FIXTURE_THREADS];
unsigned fixture_fault_at;
void (*fixture_on_load)(void);
void (*fixture_on_find)(void);

static struct thread threads[FIXTURE_THREADS];
static unsigned accesses;

static void queue_init(struct sigqueue *q)
{
	q->set = 0;
	list_init(&q->entries);
}

void fixture_reset(void)
{
	struct proc *p = &fixture_proc;

	memset(p, 0, sizeof(*p));
	memset(threads, 0, sizeof(threads));
	memset(fixture_task, 0, sizeof(fixture_task));
	list_init(&p->tasks);
	queue_init(&p->pending);
	waitq_init(&p->exec_wait);
	list_init(&p->signal_poll.entries);
	atomic_store(&p->signal_poll.wanted, ~0u);
	p->pid = 101;
	p->vm = (struct vm_space *)(void *)&threads;
	p->leader = &fixture_task[0];
	p->ntask = FIXTURE_THREADS;
	for (unsigned i = 0; i < FIXTURE_THREADS; i++) {
		struct task *t = &fixture_task[i];

		threads[i].id = 101 + i;
		threads[i].task = t;
		list_init(&threads[i].wait_link);
		t->thread = &threads[i];
		t->proc = p;
		queue_init(&t->pending);
		list_init(&t->pi_waiters);
		list_add_tail(&p->tasks, &t->link);
	}
	fixture_fault_at = accesses = 0;
	fixture_on_load = NULL;
	fixture_on_find = NULL;
	fixture_become(0);
}

void fixture_become(unsigned i)
{
	cpu_self()->current = &threads[i];
}

bool fixture_woken(unsigned i)
{
	return atomic_fetch_and(&threads[i].app_work, ~APP_WORK_SIGNAL) &
	       APP_WORK_SIGNAL;
}

struct task *proc_task(struct proc *p, uint32_t tid)
{
	struct task *t;

	list_foreach (t, &p->tasks, link)
		if (t->thread->id == tid)
			return t;
	return NULL;
}

struct thread *thread_find(uint32_t id)
{
	struct task *t = proc_task(&fixture_proc, id);

	if (fixture_on_find)
		fixture_on_find();
	return t ? t->thread : NULL;
}

void thread_lend_priority(struct thread *t, int priority)
{
	t->lent = priority;
	t->rt_priority =
	    priority > t->base_priority ? priority : t->base_priority;
}

void proc_kill_locked(struct proc *p, int code, int sig)
{
	p->exiting = true;
	p->exit_code = code;
	p->fatal_signal = sig;
}

/* --- the program's memory ------------------------------------------------ */

static bool faults(void)
{
	return fixture_fault_at && ++accesses == fixture_fault_at;
}

/* The first page is not mapped, and a load that fails leaves anything. */
static bool not_mapped(const uint32_t *user, uint32_t *out)
{
	if ((uintptr_t)user >= PAGE_SIZE)
		return false;
	*out = 0xbad;
	return true;
}

int user_load32(const uint32_t *user, uint32_t *out)
{
	if (fixture_on_load)
		fixture_on_load();
	if (not_mapped(user, out))
		return -EFAULT;
	*out = *user;
	return 0;
}

int user_load32_nofault(const uint32_t *user, uint32_t *out)
{
	if (faults() || not_mapped(user, out))
		return -EFAULT;
	*out = *user;
	return 0;
}

int user_cmpxchg32(uint32_t *user, uint32_t old, uint32_t new, uint32_t *out)
{
	if (faults())
		return -EFAULT;
	*out = *user;
	if (*user == old)
		*user = new;
	return 0;
}

/* Shared words meet at their address in whatever mapping. */
int vm_futex_key(struct vm_space *vm, uintptr_t addr, uint64_t key[2])
{
	(void)vm;
	key[0] = 1;
	key[1] = addr;
	return 0;
}
