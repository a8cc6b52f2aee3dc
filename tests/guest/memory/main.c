/*
 * Mappings: what mmap and its like answer, and what the memory then holds.
 */
#define _GNU_SOURCE
#include "../show.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE          4096ul
#define MAP_ANON_PRIV (MAP_PRIVATE | MAP_ANONYMOUS)

static sigjmp_buf back;
static volatile int code;

static void on_fault(int sig, siginfo_t *info, void *ctx)
{
	code = info->si_code;
	(void)ctx;
	siglongjmp(back, sig);
}

/* 0, or the signal that touching it raises. */
static int touch(volatile char *p, int write)
{
	int sig = sigsetjmp(back, 1);

	if (sig)
		return sig;
	if (write)
		*p = 1;
	else
		(void)*p;
	return 0;
}

static void show_map(const char *what, void *p)
{
	if (p == MAP_FAILED)
		printf("%s: %s\n", what, strerror(errno));
	else
		printf("%s: ok\n", what);
}

static int all(const char *p, size_t n, char v)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != v)
			return 0;
	return 1;
}

static void errors(void)
{
	char *p = mmap(NULL, 4 * PAGE, PROT_READ, MAP_ANON_PRIV, -1, 0);
	int ro = open("/bin/test", O_RDONLY), wo;

	show_map("length 0", mmap(NULL, 0, PROT_READ, MAP_ANON_PRIV, -1, 0));
	show_map("no type", mmap(NULL, 1, PROT_READ, MAP_ANONYMOUS, -1, 0));
	show_map("bad offset", mmap(NULL, 1, PROT_READ, MAP_PRIVATE, ro, 5));
	show_map("bad file", mmap(NULL, 1, PROT_READ, MAP_PRIVATE, 99, 0));
	show_map("huge", mmap(NULL, -PAGE, PROT_READ, MAP_ANON_PRIV, -1, 0));
	show_map("not aligned",
	    mmap(p + 1, PAGE, PROT_READ, MAP_ANON_PRIV | MAP_FIXED, -1, 0));
	show_map("there is something",
	    mmap(p, PAGE, PROT_READ, MAP_ANON_PRIV | MAP_FIXED_NOREPLACE, -1,
		0));
	show("munmap not aligned", munmap(p + 1, PAGE));
	show("munmap 0", munmap(p, 0));
	show("munmap nothing there", munmap((void *)0x10000000000, PAGE));
	show("mprotect nothing there",
	    mprotect((void *)0x10000000000, PAGE, PROT_READ));
	show("mprotect not aligned", mprotect(p + 1, PAGE, PROT_READ));
	show("madvise bad", madvise(p, PAGE, 12345));
	show("madvise nothing there",
	    madvise((void *)0x10000000000, PAGE, MADV_DONTNEED));
	show("msync both", msync(p, PAGE, MS_SYNC | MS_ASYNC));
	show("mlock", mlock(p, PAGE));
	show("munlock", munlock(p, PAGE));
	wo = open("/tmp/write-only", O_WRONLY | O_CREAT, 0600);
	show_map(
	    "write-only file", mmap(NULL, 1, PROT_READ, MAP_PRIVATE, wo, 0));
	close(wo);
	ro = open("/tmp/write-only", O_RDONLY);
	show_map("shared write of a read-only file",
	    mmap(NULL, 1, PROT_WRITE, MAP_SHARED, ro, 0));
	munmap(p, 4 * PAGE);
}

static void protection(void)
{
	char *p =
	    mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_ANON_PRIV, -1, 0);

	memset(p, 7, 8 * PAGE);
	show("mprotect middle", mprotect(p + 2 * PAGE, 2 * PAGE, PROT_READ));
	printf("write %d %d %d, read %d\n", touch(p + PAGE, 1),
	    touch(p + 2 * PAGE, 1), touch(p + 4 * PAGE, 1),
	    touch(p + 3 * PAGE, 0));
	show("mprotect none", mprotect(p + 3 * PAGE, PAGE, PROT_NONE));
	printf("read %d code %d\n", touch(p + 3 * PAGE, 0), code);
	show("mprotect all", mprotect(p, 8 * PAGE, PROT_READ | PROT_WRITE));
	printf("kept %d\n", p[3 * PAGE + 5]);
	show("munmap middle", munmap(p + 4 * PAGE, PAGE));
	printf("read %d code %d, next %d\n", touch(p + 4 * PAGE, 0), code,
	    touch(p + 5 * PAGE, 1));
	show("mprotect over a hole", mprotect(p, 8 * PAGE, PROT_READ));
	munmap(p, 8 * PAGE);
}

static void advice(void)
{
	char *p = mmap(
	    NULL, 600 * PAGE, PROT_READ | PROT_WRITE, MAP_ANON_PRIV, -1, 0);
	unsigned char vec[600];

	memset(p, 1, 600 * PAGE);
	show("dontneed", madvise(p + 10 * PAGE, 20 * PAGE, MADV_DONTNEED));
	printf("zero %d, before %d, after %d\n",
	    all(p + 10 * PAGE, 20 * PAGE, 0), p[10 * PAGE - 1], p[30 * PAGE]);
	madvise(p, 600 * PAGE, MADV_DONTNEED);
	p[5 * PAGE] = 1;
	show("mincore", mincore(p, 600 * PAGE, vec));
	printf("resident %d %d\n", vec[5] & 1, vec[6] & 1);
	show("hugepage",
	    madvise(p, 600 * PAGE, MADV_HUGEPAGE) == 0 || errno == EINVAL);
	show("free", madvise(p, 600 * PAGE, MADV_FREE));
	show("willneed", madvise(p, 600 * PAGE, MADV_WILLNEED));
	show("populate", madvise(p, 600 * PAGE, MADV_POPULATE_WRITE));
	munmap(p, 600 * PAGE);
}

