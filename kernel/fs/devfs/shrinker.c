#include "kern/devfs.h"

#include "fs_int.h"
#include "kern/clock.h"
#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/sched.h"
#include "kern/shrink.h"
#include "kern/signal.h"
#include "kern/string.h"

/*
 * /dev/shrinker: a program's own shrinker.  docs/man/shrinker.4, ADR 0006.
 *
 * The first write names it.  A read waits for a request, a line such as "soft
 * 1048576"; the next write answers with the bytes that were freed.  So it is
 * a thread of the program's that frees the memory, while the kernel waits: as
 * long as memory gets free, but not for ever.
 */

#define NAME_MAX_LEN 31u
#define LINE_MAX_LEN 32u
#define SLICE        (100 * NSEC_PER_MSEC)

/* Slices in which nothing gets free, and all slices, for one answer. */
#define PATIENCE_SOFT 3u
#define PATIENCE_HARD 10u
#define SLICES_MAX    30u

enum shr_state {
	SHR_UNNAMED,
	SHR_IDLE,
	SHR_ASKED, /* the request waits to be read */
	SHR_TAKEN  /* it was read, and is not answered yet */
};

struct shr {
	struct shrinker shrinker;
	char name[NAME_MAX_LEN + 1];
	struct mutex lock; /* all below */
	enum shr_state state;
	bool closed;
	bool stuck; /* it did not answer a hard request: not asked again */
	size_t target, answer;
	bool hard;
	struct waitq asked, answered;
	struct poll_head poll;
};

/* --- the kernel's side: the reclaim thread ------------------------------- */

static uint64_t shr_free(void)
{
	struct mm_stats st;

	mm_stats(&st);
	return st.free;
}

/* Wait for the answer to what was asked; false: it does not come.  Locked. */
static bool shr_wait(struct shr *d, unsigned patience)
{
	uint64_t before = shr_free(), now;
	unsigned idle = 0;

	for (unsigned i = 0; i < SLICES_MAX && idle < patience; i++) {
		if (d->state == SHR_IDLE || d->closed)
			return true;
		(void)waitq_wait_mutex(
		    &d->answered, &d->lock, clock_mono() + SLICE, 0);
		now = shr_free();
		idle = now > before ? 0 : idle + 1;
		before = now;
	}
	return d->state == SHR_IDLE || d->closed;
}

static void shr_ask(struct shr *d, size_t target, bool hard)
{
	d->target = target;
	d->hard = hard;
	d->answer = 0;
	d->state = SHR_ASKED;
	waitq_wake_all(&d->asked);
	poll_notify(&d->poll, EPOLLIN);
}

/* What was not taken yet is asked anew; what was is waited for.  Locked. */
static size_t shr_shrink_locked(struct shr *d, size_t target, bool hard)
{
	unsigned patience = hard ? PATIENCE_HARD : PATIENCE_SOFT;
	size_t late = 0;

	if (d->state == SHR_TAKEN) {
		if (d->stuck || !hard)
			return 0;
		d->stuck = !shr_wait(d, patience);
		late = d->stuck ? 0 : d->answer;
		if (late)
			return late;
	}
	if (d->stuck || d->closed)
		return 0;
	shr_ask(d, target, hard);
	if (!shr_wait(d, patience))
		d->stuck = hard;
	return d->answer;
}

static size_t shr_shrink(struct shrinker *s, size_t target, bool hard)
{
	struct shr *d = container_of(s, struct shr, shrinker);
	size_t freed;

	mutex_lock(&d->lock);
	freed = shr_shrink_locked(d, target, hard);
	mutex_unlock(&d->lock);
	return freed;
}

/* --- the program's side -------------------------------------------------- */

static int shr_open(struct file *f)
{
	struct shr *d = kzalloc(sizeof(*d));

	if (!d)
		return -ENOMEM;
	mutex_init(&d->lock);
	waitq_init(&d->asked);
	waitq_init(&d->answered);
	poll_head_init(&d->poll);
	f->priv = d;
	return 0;
}

/* It shows up in the log and in reports. */
static bool shr_name_ok(const char *name, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (name[i] <= ' ' || name[i] > '~')
			return false;
	return n > 0 && n <= NAME_MAX_LEN;
}

