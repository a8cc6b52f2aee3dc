/* Two threads that spin for each other: one processor would take for ever. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define TURNS 200000

static atomic_int turn;

static void *other(void *arg)
{
	(void)arg;
	for (int i = 0; i < TURNS; i++) {
		while (atomic_load(&turn) != 1)
			;
		atomic_store(&turn, 0);
	}
	return NULL;
}

int main(void)
{
	pthread_t t;

	printf("%ld processors\n", sysconf(_SC_NPROCESSORS_ONLN));
	pthread_create(&t, NULL, other, NULL);
	for (int i = 0; i < TURNS; i++) {
		atomic_store(&turn, 1);
		while (atomic_load(&turn) != 0)
			;
	}
	pthread_join(t, NULL);
	printf("done\n");
	return 0;
}
