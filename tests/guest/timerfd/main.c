/* timerfd: both clocks, relative and absolute, intervals. */
#define _GNU_SOURCE
#include "../clock.h"
#include "../show.h"
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <sys/timerfd.h>
#include <unistd.h>

static void set(int fd, int flags, long value_ns, long interval_ns)
{
	struct itimerspec it = {
		{ interval_ns / 1000000000, interval_ns % 1000000000 },
		{ value_ns / 1000000000, value_ns % 1000000000 },
	};

	SHOW(timerfd_settime(fd, flags, &it, NULL));
}

static void relative(int clock)
{
	struct itimerspec it;
	struct timespec start;
	struct pollfd pf;
	uint64_t n = 0;
	int t = timerfd_create(clock, TFD_NONBLOCK | TFD_CLOEXEC);

	SHOW(fcntl(t, F_GETFD));
	SHOW(read(t, &n, 8));
	SHOW(timerfd_gettime(t, &it));
	SHOW(it.it_value.tv_sec + it.it_value.tv_nsec);
	clock_gettime(CLOCK_MONOTONIC, &start);
	set(t, 0, 30000000, 0);
	timerfd_gettime(t, &it);
	SHOW(it.it_value.tv_nsec > 0 && it.it_value.tv_nsec <= 30000000);
	pf = (struct pollfd){ t, POLLIN, 0 };
	SHOW(poll(&pf, 1, -1));
	SHOW(ms_since(&start) >= 30);
	SHOW(read(t, &n, 4));
	SHOW(read(t, &n, 8));
	SHOW(n);
	SHOW(read(t, &n, 8));
	set(t, 0, 1000000000, 0);
	set(t, 0, 0, 0);
	timerfd_gettime(t, &it);
	SHOW(it.it_value.tv_sec + it.it_value.tv_nsec);
	close(t);
}

static void absolute(int clock)
{
	struct itimerspec it = { 0 };
	uint64_t n = 0;
	int t = timerfd_create(clock, 0);

	it.it_value = in_ms(clock, 20);
	SHOW(timerfd_settime(t, TFD_TIMER_ABSTIME, &it, NULL));
	SHOW(read(t, &n, 8));
	SHOW(n);
	it.it_value = (struct timespec){ 0, 1 }; /* passed */
	SHOW(timerfd_settime(t, TFD_TIMER_ABSTIME, &it, NULL));
	SHOW(read(t, &n, 8));
	SHOW(n);
	close(t);
}

static void interval(void)
{
	struct itimerspec old;
	struct timespec start;
	uint64_t n, all = 0;
	int t = timerfd_create(CLOCK_MONOTONIC, 0);
	struct itimerspec it = { { 0, 10000000 }, { 0, 10000000 } };

	clock_gettime(CLOCK_MONOTONIC, &start);
	SHOW(timerfd_settime(t, 0, &it, NULL));
	while (all < 5) {
		if (read(t, &n, 8) != 8)
			break;
		all += n;
	}
	SHOW(all >= 5 && ms_since(&start) >= 50);
	usleep(45000);
	SHOW(read(t, &n, 8));
	SHOW(n >= 3);
	it.it_value.tv_nsec = 0;
	SHOW(timerfd_settime(t, 0, &it, &old));
	SHOW(old.it_interval.tv_nsec);
	SHOW(old.it_value.tv_nsec > 0 && old.it_value.tv_nsec <= 10000000);
	close(t);
}

static void errors(void)
{
	struct itimerspec it = { { 0, 0 }, { 0, 1000000000 } };
	int p[2], t = timerfd_create(CLOCK_MONOTONIC, 0);

	pipe(p);
	SHOW(timerfd_create(77, 0));
	SHOW(timerfd_create(CLOCK_MONOTONIC, 1));
	SHOW(timerfd_settime(t, 0, &it, NULL));
	it.it_value.tv_nsec = -1;
	SHOW(timerfd_settime(t, 0, &it, NULL));
	it.it_value.tv_nsec = 1;
	SHOW(timerfd_settime(t, 8, &it, NULL));
	SHOW(timerfd_settime(p[0], 0, &it, NULL));
	SHOW(timerfd_settime(999, 0, &it, NULL));
	SHOW(timerfd_settime(t, 0, (void *)8, NULL));
	SHOW(timerfd_gettime(p[0], &it));
	SHOW(write(t, &it, 8));
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	relative(CLOCK_MONOTONIC);
	relative(CLOCK_REALTIME);
	absolute(CLOCK_MONOTONIC);
	absolute(CLOCK_REALTIME);
	interval();
	errors();
	return 0;
}