static int shr_set_name(struct shr *d, const char *name, size_t n)
{
	if (!shr_name_ok(name, n))
		return -EINVAL;
	memcpy(d->name, name, n);
	d->shrinker.name = d->name;
	d->shrinker.shrink = shr_shrink;
	d->state = SHR_IDLE;
	return 0;
}

static int shr_answer(struct shr *d, const char *text, size_t n)
{
	size_t digits = 0;

	while (digits < n && text[digits] >= '0' && text[digits] <= '9')
		digits++;
	if (digits == 0 || digits != n || n > 19 || d->state != SHR_TAKEN)
		return -EINVAL;
	d->answer = strtoul(text, NULL, 10);
	d->state = SHR_IDLE;
	d->stuck = false;
	mm_frees_memory(false);
	waitq_wake_all(&d->answered);
	return 0;
}

static long shr_write(struct file *f, struct uio *u, uint64_t *off)
{
	struct shr *d = f->priv;
	char text[LINE_MAX_LEN + 1];
	size_t all = u->left, n;
	bool naming;
	long r;

	(void)off;
	if (all == 0 || all > LINE_MAX_LEN)
		return -EINVAL;
	r = uio_get(u, text, all);
	if (r < 0 || (size_t)r < all)
		return -EFAULT;
	text[all] = '\0';
	n = text[all - 1] == '\n' ? all - 1 : all;
	mutex_lock(&d->lock);
	naming = d->state == SHR_UNNAMED;
	r = naming ? shr_set_name(d, text, n) : shr_answer(d, text, n);
	mutex_unlock(&d->lock);
	/* Not under the lock, which a call takes under the list's. */
	if (naming && r == 0)
		shrinker_register(&d->shrinker);
	return r ? r : (long)all;
}

/* A request that was read but never answered has freed nothing. */
static void shr_give_up(struct shr *d)
{
	if (d->state != SHR_TAKEN)
		return;
	d->state = SHR_IDLE;
	mm_frees_memory(false);
	waitq_wake_all(&d->answered);
}

static long shr_next(struct shr *d, bool nonblock, char *line)
{
	int err = 0;

	if (d->state == SHR_UNNAMED)
		return -EINVAL;
	shr_give_up(d);
	while (d->state != SHR_ASKED && !err) {
		if (nonblock)
			return -EAGAIN;
		err = waitq_wait_mutex(
		    &d->asked, &d->lock, TIME_NEVER, WAIT_INTR);
	}
	if (err)
		return -ERESTARTSYS;
	d->state = SHR_TAKEN;
	/* The thread must not wait for itself. */
	mm_frees_memory(true);
	return snprintf(line, LINE_MAX_LEN, "%s %zu\n",
	    d->hard ? "hard" : "soft", d->target);
}

static long shr_read(struct file *f, struct uio *u, uint64_t *off)
{
	struct shr *d = f->priv;
	char line[LINE_MAX_LEN];
	long n;

	(void)off;
	if (u->left < LINE_MAX_LEN)
		return -EINVAL;
	mutex_lock(&d->lock);
	n = shr_next(d, file_nonblock(f), line);
	mutex_unlock(&d->lock);
	return n < 0 ? n : uio_put(u, line, (size_t)n);
}

static uint32_t shr_poll(struct file *f, struct poll_entry *pe)
{
	struct shr *d = f->priv;
	uint32_t events;

	poll_wait(&d->poll, pe);
	mutex_lock(&d->lock);
	events = d->state == SHR_ASKED ? EPOLLIN | EPOLLOUT : EPOLLOUT;
	mutex_unlock(&d->lock);
	return events;
}

static void shr_release(struct file *f)
{
	struct shr *d = f->priv;

	mutex_lock(&d->lock);
	d->closed = true;
	waitq_wake_all(&d->answered);
	mutex_unlock(&d->lock);
	if (d->shrinker.shrink)
		shrinker_unregister(&d->shrinker);
	poll_head_destroy(&d->poll);
	kfree(d);
}

static const struct file_ops shr_ops = {
	.read = shr_read,
	.write = shr_write,
	.poll = shr_poll,
	.release = shr_release,
};

static const struct chardev shr_dev = {
	.name = "shrinker",
	.mode = 0600,
	.major = 10,
	.minor = 250, /* of those for local use */
	.ops = &shr_ops,
	.open = shr_open,
};
CHARDEV(shr_dev);
