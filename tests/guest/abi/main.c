/*
 * What every way of linking must give: threads, thread-local storage, signals,
 * printf of doubles, files.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

static __thread int counter = 40;
static __thread char name[16] = "initial";
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_changed = PTHREAD_COND_INITIALIZER;
static int turn;
static volatile sig_atomic_t got;

static void *worker(void *arg)
{
	int id = (int)(long)arg;

	counter += id;
	snprintf(name, sizeof(name), "worker %d", id);
	pthread_mutex_lock(&lock);
	while (turn != id)
		pthread_cond_wait(&turn_changed, &lock);
	printf("%s: counter %d, sqrt %.6f\n", name, counter, sqrt(counter));
	turn++;
	pthread_cond_broadcast(&turn_changed);
	pthread_mutex_unlock(&lock);
	return (void *)(long)(counter * 2);
}

static void threads(void)
{
	pthread_t t[4];
	void *result[4];

	for (long i = 0; i < 4; i++)
		if (pthread_create(&t[i], NULL, worker, (void *)i) != 0)
			abort();
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], &result[i]);
	for (int i = 0; i < 4; i++)
		printf("thread %d returned %ld\n", i, (long)result[i]);
	printf("main still has counter %d, name %s\n", counter, name);
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	double x = 1.0;

	for (int i = 1; i < 20; i++)
		x = x * 1.5 + i; /* must not disturb the interrupted vectors */
	got = sig + (x > 0 ? 0 : 1000) + (info->si_signo == sig ? 0 : 1000);
}

static void signals(void)
{
	struct sigaction sa = { .sa_sigaction = on_signal,
		.sa_flags = SA_SIGINFO | SA_RESTART };
	sigset_t set, old, pending;
	double before = 3.25, sum = 0;

	sigemptyset(&sa.sa_mask);
	sigaction(SIGUSR1, &sa, NULL);
	for (int i = 0; i < 100; i++) {
		got = 0;
		raise(SIGUSR1);
		sum += before * i + (got == SIGUSR1);
	}
	printf("100 signals, sum %.2f\n", sum);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, &old);
	got = 0;
	raise(SIGUSR1);
	sigpending(&pending);
	printf("blocked: got %d, pending %d\n", (int)got,
	    sigismember(&pending, SIGUSR1));
	sigprocmask(SIG_SETMASK, &old, NULL);
	printf("unblocked: got %d\n", got == SIGUSR1);
}

static void doubles(void)
{
	printf("%f %.17g %e %g %a\n", 1.0 / 3, 0.1, 6.02214076e23, 1e-7, 1.0);
	printf("%.3Lf %.10f %.10f\n", 2.5L, sin(1), exp(2));
	printf("%g %g %g\n", INFINITY, -INFINITY, strtod("12.75e2", NULL));
}

static void files(void)
{
	char buf[64] = "";
	struct stat st;
	FILE *f = fopen("/tmp/abi.txt", "w+");

	if (f == NULL) {
		printf("fopen: %s\n", strerror(errno));
		return;
	}
	fprintf(f, "line %d\nline %d\n", 1, 2);
	rewind(f);
	while (fgets(buf, sizeof(buf), f) != NULL)
		printf("read back: %s", buf);
	fclose(f);
	stat("/tmp/abi.txt", &st);
	printf("size %ld, regular %d\n", (long)st.st_size, S_ISREG(st.st_mode));
	unlink("/tmp/abi.txt");
	printf("after unlink: %s\n",
	    open("/tmp/abi.txt", O_RDONLY) < 0 ? strerror(errno) : "there");
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		printf("argument %d: '%s'\n", i, argv[i]);
	printf("page size %ld, auxv %d %d\n", sysconf(_SC_PAGESIZE),
	    getauxval(AT_PHDR) != 0, getauxval(AT_RANDOM) != 0);
	threads();
	signals();
	doubles();
	files();
	return 7;
}
