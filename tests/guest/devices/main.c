/* The devices that every Linux has, and /proc's own shape. */
#define _GNU_SOURCE
#include "../show.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static char buf[8192];

static void device(const char *path)
{
	int fd = open(path, O_RDWR);
	struct stat st;

	if (stat(path, &st) == 0)
		printf("%s: %s %u:%u\n", path,
		    S_ISCHR(st.st_mode) ? "character" : "other",
		    major(st.st_rdev), minor(st.st_rdev));
	memset(buf, 'x', sizeof(buf));
	SHOW(read(fd, buf, 100));
	SHOW(write(fd, buf, 100));
	SHOW(ioctl(fd, TCGETS, buf));
	SHOW(lseek(fd, 5, SEEK_SET));
	close(fd);
}

static void zero(void)
{
	int fd = open("/dev/zero", O_RDWR);
	char *p;

	memset(buf, 'x', 100);
	SHOW(read(fd, buf, 50));
	printf("%d %d %d\n", buf[0], buf[49], buf[50]);
	p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	SHOW(p == MAP_FAILED);
	p[5000] = 1;
	printf("%d %d\n", p[0], p[5000]);
	SHOW(munmap(p, 8192));
	close(fd);
}

static int first_line(const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, buf, sizeof(buf) - 1);

	close(fd);
	buf[n > 0 ? n : 0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return n > 0 ? (int)strlen(buf) : -1;
}

static void proc(void)
{
	struct stat st;
	char a[64];
	int fd, pid = -1;
	ssize_t n = readlink("/proc/self", a, sizeof(a) - 1);

	a[n > 0 ? n : 0] = '\0';
	sscanf(a, "%d", &pid);
	SHOW(pid == getpid());
	snprintf(a, sizeof(a), "/proc/%d/fd", getpid());
	SHOW(access(a, F_OK));
	SHOW(access("/proc/999999999", F_OK));
	SHOW(access("/proc/self/fd/0", F_OK));
	SHOW(lstat("/proc/self/exe", &st));
	SHOW(S_ISLNK(st.st_mode));
	SHOW(stat("/proc/self/exe", &st));
	SHOW(S_ISREG(st.st_mode));
	SHOW(stat("/proc/self/cwd", &st));
	SHOW(S_ISDIR(st.st_mode));
	SHOW(stat("/proc/meminfo", &st));
	SHOW(st.st_size);
	SHOW(open("/proc/none", O_RDONLY));
	SHOW(open("/proc/meminfo", O_RDONLY | O_CREAT | O_EXCL, 0600));
	SHOW(mkdir("/proc/x", 0700));
	SHOW(first_line("/proc/sys/kernel/random/boot_id"));
	SHOW(first_line("/proc/sys/kernel/random/uuid"));
	fd = open("/proc/uptime", O_RDONLY);
	SHOW(read(fd, buf, 1));
	SHOW(lseek(fd, 0, SEEK_CUR));
	SHOW(lseek(fd, 0, SEEK_SET));
	SHOW(read(fd, buf, 1));
	close(fd);
	SHOW(first_line("/proc/meminfo") > 0);
	SHOW(strncmp(buf, "MemTotal: ", 10));
	SHOW(first_line("/proc/stat") > 0);
	SHOW(strncmp(buf, "cpu  ", 5));
	SHOW(first_line("/proc/cpuinfo") > 0);
	SHOW(strncmp(buf, "processor\t: 0", 13));
}

int main(void)
{
	device("/dev/null");
	device("/dev/zero");
	device("/dev/full");
	zero();
	proc();
	return 0;
}
