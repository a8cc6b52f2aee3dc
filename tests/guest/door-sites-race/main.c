/*
 * Threads that meet at call sites just when they are rewritten: a jump into the
 * kernel's part of a site that is interrupted there must not show.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NSITE   3500
#define NTHREAD 5
#define OFTEN   130 /* a site is rewritten before that */

#define STR_(x) #x
#define STR(x)  STR_(x)

__asm__(".pushsection .text\n.balign 4096\nsites:\n"
	".rept " STR(NSITE) "\n"
			    ".balign 16\nmovl $" STR(
				SYS_getpid) ", %eax; syscall; ret\n"
					    ".endr\n.popsection\n");
extern char sites[];
static _Atomic int at;

static void *meet(void *first)
{
	long wrong = 0;

	for (int i = at; i < NSITE; i = at) {
		long (*site)(void) = (long (*)(void))(void *)(sites + 16 * i);

		for (int n = 0; n < OFTEN; n++)
			wrong += site() != getpid();
		if (first)
			at = i + 1;
	}
	return (void *)wrong;
}

int main(void)
{
	pthread_t t[NTHREAD];
	void *wrong;

	for (int i = 0; i < NTHREAD; i++)
		pthread_create(&t[i], NULL, meet, i == 0 ? t : NULL);
	for (int i = 0; i < NTHREAD; i++) {
		pthread_join(t[i], &wrong);
		printf("%ld wrong\n", (long)wrong);
	}
	return 0;
}
