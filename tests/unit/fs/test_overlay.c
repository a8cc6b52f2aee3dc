/* A writable tree over an EROFS image. */

#include "fake_disk.h"
#include "fs_fixture.h"

#include <stdlib.h>

#define TREE  "overlay-test-tree"
#define IMAGE "overlay-test-image"

static uint8_t *image;

static int group_setup(void **state)
{
	size_t len;
	FILE *f;

	(void)state;
	assert_int_equal(
	    system(
		"rm -rf " TREE " && mkdir -p " TREE "/d/sub " TREE "/empty && "
		"seq 1 5000 >" TREE "/d/numbers && echo one >" TREE
		"/d/one && echo two >" TREE "/two && ln -s d/one " TREE
		"/link && echo deep >" TREE "/d/sub/deep && "
		"mkfs.erofs -zlz4 " IMAGE " " TREE " >/dev/null 2>&1"),
	    0);
	f = fopen(IMAGE, "rb");
	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	len = (size_t)ftell(f);
	rewind(f);
	image = malloc(len);
	assert_int_equal(fread(image, 1, len, f), len);
	fclose(f);
	fake_disk_module(image, len);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	free(image);
	return system("rm -rf " TREE " " IMAGE);
}

static int overlay_setup(void **state)
{
	(void)state;
	fs_fixture_begin();
	dentry_init();
	assert_int_equal(
	    vfs_mount("overlay", "module:0", "/", 0, "lower=erofs"), 0);
	return 0;
}

/* --- helpers ------------------------------------------------------------- */

static int put(const char *path, int flags, const char *text)
{
	struct file *f;
	struct uio u;
	char buf[100];
	long n;
	int err = vfs_open(NULL, path, flags, 0644, &f);

	if (err)
		return err;
	strcpy(buf, text);
	uio_init(&u, buf, strlen(buf), false);
	n = f->ops->write(f, &u, &f->pos);
	file_put(f);
	return n == (long)strlen(text) ? 0 : -1;
}

static const char *get(const char *path)
{
	static char buf[100];
	struct file *f;
	long n;

	if (vfs_open(NULL, path, O_RDONLY, 0, &f))
		return "(none)";
	n = file_read_at(f, buf, sizeof(buf) - 1, 0);
	assert_true(n >= 0);
	buf[n] = '\0';
	file_put(f);
	return buf;
}

static int lookup(const char *path)
{
	struct dentry *d;
	int err = vfs_lookup(NULL, path, WALK_NOFOLLOW, &d);

	if (!err)
		dentry_put(d);
	return err;
}

static struct vattr attr(const char *path)
{
	struct dentry *d;
	struct vattr a;

	assert_int_equal(vfs_lookup(NULL, path, WALK_NOFOLLOW, &d), 0);
	assert_int_equal(vfs_getattr(dentry_vnode(d), &a), 0);
	dentry_put(d);
	return a;
}

static bool list_one(void *arg, const char *name, size_t len, uint64_t ino,
    uint8_t type, uint64_t next)
{
	(void)ino;
	(void)type;
	(void)next;
	strncat(arg, name, len);
	strcat(arg, " ");
	return true;
}

static const char *list(const char *path)
{
	static char buf[500];
	uint64_t off = 2;
	struct file *f;

	buf[0] = '\0';
	assert_int_equal(vfs_open(NULL, path, O_RDONLY, 0, &f), 0);
	assert_int_equal(f->ops->readdir(f, &off, list_one, buf), 0);
	file_put(f);
	return buf;
}

/* --- tests --------------------------------------------------------------- */

static void test_read(void **state)
{
	(void)state;
	assert_string_equal(get("/two"), "two\n");
	assert_string_equal(get("/link"), "one\n");
	assert_string_equal(get("/d/sub/deep"), "deep\n");
	assert_string_equal(list("/d"), "numbers one sub ");
	assert_int_equal(lookup("/none"), -ENOENT);
}

