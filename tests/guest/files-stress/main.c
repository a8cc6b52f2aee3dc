/*
 * Descriptors, pipes, epoll and local sockets under several threads at once.
 * What is counted in must come out; the rest is that nothing breaks.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define THREADS 4

static void spread(void *(*fn)(void *), int n)
{
	pthread_t t[16];

	for (long i = 0; i < n; i++)
		pthread_create(&t[i], NULL, fn, (void *)i);
	for (int i = 0; i < n; i++)
		pthread_join(t[i], NULL);
}

static unsigned next(unsigned *seed)
{
	return *seed = *seed * 1103515245 + 12345, *seed >> 8;
}

/* --- descriptors that come and go under their users -------------------- */

#define FIRST 40
#define RANGE 12

static atomic_int strange;

/* Errors that a race may give; any other is counted. */
static void expect(long r)
{
	if (r < 0 && errno != EBADF && errno != EAGAIN && errno != EPIPE &&
	    errno != EINVAL && errno != ENOENT && errno != EEXIST &&
	    errno != ELOOP && errno != ENOTSOCK && errno != EPERM &&
	    errno != ENOTCONN && errno != EBUSY && errno != ECONNRESET) {
		if (atomic_fetch_add(&strange, 1) == 0)
			printf("strange: %s\n", strerror(errno));
	}
}

static void one_step(unsigned *seed)
{
	struct epoll_event ev = { .events = next(seed) & 0x8000001f };
	int a = FIRST + next(seed) % RANGE, b = FIRST + next(seed) % RANGE;
	struct pollfd pf[2] = { { a, POLLIN, 0 }, { b, POLLOUT, 0 } };
	uint64_t v = 1;
	int p[2];

	switch (next(seed) % 12) {
	case 0:
		if (pipe2(p, O_NONBLOCK) == 0) {
			expect(dup2(p[0], a));
			expect(dup2(p[1], b));
			close(p[0]);
			close(p[1]);
		}
		break;
	case 1:
		p[0] = eventfd(next(seed) % 3, EFD_NONBLOCK);
		expect(dup3(p[0], a, O_CLOEXEC));
		close(p[0]);
		break;
	case 2:
		p[0] = epoll_create1(0);
		expect(dup2(p[0], a));
		close(p[0]);
		break;
	case 3:
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p))
			break;
		expect(dup2(p[0], a));
		expect(dup2(p[1], b));
		close(p[0]);
		close(p[1]);
		break;
	case 4:
		expect(close(a));
		break;
	case 5:
		expect(read(a, &v, 8));
		break;
	case 6:
		v = 1;
		expect(write(a, &v, 8));
		break;
	case 7:
		expect(poll(pf, 2, 0));
		break;
	case 8:
		expect(epoll_ctl(a, EPOLL_CTL_ADD, b, &ev));
		break;
	case 9:
		expect(epoll_wait(a, &ev, 1, 0));
		break;
	case 10:
		expect(
		    epoll_ctl(a, EPOLL_CTL_MOD + next(seed) % 2 - 1, b, &ev));
		break;
	default:
		expect(fcntl(a, F_SETFD, FD_CLOEXEC));
		break;
	}
}

static void *juggle(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg * 7919 + 1;

	for (int i = 0; i < 6000; i++)
		one_step(&seed);
	return NULL;
}

/* --- records through one pipe ------------------------------------------ */

#define RECORDS 3000

static int the_pipe[2];
static atomic_ulong records, torn;

static void *write_records(void *arg)
{
	char rec[96];

	for (int i = 0; i < RECORDS; i++) {
		memset(rec, 'a' + (i + (long)arg) % 26, sizeof(rec));
		if (write(the_pipe[1], rec, sizeof(rec)) != sizeof(rec))
			printf("short write\n");
	}
	return NULL;
}

static void *read_records(void *arg)
{
	char rec[96];
	ssize_t n;

	while ((n = read(the_pipe[0], rec, sizeof(rec))) > 0) {
		for (int i = 1; i < n; i++)
			if (rec[i] != rec[0])
				torn++;
		if (n != sizeof(rec))
			torn++;
		records++;
	}
	return NULL;
}

static void pipes(void)
{
	pthread_t r[2];

	pipe(the_pipe);
	for (int i = 0; i < 2; i++)
		pthread_create(&r[i], NULL, read_records, NULL);
	spread(write_records, 3);
	close(the_pipe[1]);
	for (int i = 0; i < 2; i++)
		pthread_join(r[i], NULL);
	close(the_pipe[0]);
	printf("records %lu, torn %lu\n", records, torn);
}

