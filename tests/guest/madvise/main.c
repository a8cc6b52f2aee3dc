/* madvise, mlock, mincore, msync and mremap: answers and effects. */

#define _GNU_SOURCE
#include "../proc.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096ul
#define RW   (PROT_READ | PROT_WRITE)

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

static char *map(size_t pages, int prot, int flags)
{
	return mmap(NULL, pages * PAGE, prot, flags | MAP_ANONYMOUS, -1, 0);
}

static void say(const char *what, long r)
{
	printf("%s: %s\n", what,
	    r == 0    ? "0"
	    : r == -1 ? strerror(errno)
		      : "?");
}

static void test_every_advice(void)
{
	char *priv = map(4, RW, MAP_PRIVATE), *shared = map(4, RW, MAP_SHARED);
	char *locked = map(4, RW, MAP_PRIVATE);
	char name[40];

	mlock(locked, 4 * PAGE);
	for (int a = 0; a <= 24; a++) {
		if (a == 9) /* MADV_REMOVE: see CAVEATS.md */
			continue;
		snprintf(name, sizeof(name), "advice %d private", a);
		say(name, madvise(priv, 2 * PAGE, a));
		snprintf(name, sizeof(name), "advice %d shared", a);
		say(name, madvise(shared, 2 * PAGE, a));
		snprintf(name, sizeof(name), "advice %d locked", a);
		say(name, madvise(locked, 2 * PAGE, a));
	}
	say("unknown", madvise(priv, PAGE, 77));
	say("unknown, no length", madvise(priv, 0, 77));
	say("unaligned", madvise(priv + 1, PAGE, MADV_NORMAL));
	say("no length", madvise(priv, 0, MADV_DONTNEED));
	munmap(priv + PAGE, PAGE);
	say("hole", madvise(priv, 4 * PAGE, MADV_DONTNEED));
	say("hole, populate", madvise(priv, 4 * PAGE, MADV_POPULATE_WRITE));
	mprotect(priv + 3 * PAGE, PAGE, PROT_READ);
	say("populate read only",
	    madvise(priv + 2 * PAGE, 2 * PAGE, MADV_POPULATE_WRITE));
	munmap(priv, 4 * PAGE);
	munmap(shared, 4 * PAGE);
	munmap(locked, 4 * PAGE);
}

static void vector(const char *what, char *p, size_t pages)
{
	unsigned char v[32];
	int r = mincore(p, pages * PAGE, v);

	printf("%s:", what);
	if (r != 0)
		printf(" %s", strerror(errno));
	for (size_t i = 0; r == 0 && i < pages; i++)
		printf(" %d", v[i] & 1);
	printf("\n");
}

static void test_mincore(void)
{
	char *p = map(8, RW, MAP_PRIVATE);

	madvise(p, 8 * PAGE, MADV_NOHUGEPAGE);
	vector("untouched", p, 8);
	p[PAGE] = p[6 * PAGE] = 1;
	vector("two written", p, 8);
	madvise(p + 2 * PAGE, 2 * PAGE, MADV_POPULATE_READ);
	vector("populated", p, 8);
	madvise(p, 8 * PAGE, MADV_DONTNEED);
	vector("dropped", p, 8);
	munmap(p + 3 * PAGE, PAGE);
	vector("hole", p, 8);
	say("unaligned", mincore(p + 1, PAGE, (void *)p));
	say("no vector", mincore(p, PAGE, NULL));
	munmap(p, 8 * PAGE);
}

static void test_mlock(void)
{
	char *p = map(8, RW, MAP_PRIVATE),
	     *none = map(2, PROT_NONE, MAP_PRIVATE);

	madvise(p, 8 * PAGE, MADV_NOHUGEPAGE);
	say("mlock", mlock(p + 100, PAGE));
	vector("locked", p, 4);
	printf("%ld kB\n", self_status("VmLck"));
	say("mlock2", syscall(SYS_mlock2, p + 4 * PAGE, 2 * PAGE, 1));
	vector("on fault", p, 8);
	say("mlock2, wrong flag", syscall(SYS_mlock2, p, PAGE, 8));
	printf("%ld kB\n", self_status("VmLck"));
	say("munlock", munlock(p, 8 * PAGE));
	printf("%ld kB\n", self_status("VmLck"));
	say("no access", mlock(none, PAGE));
	munlock(none, PAGE);
	munmap(none, 2 * PAGE);
	say("not mapped", mlock(none, PAGE));
	say("mlockall, nothing", mlockall(0));
	say("mlockall, on fault only", mlockall(4));
	munmap(p, 8 * PAGE);
}

