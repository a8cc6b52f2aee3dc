/* Descriptors, and reading and writing through them. */
#define _GNU_SOURCE
#include "../show.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static char buf[200000];

static void numbers(void)
{
	struct rlimit rl = { 20, 20 };
	int a = open("/dev/null", O_RDWR), b, c;

	b = dup(a);
	SHOW(b - a);
	close(a);
	c = open("/dev/null", O_RDWR | O_CLOEXEC);
	SHOW(c == a);
	SHOW(fcntl(c, F_GETFD));
	SHOW(fcntl(b, F_DUPFD, 15));
	SHOW(fcntl(b, F_DUPFD_CLOEXEC, 15));
	SHOW(fcntl(16, F_GETFD));
	SHOW(fcntl(16, F_SETFD, 0));
	SHOW(fcntl(16, F_GETFD));
	SHOW(dup2(b, 12));
	SHOW(dup2(12, 12));
	SHOW(dup2(999, 12));
	SHOW(dup2(b, -1));
	SHOW(dup3(b, b, 0));
	SHOW(dup3(b, 13, O_CLOEXEC));
	SHOW(dup3(b, 13, 1));
	SHOW(dup(999));
	setrlimit(RLIMIT_NOFILE, &rl);
	SHOW(dup2(b, 20));
	SHOW(fcntl(b, F_DUPFD, 20));
	while (dup(b) >= 0)
		;
	printf("%s\n", strerrorname_np(errno));
	SHOW(close_range(12, 100, 0));
	SHOW(fcntl(12, F_GETFD));
	SHOW(fcntl(b, F_GETFD));
	SHOW(close_range(5, 4, 0));
	for (int i = 3; i < 20; i++)
		close(i);
	SHOW(close(5));
	SHOW(close(-1));
	rl = (struct rlimit){ 20, 20 };
}

static void flags(void)
{
	int on = 1, fd = open("flags", O_CREAT | O_RDWR | O_TRUNC, 0600), fd2;

	SHOW(fcntl(fd, F_GETFL) == (O_RDWR | 0100000));
	SHOW(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK));
	SHOW(fcntl(fd, F_GETFL) == (O_RDWR | 0100000 | O_APPEND | O_NONBLOCK));
	fd2 = dup(fd);
	SHOW(fcntl(fd2, F_SETFL, 0));
	SHOW(fcntl(fd, F_GETFL) == (O_RDWR | 0100000));
	SHOW(ioctl(fd, FIONBIO, &on));
	SHOW(!!(fcntl(fd, F_GETFL) & O_NONBLOCK));
	SHOW(ioctl(fd, FIOCLEX));
	SHOW(fcntl(fd, F_GETFD));
	SHOW(ioctl(fd, FIONCLEX));
	SHOW(fcntl(fd, F_GETFD));
	SHOW(ioctl(fd, 0x1234));
	SHOW(ioctl(999, FIONBIO, &on));
	SHOW(fcntl(fd, 9999));
	close(fd);
	close(fd2);
}

static void positions(void)
{
	int fd = open("pos", O_CREAT | O_RDWR | O_TRUNC, 0600), d = dup(fd);

	SHOW(write(fd, "0123456789", 10));
	SHOW(lseek(d, 0, SEEK_CUR));
	SHOW(lseek(d, 2, SEEK_SET));
	SHOW(read(fd, buf, 3));
	SHOW(pread(fd, buf, 4, 6));
	SHOW(lseek(fd, 0, SEEK_CUR));
	SHOW(pwrite(fd, "AB", 2, 20));
	SHOW(lseek(fd, 0, SEEK_END));
	SHOW(lseek(fd, -100, SEEK_CUR));
	SHOW(lseek(fd, 0, 77));
	SHOW(pread(fd, buf, 1, -1));
	SHOW(pread(fd, buf, 10, 100));
	SHOW(fcntl(fd, F_SETFL, O_APPEND));
	lseek(fd, 0, SEEK_SET);
	SHOW(write(fd, "end", 3));
	SHOW(lseek(fd, 0, SEEK_CUR));
	SHOW(ftruncate(fd, 5));
	SHOW(lseek(fd, 0, SEEK_END));
	SHOW(ftruncate(fd, -1));
	SHOW(fsync(fd));
	SHOW(fdatasync(fd));
	close(fd);
	close(d);
	fd = open("pos", O_RDONLY);
	SHOW(write(fd, "x", 1));
	SHOW(ftruncate(fd, 1));
	SHOW(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL));
	close(fd);
	fd = open("pos", O_WRONLY);
	SHOW(read(fd, buf, 1));
	close(fd);
}

static void vectors(void)
{
	struct iovec iov[3] = { { "abc", 3 }, { NULL, 0 }, { "defg", 4 } };
	static struct iovec lots[1025];
	char a[2], b[10];
	int fd = open("vec", O_CREAT | O_RDWR | O_TRUNC, 0600);

	SHOW(writev(fd, iov, 3));
	SHOW(lseek(fd, 0, SEEK_SET));
	iov[0] = (struct iovec){ a, 2 };
	iov[1] = (struct iovec){ b, 10 };
	SHOW(readv(fd, iov, 2));
	printf("%.2s|%.5s\n", a, b);
	SHOW(preadv(fd, iov, 2, 5));
	SHOW(pwritev(fd, iov, 1, 30));
	SHOW(preadv2(fd, iov, 2, -1, 0));
	SHOW(preadv2(fd, iov, 2, 0, 0x8000000));
	SHOW(readv(fd, iov, -1));
	SHOW(readv(fd, lots, 1025));
	SHOW(readv(fd, lots, 1024));
	SHOW(readv(fd, (void *)8, 1));
	iov[0].iov_len = -1;
	SHOW(readv(fd, iov, 1));
	close(fd);
}

