/*
 * A program with a cache that it can do without.  It eats what is left of the
 * memory and says what its shrinker was asked for.
 *   serve    frees the cache when it is asked to; then the eater dies
 *   soft     eats slowly: the soft requests are enough
 *   sleep    never answers: the machine does not hang
 *   lie      says that it freed what it was asked for: likewise
 *   close    goes away in the middle of a request
 *   usage    what the device answers to wrong use
 */
#include "../map.h"
#include "../proc.h"
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "../../../include/osv/shrinker.h"

#define CACHE (48 * MIB)

static char *cache;
static size_t left = CACHE;
static unsigned nsoft, nhard;

static void say_first(int hard)
{
	if (hard ? nhard++ : nsoft++)
		return;
	printf("asked %s first%s\n", hard ? "hard" : "softly",
	    hard && !nsoft ? " (before any soft request)" : "");
}

static size_t shrink(size_t target, int hard)
{
	size_t n = target + 4095 & ~4095ul, spare = left;

	/* Softly only what is cold: the upper half. */
	if (!hard)
		spare = left > CACHE / 2 ? left - CACHE / 2 : 0;
	say_first(hard);
	if (n > spare)
		n = spare;
	if (n == 0)
		return 0;
	left -= n;
	/* munmap() needs the address space for itself: the kernel must not
	 * wait for this thread while a fault holds it. */
	munmap(cache + left, n);
	if (left == 0)
		printf("the cache is empty\n");
	return n;
}

static size_t shrink_lie(size_t target, int hard)
{
	say_first(hard);
	return target;
}

static size_t shrink_sleep(size_t target, int hard)
{
	say_first(hard);
	for (;;)
		pause();
}

static void *serve(void *fn)
{
	osv_shrinker_serve("cache", (osv_shrinker_fn)fn);
	perror("serve");
	return NULL;
}

static void start(osv_shrinker_fn fn)
{
	pthread_t t;

	cache = map(CACHE);
	memset(cache, 1, CACHE);
	if (pthread_create(&t, NULL, serve, (void *)fn))
		perror("pthread_create"), exit(1);
	usleep(50000);
}

/* Until what was asked for softly is there; below this it is asked for. */
static void wait_for_free(void)
{
	struct timespec ts = { 0, 10 * 1000000 };

	for (int i = 0; i < 1000 && meminfo("MemFree") < 1536; i++)
		nanosleep(&ts, NULL);
}

static void eat(size_t bytes, bool slowly)
{
	char *p = map(bytes);

	for (size_t i = 0; i < bytes; i += 4096) {
		p[i] = 1;
		if (slowly && i % (MIB / 2) == 0)
			wait_for_free();
	}
}

static void *close_it(void *arg)
{
	int fd = *(int *)arg;
	char line[32];
	ssize_t n = read(fd, line, sizeof(line));

	printf("%s", n > 0 ? "asked, and gone\n" : "not asked\n");
	close(fd);
	return NULL;
}

static void go_away(void)
{
	static int fd;
	pthread_t t;

	fd = open(OSV_SHRINKER_DEVICE, O_RDWR);
	if (write(fd, "leaver\n", 7) != 7)
		perror("name");
	pthread_create(&t, NULL, close_it, &fd);
	usleep(50000);
}

static void try(int fd, const char *text)
{
	ssize_t n = write(fd, text, strlen(text));

	printf(
	    "write \"%s\": %s\n", text, n < 0 ? strerrorname_np(errno) : "ok");
}

static void usage(void)
{
	int fd = open(OSV_SHRINKER_DEVICE, O_RDWR | O_NONBLOCK);
	struct pollfd p = { fd, POLLIN | POLLOUT };
	char line[32];

	printf("read: %s\n",
	    read(fd, line, 32) < 0 ? strerrorname_np(errno) : "ok");
	try(fd, "");
	try(fd, "two words");
	try(fd, "a-name-that-is-longer-than-31-chars");
	try(fd, "usage\n");
	try(fd, "4096");
	printf("read: %s\n",
	    read(fd, line, 32) < 0 ? strerrorname_np(errno) : "ok");
	printf("short read: %s\n",
	    read(fd, line, 8) < 0 ? strerrorname_np(errno) : "ok");
	poll(&p, 1, 0);
	printf("poll: %s\n", p.revents & POLLIN ? "in" : "nothing to read");
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!strcmp(how, "usage"))
		return usage(), 0;
	if (!strcmp(how, "soft")) {
		start(shrink);
		eat((meminfo("MemFree") / 1024 + 16) * MIB, true);
		printf("ate 16 MiB more than there were; hard requests: %u\n",
		    nhard);
		return 0;
	}
	if (!strcmp(how, "close"))
		go_away();
	else
		start(!strcmp(how, "lie")     ? shrink_lie
		      : !strcmp(how, "sleep") ? shrink_sleep
					      : shrink);
	eat(1ul << 40, false);
	return 0;
}
