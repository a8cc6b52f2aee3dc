/*
 * Every system call with hostile arguments, from several threads at once,
 * and the races and shortages of limits.h.  The kernel must survive; what a
 * call answers does not matter here.
 *
 * usage: test SEED [CALLS [PARTS]], PARTS a mask: 1 the calls, 2... limits.h's
 */
#include "sysfuzz.h"

#include "args.h"
#include "calls.h"
#include "limits.h"

static struct worker workers[WORKERS];

/* Blocked calls are interrupted; one that cannot be is a hang. */
static void kick(struct worker *w, unsigned long *seen, unsigned *same)
{
	unsigned long now = w->n;

	if (now != *seen) {
		*seen = now;
		*same = 0;
		return;
	}
	if (++*same % 4 == 0)
		sys(SYS_tgkill, getpid(), w->tid, SIGUSR1, 0, 0, 0);
	if (*same < 5000)
		return;
	printf("hangs in call %ld(%#lx, %#lx, %#lx, %#lx, %#lx, %#lx)\n", w->nr,
	    w->a[0], w->a[1], w->a[2], w->a[3], w->a[4], w->a[5]);
	_exit(1);
}

static void watch(void)
{
	unsigned long seen[WORKERS] = {};
	unsigned same[WORKERS] = {}, i, busy = 1;

	while (busy) {
		nap(2);
		for (busy = i = 0; i < WORKERS; i++) {
			if (workers[i].done)
				continue;
			busy = 1;
			if (workers[i].tid)
				kick(&workers[i], &seen[i], &same[i]);
		}
	}
}

static void fuzz(unsigned long seed, unsigned long calls)
{
	pthread_t t;
	int i;

	for (i = 0; i < WORKERS; i++) {
		workers[i].rng = seed * 1000003 + i * 7919 + 1;
		workers[i].calls = calls;
		if (pthread_create(&t, NULL, fuzz_worker, &workers[i])) {
			puts("no thread");
			exit(1);
		}
		pthread_detach(t);
	}
	watch();
}

int main(int argc, char **argv)
{
	unsigned long seed = argc > 1 ? strtoul(argv[1], NULL, 0) : 1;
	unsigned long calls = argc > 2 ? strtoul(argv[2], NULL, 0) : 20000;
	unsigned mask = argc > 3 ? strtoul(argv[3], NULL, 0) : ~0u;

	setvbuf(stdout, NULL, _IONBF, 0);
	quiet_signals();
	verbose = getenv("VERBOSE") != NULL;
	if (mask & 1)
		fuzz(seed, calls);
	limits(mask >> 1);
	printf("survived\n");
	_exit(0);
}
