/* Reclaiming: the shrinkers and the thread that calls them. */

#include "kern/shrink.h"

#include "kern/arch.h"
#include "kern/clock.h"
#include "kern/log.h"
#include "kern/num.h"
#include "kern/panic.h"
#include "kern/percpu.h"
#include "mm_int.h"

#define SOFT_PAUSE (100 * NSEC_PER_MSEC) /* after a round that gave nothing */
#define HARD_PAUSE NSEC_PER_MSEC         /* for the locks that were busy */
#define PASSES     4
#define HARD_LEAST (64 * PAGE_SIZE)

/* The list; held while a shrinker runs. */
static struct mutex shrink_lock = MUTEX_INIT(shrink_lock);
static struct list shrinkers = LIST_INIT(shrinkers);
static unsigned nshrinkers;

/* What the thread is to do. */
static struct {
	/* A spinlock because event context sees that little is free. */
	struct spinlock lock;
	bool running;          /* there is a thread */
	size_t soft, hard;     /* bytes wanted */
	uint64_t soft_after;   /* mono ns */
	uint32_t begun, ended; /* hard rounds */
	bool gave;             /* something, the last hard round */
	struct waitq work, done;
} rc = {
	.lock = SPINLOCK_INIT,
	.work = WAITQ_INIT(rc.work),
	.done = WAITQ_INIT(rc.done),
};

bool mm_may_block(void)
{
	return irq_enabled() && cpu_may_switch() && thread_self();
}

bool mm_noreclaim_begin(void)
{
	struct thread *t = thread_self();
	bool old = t->no_reclaim;

	t->no_reclaim = true;
	return old;
}

void mm_noreclaim_end(bool old)
{
	thread_self()->no_reclaim = old;
}

void mm_frees_memory(bool does)
{
	thread_self()->frees_memory = does;
}

/* --- the shrinkers ------------------------------------------------------- */

void shrinker_register(struct shrinker *s)
{
	mutex_lock(&shrink_lock);
	list_add_tail(&shrinkers, &s->link);
	nshrinkers++;
	mutex_unlock(&shrink_lock);
}

void shrinker_unregister(struct shrinker *s)
{
	mutex_lock(&shrink_lock);
	list_del(&s->link);
	nshrinkers--;
	mutex_unlock(&shrink_lock);
}

void shrinker_foreach(void (*fn)(const struct shrinker *, void *), void *arg)
{
	struct shrinker *s;

	mutex_lock(&shrink_lock);
	list_foreach (s, &shrinkers, link)
		fn(s, arg);
	mutex_unlock(&shrink_lock);
}

static size_t ask(struct shrinker *s, size_t share, bool hard)
{
	size_t got = s->shrink(s, share, hard);

	if (hard)
		s->hard++;
	else
		s->soft++;
	s->freed += got;
	return got;
}

/* Ask each for its share of (target), beginning with the next one each time.
 * The list is locked. */
static size_t shrink_pass(size_t target, bool hard)
{
	size_t left = target;
	unsigned n = nshrinkers;
	struct shrinker *s;

	list_foreach (s, &shrinkers, link) {
		size_t got;

		if (left == 0)
			break;
		got = ask(s, (left + n - 1) / n, hard);
		left -= MIN(left, got);
		n--;
	}
	s = list_first(&shrinkers, struct shrinker, link);
	if (s) {
		list_del(&s->link);
		list_add_tail(&shrinkers, &s->link);
	}
	return target - left;
}

/* What the shares did not give, those who had theirs are asked for again. */
static size_t shrink_round(size_t target, bool hard)
{
	size_t sum = 0, got = 1;

	mutex_lock(&shrink_lock);
	for (unsigned i = 0; i < PASSES && sum < target && got; i++) {
		got = shrink_pass(target - sum, hard);
		sum += got;
	}
	mutex_unlock(&shrink_lock);
	return sum;
}

/* --- the thread ---------------------------------------------------------- */

