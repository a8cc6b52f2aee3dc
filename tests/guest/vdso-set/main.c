/* The vDSO's clock follows clock_settime(2), at once and on all processors. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define FAR_SEC 4000000000l
#define ROUNDS  2000

static _Atomic int stop;

/* Always one of the two times, never a mixture. */
static void *watch(void *arg)
{
	struct timespec last, t;
	long mixed = 0;

	clock_gettime(CLOCK_MONOTONIC, &last);
	while (!stop) {
		clock_gettime(CLOCK_REALTIME, &t);
		mixed += !(t.tv_sec >= FAR_SEC && t.tv_sec < FAR_SEC + 1000) &&
			 !(t.tv_sec >= 1000 && t.tv_sec < 2000);
		clock_gettime(CLOCK_MONOTONIC, &t);
		mixed += t.tv_sec < last.tv_sec ||
			 (t.tv_sec == last.tv_sec && t.tv_nsec < last.tv_nsec);
		last = t;
	}
	return (void *)mixed;
}

int main(void)
{
	struct timespec one = { FAR_SEC, 0 }, two = { 1000, 0 }, t;
	struct timeval tv;
	long wrong = 0;
	pthread_t w;
	void *mixed;

	clock_settime(CLOCK_REALTIME, &one);
	pthread_create(&w, NULL, watch, NULL);
	for (int i = 0; i < ROUNDS; i++) {
		const struct timespec *set = i & 1 ? &two : &one;

		if (clock_settime(CLOCK_REALTIME, set))
			return 1;
		clock_gettime(CLOCK_REALTIME, &t);
		gettimeofday(&tv, NULL);
		wrong += t.tv_sec < set->tv_sec || t.tv_sec > set->tv_sec + 100;
		wrong += tv.tv_sec < t.tv_sec || tv.tv_sec > t.tv_sec + 100;
		wrong += time(NULL) < t.tv_sec;
	}
	stop = 1;
	pthread_join(w, &mixed);
	printf("%ld wrong, %ld mixed\n", wrong, (long)mixed);
	return 0;
}