static void test_mlockall(void)
{
	char *p = map(4, RW, MAP_PRIVATE), *q;

	say("mlockall", mlockall(MCL_CURRENT | MCL_FUTURE));
	vector("current", p, 4);
	q = map(4, RW, MAP_PRIVATE);
	vector("future", q, 4);
	printf("some locked: %d\n", self_status("VmLck") > 32);
	say("munlockall", munlockall());
	printf("%ld kB\n", self_status("VmLck"));
	munmap(q, 4 * PAGE);
	say("mlockall", mlockall(MCL_FUTURE | 4));
	q = map(4, RW, MAP_PRIVATE);
	madvise(q, 4 * PAGE, MADV_NOHUGEPAGE);
	vector("future, on fault", q, 4);
	printf("%ld kB\n", self_status("VmLck"));
	munlockall();
	munmap(p, 4 * PAGE);
	munmap(q, 4 * PAGE);
}

static void test_lazy_free(void)
{
	char *p = map(4, RW, MAP_PRIVATE);

	memset(p, 'x', 4 * PAGE);
	say("free", madvise(p, 4 * PAGE, MADV_FREE));
	p[PAGE] = 'y';
	printf("written after: %c %d\n", p[PAGE], p[PAGE + 1] == 'x');
	munmap(p, 4 * PAGE);
}

static void test_mremap(void)
{
	char *p = map(4, RW, MAP_PRIVATE), *q, *s = map(4, RW, MAP_SHARED);
	char *area = map(16, PROT_NONE, MAP_PRIVATE);

	strcpy(p + PAGE, "second");
	q = mremap(
	    p, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, area + PAGE);
	printf("fixed: %d %s\n", q == area + PAGE, q + PAGE);
	q = mremap(q, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | 4, NULL);
	printf(
	    "kept: %d %s %d\n", q != MAP_FAILED, q + PAGE, (area + PAGE)[PAGE]);
	strcpy(s + 2 * PAGE, "third");
	p = mremap(s, 0, 4 * PAGE, MREMAP_MAYMOVE);
	printf("twice: %d %s\n", p != MAP_FAILED && p != s, p + 2 * PAGE);
	strcpy(p, "both");
	printf("shared: %s\n", s);
	say("nothing of private memory",
	    mremap(q, 0, PAGE, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0);
	say("fixed without maymove",
	    mremap(q, PAGE, PAGE, MREMAP_FIXED, area) == MAP_FAILED ? -1 : 0);
	say("overlap",
	    mremap(q, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		q + PAGE) == MAP_FAILED
		? -1
		: 0);
	say("kept, longer",
	    mremap(q, PAGE, 2 * PAGE, MREMAP_MAYMOVE | 4) == MAP_FAILED ? -1
									: 0);
	say("wrong flag", mremap(q, PAGE, PAGE, 64) == MAP_FAILED ? -1 : 0);
	say("over the end", mremap(q + 3 * PAGE, 2 * PAGE, 3 * PAGE,
				MREMAP_MAYMOVE) == MAP_FAILED
				? -1
				: 0);
}

static void test_msync(void)
{
	char *p = map(4, RW, MAP_PRIVATE);

	say("both", msync(p, PAGE, MS_SYNC | MS_ASYNC));
	say("wrong", msync(p, PAGE, 64));
	say("unaligned", msync(p + 1, PAGE, MS_SYNC));
	say("anonymous", msync(p, PAGE, MS_SYNC));
	munmap(p + PAGE, PAGE);
	say("hole", msync(p, 4 * PAGE, MS_SYNC));
	mlock(p, PAGE);
	say("locked", msync(p, PAGE, MS_INVALIDATE));
	munmap(p, 4 * PAGE);
}

int main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	test_every_advice();
	test_mincore();
	test_mlock();
	test_mlockall();
	test_lazy_free();
	test_mremap();
	test_msync();
	return 0;
}
