/*
 * Threads: many of them, their ends, their names and places, and a process
 * that outlives its first thread.
 */
#define _GNU_SOURCE
#include "../show.h"
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static __thread long tls = 5;
static long sum;
static pthread_key_t key;
static int destroyed;

static void *small(void *arg)
{
	tls += (long)arg;
	__atomic_add_fetch(&sum, tls, __ATOMIC_SEQ_CST);
	return (void *)tls;
}

static void many(void)
{
	pthread_attr_t a;
	pthread_t t[200];
	void *r;
	long total = 0;

	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, 65536);
	for (int round = 0; round < 5; round++) {
		for (long i = 0; i < 200; i++)
			if (pthread_create(&t[i], &a, small, (void *)i) != 0)
				abort();
		for (int i = 0; i < 200; i++) {
			pthread_join(t[i], &r);
			total += (long)r;
		}
	}
	printf("1000 threads, sums %ld %ld, mine %ld\n", sum, total, tls);
}

static void on_destroy(void *v)
{
	__atomic_add_fetch(&destroyed, (int)(long)v, __ATOMIC_SEQ_CST);
}

static void *with_key(void *arg)
{
	pthread_setspecific(key, arg);
	pthread_exit((void *)77);
}

static void *wait_for_cancel(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void *spin_for_cancel(void *arg)
{
	volatile unsigned long n = 0;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	for (;;)
		n++;
	return arg;
}

static void ends(void)
{
	pthread_t t;
	void *r;

	pthread_key_create(&key, on_destroy);
	pthread_create(&t, NULL, with_key, (void *)9);
	pthread_join(t, &r);
	printf("pthread_exit %ld, destructor %d\n", (long)r, destroyed);
	pthread_create(&t, NULL, wait_for_cancel, NULL);
	usleep(20000);
	printf("cancel %d", pthread_cancel(t));
	pthread_join(t, &r);
	printf(" %d\n", r == PTHREAD_CANCELED);
	pthread_create(&t, NULL, spin_for_cancel, NULL);
	usleep(20000);
	printf("cancel %d", pthread_cancel(t));
	pthread_join(t, &r);
	printf(" %d\n", r == PTHREAD_CANCELED);
}

static void *names(void *arg)
{
	char name[32] = { 0 };

	pthread_setname_np(pthread_self(), "worker");
	prctl(PR_GET_NAME, name);
	printf("name %s, tid differs %d, pid same %d\n", name,
	    gettid() != getpid(), getpid() == *(pid_t *)arg);
	return NULL;
}

static void identity(void)
{
	pid_t pid = getpid();
	pthread_t t;
	cpu_set_t set;
	struct sched_param sp;
	unsigned cpu;

	printf("main: tid is pid %d\n", gettid() == pid);
	pthread_create(&t, NULL, names, &pid);
	pthread_join(t, NULL);
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	show("setaffinity", sched_setaffinity(0, sizeof(set), &set));
	CPU_ZERO(&set);
	sched_getaffinity(0, sizeof(set), &set);
	printf("cpus %d, has 0 %d\n", CPU_COUNT(&set), CPU_ISSET(0, &set));
	printf("getcpu %d %u\n", getcpu(&cpu, NULL), cpu);
	CPU_ZERO(&set);
	show("no cpu", sched_setaffinity(0, sizeof(set), &set));
	show("nobody", sched_getaffinity(0x7ffffff, sizeof(set), &set));
	show("policy", sched_getscheduler(0));
	show("max fifo", sched_get_priority_max(SCHED_FIFO));
	show("min other", sched_get_priority_min(SCHED_OTHER));
	sp.sched_priority = 10;
	show("other with priority", sched_setscheduler(0, SCHED_OTHER, &sp));
	sp.sched_priority = 0;
	show("fifo without", sched_setscheduler(0, SCHED_FIFO, &sp));
	show("getparam", sched_getparam(0, &sp));
	show("setpriority", setpriority(PRIO_PROCESS, 0, 19));
	show("getpriority", getpriority(PRIO_PROCESS, 0));
	show("yield", sched_yield());
}

static void clone_errors(void)
{
	struct clone_args a = { .flags = CLONE_VM | CLONE_THREAD };

	show("thread without sighand", syscall(SYS_clone3, &a, sizeof(a)));
	a.flags = CLONE_SIGHAND;
	show("sighand without vm", syscall(SYS_clone3, &a, sizeof(a)));
	a.flags = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND;
	a.stack = 4096;
	show("stack without size", syscall(SYS_clone3, &a, sizeof(a)));
	show("size too small", syscall(SYS_clone3, &a, 8));
	show("nowhere", syscall(SYS_clone3, 8, sizeof(a)));
	show("wait4", wait4(-1, NULL, WNOHANG, NULL));
	show("waitid", waitid(P_ALL, 0, NULL, WEXITED | WNOHANG));
}

static void *last(void *arg)
{
	pthread_join(*(pthread_t *)arg, NULL);
	printf("the first thread has gone\n");
	fflush(stdout);
	exit(6);
}

int main(void)
{
	static pthread_t self;
	pthread_t t;

	setvbuf(stdout, NULL, _IOLBF, 0);
	many();
	ends();
	identity();
	clone_errors();
	self = pthread_self();
	pthread_create(&t, NULL, last, &self);
	pthread_exit(NULL);
}
