/*
 * Files, mappings, threads, futexes and signals at once: what each thread
 * wrote it must find again, and nothing else may break.
 */
#define _GNU_SOURCE
#include "../clock.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEPS 120

static atomic_int wrong;

static void check(int ok, const char *what)
{
	if (!ok && atomic_fetch_add(&wrong, 1) < 5)
		printf("wrong: %s: %s\n", what, strerror(errno));
}

static unsigned next(unsigned *seed)
{
	return *seed = *seed * 1103515245 + 12345, *seed >> 8;
}

/* --- files of one's own in a folder of all ------------------------------ */

static void *files(void *arg)
{
	unsigned seed = (uintptr_t)arg + 11;
	char name[40], other[40], buf[9000], back[9000];
	struct stat st;

	for (int i = 0; i < STEPS; i++) {
		size_t n = next(&seed) % sizeof(buf), off = next(&seed) % 20000;
		int fd;

		snprintf(name, sizeof(name), "d/f%lu.%u", (long)arg, i % 5);
		snprintf(other, sizeof(other), "d/g%lu.%u", (long)arg, i % 3);
		fd = open(name, O_CREAT | O_RDWR, 0600);
		check(fd >= 0, "open");
		memset(buf, 'a' + i % 26, n);
		check(pwrite(fd, buf, n, off) == (ssize_t)n, "pwrite");
		check(pread(fd, back, n, off) == (ssize_t)n, "pread");
		check(memcmp(buf, back, n) == 0, "what was read");
		check(fstat(fd, &st) == 0 &&
			  st.st_size >= (off_t)(n ? off + n : 0),
		    "size");
		if (i % 7 == 0)
			check(ftruncate(fd, off) == 0, "ftruncate");
		close(fd);
		if (i % 3 == 0)
			check(rename(name, other) == 0, "rename");
		if (i % 4 == 0)
			unlink(name);
	}
	return NULL;
}

static void *lists(void *arg)
{
	for (int i = 0; i < STEPS / 4; i++) {
		DIR *d = opendir("d");
		struct dirent *e;
		int dots = 0;

		while ((e = readdir(d)) != NULL)
			dots += e->d_name[0] == '.';
		check(dots == 2, "dots");
		closedir(d);
		mkdir("d/sub", 0700);
		rmdir("d/sub");
	}
	return NULL;
}

/* --- mappings ---------------------------------------------------------- */

static void *maps(void *arg)
{
	unsigned seed = (uintptr_t)arg + 5;
	char name[40];
	int fd;

	snprintf(name, sizeof(name), "m%lu", (long)arg);
	fd = open(name, O_CREAT | O_RDWR | O_TRUNC, 0600);
	check(ftruncate(fd, 65536) == 0, "ftruncate");
	for (int i = 0; i < STEPS; i++) {
		size_t n = (1 + next(&seed) % 16) * 4096;
		char *p = mmap(NULL, n, PROT_READ | PROT_WRITE,
		    i & 1 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS,
		    i & 1 ? fd : -1, 0);
		char c;

		check(p != MAP_FAILED, "mmap");
		for (size_t k = 0; k < n; k += 4096)
			p[k + i % 4096] = (char)(i + k / 4096);
		for (size_t k = 0; k < n; k += 4096)
			check(p[k + i % 4096] == (char)(i + k / 4096), "page");
		if (i & 1) {
			check(pread(fd, &c, 1, i % 4096) == 1 && c == (char)i,
			    "page by read");
		} else {
			p = mremap(p, n, n * 2, MREMAP_MAYMOVE);
			check(
			    p != MAP_FAILED && p[i % 4096] == (char)i, "moved");
			n *= 2;
			check(mprotect(p, n, PROT_READ) == 0, "mprotect");
			check(madvise(p, n, MADV_DONTNEED) == 0, "madvise");
			check(p[i % 4096] == 0, "dropped");
		}
		check(munmap(p, n) == 0, "munmap");
	}
	close(fd);
	unlink(name);
	return NULL;
}

/* --- threads and locks ------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static unsigned long counter, turns;
static sem_t sem;

static void *count(void *arg)
{
	pthread_mutex_lock(&lock);
	counter++;
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&lock);
	sem_post(&sem);
	return arg;
}

static void *threads(void *arg)
{
	for (int i = 0; i < STEPS / 3; i++) {
		pthread_t t[3];
		void *r;

		for (long k = 0; k < 3; k++)
			check(
			    pthread_create(&t[k], NULL, count, (void *)k) == 0,
			    "pthread_create");
		for (long k = 0; k < 3; k++) {
			pthread_join(t[k], &r);
			check(r == (void *)k, "joined");
			sem_wait(&sem);
		}
	}
	return NULL;
}

static void *wait_turns(void *arg)
{
	struct timespec ts;

	pthread_mutex_lock(&lock);
	for (int i = 0; i < STEPS / 3; i++) {
		ts = in_ms(CLOCK_REALTIME, 2);
		pthread_cond_timedwait(&cond, &lock, &ts);
		turns++;
	}
	pthread_mutex_unlock(&lock);
	return NULL;
}

/* --- signals ----------------------------------------------------------- */

static atomic_int signals;
static __thread double x;

static void on_signal(int sig)
{
	signals++;
	x = x * 1.5 + 1; /* vector registers of a handler */
	x = 0;
}

static void *floats(void *arg)
{
	for (int i = 0; i < STEPS * 3; i++) {
		double sum = 0, want = 0;

		for (int k = 1; k < 200; k++)
			sum += 1.0 / k;
		for (int k = 1; k < 200; k++)
			want += 1.0 / k;
		check(sum == want, "floats");
		if (i % 50 == 0)
			kill(getpid(), SIGUSR1);
		if (i % 100 == 0)
			sched_yield();
	}
	return NULL;
}

static void round_of_all(void)
{
	static void *(*const all[])(void *) = { files, files, lists, maps, maps,
		threads, threads, wait_turns, floats, floats };
	enum { N = sizeof(all) / sizeof(all[0]) };
	pthread_t t[N];

	counter = turns = 0;
	for (long i = 0; i < N; i++)
		pthread_create(&t[i], NULL, all[i], (void *)i);
	for (int i = 0; i < N; i++)
		pthread_join(t[i], NULL);
	printf("counted %lu, %lu turns, wrong %d, signals %d\n", counter, turns,
	    wrong, signals > 0);
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal,
		.sa_flags = SA_RESTART };
	int rounds = argc > 1 ? atoi(argv[1]) : 1;

	setvbuf(stdout, NULL, _IOLBF, 0);
	sem_init(&sem, 0, 0);
	sigaction(SIGUSR1, &sa, NULL);
	mkdir("d", 0700);
	for (int i = 0; i < rounds; i++)
		round_of_all();
	return wrong != 0;
}
