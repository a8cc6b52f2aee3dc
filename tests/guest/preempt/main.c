/*
 * More threads than processors, each busy with its red zone and vector
 * registers: an interrupt must leave both alone, and each must get its turn.
 */
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#define THREADS 6

static volatile int stop;
static _Atomic long damaged;
static _Atomic int turns[THREADS];

/* Fill the red zone and two registers, spin, compare. */
static int spin(double d[4], long id)
{
	long differs;

	__asm__ volatile("movupd (%1), %%xmm7\n"
			 "movupd 16(%1), %%xmm15\n"
			 "mov %2, -8(%%rsp)\n"
			 "mov %2, -64(%%rsp)\n"
			 "mov %2, -128(%%rsp)\n"
			 "mov $20000, %%ecx\n"
			 "1: dec %%ecx\n"
			 "jnz 1b\n"
			 "mov -8(%%rsp), %0\n"
			 "xor -64(%%rsp), %0\n"
			 "mov -128(%%rsp), %%rcx\n"
			 "xor %2, %%rcx\n"
			 "or %%rcx, %0\n"
			 "movupd %%xmm7, (%1)\n"
			 "movupd %%xmm15, 16(%1)\n"
			 : "=&r"(differs)
			 : "r"(d), "r"(id)
			 : "rcx", "memory", "xmm7", "xmm15");
	return differs != 0;
}

static void *work(void *arg)
{
	long n = (long)arg;

	while (!stop) {
		double d[4] = { n, n + 1, n + 2, n + 3 };

		if (spin(d, 1000 + n) || d[0] != n || d[3] != n + 3)
			damaged++;
		turns[n] = 1;
	}
	return NULL;
}

int main(void)
{
	struct timespec ts = { 0, 100000000 };
	pthread_t t[THREADS];
	int ran = 0;

	for (long i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, work, (void *)i);
	for (int i = 0; i < 10; i++)
		nanosleep(&ts, NULL);
	stop = 1;
	for (int i = 0; i < THREADS; i++) {
		pthread_join(t[i], NULL);
		ran += turns[i];
	}
	printf("damaged %ld, ran %d\n", (long)damaged, ran);
	return 0;
}
