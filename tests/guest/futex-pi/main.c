/*
 * Locks that inherit priority.  All real-time threads are on one processor, so
 * that without inheritance the one in the middle would run for ever.
 */
#define _GNU_SOURCE
#include "../clock.h"
#include "../futex.h"
#include "../show.h"
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

static void must(int err, const char *what)
{
	if (!err)
		return;
	printf("%s: %s\n", what, strerror(err));
	exit(1);
}

static void start(pthread_t *t, int priority, void *(*fn)(void *), void *arg)
{
	struct sched_param sp = { priority };
	pthread_attr_t a;

	pthread_attr_init(&a);
	pthread_attr_setinheritsched(&a, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&a, SCHED_FIFO);
	pthread_attr_setschedparam(&a, &sp);
	must(pthread_create(t, &a, fn, arg), "create");
}

static void init_pi(pthread_mutex_t *m, int robust)
{
	pthread_mutexattr_t a;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
	if (robust)
		pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	must(pthread_mutex_init(m, &a), "init");
}

/* --- inversion: low has a lock, high wants it, medium spins --------------- */

static pthread_mutex_t outer, inner;
static volatile int low_has, between_has, high_done, spinning;

static int base_of_caller(void)
{
	struct sched_param sp;
	int policy;

	pthread_getschedparam(pthread_self(), &policy, &sp);
	return sp.sched_priority;
}

/* Has (inner), and gets the cpu for as long as it takes by inheriting. */
static void *low(void *arg)
{
	pthread_mutex_lock(&inner);
	low_has = 1;
	while (!spinning)
		sched_yield();
	/* Medium runs unless we are boosted by now. */
	pthread_mutex_unlock(&inner);
	return arg;
}

/* Has (outer), waits for (inner). */
static void *between(void *arg)
{
	pthread_mutex_lock(&outer);
	between_has = 1;
	pthread_mutex_lock(&inner);
	pthread_mutex_unlock(&inner);
	pthread_mutex_unlock(&outer);
	return arg;
}

static void *medium(void *arg)
{
	spinning = 1;
	while (!high_done)
		;
	return arg;
}

static void *high(void *arg)
{
	pthread_t m;

	/* It cannot run before we sleep. */
	start(&m, 20, medium, NULL);
	spinning = 1;
	pthread_mutex_lock(arg);
	high_done = 1;
	printf("high has the lock, its priority %d\n", base_of_caller());
	pthread_mutex_unlock(arg);
	pthread_join(m, NULL);
	return NULL;
}

static void inversion(int chain)
{
	pthread_t l, b, h;

	init_pi(&outer, 0);
	init_pi(&inner, 0);
	low_has = between_has = high_done = spinning = 0;
	start(&l, 5, low, NULL);
	while (!low_has)
		usleep(1000);
	if (chain) {
		start(&b, 10, between, NULL);
		while (!between_has)
			usleep(1000);
		usleep(5000);
	}
	start(&h, 30, high, chain ? &outer : &inner);
	pthread_join(h, NULL);
	pthread_join(l, NULL);
	if (chain)
		pthread_join(b, NULL);
	printf("inversion%s ends\n", chain ? " through two locks" : "");
}

/* --- the most urgent waiter is first -------------------------------------- */

static pthread_mutex_t m;
static int order[8], norder;

static void *in_line(void *arg)
{
	pthread_mutex_lock(&m);
	order[norder++] = (int)(long)arg;
	pthread_mutex_unlock(&m);
	return NULL;
}

static void line(void)
{
	static const int prio[] = { 3, 9, 6, 9, 1 };
	pthread_t t[5];

	init_pi(&m, 0);
	pthread_mutex_lock(&m);
	for (int i = 0; i < 5; i++) {
		start(
		    &t[i], prio[i], in_line, (void *)(long)(prio[i] * 10 + i));
		usleep(5000);
	}
	pthread_mutex_unlock(&m);
	for (int i = 0; i < 5; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < 5; i++)
		printf("%d ", order[i]);
	printf("in this order\n");
}

/* --- deadlocks, timeouts, owners that go ---------------------------------- */

static uint32_t word_a, word_b;
static volatile int waits;

