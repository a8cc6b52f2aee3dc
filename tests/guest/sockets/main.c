/*
 * Sockets as Linux has them: each line of checks is what Linux does, and this
 * program says so there as well.  Loopback only.
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int passed, failed;

static void check(int line, const char *what, int good)
{
	if (good) {
		passed++;
		return;
	}
	failed++;
	printf("line %d: %s (%s)\n", line, what, strerror(errno));
}

#define CHECK(x) check(__LINE__, #x, (x))
#define FAILS(x, e)                           \
	check(__LINE__, #x " fails with " #e, \
	    (errno = 0, (x) == -1 && errno == (e)))

static struct sockaddr_in loopback(int port)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};

	return a;
}

static int port_of(int fd)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);

	getsockname(fd, (void *)&a, &len);
	return ntohs(((struct sockaddr_in *)&a)->sin_port);
}

static int events(int fd, int want, int timeout)
{
	struct pollfd p = { fd, want, 0 };

	poll(&p, 1, timeout);
	return p.revents;
}

static int listener(int *port, int backlog)
{
	struct sockaddr_in a = loopback(0);
	int s = socket(AF_INET, SOCK_STREAM, 0);

	CHECK(bind(s, (void *)&a, sizeof(a)) == 0);
	CHECK(listen(s, backlog) == 0);
	*port = port_of(s);
	return s;
}

static void pair(int *c, int *d)
{
	int port, s = listener(&port, 16);
	struct sockaddr_in a = loopback(port);

	*c = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect(*c, (void *)&a, sizeof(a)) == 0);
	*d = accept(s, NULL, NULL);
	CHECK(*d >= 0);
	close(s);
}

static volatile sig_atomic_t last_signal;

static void on_signal(int sig)
{
	last_signal = sig;
}

static void test_connect_accept(void)
{
	int port, s = listener(&port, 16), c, d;
	struct sockaddr_in a = loopback(port), peer;
	socklen_t len = sizeof(peer);
	char b[8];

	CHECK(events(s, POLLIN, 0) == 0);
	c = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(events(c, POLLIN | POLLOUT, 0) == (POLLOUT | POLLHUP));
	FAILS(send(c, "x", 1, MSG_NOSIGNAL), EPIPE);
	FAILS(recv(c, b, 1, 0), ENOTCONN);
	FAILS(getpeername(c, (void *)&peer, &len), ENOTCONN);
	CHECK(connect(c, (void *)&a, sizeof(a)) == 0);
	FAILS(connect(c, (void *)&a, sizeof(a)), EISCONN);
	CHECK(events(s, POLLIN, 1000) == POLLIN);
	d = accept4(s, (void *)&peer, &len, SOCK_CLOEXEC);
	CHECK(d >= 0 && len == sizeof(peer));
	CHECK(peer.sin_port == htons(port_of(c)));
	CHECK(peer.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
	CHECK(fcntl(d, F_GETFD) == FD_CLOEXEC);
	CHECK(getpeername(c, (void *)&peer, &len) == 0);
	CHECK(peer.sin_port == htons(port));
	close(c);
	close(d);
	close(s);
	c = socket(AF_INET, SOCK_STREAM, 0);
	FAILS(connect(c, (void *)&a, sizeof(a)), ECONNREFUSED);
	close(c);
}

static void test_nonblocking_connect(void)
{
	int port, s = listener(&port, 1), c, r, err = -1;
	struct sockaddr_in a = loopback(port);
	socklen_t len = sizeof(err);

	close(s);
	c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	r = connect(c, (void *)&a, sizeof(a));
	CHECK(r == -1 && (errno == EINPROGRESS || errno == ECONNREFUSED));
	CHECK(events(c, POLLOUT, 1000) & POLLOUT);
	CHECK(getsockopt(c, SOL_SOCKET, SO_ERROR, &err, &len) == 0);
	CHECK(err == ECONNREFUSED || (r == -1 && err == 0));
	CHECK(getsockopt(c, SOL_SOCKET, SO_ERROR, &err, &len) == 0 && err == 0);
	close(c);
}

static void test_bytes(void)
{
	int c, d, n = 0;
	char b[16];

	pair(&c, &d);
	CHECK(write(c, "hello", 5) == 5);
	CHECK(read(d, b, sizeof(b)) == 5 && !memcmp(b, "hello", 5));
	FAILS(recv(d, b, 1, MSG_DONTWAIT), EAGAIN);
	CHECK(write(d, "abc", 3) == 3);
	CHECK(recv(c, b, 2, MSG_PEEK) == 2 && !memcmp(b, "ab", 2));
	CHECK(ioctl(c, FIONREAD, &n) == 0 && n == 3);
	CHECK(recv(c, b, sizeof(b), 0) == 3);
	CHECK(events(c, POLLIN | POLLOUT | POLLRDHUP, 0) == POLLOUT);
	close(c);
	close(d);
}

static void test_half_close(void)
{
	int c, d;
	char b[8];

	pair(&c, &d);
	CHECK(shutdown(d, SHUT_WR) == 0);
	CHECK(events(c, POLLIN | POLLRDHUP, 1000) == (POLLIN | POLLRDHUP));
	CHECK(read(c, b, 1) == 0);
	CHECK(write(c, "zz", 2) == 2);
	CHECK(read(d, b, sizeof(b)) == 2);
	close(c);
	CHECK(read(d, b, sizeof(b)) == 0);
	CHECK(events(d, POLLIN | POLLOUT, 1000) & POLLHUP);
	FAILS(send(d, "x", 1, MSG_NOSIGNAL), EPIPE);
	signal(SIGPIPE, on_signal);
	last_signal = 0;
	FAILS(write(d, "x", 1), EPIPE);
	CHECK(last_signal == SIGPIPE);
	close(d);
}

static void test_reset(void)
{
	struct linger at_once = { 1, 0 };
	int c, d, ev;
	char b[8];

	pair(&c, &d);
	CHECK(!setsockopt(d, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)));
	CHECK(write(d, "hi", 2) == 2);
	close(d);
	ev = events(c, POLLIN | POLLOUT | POLLRDHUP, 1000);
	CHECK((ev & (POLLERR | POLLHUP | POLLIN)) ==
	      (POLLERR | POLLHUP | POLLIN));
	CHECK(read(c, b, sizeof(b)) == 2);
	FAILS(read(c, b, sizeof(b)), ECONNRESET);
	CHECK(read(c, b, sizeof(b)) == 0);
	close(c);
	/* Closing with something unread resets as well. */
	pair(&c, &d);
	CHECK(write(c, "x", 1) == 1);
	CHECK(events(d, POLLIN, 1000) & POLLIN);
	close(d);
	FAILS(read(c, b, 1), ECONNRESET);
	close(c);
}