static void soft_round(size_t bytes)
{
	uint64_t free = page_free_bytes();
	size_t more;
	unsigned long flags;

	(void)shrink_round(bytes, false);
	more = page_shortfall();
	flags = spin_lock_irqsave(&rc.lock);
	/* What a shrinker claims may not be true, or may be in use again. */
	if (page_free_bytes() > free)
		rc.soft = MAX(rc.soft, more);
	else
		rc.soft_after = clock_mono() + SOFT_PAUSE;
	spin_unlock_irqrestore(&rc.lock, flags);
}

/* Somebody waits: softly still, if that is enough, then hard. */
static bool press(size_t want)
{
	uint64_t free = page_free_bytes();
	size_t got = shrink_round(want, false);

	if (page_free_bytes() >= free + want)
		return true;
	got += shrink_round(want, true);
	return got > 0 || page_free_bytes() > free;
}

static void hard_round(size_t bytes)
{
	size_t want = MAX(bytes, HARD_LEAST);
	bool gave = press(want);
	unsigned long flags;

	if (!gave) {
		(void)thread_sleep_until(clock_mono() + HARD_PAUSE, 0);
		gave = press(want);
	}
	flags = spin_lock_irqsave(&rc.lock);
	rc.gave = gave;
	rc.ended++;
	waitq_wake_all(&rc.done);
	spin_unlock_irqrestore(&rc.lock, flags);
}

static bool soft_is_due(void)
{
	return rc.soft != 0 && clock_mono() >= rc.soft_after;
}

/* Wait for something to do, and do it. */
static void reclaim_step(void)
{
	unsigned long flags = spin_lock_irqsave(&rc.lock);
	size_t hard, soft = 0;

	while (rc.hard == 0 && !soft_is_due())
		(void)waitq_wait(&rc.work, &rc.lock, &flags,
		    rc.soft ? rc.soft_after : TIME_NEVER, 0);
	hard = rc.hard;
	if (hard) {
		rc.hard = 0;
		rc.begun++;
	} else {
		soft = rc.soft;
		rc.soft = 0;
	}
	spin_unlock_irqrestore(&rc.lock, flags);
	if (hard)
		hard_round(hard);
	else
		soft_round(soft);
}

static void reclaim_main(void *arg)
{
	(void)arg;
	mm_frees_memory(true);
	for (;;)
		reclaim_step();
}

void shrink_start(void)
{
	struct thread *t;

	if (thread_create(&t, "reclaim", reclaim_main, NULL, -1))
		panic("no memory for the reclaim thread");
	page_set_marks();
	rc.running = true;
	thread_start(t);
	thread_put(t);
}

/* --- asking for it ------------------------------------------------------- */

void mm_reclaim_soon(size_t bytes)
{
	unsigned long flags;

	/* The round looks for itself how much is wanted by then. */
	if (bytes == 0 || READ_ONCE(rc.soft) != 0)
		return;
	flags = spin_lock_irqsave(&rc.lock);
	rc.soft = MAX(rc.soft, bytes);
	waitq_wake(&rc.work, 1);
	spin_unlock_irqrestore(&rc.lock, flags);
}

bool mm_reclaim(size_t bytes)
{
	uint64_t deadline = clock_mono() + RECLAIM_PATIENCE;
	const struct thread *t = thread_self();
	unsigned long flags;
	uint32_t round;
	int err = 0;
	bool gave;

	if (!mm_may_block() || t->no_reclaim || t->frees_memory)
		return false;
	flags = spin_lock_irqsave(&rc.lock);
	if (!rc.running) {
		spin_unlock_irqrestore(&rc.lock, flags);
		return false;
	}
	rc.hard = MAX(rc.hard, bytes);
	/* The round that runs now may be past what it could have given. */
	round = rc.begun + 1;
	waitq_wake(&rc.work, 1);
	while ((int32_t)(rc.ended - round) < 0 && !err)
		err = waitq_wait(&rc.done, &rc.lock, &flags, deadline, 0);
	gave = !err && rc.gave;
	spin_unlock_irqrestore(&rc.lock, flags);
	if (err)
		log_once(LOG_WARN, "reclaim: no answer in %llu s",
		    RECLAIM_PATIENCE / NSEC_PER_SEC);
	return gave;
}
