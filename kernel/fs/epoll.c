/*
 * epoll: a set of files, and a ready list that the files' own wake-ups fill,
 * so that waiting costs what is ready and not what is watched.
 *
 * Wake-ups come from event context: they push their item on a list without a
 * lock (incoming), which whoever waits moves to the ready list.  An item is on
 * one of the two at most: who sets its (queued) puts it there.
 *
 * Locks, outermost first: nest_lock (adding an epoll to an epoll), ep->lock
 * (the set and the ready list; held while files are polled, which may sleep),
 * a file's poll head, ep->wait_lock.  The set's mutex of a nested epoll is
 * taken inside the outer one's, which cannot turn round since loops are
 * refused.
 *
 * An item has no reference on its file: the last file_put() takes the item
 * out (epoll_file_gone()) before the file's release() runs.
 */

#include "files_int.h"
#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/evfile.h"
#include "kern/file.h"
#include "kern/mm.h"
#include "kern/sched.h"
#include "kern/signal.h"
#include "kern/string.h"

#define EP_MAX_EVENTS (INT32_MAX / sizeof(struct epoll_event))
#define EP_MAX_LEVELS 5 /* of epolls in epolls */
#define EP_HASH_MIN   16u
#define EP_MODE       (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)
#define EP_ALWAYS     (EPOLLERR | EPOLLHUP)
#define EP_EXCLUSIVE_OK                                                     \
	(EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | \
	    EPOLLEXCLUSIVE)

/* For who looks without the lock. */
enum ep_state {
	EP_EMPTY,
	EP_READY,
	EP_SCANNED /* it may not be all there */
};

struct epoll {
	_Atomic unsigned refs; /* its file's and one for each item */
	struct file *file;     /* not a reference */
	struct mutex lock;
	struct ep_item **hash; /* [hash_n], by file and descriptor */
	unsigned hash_n, items;
	uint64_t seen;     /* nest_lock: generation of the last walk */
	int levels;        /* nest_lock: found by it */
	struct list ready; /* lock */
	_Atomic(struct ep_item *) incoming; /* the newest first */
	_Atomic uint8_t state; /* the ready list's: enum ep_state */
	_Atomic unsigned sleeping;
	struct spinlock wait_lock; /* event context wakes */
	struct waitq waiters;
	struct poll_head poll; /* for the epolls this one is in */
};

struct ep_hook {
	struct poll_entry pe;
	struct ep_item *item;
	struct ep_hook *next;
};

struct ep_item {
	struct epoll *ep;
	struct file *file;
	int fd;
	struct ep_item *hash_next;
	_Atomic uint32_t events; /* wanted; ep->lock to write */
	uint64_t data;           /* ep->lock */
	_Atomic bool queued;
	struct ep_item *incoming_next;
	struct list ready_link; /* ep->lock */
	struct list file_link;  /* file->epoll_lock */
	bool dying;             /* file->epoll_lock: epoll_file_gone()'s */
	bool no_memory;         /* a hook could not be made */
	struct ep_hook hook;    /* the first; more in next */
};

static struct mutex nest_lock = MUTEX_INIT(nest_lock);
static uint64_t nest_generation;

static const struct file_ops epoll_ops;

static bool file_is_epoll(const struct file *f)
{
	return f->ops == &epoll_ops;
}

static void ep_put(struct epoll *ep)
{
	if (atomic_fetch_sub(&ep->refs, 1) != 1)
		return;
	kfree(ep->hash);
	kfree(ep);
}

/* --- the set ----------------------------------------------------------- */

static unsigned ep_hash(const struct file *f, int fd, unsigned n)
{
	uint64_t h = ((uintptr_t)f >> 6) * 31 + (unsigned)fd;

	h *= 0x9e3779b97f4a7c15ull;
	return (unsigned)(h >> 32) & (n - 1);
}

static struct ep_item *ep_find(struct epoll *ep, struct file *f, int fd)
{
	struct ep_item *it = ep->hash[ep_hash(f, fd, ep->hash_n)];

	while (it && (it->file != f || it->fd != fd))
		it = it->hash_next;
	return it;
}