static void *holds_b_wants_a(void *arg)
{
	show("lock b", futex(&word_b, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	waits = 1;
	show("lock a", futex(&word_a, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	show("unlock a",
	    futex(&word_a, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	show("unlock b",
	    futex(&word_b, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	return arg;
}

static void deadlock(void)
{
	pthread_t t;

	word_a = (uint32_t)gettid();
	pthread_create(&t, NULL, holds_b_wants_a, NULL);
	while (!waits)
		usleep(1000);
	usleep(20000);
	show("lock a twice",
	    futex(&word_a, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	show("lock b, a deadlock",
	    futex(&word_b, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	show("trylock b",
	    futex(&word_b, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	show("plain wake of a",
	    futex(&word_a, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	show("unlock a, main",
	    futex(&word_a, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	pthread_join(t, NULL);
	printf("a %u b %u\n", word_a & FUTEX_TID_MASK, word_b & FUTEX_TID_MASK);
	word_a = 0x3fffffff;
	show("nobody's",
	    futex(&word_a, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	word_a = 0;
	show("trylock free",
	    futex(&word_a, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	printf("mine %d\n", word_a == (uint32_t)gettid());
}

static void *dies(void *arg)
{
	pthread_mutex_lock(arg);
	waits = 2;
	usleep(30000);
	return NULL; /* with the lock, which others wait for */
}

static void *heir(void *arg)
{
	int r = pthread_mutex_lock(arg);

	if (r == EOWNERDEAD)
		pthread_mutex_consistent(arg);
	pthread_mutex_unlock(arg);
	return (void *)(long)r;
}

static void owner_dies(void)
{
	pthread_t t, h[3];
	long dead = 0, fine = 0;
	void *r;

	init_pi(&m, 1);
	pthread_create(&t, NULL, dies, &m);
	while (waits != 2)
		usleep(1000);
	for (int i = 0; i < 3; i++)
		pthread_create(&h[i], NULL, heir, &m);
	pthread_join(t, NULL);
	for (int i = 0; i < 3; i++) {
		pthread_join(h[i], &r);
		dead += (long)r == EOWNERDEAD;
		fine += r == NULL;
	}
	printf("heirs: %ld of the dead, %ld after\n", dead, fine);
}

static void *sleeps_with_lock(void *arg)
{
	pthread_mutex_lock(arg);
	waits = 3;
	usleep(60000);
	pthread_mutex_unlock(arg);
	return NULL;
}

static void timeout(void)
{
	struct timespec ts;
	pthread_t t;

	init_pi(&m, 0);
	pthread_create(&t, NULL, sleeps_with_lock, &m);
	while (waits != 3)
		usleep(1000);
	ts = in_ms(CLOCK_REALTIME, 5);
	printf("timedlock %s\n", strerror(pthread_mutex_timedlock(&m, &ts)));
	clock_gettime(CLOCK_MONOTONIC, &ts);
	printf("clocklock, past: %s\n",
	    strerror(pthread_mutex_clocklock(&m, CLOCK_MONOTONIC, &ts)));
	printf("lock %d\n", pthread_mutex_lock(&m));
	pthread_mutex_unlock(&m);
	pthread_join(t, NULL);
}

/* --- a condition variable by hand --------------------------------------- */

static uint32_t cond, mutex;
static int arrived;

static void *cond_waiter(void *arg)
{
	long r;

	__atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST);
	r = futex(&cond, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, NULL, &mutex, 0);
	if (r != 0 || (mutex & FUTEX_TID_MASK) != (uint32_t)gettid())
		printf("waiter: %ld, %s\n", r, strerror(errno));
	usleep(1000);
	futex(&mutex, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
	return arg;
}

static void requeue_pi(void)
{
	struct timespec past = { 1, 0 };
	uint32_t other = 0;
	pthread_t t[4];

	show("wait, other value",
	    futex(&cond, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 1, NULL, &mutex, 0));
	show("wait, same word",
	    futex(&cond, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, NULL, &cond, 0));
	show("wait, past",
	    futex(&cond, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, &past, &mutex, 0));
	show("nobody there", futex(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1,
				 (void *)5, &mutex, 0));
	show("wake two", futex(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 2,
			     (void *)5, &mutex, 0));
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, cond_waiter, NULL);
	while (__atomic_load_n(&arrived, __ATOMIC_SEQ_CST) < 4)
		usleep(1000);
	usleep(20000);
	show("plain wake", futex(&cond, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	show("plain requeue",
	    futex(&cond, FUTEX_REQUEUE_PRIVATE, 0, (void *)1, &other, 0));
	show("to another lock", futex(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1,
				    (void *)1, &other, 0));
	show("other value", futex(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1,
				(void *)1, &mutex, 3));
	show("signal", futex(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)0,
			   &mutex, 0));
	usleep(20000);
	futex(&mutex, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0);
	show("broadcast with the lock",
	    futex(
		&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)9, &mutex, 0));
	futex(&mutex, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	printf("mutex free %d\n", (mutex & FUTEX_TID_MASK) == 0);
}

int main(void)
{
	struct sched_param sp = { 40 };
	cpu_set_t set;

	setvbuf(stdout, NULL, _IOLBF, 0);
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	sched_setaffinity(0, sizeof(set), &set);
	/* Above all that we start: what we do is done. */
	show("fifo", sched_setscheduler(0, SCHED_FIFO, &sp));
	inversion(0);
	inversion(1);
	line();
	deadlock();
	owner_dies();
	timeout();
	requeue_pi();
	return 0;
}
