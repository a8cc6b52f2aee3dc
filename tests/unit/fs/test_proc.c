/* /proc and /sys: the tree, texts, links and descriptors. */

#include "fs_fixture.h"

#include <stdlib.h>

#include "kern/app.h"
#include "kern/procfs.h"
#include "kern/sched.h"

/* --- the process --------------------------------------------------------- */

#define PID 42

static struct file *fds[10];
static struct thread threads[3];

uint32_t app_pid(void)
{
	return PID;
}

long app_exe_path(char *buf, size_t n)
{
	return snprintf(buf, n, "/bin/app");
}

struct file *fd_get(int fd)
{
	if (fd < 0 || fd >= 10 || !fds[fd])
		return NULL;
	file_get(fds[fd]);
	return fds[fd];
}

int fd_next(int fd)
{
	for (; fd < 10; fd++)
		if (fds[fd])
			return fd;
	return -1;
}

int fd_get_flags(int fd)
{
	return fd == 3 ? FD_CLOEXEC : 0;
}

struct thread *thread_find(uint32_t id)
{
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		if (threads[i].id == id)
			return &threads[i];
	return NULL;
}

void thread_foreach(bool (*fn)(struct thread *, void *), void *arg)
{
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		fn(&threads[i], arg);
}

/* --- texts --------------------------------------------------------------- */

static unsigned shown;
static char stored[5000];

static int show(struct proc_out *o)
{
	proc_printf(o, "text %u tid %u\n", ++shown, o->tid);
	return 0;
}

static int store(const char *text)
{
	strcpy(stored, text);
	return strcmp(text, "bad") ? 0 : -EINVAL;
}

static int show_long(struct proc_out *o)
{
	for (int i = 0; i < 2000; i++)
		proc_printf(o, "line %d\n", i);
	proc_printf(o, "%500d", 7);
	proc_write(o, "a\0b", 3);
	return 0;
}

static const struct proc_file plain = { "one/two", show, NULL };
PROC_FILE(plain);
static const struct proc_file writable = { "one/three", show, store };
PROC_FILE(writable);
static const struct proc_file long_text = { "long", show_long, NULL };
PROC_FILE(long_text);
static const struct proc_file of_self = { "self/status", show, NULL };
PROC_FILE(of_self);
static const struct proc_file of_sys = { "/sys/a/b/c", show, NULL };
PROC_FILE(of_sys);

static int setup(void **state)
{
	int task;

	fs_setup(state);
	shown = 0;
	vfs_mkdir(NULL, "/proc", 0755);
	vfs_mkdir(NULL, "/sys", 0755);
	assert_int_equal(vfs_mount("proc", NULL, "/proc", 0, NULL), 0);
	assert_int_equal(vfs_mount("sysfs", NULL, "/sys", 0, NULL), 0);
	threads[0].id = PID;
	threads[1].id = 50;
	threads[2].id = 7; /* the kernel's */
	threads[0].task = threads[1].task = (struct task *)(void *)&task;
	atomic_store(&threads[0].refs, 100);
	return 0;
}

static int teardown(void **state)
{
	for (int i = 0; i < 10; i++) {
		if (fds[i])
			file_put(fds[i]);
		fds[i] = NULL;
	}
	assert_int_equal(vfs_unmount("/proc"), 0);
	assert_int_equal(vfs_unmount("/sys"), 0);
	return fs_teardown(state);
}

static const char *get(const char *path)
{
	static char buf[200];
	struct file *f;
	int err = vfs_open(NULL, path, O_RDONLY, 0, &f);
	long n;

	if (err) {
		snprintf(buf, sizeof(buf), "error %d", -err);
		return buf;
	}
	n = file_read_at(f, buf, sizeof(buf) - 1, 0);
	buf[n > 0 ? n : 0] = '\0';
	file_put(f);
	return buf;
}

