/* Trace points as tracefs shows them; Linux needs root for that: see expect. */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define DIR "/sys/kernel/tracing/"

static char text[4 << 20];

static void read_file(const char *name)
{
	int fd = open(name, O_RDONLY);
	size_t n = 0;
	ssize_t r;

	if (fd < 0)
		err(1, "%s", name);
	while ((r = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
		n += r;
	text[n] = 0;
	close(fd);
}

static void write_file(const char *name, const char *s)
{
	int fd = open(name, O_WRONLY);

	if (fd < 0 || write(fd, s, strlen(s)) != (ssize_t)strlen(s))
		printf("%s: %s: refused\n", name, s);
	close(fd);
}

static int lines_with(const char *what)
{
	int n = 0;

	read_file(DIR "trace");
	for (char *p = text; (p = strstr(p, what)); p++)
		n++;
	return n;
}

static double last_time;

/* The times of all lines never go back. */
static int in_order(void)
{
	double t, last = 0;
	char *line, *save = NULL;

	read_file(DIR "trace");
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (*line == '#' || !(line = strchr(line, ']')))
			continue;
		t = strtod(line + 1, NULL);
		if (t < last)
			return 0;
		last = t;
	}
	last_time = last;
	return last > 0;
}

static volatile int stop;

/* Goes through the branches while they are changed. */
static void *busy(void *arg)
{
	while (!stop)
		sched_yield();
	return arg;
}

static void toggle(void)
{
	pthread_t t[3];

	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, busy, NULL);
	for (int i = 0; i < 20; i++) {
		write_file(DIR "set_event", i & 1 ? "!*" : "*\n");
		usleep(1000);
	}
	stop = 1;
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
}

int main(void)
{
	char *p;

	read_file(DIR "set_event");
	printf("at boot:\n%s", text);
	usleep(1000);
	printf("switches %d\n", lines_with(": sched_switch: prev_pid=") > 0);
	printf("faults %d\n", lines_with(": page_fault: ") > 0);

	write_file(DIR "set_event", "!sched_switch exceptions:page_fault");
	write_file(DIR "trace", "\n");
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	*p = 1;
	usleep(1000);
	printf("switches %d\n", lines_with(": sched_switch: "));
	snprintf(text, 64, ": page_fault: address=%p access=", p);
	printf("my fault %d\n", lines_with(strdup(text)));

	write_file(DIR "set_event", "no_such_point");
	toggle();
	printf("in order %d\n", in_order());
	read_file(DIR "set_event");
	printf("at the end: %s\n", text);
	return 0;
}
