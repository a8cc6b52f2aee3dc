/* eventfd, and signalfd where the two meet epoll. */
#define _GNU_SOURCE
#include "../show.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

static int events(int fd)
{
	struct pollfd pf = { fd, POLLIN | POLLOUT, 0 };

	poll(&pf, 1, 0);
	return pf.revents;
}

static void *late(void *arg)
{
	uint64_t v = 5;

	usleep(20000);
	write(*(int *)arg, &v, 8);
	return NULL;
}

static void counter(void)
{
	uint64_t v = 0;
	char small[4];
	int e = eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC);

	SHOW(fcntl(e, F_GETFD));
	SHOW(events(e));
	SHOW(read(e, small, 4));
	SHOW(write(e, small, 4));
	SHOW(read(e, &v, 8));
	SHOW(v);
	SHOW(read(e, &v, 8));
	SHOW(events(e));
	v = UINT64_MAX;
	SHOW(write(e, &v, 8));
	v = UINT64_MAX - 1;
	SHOW(write(e, &v, 8));
	SHOW(events(e));
	v = 1;
	SHOW(write(e, &v, 8));
	SHOW(read(e, &v, 8));
	printf("%lx\n", (unsigned long)v);
	close(e);
	SHOW(eventfd(0, 0x40));
}

static void semaphore(void)
{
	uint64_t v = 7;
	int e = eventfd(2, EFD_NONBLOCK | EFD_SEMAPHORE);

	SHOW(read(e, &v, 8));
	SHOW(v);
	SHOW(read(e, &v, 8));
	SHOW(read(e, &v, 8));
	close(e);
}

static void blocking(void)
{
	pthread_t t;
	uint64_t v;
	int e = eventfd(0, 0);

	pthread_create(&t, NULL, late, &e);
	SHOW(read(e, &v, 8));
	SHOW(v);
	pthread_join(t, NULL);
	close(e);
}

static void signals(void)
{
	struct signalfd_siginfo si[4];
	sigset_t set;
	int s;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s = signalfd(-1, &set, SFD_NONBLOCK);
	GOOD(s);
	SHOW(read(s, si, sizeof(si)));
	SHOW(events(s));
	raise(SIGUSR1);
	sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 42 });
	sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 43 });
	SHOW(events(s));
	SHOW(read(s, si, sizeof(si)) / sizeof(si[0]));
	for (int i = 0; i < 3; i++)
		printf("signal %d, value %d, mine %d\n",
		    si[i].ssi_signo == SIGRTMIN ? 100 : si[i].ssi_signo,
		    si[i].ssi_int, si[i].ssi_pid == getpid());
	SHOW(read(s, si, sizeof(si)));
	SHOW(read(s, si, 10));
	close(s);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	counter();
	semaphore();
	blocking();
	signals();
	return 0;
}
