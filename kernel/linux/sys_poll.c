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

#define SELECT_IN \
	(EPOLLRDNORM | EPOLLRDBAND | EPOLLIN | EPOLLHUP | EPOLLERR | POLLNVAL)
#define SELECT_OUT (EPOLLWRBAND | EPOLLWRNORM | EPOLLOUT | EPOLLERR | POLLNVAL)
#define SELECT_EX  (EPOLLPRI | POLLNVAL)

#define POLL_FAST  6            /* slots that need no allocation */
#define POLL_HEAP  (128 * 1024) /* bytes of an array from the heap */

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

/* What (f) has now of what is wanted; always POLLNVAL. */
static uint32_t poll_file(
    struct file *f, uint32_t wanted, struct poll_entry *pe)
{
	if (file_flags(f) & O_PATH)
		return POLLNVAL;
	return (f->ops->poll ? f->ops->poll(f, pe) : POLL_ALWAYS) & wanted;
}

/* The same of a descriptor, before anybody waits. */
static uint32_t poll_fd(int fd, uint32_t wanted)
{
	struct fd_ref ref = fd_borrow(fd);
	uint32_t got;

	if (!ref.file)
		return POLLNVAL;
	got = poll_file(ref.file, wanted, NULL);
	fd_return(ref);
	return got;
}

/* Ask all once: how many have events.  Registers with those it asks until
 * one has. */