/* --- one epoll, many events -------------------------------------------- */

#define EVENTS 32
#define POSTS  2000
#define STOP   1000

static int ep, event[EVENTS], stop;
static atomic_ulong taken;

static void rearm(int i)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLONESHOT,
		.data.u32 = i };

	if (i % 3 == 0)
		epoll_ctl(ep, EPOLL_CTL_MOD, event[i], &ev);
}

static void *wait_events(void *arg)
{
	struct epoll_event ev[4];
	uint64_t v;

	for (;;) {
		int n = epoll_wait(ep, ev, 1 + (long)arg, -1);

		for (int i = 0; i < n; i++) {
			if (ev[i].data.u32 == STOP)
				return NULL;
			if (read(event[ev[i].data.u32], &v, 8) == 8)
				taken += v;
			rearm(ev[i].data.u32);
		}
	}
}

static void *post_events(void *arg)
{
	unsigned seed = (long)arg + 3;
	uint64_t one = 1;

	for (int i = 0; i < POSTS; i++)
		write(event[next(&seed) % EVENTS], &one, 8);
	return NULL;
}

static void *disturb(void *arg)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };

	/* Files of its own, added and closed while others wait. */
	for (int i = 0; i < 1000; i++) {
		int e = eventfd(1, EFD_NONBLOCK), d = dup(e);

		ev.data.u32 = 0;
		epoll_ctl(ep, EPOLL_CTL_ADD, e, &ev);
		if (i & 1)
			epoll_ctl(ep, EPOLL_CTL_DEL, e, &ev);
		close(e);
		close(d);
	}
	return NULL;
}

static void epolls(void)
{
	/* Level, edge and one-shot, by number. */
	static const unsigned how[3] = { EPOLLONESHOT, 0, EPOLLET };
	pthread_t w[3], d;
	uint64_t one = 1, v;

	ep = epoll_create1(0);
	stop = eventfd(0, 0);
	for (int i = 0; i < EVENTS; i++) {
		struct epoll_event ev = { .events = EPOLLIN | how[i % 3],
			.data.u32 = i };

		event[i] = eventfd(0, EFD_NONBLOCK);
		epoll_ctl(ep, EPOLL_CTL_ADD, event[i], &ev);
	}
	for (long i = 0; i < 3; i++)
		pthread_create(&w[i], NULL, wait_events, (void *)i);
	pthread_create(&d, NULL, disturb, NULL);
	spread(post_events, 3);
	pthread_join(d, NULL);
	for (int i = 0; i < 5000 && taken < 3 * POSTS; i++)
		usleep(1000);
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = STOP };
	epoll_ctl(ep, EPOLL_CTL_ADD, stop, &ev);
	write(stop, &one, 8);
	for (int i = 0; i < 3; i++)
		pthread_join(w[i], NULL);
	printf("events taken %lu of %d\n", taken, 3 * POSTS);
	for (int i = 0; i < EVENTS; i++)
		if (read(event[i], &v, 8) == 8)
			printf("event %d left with %lu\n", i, (unsigned long)v);
	for (int i = 0; i < EVENTS; i++)
		close(event[i]);
	close(stop);
	close(ep);
}

/* --- counters whose readers and writers block --------------------------- */

#define COUNTS 2000

static int counter, semaphore;

static void *count_up(void *arg)
{
	/* Two do not fit: who writes waits for who reads. */
	uint64_t v = UINT64_MAX / 2 + 1 + (long)arg;

	for (int i = 0; i < COUNTS; i++) {
		uint64_t one = 1;

		write(semaphore, &one, 8);
		if (i % 4 == 0)
			write(counter, &v, 8);
	}
	return NULL;
}

static void *count_down(void *arg)
{
	uint64_t v, sum = 0;

	for (int i = 0; i < COUNTS; i++) {
		if (read(semaphore, &v, 8) != 8 || v != 1)
			printf("semaphore: %lu\n", (unsigned long)v);
		if (i % 4 == 0 && read(counter, &v, 8) == 8)
			sum += v;
	}
	taken += sum;
	return NULL;
}

static void *up_or_down(void *arg)
{
	return (long)arg & 2 ? count_down(arg) : count_up(arg);
}

