/* poll, select and their kin: waiting for events of some files at once. */

#include "kern/arch.h"
#include "kern/clock.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/poll.h"
#include "kern/sched.h"
#include "kern/signal.h"
#include "kern/string.h"
#include "sigmask.h"
#include "syscalls.h"

#include <asm/poll.h>
#include <linux/time_types.h>

/* The answer of a file that has no poll(). */
#define POLL_ALWAYS (EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM)

#define SELECT_IN   (EPOLLRDNORM | EPOLLRDBAND | EPOLLIN | EPOLLHUP | EPOLLERR)
#define SELECT_OUT  (EPOLLWRBAND | EPOLLWRNORM | EPOLLOUT | EPOLLERR)
#define SELECT_EX   EPOLLPRI

#define POLL_FAST   6            /* slots that need no allocation */
#define POLL_HEAP   (128 * 1024) /* bytes of an array from the heap */

/* One caller; its lock is a spinlock because event context wakes. */
struct poll_waiter {
	struct spinlock lock;
	struct waitq q;
	bool fired;
	bool no_memory;
	struct poll_extra *extra;
};

struct poll_slot {
	struct poll_entry pe;
	struct poll_waiter *waiter;
	struct file *file; /* a reference; NULL: ignored */
	uint32_t wanted, got;
};

/* The second and later heads of a slot. */
struct poll_extra {
	struct poll_slot slot;
	struct poll_extra *next;
};

static bool poll_wake(struct poll_entry *pe, uint32_t events)
{
	struct poll_slot *s = container_of(pe, struct poll_slot, pe);
	struct poll_waiter *w = s->waiter;
	unsigned long flags;

	if (events && !(events & s->wanted))
		return false;
	flags = spin_lock_irqsave(&w->lock);
	w->fired = true;
	waitq_wake_all(&w->q);
	spin_unlock_irqrestore(&w->lock, flags);
	return true;
}

static struct poll_entry *poll_more(struct poll_entry *pe)
{
	struct poll_slot *s = container_of(pe, struct poll_slot, pe);
	struct poll_extra *x = kzalloc(sizeof(*x));

	if (!x) {
		s->waiter->no_memory = true;
		return NULL;
	}
	x->slot = *s;
	poll_entry_init(&x->slot.pe, poll_wake);
	x->slot.pe.events = pe->events;
	x->next = s->waiter->extra;
	s->waiter->extra = x;
	return &x->slot.pe;
}

/* For as many files as a process may have, which is more than the heap gives
 * in one piece.  Zeroed. */
static void *poll_array(size_t n, size_t size)
{
	if (n <= POLL_HEAP / size)
		return kmalloc_array(n, size);
	return vmalloc(n * size);
}

static void poll_array_free(void *p, size_t n, size_t size)
{
	if (n <= POLL_HEAP / size)
		kfree(p);
	else
		vfree(p);
}

static void poll_waiter_init(struct poll_waiter *w)
{
	memset(w, 0, sizeof(*w));
	waitq_init(&w->q);
}

static void poll_slot_init(
    struct poll_slot *s, struct poll_waiter *w, struct file *f, uint32_t wanted)
{
	poll_entry_init(&s->pe, poll_wake);
	s->pe.more = poll_more;
	s->pe.events = wanted;
	s->waiter = w;
	s->file = f;
	s->wanted = wanted;
	s->got = 0;
}

/* Takes all entries off and drops the files. */
static void poll_slots_drop(
    struct poll_waiter *w, struct poll_slot *s, unsigned n)
{
	struct poll_extra *x;

	while ((x = w->extra) != NULL) {
		w->extra = x->next;
		poll_entry_remove(&x->slot.pe);
		kfree(x);
	}
	for (unsigned i = 0; i < n; i++) {
		poll_entry_remove(&s[i].pe);
		if (s[i].file)
			file_put(s[i].file);
	}
}

/* Ask all once: how many have events.  Registers with those it asks until
 * one has. */
static int poll_ask(struct poll_slot *s, unsigned n, bool reg)
{
	int ready = 0;

	for (unsigned i = 0; i < n; i++) {
		struct file *f = s[i].file;
		uint32_t ev = POLL_ALWAYS;

		if (!f)
			continue;
		if (f->flags & O_PATH)
			ev = POLLNVAL;
		else if (f->ops->poll)
			ev = f->ops->poll(f, reg ? &s[i].pe : NULL) &
			     (s[i].wanted | POLLNVAL);
		else
			ev &= s[i].wanted;
		s[i].got = ev;
		if (ev) {
			ready++;
			reg = false;
		}
	}
	return ready;
}