static int poll_ask(struct poll_slot *s, unsigned n, bool reg)
{
	int ready = 0;

	for (unsigned i = 0; i < n; i++) {
		if (!s[i].file)
			continue;
		s[i].got =
		    poll_file(s[i].file, s[i].wanted, reg ? &s[i].pe : NULL);
		if (s[i].got) {
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

/* Begin with poll_in(); whatever it says, end with poll_out(). */
struct poll_call {
	struct pollfd *user;
	unsigned n;
	struct pollfd *p; /* a copy; its revents are the answer */
	struct pollfd fast[POLL_FAST];
};

static uint32_t poll_wanted(const struct pollfd *p)
{
	return (uint16_t)p->events | EPOLLERR | EPOLLHUP;
}

/* Copies the array and asks once: most calls need no more, and nothing is
 * set up for a wait. */
static int poll_in(struct poll_call *c, struct pollfd *user, unsigned n)
{
	int ready = 0;

	c->user = user;
	c->n = n;
	c->p = NULL;
	if (n > fd_limit())
		return -EINVAL;
	c->p = n > POLL_FAST ? poll_array(n, sizeof(*c->p)) : c->fast;
	if (!c->p)
		return -ENOMEM;
	if (copy_from_user(c->p, user, n * sizeof(*c->p)))
		return -EFAULT;
	for (unsigned i = 0; i < n; i++) {
		struct pollfd *p = &c->p[i];
		uint32_t got = p->fd < 0 ? 0 : poll_fd(p->fd, poll_wanted(p));

		p->revents = (short)got;
		ready += got != 0;
	}
	return ready;
}

/* How many entries are answered without asking: descriptors not open. */
static int poll_prepare(
    const struct poll_call *c, struct poll_slot *s, struct poll_waiter *w)
{
	int bad = 0;

	for (unsigned i = 0; i < c->n; i++) {
		const struct pollfd *p = &c->p[i];
		struct file *f = p->fd < 0 ? NULL : fd_get(p->fd);

		poll_slot_init(&s[i], w, f, poll_wanted(p));
		if (!f && p->fd >= 0) {
			s[i].got = POLLNVAL;
			bad++;
		}
	}
	return bad;
}

static int poll_slots(
    struct poll_call *c, struct poll_slot *s, uint64_t deadline)
{
	struct poll_waiter w;
	int r;

	poll_waiter_init(&w);
	r = poll_prepare(c, s, &w);
	r = poll_run(&w, s, c->n, r, deadline);
	poll_slots_drop(&w, s, c->n);
	for (unsigned i = 0; i < c->n; i++)
		c->p[i].revents = (short)s[i].got;
	return r;
}

static NOINLINE int poll_slots_small(struct poll_call *c, uint64_t deadline)
{
	struct poll_slot s[POLL_FAST];

	return poll_slots(c, s, deadline);
}

/* None is ready: wait for one. */
static int poll_sleep_for(struct poll_call *c, uint64_t deadline)
{
	struct poll_slot *s;
	int r;

	if (c->n <= POLL_FAST)
		return poll_slots_small(c, deadline);
	s = poll_array(c->n, sizeof(*s));
	r = s ? poll_slots(c, s, deadline) : -ENOMEM;
	poll_array_free(s, c->n, sizeof(*s));
	return r;
}

/* A call that was interrupted writes its revents, too: none. */
static int poll_out(struct poll_call *c, int r)
{
	bool answer = r >= 0 || r == -EINTR;

	for (unsigned i = 0; answer && i < c->n; i++) {
		short *to = &c->user[i].revents;

		if (copy_to_user(to, &c->p[i].revents, sizeof(*to))) {
			r = -EFAULT;
			break;
		}
	}
	if (c->p != c->fast)
		poll_array_free(c->p, c->n, sizeof(*c->p));
	return r;
}

static uint64_t deadline_in_ms(int ms)
{
	if (ms < 0)
		return TIME_NEVER;
	return clock_mono() + (uint64_t)ms * NSEC_PER_MSEC;
}

long sys_poll(void *fds, unsigned n, int timeout)
{
	struct poll_call c;
	int r = poll_in(&c, fds, n);

	if (r == 0 && timeout != 0)
		r = poll_sleep_for(&c, deadline_in_ms(timeout));
	return poll_out(&c, r);
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
	struct poll_call c;
	struct sigmask m;
	uint64_t deadline;
	int r = deadline_from_user(user_ts, &deadline);

	if (r == 0)
		r = sigmask_enter(&m, mask, size);
	if (r)
		return r;
	r = poll_in(&c, fds, n);
	if (r == 0 && deadline != 0)
		r = poll_sleep_for(&c, deadline);
	r = poll_out(&c, r);
	sigmask_leave(&m, r);
	timeout_put_back(user_ts, deadline);
	return r;
}

/* --- select ------------------------------------------------------------ */

#define SELECT_SETS 3
#define SELECT_FAST 4 /* words of a set that need no allocation */

static const uint32_t select_events[SELECT_SETS] = { SELECT_IN, SELECT_OUT,
	SELECT_EX };

struct select_call {
	size_t words;            /* of a set */
	uint64_t last;           /* which bits of the last word count */
	void *user[SELECT_SETS]; /* NULL: not given */
	uint64_t *in, *out;      /* [SELECT_SETS * words] */
	uint64_t fast[2 * SELECT_SETS * SELECT_FAST];
	/* Only to wait: */
	struct poll_slot *slot;
	int *fd;         /* of each slot */
	unsigned nslots; /* in use */
};

static uint32_t select_wanted(const struct select_call *c, unsigned fd)
{
	uint32_t wanted = 0;

	for (unsigned k = 0; k < SELECT_SETS; k++) {
		if (c->in[k * c->words + fd / 64] >> (fd % 64) & 1)
			wanted |= select_events[k];
	}
	return wanted;
}

/* The descriptors from 64 * (word) on that are in any set. */
static uint64_t select_word(const struct select_call *c, size_t word)
{
	uint64_t any = 0;

	for (unsigned k = 0; k < SELECT_SETS; k++)
		any |= c->in[k * c->words + word];
	return any;
}

/* Puts what (fd) has into the answer: the bits that are. */
static int select_note(struct select_call *c, unsigned fd, uint32_t got)
{
	uint64_t bit = 1ull << (fd % 64);
	int n = 0;

	for (unsigned k = 0; got && k < SELECT_SETS; k++) {
		size_t at = k * c->words + fd / 64;

		if ((got & select_events[k]) && (c->in[at] & bit)) {
			c->out[at] |= bit;
			n++;
		}
	}
	return n;
}

static int select_copy_in(struct select_call *c)
{
	size_t all = SELECT_SETS * c->words;

	c->in = c->fast;
	if (c->words > SELECT_FAST)
		c->in = kmalloc_array(2 * all, sizeof(*c->in));
	if (!c->in)
		return -ENOMEM;
	c->out = c->in + all;
	memset(c->in, 0, 2 * all * sizeof(*c->in));
	for (unsigned k = 0; k < SELECT_SETS && c->words > 0; k++) {
		uint64_t *set = c->in + k * c->words;

		if (c->user[k] &&
		    copy_from_user(set, c->user[k], c->words * sizeof(*set)))
			return -EFAULT;
		set[c->words - 1] &= c->last;
	}
	return 0;
}

/* Ask each once, for most calls need no more: the bits that are on. */
static int select_look(struct select_call *c)
{
	int n = 0;

	for (size_t w = 0; w < c->words; w++) {
		uint64_t any = select_word(c, w);

		for (; any; any &= any - 1) {
			unsigned fd =
			    (unsigned)(w * 64) + (unsigned)__builtin_ctzll(any);
			struct fd_ref ref = fd_borrow((int)fd);

			if (!ref.file)
				return -EBADF;
			c->nslots++;
			n += select_note(c, fd,
			    poll_file(ref.file, select_wanted(c, fd), NULL));
			fd_return(ref);
		}
	}
	return n;
}

static int select_open(struct select_call *c, struct poll_waiter *w)
{
	c->nslots = 0;
	for (size_t word = 0; word < c->words; word++) {
		uint64_t any = select_word(c, word);

		for (; any; any &= any - 1) {
			unsigned i = c->nslots;
			int fd = (int)(word * 64) + __builtin_ctzll(any);
			struct file *f = fd_get(fd);

			if (!f)
				return -EBADF;
			poll_slot_init(
			    &c->slot[i], w, f, select_wanted(c, (unsigned)fd));
			c->fd[i] = fd;
			c->nslots++;
		}
	}
	return 0;
}

static int select_wait(struct select_call *c, uint64_t deadline)
{
	unsigned room = c->nslots + 1;
	struct poll_waiter w;
	int r = -ENOMEM;

	c->slot = poll_array(room, sizeof(*c->slot));
	c->fd = poll_array(room, sizeof(*c->fd));
	if (c->slot && c->fd) {
		poll_waiter_init(&w);
		r = select_open(c, &w);
		if (r == 0)
			r = poll_run(&w, c->slot, c->nslots, 0, deadline);
		poll_slots_drop(&w, c->slot, c->nslots);
	}
	if (r > 0) {
		r = 0;
		for (unsigned i = 0; i < c->nslots; i++)
			r += select_note(c, (unsigned)c->fd[i], c->slot[i].got);
	}
	poll_array_free(c->slot, room, sizeof(*c->slot));
	poll_array_free(c->fd, room, sizeof(*c->fd));
	return r;
}

static int select_copy_out(const struct select_call *c)
{
	for (unsigned k = 0; k < SELECT_SETS; k++) {
		if (c->user[k] &&
		    copy_to_user(c->user[k], c->out + k * c->words,
			c->words * sizeof(*c->out)))
			return -EFAULT;
	}
	return 0;
}

static int do_select(int n, void *in, void *out, void *ex, uint64_t deadline)
{
	struct select_call c;
	int r;

	if (n < 0)
		return -EINVAL;
	n = MIN(n, (int)FD_MAX_LIMIT);
	c.words = ((size_t)n + 63) / 64;
	c.last = n % 64 ? (1ull << (n % 64)) - 1 : ~0ull;
	c.user[0] = in;
	c.user[1] = out;
	c.user[2] = ex;
	c.nslots = 0;
	r = select_copy_in(&c);
	if (r == 0)
		r = select_look(&c);
	if (r == 0 && deadline != 0)
		r = select_wait(&c, deadline);
	if (r >= 0 && select_copy_out(&c))
		r = -EFAULT;
	if (c.in != c.fast)
		kfree(c.in);
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
