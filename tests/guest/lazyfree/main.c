/*
 * MADV_FREE when memory runs short: what was not written since goes, and comes
 * back as zeroes; what was written stays.  Small pages first, then large ones.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE  4096ul
#define MIB   (1ul << 20)
#define LAZY  (96 * MIB)
#define MORE  (120 * MIB) /* does not fit beside it */
#define PART  (12 * MIB)
#define LARGE (2 * MIB)

static unsigned char *map(size_t len)
{
	unsigned char *p = mmap(NULL, len + LARGE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return (void *)(((unsigned long)p + LARGE - 1) & ~(LARGE - 1));
}

static void run(const char *what, int advice)
{
	unsigned char *p = map(LAZY), *q;
	size_t zero = 0, kept = 0, other = 0, written = 0;

	madvise(p, LAZY, advice);
	for (size_t i = 0; i < LAZY; i += PAGE)
		p[i] = p[i + PAGE - 1] = 7;
	printf("%s: free %d\n", what, madvise(p, LAZY, MADV_FREE));
	/* every 16th page of the first part, and nothing of the rest */
	for (size_t i = 0; i < PART; i += 16 * PAGE)
		p[i] = 9;
	q = map(MORE);
	madvise(q, MORE, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < MORE; i += PAGE)
		q[i] = 1;
	for (size_t i = 0; i < LAZY; i += PAGE) {
		if (i < PART && i % (16 * PAGE) == 0)
			written += p[i] == 9 && p[i + PAGE - 1] == 7;
		else if (p[i] == 0 && p[i + PAGE - 1] == 0)
			zero++;
		else if (p[i] == 7 && p[i + PAGE - 1] == 7)
			kept++;
		else
			other++;
	}
	printf("%s: written %zu of %zu, others wrong %zu, most are gone %d\n",
	    what, written, PART / PAGE / 16, other, zero > kept);
	munmap(p, LAZY);
	munmap(q, MORE);
}

int main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	run("small", MADV_NOHUGEPAGE);
	run("large", MADV_HUGEPAGE);
	return 0;
}
