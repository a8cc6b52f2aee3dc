/*
 * Stopping every cpu for a change that none of them may see half done.
 *
 * A thread on each cpu: first all of them arrive, with interrupts on, since one
 * that has not come yet may wait for an answer to an interrupt (cpu_call());
 * once all are there nobody waits for anybody, and interrupts go off.
 */

#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/mm.h"
#include "sched_int.h"

struct stop {
	void (*fn)(void *);
	void *arg;
	unsigned ncpu;
	_Atomic unsigned arrived, quiet;
	_Atomic bool done;
};

static struct mutex stop_lock = MUTEX_INIT(stop_lock);

static void wait_for_all(struct stop *s, _Atomic unsigned *count)
{
	atomic_fetch_add(count, 1);
	while (atomic_load(count) < s->ncpu)
		cpu_relax();
}

static void stop_thread(void *arg)
{
	struct stop *s = arg;
	unsigned long flags;

	preempt_disable();
	wait_for_all(s, &s->arrived);
	flags = irq_save();
	wait_for_all(s, &s->quiet);
	if (cpu_self()->id == 0) {
		s->fn(s->arg);
		atomic_store(&s->done, true);
	}
	while (!atomic_load(&s->done))
		cpu_relax();
	arch_sync_core();
	irq_restore(flags);
	preempt_enable();
}

/* 0, or -ENOMEM and no thread. */
static int stop_create(struct stop *s, struct thread **threads)
{
	for (unsigned i = 0; i < s->ncpu; i++) {
		int err =
		    thread_create(&threads[i], "stop", stop_thread, s, (int)i);

		if (!err)
			continue;
		while (i > 0)
			thread_put(threads[--i]);
		return err;
	}
	return 0;
}

int cpus_stop(void (*fn)(void *), void *arg)
{
	struct stop s = { .fn = fn, .arg = arg, .ncpu = cpu_count() };
	struct thread **threads = kmalloc_array(s.ncpu, sizeof(*threads));
	int err;

	if (!threads)
		return -ENOMEM;
	mutex_lock(&stop_lock);
	err = stop_create(&s, threads);
	/* The first one on this cpu does not give it back before all came. */
	preempt_disable();
	for (unsigned i = 0; !err && i < s.ncpu; i++)
		thread_start(threads[i]);
	preempt_enable();
	for (unsigned i = 0; !err && i < s.ncpu; i++) {
		thread_join(threads[i]);
		thread_put(threads[i]);
	}
	mutex_unlock(&stop_lock);
	kfree(threads);
	return err;
}
