/*
 * Eats memory in the way that its argument names, until there is no more.
 *   touch     a mapping that is touched page by page: the end is SIGKILL
 *   call      the same pages, touched by read(2): the end is SIGKILL too
 *   malloc    malloc() of 1 MiB, touched, under a limit that says no: NULL
 *   strict    with overcommit_memory 2, malloc() of MiBs until it says no
 *   file      a file in /tmp grows until write(2) says no
 *   bursts    1 MiB every 10 ms, all given back when half is eaten
 *   sum       does /proc/meminfo add up, before, with, and after 32 MiB?
 */
#include "../map.h"
#include "../proc.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

static int eat_touch(void)
{
	char *p = map(1ul << 40);

	for (size_t i = 0;; i += 4096)
		p[i] = 1;
}

static int eat_call(void)
{
	char *p = map(1ul << 40);
	int fd = open("/dev/zero", O_RDONLY);

	for (size_t i = 0;; i += MIB) {
		ssize_t n = read(fd, p + i, MIB);

		if (n < 0)
			return printf("read: %s\n", strerror(errno)), 1;
	}
}

static int eat_malloc(void)
{
	unsigned long n = 0;

	/* More at once than there is: Linux's heuristic overcommit says no. */
	if (malloc(1ul << 40))
		return printf("malloc of a TiB\n"), 1;
	printf("malloc: %s\n", strerror(errno));
	for (; n < 8; n++)
		if (!malloc(MIB))
			return printf("malloc after it: %s\n", strerror(errno)),
			       1;
	printf("then there is memory\n");
	return 0;
}

static int eat_strict(void)
{
	int fd = open("/proc/sys/vm/overcommit_memory", O_WRONLY);
	unsigned long n = 0;
	void *chain = NULL, **p;

	if (write(fd, "2", 1) != 1)
		return perror("overcommit_memory"), 1;
	close(fd);
	while ((p = malloc(MIB))) {
		memset(p, 1, MIB);
		*p = chain;
		chain = p;
		n++;
	}
	printf("malloc: %s\n", strerror(errno));
	/* All that was promised was there; the machine goes on. */
	for (; chain; n--) {
		p = chain;
		chain = *p;
		free(p);
	}
	printf("%lu blocks are missing\n", n);
	p = malloc(MIB);
	printf("then there is %s\n", p ? "memory" : "none");
	return p == NULL;
}

static int eat_file(void)
{
	static char buf[65536];
	int fd = open("/tmp/big", O_RDWR | O_CREAT, 0600);
	long before = meminfo("MemFree");
	ssize_t n;

	while ((n = write(fd, buf, sizeof(buf))) == sizeof(buf))
		;
	if (n < 0 && errno != ENOSPC && errno != ENOMEM)
		return printf("write: %s\n", strerror(errno)), 1;
	printf("the file is refused\n");
	close(fd);
	unlink("/tmp/big");
	printf("%s\n", labs(meminfo("MemFree") - before) < 1024
			   ? "all is back"
			   : "not all is back");
	return 0;
}

static int eat_bursts(void)
{
	size_t half = (size_t)meminfo("MemFree") * 1024 / 2, at = 0;
	struct timespec ts = { 0, 10000000 };

	for (int round = 0; round < 3; round++) {
		char *p = map(half);

		for (at = 0; at + MIB <= half; at += MIB) {
			memset(p + at, 1, MIB);
			nanosleep(&ts, NULL);
		}
		munmap(p, half);
	}
	printf("three times half\n");
	return 0;
}

static long holders(void)
{
	static const char *const name[] = { "MemFree", "AnonPages", "Cached",
		"Slab", "KernelStack", "PageTables", "VmallocUsed", "Reserved",
		"KernelPages" };
	long sum = 0;

	for (unsigned i = 0; i < sizeof(name) / sizeof(*name); i++) {
		long n = meminfo(name[i]);

		if (n < 0)
			printf("no %s\n", name[i]);
		sum += n;
	}
	return sum;
}

static void show_sum(const char *when)
{
	long off = holders() - meminfo("MemTotal");

	/* Each read of the file is an instant of its own. */
	if (labs(off) > 128)
		printf("%s: off by %ld kB\n", when, off);
	else
		printf("%s: it adds up\n", when);
}

static int eat_sum(void)
{
	long rest = meminfo("KernelPages"), anon = meminfo("AnonPages");
	char *p = map(32 * MIB);

	show_sum("before");
	memset(p, 1, 32 * MIB);
	show_sum("with 32 MiB");
	if (labs(meminfo("AnonPages") - anon - 32768) > 64)
		printf(
		    "AnonPages grew by %ld kB\n", meminfo("AnonPages") - anon);
	/* What has no name of its own is little, and is not where it went. */
	if (labs(meminfo("KernelPages") - rest) > 256 || rest > 4096)
		printf("KernelPages: %ld, then %ld kB\n", rest,
		    meminfo("KernelPages"));
	munmap(p, 32 * MIB);
	show_sum("after");
	if (labs(meminfo("AnonPages") - anon) > 64)
		printf(
		    "AnonPages are %ld kB more\n", meminfo("AnonPages") - anon);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*fn)(void);
	} ways[] = {
		{ "touch", eat_touch },
		{ "call", eat_call },
		{ "strict", eat_strict },
		{ "malloc", eat_malloc },
		{ "file", eat_file },
		{ "bursts", eat_bursts },
		{ "sum", eat_sum },
	};

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (unsigned i = 0; argc > 1 && i < sizeof(ways) / sizeof(*ways); i++)
		if (!strcmp(argv[1], ways[i].name))
			return ways[i].fn();
	return 2;
}
