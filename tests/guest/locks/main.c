/* fcntl and flock locks, of one process and several descriptions. */
#define _GNU_SOURCE
#include "../show.h"
#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <unistd.h>

static int lock(int fd, int cmd, int type, off_t start, off_t len)
{
	struct flock fl = { .l_type = type,
		.l_whence = SEEK_SET,
		.l_start = start,
		.l_len = len };
	int r = fcntl(fd, cmd, &fl);

	if (r == 0 && (cmd == F_GETLK || cmd == F_OFD_GETLK))
		printf("type %d start %ld len %ld pid %d\n", fl.l_type,
		    (long)fl.l_start, (long)fl.l_len,
		    fl.l_pid == getpid() ? 1 : fl.l_pid);
	return r;
}

static void *blocked(void *arg)
{
	int fd = open("lock", O_RDWR);
	long r = lock(fd, F_OFD_SETLKW, F_WRLCK, 0, 0);

	if (r == 0)
		r = lock(fd, F_OFD_SETLK, F_UNLCK, 0, 0);
	close(fd);
	return (void *)r;
}

static void *blocked_flock(void *arg)
{
	int fd = open("lock", O_RDWR);
	long r = flock(fd, LOCK_EX);

	close(fd);
	return (void *)r;
}

int main(void)
{
	int a = open("lock", O_CREAT | O_RDWR, 0600);
	int b = open("lock", O_RDWR), r = open("lock", O_RDONLY);
	pthread_t t;
	void *result;

	setvbuf(stdout, NULL, _IOLBF, 0);
	SHOW(lock(a, F_SETLK, F_WRLCK, 0, 10));
	SHOW(lock(b, F_SETLK, F_WRLCK, 5, 10)); /* the same process */
	SHOW(lock(b, F_GETLK, F_WRLCK, 0, 0));
	SHOW(lock(r, F_SETLK, F_WRLCK, 100, 1));
	SHOW(lock(r, F_SETLK, F_RDLCK, 100, 1));
	SHOW(lock(a, F_SETLK, 77, 0, 1));
	SHOW(lock(a, F_SETLK, F_WRLCK, -1, 1));
	SHOW(lock(a, F_SETLK, F_UNLCK, 0, 0));

	SHOW(lock(a, F_OFD_SETLK, F_WRLCK, 0, 10));
	SHOW(lock(b, F_OFD_SETLK, F_WRLCK, 5, 10));
	SHOW(lock(b, F_OFD_SETLK, F_RDLCK, 10, 10));
	SHOW(lock(b, F_OFD_GETLK, F_WRLCK, 3, 2));
	SHOW(lock(b, F_OFD_GETLK, F_WRLCK, 12, 2));
	SHOW(lock(a, F_OFD_SETLK, F_UNLCK, 2, 3));
	SHOW(lock(b, F_OFD_SETLK, F_WRLCK, 2, 3));
	SHOW(lock(a, F_OFD_SETLK, F_WRLCK, 0, 100));
	SHOW(lock(b, F_OFD_SETLK, F_UNLCK, 0, 0));
	pthread_create(&t, NULL, blocked, NULL);
	usleep(30000);
	printf("unlocking\n");
	lock(a, F_OFD_SETLK, F_UNLCK, 0, 0);
	pthread_join(t, &result);
	SHOW(result);

	SHOW(flock(a, LOCK_SH));
	SHOW(flock(b, LOCK_SH | LOCK_NB));
	SHOW(flock(b, LOCK_EX | LOCK_NB));
	SHOW(flock(b, LOCK_UN));
	SHOW(flock(a, LOCK_EX | LOCK_NB));
	SHOW(flock(b, LOCK_SH | LOCK_NB));
	SHOW(flock(a, 77));
	SHOW(flock(999, LOCK_EX));
	pthread_create(&t, NULL, blocked_flock, NULL);
	usleep(30000);
	printf("closing\n");
	close(a); /* gives the lock up */
	pthread_join(t, &result);
	SHOW(result);
	SHOW(flock(b, LOCK_SH | LOCK_NB));
	unlink("lock");
	return 0;
}
