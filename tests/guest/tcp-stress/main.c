/*
 * TCP over the loopback: an epoll server with two threads, clients that
 * connect, talk and go in several ways, all at once.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS     4
#define CONNECTIONS 30
#define SERVERS     2

static struct sockaddr_in addr;
static int listener, ep, stop;
static atomic_int wrong;
static atomic_ulong echoed, answered, resets;

static void check(int ok, const char *what)
{
	if (!ok && atomic_fetch_add(&wrong, 1) < 5)
		printf("wrong: %s: %s\n", what, strerror(errno));
}

/* --- the server: echoes; level triggered and one-shot ------------------- */

static void watch(int op, int fd, unsigned events)
{
	struct epoll_event ev = { .events = events, .data.fd = fd };

	check(epoll_ctl(ep, op, fd, &ev) == 0, "epoll_ctl");
}

static void take_connections(void)
{
	int c;

	while ((c = accept4(
		    listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		watch(EPOLL_CTL_ADD, c, EPOLLIN | EPOLLRDHUP | EPOLLONESHOT);
	check(errno == EAGAIN || errno == ECONNABORTED, "accept");
}

static void send_all(int c, const char *buf, size_t n)
{
	struct pollfd pf = { c, POLLOUT, 0 };

	while (n > 0) {
		ssize_t r = send(c, buf, n, MSG_NOSIGNAL);

		if (r < 0 && errno == EAGAIN) {
			poll(&pf, 1, 10000);
			continue;
		}
		if (r <= 0)
			return;
		buf += r;
		n -= r;
	}
}

static void echo(int c)
{
	char buf[4096];
	ssize_t n;

	while ((n = recv(c, buf, sizeof(buf), 0)) > 0) {
		echoed += n;
		send_all(c, buf, n);
	}
	if (n < 0 && errno == EAGAIN) {
		watch(EPOLL_CTL_MOD, c, EPOLLIN | EPOLLRDHUP | EPOLLONESHOT);
		return;
	}
	if (n < 0)
		resets++;
	close(c);
}

static void *serve(void *arg)
{
	struct epoll_event ev[8];

	for (;;) {
		int n = epoll_wait(ep, ev, 8, -1);

		for (int i = 0; i < n; i++) {
			if (ev[i].data.fd == stop)
				return NULL;
			if (ev[i].data.fd == listener)
				take_connections();
			else
				echo(ev[i].data.fd);
		}
	}
}

/* --- the clients ------------------------------------------------------- */

static void talk(int s, unsigned seed, size_t n)
{
	char out[3000], in[3000];
	size_t got = 0;

	for (size_t i = 0; i < n; i++)
		out[i] = (char)(seed + i * 7);
	send_all(s, out, n);
	while (got < n) {
		ssize_t r = recv(s, in + got, n - got, 0);

		if (r <= 0)
			break;
		got += r;
	}
	check(got == n && memcmp(in, out, n) == 0, "echo");
	answered += got;
}

static void leave(int s, int how)
{
	struct linger l = { 1, 0 };
	char c;

	switch (how % 3) {
	case 0:
		break;
	case 1:
		check(shutdown(s, SHUT_WR) == 0, "shutdown");
		check(recv(s, &c, 1, 0) == 0, "end");
		break;
	default:
		setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
		break;
	}
	close(s);
}

static void *client(void *arg)
{
	for (int i = 0; i < CONNECTIONS; i++) {
		int s = socket(AF_INET, SOCK_STREAM, 0), on = 1;

		setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		if (connect(s, (void *)&addr, sizeof(addr)) != 0) {
			check(0, "connect");
			close(s);
			continue;
		}
		for (int k = 0; k < 4; k++)
			talk(s, i + k, 1 + (i * 97 + k * 701) % 3000);
		leave(s, i + (long)arg);
	}
	return NULL;
}

static void one_round(void)
{
	pthread_t c[CLIENTS], v[SERVERS];
	uint64_t one = 1;
	socklen_t n = sizeof(addr);

	echoed = answered = 0;
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	addr = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	check(bind(listener, (void *)&addr, sizeof(addr)) == 0, "bind");
	check(getsockname(listener, (void *)&addr, &n) == 0, "getsockname");
	check(listen(listener, 64) == 0, "listen");
	ep = epoll_create1(0);
	stop = eventfd(0, 0);
	watch(EPOLL_CTL_ADD, listener, EPOLLIN);
	watch(EPOLL_CTL_ADD, stop, EPOLLIN);
	for (int i = 0; i < SERVERS; i++)
		pthread_create(&v[i], NULL, serve, NULL);
	for (long i = 0; i < CLIENTS; i++)
		pthread_create(&c[i], NULL, client, (void *)i);
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(c[i], NULL);
	write(stop, &one, 8);
	for (int i = 0; i < SERVERS; i++)
		pthread_join(v[i], NULL);
	printf("echoed %lu, answered %lu, wrong %d\n", echoed, answered, wrong);
	close(listener);
	close(ep);
	close(stop);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 1;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < rounds; i++)
		one_round();
	return wrong != 0;
}
