/*
 * What threads, memory and system calls cost.  One static program, run
 * unchanged on osv and as Linux's /init.
 *
 * usage: micro [one|two|libc|loop] [NAME]
 *
 *   one   what one processor does (the default)
 *   two   what two processors do to each other
 *   libc  only what depends on the C library
 *   loop  one of the first, without end: for the script profile
 *
 * Prints "micro NAME NANOSECONDS" for each case: the median of some rounds, a
 * round being enough operations that reading the clock does not count.  With
 * "one" it goes on as PROGRAM-musl libc, if there is that.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 9
#define PAGE   4096ul

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		err(1, "sched_setaffinity to cpu %d", cpu);
}

static void check(int ok, const char *what)
{
	if (!ok)
		err(1, "%s", what);
}

/* --- one thread -------------------------------------------------------- */

static int null_fd, event_fd, epoll_fd;

/* Not through a site that a kernel could know: the number is in memory. */
static void getppid_insn(long n)
{
	static volatile long number = SYS_getppid;

	while (n--) {
		long ret;

		__asm__ volatile("syscall"
				 : "=a"(ret)
				 : "0"(number)
				 : "rcx", "r11", "memory");
	}
}

static void getppid_libc(long n)
{
	while (n--)
		getppid();
}

static void clock_read(long n)
{
	struct timespec t;

	while (n--)
		clock_gettime(CLOCK_MONOTONIC, &t);
}

static void write_null(long n)
{
	while (n--)
		check(write(null_fd, "", 1) == 1, "write /dev/null");
}

static void yield(long n)
{
	while (n--)
		sched_yield();
}

static void *nothing(void *arg)
{
	return arg;
}

static void create_join(long n)
{
	pthread_t t;

	while (n--) {
		check(!pthread_create(&t, NULL, nothing, NULL), "thread");
		pthread_join(t, NULL);
	}
}

static void *map(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(p != MAP_FAILED, "mmap");
	return p;
}

static void map_unmap(long n)
{
	while (n--)
		munmap(map(PAGE), PAGE);
}

static void map_touch_unmap(long n)
{
	while (n--) {
		volatile char *p = map(PAGE);

		*p = 1;
		munmap((void *)p, PAGE);
	}
}

static volatile char *fault_area;

/* (n) pages that were never touched; the mapping is made outside the clock. */
static void fault_prepare(long n)
{
	fault_area = map(n * PAGE);
	madvise((void *)fault_area, n * PAGE, MADV_NOHUGEPAGE);
}

static void fault(long n)
{
	for (long i = 0; i < n; i++)
		fault_area[i * PAGE] = 1;
}

static void fault_finish(long n)
{
	munmap((void *)fault_area, n * PAGE);
}

static void eventfd_epoll(long n)
{
	struct epoll_event ev;
	uint64_t v = 1;

	while (n--) {
		check(write(event_fd, &v, 8) == 8, "eventfd");
		check(epoll_wait(epoll_fd, &ev, 1, -1) == 1, "epoll");
		check(read(event_fd, &v, 8) == 8, "eventfd");
	}
}

/* --- two threads ------------------------------------------------------- */

/* Side 0 is the partner's, side 1 the measuring thread's. */
static int partner_cpu;
static sem_t sem[2];
static int fds[2][2]; /* of a side: [0] to read, [1] to write */
static int ready[2];  /* its epoll */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static volatile long guarded;

struct game {
	void (*give)(int side);
	void (*take)(int side);
	long n;
};

static void sem_give(int side)
{
	sem_post(&sem[!side]);
}

static void sem_take(int side)
{
	sem_wait(&sem[side]);
}

static void byte_give(int side)
{
	check(write(fds[side][1], "", 1) == 1, "write");
}

static void byte_take(int side)
{
	char c;

	check(read(fds[side][0], &c, 1) == 1, "read");
}

static void event_give(int side)
{
	uint64_t v = 1;

	check(write(fds[side][1], &v, 8) == 8, "write");
}

static void event_take(int side)
{
	struct epoll_event ev;
	uint64_t v;

	check(epoll_wait(ready[side], &ev, 1, -1) == 1, "epoll_wait");
	check(read(fds[side][0], &v, 8) == 8, "read");
}

static void yield_give(int side)
{
	(void)side;
	sched_yield();
}

static void mutex_give(int side)
{
	(void)side;
	pthread_mutex_lock(&mutex);
	for (int i = 0; i < 10; i++)
		guarded++;
	pthread_mutex_unlock(&mutex);
}

static void nothing_to_take(int side)
{
	(void)side;
}

/* On two cpus: or one is done before the other has come. */
static pthread_barrier_t begin_together;

static void *partner(void *arg)
{
	struct game g = *(struct game *)arg;

	pin(partner_cpu);
	if (partner_cpu)
		pthread_barrier_wait(&begin_together);
	while (g.n--) {
		g.take(0);
		g.give(0);
	}
	return NULL;
}

static void play(void (*give)(int), void (*take)(int), long n)
{
	struct game g = { give, take, n };
	pthread_t t;

	check(!pthread_create(&t, NULL, partner, &g), "thread");
	if (partner_cpu)
		pthread_barrier_wait(&begin_together);
	while (n--) {
		give(1);
		take(1);
	}
	pthread_join(t, NULL);
}

static void sem_game(long n)
{
	play(sem_give, sem_take, n);
}

static void byte_game(long n)
{
	play(byte_give, byte_take, n);
}

static void event_game(long n)
{
	play(event_give, event_take, n);
}

