/*
 * One thread writes more than a console takes that nobody reads.  The other
 * one must go on meanwhile; when it cannot, the program does not end.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LINES  100000
#define ROUNDS 10

static _Atomic unsigned written;

static void *writer(void *arg)
{
	for (int i = 0; i < LINES; i++) {
		dprintf(1, "line %05d that waits for its reader\n", i);
		written++;
	}
	return arg;
}

int main(void)
{
	struct timespec t = { 0, 10 * 1000 * 1000 };
	unsigned rounds = 0, before;
	pthread_t th;

	pthread_create(&th, NULL, writer, NULL);
	while (rounds < ROUNDS) { /* all within one write */
		before = written;
		nanosleep(&t, NULL);
		rounds = written == before && before < LINES ? rounds + 1 : 0;
	}
	_exit(0);
}