static void test_copy_up(void **state)
{
	struct file *reader, *other;
	uint64_t ino = attr("/d/numbers").ino, size = attr("/d/numbers").size;
	char buf[9];

	(void)state;
	assert_int_equal(vfs_open(NULL, "/d/numbers", O_RDONLY, 0, &reader), 0);
	assert_int_equal(put("/d/numbers", O_WRONLY, "ONE"), 0);
	assert_int_equal(attr("/d/numbers").size, size);
	assert_int_equal(attr("/d/numbers").ino, ino);
	/* Whoever had it open sees the change, and the rest is as it was. */
	assert_int_equal(file_read_at(reader, buf, 8, 0), 8);
	assert_memory_equal(buf, "ONE\n", 4);
	assert_int_equal(file_read_at(reader, buf, 5, size - 5), 5);
	assert_memory_equal(buf, "5000\n", 5);
	file_put(reader);
	assert_int_equal(put("/two", O_WRONLY | O_APPEND, "more"), 0);
	assert_string_equal(get("/two"), "two\nmore");
	assert_int_equal(put("/two", O_WRONLY | O_TRUNC, "new"), 0);
	assert_string_equal(get("/two"), "new");
	/* Opened to read only: nothing is copied. */
	assert_int_equal(vfs_open(NULL, "/d/one", O_RDONLY, 0, &other), 0);
	file_put(other);
	assert_string_equal(list("/"), "d two empty link ");
}

static void test_make_and_remove(void **state)
{
	(void)state;
	assert_int_equal(put("/d/sub/new", O_CREAT | O_WRONLY, "x"), 0);
	assert_string_equal(list("/d/sub"), "new deep ");
	assert_int_equal(vfs_unlink(NULL, "/d/sub/deep", false), 0);
	assert_int_equal(lookup("/d/sub/deep"), -ENOENT);
	assert_string_equal(list("/d/sub"), "new ");
	assert_int_equal(vfs_unlink(NULL, "/d/sub", true), -ENOTEMPTY);
	assert_int_equal(vfs_unlink(NULL, "/d/sub/new", false), 0);
	assert_int_equal(vfs_unlink(NULL, "/d/sub", true), 0);
	assert_string_equal(list("/d"), "numbers one ");
	/* What is made in its place has nothing of what was there. */
	assert_int_equal(vfs_mkdir(NULL, "/d/sub", 0755), 0);
	assert_string_equal(list("/d/sub"), "");
	assert_int_equal(lookup("/d/sub/deep"), -ENOENT);
	assert_int_equal(put("/d/sub/deep", O_CREAT | O_WRONLY, "again"), 0);
	assert_string_equal(get("/d/sub/deep"), "again");
	assert_int_equal(vfs_unlink(NULL, "/empty", true), 0);
	assert_int_equal(put("/empty", O_CREAT | O_EXCL | O_WRONLY, "f"), 0);
	assert_string_equal(get("/empty"), "f");
	assert_int_equal(put("/two", O_CREAT | O_EXCL, "f"), -EEXIST);
}

/* The answers do not depend on what the name cache remembers. */
static void test_after_forgetting(void **state)
{
	(void)state;
	assert_int_equal(vfs_unlink(NULL, "/two", false), 0);
	assert_int_equal(put("/d/one", O_WRONLY, "X"), 0);
	assert_int_equal(vfs_unlink(NULL, "/d/sub/deep", false), 0);
	assert_int_equal(vfs_unlink(NULL, "/d/sub", true), 0);
	assert_int_equal(vfs_mkdir(NULL, "/d/sub", 0755), 0);
	dentry_prune(1000);
	assert_int_equal(lookup("/two"), -ENOENT);
	assert_string_equal(get("/d/one"), "Xne\n");
	assert_int_equal(lookup("/d/sub/deep"), -ENOENT);
	assert_string_equal(list("/"), "d empty link ");
}

