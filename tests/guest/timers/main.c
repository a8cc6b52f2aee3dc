/*
 * Clocks, sleeps, and timers that raise signals.  Only what does not depend on
 * how fast the machine is gets printed.
 */
#define _GNU_SOURCE
#include "../show.h"
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t count, code, value, overruns;

static int64_t now(clockid_t c)
{
	struct timespec ts;

	if (clock_gettime(c, &ts) != 0)
		return -1;
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

static void on_timer(int sig, siginfo_t *info, void *ctx)
{
	count++;
	code = info->si_code;
	value = info->si_value.sival_int;
	overruns += info->si_overrun;
	(void)sig;
	(void)ctx;
}

static void catch (int sig)
{
	struct sigaction sa = { .sa_sigaction = on_timer,
		.sa_flags = SA_SIGINFO | SA_RESTART };

	sigaction(sig, &sa, NULL);
}

static void clocks(void)
{
	static const clockid_t id[] = { CLOCK_REALTIME, CLOCK_MONOTONIC,
		CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID,
		CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE,
		CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, CLOCK_TAI };
	struct timespec ts;
	struct timeval tv;
	int64_t a, b;
	clockid_t c;

	for (size_t i = 0; i < sizeof(id) / sizeof(id[0]); i++) {
		a = now(id[i]);
		b = now(id[i]);
		printf("clock %d: works %d, never back %d, res %ld\n", id[i],
		    a >= 0, b >= a, (long)clock_getres(id[i], NULL));
	}
	show("clock 77", clock_gettime(77, &ts));
	clock_getres(CLOCK_MONOTONIC, &ts);
	printf("resolution %ld %ld\n", (long)ts.tv_sec, ts.tv_nsec);
	gettimeofday(&tv, NULL);
	a = now(CLOCK_REALTIME) / 1000000000;
	printf("same second %d %d\n", a - tv.tv_sec <= 1, a - time(NULL) <= 1);
	printf("pthread clock %d\n", pthread_getcpuclockid(pthread_self(), &c));
	printf("its time %d\n", now(c) > 0);
	printf("process clock %d", clock_getcpuclockid(0, &c));
	printf(" %d\n", now(c) > 0);
}

static void sleeps(void)
{
	struct timespec ts = { 0, 30000000 }, bad = { 0, 1000000000 };
	int64_t a = now(CLOCK_MONOTONIC);

	show("nanosleep", nanosleep(&ts, NULL));
	printf("slept %d\n", now(CLOCK_MONOTONIC) - a >= 30000000);
	show("bad", nanosleep(&bad, NULL));
	a = now(CLOCK_MONOTONIC) + 30000000;
	ts.tv_sec = a / 1000000000;
	ts.tv_nsec = a % 1000000000;
	printf("absolute %d, reached %d\n",
	    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL),
	    now(CLOCK_MONOTONIC) >= a);
	printf(
	    "in the past %d\n", clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME,
				    &(struct timespec){ 1, 0 }, NULL));
	printf("thread clock %s\n",
	    strerror(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &ts, NULL)));
	show("usleep", usleep(1000));
	show("nowhere", syscall(SYS_nanosleep, 8, 0));
}

static void burn(int64_t ns)
{
	int64_t end = now(CLOCK_PROCESS_CPUTIME_ID) + ns;

	while (now(CLOCK_PROCESS_CPUTIME_ID) < end)
		;
}

/* Or until it should long have come. */
static void burn_until_signal(void)
{
	int64_t end = now(CLOCK_PROCESS_CPUTIME_ID) + 10000000000;

	while (count == 0 && now(CLOCK_PROCESS_CPUTIME_ID) < end)
		;
}

static void cpu_time(void)
{
	struct rusage ru;
	struct tms t;

	burn(30000000);
	getrusage(RUSAGE_SELF, &ru);
	printf("rusage %d, children %d\n",
	    ru.ru_utime.tv_sec * 1000000 + ru.ru_utime.tv_usec +
		    ru.ru_stime.tv_sec * 1000000 + ru.ru_stime.tv_usec >=
		30000,
	    getrusage(RUSAGE_CHILDREN, &ru));
	printf("thread rusage %d, bad %d\n", getrusage(RUSAGE_THREAD, &ru),
	    getrusage(77, &ru));
	printf("times %d\n", times(&t) != (clock_t)-1);
}

static void wait_count(int n)
{
	for (int i = 0; i < 2000 && count < n; i++)
		usleep(1000);
}

