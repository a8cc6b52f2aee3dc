/* One thread that runs what event context puts off, in order. */

#include "kern/panic.h"
#include "sched_int.h"

static struct list queue = LIST_INIT(queue);
static struct waitq wait = WAITQ_INIT(wait);
/* A spinlock because event context queues. */
static struct spinlock queue_lock = SPINLOCK_INIT;

void work_init(struct work *w, void (*fn)(struct work *))
{
	list_init(&w->link);
	w->fn = fn;
	atomic_init(&w->queued, false);
}

void work_queue(struct work *w)
{
	unsigned long flags;

	if (atomic_exchange(&w->queued, true))
		return;
	flags = spin_lock_irqsave(&queue_lock);
	list_add_tail(&queue, &w->link);
	waitq_wake(&wait, 1);
	spin_unlock_irqrestore(&queue_lock, flags);
}

static struct work *take(void)
{
	unsigned long flags = spin_lock_irqsave(&queue_lock);
	struct work *w;

	while ((w = list_first(&queue, struct work, link)) == NULL)
		waitq_wait(&wait, &queue_lock, &flags, TIME_NEVER, 0);
	list_del(&w->link);
	spin_unlock_irqrestore(&queue_lock, flags);
	return w;
}

static void work_main(void *arg)
{
	(void)arg;
	for (;;) {
		struct work *w = take();

		/* Before fn: what is queued from now on runs again. */
		atomic_store(&w->queued, false);
		w->fn(w);
	}
}

struct flush {
	struct work work;
	struct spinlock lock;
	struct waitq wait;
	bool done;
};

static void flush_reached(struct work *w)
{
	struct flush *f = container_of(w, struct flush, work);
	unsigned long flags = spin_lock_irqsave(&f->lock);

	f->done = true;
	waitq_wake_all(&f->wait);
	spin_unlock_irqrestore(&f->lock, flags);
}

void work_flush(void)
{
	struct flush f = { .lock = SPINLOCK_INIT };
	unsigned long flags;

	work_init(&f.work, flush_reached);
	waitq_init(&f.wait);
	work_queue(&f.work);
	flags = spin_lock_irqsave(&f.lock);
	while (!f.done)
		waitq_wait(&f.wait, &f.lock, &flags, TIME_NEVER, 0);
	spin_unlock_irqrestore(&f.lock, flags);
}

void work_init_thread(void)
{
	struct thread *t;

	if (thread_create(&t, "work", work_main, NULL, -1))
		panic("no memory for the work thread");
	thread_start(t);
}