static void counters(void)
{
	uint64_t v = 0;

	taken = 0;
	counter = eventfd(0, 0);
	semaphore = eventfd(0, EFD_SEMAPHORE);
	spread(up_or_down, 4);
	/* The high bit has come an even number of times. */
	printf("counted %lu\n", taken);
	fcntl(semaphore, F_SETFL, O_NONBLOCK);
	if (read(semaphore, &v, 8) >= 0)
		printf("semaphore left with %lu\n", (unsigned long)v);
	close(counter);
	close(semaphore);
}

/* --- connections, each with a descriptor sent over it ------------------- */

#define CONNECTIONS 150

static struct sockaddr_un addr = { AF_UNIX, "\0stress" };
static int listener;
static atomic_ulong served, bytes_back;

static void *serve(void *arg)
{
	for (int i = 0; i < CONNECTIONS; i++) {
		char control[CMSG_SPACE(sizeof(int))], c[16];
		struct iovec iov = { c, sizeof(c) };
		struct msghdr m = { .msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control) };
		int s = accept(listener, NULL, NULL), fd;

		if (s < 0 || recvmsg(s, &m, 0) <= 0 || !CMSG_FIRSTHDR(&m)) {
			printf("server: %s\n", strerror(errno));
			return NULL;
		}
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
		write(fd, "answer", 6);
		close(fd);
		close(s);
		served++;
	}
	return NULL;
}

static void *request(void *arg)
{
	for (int i = 0; i < CONNECTIONS; i++) {
		char control[CMSG_SPACE(sizeof(int))] = { 0 }, c[16];
		struct iovec iov = { "ask", 3 };
		struct msghdr m = { .msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control) };
		struct cmsghdr *cm = CMSG_FIRSTHDR(&m);
		int s = socket(AF_UNIX, SOCK_STREAM, 0), p[2];
		ssize_t n;

		pipe(p);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cm), &p[1], sizeof(int));
		if (connect(s, (void *)&addr, 9) || sendmsg(s, &m, 0) != 3)
			printf("client: %s\n", strerror(errno));
		close(p[1]);
		while ((n = read(p[0], c, sizeof(c))) > 0)
			bytes_back += n;
		close(p[0]);
		close(s);
	}
	return NULL;
}

static void *both(void *arg)
{
	return (long)arg & 1 ? serve(arg) : request(arg);
}

static void connections(void)
{
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	bind(listener, (void *)&addr, 9);
	listen(listener, 3);
	spread(both, 6);
	printf("served %lu, %lu bytes back\n", served, bytes_back);
	close(listener);
}

/* --- a reader whose descriptor is closed, and signals ------------------- */

static void on_signal(int sig)
{
}

static atomic_int hits;

static void *read_forever(void *arg)
{
	char c;

	while (read(the_pipe[0], &c, 1) == 1)
		hits++;
	return NULL;
}

static void close_under_reader(void)
{
	for (int i = 0; i < 50; i++) {
		pthread_t t;

		hits = 0;
		pipe(the_pipe);
		pthread_create(&t, NULL, read_forever, NULL);
		write(the_pipe[1], "x", 1);
		close(the_pipe[1]);
		pthread_join(t, NULL);
		if (hits != 1)
			printf("byte lost\n");
		close(the_pipe[0]);
	}
	printf("closed under readers\n");
}

static atomic_bool interrupting;

static void *interrupt_others(void *arg)
{
	while (interrupting) {
		kill(getpid(), SIGUSR1);
		usleep(300);
	}
	return NULL;
}

static void all_transfers(void)
{
	records = torn = taken = served = bytes_back = 0;
	pipes();
	epolls();
	counters();
	connections();
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal,
		.sa_flags = SA_RESTART };
	int rounds = argc > 1 ? atoi(argv[1]) : 1;
	pthread_t t;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGUSR1, &sa, NULL);
	for (int i = 0; i < rounds; i++) {
		spread(juggle, THREADS);
		close_range(FIRST, FIRST + RANGE, 0);
		printf("juggled, %d strange\n", strange);
		all_transfers();
		close_under_reader();
		/* Again while signals fall. */
		interrupting = true;
		pthread_create(&t, NULL, interrupt_others, NULL);
		all_transfers();
		interrupting = false;
		pthread_join(t, NULL);
	}
	printf("end\n");
	return 0;
}