/* Two pages, the second not there. */
static void faults(void)
{
	char *m = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open("fault", O_CREAT | O_RDWR | O_TRUNC, 0600), p[2];

	munmap(m + 4096, 4096);
	memset(m, 'f', 4096);
	write(fd, buf, 5000);
	lseek(fd, 0, SEEK_SET);
	SHOW(read(fd, m + 4000, 96));
	SHOW(read(fd, (void *)8, 100));
	SHOW(read(fd, m + 4096, 1));
	SHOW(write(fd, m + 4096, 1));
	SHOW(read(fd, (void *)-4096, 1));
	SHOW(write(fd, (void *)0xffff880000000000, 8));
	SHOW(write(fd, (void *)0xffffffff80200000, 8));
	pipe(p);
	SHOW(write(p[1], m + 4090, 6));
	SHOW(read(p[0], (void *)8, 6));
	SHOW(write(p[1], (void *)8, 6));
	close(fd);
	close(p[0]);
	close(p[1]);
}

static void copies(void)
{
	int in = open("in", O_CREAT | O_RDWR | O_TRUNC, 0600), p[2];
	int out = open("out", O_CREAT | O_RDWR | O_TRUNC, 0600);
	off_t off = 100;
	loff_t o1 = 0, o2 = 50;
	size_t bad = 0;

	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (char)(i % 247);
	write(in, buf, sizeof(buf));
	SHOW(sendfile(out, in, &off, 150000));
	SHOW(off);
	SHOW(lseek(out, 0, SEEK_CUR));
	SHOW(sendfile(out, in, &off, 150000));
	SHOW(off);
	SHOW(sendfile(out, in, &off, 1));
	pread(out, buf, 199900, 0);
	for (size_t i = 0; i < 199900; i++)
		bad += buf[i] != (char)((i + 100) % 247);
	SHOW(bad);
	SHOW(copy_file_range(in, &o1, out, &o2, 1000, 0));
	SHOW(o1 + o2);
	SHOW(copy_file_range(in, NULL, out, NULL, 1000, 1));
	SHOW(copy_file_range(in, &o1, in, &o1, 1000, 0));
	pipe(p);
	o1 = 0;
	SHOW(splice(in, &o1, p[1], NULL, 3000, 0));
	SHOW(splice(p[0], NULL, out, NULL, 10000, 0));
	SHOW(splice(in, NULL, out, NULL, 10, 0));
	SHOW(splice(p[0], &o1, out, NULL, 10, 0));
	SHOW(splice(p[0], NULL, out, NULL, 10, SPLICE_F_NONBLOCK));
	SHOW(sendfile(out, p[0], NULL, 10));
	SHOW(sendfile(p[1], in, NULL, 0));
	SHOW(fallocate(out, 0, 0, 0));
	SHOW(fallocate(p[1], 0, 0, 10));
	close(in);
	close(out);
	close(p[0]);
	close(p[1]);
}

/* What cannot be passed on is still there. */
static void pipe_to_pipe(void)
{
	int p[2], q[2];

	pipe2(p, O_NONBLOCK);
	pipe2(q, O_NONBLOCK);
	SHOW(splice(p[0], NULL, q[1], NULL, 100, 0));
	write(p[1], "some bytes", 10);
	SHOW(tee(p[0], q[1], 100, 0));
	SHOW(read(q[0], buf, 100));
	SHOW(tee(p[0], q[1], 4, 0));
	SHOW(splice(p[0], NULL, q[1], NULL, 6, 0));
	SHOW(read(p[0], buf, 100));
	SHOW(read(q[0], buf, 100));
	printf("%.10s\n", buf);
	write(p[1], "kept", 4);
	memset(buf, 'x', 70000);
	SHOW(write(q[1], buf, 70000));
	SHOW(splice(p[0], NULL, q[1], NULL, 4, 0));
	SHOW(tee(p[0], q[1], 4, SPLICE_F_NONBLOCK));
	SHOW(read(p[0], buf, 100));
	SHOW(tee(0, q[1], 4, 0));
	close(p[1]);
	SHOW(splice(p[0], NULL, q[1], NULL, 4, 0));
	close(p[0]);
	close(q[0]);
	close(q[1]);
}

static void anonymous(void)
{
	struct stat st;
	int fd = open(".", O_PATH);

	SHOW(read(fd, buf, 1));
	SHOW(fstat(fd, &st));
	SHOW(S_ISDIR(st.st_mode));
	SHOW(fcntl(fd, F_GETFD));
	SHOW(ioctl(fd, FIONBIO, &fd));
	close(fd);
	fd = open(".", O_RDONLY);
	SHOW(read(fd, buf, 1));
	SHOW(write(fd, buf, 1));
	close(fd);
	SHOW(fstat(999, &st));
	SHOW(fstat(0, (void *)8));
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	numbers();
	flags();
	positions();
	vectors();
	faults();
	copies();
	pipe_to_pipe();
	anonymous();
	return 0;
}