static void remap(void)
{
	char *p = mmap(
		 NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_ANON_PRIV, -1, 0),
	     *q, *fixed;

	memset(p, 3, 4 * PAGE);
	q = mremap(p, 4 * PAGE, 2 * PAGE, 0);
	printf("shrink in place %d, gone %d\n", q == p, touch(p + 2 * PAGE, 0));
	q = mremap(p, 2 * PAGE, 1000 * PAGE, MREMAP_MAYMOVE);
	printf("grow: kept %d, new zero %d\n", all(q, 2 * PAGE, 3),
	    all(q + 2 * PAGE, 998 * PAGE, 0));
	memset(q, 4, 1000 * PAGE);
	fixed = mmap(NULL, 1000 * PAGE, PROT_NONE, MAP_ANON_PRIV, -1, 0);
	p = mremap(
	    q, 1000 * PAGE, 1000 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, fixed);
	printf("fixed %d, kept %d, old gone %d\n", p == fixed,
	    all(p, 1000 * PAGE, 4), touch(q, 0));
	show("bad flags", (long)mremap(p, PAGE, PAGE, 0x100));
	show("new length 0", (long)mremap(p, PAGE, 0, MREMAP_MAYMOVE));
	show("nothing there", (long)mremap((void *)0x10000000000, PAGE,
				  2 * PAGE, MREMAP_MAYMOVE));
	munmap(p, 1000 * PAGE);
}

static void files(void)
{
	int fd = open("/tmp/mapped", O_RDWR | O_CREAT | O_TRUNC, 0600);
	char buf[16] = { 0 }, *shared, *private;

	show("ftruncate", ftruncate(fd, 2 * PAGE + 100));
	shared =
	    mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	private =
	    mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	strcpy(shared, "through the map");
	show("pread", pread(fd, buf, 16, 0));
	printf("'%s', private sees '%s'\n", buf, private);
	strcpy(private, "only mine");
	show("pwrite", pwrite(fd, "by the file", 12, PAGE));
	printf("shared '%s' '%s', private '%s' '%s'\n", shared, shared + PAGE,
	    private, private + PAGE);
	printf("past the end in the last page %d, past the last page %d\n",
	    touch(shared + 2 * PAGE + 200, 0), touch(shared + 3 * PAGE, 0));
	show("msync", msync(shared, 3 * PAGE, MS_SYNC));
	show("shrink", ftruncate(fd, PAGE));
	printf("after the shrink %d, first %d\n", touch(shared + PAGE, 0),
	    touch(shared, 0));
	show("grow", ftruncate(fd, 2 * PAGE));
	printf("again %d, zero %d\n", touch(shared + PAGE, 0),
	    all(shared + PAGE, PAGE, 0));
	munmap(shared, 4 * PAGE);
	munmap(private, 3 * PAGE);
	close(fd);
}

static void breaks(void)
{
	char *b = sbrk(0);

	printf("sbrk %d\n", sbrk(3 * PAGE) == b);
	memset(b, 9, 3 * PAGE);
	printf("brk back %d\n", brk(b));
	printf("sbrk again %d, zero %d\n", sbrk(PAGE) == b, all(b, PAGE, 0));
	printf("too far %d\n", sbrk(1l << 46) == (void *)-1);
}

static int deep(int n)
{
	volatile char big[4000];

	big[0] = (char)n;
	return n == 0 ? big[0] : deep(n - 1) + (big[0] & 1);
}

static int overflow(int n)
{
	volatile char big[4000];

	big[0] = (char)n;
	return overflow(n + 1) + big[0];
}

static void stack(void)
{
	struct rlimit r;
	stack_t ss = { .ss_sp = malloc(65536), .ss_size = 65536 };
	int sig;

	getrlimit(RLIMIT_STACK, &r);
	printf("stack limit %ld kB, 4 MB deep %d\n", (long)r.rlim_cur / 1024,
	    deep(1000));
	sigaltstack(&ss, NULL);
	sig = sigsetjmp(back, 1);
	if (!sig)
		overflow(0);
	printf("overflow: signal %d code %d\n", sig, code);
}

/* Calls get an error for pointers that lead nowhere. */
static void pointers(void)
{
	char *none =
	    mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_ANON_PRIV, -1, 0);
	int fd = open("/tmp/mapped", O_RDWR);

	munmap(none + PAGE, PAGE);
	show("write from nowhere", write(1, (void *)8, 1));
	show("read to nowhere", pread(fd, (void *)8, 1, 0));
	show("read to the kernel", pread(fd, (void *)0xffffffff80000000, 1, 0));
	show("stat of nowhere", stat((void *)8, NULL));
	show(
	    "open of the kernel's", open((void *)0xffff880000001000, O_RDONLY));
	show("uname across the end", syscall(SYS_uname, none + PAGE - 8));
	show("partly there", pwrite(fd, none + PAGE - 10, 20, 0));
	mprotect(none, PAGE, PROT_READ);
	show("read to read-only", pread(fd, none, 10, 0));
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO | SA_ONSTACK };

	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	errors();
	protection();
	advice();
	remap();
	files();
	breaks();
	stack();
	pointers();
	return 0;
}
