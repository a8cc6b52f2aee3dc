/* epoll: level, edge, one-shot, nesting, closing, many files. */
#define _GNU_SOURCE
#include "../clock.h"
#include "../show.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static struct epoll_event out[64];

static int add(int ep, int fd, unsigned events, unsigned long data)
{
	struct epoll_event ev = { .events = events, .data.u64 = data };

	return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
}

static int mod(int ep, int fd, unsigned events, unsigned long data)
{
	struct epoll_event ev = { .events = events, .data.u64 = data };

	return epoll_ctl(ep, EPOLL_CTL_MOD, fd, &ev);
}

static void look(int ep, const char *when)
{
	int n = epoll_wait(ep, out, 64, 0);

	printf("%s: %d", when, n);
	for (int i = 0; i < n; i++)
		printf(
		    " [%lu %x]", (unsigned long)out[i].data.u64, out[i].events);
	printf("\n");
}

static void errors(void)
{
	struct epoll_event ev = { 0 };
	int ep = epoll_create1(EPOLL_CLOEXEC), p[2], f;

	pipe(p);
	SHOW(fcntl(ep, F_GETFD));
	SHOW(epoll_create(0));
	SHOW(epoll_create1(1));
	SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &ev));
	SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, 999, &ev));
	SHOW(epoll_ctl(999, EPOLL_CTL_ADD, ep, &ev));
	SHOW(epoll_ctl(p[0], EPOLL_CTL_ADD, p[1], &ev));
	SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], NULL));
	SHOW(epoll_ctl(ep, 9, p[0], &ev));
	SHOW(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &ev));
	SHOW(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL));
	SHOW(add(ep, p[0], EPOLLIN, 1));
	SHOW(add(ep, p[0], EPOLLIN, 1));
	SHOW(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL));
	f = open("file", O_CREAT | O_RDWR, 0600);
	SHOW(add(ep, f, EPOLLIN, 1));
	close(f);
	unlink("file");
	SHOW(epoll_wait(ep, out, 0, 0));
	SHOW(epoll_wait(p[0], out, 1, 0));
	SHOW(epoll_wait(999, out, 1, 0));
	SHOW(epoll_wait(ep, (void *)8, 1, 0));
	SHOW(epoll_wait(ep, out, 1, 1));
	SHOW(read(ep, out, 1));
	close(ep);
	close(p[0]);
	close(p[1]);
}

static void modes(void)
{
	int ep = epoll_create1(0), p[2];
	char buf[10];

	pipe2(p, O_NONBLOCK);
	add(ep, p[0], EPOLLIN, 1);
	add(ep, p[1], EPOLLOUT, 2);
	look(ep, "only writable");
	write(p[1], "abcd", 4);
	look(ep, "level");
	look(ep, "level again");
	read(p[0], buf, 2);
	look(ep, "half read");
	SHOW(mod(ep, p[1], 0, 2));
	SHOW(mod(ep, p[0], EPOLLIN | EPOLLET, 3));
	look(ep, "edge");
	look(ep, "edge again");
	write(p[1], "e", 1);
	look(ep, "edge after a write");
	SHOW(mod(ep, p[0], EPOLLIN | EPOLLONESHOT, 4));
	look(ep, "one shot");
	write(p[1], "e", 1);
	look(ep, "one shot again");
	SHOW(mod(ep, p[0], EPOLLIN | EPOLLONESHOT, 5));
	look(ep, "one shot armed");
	read(p[0], buf, 10);
	SHOW(mod(ep, p[0], EPOLLIN, 6));
	look(ep, "empty");
	close(p[1]);
	look(ep, "hung up");
	close(p[0]);
	look(ep, "closed");
	close(ep);
}

static void duplicates(void)
{
	int ep = epoll_create1(0), e = eventfd(1, 0), d = dup(e);

	SHOW(add(ep, e, EPOLLIN, 1));
	SHOW(add(ep, d, EPOLLIN, 2));
	look(ep, "two names");
	close(e);
	/* The file is still open: Linux goes on reporting both. */
	look(ep, "one closed");
	close(d);
	look(ep, "both closed");
	close(ep);
}

static void nested(void)
{
	int a = epoll_create1(0), b = epoll_create1(0), c = epoll_create1(0);
	int e = eventfd(0, EFD_NONBLOCK);
	uint64_t v = 1;

	SHOW(add(a, b, EPOLLIN, 1));
	SHOW(add(b, c, EPOLLIN, 2));
	SHOW(add(c, a, EPOLLIN, 3));
	SHOW(add(c, e, EPOLLIN, 4));
	look(a, "outer, nothing");
	write(e, &v, 8);
	look(a, "outer");
	look(b, "middle");
	look(c, "inner");
	read(e, &v, 8);
	look(a, "outer, read");
	SHOW(mod(a, b, EPOLLIN | EPOLLET, 9));
	v = 1;
	write(e, &v, 8);
	look(a, "outer edge");
	look(a, "outer edge again");
	close(c);
	look(b, "middle, inner closed");
	close(a);
	close(b);
	close(e);
}