static int poll_sleep(struct poll_waiter *w, uint64_t deadline)
{
	unsigned long flags = spin_lock_irqsave(&w->lock);
	int r = 0;

	if (!w->fired)
		r = waitq_wait(&w->q, &w->lock, &flags, deadline, WAIT_INTR);
	w->fired = false;
	spin_unlock_irqrestore(&w->lock, flags);
	return r;
}

/* (already): slots whose result is known; there is no waiting then. */
static int poll_run(struct poll_waiter *w, struct poll_slot *s, unsigned n,
    int already, uint64_t deadline)
{
	int slept = deadline == 0 || already > 0 ? -ETIMEDOUT : 0;
	bool reg = slept == 0;

	for (;;) {
		int ready = already + poll_ask(s, n, reg);

		reg = false;
		if (ready > 0 || slept == -ETIMEDOUT)
			return ready;
		if (w->no_memory)
			return -ENOMEM;
		if (slept == -EINTR || signal_pending())
			return -EINTR;
		slept = poll_sleep(w, deadline);
	}
}

/* --- poll -------------------------------------------------------------- */

/* How many entries are answered without asking: descriptors not open. */
static int poll_prepare(const struct pollfd *p, struct poll_slot *s, unsigned n,
    struct poll_waiter *w)
{
	int bad = 0;

	for (unsigned i = 0; i < n; i++) {
		struct file *f = p[i].fd < 0 ? NULL : fd_get(p[i].fd);

		poll_slot_init(
		    &s[i], w, f, (uint16_t)p[i].events | EPOLLERR | EPOLLHUP);
		if (!f && p[i].fd >= 0) {
			s[i].got = POLLNVAL;
			bad++;
		}
	}
	return bad;
}

static int poll_answer(
    struct pollfd *user_p, const struct poll_slot *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		short got = (short)s[i].got;

		if (copy_to_user(&user_p[i].revents, &got, sizeof(got)))
			return -EFAULT;
	}
	return 0;
}

static long poll_slots(struct pollfd *user_p, const struct pollfd *p,
    struct poll_slot *s, unsigned n, uint64_t deadline)
{
	struct poll_waiter w;
	int r;

	poll_waiter_init(&w);
	r = poll_prepare(p, s, n, &w);
	r = poll_run(&w, s, n, r, deadline);
	poll_slots_drop(&w, s, n);
	if (r >= 0 && poll_answer(user_p, s, n))
		r = -EFAULT;
	return r;
}

static long poll_small(struct pollfd *user_p, unsigned n, uint64_t deadline)
{
	struct pollfd p[POLL_FAST];
	struct poll_slot s[POLL_FAST];

	if (copy_from_user(p, user_p, n * sizeof(*p)))
		return -EFAULT;
	return poll_slots(user_p, p, s, n, deadline);
}

static long poll_large(struct pollfd *user_p, unsigned n, uint64_t deadline)
{
	struct pollfd *p = poll_array(n, sizeof(*p));
	struct poll_slot *s = poll_array(n, sizeof(*s));
	long r = -ENOMEM;

	if (p && s)
		r = copy_from_user(p, user_p, n * sizeof(*p));
	if (r == 0)
		r = poll_slots(user_p, p, s, n, deadline);
	poll_array_free(p, n, sizeof(*p));
	poll_array_free(s, n, sizeof(*s));
	return r;
}

static long do_poll(struct pollfd *user_p, unsigned n, uint64_t deadline)
{
	if (n > fd_limit())
		return -EINVAL;
	if (n <= POLL_FAST)
		return poll_small(user_p, n, deadline);
	return poll_large(user_p, n, deadline);
}

static uint64_t deadline_in_ms(int ms)
{
	if (ms < 0)
		return TIME_NEVER;
	return ms == 0 ? 0 : clock_mono() + (uint64_t)ms * NSEC_PER_MSEC;
}

long sys_poll(void *fds, unsigned n, int timeout)
{
	return do_poll(fds, n, deadline_in_ms(timeout));
}

/* --- timeouts that the call writes back -------------------------------- */

