/*
 * Thousands of threads at once, and one after the other: they fit into the
 * memory there is, each of them is found, and none of it is lost.
 *
 * usage: main AT-ONCE IN-A-ROW
 */
#define _GNU_SOURCE
#include "../proc.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#define SLACK (2l << 20) /* what caches may keep more than before */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t came = PTHREAD_COND_INITIALIZER;
static pthread_cond_t may_go = PTHREAD_COND_INITIALIZER;
static int arrived, go;
static long sum;
static int signals;

static void on_signal(int sig)
{
	(void)sig;
	__atomic_add_fetch(&signals, 1, __ATOMIC_SEQ_CST);
}

static void *member(void *arg)
{
	pthread_mutex_lock(&lock);
	sum += (long)arg;
	arrived++;
	pthread_cond_signal(&came);
	while (!go)
		pthread_cond_wait(&may_go, &lock);
	pthread_mutex_unlock(&lock);
	return arg;
}

static void at_once(pthread_t *t, long n)
{
	long results = 0;
	void *r;

	arrived = go = signals = 0;
	sum = 0;
	for (long i = 0; i < n; i++) {
		int err = pthread_create(&t[i], NULL, member, (void *)i);

		if (err) {
			printf("thread %ld: %s\n", i, strerror(err));
			exit(1);
		}
	}
	pthread_mutex_lock(&lock);
	while (arrived < n)
		pthread_cond_wait(&came, &lock);
	pthread_mutex_unlock(&lock);
	printf("%ld threads, sum %ld\n", self_status("Threads"), sum);
	for (long i = 0; i < n; i += 7)
		if (pthread_kill(t[i], SIGUSR1))
			printf("thread %ld cannot be found\n", i);
	while (__atomic_load_n(&signals, __ATOMIC_SEQ_CST) < (n + 6) / 7)
		usleep(1000);
	pthread_mutex_lock(&lock);
	go = 1;
	pthread_cond_broadcast(&may_go);
	pthread_mutex_unlock(&lock);
	for (long i = 0; i < n; i++) {
		pthread_join(t[i], &r);
		results += (long)r;
	}
	printf("signals %d, results %ld\n", signals, results);
}

static void *nothing(void *arg)
{
	return arg;
}

static void in_a_row(long n)
{
	pthread_t t;

	for (long i = 0; i < n; i++) {
		int err = pthread_create(&t, NULL, nothing, NULL);

		if (err) {
			printf("after %ld: %s\n", i, strerror(err));
			exit(1);
		}
		/* Some are never joined. */
		if (i % 4 == 0)
			pthread_detach(t);
		else
			pthread_join(t, NULL);
	}
}

/* Of this machine, when it is all ours: on Linux others take and give. */
static long free_memory(void)
{
	struct utsname u;
	struct sysinfo si;

	uname(&u);
	if (!strstr(u.release, "osv") || sysinfo(&si))
		return 0;
	return (long)si.freeram * si.mem_unit;
}

/* What the last threads had comes back after them. */
static long free_at_rest(void)
{
	long now = free_memory(), before;

	do {
		before = now;
		usleep(300000);
		now = free_memory();
	} while (now > before);
	return now;
}

static void compare(const char *what, long before)
{
	long lost = before - free_at_rest();

	for (int i = 0; i < 100 && lost > SLACK; i++) {
		usleep(100000);
		lost = before - free_memory();
	}
	printf("%s: ", what);
	if (lost > SLACK)
		printf("%ld KiB lost\n", lost >> 10);
	else
		printf("no memory lost\n");
}

/* The superuser may have any number, others as many as they are allowed. */
static void limited(void)
{
	struct rlimit r = { 5, 5 };
	pthread_t t[8];
	int err = 0, n;

	arrived = go = 0;
	setrlimit(RLIMIT_NPROC, &r);
	if (syscall(SYS_setresuid, 54321, 54321, 54321))
		printf("setresuid: %s\n", strerror(errno));
	for (n = 0; n < 8 && !err; n++)
		err = pthread_create(&t[n], NULL, member, NULL);
	printf("thread %d: %s\n", n, strerror(err));
	pthread_mutex_lock(&lock);
	go = 1;
	pthread_cond_broadcast(&may_go);
	pthread_mutex_unlock(&lock);
	for (int i = 0; i < n - 1; i++)
		pthread_join(t[i], NULL);
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 1000;
	long row = argc > 2 ? atol(argv[2]) : 1000;
	pthread_t *t = calloc((size_t)n, sizeof(*t));
	long before;

	signal(SIGUSR1, on_signal);
	at_once(t, n);
	before = free_at_rest();
	at_once(t, n);
	compare("at once", before);
	in_a_row(row / 4);
	before = free_at_rest();
	in_a_row(row);
	compare("in a row", before);
	limited();
	return 0;
}