static void test_addresses(void)
{
	struct sockaddr_in a = loopback(0);
	int s = socket(AF_INET, SOCK_STREAM, 0), t, one = 1;

	FAILS(bind(s, (void *)&a, 10), EINVAL);
	a.sin_family = AF_INET6;
	FAILS(bind(s, (void *)&a, sizeof(a)), EAFNOSUPPORT);
	a.sin_family = AF_INET;
	a.sin_addr.s_addr = htonl(0x08080808);
	FAILS(bind(s, (void *)&a, sizeof(a)), EADDRNOTAVAIL);
	FAILS(bind(s, (void *)8, sizeof(a)), EFAULT);
	FAILS(bind(999, (void *)&a, sizeof(a)), EBADF);
	a = loopback(0);
	CHECK(bind(s, (void *)&a, sizeof(a)) == 0);
	FAILS(bind(s, (void *)&a, sizeof(a)), EINVAL);
	a.sin_port = htons(port_of(s));
	t = socket(AF_INET, SOCK_STREAM, 0);
	FAILS(bind(t, (void *)&a, sizeof(a)), EADDRINUSE);
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(t, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	CHECK(bind(t, (void *)&a, sizeof(a)) == 0);
	CHECK(listen(s, 1) == 0);
	FAILS(listen(t, 1), EADDRINUSE);
	close(s);
	close(t);
	FAILS(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
	FAILS(socket(AF_INET, 77, 0), EINVAL);
	FAILS(socket(99, SOCK_STREAM, 0), EAFNOSUPPORT);
	FAILS(socket(AF_INET, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT);
	s = socket(AF_INET, SOCK_STREAM, 0);
	FAILS(accept(s, NULL, NULL), EINVAL);
	FAILS(shutdown(s, SHUT_WR), ENOTCONN);
	FAILS(shutdown(s, 7), EINVAL);
	close(s);
}

static int int_option(int fd, int level, int opt)
{
	socklen_t len = sizeof(int);
	int v = -1;

	CHECK(getsockopt(fd, level, opt, &v, &len) == 0 && len == sizeof(v));
	return v;
}

static void test_options(void)
{
	int s = socket(AF_INET, SOCK_STREAM, 0), v = 5000, c, d;
	struct timeval tv = { 0, 60000 };
	struct tcp_info info;
	socklen_t len = sizeof(info);
	char b;

	CHECK(!setsockopt(s, SOL_SOCKET, SO_RCVBUF, &v, sizeof(v)));
	CHECK(int_option(s, SOL_SOCKET, SO_RCVBUF) == 10000);
	v = 1;
	CHECK(!setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &v, sizeof(v)));
	CHECK(int_option(s, IPPROTO_TCP, TCP_NODELAY) == 1);
	CHECK(int_option(s, SOL_SOCKET, SO_TYPE) == SOCK_STREAM);
	CHECK(int_option(s, SOL_SOCKET, SO_DOMAIN) == AF_INET);
	CHECK(int_option(s, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP);
	CHECK(int_option(s, SOL_SOCKET, SO_ACCEPTCONN) == 0);
	FAILS(setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, &v, 2), EINVAL);
	FAILS(setsockopt(s, SOL_SOCKET, 9999, &v, sizeof(v)), ENOPROTOOPT);
	CHECK(!getsockopt(s, IPPROTO_TCP, TCP_INFO, &info, &len));
	CHECK(info.tcpi_state == TCP_CLOSE);
	close(s);
	pair(&c, &d);
	CHECK(!setsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	FAILS(recv(c, &b, 1, 0), EAGAIN);
	len = sizeof(info);
	CHECK(!getsockopt(c, IPPROTO_TCP, TCP_INFO, &info, &len));
	CHECK(info.tcpi_state == TCP_ESTABLISHED);
	close(c);
	close(d);
}

static void test_udp(void)
{
	int a = socket(AF_INET, SOCK_DGRAM, 0);
	int b = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in to = loopback(0), from;
	socklen_t len = sizeof(from);
	static char buf[70000];
	struct iovec iov = { buf, 2 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	int tries = 100, r;

	CHECK(bind(a, (void *)&to, sizeof(to)) == 0);
	to.sin_port = htons(port_of(a));
	CHECK(sendto(b, "one", 3, 0, (void *)&to, sizeof(to)) == 3);
	CHECK(sendto(b, "", 0, 0, (void *)&to, sizeof(to)) == 0);
	CHECK(sendto(b, "three", 5, 0, (void *)&to, sizeof(to)) == 5);
	CHECK(events(a, POLLIN | POLLOUT, 1000) == (POLLIN | POLLOUT));
	CHECK(recvfrom(a, buf, 100, 0, (void *)&from, &len) == 3);
	CHECK(len == sizeof(from) && from.sin_port == htons(port_of(b)));
	CHECK(recv(a, buf, 100, 0) == 0);
	CHECK(recv(a, buf, 2, MSG_TRUNC | MSG_PEEK) == 5);
	CHECK(recvmsg(a, &m, 0) == 2 && (m.msg_flags & MSG_TRUNC));
	FAILS(recv(a, buf, 1, MSG_DONTWAIT), EAGAIN);
	FAILS(send(b, "x", 1, 0), EDESTADDRREQ);
	FAILS(sendto(b, buf, 70000, 0, (void *)&to, sizeof(to)), EMSGSIZE);
	CHECK(sendto(b, buf, 60000, 0, (void *)&to, sizeof(to)) == 60000);
	CHECK(recv(a, buf, sizeof(buf), 0) == 60000);
	CHECK(connect(b, (void *)&to, sizeof(to)) == 0);
	CHECK(send(b, "q", 1, 0) == 1 && recv(a, buf, 9, 0) == 1);
	close(a);
	do {
		usleep(1000);
		r = send(b, "q", 1, 0);
	} while (r == 1 && --tries);
	CHECK(r == -1 && errno == ECONNREFUSED);
	close(b);
}

static void test_messages(void)
{
	int a = socket(AF_INET, SOCK_DGRAM, 0), one = 1, i;
	struct sockaddr_in to = loopback(0);
	struct iovec iov[3] = { { "a", 1 }, { "bb", 2 }, { "ccc", 3 } };
	struct mmsghdr mm[3];
	struct cmsghdr *cm;
	struct in_pktinfo *info;
	char in[3][8], control[100];

	CHECK(bind(a, (void *)&to, sizeof(to)) == 0);
	to.sin_port = htons(port_of(a));
	CHECK(!setsockopt(a, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one)));
	memset(mm, 0, sizeof(mm));
	for (i = 0; i < 3; i++) {
		mm[i].msg_hdr.msg_iov = &iov[i];
		mm[i].msg_hdr.msg_iovlen = 1;
		mm[i].msg_hdr.msg_name = &to;
		mm[i].msg_hdr.msg_namelen = sizeof(to);
	}
	CHECK(sendmmsg(a, mm, 3, 0) == 3 && mm[2].msg_len == 3);
	for (i = 0; i < 3; i++) {
		iov[i] = (struct iovec){ in[i], sizeof(in[i]) };
		mm[i].msg_hdr.msg_name = NULL;
	}
	mm[0].msg_hdr.msg_control = control;
	mm[0].msg_hdr.msg_controllen = sizeof(control);
	CHECK(recvmmsg(a, mm, 3, MSG_WAITFORONE, NULL) == 3);
	CHECK(mm[1].msg_len == 2 && !memcmp(in[1], "bb", 2));
	cm = CMSG_FIRSTHDR(&mm[0].msg_hdr);
	CHECK(cm && cm->cmsg_type == IP_PKTINFO);
	info = cm ? (struct in_pktinfo *)CMSG_DATA(cm) : NULL;
	CHECK(info && info->ipi_addr.s_addr == htonl(INADDR_LOOPBACK));
	close(a);
}

static void test_dual_stack(void)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6 }, peer;
	int s = socket(AF_INET6, SOCK_STREAM, 0), c, d, port;
	socklen_t len = sizeof(peer);
	struct sockaddr_in a4;
	char b[8];

	CHECK(bind(s, (void *)&a, sizeof(a)) == 0 && listen(s, 5) == 0);
	port = port_of(s);
	a4 = loopback(port);
	c = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect(c, (void *)&a4, sizeof(a4)) == 0);
	d = accept(s, (void *)&peer, &len);
	CHECK(d >= 0 && len == sizeof(peer));
	CHECK(IN6_IS_ADDR_V4MAPPED(&peer.sin6_addr));
	CHECK(write(c, "4", 1) == 1 && read(d, b, sizeof(b)) == 1);
	close(c);
	close(d);
	a.sin6_addr = in6addr_loopback;
	a.sin6_port = htons(port);
	c = socket(AF_INET6, SOCK_STREAM, 0);
	CHECK(connect(c, (void *)&a, sizeof(a)) == 0);
	len = sizeof(peer);
	d = accept(s, (void *)&peer, &len);
	CHECK(d >= 0 && IN6_IS_ADDR_LOOPBACK(&peer.sin6_addr));
	CHECK(write(c, "6", 1) == 1 && read(d, b, sizeof(b)) == 1);
	close(c);
	close(d);
	c = socket(AF_INET, SOCK_STREAM, 0);
	FAILS(bind(c, (void *)&a4, sizeof(a4)), EADDRINUSE);
	close(c);
	close(s);
}

