/* AF_UNIX sockets. */
#define _GNU_SOURCE
#include "../show.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char buf[300000];

static int revents(int fd)
{
	struct pollfd pf = { fd, POLLIN | POLLOUT | POLLRDHUP, 0 };

	poll(&pf, 1, 0);
	return pf.revents;
}

static socklen_t path_addr(struct sockaddr_un *a, const char *path)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	strcpy(a->sun_path, path);
	return sizeof(*a);
}

/* An abstract one. */
static socklen_t name_addr(struct sockaddr_un *a, const char *name)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	strcpy(a->sun_path + 1, name);
	return offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name);
}

static void pair_stream(void)
{
	int s[2], n;

	SHOW(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s));
	SHOW(fcntl(s[0], F_GETFD));
	printf("revents %x\n", revents(s[0]));
	SHOW(write(s[0], "hello", 5));
	SHOW(send(s[0], " world", 6, 0));
	SHOW(ioctl(s[1], FIONREAD, &n));
	SHOW(n);
	printf("revents %x\n", revents(s[1]));
	SHOW(recv(s[1], buf, 3, MSG_PEEK));
	SHOW(recv(s[1], buf, 100, 0));
	printf("'%.11s'\n", buf);
	SHOW(recv(s[1], buf, 100, MSG_DONTWAIT));
	SHOW(shutdown(s[0], SHUT_WR));
	SHOW(recv(s[1], buf, 100, 0));
	SHOW(send(s[0], "x", 1, MSG_NOSIGNAL));
	printf("revents %x %x\n", revents(s[0]), revents(s[1]));
	SHOW(send(s[1], "back", 4, 0));
	SHOW(recv(s[0], buf, 100, 0));
	close(s[1]);
	printf("revents %x\n", revents(s[0]));
	SHOW(recv(s[0], buf, 100, 0));
	SHOW(listen(s[0], 1));
	SHOW(lseek(s[0], 0, SEEK_SET));
	close(s[0]);
	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	write(s[0], "unread", 6);
	close(s[1]);
	SHOW(read(s[0], buf, 10));
	SHOW(read(s[0], buf, 10));
	close(s[0]);
	SHOW(socketpair(AF_UNIX, 77, 0, s));
	SHOW(socketpair(AF_UNIX, SOCK_STREAM, 9, s));
}