/* A table that cannot grow stays correct and gets slower. */
static void ep_hash_grow(struct epoll *ep)
{
	unsigned n = ep->hash_n * 2;
	struct ep_item **new = kmalloc_array(n, sizeof(*new));

	if (!new)
		return;
	for (unsigned i = 0; i < ep->hash_n; i++) {
		struct ep_item *it = ep->hash[i], *next;

		for (; it; it = next) {
			unsigned to = ep_hash(it->file, it->fd, n);

			next = it->hash_next;
			it->hash_next = new[to];
			new[to] = it;
		}
	}
	kfree(ep->hash);
	ep->hash = new;
	ep->hash_n = n;
}

static void ep_hash_add(struct epoll *ep, struct ep_item *it)
{
	unsigned at;

	if (ep->items >= ep->hash_n)
		ep_hash_grow(ep);
	at = ep_hash(it->file, it->fd, ep->hash_n);
	it->hash_next = ep->hash[at];
	ep->hash[at] = it;
	ep->items++;
}

static void ep_hash_del(struct epoll *ep, struct ep_item *it)
{
	struct ep_item **pp = &ep->hash[ep_hash(it->file, it->fd, ep->hash_n)];

	while (*pp != it)
		pp = &(*pp)->hash_next;
	*pp = it->hash_next;
	ep->items--;
}

/* --- wake-ups ---------------------------------------------------------- */

/* Any context. */
static void ep_queue(struct epoll *ep, struct ep_item *it)
{
	struct ep_item *first;

	/* When it is queued it will be polled, after this: sequentially
	 * consistent with ep_unqueue(). */
	if (atomic_exchange(&it->queued, true))
		return;
	first = atomic_load_explicit(&ep->incoming, memory_order_relaxed);
	do {
		it->incoming_next = first;
	} while (!atomic_compare_exchange_weak(&ep->incoming, &first, it));
}

/* The set is locked.  Not by way of (incoming): who looks without the lock may
 * have found that empty before, and finds the ready list empty after. */
static void ep_put_back(struct epoll *ep, struct ep_item *it)
{
	if (!atomic_exchange(&it->queued, true))
		list_add_tail(&ep->ready, &it->ready_link);
}

/* (it) is off the lists: a wake-up from here on queues it anew. */
static void ep_unqueue(struct ep_item *it)
{
	atomic_exchange(&it->queued, false);
}

/*
 * What has come in goes to the end of the ready list.  The set is locked until
 * ep_gathered().  The state comes first: who looks without the lock does not
 * take the lists for empty then, and who did so before is seen in (sleeping)
 * afterwards.
 */
static inline void ep_gather(struct epoll *ep)
{
	struct list *before = &ep->ready;
	struct ep_item *it;

	atomic_exchange(&ep->state, EP_SCANNED);
	if (!atomic_load_explicit(&ep->incoming, memory_order_relaxed))
		return;
	it = atomic_exchange(&ep->incoming, NULL);
	for (; it; it = it->incoming_next) {
		list_add_tail(before, &it->ready_link);
		before = &it->ready_link;
	}
}

/* True: something is left. */
static inline bool ep_gathered(struct epoll *ep)
{
	bool left = !list_empty(&ep->ready);

	atomic_store_explicit(
	    &ep->state, left ? EP_READY : EP_EMPTY, memory_order_release);
	return left;
}

static NOINLINE unsigned ep_wake_sleeper(struct epoll *ep)
{
	unsigned long flags = spin_lock_irqsave(&ep->wait_lock);
	unsigned woken = waitq_wake(&ep->waiters, 1);

	spin_unlock_irqrestore(&ep->wait_lock, flags);
	return woken;
}

/* After something was queued, or left: one who sleeps, if any does. */
static unsigned ep_wake_waiter(struct epoll *ep)
{
	return atomic_load(&ep->sleeping) > 0 ? ep_wake_sleeper(ep) : 0;
}

