/* What is in files: positions, holes, sizes, mappings, files without names. */
#define _GNU_SOURCE
#include "../show.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096

static char buf[3 * PAGE];

static unsigned sum(int fd)
{
	unsigned s = 0;
	off_t off = 0;
	ssize_t n;

	while ((n = pread(fd, buf, sizeof(buf), off)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			s = s * 31 + (unsigned char)buf[i];
		off += n;
	}
	return s;
}

static void positions(void)
{
	int fd = open("p", O_RDWR | O_CREAT, 0600), app;

	SHOW(write(fd, "hello", 5));
	SHOW(lseek(fd, 0, SEEK_CUR));
	SHOW(lseek(fd, -6, SEEK_CUR));
	SHOW(lseek(fd, -2, SEEK_END));
	SHOW(read(fd, buf, 10));
	SHOW(read(fd, buf, 10));
	SHOW(pwrite(fd, "J", 1, 0));
	SHOW(pread(fd, buf, 10, 3));
	SHOW(pread(fd, buf, 10, -1));
	SHOW(lseek(fd, 1, 99));
	app = open("p", O_WRONLY | O_APPEND);
	SHOW(write(app, "++", 2));
	SHOW(lseek(app, 0, SEEK_CUR));
	SHOW(pwrite(app, "x", 1, 0)); /* goes to the end */
	SHOW(read(app, buf, 1));
	SHOW(write(fd, (void *)8, 1));
	SHOW(read(fd, (void *)8, 1));
	SHOW(lseek(fd, 0, SEEK_END));
	printf("%u\n", sum(fd));
	close(app);
	app = open("p", O_WRONLY | O_TRUNC);
	SHOW(lseek(fd, 0, SEEK_END));
	close(app);
	close(fd);
}

static void holes(void)
{
	int fd = open("h", O_RDWR | O_CREAT, 0600);
	struct stat st;

	SHOW(pwrite(fd, "end", 3, 10 * PAGE + 100));
	fstat(fd, &st);
	printf("size %ld\n", (long)st.st_size);
	SHOW(pread(fd, buf, 8, 5 * PAGE));
	printf("%d\n", buf[0] | buf[7]);
	SHOW(lseek(fd, 0, SEEK_DATA));
	SHOW(lseek(fd, 0, SEEK_HOLE));
	SHOW(lseek(fd, 10 * PAGE + 50, SEEK_DATA));
	SHOW(lseek(fd, 10 * PAGE + 50, SEEK_HOLE));
	SHOW(lseek(fd, 11 * PAGE, SEEK_DATA));
	SHOW(ftruncate(fd, 10 * PAGE + 101));
	SHOW(ftruncate(fd, 10 * PAGE + 103));
	SHOW(pread(fd, buf, 5, 10 * PAGE + 100));
	printf("%d %d %d\n", buf[0], buf[1], buf[2]);
	SHOW(ftruncate(fd, -1));
	SHOW(ftruncate(fd, 0));
	SHOW(fallocate(fd, 0, 0, 2 * PAGE));
	SHOW(lseek(fd, 0, SEEK_END));
	memset(buf, 7, sizeof(buf));
	SHOW(pwrite(fd, buf, 3 * PAGE, 0));
	SHOW(fallocate(
	    fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, 2 * PAGE));
	SHOW(pread(fd, buf, 3 * PAGE, 0));
	printf("%d %d %d %d\n", buf[99], buf[100], buf[2 * PAGE + 99],
	    buf[2 * PAGE + 100]);
	SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, PAGE));
	SHOW(fallocate(fd, 0, 0, 0));
	SHOW(fallocate(fd, 0, -1, 1));
	SHOW(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 9 * PAGE));
	SHOW(lseek(fd, 0, SEEK_END));
	close(fd);
}

static void mappings(void)
{
	int fd = open("m", O_RDWR | O_CREAT, 0600), ro;
	char *shared, *private;

	memset(buf, 'a', sizeof(buf));
	write(fd, buf, 2 * PAGE + 10);
	shared =
	    mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	private =
	    mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	printf("%c %d\n", shared[0], shared[2 * PAGE + 10]);
	shared[1] = 'S';
	private[2] = 'P';
	SHOW(pread(fd, buf, 4, 0));
	printf("%.4s %.4s\n", buf, private);
	pwrite(fd, "W", 1, PAGE + 5);
	printf("%c %c\n", shared[PAGE + 5], private[PAGE + 5]);
	pwrite(fd, "Z", 1, 3);
	printf("%c %c\n", shared[3], private[3]);
	SHOW(msync(shared, 3 * PAGE, MS_SYNC));
	SHOW(msync(shared + 1, PAGE, MS_SYNC));
	SHOW(msync(shared, PAGE, 99));
	ro = open("m", O_RDONLY);
	SHOW(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, ro, 0) ==
	     MAP_FAILED);
	SHOW(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, ro, 1) == MAP_FAILED);
	SHOW(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, 99, 0) == MAP_FAILED);
	SHOW(ftruncate(fd, PAGE));
	SHOW(munmap(shared, 3 * PAGE));
	printf("%.5s\n", private);
	SHOW(munmap(private, 3 * PAGE));
	close(ro);
	close(fd);
}

static void nameless(void)
{
	char path[64];
	struct stat st;
	int fd = open("u", O_RDWR | O_CREAT, 0600);

	write(fd, "still here", 10);
	SHOW(unlink("u"));
	SHOW(access("u", F_OK));
	SHOW(pread(fd, buf, 20, 0));
	fstat(fd, &st);
	printf("%lu links\n", (unsigned long)st.st_nlink);
	close(fd);
	fd = memfd_create("mem", 0);
	GOOD(fd);
	SHOW(write(fd, "memory", 6));
	SHOW(ftruncate(fd, 100000));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	SHOW(readlink(path, buf, sizeof(buf)));
	printf("%.21s\n", buf);
	close(fd);
	SHOW(memfd_create("x", 0x40000000));
}

static void through_proc(void)
{
	char path[64];
	int fd = open("q", O_RDWR | O_CREAT, 0600), again, pair[2];

	write(fd, "proc", 4);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDONLY);
	SHOW(read(again, buf, 10)); /* its own position */
	SHOW(write(again, "x", 1));
	close(again);
	SHOW(access(path, F_OK));
	pipe(pair);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", pair[1]);
	again = open(path, O_WRONLY);
	SHOW(write(again, "pipe", 4));
	SHOW(read(pair[0], buf, 10));
	close(again);
	close(fd);
	SHOW(open("/proc/self/fd/99", O_RDONLY));
}

int main(void)
{
	char dir[] = "contents-XXXXXX";

	if (!mkdtemp(dir) || chdir(dir))
		return 1;
	positions();
	holes();
	mappings();
	nameless();
	through_proc();
	return 0;
}
