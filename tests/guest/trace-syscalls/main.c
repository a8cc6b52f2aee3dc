/* The trace points of system calls, switched while calls are made by each way
 * into the kernel; Linux needs root for that: see expect. */
#define _GNU_SOURCE
#include "../calls.h"
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DIR   "/sys/kernel/tracing/"
#define CALLS 100

static char text[1 << 20];

static void set(const char *file, const char *s)
{
	int fd = open(file, O_WRONLY);

	if (fd < 0 || write(fd, s, strlen(s)) != (ssize_t)strlen(s))
		err(1, "%s: %s", file, s);
	close(fd);
}

static int count(const char *what)
{
	int n = 0;

	for (char *p = text; (p = strstr(p, what)); p++)
		n++;
	return n;
}

static void near_getppid(void)
{
	NEAR_CALL(SYS_getppid);
}

static void far_getpgrp(void)
{
	FAR_CALL("syscall", SYS_getpgrp);
}

static void calls(void)
{
	for (int i = 0; i < CALLS; i++) {
		near_getppid();
		far_getpgrp();
		getuid();
	}
}

int main(void)
{
	size_t n = 0;
	ssize_t r;
	int fd;

	for (int i = 0; i < 20; i++)
		calls();
	set(DIR "set_event", "raw_syscalls:*");
	calls();
	set(DIR "set_event", "!raw_syscalls:*");
	calls();
	fd = open(DIR "trace", O_RDONLY);
	while ((r = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)r;
	printf("getppid %d, getpgrp %d, getuid %d\n",
	    count("sys_enter: id=110 "), count("sys_enter: id=111 "),
	    count("sys_enter: id=102 "));
	printf("their ends %d, %d, %d\n", count("sys_exit: id=110 "),
	    count("sys_exit: id=111 "), count("sys_exit: id=102 "));
	return 0;
}