static char pattern(size_t at)
{
	return (char)(at * 7 + at / 251);
}

struct sink {
	int fd;
	size_t bytes, wrong;
};

static void *sink_thread(void *arg)
{
	static char buf[65536];
	struct sink *k = arg;
	ssize_t r, i;

	while ((r = read(k->fd, buf, sizeof(buf))) > 0)
		for (i = 0; i < r; i++)
			k->wrong += buf[i] != pattern(k->bytes++);
	return NULL;
}

static void test_bulk(void)
{
	static char buf[100000];
	size_t sent = 0, total = 8u << 20, i;
	struct sink k = { 0 };
	pthread_t t;
	ssize_t r;
	int c;

	pair(&c, &k.fd);
	pthread_create(&t, NULL, sink_thread, &k);
	while (sent < total) {
		for (i = 0; i < sizeof(buf); i++)
			buf[i] = pattern(sent + i);
		r = write(c, buf, sizeof(buf));
		if (r <= 0)
			break;
		sent += (size_t)r;
	}
	shutdown(c, SHUT_WR);
	pthread_join(t, NULL);
	CHECK(sent >= total && k.bytes == sent && !k.wrong);
	close(c);
	close(k.fd);
}

static void test_full_buffer(void)
{
	struct epoll_event e = { .events = EPOLLOUT | EPOLLET };
	static char buf[65536];
	size_t in = 0, out = 0;
	int c, d, ep = epoll_create1(0);
	ssize_t r;

	pair(&c, &d);
	fcntl(c, F_SETFL, O_NONBLOCK);
	while ((r = write(c, buf, sizeof(buf))) > 0)
		in += (size_t)r;
	CHECK(r == -1 && errno == EAGAIN);
	CHECK(!(events(c, POLLOUT, 0) & POLLOUT));
	CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, c, &e) == 0);
	CHECK(epoll_wait(ep, &e, 1, 0) == 0);
	while (out < in && events(d, POLLIN, 2000) == POLLIN) {
		r = read(d, buf, sizeof(buf));
		if (r <= 0)
			break;
		out += (size_t)r;
	}
	CHECK(out == in);
	CHECK(epoll_wait(ep, &e, 1, 1000) == 1 && (e.events & EPOLLOUT));
	close(ep);
	close(c);
	close(d);
}

