/*
 * Threads that end while others join, detach, cancel, signal and ask about
 * them, and locks of every kind under them, on two processors.  What is counted
 * does not depend on who is first.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 300

static int handled, cleaned;

static void on_signal(int sig)
{
	(void)sig;
	__atomic_add_fetch(&handled, 1, __ATOMIC_RELAXED);
}

/* --- ends ----------------------------------------------------------- */

static volatile pid_t victim;
static volatile int killers_end;
static int wrong;

/* The thread is there or not; nothing else may be the answer. */
static void *killer(void *arg)
{
	struct timespec ts;
	clockid_t clock;

	while (!killers_end) {
		pid_t tid = victim;

		if (tid && syscall(SYS_tgkill, getpid(), tid, SIGUSR1) &&
		    errno != ESRCH)
			wrong++;
		clock = (clockid_t)(~(unsigned)tid << 3 | 6);
		if (tid && clock_gettime(clock, &ts) && errno != EINVAL)
			wrong++;
		sched_yield();
	}
	return arg;
}

static void *ends_at_once(void *arg)
{
	victim = gettid();
	return arg;
}

static void on_cancel(void *arg)
{
	(void)arg;
	__atomic_add_fetch(&cleaned, 1, __ATOMIC_RELAXED);
}

static void *until_cancelled(void *arg)
{
	victim = gettid();
	pthread_cleanup_push(on_cancel, NULL);
	for (;;)
		pause();
	pthread_cleanup_pop(0);
	return arg;
}

static void ends(void)
{
	pthread_t k, t[4];
	int cancelled = 0, joined = 0;
	void *r;

	pthread_create(&k, NULL, killer, NULL);
	for (int i = 0; i < ROUNDS; i++) {
		pthread_create(&t[0], NULL, ends_at_once, (void *)1);
		pthread_create(&t[1], NULL, ends_at_once, (void *)2);
		pthread_create(&t[2], NULL, until_cancelled, NULL);
		pthread_create(&t[3], NULL, ends_at_once, NULL);
		pthread_detach(t[3]);
		pthread_cancel(t[2]);
		pthread_kill(t[0], SIGUSR1);
		pthread_join(t[2], &r);
		cancelled += r == PTHREAD_CANCELED;
		while (pthread_tryjoin_np(t[1], &r) == EBUSY)
			sched_yield();
		joined += (int)(long)r;
		pthread_join(t[0], &r);
		joined += (int)(long)r;
	}
	killers_end = 1;
	pthread_join(k, NULL);
	printf("cancelled %d, joined %d, wrong answers %d\n", cancelled, joined,
	    wrong);
	printf("all signals came: %d\n", handled >= 1);
}

/* --- locks ---------------------------------------------------------- */

#define NTHREAD 6

static pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER, pi, robust;
static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t full = PTHREAD_COND_INITIALIZER,
		      empty = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static sem_t sem;
static long count[4], items, taken, serial;

static void *all_locks(void *arg)
{
	for (int i = 0; i < ROUNDS * 3; i++) {
		pthread_mutex_lock(&plain);
		count[0]++;
		pthread_mutex_unlock(&plain);
		pthread_mutex_lock(&pi);
		count[1]++;
		pthread_mutex_unlock(&pi);
		pthread_rwlock_wrlock(&rw);
		count[2]++;
		pthread_rwlock_unlock(&rw);
		pthread_rwlock_rdlock(&rw);
		if (count[2] == 0)
			wrong++;
		pthread_rwlock_unlock(&rw);
		sem_wait(&sem);
		__atomic_add_fetch(&count[3], 1, __ATOMIC_RELAXED);
		sem_post(&sem);
		if (i % 30 == 0 && pthread_barrier_wait(&barrier) ==
				       PTHREAD_BARRIER_SERIAL_THREAD)
			serial++;
	}
	return arg;
}

/* A queue of one: producers and consumers take turns. */
static void *queue(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&plain);
		if ((long)arg & 1) {
			while (items == 1)
				pthread_cond_wait(&empty, &plain);
			items++;
			pthread_cond_signal(&full);
		} else {
			while (items == 0)
				pthread_cond_wait(&full, &plain);
			items--;
			taken++;
			pthread_cond_signal(&empty);
		}
		pthread_mutex_unlock(&plain);
	}
	return arg;
}

static void *dies_with_it(void *arg)
{
	int r = pthread_mutex_lock(&robust);

	if (r == EOWNERDEAD) {
		__atomic_add_fetch((int *)arg, 1, __ATOMIC_RELAXED);
		pthread_mutex_consistent(&robust);
	}
	return NULL;
}

static void crowd(void *(*fn)(void *))
{
	pthread_t t[NTHREAD];

	for (long i = 0; i < NTHREAD; i++)
		pthread_create(&t[i], NULL, fn, (void *)i);
	for (int i = 0; i < NTHREAD; i++)
		pthread_join(t[i], NULL);
}

static void locks(void)
{
	pthread_mutexattr_t a;
	pthread_t t[NTHREAD];
	int dead = 0;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(&pi, &a);
	sem_init(&sem, 0, 2);
	pthread_barrier_init(&barrier, NULL, NTHREAD);
	crowd(all_locks);
	printf("counts %ld %ld %ld %ld, serial %ld\n", count[0], count[1],
	    count[2], count[3], serial);
	crowd(queue);
	printf("queue: %ld left, %ld taken\n", items, taken);
	for (int protocol = 0; protocol < 2; protocol++) {
		pthread_mutexattr_init(&a);
		pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
		pthread_mutexattr_setprotocol(
		    &a, protocol ? PTHREAD_PRIO_INHERIT : PTHREAD_PRIO_NONE);
		pthread_mutex_init(&robust, &a);
		dead = 0;
		for (int i = 0; i < ROUNDS / 10; i++) {
			for (int j = 0; j < NTHREAD; j++)
				pthread_create(
				    &t[j], NULL, dies_with_it, &dead);
			for (int j = 0; j < NTHREAD; j++)
				pthread_join(t[j], NULL);
		}
		/* All but the first find a dead owner. */
		printf("robust: %d of the dead\n", dead);
	}
}

/* --- the end of all, and a new beginning ---------------------------- */

static void *makes_more(void *arg)
{
	pthread_attr_t a;
	pthread_t t;

	pthread_attr_init(&a);
	pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);
	for (;;)
		if (pthread_create(&t, &a, ends_at_once, NULL))
			sched_yield();
	return arg;
}

static void *sleeps(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void *spins(void *arg)
{
	for (;;)
		;
	return arg;
}

static void *executes(void *arg)
{
	char *argv[] = { arg, "again", NULL };

	execv("/proc/self/exe", argv);
	printf("execv: %s\n", strerror(errno));
	exit(1);
}

static void busy(void)
{
	static void *(*const fn[])(void *) = { makes_more, sleeps, spins };
	pthread_t t;

	for (int i = 0; i < 3; i++)
		pthread_create(&t, NULL, fn[i], NULL);
	usleep(30000);
}

int main(int argc, char **argv)
{
	pthread_t t;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGUSR1, on_signal);
	if (argc == 1) {
		ends();
		locks();
		busy();
		pthread_create(&t, NULL, executes, argv[0]);
		for (;;)
			pause();
	}
	printf("executed by a thread: tid is pid %d\n", gettid() == getpid());
	busy();
	exit(7);
}
