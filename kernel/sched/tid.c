/*
 * All threads, by id and one after the other.  Readers walk under RCU; the lock
 * is for writers, and a spinlock because the last reference may go in event
 * context.
 */

#include "kern/panic.h"
#include "sched_int.h"

#define ID_MAX  4194304u /* Linux's limit for a thread id */
#define NBUCKET 2048     /* ids are given in turn, so they spread evenly */

static struct list all_threads = LIST_INIT(all_threads);
/* Whoever comes last is first in its chain, which is what counts when two
 * threads have an id for a moment. */
static struct thread *buckets[NBUCKET];
static struct spinlock all_lock = SPINLOCK_INIT;
static uint32_t last_id;

static struct thread **bucket_of(uint32_t id)
{
	return &buckets[id % NBUCKET];
}

/* Preemption is off. */
static struct thread *lookup(uint32_t id)
{
	struct thread *t = rcu_load(*bucket_of(id));

	while (t && t->id != id)
		t = rcu_load(t->id_next);
	return t;
}

static uint32_t next_id(void)
{
	static bool wrapped;

	do {
		if (++last_id == ID_MAX) {
			last_id = 1;
			wrapped = true;
		}
	} while (wrapped && lookup(last_id));
	return last_id;
}

static void hash_add(struct thread *t, uint32_t id)
{
	struct thread **bucket = bucket_of(id);

	t->id = id;
	t->id_next = *bucket;
	rcu_store(*bucket, t);
}

/* (t) itself keeps its next, for a reader that stands on it. */
static void hash_del(struct thread *t)
{
	struct thread **at = bucket_of(t->id);

	while (*at != t)
		at = &(*at)->id_next;
	rcu_store(*at, t->id_next);
}

void tid_add(struct thread *t)
{
	unsigned long flags = spin_lock_irqsave(&all_lock);

	hash_add(t, next_id());
	t->all_link.next = &all_threads;
	t->all_link.prev = all_threads.prev;
	/* Readers go forward only: one store makes it visible. */
	rcu_store(all_threads.prev->next, &t->all_link);
	all_threads.prev = &t->all_link;
	spin_unlock_irqrestore(&all_lock, flags);
}

/* Here, too, (t) keeps its next. */
void tid_del(struct thread *t)
{
	unsigned long flags = spin_lock_irqsave(&all_lock);

	hash_del(t);
	t->all_link.next->prev = t->all_link.prev;
	rcu_store(t->all_link.prev->next, t->all_link.next);
	spin_unlock_irqrestore(&all_lock, flags);
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

struct thread *thread_find(uint32_t id)
{
	struct thread *t;
	uint32_t refs = 0;

	rcu_read_lock();
	t = lookup(id);
	if (t && !t->exited)
		refs = atomic_load_explicit(&t->refs, memory_order_relaxed);
	/* Not from 0: it is on its way to be freed. */
	while (refs != 0)
		if (atomic_compare_exchange_weak(&t->refs, &refs, refs + 1))
			break;
	rcu_read_unlock();
	return refs ? t : NULL;
}

void thread_take_id(uint32_t id)
{
	struct thread *t = thread_self();
	unsigned long flags = spin_lock_irqsave(&all_lock);

	/* A reader that stands on (t) goes on in its new chain, and may miss
	 * who is behind it in the old one: for execve nobody is. */
	if (t->id != id) {
		hash_del(t);
		hash_add(t, id);
	}
	spin_unlock_irqrestore(&all_lock, flags);
}
