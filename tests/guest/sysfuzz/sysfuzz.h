/* What the parts of this test share. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PAGE     4096ul
#define ARENA    (64 * PAGE) /* the pages given to calls that move mappings */
#define WORKERS  2
#define POOL_FDS 48
#define FIRST_FD 3
#define LAST_FD  90

struct worker {
	uint64_t rng;
	unsigned long calls;
	volatile unsigned long n; /* calls made */
	volatile long nr;         /* the one running, for the report */
	volatile long a[6];
	volatile int tid;
	volatile int done;
	char *mem;  /* 16 pages, then one that is not mapped */
	char *ro;   /* a page that cannot be written */
	char *none; /* a page that cannot be touched */
	char *hole; /* a page behind the end of its file */
	char *arena;
	unsigned long fs;
};

static int verbose;

/* errno lives in the thread's TLS, which some of these calls attack. */
static inline long sys(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 asm("r10") = d, r8 asm("r8") = e, r9 asm("r9") = f;
	long r;

	asm volatile(
	    "syscall"
	    : "=a"(r)
	    : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
	    : "rcx", "r11", "memory");
	return r;
}

static inline uint64_t rnd(struct worker *w)
{
	w->rng ^= w->rng << 13;
	w->rng ^= w->rng >> 7;
	w->rng ^= w->rng << 17;
	return (w->rng * 0x2545f4914f6cdd1d) >> 16;
}

static inline unsigned below(struct worker *w, unsigned n)
{
	return rnd(w) % n;
}

static inline void nap(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	sys(SYS_nanosleep, (long)&ts, 0, 0, 0, 0, 0);
}

static void on_signal(int sig)
{
}

static void quiet_signals(void)
{
	static const int heard[] = { SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM,
		SIGPROF, SIGIO, SIGPIPE, SIGURG, SIGHUP, SIGXFSZ, SIGXCPU,
		SIGTTIN, SIGTTOU };
	struct sigaction sa = { .sa_handler = on_signal };
	unsigned i;

	for (i = 0; i < sizeof(heard) / sizeof(*heard); i++)
		sigaction(heard[i], &sa, NULL);
}
