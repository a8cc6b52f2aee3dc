/*
 * Futexes: the calls themselves, and what C libraries build from them.
 */
#define _GNU_SOURCE
#include "../clock.h"
#include "../futex.h"
#include "../show.h"
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/mman.h>

static uint32_t word, word2;

static void errors(void)
{
	struct timespec ts = { 0, 10000000 }, bad = { 0, -1 }, past = { 1, 0 };

	show("wait, other value", futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0));
	show(
	    "wait, timeout", futex(&word, FUTEX_WAIT_PRIVATE, 0, &ts, NULL, 0));
	show("wait, bad time", futex(&word, FUTEX_WAIT, 0, &bad, NULL, 0));
	show("wait, not aligned", futex((uint32_t *)((char *)&word + 1),
				      FUTEX_WAIT, 0, NULL, NULL, 0));
	show("wait, nowhere",
	    futex((uint32_t *)4096, FUTEX_WAIT, 0, NULL, NULL, 0));
	show("wait bitset, past",
	    futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, &past, NULL, ~0u));
	show("wait bitset, past, wall clock",
	    futex(&word, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 0,
		&past, NULL, ~0u));
	show("wait bitset 0",
	    futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, 0));
	show("wake nobody", futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	show("unknown", futex(&word, 99, 1, NULL, NULL, 0));
	show("unlock pi, not mine",
	    futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
}

static int woken[8];

static void *waiter(void *arg)
{
	long id = (long)arg;

	futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, 1u << id);
	__atomic_store_n(&woken[id], 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static int sleepers(uint32_t *from, uint32_t *to)
{
	/* How many wait: move them all and back. */
	int n =
	    (int)futex(from, FUTEX_REQUEUE_PRIVATE, 0, (void *)100ul, to, 0);

	futex(to, FUTEX_REQUEUE_PRIVATE, 0, (void *)100ul, from, 0);
	return n;
}

static void bitsets_and_requeue(void)
{
	pthread_t t[6];
	int n = 0;

	for (long i = 0; i < 6; i++)
		pthread_create(&t[i], NULL, waiter, (void *)i);
	while (sleepers(&word, &word2) != 6)
		usleep(1000);
	show("wake bit 2 and 4",
	    futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 100, NULL, NULL, 0x14));
	pthread_join(t[2], NULL);
	pthread_join(t[4], NULL);
	for (int i = 0; i < 6; i++)
		n += __atomic_load_n(&woken[i], __ATOMIC_SEQ_CST) << i;
	printf("woken %#x\n", (unsigned)n);
	show("cmp requeue, other value",
	    futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)1ul, &word2, 5));
	show("cmp requeue",
	    futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)2ul, &word2, 0));
	show(
	    "wake first", futex(&word, FUTEX_WAKE_PRIVATE, 100, NULL, NULL, 0));
	show("wake second",
	    futex(&word2, FUTEX_WAKE_PRIVATE, 100, NULL, NULL, 0));
	for (int i = 0; i < 6; i++)
		if (i != 2 && i != 4)
			pthread_join(t[i], NULL);
	word2 = 7;
	show("wake op",
	    futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1ul, &word2,
		FUTEX_OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_EQ, 7)));
	printf("word2 is %u\n", word2);
}

/* --- many threads on one mutex, a barrier, condition variables ----------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static long shared_count;
static int tokens;

static void *hammer(void *arg)
{
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < 20000; i++) {
		pthread_mutex_lock(&lock);
		shared_count++;
		pthread_mutex_unlock(&lock);
	}
	pthread_mutex_lock(&lock);
	while (tokens == 0)
		pthread_cond_wait(&cond, &lock);
	tokens--;
	pthread_mutex_unlock(&lock);
	return arg;
}

static void contention(void)
{
	pthread_t t[8];

	pthread_barrier_init(&barrier, NULL, 9);
	for (int i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, hammer, NULL);
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < 8; i++) {
		pthread_mutex_lock(&lock);
		tokens++;
		pthread_cond_signal(&cond);
		pthread_mutex_unlock(&lock);
	}
	for (int i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
	printf("count %ld, tokens left %d\n", shared_count, tokens);
}

static void timeouts(void)
{
	struct timespec ts;
	sem_t sem;
	int r;

	ts = in_ms(CLOCK_REALTIME, 20);
	pthread_mutex_lock(&lock);
	r = pthread_cond_timedwait(&cond, &lock, &ts);
	pthread_mutex_unlock(&lock);
	printf("cond_timedwait %s\n", strerror(r));
	sem_init(&sem, 0, 1);
	show("sem", sem_timedwait(&sem, &ts));
	show("sem again", sem_timedwait(&sem, &ts));
}

/* --- robust and priority-inheriting mutexes ------------------------------ */

static void *die_holding(void *arg)
{
	pthread_mutex_lock(arg);
	return NULL;
}

static void robust(int protocol)
{
	pthread_mutexattr_t a;
	pthread_mutex_t m;
	pthread_t t;
	int r;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setprotocol(&a, protocol);
	pthread_mutex_init(&m, &a);
	pthread_create(&t, NULL, die_holding, &m);
	pthread_join(t, NULL);
	r = pthread_mutex_lock(&m);
	printf("robust lock: %s\n", strerror(r));
	r = pthread_mutex_consistent(&m);
	printf("consistent %d, unlock %d\n", r, pthread_mutex_unlock(&m));
	r = pthread_mutex_lock(&m);
	printf("again %d\n", r);
	pthread_mutex_unlock(&m);
}

static pthread_mutex_t pi;

static void *pi_hammer(void *arg)
{
	for (int i = 0; i < 3000; i++) {
		pthread_mutex_lock(&pi);
		shared_count++;
		pthread_mutex_unlock(&pi);
	}
	return arg;
}

static void pi_mutex(void)
{
	pthread_mutexattr_t a;
	struct timespec ts;
	pthread_t t[4];

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
	printf("pi init %d\n", pthread_mutex_init(&pi, &a));
	shared_count = 0;
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, pi_hammer, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	printf("pi count %ld\n", shared_count);
	pthread_mutex_lock(&pi);
	printf("pi trylock %s\n", strerror(pthread_mutex_trylock(&pi)));
	clock_gettime(CLOCK_REALTIME, &ts);
	printf("pi unlock %d\n", pthread_mutex_unlock(&pi));
}

/* A futex in shared memory, seen at two addresses. */
static uint32_t *view[2];

static void *shared_waiter(void *arg)
{
	while (__atomic_load_n(view[1], __ATOMIC_SEQ_CST) == 0)
		futex(view[1], FUTEX_WAIT, 0, NULL, NULL, 0);
	return arg;
}

static void shared(void)
{
	int fd = memfd_create("futex", 0);
	pthread_t t;

	if (fd < 0 || ftruncate(fd, 4096) != 0) {
		printf("no memfd: %s\n", strerror(errno));
		return;
	}
	for (int i = 0; i < 2; i++)
		view[i] =
		    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	pthread_create(&t, NULL, shared_waiter, NULL);
	usleep(20000);
	__atomic_store_n(view[0], 1, __ATOMIC_SEQ_CST);
	futex(view[0], FUTEX_WAKE, 1, NULL, NULL, 0);
	pthread_join(t, NULL);
	printf("shared futex: two views differ %d\n", view[0] != view[1]);
}

int main(void)
{
	errors();
	bitsets_and_requeue();
	contention();
	timeouts();
	robust(PTHREAD_PRIO_NONE);
	robust(PTHREAD_PRIO_INHERIT);
	pi_mutex();
	shared();
	return 0;
}
