/* Names and attributes: what each call on a path answers. */
#define _GNU_SOURCE
#include "../show.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>

static char big[PATH_MAX + 100];

static int touch(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0644);

	return fd < 0 ? -1 : close(fd);
}

static int opens(const char *path, int flags)
{
	int fd = open(path, flags, 0600);

	return fd < 0 ? -1 : close(fd);
}

static void kind(const char *path)
{
	struct stat st;

	if (lstat(path, &st)) {
		printf("%s: %s\n", path, strerrorname_np(errno));
		return;
	}
	printf("%s: mode %o, %lu links, size %ld\n", path, st.st_mode,
	    (unsigned long)st.st_nlink,
	    S_ISDIR(st.st_mode) ? 0L : (long)st.st_size);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list(const char *path)
{
	DIR *d = opendir(path);
	char *name[100];
	struct dirent *e;
	int n = 0;

	if (!d) {
		printf("%s: %s\n", path, strerrorname_np(errno));
		return;
	}
	while ((e = readdir(d)) && n < 100)
		name[n++] = strdup(e->d_name);
	closedir(d);
	qsort(name, (size_t)n, sizeof(name[0]), by_name);
	printf("%s:", path);
	for (int i = 0; i < n; i++)
		printf(" %s", name[i]);
	printf("\n");
}

static void making(void)
{
	SHOW(mkdir("d", 0755));
	SHOW(mkdir("d", 0755));
	SHOW(mkdir("d/e/", 0700));
	SHOW(mkdir("none/e", 0700));
	SHOW(mkdir("d/.", 0700));
	SHOW(mkdir("", 0700));
	SHOW(touch("d/f"));
	SHOW(touch("d/f/g"));
	SHOW(touch("d/"));
	SHOW(touch("d/new/"));
	SHOW(mkdir("d/f/g", 0700));
	SHOW(opens("d/f", O_CREAT | O_EXCL | O_RDWR));
	SHOW(opens("d", O_RDWR));
	SHOW(opens("d", O_RDONLY));
	SHOW(opens("d", O_RDONLY | O_CREAT));
	SHOW(opens("d/f", O_RDONLY | O_DIRECTORY));
	SHOW(opens("d/f/", O_RDONLY));
	SHOW(opens("d/none", O_RDONLY));
	SHOW(opens("d/none", O_PATH));
	SHOW(opens("d", O_TMPFILE | O_RDONLY));
	SHOW(opens((char *)8, O_RDONLY));
	SHOW(mkfifo("d/fifo", 0640));
	SHOW(mknod("d/node", S_IFREG | 0600, 0));
	SHOW(mknod("d/bad", S_IFDIR | 0600, 0));
	SHOW(mknod("d/bad", 0770000, 0));
	memset(big, 'x', sizeof(big));
	big[255] = '\0';
	SHOW(touch(big) + 0);
	SHOW(unlink(big) + 0);
	big[255] = 'x';
	big[256] = '\0';
	SHOW(touch(big) + 0);
	big[256] = 'x';
	big[PATH_MAX] = '\0';
	SHOW(touch(big) + 0);
	kind("d");
	kind("d/e");
	kind("d/f");
	kind("d/fifo");
	list("d");
}

static void links(void)
{
	char buf[20] = "";

	SHOW(symlink("f", "d/sym"));
	SHOW(symlink("f", "d/sym"));
	SHOW(symlink("", "d/empty"));
	SHOW(symlink("loop", "loop"));
	SHOW(symlink("nowhere", "dangling"));
	SHOW(symlink("d", "dirlink"));
	SHOW(readlink("d/sym", buf, sizeof(buf)));
	SHOW(readlink("dirlink", buf, 0));
	SHOW(readlink("dangling", buf, 3));
	printf("%s\n", buf);
	SHOW(readlink("d", buf, sizeof(buf)));
	SHOW(opens("loop", O_RDONLY));
	SHOW(opens("dangling", O_RDONLY));
	SHOW(opens("dangling", O_RDWR | O_CREAT | O_EXCL));
	SHOW(opens("dangling", O_RDWR | O_CREAT | O_NOFOLLOW));
	SHOW(opens("dangling", O_RDWR | O_CREAT));
	kind("nowhere");
	SHOW(opens("d/sym", O_NOFOLLOW));
	SHOW(opens("d/sym", O_NOFOLLOW | O_PATH));
	SHOW(opens("dirlink", O_DIRECTORY));
	SHOW(opens("dirlink", O_DIRECTORY | O_NOFOLLOW));
	SHOW(opens("dirlink/f", O_NOFOLLOW));
	SHOW(rmdir("dirlink"));
	SHOW(rmdir("dirlink/"));
	SHOW(unlink("dirlink/"));
	SHOW(link("d/f", "hard"));
	SHOW(link("d/f", "hard"));
	SHOW(link("d", "hard2"));
	SHOW(link("d/none", "hard2"));
	SHOW(link("d/sym", "hardsym"));
	kind("hard");
	kind("hardsym");
	SHOW(linkat(AT_FDCWD, "d/sym", AT_FDCWD, "hardf", AT_SYMLINK_FOLLOW));
	kind("hardf");
	SHOW(linkat(AT_FDCWD, "d/sym", AT_FDCWD, "x", 12345));
}

static void removing(void)
{
	SHOW(unlink("d"));
	SHOW(rmdir("d"));
	SHOW(rmdir("d/f"));
	SHOW(rmdir("d/e/."));
	SHOW(rmdir("d/e/.."));
	SHOW(rmdir("/"));
	SHOW(unlink("d/f/"));
	SHOW(unlink("d/none"));
	SHOW(unlink("hardf"));
	SHOW(unlinkat(AT_FDCWD, "d/e", AT_REMOVEDIR));
	SHOW(unlinkat(AT_FDCWD, "d/f", 7));
	SHOW(unlinkat(99, "d/f", 0));
	kind("d/f");
}

static void renaming(void)
{
	mkdir("r", 0755);
	mkdir("r/a", 0755);
	mkdir("r/b", 0755);
	touch("r/b/x");
	touch("r/f");
	touch("r/g");
	SHOW(rename("r/f", "r/a"));
	SHOW(rename("r/a", "r/f"));
	SHOW(rename("r/a", "r/a/c"));
	SHOW(rename("r/b", "r"));
	SHOW(rename("r/a", "r/b"));
	SHOW(rename("r/b", "r/a"));
	SHOW(rename("r/f", "r/f"));
	SHOW(rename("r/f", "r/g"));
	SHOW(rename("r/f", "r/g"));
	SHOW(rename("r/g", "r/h/"));
	SHOW(rename("r/.", "q"));
	SHOW(rename("r/a/..", "q"));
	SHOW(rename("r/g", ""));
	link("r/g", "r/g2");
	SHOW(rename("r/g", "r/g2"));
	kind("r/g");
	SHOW(renameat2(AT_FDCWD, "r/g", AT_FDCWD, "r/a", RENAME_NOREPLACE));
	SHOW(renameat2(AT_FDCWD, "r/g", AT_FDCWD, "r/n", RENAME_NOREPLACE));
	SHOW(renameat2(AT_FDCWD, "r/n", AT_FDCWD, "r/m", 128));
	list("r");
	list("r/a");
}

static void where(void)
{
	char a[PATH_MAX], b[PATH_MAX];
	int dir = open("d", O_RDONLY | O_DIRECTORY), fd;

	getcwd(a, sizeof(a));
	SHOW(chdir("d/f"));
	SHOW(chdir("none"));
	SHOW(chdir("dirlink"));
	getcwd(b, sizeof(b));
	printf("%s\n", b + (strlen(a) == 1 ? 0 : strlen(a)));
	SHOW(access("f", F_OK));
	SHOW(chdir(".."));
	SHOW(fchdir(dir));
	SHOW(fchdir(99));
	SHOW(syscall(SYS_getcwd, b, 1));
	SHOW(mkdir("gone", 0755));
	SHOW(chdir("gone"));
	SHOW(rmdir("../gone"));
	SHOW(syscall(SYS_getcwd, b, sizeof(b)));
	SHOW(touch("x"));
	list(".");
	SHOW(chdir(".."));
	SHOW(chdir(".."));
	fd = openat(dir, "f", O_RDONLY);
	GOOD(fd);
	SHOW(openat(fd, "x", O_RDONLY));
	SHOW(faccessat(dir, "f", R_OK | W_OK, 0));
	SHOW(faccessat(dir, "f", X_OK, 0));
	SHOW(faccessat(dir, "f", 99, 0));
	SHOW(fchmodat(dir, "f", 0755, 0));
	SHOW(access("d/f", X_OK));
	SHOW(fchmod(fd, 04711));
	kind("d/f");
	SHOW(fchmod(99, 0));
	SHOW(chmod("none", 0));
	close(fd);
	close(dir);
}

static void attributes(void)
{
	struct timespec ts[2] = { { 1000, 5 }, { 2000, 7 } };
	struct statx x;
	struct stat st;
	int fd = open("d/f", O_RDWR);

	SHOW(utimensat(AT_FDCWD, "d/f", ts, 0));
	stat("d/f", &st);
	printf("%ld.%ld %ld.%ld\n", st.st_atim.tv_sec, st.st_atim.tv_nsec,
	    st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	ts[0].tv_nsec = UTIME_OMIT;
	ts[1].tv_sec = 3000;
	SHOW(futimens(fd, ts));
	stat("d/f", &st);
	printf("%ld %ld\n", st.st_atim.tv_sec, st.st_mtim.tv_sec);
	ts[1].tv_nsec = 1000000000;
	SHOW(futimens(fd, ts));
	SHOW(utimensat(AT_FDCWD, "none", NULL, 0));
	SHOW(chown("d/f", 12, 34));
	SHOW(chown("d/f", -1, 35));
	SHOW(lchown("d/sym", 1, 1));
	stat("d/f", &st);
	printf("%u %u %o\n", st.st_uid, st.st_gid, st.st_mode);
	SHOW(statx(AT_FDCWD, "d/f", 0, STATX_BASIC_STATS, &x));
	printf("%u %u %o %llu\n", x.stx_uid, x.stx_nlink, x.stx_mode,
	    (unsigned long long)x.stx_size);
	SHOW(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &x));
	SHOW(statx(fd, "", 0, STATX_SIZE, &x));
	SHOW(fstatat(AT_FDCWD, "", &st, 0));
	SHOW(stat("d/f/x", &st));
	SHOW(stat("", &st));
	SHOW(truncate("d/f", 5));
	SHOW(truncate("d", 5));
	SHOW(truncate("d/f", -1));
	SHOW(truncate("none", 1));
	SHOW(umask(077));
	SHOW(umask(022));
	SHOW(getxattr("none", "user.x", big, 10));
	SHOW(statfs("none", (struct statfs *)big));
	close(fd);
}

static void openat_two(void)
{
	struct open_how how = { .flags = O_RDONLY };

	GOOD(close((int)syscall(SYS_openat2, AT_FDCWD, "d/f", &how, 24)));
	SHOW(syscall(SYS_openat2, AT_FDCWD, "d/f", &how, 8));
	how.mode = 0600;
	SHOW(syscall(SYS_openat2, AT_FDCWD, "d/f", &how, 24));
	how.mode = 0;
	how.resolve = 1ull << 40;
	SHOW(syscall(SYS_openat2, AT_FDCWD, "d/f", &how, 24));
}

int main(void)
{
	char dir[] = "names-XXXXXX";

	umask(022);
	if (!mkdtemp(dir) || chdir(dir))
		return 1;
	making();
	links();
	removing();
	renaming();
	where();
	attributes();
	openat_two();
	return 0;
}
