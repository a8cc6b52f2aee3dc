/* Pipes and FIFOs. */
#define _GNU_SOURCE
#include "../show.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static volatile sig_atomic_t sigpipes;

static void on_sigpipe(int sig)
{
	sigpipes++;
}

static void basic(void)
{
	char buf[100];
	struct stat st;
	int p[2], n;

	SHOW(pipe2(p, O_CLOEXEC));
	SHOW(fcntl(p[0], F_GETFD));
	SHOW(fcntl(p[0], F_GETFL) & O_ACCMODE);
	SHOW(fcntl(p[1], F_GETFL) & O_ACCMODE);
	SHOW(fstat(p[0], &st));
	printf("mode %o\n", st.st_mode & S_IFMT);
	SHOW(write(p[1], "hello", 5));
	SHOW(ioctl(p[0], FIONREAD, &n));
	printf("to read: %d\n", n);
	SHOW(read(p[0], buf, 3));
	SHOW(read(p[0], buf, 100));
	SHOW(read(p[1], buf, 1));
	SHOW(write(p[0], buf, 1));
	SHOW(lseek(p[0], 0, SEEK_CUR));
	SHOW(pread(p[0], buf, 1, 0));
	SHOW(read(p[0], NULL, 0));
	SHOW(close(p[1]));
	SHOW(read(p[0], buf, 100));
	SHOW(close(p[0]));
	SHOW(pipe2(p, 0x40000000));
	SHOW(pipe((int *)8));
}

static void capacity(void)
{
	static char big[100000];
	int p[2];

	pipe2(p, O_NONBLOCK);
	SHOW(fcntl(p[0], F_GETPIPE_SZ));
	SHOW(write(p[1], big, sizeof(big)));
	SHOW(write(p[1], big, 1));
	SHOW(read(p[0], big, 4096));
	SHOW(write(p[1], big, 4097));
	SHOW(fcntl(p[0], F_SETPIPE_SZ, 4096));
	SHOW(read(p[0], big, sizeof(big)));
	SHOW(fcntl(p[0], F_SETPIPE_SZ, 5000));
	SHOW(write(p[1], big, 4096));
	SHOW(write(p[1], big, 5000));
	SHOW(read(p[0], big, sizeof(big)));
	SHOW(read(p[0], big, 1));
	SHOW(fcntl(0, F_GETPIPE_SZ));
	close(p[0]);
	close(p[1]);
}

static void broken(void)
{
	struct pollfd pf;
	int p[2];

	signal(SIGPIPE, on_sigpipe);
	pipe(p);
	close(p[0]);
	SHOW(write(p[1], "x", 1));
	printf("SIGPIPE %d\n", (int)sigpipes);
	pf.fd = p[1];
	pf.events = POLLOUT;
	SHOW(poll(&pf, 1, -1));
	printf("revents %x\n", pf.revents);
	close(p[1]);
	pipe(p);
	close(p[1]);
	pf.fd = p[0];
	pf.events = POLLIN;
	SHOW(poll(&pf, 1, -1));
	printf("revents %x\n", pf.revents);
	close(p[0]);
}

static void *writer(void *arg)
{
	int fd = *(int *)arg;
	static char big[300000];

	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i % 253);
	printf("wrote %zd\n", write(fd, big, sizeof(big)));
	close(fd);
	return NULL;
}

static void threads(void)
{
	char buf[7777];
	size_t total = 0, bad = 0;
	pthread_t t;
	ssize_t n;
	int p[2];

	pipe(p);
	pthread_create(&t, NULL, writer, &p[1]);
	while ((n = read(p[0], buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			bad += buf[i] != (char)((total + i) % 253);
		total += n;
	}
	pthread_join(t, NULL);
	printf("read %zu, wrong %zu, last %zd\n", total, bad, n);
	close(p[0]);
}

static void *opener(void *arg)
{
	int fd = open("fifo", O_WRONLY);

	write(fd, "through the fifo", 16);
	close(fd);
	return NULL;
}

static void fifo(void)
{
	char buf[64] = "";
	struct pollfd pf;
	struct stat st;
	pthread_t t;
	int fd, fd2;

	unlink("fifo");
	SHOW(mkfifo("fifo", 0600));
	SHOW(mkfifo("fifo", 0600));
	stat("fifo", &st);
	printf("is a fifo: %d\n", S_ISFIFO(st.st_mode));
	SHOW(open("fifo", O_WRONLY | O_NONBLOCK));
	fd = open("fifo", O_RDONLY | O_NONBLOCK);
	pf.fd = fd;
	pf.events = POLLIN;
	SHOW(poll(&pf, 1, 0));
	SHOW(read(fd, buf, 1));
	fd2 = open("fifo", O_WRONLY | O_NONBLOCK);
	SHOW(read(fd, buf, 1));
	close(fd2);
	SHOW(poll(&pf, 1, 0));
	printf("revents %x\n", pf.revents);
	close(fd);
	pthread_create(&t, NULL, opener, NULL);
	fd = open("fifo", O_RDONLY);
	SHOW(read(fd, buf, sizeof(buf)));
	SHOW(read(fd, buf + 20, 8));
	printf("'%s'\n", buf);
	close(fd);
	pthread_join(t, NULL);
	fd = open("fifo", O_RDWR);
	SHOW(write(fd, "self", 4));
	SHOW(read(fd, buf, 64));
	close(fd);
	unlink("fifo");
}

static void interrupted(void)
{
	struct sigaction sa = { .sa_handler = on_sigpipe };
	char c;
	int p[2];

	pipe(p);
	sigaction(SIGALRM, &sa, NULL);
	ualarm(20000, 0);
	SHOW(read(p[0], &c, 1));
	close(p[0]);
	close(p[1]);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	basic();
	capacity();
	broken();
	threads();
	fifo();
	interrupted();
	return 0;
}
