/*
 * A signal that comes while a system call returns is taken there and then, not
 * at the next interrupt.  With one host thread for all processors (see accel) a
 * processor stands still for long in the middle of anything, so that the end of
 * a call is hit often, and an interrupt of another arrives at once.
 */
#define _GNU_SOURCE
#include "../calls.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ROUNDS 60
#define LATE   100000

static _Atomic long sent, handled;

static void handler(int sig)
{
	handled++;
}

static void far_getppid(void)
{
	FAR_CALL("syscall", SYS_getppid);
}

static void near_getppid(void)
{
	NEAR_CALL(SYS_getppid);
}

/* With flags that the kernel's own code must not see. */
static void backward_getppid(void)
{
	FAR_CALL("std; syscall; cld", SYS_getppid);
}

static void libc_getppid(void)
{
	getppid();
}

static void (*volatile call)(void);

static void *target(void *arg)
{
	long late = 0;

	while (handled < ROUNDS) {
		long n = 0;

		call();
		/* It was sent, and we are no more in the kernel. */
		while (sent > handled)
			n++;
		late += n > LATE;
	}
	return (void *)late;
}

static void signals(const char *name, void (*fn)(void))
{
	pthread_t t;
	void *late;

	call = fn;
	sent = handled = 0;
	pthread_create(&t, NULL, target, NULL);
	for (int i = 1; i <= ROUNDS; i++) {
		pthread_kill(t, SIGUSR1);
		sent = i;
		while (handled < i)
			;
	}
	pthread_join(t, &late);
	printf("%s: %ld of %d signals late\n", name, (long)late, ROUNDS);
}

int main(void)
{
	signal(SIGUSR1, handler);
	signals("far", far_getppid);
	signals("near", near_getppid);
	signals("backward", backward_getppid);
	signals("libc", libc_getppid);
	return 0;
}