/* Any context; the file's poll head is locked. */
static bool ep_wake(struct poll_entry *pe, uint32_t events)
{
	struct ep_item *it = container_of(pe, struct ep_hook, pe)->item;
	struct epoll *ep = it->ep;
	uint32_t wanted = atomic_load(&it->events);

	if (!(wanted & ~EP_MODE) || (events && !(events & wanted)))
		return false;
	ep_queue(ep, it);
	poll_notify(&ep->poll, EPOLLIN | EPOLLRDNORM);
	return ep_wake_waiter(ep) > 0;
}

/* The file waits on a second head. */
static struct poll_entry *ep_hook_more(struct poll_entry *pe)
{
	struct ep_item *it = container_of(pe, struct ep_hook, pe)->item;
	struct ep_hook *h = kzalloc(sizeof(*h));

	if (!h) {
		it->no_memory = true;
		return NULL;
	}
	poll_entry_init(&h->pe, ep_wake);
	h->pe.exclusive = pe->exclusive;
	h->pe.events = pe->events;
	h->item = it;
	h->next = it->hook.next;
	it->hook.next = h;
	return &h->pe;
}

static void ep_unhook(struct ep_item *it)
{
	struct ep_hook *h;

	poll_entry_remove(&it->hook.pe);
	while ((h = it->hook.next) != NULL) {
		it->hook.next = h->next;
		poll_entry_remove(&h->pe);
		kfree(h);
	}
}

/* What of its events (it) has now; the set is locked. */
static uint32_t ep_item_poll(struct ep_item *it, struct poll_entry *pe)
{
	return it->file->ops->poll(it->file, pe) &
	       atomic_load_explicit(&it->events, memory_order_relaxed);
}

/* --- adding and removing ----------------------------------------------- */

/*
 * The set is locked.  False: epoll_file_gone() has (it) and will free it.
 * The caller drops the item's reference on the set after unlocking it.
 */
static bool ep_remove(struct epoll *ep, struct ep_item *it, bool file_gone)
{
	spin_lock(&it->file->epoll_lock);
	if (it->dying && !file_gone) {
		spin_unlock(&it->file->epoll_lock);
		return false;
	}
	list_del(&it->file_link);
	spin_unlock(&it->file->epoll_lock);

	ep_unhook(it);
	ep_hash_del(ep, it);
	/* No wake-up can queue it any more. */
	if (atomic_load(&it->queued)) {
		ep_gather(ep);
		list_del(&it->ready_link);
		ep_gathered(ep);
	}
	kfree(it);
	return true;
}

static struct ep_item *ep_item_new(
    struct epoll *ep, int fd, struct file *f, const struct epoll_event *ev)
{
	struct ep_item *it = kzalloc(sizeof(*it));

	if (!it)
		return NULL;
	it->ep = ep;
	it->file = f;
	it->fd = fd;
	it->events = ev->events | EP_ALWAYS;
	it->data = ev->data;
	list_init(&it->ready_link);
	list_init(&it->file_link);
	poll_entry_init(&it->hook.pe, ep_wake);
	it->hook.pe.more = ep_hook_more;
	it->hook.pe.events = it->events;
	it->hook.pe.exclusive = ev->events & EPOLLEXCLUSIVE;
	it->hook.item = it;
	return it;
}

/* (it) has events now, which no wake-up will tell. */
static void ep_ready_now(struct epoll *ep, struct ep_item *it)
{
	ep_queue(ep, it);
	ep_wake_waiter(ep);
	poll_notify(&ep->poll, EPOLLIN | EPOLLRDNORM);
}

static int ep_add(
    struct epoll *ep, int fd, struct file *f, const struct epoll_event *ev)
{
	struct ep_item *it = ep_item_new(ep, fd, f, ev);
	uint32_t now;

	if (!it)
		return -ENOMEM;
	ep_hash_add(ep, it);
	atomic_fetch_add(&ep->refs, 1);
	spin_lock(&f->epoll_lock);
	list_add(&f->epoll_items, &it->file_link);
	spin_unlock(&f->epoll_lock);

	now = ep_item_poll(it, &it->hook.pe);
	if (it->no_memory) {
		ep_remove(ep, it, false);
		ep_put(ep); /* not the last: its file is in use */
		return -ENOMEM;
	}
	if (now)
		ep_ready_now(ep, it);
	return 0;
}