static int deadline_in(int64_t sec, int64_t nsec, uint64_t *deadline)
{
	uint64_t ns;

	if (sec < 0 || nsec < 0 || nsec >= (int64_t)NSEC_PER_SEC)
		return -EINVAL;
	if (mul_overflow((uint64_t)sec, NSEC_PER_SEC, &ns) ||
	    add_overflow(ns, (uint64_t)nsec, &ns) ||
	    (ns > 0 && add_overflow(ns, clock_mono(), &ns)))
		ns = TIME_NEVER;
	*deadline = ns;
	return 0;
}

int deadline_from_user(
    const struct __kernel_timespec *user_ts, uint64_t *deadline)
{
	struct __kernel_timespec ts;

	*deadline = TIME_NEVER;
	if (!user_ts)
		return 0;
	if (copy_from_user(&ts, user_ts, sizeof(ts)))
		return -EFAULT;
	return deadline_in(ts.tv_sec, ts.tv_nsec, deadline);
}

static uint64_t time_left(uint64_t deadline)
{
	uint64_t now = clock_mono();

	return deadline > now ? deadline - now : 0;
}

/* A fault here changes nothing, as on Linux: the result is known. */
static void timeout_put_back(
    struct __kernel_timespec *user_ts, uint64_t deadline)
{
	uint64_t left = time_left(deadline);
	struct __kernel_timespec ts = { .tv_sec =
					    (int64_t)(left / NSEC_PER_SEC),
		.tv_nsec = (int64_t)(left % NSEC_PER_SEC) };

	if (user_ts && deadline != TIME_NEVER &&
	    copy_to_user(user_ts, &ts, sizeof(ts)))
		return;
}

/* --- signal masks ------------------------------------------------------ */

int sigmask_enter(struct sigmask *m, const void *user_mask, size_t size)
{
	uint64_t new;

	m->set = false;
	if (!user_mask)
		return 0;
	if (size != sizeof(new))
		return -EINVAL;
	if (copy_from_user(&new, user_mask, sizeof(new)))
		return -EFAULT;
	m->set = true;
	return signal_mask_swap(&new, &m->old);
}

void sigmask_leave(struct sigmask *m, long result)
{
	uint64_t temporary;

	if (!m->set)
		return;
	if (result == -EINTR)
		signal_restore_mask_on_return(m->old);
	else
		signal_mask_swap(&m->old, &temporary);
}

long sys_ppoll(
    void *fds, unsigned n, void *user_ts, const void *mask, size_t size)
{
	struct sigmask m;
	uint64_t deadline;
	long r = deadline_from_user(user_ts, &deadline);

	if (r == 0)
		r = sigmask_enter(&m, mask, size);
	if (r)
		return r;
	r = do_poll(fds, n, deadline);
	sigmask_leave(&m, r);
	timeout_put_back(user_ts, deadline);
	return r;
}

/* --- select ------------------------------------------------------------ */

#define SELECT_SETS 3

static const uint32_t select_events[SELECT_SETS] = { SELECT_IN, SELECT_OUT,
	SELECT_EX };

struct select_call {
	unsigned n;              /* descriptors looked at */
	size_t bytes;            /* of a set */
	void *user[SELECT_SETS]; /* NULL: not given */
	uint64_t *set[SELECT_SETS];
	int *fd; /* of each slot */
	struct poll_slot *slot;
	unsigned nslots, room; /* used, allocated */
};

static bool select_bit(const uint64_t *set, unsigned fd)
{
	return set[fd / 64] >> (fd % 64) & 1;
}

static uint32_t select_wanted(const struct select_call *c, unsigned fd)
{
	uint32_t wanted = 0;

	for (unsigned k = 0; k < SELECT_SETS; k++) {
		if (select_bit(c->set[k], fd))
			wanted |= select_events[k];
	}
	return wanted;
}

static int select_copy_in(struct select_call *c)
{
	uint64_t *sets = kmalloc_array(SELECT_SETS, c->bytes + 8);

	if (!sets)
		return -ENOMEM;
	for (unsigned k = 0; k < SELECT_SETS; k++) {
		c->set[k] = sets + k * (c->bytes / 8);
		if (c->user[k] &&
		    copy_from_user(c->set[k], c->user[k], c->bytes))
			return -EFAULT;
		if (c->n % 64)
			c->set[k][c->n / 64] &= (1ull << (c->n % 64)) - 1;
	}
	for (unsigned fd = 0; fd < c->n; fd++)
		c->nslots += select_wanted(c, fd) != 0;
	c->room = c->nslots + 1;
	return 0;
}

