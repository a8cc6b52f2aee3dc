/*
 * Watches MemTotal while the host moves the balloon.
 *   watch   says each new total, and ends when it is the first one again
 *   eat     once 60 MiB have gone, eats more than is left without them
 *   touch   touches and frees 80 MiB, says so, and waits for the end
 */
#include "../map.h"
#include "../proc.h"
#include <unistd.h>

static char *touch(size_t bytes)
{
	char *p = map(bytes);

	for (size_t i = 0; i < bytes; i += 4096)
		p[i] = (char)(i >> 12) | 1;
	return p;
}

static int watch(long first)
{
	long last = first, now = first;

	while (now == last || now != first) {
		if (now != last)
			printf("total %ld\n", now);
		last = now;
		usleep(20000);
		now = meminfo("MemTotal");
	}
	printf("total %ld\n", now);
	return 0;
}

static int eat(long first)
{
	char *p;

	while (meminfo("MemTotal") > first - 60 * 1024)
		usleep(20000);
	p = touch(80 * MIB);
	for (size_t i = 0; i < 80 * MIB; i += 4096)
		if (p[i] != (char)((char)(i >> 12) | 1))
			return printf("wrong contents\n"), 1;
	printf("ate 80 MiB; %s\n", meminfo("MemTotal") > first - 60 * 1024
				       ? "the balloon gave way"
				       : "as before");
	return 0;
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	long first = meminfo("MemTotal");

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!strcmp(how, "touch")) {
		char *p = touch(80 * MIB);

		printf("touched\n");
		sleep(2);
		munmap(p, 80 * MIB);
		printf("freed\n");
		pause();
	}
	printf("first %ld\n", first);
	return !strcmp(how, "eat") ? eat(first) : watch(first);
}