static const char *link_of(const char *path)
{
	static char buf[200];
	struct dentry *d;
	struct vnode *v;
	long n;

	assert_int_equal(vfs_lookup(NULL, path, WALK_NOFOLLOW, &d), 0);
	v = dentry_vnode(d);
	n = v->ops->readlink(v, buf, sizeof(buf));
	dentry_put(d);
	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

struct listing {
	char names[5000];
	unsigned room; /* names that are taken at once */
};

static bool list_one(void *arg, const char *name, size_t len, uint64_t ino,
    uint8_t type, uint64_t next)
{
	struct listing *l = arg;

	(void)ino;
	(void)type;
	(void)next;
	if (l->room == 0)
		return false;
	l->room--;
	strcat(l->names, " ");
	strncat(l->names, name, len);
	return true;
}

static bool listed(const char *dir, const char *name)
{
	struct listing l = { .names = "" };
	uint64_t off = 2, before;
	char word[50];
	struct file *f;

	assert_int_equal(vfs_open(NULL, dir, O_RDONLY, 0, &f), 0);
	do {
		before = off;
		l.room = 2;
		assert_int_equal(f->ops->readdir(f, &off, list_one, &l), 0);
	} while (off != before);
	file_put(f);
	strcat(l.names, " ");
	snprintf(word, sizeof(word), " %s ", name);
	return strstr(l.names, word) != NULL;
}

/* --- tests --------------------------------------------------------------- */

static void test_texts(void **state)
{
	struct file *f;
	char buf[100];

	(void)state;
	assert_string_equal(get("/proc/one/two"), "text 1 tid 0\n");
	assert_string_equal(get("/sys/a/b/c"), "text 2 tid 0\n");
	assert_string_equal(get("/proc/one/none"), "error 2");
	assert_string_equal(get("/proc/a/b/c"), "error 2");
	/* Made anew at the beginning, and only there. */
	assert_int_equal(vfs_open(NULL, "/proc/one/two", 0, 0, &f), 0);
	assert_int_equal(file_read_at(f, buf, 4, 0), 4);
	assert_int_equal(file_read_at(f, buf, 2, 5), 2);
	assert_memory_equal(buf, "3 ", 2);
	assert_int_equal(file_read_at(f, buf, 7, 0), 7);
	assert_memory_equal(buf, "text 4 ", 7);
	assert_int_equal(f->ops->seek(f, 3, SEEK_SET), 3);
	assert_int_equal(f->ops->seek(f, 0, SEEK_END), -EINVAL);
	file_put(f);
}

static void test_long_text(void **state)
{
	static char buf[30000];
	struct file *f;
	long n;

	(void)state;
	assert_int_equal(vfs_open(NULL, "/proc/long", 0, 0, &f), 0);
	n = file_read_at(f, buf, sizeof(buf), 0);
	assert_int_equal(n, 10 * 7 + 90 * 8 + 900 * 9 + 1000 * 10 + 503);
	assert_memory_equal(buf + n - 4, "7a\0b", 4);
	file_put(f);
}

static int put(const char *path, const char *text)
{
	struct uio u;
	struct file *f;
	uint64_t off = 0;
	char buf[5000];
	long n;
	int err = vfs_open(NULL, path, O_WRONLY | O_TRUNC, 0, &f);

	if (err)
		return err;
	snprintf(buf, sizeof(buf), "%s", text);
	uio_init(&u, buf, strlen(buf), false);
	n = f->ops->write(f, &u, &off);
	file_put(f);
	return (int)n;
}

static void test_settings(void **state)
{
	static char large[4500];

	(void)state;
	assert_int_equal(put("/proc/one/three", "12\n"), 3);
	assert_string_equal(stored, "12");
	assert_int_equal(put("/proc/one/three", "x"), 1);
	assert_string_equal(stored, "x");
	assert_int_equal(put("/proc/one/three", "bad"), -EINVAL);
	assert_int_equal(put("/proc/one/two", "x"), -EACCES);
	memset(large, 'x', sizeof(large) - 1);
	assert_int_equal(put("/proc/one/three", large), -EINVAL);
	assert_int_equal(vfs_unlink(NULL, "/proc/one/two", false), -EROFS);
	assert_int_equal(vfs_mkdir(NULL, "/proc/x", 0755), -ENOENT);
}

static void test_links(void **state)
{
	(void)state;
	assert_string_equal(link_of("/proc/self"), "42");
	assert_string_equal(link_of("/proc/mounts"), "self/mounts");
	assert_string_equal(link_of("/proc/self/exe"), "/bin/app");
	assert_string_equal(link_of("/proc/self/cwd"), "/");
	assert_string_equal(link_of("/proc/self/net"), "../net");
	assert_string_equal(get("/proc/self/status"), "text 1 tid 0\n");
	assert_string_equal(get("/proc/42/status"), "text 2 tid 0\n");
	assert_string_equal(get("/proc/43/status"), "error 2");
	assert_string_equal(get("/proc/042/status"), "error 2");
	assert_string_equal(
	    get("/proc/self/root/proc/self/status"), "text 3 tid 0\n");
	assert_true(listed("/proc", "42"));
	assert_true(listed("/proc", "thread-self"));
	assert_true(listed("/proc/42", "status"));
}

static void test_threads(void **state)
{
	(void)state;
	assert_true(listed("/proc/self/task", "42"));
	assert_true(listed("/proc/self/task", "50"));
	assert_false(listed("/proc/self/task", "7"));
	assert_string_equal(
	    get("/proc/self/task/50/status"), "text 1 tid 50\n");
	assert_string_equal(get("/proc/self/task/7/status"), "error 2");
	assert_true(listed("/proc/self/task/50", "status"));
	assert_false(listed("/proc/self/task/50", "task"));
}

static void nothing(struct file *f)
{
	(void)f;
}

static long say(struct file *f, struct uio *u, uint64_t *off)
{
	(void)f;
	(void)off;
	return uio_put(u, "x", 1);
}

static int pipe_path(struct file *f, char *buf, size_t n)
{
	(void)f;
	snprintf(buf, n, "pipe:[5]");
	return 0;
}

static int pipe_stat(struct file *f, struct stat *st)
{
	(void)f;
	memset(st, 0, sizeof(*st));
	st->st_mode = S_IFIFO | 0600;
	return 0;
}

static void test_descriptors(void **state)
{
	static const struct file_ops pipe = { .read = say,
		.path = pipe_path,
		.stat = pipe_stat,
		.release = nothing };
	struct dentry *d;
	struct file *f;

	(void)state;
	assert_int_equal(
	    vfs_open(NULL, "/file", O_CREAT | O_RDWR, 0600, &fds[3]), 0);
	fds[5] = file_new(&pipe, O_RDONLY, NULL);
	assert_string_equal(link_of("/proc/self/fd/3"), "/file");
	assert_string_equal(link_of("/proc/self/fd/5"), "pipe:[5]");
	assert_int_equal(
	    vfs_lookup(NULL, "/proc/self/fd/4", WALK_NOFOLLOW, &d), -ENOENT);
	assert_int_equal(
	    vfs_lookup(NULL, "/proc/self/fd/03", WALK_NOFOLLOW, &d), -ENOENT);
	assert_true(listed("/proc/self/fd", "3"));
	assert_true(listed("/proc/self/fd", "5"));
	/* A file is opened again; what has no name is the same once more. */
	assert_int_equal(vfs_open(NULL, "/proc/self/fd/3", O_RDONLY, 0, &f), 0);
	assert_ptr_not_equal(f, fds[3]);
	assert_ptr_equal(f->vnode, fds[3]->vnode);
	file_put(f);
	assert_int_equal(vfs_open(NULL, "/proc/self/fd/5", O_RDONLY, 0, &f), 0);
	assert_ptr_equal(f, fds[5]);
	file_put(f);
	assert_int_equal(vfs_lookup(NULL, "/proc/self/fd/5", 0, &d), 0);
	assert_int_equal(dentry_vnode(d)->mode, S_IFIFO | 0600);
	dentry_put(d);
	assert_int_equal(vfs_unlink(NULL, "/file", false), 0);
	assert_string_equal(link_of("/proc/self/fd/3"), "/file (deleted)");
	assert_non_null(
	    strstr(get("/proc/self/fdinfo/3"), "pos:\t0\nflags:\t02"));
	assert_string_equal(get("/proc/self/fdinfo/4"), "error 2");
}

static void test_no_memory(void **state)
{
	char text[200];

	(void)state;
	for (long n = 1;; n++) {
		shown = 0;
		fake_mm_fail_nth(n);
		snprintf(text, sizeof(text), "%s", get("/proc/self/status"));
		if (!fake_mm_failed())
			break;
	}
	fake_mm_fail_nth(0);
	assert_string_equal(text, "text 1 tid 0\n");
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_texts),
		TEST(test_long_text),
		TEST(test_settings),
		TEST(test_links),
		TEST(test_threads),
		TEST(test_descriptors),
		TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