static void itimers(void)
{
	struct itimerval it = { { 0, 10000 }, { 0, 5000 } }, old;

	catch (SIGALRM);
	catch (SIGVTALRM);
	catch (SIGPROF);
	count = 0;
	show("setitimer", setitimer(ITIMER_REAL, &it, NULL));
	wait_count(5);
	printf("at least 5: %d, code %d\n", count >= 5, (int)code);
	getitimer(ITIMER_REAL, &old);
	printf("interval %ld, value in it %d\n", (long)old.it_interval.tv_usec,
	    old.it_value.tv_usec <= 10000);
	memset(&it, 0, sizeof(it));
	setitimer(ITIMER_REAL, &it, &old);
	count = 0;
	usleep(30000);
	printf("stopped %d\n", count == 0);
	it.it_value.tv_usec = 10000;
	setitimer(ITIMER_PROF, &it, NULL);
	burn_until_signal();
	printf("prof %d\n", (int)count);
	count = 0;
	setitimer(ITIMER_VIRTUAL, &it, NULL);
	burn_until_signal();
	printf("virtual %d\n", (int)count);
	it.it_value.tv_usec = 2000000;
	show("bad", setitimer(ITIMER_REAL, &it, NULL));
	show("which", getitimer(5, &it));
	printf("alarm %u", alarm(100));
	printf(" %u", alarm(0));
	printf(" %u\n", alarm(0));
}

static void posix_timers(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL,
		.sigev_signo = SIGRTMIN + 1 };
	struct itimerspec it = { { 0, 1000000 }, { 0, 2000000 } }, old;
	timer_t t, u;
	sigset_t set;
	siginfo_t info;

	catch (SIGRTMIN + 1);
	ev.sigev_value.sival_int = 4711;
	count = 0;
	show("timer_create", timer_create(CLOCK_MONOTONIC, &ev, &t));
	show("settime", timer_settime(t, 0, &it, NULL));
	wait_count(5);
	printf("at least 5: %d, code %d, value %d\n", count >= 5, (int)code,
	    (int)value);
	show("gettime", timer_gettime(t, &old));
	printf("interval %ld, running %d\n", old.it_interval.tv_nsec,
	    old.it_value.tv_nsec > 0);
	/* Blocked for a while: one signal, the rest is counted. */
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	usleep(30000);
	sigwaitinfo(&set, &info);
	printf("overrun: info %d, call %d\n", info.si_overrun >= 10,
	    timer_getoverrun(t) >= 10);
	it.it_value.tv_nsec = it.it_interval.tv_nsec = 0;
	timer_settime(t, 0, &it, &old);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	usleep(5000);
	count = 0;
	usleep(10000);
	printf("stopped %d\n", count == 0);
	ev.sigev_notify = SIGEV_NONE;
	show("silent", timer_create(CLOCK_REALTIME, &ev, &u));
	it.it_value.tv_sec = 100;
	timer_settime(u, 0, &it, NULL);
	timer_gettime(u, &old);
	printf("left %d\n", old.it_value.tv_sec >= 98);
	show("delete", timer_delete(u));
	show("delete again", syscall(SYS_timer_delete, 12345));
	show("delete", timer_delete(t));
	ev.sigev_notify = SIGEV_SIGNAL;
	show("cpu timer", timer_create(CLOCK_THREAD_CPUTIME_ID, &ev, &t));
	memset(&it, 0, sizeof(it));
	it.it_value.tv_nsec = 10000000;
	count = 0;
	timer_settime(t, 0, &it, NULL);
	burn_until_signal();
	printf("cpu timer fired %d\n", (int)count);
	timer_delete(t);
	ev.sigev_signo = 100;
	show("bad signal", timer_create(CLOCK_MONOTONIC, &ev, &t));
	show("bad clock", timer_create(99, NULL, &t));
}

static void *ticks;

static void on_thread(union sigval v)
{
	__atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
	ticks = v.sival_ptr;
}

static void thread_timer(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD,
		.sigev_notify_function = on_thread };
	struct itimerspec it = { { 0, 0 }, { 0, 5000000 } };
	timer_t t;

	ev.sigev_value.sival_ptr = &ticks;
	count = 0;
	show("thread timer", timer_create(CLOCK_MONOTONIC, &ev, &t));
	timer_settime(t, 0, &it, NULL);
	wait_count(1);
	printf("ran %d with %d\n", (int)count, ticks == &ticks);
	timer_delete(t);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	clocks();
	sleeps();
	cpu_time();
	itimers();
	posix_timers();
	thread_timer();
	return 0;
}