static int select_open(struct select_call *c, struct poll_waiter *w)
{
	unsigned i = 0;

	c->slot = poll_array(c->room, sizeof(*c->slot));
	c->fd = poll_array(c->room, sizeof(*c->fd));
	if (!c->slot || !c->fd)
		return -ENOMEM;
	for (unsigned fd = 0; fd < c->n; fd++) {
		uint32_t wanted = select_wanted(c, fd);
		struct file *f;

		if (!wanted)
			continue;
		f = fd_get((int)fd);
		if (!f) {
			c->nslots = i;
			return -EBADF;
		}
		poll_slot_init(&c->slot[i], w, f, wanted);
		c->fd[i++] = (int)fd;
	}
	return 0;
}

/* Turns the sets into the answer: the bits that are on, or -EFAULT. */
static int select_answer(struct select_call *c)
{
	int n = 0;

	for (unsigned i = 0; i < c->nslots; i++) {
		unsigned fd = (unsigned)c->fd[i];

		for (unsigned k = 0; k < SELECT_SETS; k++) {
			uint64_t *word = &c->set[k][fd / 64];
			uint64_t bit = 1ull << (fd % 64);

			if (!(*word & bit))
				continue;
			if (c->slot[i].got & select_events[k])
				n++;
			else
				*word &= ~bit;
		}
	}
	for (unsigned k = 0; k < SELECT_SETS; k++) {
		if (c->user[k] && copy_to_user(c->user[k], c->set[k], c->bytes))
			return -EFAULT;
	}
	return n;
}

static int select_wait(struct select_call *c, uint64_t deadline)
{
	struct poll_waiter w;
	int r;

	poll_waiter_init(&w);
	r = select_open(c, &w);
	if (r == 0)
		r = poll_run(&w, c->slot, c->nslots, 0, deadline);
	if (c->slot && c->fd)
		poll_slots_drop(&w, c->slot, c->nslots);
	return r;
}

static int do_select(int n, void *in, void *out, void *ex, uint64_t deadline)
{
	struct select_call c = { .user = { in, out, ex } };
	int r;

	if (n < 0)
		return -EINVAL;
	c.n = MIN((unsigned)n, FD_MAX_LIMIT);
	c.bytes = ALIGN_UP((size_t)c.n, 64) / 8;
	r = select_copy_in(&c);
	if (r == 0)
		r = select_wait(&c, deadline);
	if (r >= 0)
		r = select_answer(&c);
	kfree(c.set[0]);
	poll_array_free(c.slot, c.room, sizeof(*c.slot));
	poll_array_free(c.fd, c.room, sizeof(*c.fd));
	return r;
}

long sys_select(int n, void *in, void *out, void *ex, void *user_tv)
{
	struct __kernel_old_timeval tv;
	uint64_t deadline = TIME_NEVER, left;
	long r = 0;

	if (user_tv) {
		if (copy_from_user(&tv, user_tv, sizeof(tv)))
			return -EFAULT;
		if (tv.tv_usec < 0)
			return -EINVAL;
		r = deadline_in(tv.tv_sec + tv.tv_usec / 1000000,
		    tv.tv_usec % 1000000 * 1000, &deadline);
		if (r)
			return r;
	}
	r = do_select(n, in, out, ex, deadline);
	if (deadline != TIME_NEVER) {
		left = time_left(deadline);
		tv.tv_sec = (int64_t)(left / NSEC_PER_SEC);
		tv.tv_usec = (int64_t)(left % NSEC_PER_SEC / NSEC_PER_USEC);
		if (copy_to_user(user_tv, &tv, sizeof(tv)))
			return r;
	}
	return r;
}

long sys_pselect6(
    int n, void *in, void *out, void *ex, void *user_ts, const void *user_sig)
{
	struct {
		const void *mask;
		size_t size;
	} sig = { NULL, 0 };
	struct sigmask m;
	uint64_t deadline;
	long r = 0;

	if (user_sig && copy_from_user(&sig, user_sig, sizeof(sig)))
		return -EFAULT;
	r = deadline_from_user(user_ts, &deadline);
	if (r == 0)
		r = sigmask_enter(&m, sig.mask, sig.size);
	if (r)
		return r;
	r = do_select(n, in, out, ex, deadline);
	sigmask_leave(&m, r);
	timeout_put_back(user_ts, deadline);
	return r;
}