static void pair_packets(int type)
{
	struct iovec iov = { buf, 3 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	int s[2];

	SHOW(socketpair(AF_UNIX, type, 0, s));
	SHOW(send(s[0], "first", 5, 0));
	SHOW(send(s[0], "second", 6, 0));
	SHOW(send(s[0], "", 0, 0));
	SHOW(recvmsg(s[1], &m, 0));
	printf("flags %x\n", m.msg_flags);
	SHOW(recv(s[1], buf, 2, MSG_TRUNC));
	SHOW(recv(s[1], buf, 100, 0));
	SHOW(recv(s[1], buf, 100, MSG_DONTWAIT));
	SHOW(send(s[0], buf, sizeof(buf), 0));
	close(s[0]);
	printf("revents %x\n", revents(s[1]));
	if (type == SOCK_SEQPACKET)
		SHOW(recv(s[1], buf, 100, 0));
	SHOW(send(s[1], "x", 1, MSG_NOSIGNAL));
	close(s[1]);
}

static void *server(void *arg)
{
	int l = *(int *)arg, c = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	ssize_t n;
	size_t total = 0;

	while ((n = read(c, buf, 5000)) > 0)
		total += n;
	write(c, "done", 4);
	close(c);
	return (void *)total;
}

static void connect_to(struct sockaddr_un *a, socklen_t len)
{
	static char data[123456];
	struct sockaddr_un peer;
	socklen_t n = sizeof(peer);
	struct ucred uc;
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c, d, on = 0;
	pthread_t t;
	void *total;
	char back[10];

	c = socket(AF_UNIX, SOCK_STREAM, 0);
	printf("revents %x\n", revents(c));
	SHOW(connect(c, (void *)a, len));
	SHOW(listen(l, 1));
	SHOW(bind(l, (void *)a, len));
	SHOW(bind(l, (void *)a, len));
	SHOW(connect(c, (void *)a, len));
	SHOW(listen(l, 2));
	d = socket(AF_UNIX, SOCK_STREAM, 0);
	SHOW(bind(d, (void *)a, len));
	close(d);
	SHOW(accept4(l, NULL, NULL, SOCK_NONBLOCK | 1));
	fcntl(l, F_SETFL, O_NONBLOCK);
	SHOW(accept(l, NULL, NULL));
	fcntl(l, F_SETFL, 0);
	printf("revents %x\n", revents(l));
	SHOW(connect(c, (void *)a, len));
	SHOW(connect(c, (void *)a, len));
	printf("revents %x %x\n", revents(l), revents(c));
	pthread_create(&t, NULL, server, &l);
	SHOW(write(c, data, sizeof(data)));
	SHOW(getpeername(c, (void *)&peer, &n));
	printf("peer length %u, same %d\n", n,
	    !memcmp(peer.sun_path, a->sun_path, n - 2));
	n = sizeof(peer);
	SHOW(getsockname(c, (void *)&peer, &n));
	SHOW(n);
	n = sizeof(uc);
	SHOW(getsockopt(c, SOL_SOCKET, SO_PEERCRED, &uc, &n));
	SHOW(uc.pid == getpid());
	n = sizeof(on);
	SHOW(getsockopt(l, SOL_SOCKET, SO_ACCEPTCONN, &on, &n));
	SHOW(on);
	SHOW(shutdown(c, SHUT_WR));
	SHOW(read(c, back, 10));
	pthread_join(t, &total);
	printf("server read %zu\n", (size_t)total);
	SHOW(read(c, back, 10));
	close(c);
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	SHOW(connect(c, (void *)a, len));
	close(l); /* with one in its backlog */
	SHOW(read(c, back, 10));
	close(c);
	c = socket(AF_UNIX, SOCK_DGRAM, 0);
	SHOW(connect(c, (void *)a, len));
	close(c);
}

static void backlog(void)
{
	struct sockaddr_un a;
	socklen_t len = name_addr(&a, "backlog");
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c[4];

	bind(l, (void *)&a, len);
	listen(l, 1);
	for (int i = 0; i < 4; i++) {
		c[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		SHOW(connect(c[i], (void *)&a, len));
	}
	GOOD(accept(l, NULL, NULL));
	SHOW(connect(c[2], (void *)&a, len));
	close(l);
	for (int i = 0; i < 4; i++)
		close(c[i]);
}

static void datagrams(void)
{
	struct sockaddr_un a, b, from;
	socklen_t alen = name_addr(&a, "dgram a"), n;
	socklen_t blen = name_addr(&b, "dgram b");
	int s = socket(AF_UNIX, SOCK_DGRAM, 0);
	int c = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0), i;

	bind(s, (void *)&a, alen);
	SHOW(send(c, "x", 1, 0));
	SHOW(sendto(c, "unnamed", 7, 0, (void *)&a, alen));
	n = sizeof(from);
	SHOW(recvfrom(s, buf, 100, 0, (void *)&from, &n));
	SHOW(n);
	SHOW(bind(c, (void *)&b, blen));
	SHOW(connect(c, (void *)&a, alen));
	SHOW(send(c, "named", 5, 0));
	n = sizeof(from);
	SHOW(recvfrom(s, buf, 100, 0, (void *)&from, &n));
	printf("from '%.*s'\n", (int)n - 3, from.sun_path + 1);
	SHOW(sendto(s, "reply", 5, 0, (void *)&from, n));
	SHOW(recv(c, buf, 100, 0));
	for (i = 0; i < 100 && send(c, "fill", 4, 0) == 4; i++)
		;
	printf("queued %d, %s\n", i, strerrorname_np(errno));
	printf("revents %x\n", revents(c));
	recv(s, buf, 100, 0);
	printf("revents %x\n", revents(c));
	close(s);
	SHOW(send(c, "gone", 4, 0));
	SHOW(sendto(c, "x", 1, 0, (void *)&a, alen));
	close(c);
}

static int send_fds(int s, const int *fd, int n, const char *text)
{
	char control[CMSG_SPACE(sizeof(int) * 8)] = { 0 };
	struct iovec iov = { (char *)text, strlen(text) };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = CMSG_SPACE(sizeof(int) * n) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * n);
	memcpy(CMSG_DATA(c), fd, sizeof(int) * n);
	return sendmsg(s, &m, 0);
}

/* How many came, in fd. */
static int recv_fds(int s, int *fd, int room, int flags)
{
	char control[CMSG_SPACE(sizeof(int) * 8) + 64];
	struct iovec iov = { buf, 100 };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = room ? control : NULL,
		.msg_controllen = room ? CMSG_LEN(sizeof(int) * room) : 0 };
	struct cmsghdr *c;
	int n = 0;

	SHOW(recvmsg(s, &m, flags));
	for (c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		printf("control: level %d type %d, %zu bytes\n", c->cmsg_level,
		    c->cmsg_type, c->cmsg_len);
		if (c->cmsg_type == SCM_RIGHTS) {
			n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			memcpy(fd, CMSG_DATA(c), n * sizeof(int));
		}
	}
	printf("flags %x\n", m.msg_flags & ~MSG_CMSG_CLOEXEC);
	return n;
}

