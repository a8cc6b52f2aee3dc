/*
 * Many mappings: as many as vm.max_map_count allows, found and freed again in
 * any order, and ENOMEM for what would make one more.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096ul

static char *anywhere(size_t len, int prot)
{
	return mmap(NULL, len, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static long limit(void)
{
	long n = 0;
	FILE *f = fopen("/proc/sys/vm/max_map_count", "r");

	if (!f || fscanf(f, "%ld", &n) != 1)
		printf("max_map_count cannot be read\n");
	if (f)
		fclose(f);
	return n;
}

/* A mapping of two pages is cut by another protection on its second. */
static void test_limit(void)
{
	long max = limit(), n = 0;
	size_t len = (max + 16) * PAGE;
	char *p = anywhere(len, PROT_NONE);
	int err, hole = 0;

	for (n = 0; n < max; n++)
		if (mprotect(p + 2 * n * PAGE, PAGE, PROT_READ) != 0)
			break;
	err = errno;
	/* each makes two, and the program has some of its own */
	printf("limit reached: %d %s\n", 2 * n > max - 200 && 2 * n <= max,
	    strerror(err));
	/* what has failed half way may have left room for one */
	for (long i = 2 * n + 2; i < 2 * n + 8 && !hole; i += 2)
		hole = munmap(p + i * PAGE, PAGE);
	printf("a hole: %d %s\n", hole, strerror(errno));
	printf("the first: %d\n", munmap(p, PAGE));
	printf("all: %d\n", munmap(p, len));
	p = anywhere(PAGE, PROT_READ);
	printf("again: %d\n", p != MAP_FAILED);
	munmap(p, PAGE);
}

#define N 3000

/* Holes of every size are found again, the highest that fits first. */
static void test_holes(void)
{
	static char *at[N];
	char *area = anywhere(N * 8 * PAGE, PROT_NONE), *q;
	unsigned wrong = 0;

	for (int i = 0; i < N; i++)
		at[i] = area + i * 8 * PAGE;
	for (int i = 0; i < N; i++)
		munmap(at[i], (1 + i % 5) * PAGE);
	for (int size = 5; size > 0; size--)
		for (int i = N - 1; i >= 0; i--) {
			if (1 + i % 5 != size)
				continue;
			q = anywhere(size * PAGE, PROT_READ);
			wrong += q != at[i];
		}
	printf("holes: %u wrong\n", wrong);
	munmap(area, N * 8 * PAGE);
}

int main(void)
{
	test_limit();
	test_holes();
	return 0;
}
