/*
 * What one processor remembers of a mapping that another one changes.  The
 * reader has touched the page just before; once the call has returned in the
 * writer it must fault, or see what is there now.  Both spin, so that each
 * has its own processor where there are two.
 */
#define _GNU_SOURCE
#include "../proc.h"
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE   4096ul
#define PAGES  40 /* more than are forgotten one by one */
#define ROUNDS 40

/* The reader does (want), then sets (done) to it. */
static _Atomic int want, done;
static int writes, stop; /* published by (want) */
static volatile char *at;
static size_t len;
static int faults, sum;
static sigjmp_buf back;

static void on_fault(int sig)
{
	siglongjmp(back, 1);
}

static void touch(volatile char *p)
{
	if (sigsetjmp(back, 1)) {
		faults++;
		return;
	}
	if (writes)
		*p = 9;
	else
		sum += *p;
}

static void wait_for(_Atomic int *what, int n)
{
	for (unsigned i = 1; *what != n; i++)
		if (i % 10000 == 0)
			sched_yield();
}

static void *reader(void *arg)
{
	for (int n = 1;; n++) {
		wait_for(&want, n);
		if (stop)
			return NULL;
		faults = sum = 0;
		for (size_t off = 0; off < len; off += PAGE)
			touch(at + off);
		done = n;
	}
}

static void ask(volatile void *p, size_t n, int write)
{
	static int turn;

	at = p;
	len = n;
	writes = write;
	want = ++turn;
	wait_for(&done, turn);
}

static void must(const char *what, int ok, int round)
{
	if (ok)
		return;
	printf("%s: round %d: %d faults, sum %d\n", what, round, faults, sum);
	exit(1);
}

static char *map(void *where, size_t n, int fill)
{
	char *p = mmap(where, n, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | (where ? MAP_FIXED : 0), -1, 0);

	if (p == MAP_FAILED)
		_exit(2);
	for (size_t off = 0; off < n; off += PAGE)
		p[off] = fill;
	return p;
}

static void seen(const char *what, char *p, int pages, int each, int round)
{
	ask(p, pages * PAGE, 0);
	must(what, faults == 0 && sum == each * pages, round);
}

static void gone(const char *what, char *p, int pages, int write, int round)
{
	ask(p, pages * PAGE, write);
	must(what, faults == pages, round);
}

static void test_unmap(int pages)
{
	for (int i = 0; i < ROUNDS; i++) {
		char *p = map(NULL, pages * PAGE, 3), *other;

		seen("before munmap", p, pages, 3, i);
		munmap(p, pages * PAGE);
		/* takes the pages that were freed, elsewhere */
		other = map(p - (64ul << 30), pages * PAGE, 7);
		gone("munmap", p, pages, 0, i);
		munmap(other, pages * PAGE);
	}
	printf("munmap of %d: ok\n", pages);
}

static void test_protect(int pages)
{
	char *p = map(NULL, pages * PAGE, 1);

	for (int i = 0; i < ROUNDS; i++) {
		seen("before mprotect", p, pages, 1, i);
		ask(p, pages * PAGE, 1);
		must("writable", faults == 0, i);
		mprotect(p, pages * PAGE, PROT_READ);
		gone("read only", p, pages, 1, i);
		seen("still readable", p, pages, 9, i);
		mprotect(p, pages * PAGE, PROT_NONE);
		gone("no access", p, pages, 0, i);
		mprotect(p, pages * PAGE, PROT_READ | PROT_WRITE);
		map(p, pages * PAGE, 1);
	}
	munmap(p, pages * PAGE);
	printf("mprotect of %d: ok\n", pages);
}

static void test_replace(int pages)
{
	char *p = map(NULL, pages * PAGE, 1);

	for (int i = 0; i < ROUNDS; i++) {
		map(p, pages * PAGE, i % 100);
		seen("mmap over", p, pages, i % 100, i);
		madvise(p, pages * PAGE, MADV_DONTNEED);
		seen("dropped", p, pages, 0, i);
	}
	munmap(p, pages * PAGE);
	printf("mmap over %d: ok\n", pages);
}

static void test_move(int pages)
{
	for (int i = 0; i < ROUNDS; i++) {
		size_t n = pages * PAGE;
		char *p = map(NULL, n, 5), *q = map(NULL, n, 6);

		seen("before mremap", p, pages, 5, i);
		seen("before mremap", q, pages, 6, i);
		if (mremap(p, n, n, MREMAP_MAYMOVE | MREMAP_FIXED, q) != q)
			_exit(3);
		gone("moved from", p, pages, 0, i);
		seen("moved to", q, pages, 5, i);
		munmap(q, n);
	}
	printf("mremap of %d: ok\n", pages);
}

/* The reader has been asleep meanwhile: its processor was not told. */
static void test_idle(void)
{
	char *p = map(NULL, PAGE, 1);

	for (int i = 0; i < ROUNDS; i++) {
		seen("before sleep", p, 1, 1 + i % 2, i);
		usleep(1000);
		map(p, PAGE, 2 - i % 2);
		usleep(1000);
	}
	munmap(p, PAGE);
	printf("while idle: ok\n");
}

/* Mappings that wander leave no tables behind. */
static void test_tables(void)
{
	long before, after;

	map(NULL, PAGE, 1);
	before = meminfo("PageTables");
	for (uintptr_t i = 0; i < 512; i++) {
		char *p = map((void *)(0x100000000000 + (i << 30)), PAGE, 1);

		munmap(p, PAGE);
	}
	after = meminfo("PageTables");
	if (before <= 0 || after > before + 64)
		printf("%ld kB of page tables, then %ld\n", before, after);
	else
		printf("tables are freed\n");
}

int main(void)
{
	struct sigaction sa = { .sa_handler = on_fault };
	pthread_t t;

	sigaction(SIGSEGV, &sa, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	pthread_create(&t, NULL, reader, NULL);
	for (int pages = 1; pages <= PAGES; pages += PAGES - 1) {
		test_unmap(pages);
		test_protect(pages);
		test_replace(pages);
		test_move(pages);
	}
	test_idle();
	test_tables();
	stop = 1;
	want++;
	pthread_join(t, NULL);
	return 0;
}