static void rights(int type)
{
	int s[2], p[2], q[2], got[8], n, bad = 999;

	socketpair(AF_UNIX, type, 0, s);
	pipe(p);
	SHOW(send_fds(s[0], p, 2, "two"));
	close(p[0]);
	close(p[1]);
	n = recv_fds(s[1], got, 4, MSG_CMSG_CLOEXEC);
	SHOW(n);
	SHOW(fcntl(got[0], F_GETFD));
	SHOW(write(got[1], "via", 3));
	SHOW(read(got[0], buf, 10));
	close(got[1]);
	SHOW(read(got[0], buf, 10));
	close(got[0]);

	/* No room for the second: it is closed. */
	pipe(p);
	pipe(q);
	int both[2] = { q[1], p[1] };
	send_fds(s[0], both, 2, "trunc");
	close(p[1]);
	close(q[1]);
	n = recv_fds(s[1], got, 1, 0);
	SHOW(n);
	SHOW(read(p[0], buf, 10));
	close(got[0]);
	SHOW(read(q[0], buf, 10));
	close(p[0]);
	close(q[0]);

	/* Nobody takes it: closed with the socket. */
	pipe(p);
	send_fds(s[0], &p[1], 1, "lost");
	close(p[1]);
	SHOW(send_fds(s[0], &bad, 1, "bad"));
	close(s[1]);
	SHOW(read(p[0], buf, 10));
	close(p[0]);
	close(s[0]);
}

/* Descriptors end a read of a stream. */
static void rights_and_bytes(void)
{
	int s[2], got[8], n;

	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	write(s[0], "aaa", 3);
	send_fds(s[0], s, 1, "bbb");
	write(s[0], "ccc", 3);
	n = recv_fds(s[1], got, 2, 0);
	printf("%d '%.9s'\n", n, buf);
	n = recv_fds(s[1], got, 2, 0);
	printf("%d '%.3s'\n", n, buf);
	close(s[0]);
	close(s[1]);
}

static void credentials(void)
{
	int s[2], got[8], on = 1;

	socketpair(AF_UNIX, SOCK_DGRAM, 0, s);
	SHOW(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	send(s[0], "who", 3, 0);
	recv_fds(s[1], got, 8, 0);
	close(s[0]);
	close(s[1]);
}

/* A socket in its own queue, and a chain of sockets in sockets. */
static void in_flight(void)
{
	int s[2], t[2];

	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	for (int i = 0; i < 200; i++) {
		socketpair(AF_UNIX, SOCK_STREAM, 0, t);
		send_fds(t[0], s, 2, "in");
		close(s[0]);
		close(s[1]);
		s[0] = t[0];
		s[1] = t[1];
	}
	close(s[0]);
	close(s[1]);
	printf("chain closed\n");
}

static void timeouts(void)
{
	struct timeval tv = { 0, 30000 };
	int s[2];

	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	SHOW(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	SHOW(setsockopt(s[0], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
	SHOW(recv(s[0], buf, 1, 0));
	while (send(s[0], buf, 100000, 0) > 0)
		;
	printf("%s\n", strerrorname_np(errno));
	close(s[0]);
	close(s[1]);
}

/* Room at whom a watched socket was connected to later, asked for before it is
 * made or not. */
static void later_room(unsigned mode, int ask)
{
	struct epoll_event ev = { .events = EPOLLOUT | mode };
	int server = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	int ep = epoll_create1(0);
	struct sockaddr_un a;
	socklen_t len = name_addr(&a, "later room");
	char c;

	SHOW(bind(server, (void *)&a, len));
	epoll_ctl(ep, EPOLL_CTL_ADD, s, &ev);
	SHOW(epoll_wait(ep, &ev, 1, 0));
	SHOW(connect(s, (void *)&a, len));
	epoll_wait(ep, &ev, 1, 0);
	while (send(s, "x", 1, 0) == 1)
		;
	printf("full: %d\n", errno == EAGAIN);
	if (ask)
		SHOW(epoll_wait(ep, &ev, 1, 0));
	while (recv(server, &c, 1, 0) == 1)
		;
	SHOW(epoll_wait(ep, &ev, 1, 0));
	close(server);
	close(s);
	close(ep);
}

int main(void)
{
	struct sockaddr_un a;
	struct stat st;
	socklen_t len;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	pair_stream();
	pair_packets(SOCK_DGRAM);
	pair_packets(SOCK_SEQPACKET);
	unlink("sock");
	len = path_addr(&a, "sock");
	connect_to(&a, len);
	SHOW(stat("sock", &st));
	printf("is a socket: %d\n", S_ISSOCK(st.st_mode));
	SHOW(open("sock", O_RDWR));
	unlink("sock");
	len = name_addr(&a, "abstract");
	connect_to(&a, len);
	backlog();
	datagrams();
	rights(SOCK_STREAM);
	rights(SOCK_SEQPACKET);
	rights_and_bytes();
	credentials();
	in_flight();
	timeouts();
	later_room(0, 1);
	later_room(EPOLLET, 0);
	return 0;
}
