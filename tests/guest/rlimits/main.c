/* RLIMIT_AS, RLIMIT_DATA and RLIMIT_STACK: what they refuse, and what not. */

#define _GNU_SOURCE
#include "../proc.h"
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define PAGE 4096ul
#define MIB  (1ul << 20)
#define RW   (PROT_READ | PROT_WRITE)

static void limit(int which, rlim_t n)
{
	struct rlimit r = { n, RLIM_INFINITY };

	if (setrlimit(which, &r) != 0)
		printf("setrlimit: %s\n", strerror(errno));
}

static void *map(void *at, size_t len, int prot, int flags)
{
	return mmap(at, len, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

static void say(const char *what, int failed)
{
	printf("%s: %s\n", what, failed ? strerror(errno) : "0");
}

static void test_as(void)
{
	char *p = map(NULL, 16 * MIB, PROT_NONE, MAP_NORESERVE);
	void *b = sbrk(0);

	limit(RLIMIT_AS, self_status("VmSize") * 1024 + 4 * MIB);
	say("as: within", map(NULL, 2 * MIB, RW, 0) == MAP_FAILED);
	say("as: too much", map(NULL, 4 * MIB, RW, 0) == MAP_FAILED);
	say("as: no access", map(NULL, 4 * MIB, PROT_NONE, 0) == MAP_FAILED);
	say("as: in place of another",
	    map(p, 8 * MIB, RW, MAP_FIXED) == MAP_FAILED);
	say("as: mremap",
	    mremap(p, 8 * MIB, 32 * MIB, MREMAP_MAYMOVE) == MAP_FAILED);
	say("as: brk", sbrk(64 * MIB) == (void *)-1);
	printf("as: the break stays: %d\n", sbrk(0) == b);
	limit(RLIMIT_AS, RLIM_INFINITY);
	say("as: no limit",
	    map(NULL, 64 * MIB, RW, MAP_NORESERVE) == MAP_FAILED);
}

static void test_data(void)
{
	char *none = map(NULL, 16 * MIB, PROT_NONE, 0), *p;

	limit(RLIMIT_DATA, 2 * MIB);
	limit(RLIMIT_DATA, self_status("VmData") * 1024 + 4 * MIB);
	say("data: within", (p = map(NULL, 2 * MIB, RW, 0)) == MAP_FAILED);
	say("data: too much", map(NULL, 8 * MIB, RW, 0) == MAP_FAILED);
	say("data: read only", map(NULL, 8 * MIB, PROT_READ, 0) == MAP_FAILED);
	say("data: shared", mmap(NULL, 8 * MIB, RW, MAP_SHARED | MAP_ANONYMOUS,
				-1, 0) == MAP_FAILED);
	say("data: mprotect", mprotect(none, 16 * MIB, RW));
	say("data: mprotect of a page", mprotect(none, PAGE, RW));
	say("data: brk", sbrk(8 * MIB) == (void *)-1);
	munmap(p, 2 * MIB);
	say("data: what was freed", map(NULL, 3 * MIB, RW, 0) == MAP_FAILED);
	limit(RLIMIT_DATA, RLIM_INFINITY);
}

static sigjmp_buf back;

static void segv(int sig)
{
	(void)sig;
	siglongjmp(back, 1);
}

static int touch(volatile char *p)
{
	if (sigsetjmp(back, 1))
		return 0;
	*p = 1;
	return 1;
}

static void test_stack(void)
{
	static char alt[65536];
	stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt) };
	struct sigaction sa = { .sa_handler = segv, .sa_flags = SA_ONSTACK };
	char *area = map(NULL, 32 * MIB, PROT_NONE, MAP_NORESERVE), *p;

	sigaltstack(&ss, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	munmap(area, 32 * MIB);
	p = map(area + 24 * MIB, PAGE, RW, MAP_FIXED | MAP_GROWSDOWN);
	say("stack: grows down", p == MAP_FAILED);
	limit(RLIMIT_STACK, 4 * MIB);
	printf("stack: %d %d %d\n", touch(p - PAGE), touch(p - 3 * MIB),
	    touch(p - 5 * MIB));
	limit(RLIMIT_STACK, 8 * MIB);
	printf("stack: %d %d\n", touch(p - 5 * MIB), touch(p - 9 * MIB));
	/* one mebibyte stays free above what is below */
	map(area + 14 * MIB, MIB, RW, MAP_FIXED);
	limit(RLIMIT_STACK, 64 * MIB);
	printf("stack: %d %d\n", touch(area + 16 * MIB),
	    touch(area + 16 * MIB - PAGE));
}

int main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	test_as();
	test_data();
	test_stack();
	return 0;
}