static int ep_modify(
    struct epoll *ep, struct ep_item *it, const struct epoll_event *ev)
{
	struct ep_hook *h;

	if (atomic_load(&it->events) & EPOLLEXCLUSIVE)
		return -EINVAL;
	/* A wake-up before this is seen by the poll after it; a later one
	 * sees the new events. */
	it->data = ev->data;
	atomic_exchange(&it->events, ev->events | EP_ALWAYS);
	for (h = &it->hook; h; h = h->next)
		poll_entry_want(&h->pe, ev->events | EP_ALWAYS);
	if (ep_item_poll(it, NULL))
		ep_ready_now(ep, it);
	return 0;
}

static int ep_delete(struct epoll *ep, struct ep_item *it)
{
	if (!ep_remove(ep, it, false))
		return -ENOENT;
	ep_put(ep);
	return 0;
}

static int ep_change(struct epoll *ep, int op, int fd, struct file *f,
    const struct epoll_event *ev)
{
	struct ep_item *it;
	int err = -EINVAL;

	mutex_lock(&ep->lock);
	it = ep_find(ep, f, fd);
	if (op == EPOLL_CTL_ADD)
		err = it ? -EEXIST : ep_add(ep, fd, f, ev);
	else if (op == EPOLL_CTL_MOD)
		err = it ? ep_modify(ep, it, ev) : -ENOENT;
	else if (op == EPOLL_CTL_DEL)
		err = it ? ep_delete(ep, it) : -ENOENT;
	mutex_unlock(&ep->lock);
	return err;
}

/* --- epolls in epolls -------------------------------------------------- */

/*
 * How many levels of epolls there are from (ep) down, counting it; more than
 * EP_MAX_LEVELS when there are too many or (target) is among them.
 */
static int ep_levels_down(struct epoll *ep, const struct epoll *target, int at)
{
	int levels = 1;

	if (ep == target || at > EP_MAX_LEVELS)
		return EP_MAX_LEVELS + 1;
	if (ep->seen == nest_generation)
		return ep->levels;
	mutex_lock(&ep->lock);
	for (unsigned i = 0; i < ep->hash_n; i++) {
		struct ep_item *it = ep->hash[i];

		for (; it; it = it->hash_next) {
			int below;

			if (!file_is_epoll(it->file))
				continue;
			below = ep_levels_down(it->file->priv, target, at + 1);
			levels = below >= levels ? below + 1 : levels;
		}
	}
	mutex_unlock(&ep->lock);
	ep->seen = nest_generation;
	ep->levels = levels;
	return levels;
}

/*
 * The same upwards.  The spinlocks keep what is above from being freed: an
 * item that is not dying has its epoll, whose file goes by RCU.
 */
static int ep_levels_up(struct epoll *ep, int at)
{
	struct ep_item *it;
	int levels = 1;

	if (at > EP_MAX_LEVELS)
		return at;
	spin_lock(&ep->file->epoll_lock);
	list_foreach (it, &ep->file->epoll_items, file_link) {
		int above;

		if (it->dying)
			continue;
		above = ep_levels_up(it->ep, at + 1);
		levels = above >= levels ? above + 1 : levels;
	}
	spin_unlock(&ep->file->epoll_lock);
	return levels;
}

static int ep_add_nested(
    struct epoll *ep, int fd, struct file *f, const struct epoll_event *ev)
{
	int err = -ELOOP;

	mutex_lock(&nest_lock);
	nest_generation++;
	if (ep_levels_down(f->priv, ep, 1) + ep_levels_up(ep, 1) <=
	    EP_MAX_LEVELS)
		err = ep_change(ep, EPOLL_CTL_ADD, fd, f, ev);
	mutex_unlock(&nest_lock);
	return err;
}

int epoll_ctl(struct file *epf, int op, int fd, struct file *f,
    const struct epoll_event *ev)
{
	if (!f->ops->poll)
		return -EPERM;
	if (!file_is_epoll(epf) || f == epf)
		return -EINVAL;
	if (op != EPOLL_CTL_DEL && (ev->events & EPOLLEXCLUSIVE)) {
		if (op == EPOLL_CTL_MOD || file_is_epoll(f) ||
		    (ev->events & ~EP_EXCLUSIVE_OK))
			return -EINVAL;
	}
	if (op == EPOLL_CTL_ADD && file_is_epoll(f))
		return ep_add_nested(epf->priv, fd, f, ev);
	return ep_change(epf->priv, op, fd, f, ev);
}