static void yield_game(long n)
{
	play(yield_give, nothing_to_take, n);
}

static void mutex_game(long n)
{
	play(mutex_give, nothing_to_take, n);
}

static void pipes_make(long n)
{
	int a[2], b[2];

	(void)n;
	check(!pipe(a) && !pipe(b), "pipe");
	fds[0][0] = a[0];
	fds[1][1] = a[1];
	fds[1][0] = b[0];
	fds[0][1] = b[1];
}

static void sockets_make(long n)
{
	int s[2];

	(void)n;
	check(!socketpair(AF_UNIX, SOCK_STREAM, 0, s), "socketpair");
	for (int i = 0; i < 2; i++)
		fds[i][0] = fds[i][1] = s[i];
}

static int epoll_of(int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };
	int e = epoll_create1(0);

	check(e >= 0 && !epoll_ctl(e, EPOLL_CTL_ADD, fd, &ev), "epoll");
	return e;
}

static void events_make(long n)
{
	(void)n;
	for (int i = 0; i < 2; i++) {
		fds[i][0] = fds[!i][1] = eventfd(0, 0);
		ready[i] = epoll_of(fds[i][0]);
	}
}

/* --- measuring --------------------------------------------------------- */

struct test {
	const char *name;
	void (*run)(long n);
	void (*prepare)(long n); /* outside the clock; may be NULL */
	void (*finish)(long n);
	long n;  /* operations in a round */
	int per; /* what is printed, per operation: 2 for a switch */
};

static const struct test one[] = {
	{ "switch", sem_game, NULL, NULL, 2000, 2 },
	{ "getppid-syscall", getppid_insn, NULL, NULL, 2000, 1 },
	{ "getppid-glibc", getppid_libc, NULL, NULL, 2000, 1 },
	{ "clock_gettime", clock_read, NULL, NULL, 2000, 1 },
	{ "write-null", write_null, NULL, NULL, 2000, 1 },
	{ "sched_yield", yield, NULL, NULL, 2000, 1 },
	{ "yield-switch", yield_game, NULL, NULL, 2000, 2 },
	{ "create-join", create_join, NULL, NULL, 300, 1 },
	{ "mmap-munmap", map_unmap, NULL, NULL, 1000, 1 },
	{ "mmap-touch-munmap", map_touch_unmap, NULL, NULL, 1000, 1 },
	{ "page-fault", fault, fault_prepare, fault_finish, 1000, 1 },
	{ "pipe", byte_game, pipes_make, NULL, 1000, 1 },
	{ "socketpair", byte_game, sockets_make, NULL, 1000, 1 },
	{ "eventfd-epoll", eventfd_epoll, NULL, NULL, 1000, 1 },
	{ "eventfd-epoll-threads", event_game, events_make, NULL, 1000, 1 },
	{ NULL },
};

static const struct test two[] = {
	{ "switch-2cpu", sem_game, NULL, NULL, 5000, 2 },
	{ "mutex-2cpu", mutex_game, NULL, NULL, 400000, 2 },
	{ "pipe-2cpu", byte_game, pipes_make, NULL, 2000, 1 },
	{ NULL },
};

static const struct test libc[] = {
	{ "getppid-musl", getppid_libc, NULL, NULL, 2000, 1 },
	{ "write-null-musl", write_null, NULL, NULL, 2000, 1 },
	{ NULL },
};

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static uint64_t round_of(const struct test *t)
{
	uint64_t begin, end;

	if (t->prepare)
		t->prepare(t->n);
	begin = now();
	t->run(t->n);
	end = now();
	if (t->finish)
		t->finish(t->n);
	return end - begin;
}

static void measure(const struct test *t)
{
	uint64_t ns[ROUNDS];

	round_of(t);
	for (int i = 0; i < ROUNDS; i++)
		ns[i] = round_of(t);
	qsort(ns, ROUNDS, sizeof(ns[0]), by_value);
	printf("micro %s %.1f\n", t->name,
	    (double)ns[ROUNDS / 2] / (double)(t->n * t->per));
	fflush(stdout);
}

static void repeat(const struct test *t)
{
	printf("loop %s\n", t->name);
	fflush(stdout);
	for (;;)
		round_of(t);
}

/* --- the machine ------------------------------------------------------- */

/* Linux starts us with nothing. */
static void init_linux(void)
{
	int fd;

	mkdir("/dev", 0755);
	check(!mount("dev", "/dev", "devtmpfs", 0, NULL), "mount /dev");
	fd = open("/dev/console", O_RDWR);
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
}

static void go_on_with_musl(const char *self, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s-musl", self);
	if (access(path, X_OK) == 0)
		execl(path, path, "libc", name, NULL);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "one";
	const char *name = argc > 2 ? argv[2] : NULL;
	const struct test *t = one;
	int endless = !strcmp(what, "loop");

	if (getpid() == 1 && access("/dev/null", F_OK))
		init_linux();
	if (!strcmp(what, "two"))
		t = two;
	else if (!strcmp(what, "libc"))
		t = libc;
	pin(0);
	partner_cpu = t == two;
	pthread_barrier_init(&begin_together, NULL, 2);
	null_fd = open("/dev/null", O_WRONLY);
	event_fd = eventfd(0, 0);
	epoll_fd = epoll_of(event_fd);
	for (; t->name; t++)
		if (!name || !strcmp(name, t->name))
			endless ? repeat(t) : measure(t);
	if (!strcmp(what, "one"))
		go_on_with_musl(argv[0], name);
	if (getpid() == 1)
		reboot(RB_POWER_OFF);
	return 0;
}
