/* Watches: events queued by the ring's event, callbacks in one thread. */

#include "kern/errno.h"
#include "kern/lock.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/sched.h"
#include "kern/string.h"
#include "xen/xenstore.h"
#include "xenstore_int.h"
#include "xs_wire.h"

struct xs_event {
	struct list link;
	char *payload;
	const char *path; /* in payload */
	uint32_t token;
};

static struct list watches = LIST_INIT(watches);
static struct list events = LIST_INIT(events);
static bool lost; /* an event had no memory: tell everybody */
static uint32_t last_token;
static struct xs_watch *running; /* whose callback runs */
static struct thread *runner;
static struct waitq work = WAITQ_INIT(work);
static struct waitq idle = WAITQ_INIT(idle);
/* Events are queued in event context: protects everything above. */
static struct spinlock lock = SPINLOCK_INIT;

void xs_watch_event(char *payload, uint32_t len)
{
	struct xs_event *e = payload ? kmalloc(sizeof(*e)) : NULL;
	unsigned long flags;

	if (e && xs_parse_event(payload, len, &e->path, &e->token) != 0) {
		log_once(LOG_WARN, "xenstore: a watch event without sense");
		kfree(e);
		kfree(payload);
		return;
	}
	flags = spin_lock_irqsave(&lock);
	if (e) {
		e->payload = payload;
		list_add_tail(&events, &e->link);
	} else {
		lost = true;
	}
	waitq_wake(&work, 1);
	spin_unlock_irqrestore(&lock, flags);
	if (!e)
		kfree(payload);
}

static struct xs_watch *watch_find(uint32_t token)
{
	struct xs_watch *w;

	list_foreach (w, &watches, link) {
		if (w->token == token)
			return w;
	}
	return NULL;
}

/* Call back with the lock dropped; xs_watch_remove() waits meanwhile. */
static void watch_run(struct xs_watch *w, const char *path, unsigned long *fl)
{
	running = w;
	spin_unlock_irqrestore(&lock, *fl);
	w->fn(w, path);
	*fl = spin_lock_irqsave(&lock);
	running = NULL;
	waitq_wake_all(&idle);
}

/* An event was lost, so that anything may have changed.  Tokens only grow:
 * the list may change while a callback runs. */
static void tell_everybody(unsigned long *fl)
{
	uint32_t done = 0;
	struct xs_watch *w, *least;

	lost = false;
	do {
		least = NULL;
		list_foreach (w, &watches, link) {
			if (w->token > done &&
			    (!least || w->token < least->token))
				least = w;
		}
		if (least) {
			done = least->token;
			watch_run(least, least->path, fl);
		}
	} while (least);
}

static void one_event(unsigned long *fl)
{
	struct xs_event *e = list_first(&events, struct xs_event, link);
	struct xs_watch *w = watch_find(e->token);

	list_del(&e->link);
	if (w)
		watch_run(w, e->path, fl);
	kfree(e->payload);
	kfree(e);
}

static void watch_thread(void *arg)
{
	unsigned long flags = spin_lock_irqsave(&lock);

	(void)arg;
	for (;;) {
		if (lost)
			tell_everybody(&flags);
		else if (!list_empty(&events))
			one_event(&flags);
		else
			waitq_wait(&work, &lock, &flags, TIME_NEVER, 0);
	}
}

int xs_watch_add(struct xs_watch *w)
{
	unsigned long flags = spin_lock_irqsave(&lock);
	int err;

	w->token = ++last_token;
	list_add_tail(&watches, &w->link);
	spin_unlock_irqrestore(&lock, flags);

	/* On the list first: the first event may overtake the reply. */
	err = xs_watch_talk(XS_WATCH, w->path, w->token);
	if (err != 0) {
		flags = spin_lock_irqsave(&lock);
		list_del(&w->link);
		spin_unlock_irqrestore(&lock, flags);
	}
	return err;
}

void xs_watch_remove(struct xs_watch *w)
{
	unsigned long flags;

	xs_watch_talk(XS_UNWATCH, w->path, w->token);
	flags = spin_lock_irqsave(&lock);
	/* Queued events of it find no watch with their token any more. */
	list_del(&w->link);
	while (running == w && thread_self() != runner)
		waitq_wait(&idle, &lock, &flags, TIME_NEVER, 0);
	spin_unlock_irqrestore(&lock, flags);
}

int xs_watch_init(void)
{
	int err = thread_create(&runner, "xenwatch", watch_thread, NULL, -1);

	if (err == 0)
		thread_start(runner);
	return err;
}