void epoll_file_gone(struct file *f)
{
	for (;;) {
		struct ep_item *it;
		struct epoll *ep;

		spin_lock(&f->epoll_lock);
		it = list_first(&f->epoll_items, struct ep_item, file_link);
		if (!it) {
			spin_unlock(&f->epoll_lock);
			return;
		}
		it->dying = true;
		ep = it->ep;
		spin_unlock(&f->epoll_lock);

		mutex_lock(&ep->lock);
		ep_remove(ep, it, true);
		mutex_unlock(&ep->lock);
		ep_put(ep);
	}
}

/* --- waiting ----------------------------------------------------------- */

/* A look at the ready list as it is now. */
static inline void ep_scan_begin(struct epoll *ep)
{
	mutex_lock(&ep->lock);
	ep_gather(ep);
}

static inline void ep_scan_end(struct epoll *ep)
{
	bool left = ep_gathered(ep);

	mutex_unlock(&ep->lock);
	/* What is left is somebody else's. */
	if (left)
		ep_wake_waiter(ep);
}

static struct ep_item *ep_first(const struct epoll *ep)
{
	return list_entry(ep->ready.next, struct ep_item, ready_link);
}

static struct ep_item *ep_last(const struct epoll *ep)
{
	return list_empty(&ep->ready)
		   ? NULL
		   : list_entry(ep->ready.prev, struct ep_item, ready_link);
}

/*
 * Look at (it), which is on the ready list: its events, or 0 when it is not
 * ready after all, and off the list.  What is level-triggered and ready stays
 * there and stays marked; when it is not, a wake-up may just have found it
 * marked: so it is looked at once more.
 */
static inline uint32_t ep_look(struct epoll *ep, struct ep_item *it)
{
	bool level = !(atomic_load_explicit(&it->events, memory_order_relaxed) &
		       (EPOLLET | EPOLLONESHOT));
	uint32_t now;

	if (level) {
		now = ep_item_poll(it, NULL);
		if (now)
			return now;
	}
	list_del(&it->ready_link);
	ep_unqueue(it);
	now = ep_item_poll(it, NULL);
	if (now && level)
		ep_put_back(ep, it);
	return now;
}

/* Others come first the next time. */
static void ep_to_end(struct epoll *ep, struct ep_item *it)
{
	if (it->ready_link.next != &ep->ready && !list_empty(&it->ready_link)) {
		list_del(&it->ready_link);
		list_add_tail(&ep->ready, &it->ready_link);
	}
}

/* Report (it): 1, 0 when it is not ready after all, or -EFAULT. */
static inline int ep_report(
    struct epoll *ep, struct ep_item *it, struct epoll_event *user_ev)
{
	struct epoll_event ev = { .data = it->data };

	ev.events = ep_look(ep, it);
	if (!ev.events)
		return 0;
	ep_to_end(ep, it);
	if (copy_to_user(user_ev, &ev, sizeof(ev))) {
		ep_put_back(ep, it);
		return -EFAULT;
	}
	if (atomic_load_explicit(&it->events, memory_order_relaxed) &
	    EPOLLONESHOT)
		atomic_fetch_and(&it->events, EP_MODE);
	return 1;
}

static int ep_collect(struct epoll *ep, struct epoll_event *user_ev, int max)
{
	struct epoll_event *at = user_ev, *end = user_ev + max;
	struct ep_item *it, *last;
	int r = 0;

	ep_scan_begin(ep);
	last = ep_last(ep);
	for (it = NULL; it != last && at < end;) {
		it = ep_first(ep);
		r = ep_report(ep, it, at);
		if (r < 0)
			break;
		at += r;
	}
	ep_scan_end(ep);
	return at > user_ev ? (int)(at - user_ev) : r;
}

static bool ep_any_ready(const struct epoll *ep)
{
	return atomic_load(&ep->incoming) ||
	       atomic_load(&ep->state) != EP_EMPTY;
}

