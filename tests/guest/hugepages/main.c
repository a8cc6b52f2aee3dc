/*
 * Transparent pages of 2 MiB: taken on the first write where the mapping
 * covers them, cut where a program cuts them, counted, and switched off.
 */

#include "../proc.h"
#include <sys/mman.h>
#include <sys/prctl.h>

#define PAGE  4096ul
#define LARGE (2ul << 20)

static const char enabled[] = "/sys/kernel/mm/transparent_hugepage/enabled";

static void set(const char *mode)
{
	char line[100] = "";
	FILE *f = fopen(enabled, "w");

	if (!f || fputs(mode, f) < 0 || fclose(f) != 0)
		printf("cannot write %s\n", mode);
	f = fopen(enabled, "r");
	if (f && fgets(line, sizeof(line), f))
		printf("mode: %s", line);
	if (f)
		fclose(f);
}

static unsigned char *aligned(size_t len)
{
	unsigned char *p = mmap(NULL, len + LARGE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return (void *)(((unsigned long)p + LARGE - 1) & ~(LARGE - 1));
}

static void fill(unsigned char *p, size_t len)
{
	for (size_t i = 0; i < len; i += PAGE)
		p[i] = i / PAGE % 251;
}

static unsigned wrong(const unsigned char *p, size_t from, size_t to)
{
	unsigned n = 0;

	for (size_t i = from; i < to; i += PAGE)
		n += p[i] != i / PAGE % 251;
	return n;
}

static void show(const char *what)
{
	printf("%s: %ld kB, %ld kB\n", what,
	    proc_number("/proc/self/smaps", "AnonHugePages"),
	    meminfo("AnonHugePages"));
}

int main(void)
{
	unsigned char *p = aligned(4 * LARGE), *q;

	setvbuf(stdout, NULL, _IONBF, 0);
	show("before");
	p[5] = 1;
	show("one byte");
	fill(p, 4 * LARGE);
	show("all");
	munmap(p + LARGE + 7 * PAGE, PAGE);
	show("a hole");
	mprotect(p + 2 * LARGE, LARGE, PROT_READ);
	show("a whole one protected");
	mprotect(p + 2 * LARGE + PAGE, PAGE, PROT_READ | PROT_WRITE);
	p[2 * LARGE + PAGE] = wrong(p, 2 * LARGE, 3 * LARGE);
	show("a page protected");
	madvise(p + 3 * LARGE, LARGE, MADV_DONTNEED);
	show("dropped");
	printf("wrong: %u %u %u, %u\n", wrong(p, 0, LARGE + 7 * PAGE),
	    wrong(p, LARGE + 8 * PAGE, 2 * LARGE), p[2 * LARGE + PAGE],
	    p[3 * LARGE + PAGE]);
	set("madvise");
	q = aligned(2 * LARGE);
	madvise(q, LARGE, MADV_HUGEPAGE);
	fill(q, 2 * LARGE);
	show("madvise");
	set("never");
	q = aligned(LARGE);
	madvise(q, LARGE, MADV_HUGEPAGE);
	fill(q, LARGE);
	show("never");
	set("always");
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	q = aligned(LARGE);
	fill(q, LARGE);
	show("disabled");
	return 0;
}