static void test_rename(void **state)
{
	(void)state;
	assert_int_equal(vfs_rename(NULL, "/two", NULL, "/d/three", 0), 0);
	assert_int_equal(lookup("/two"), -ENOENT);
	assert_string_equal(get("/d/three"), "two\n");
	assert_int_equal(vfs_rename(NULL, "/d/three", NULL, "/d/one", 0), 0);
	assert_string_equal(get("/link"), "two\n");
	assert_int_equal(vfs_rename(NULL, "/d", NULL, "/e", 0), -EXDEV);
	assert_int_equal(vfs_mkdir(NULL, "/n", 0755), 0);
	assert_int_equal(put("/n/f", O_CREAT | O_WRONLY, "f"), 0);
	assert_int_equal(vfs_rename(NULL, "/n", NULL, "/d/sub", 0), -ENOTEMPTY);
	assert_int_equal(vfs_rename(NULL, "/n", NULL, "/empty", 0), 0);
	assert_string_equal(list("/empty"), "f ");
	assert_int_equal(vfs_unlink(NULL, "/d/sub/deep", false), 0);
	assert_int_equal(vfs_rename(NULL, "/empty", NULL, "/d/sub", 0), 0);
	dentry_prune(1000);
	assert_string_equal(list("/d/sub"), "f ");
	assert_string_equal(list("/"), "d link ");
	assert_int_equal(vfs_symlink("x", NULL, "/empty"), 0);
}

static void test_attributes_and_links(void **state)
{
	struct vattr a = { .mode = 0700, .mtime = 5 };
	struct dentry *d;

	(void)state;
	assert_int_equal(vfs_lookup(NULL, "/d/sub", 0, &d), 0);
	assert_int_equal(
	    vfs_setattr(dentry_vnode(d), &a, VATTR_MODE | VATTR_MTIME), 0);
	dentry_put(d);
	assert_int_equal(attr("/d/sub").mode, S_IFDIR | 0700);
	assert_int_equal(attr("/d/sub").mtime, 5);
	assert_string_equal(list("/d/sub"), "deep ");
	assert_int_equal(vfs_lookup(NULL, "/d/one", 0, &d), 0);
	assert_int_equal(vfs_link(d, NULL, "/hard"), 0);
	dentry_put(d);
	assert_int_equal(put("/hard", O_WRONLY, "H"), 0);
	assert_string_equal(get("/d/one"), "Hne\n");
	assert_int_equal(vfs_unlink(NULL, "/link", false), 0);
	assert_int_equal(put("/link", O_CREAT | O_WRONLY, "file"), 0);
	assert_string_equal(get("/link"), "file");
}

static void test_tmpfile(void **state)
{
	struct file *f;

	(void)state;
	assert_int_equal(vfs_open(NULL, "/d", O_TMPFILE | O_RDWR, 0600, &f), 0);
	assert_int_equal(vfs_link(f->dentry, NULL, "/d/named"), 0);
	file_put(f);
	assert_int_equal(lookup("/d/named"), 0);
}

/* Each step fails once for want of memory: the old or the new, no other. */
static void test_no_memory(void **state)
{
	(void)state;
	for (long n = 1;; n++) {
		bool done;

		fake_mm_fail_nth(n);
		done = put("/d/sub/deep", O_WRONLY, "DE") == 0;
		done =
		    vfs_rename(NULL, "/d/sub/deep", NULL, "/moved", 0) == 0 &&
		    done;
		fake_mm_fail_nth(0);
		if (lookup("/d/sub/deep") == 0)
			assert_true(!strcmp(get("/d/sub/deep"), "deep\n") ||
				    !strcmp(get("/d/sub/deep"), "DEep\n"));
		if (done)
			break;
		fs_unmount_root();
		assert_int_equal(
		    vfs_mount("overlay", "module:0", "/", 0, "lower=erofs"), 0);
	}
	assert_string_equal(get("/moved"), "DEep\n");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, overlay_setup, fs_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_read),
		TEST(test_copy_up),
		TEST(test_make_and_remove),
		TEST(test_after_forgetting),
		TEST(test_rename),
		TEST(test_attributes_and_links),
		TEST(test_tmpfile),
		TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