/* Counted before it looks: see ep_wake_waiter(). */
static int ep_sleep(struct epoll *ep, uint64_t deadline)
{
	unsigned long flags = spin_lock_irqsave(&ep->wait_lock);
	int r = 0;

	atomic_fetch_add(&ep->sleeping, 1);
	if (!ep_any_ready(ep))
		r = waitq_wait(
		    &ep->waiters, &ep->wait_lock, &flags, deadline, WAIT_INTR);
	atomic_fetch_sub(&ep->sleeping, 1);
	spin_unlock_irqrestore(&ep->wait_lock, flags);
	return r;
}

int epoll_try(struct file *f, struct epoll_event *user_ev, int max)
{
	struct epoll *ep = f->priv;

	if (unlikely((unsigned)max - 1 >= EP_MAX_EVENTS))
		return -EINVAL;
	if (unlikely(!user_range_ok(user_ev, (size_t)max * sizeof(*user_ev))))
		return -EFAULT;
	if (unlikely(!file_is_epoll(f)))
		return -EINVAL;
	return ep_any_ready(ep) ? ep_collect(ep, user_ev, max) : 0;
}

int epoll_wait(
    struct file *f, struct epoll_event *user_ev, int max, uint64_t deadline)
{
	struct epoll *ep = f->priv;

	for (;;) {
		int slept = signal_pending() ? -EINTR : ep_sleep(ep, deadline);
		/* Also after a sleep that failed: a wake-up may have been
		 * ours, and would be lost. */
		int n = ep_any_ready(ep) ? ep_collect(ep, user_ev, max) : 0;

		if (n != 0)
			return n;
		if (slept == -ETIMEDOUT)
			return 0;
		if (slept == -EINTR)
			return -EINTR;
	}
}

/* --- the file ---------------------------------------------------------- */

/* For an epoll this one is in: is any item ready indeed? */
static uint32_t epoll_poll(struct file *f, struct poll_entry *pe)
{
	struct epoll *ep = f->priv;
	struct ep_item *it, *last;
	uint32_t events = 0;

	poll_wait(&ep->poll, pe);
	if (!ep_any_ready(ep))
		return 0;
	ep_scan_begin(ep);
	last = ep_last(ep);
	for (it = NULL; it != last && !events;) {
		it = ep_first(ep);
		if (ep_look(ep, it)) {
			ep_put_back(ep, it); /* not reported yet */
			events = EPOLLIN | EPOLLRDNORM;
		}
	}
	ep_scan_end(ep);
	return events;
}

static int epoll_path(struct file *f, char *buf, size_t n)
{
	(void)f;
	return snprintf(buf, n, "anon_inode:[eventpoll]");
}

static void epoll_release(struct file *f)
{
	struct epoll *ep = f->priv;
	unsigned removed = 1; /* the file's own reference */

	mutex_lock(&ep->lock);
	for (unsigned i = 0; i < ep->hash_n; i++) {
		struct ep_item *it = ep->hash[i], *next;

		for (; it; it = next) {
			next = it->hash_next;
			removed += ep_remove(ep, it, false);
		}
	}
	mutex_unlock(&ep->lock);
	poll_head_destroy(&ep->poll);
	while (removed-- > 0)
		ep_put(ep);
}

static const struct file_ops epoll_ops = {
	.poll = epoll_poll,
	.path = epoll_path,
	.release = epoll_release,
};

struct file *epoll_create(void)
{
	struct epoll *ep = kzalloc(sizeof(*ep));

	if (!ep)
		return NULL;
	ep->hash_n = EP_HASH_MIN;
	ep->hash = kmalloc_array(ep->hash_n, sizeof(*ep->hash));
	ep->file = ep->hash ? file_new(&epoll_ops, O_RDWR, ep) : NULL;
	if (!ep->file) {
		kfree(ep->hash);
		kfree(ep);
		return NULL;
	}
	ep->refs = 1;
	mutex_init(&ep->lock);
	list_init(&ep->ready);
	waitq_init(&ep->waiters);
	poll_head_init(&ep->poll);
	return ep->file;
}