#define MANY 200

static void test_many(void)
{
	int port, s = listener(&port, MANY), c[MANY], d[MANY], i, n, v, got = 0;
	struct sockaddr_in a = loopback(port);
	struct epoll_event e[64];
	int ep = epoll_create1(0);

	for (i = 0; i < MANY; i++) {
		c[i] = socket(AF_INET, SOCK_STREAM, 0);
		CHECK(connect(c[i], (void *)&a, sizeof(a)) == 0);
	}
	for (i = 0; i < MANY; i++) {
		d[i] = accept(s, NULL, NULL);
		e[0] = (struct epoll_event){ EPOLLIN, { .fd = d[i] } };
		CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, d[i], e) == 0);
	}
	for (i = 0; i < MANY; i++)
		CHECK(write(c[i], &i, sizeof(i)) == sizeof(i));
	while (got < MANY && (n = epoll_wait(ep, e, 64, 1000)) > 0)
		for (i = 0; i < n; i++)
			got += read(e[i].data.fd, &v, sizeof(v)) == sizeof(v);
	CHECK(got == MANY);
	for (i = 0; i < MANY; i++) {
		close(c[i]);
		close(d[i]);
	}
	close(s);
	close(ep);
}

/* The server closes first: its ports are in TIME_WAIT. */
static void test_churn(void)
{
	int port, s = listener(&port, 16), i, c, d, good = 0;
	struct sockaddr_in a = loopback(port);
	char b;

	for (i = 0; i < 1000; i++) {
		c = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(c, (void *)&a, sizeof(a)))
			break;
		d = accept(s, NULL, NULL);
		good += write(c, "x", 1) == 1 && read(d, &b, 1) == 1;
		close(d);
		close(c);
	}
	CHECK(good == 1000);
	close(s);
}

static void *accept_thread(void *arg)
{
	int r = accept(*(int *)arg, NULL, NULL);

	return (void *)(long)(r < 0 ? -errno : r);
}

static void test_interrupted(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	int port, s = listener(&port, 16);
	pthread_t t;
	void *r;

	sigaction(SIGUSR1, &sa, NULL);
	pthread_create(&t, NULL, accept_thread, &s);
	usleep(50000);
	pthread_kill(t, SIGUSR1);
	pthread_join(t, &r);
	CHECK((long)r == -EINTR);
	pthread_create(&t, NULL, accept_thread, &s);
	usleep(50000);
	shutdown(s, SHUT_RDWR);
	pthread_join(t, &r);
	CHECK((long)r == -EINVAL);
	close(s);
}

int main(void)
{
	test_connect_accept();
	test_nonblocking_connect();
	test_bytes();
	test_half_close();
	test_reset();
	test_addresses();
	test_options();
	test_udp();
	test_messages();
	test_dual_stack();
	test_bulk();
	test_full_buffer();
	test_many();
	test_churn();
	test_interrupted();
	printf("sockets: %d checks, %d failed\n", passed + failed, failed);
	return failed ? 1 : 0;
}
