/* The program ends while its threads sleep in every kind of call. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

static char big[1 << 20];
static atomic_int asleep;

static void fail(const char *what)
{
	printf("%s returned\n", what);
}

static void *in_pipe_read(void *arg)
{
	int p[2];

	pipe(p);
	asleep++;
	read(p[0], big, 1);
	fail("read");
	return NULL;
}

static void *in_pipe_write(void *arg)
{
	int p[2];

	pipe(p);
	asleep++;
	write(p[1], big, sizeof(big));
	fail("write");
	return NULL;
}

static void *in_epoll(void *arg)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = epoll_create1(0), e = eventfd(0, 0);

	epoll_ctl(ep, EPOLL_CTL_ADD, e, &ev);
	asleep++;
	epoll_wait(ep, &ev, 1, -1);
	fail("epoll_wait");
	return NULL;
}

static void *in_poll(void *arg)
{
	struct pollfd pf = { eventfd(0, 0), POLLIN, 0 };

	asleep++;
	poll(&pf, 1, -1);
	fail("poll");
	return NULL;
}

static void *in_select(void *arg)
{
	asleep++;
	select(0, NULL, NULL, NULL, NULL);
	fail("select");
	return NULL;
}

static void *in_eventfd(void *arg)
{
	uint64_t v;
	int e = eventfd(0, 0);

	asleep++;
	read(e, &v, 8);
	fail("eventfd");
	return NULL;
}

static void *in_timerfd(void *arg)
{
	struct itimerspec it = { { 0, 0 }, { 1000, 0 } };
	uint64_t v;
	int t = timerfd_create(CLOCK_MONOTONIC, 0);

	timerfd_settime(t, 0, &it, NULL);
	asleep++;
	read(t, &v, 8);
	fail("timerfd");
	return NULL;
}

static void *in_accept(void *arg)
{
	struct sockaddr_un a = { AF_UNIX, "\0accept" };
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	bind(s, (void *)&a, 9);
	listen(s, 1);
	asleep++;
	accept(s, NULL, NULL);
	fail("accept");
	return NULL;
}

static void *in_send(void *arg)
{
	int s[2];

	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	asleep++;
	while (send(s[0], big, sizeof(big), 0) > 0)
		;
	fail("send");
	return NULL;
}

static void *in_fifo(void *arg)
{
	mkfifo("blocked", 0600);
	asleep++;
	open("blocked", O_RDONLY);
	fail("open");
	return NULL;
}

static void *in_flock(void *arg)
{
	int a = open("lk", O_CREAT | O_RDWR, 0600), b = open("lk", O_RDWR);

	flock(a, LOCK_EX);
	asleep++;
	flock(b, LOCK_EX);
	fail("flock");
	return NULL;
}

int main(void)
{
	static void *(*const all[])(void *) = { in_pipe_read, in_pipe_write,
		in_epoll, in_poll, in_select, in_eventfd, in_timerfd, in_accept,
		in_send, in_fifo, in_flock };
	enum { N = sizeof(all) / sizeof(all[0]) };
	pthread_t t;

	for (int i = 0; i < N; i++)
		pthread_create(&t, NULL, all[i], NULL);
	while (asleep < N)
		usleep(1000);
	usleep(50000);
	unlink("blocked");
	unlink("lk");
	printf("%d threads asleep\n", asleep);
	exit(3);
}