static void many(void)
{
	enum { N = 400 };
	static int fd[N];
	int ep = epoll_create1(0), got = 0;
	struct rlimit rl = { 4096, 4096 };
	unsigned long sum = 0;
	uint64_t v = 1;

	setrlimit(RLIMIT_NOFILE, &rl);
	for (int i = 0; i < N; i++) {
		fd[i] = eventfd(0, EFD_NONBLOCK);
		add(ep, fd[i], EPOLLIN | EPOLLET, i);
	}
	for (int i = 0; i < N; i += 3)
		write(fd[i], &v, 8);
	for (;;) {
		int n = epoll_wait(ep, out, 10, 0);

		if (n <= 0)
			break;
		got += n;
		for (int i = 0; i < n; i++)
			sum += out[i].data.u64;
	}
	printf("of many: %d, sum %lu\n", got, sum);
	for (int i = 0; i < N; i++)
		close(fd[i]);
	look(ep, "all closed");
	close(ep);
}

static int shared_ep, shared_e, woken;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *waiter(void *arg)
{
	struct epoll_event ev;
	uint64_t v;

	while (epoll_wait(shared_ep, &ev, 1, -1) == 1 && ev.data.u64 == 1) {
		if (read(shared_e, &v, 8) == 8) {
			pthread_mutex_lock(&lock);
			woken += v;
			pthread_mutex_unlock(&lock);
		}
	}
	return NULL;
}

static void threads(void)
{
	pthread_t t[4];
	uint64_t one = 1;
	int stop = eventfd(0, 0);

	shared_ep = epoll_create1(0);
	shared_e = eventfd(0, EFD_NONBLOCK | EFD_SEMAPHORE);
	add(shared_ep, shared_e, EPOLLIN, 1);
	add(shared_ep, stop, EPOLLIN, 2);
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, waiter, NULL);
	for (int i = 0; i < 2000; i++)
		write(shared_e, &one, 8);
	for (;;) {
		pthread_mutex_lock(&lock);
		int n = woken;
		pthread_mutex_unlock(&lock);
		if (n == 2000)
			break;
		usleep(1000);
	}
	write(stop, &one, 8);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	printf("threads took %d\n", woken);
}

static void *wait_badly(void *arg)
{
	int n = epoll_wait(shared_ep, arg, 1, -1);

	return (void *)(long)(n < 0 ? errno : 0);
}

static void *wait_well(void *arg)
{
	struct epoll_event ev;

	return (void *)(long)epoll_wait(shared_ep, &ev, 1, -1);
}

/*
 * One waiter has nowhere to put an event: it is the other's.  Which of them is
 * woken first is the kernel's choice, so both begin.  An event that nobody is
 * woken for shows as a test that does not end.
 */
static void faults(int bad_first)
{
	void *page =
	    mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_t bad, good;
	uint64_t one = 1;
	void *r;

	shared_ep = epoll_create1(0);
	shared_e = eventfd(0, EFD_NONBLOCK);
	add(shared_ep, shared_e, EPOLLIN | EPOLLET, 1);
	if (bad_first)
		pthread_create(&bad, NULL, wait_badly, page);
	usleep(30000);
	pthread_create(&good, NULL, wait_well, NULL);
	usleep(30000);
	if (!bad_first)
		pthread_create(&bad, NULL, wait_badly, page);
	usleep(30000);
	write(shared_e, &one, 8);
	pthread_join(good, &r);
	printf("the good one: %ld\n", (long)r);
	write(shared_e, &one, 8);
	pthread_join(bad, &r);
	printf("the bad one: %d\n", (long)r == EFAULT);
	close(shared_ep);
	close(shared_e);
	munmap(page, 4096);
}

static void on_alarm(int sig)
{
	printf("alarm\n");
}

static void waits(void)
{
	struct sigaction sa = { .sa_handler = on_alarm,
		.sa_flags = SA_RESTART };
	struct timespec a, ts = { 0, 30000000 };
	int ep = epoll_create1(0);
	sigset_t set, old;

	clock_gettime(CLOCK_MONOTONIC, &a);
	SHOW(epoll_wait(ep, out, 1, 50));
	printf("waited long enough: %d\n", ms_since(&a) >= 50);
	SHOW(epoll_pwait2(ep, out, 1, &ts, NULL));
	sigaction(SIGALRM, &sa, NULL);
	ualarm(20000, 0);
	SHOW(epoll_wait(ep, out, 1, -1));
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, &old);
	raise(SIGALRM);
	SHOW(epoll_wait(ep, out, 1, 10));
	sigemptyset(&set);
	SHOW(epoll_pwait(ep, out, 1, -1, &set));
	sigprocmask(SIG_SETMASK, NULL, &set);
	printf("still blocked: %d\n", sigismember(&set, SIGALRM));
	sigprocmask(SIG_SETMASK, &old, NULL);
	close(ep);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	errors();
	modes();
	duplicates();
	nested();
	many();
	threads();
	faults(0);
	faults(1);
	waits();
	return 0;
}
