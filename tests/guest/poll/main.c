/* poll, select and their kin. */
#define _GNU_SOURCE
#include "../clock.h"
#include "../show.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <unistd.h>

static void on_signal(int sig)
{
	printf("signal\n");
}

static void polls(void)
{
	struct timespec start, ts = { 0, 20000000 };
	struct pollfd pf[5];
	int p[2];

	pipe(p);
	pf[0] = (struct pollfd){ p[0], POLLIN, 99 };
	pf[1] = (struct pollfd){ p[1], POLLOUT, 99 };
	pf[2] = (struct pollfd){ -1, POLLIN, 99 };
	pf[3] = (struct pollfd){ 999, POLLIN, 99 };
	pf[4] = (struct pollfd){ p[1], 0, 99 };
	SHOW(poll(pf, 5, -1));
	for (int i = 0; i < 5; i++)
		printf(" %x", pf[i].revents);
	printf("\n");
	clock_gettime(CLOCK_MONOTONIC, &start);
	SHOW(poll(pf, 1, 40));
	SHOW(ms_since(&start) >= 40);
	SHOW(pf[0].revents);
	SHOW(ppoll(pf, 1, &ts, NULL));
	SHOW(poll(NULL, 0, 5));
	SHOW(poll((void *)8, 1, 0));
	SHOW(poll(pf, 1 << 30, 0));
	ts.tv_nsec = -1;
	SHOW(ppoll(pf, 1, &ts, NULL));
	write(p[1], "x", 1);
	SHOW(poll(pf, 1, -1));
	SHOW(pf[0].revents);
	close(p[0]);
	close(p[1]);
}

static void file_is_ready(void)
{
	struct pollfd pf = { open("f", O_CREAT | O_RDWR, 0600),
		POLLIN | POLLOUT | POLLPRI, 0 };

	SHOW(poll(&pf, 1, -1));
	printf("%x\n", pf.revents);
	close(pf.fd);
	unlink("f");
}

static void *later(void *arg)
{
	usleep(30000);
	write(*(int *)arg, "12345678", 8);
	return NULL;
}

static void many(void)
{
	enum { N = 300 };
	static struct pollfd pf[N];
	pthread_t t;
	int n;

	for (int i = 0; i < N; i++)
		pf[i] = (struct pollfd){ eventfd(0, 0), POLLIN, 0 };
	pthread_create(&t, NULL, later, &pf[N - 1].fd);
	n = poll(pf, N, -1);
	printf("%d of many, the last %x\n", n, pf[N - 1].revents);
	pthread_join(t, NULL);
	for (int i = 0; i < N; i++)
		close(pf[i].fd);
}

static void selects(void)
{
	struct timeval tv = { 0, 20000 };
	struct timespec ts = { 0, 10000000 };
	fd_set in, out, ex;
	int p[2];

	pipe(p);
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_ZERO(&ex);
	FD_SET(p[0], &in);
	FD_SET(p[1], &out);
	FD_SET(p[0], &ex);
	SHOW(select(p[1] + 1, &in, &out, &ex, NULL));
	printf("%d %d %d\n", FD_ISSET(p[0], &in), FD_ISSET(p[1], &out),
	    FD_ISSET(p[0], &ex));
	FD_SET(p[0], &in);
	SHOW(select(p[1] + 1, &in, NULL, NULL, &tv));
	SHOW(FD_ISSET(p[0], &in));
	SHOW(tv.tv_sec * 1000000 + tv.tv_usec);
	FD_SET(p[0], &in);
	SHOW(pselect(p[1] + 1, &in, NULL, NULL, &ts, NULL));
	close(p[1]);
	FD_SET(p[0], &in);
	SHOW(select(p[0] + 1, &in, NULL, NULL, NULL));
	FD_ZERO(&ex);
	FD_SET(p[0], &ex);
	tv = (struct timeval){ 0, 1000 };
	SHOW(select(p[0] + 1, NULL, NULL, &ex, &tv));
	close(p[0]);
	FD_ZERO(&in);
	FD_SET(p[0], &in);
	SHOW(select(p[0] + 1, &in, NULL, NULL, NULL));
	SHOW(select(-1, NULL, NULL, NULL, &tv));
	tv = (struct timeval){ -1, 0 };
	SHOW(select(0, NULL, NULL, NULL, &tv));
	tv = (struct timeval){ 0, 3000 };
	SHOW(select(0, NULL, NULL, NULL, &tv));
}

/* More descriptors than fit a few words, and one that cannot be asked. */
static void wide_selects(void)
{
	struct timeval tv = { 0, 0 };
	fd_set in, out, ex;
	int p[2], path;

	pipe(p);
	dup2(p[0], 300);
	dup2(p[1], 700);
	path = open("/", O_PATH);
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_ZERO(&ex);
	FD_SET(300, &in);
	FD_SET(700, &out);
	FD_SET(300, &ex);
	SHOW(select(701, &in, &out, &ex, NULL));
	printf("%d %d %d\n", FD_ISSET(300, &in), FD_ISSET(700, &out),
	    FD_ISSET(300, &ex));
	FD_SET(300, &in);
	SHOW(select(701, &in, NULL, NULL, &tv));
	write(p[1], "x", 1);
	FD_SET(300, &in);
	SHOW(select(301, &in, NULL, NULL, NULL));
	SHOW(FD_ISSET(300, &in));
	FD_ZERO(&in);
	FD_ZERO(&ex);
	FD_SET(path, &in);
	FD_SET(path, &ex);
	SHOW(select(path + 1, &in, NULL, &ex, &tv));
	printf("%d %d\n", FD_ISSET(path, &in), FD_ISSET(path, &ex));
	close(path);
	close(300);
	close(700);
	close(p[0]);
	close(p[1]);
}

static void signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal,
		.sa_flags = SA_RESTART };
	struct timespec ts = { 5, 0 };
	sigset_t set, none;

	sigaction(SIGALRM, &sa, NULL);
	ualarm(20000, 0);
	SHOW(poll(NULL, 0, -1));
	ualarm(20000, 0);
	SHOW(select(0, NULL, NULL, NULL, NULL));
	sigemptyset(&none);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGALRM);
	SHOW(poll(NULL, 0, 10));
	SHOW(ppoll(NULL, 0, NULL, &none));
	raise(SIGALRM);
	SHOW(pselect(0, NULL, NULL, NULL, &ts, &none));
	sigprocmask(SIG_BLOCK, NULL, &set);
	SHOW(sigismember(&set, SIGALRM));
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	polls();
	file_is_ready();
	many();
	selects();
	wide_selects();
	signals();
	return 0;
}
