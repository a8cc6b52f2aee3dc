/* Names: walks, links, making, removing and moving, on ramfs. */

#include "fs_fixture.h"

static void touch(const char *path)
{
	struct file *f;

	assert_int_equal(vfs_open(NULL, path, O_CREAT | O_WRONLY, 0644, &f), 0);
	file_put(f);
}

static int lookup(const char *path, unsigned how)
{
	struct dentry *d;
	int err = vfs_lookup(NULL, path, how, &d);

	if (!err)
		dentry_put(d);
	return err;
}

static const char *path_of(const char *path)
{
	static char buf[PATH_MAX];
	struct dentry *d;

	assert_int_equal(vfs_lookup(NULL, path, 0, &d), 0);
	assert_true(dentry_path(d, buf, sizeof(buf)) > 0);
	dentry_put(d);
	return buf;
}

static void test_walk(void **state)
{
	(void)state;
	assert_int_equal(vfs_mkdir(NULL, "/a", 0755), 0);
	assert_int_equal(vfs_mkdir(NULL, "/a/b", 0755), 0);
	touch("/a/b/f");
	assert_int_equal(lookup("/", 0), 0);
	assert_int_equal(lookup("", 0), -ENOENT);
	assert_int_equal(lookup("", WALK_EMPTY), 0);
	assert_int_equal(lookup("/a/b/f", 0), 0);
	assert_int_equal(lookup("a//b/./../b/f", 0), 0);
	assert_int_equal(lookup("/../../a/..", 0), 0);
	assert_int_equal(lookup("/a/b/f/", 0), -ENOTDIR);
	assert_int_equal(lookup("/a/b/f/x", 0), -ENOTDIR);
	assert_int_equal(lookup("/a/b/f/..", 0), -ENOTDIR);
	assert_int_equal(lookup("/a/b/", 0), 0);
	assert_int_equal(lookup("/a/x", 0), -ENOENT);
	assert_int_equal(lookup("/a/x", 0), -ENOENT); /* from the cache */
	assert_int_equal(lookup("/a/x/y", 0), -ENOENT);
	assert_int_equal(lookup("/a/b/f", WALK_DIRECTORY), -ENOTDIR);
	assert_string_equal(path_of("/a/b/../b/f"), "/a/b/f");
	assert_string_equal(path_of("/.."), "/");
}

static void test_long_names(void **state)
{
	char path[PATH_MAX + 10];

	(void)state;
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[256] = '\0';
	touch(path); /* 255 */
	path[256] = 'x';
	path[257] = '\0';
	assert_int_equal(lookup(path, 0), -ENAMETOOLONG);
	path[257] = 'x';
	path[PATH_MAX] = '\0';
	assert_int_equal(lookup(path, 0), -ENAMETOOLONG);
	for (size_t i = 0; i < PATH_MAX - 1; i++)
		path[i] = '/';
	path[PATH_MAX - 1] = '\0';
	assert_int_equal(lookup(path, 0), 0);
}

static void test_symlinks(void **state)
{
	char name[32], to[32];

	(void)state;
	assert_int_equal(vfs_mkdir(NULL, "/d", 0755), 0);
	touch("/d/f");
	assert_int_equal(vfs_symlink("d", NULL, "/rel"), 0);
	assert_int_equal(vfs_symlink("/d/f", NULL, "/d/abs"), 0);
	assert_int_equal(vfs_symlink("nowhere", NULL, "/dangling"), 0);
	assert_int_equal(vfs_symlink("self", NULL, "/self"), 0);
	assert_int_equal(vfs_symlink("", NULL, "/e"), -ENOENT);
	assert_string_equal(path_of("/rel/f"), "/d/f");
	assert_string_equal(path_of("/rel/abs"), "/d/f");
	assert_string_equal(path_of("/rel/"), "/d");
	assert_int_equal(lookup("/rel/abs/", 0), -ENOTDIR);
	assert_int_equal(lookup("/dangling", 0), -ENOENT);
	assert_int_equal(lookup("/dangling", WALK_NOFOLLOW), 0);
	assert_int_equal(lookup("/self", 0), -ELOOP);
	assert_int_equal(lookup("/self", WALK_NOFOLLOW), 0);
	/* 40 are followed, 41 are not. */
	assert_int_equal(vfs_symlink("/d/f", NULL, "/l0"), 0);
	for (int i = 1; i <= 40; i++) {
		snprintf(name, sizeof(name), "/l%d", i);
		snprintf(to, sizeof(to), "l%d", i - 1);
		assert_int_equal(vfs_symlink(to, NULL, name), 0);
	}
	assert_int_equal(lookup("/l39", 0), 0);
	assert_int_equal(lookup("/l40", 0), -ELOOP);
}

static int open_close(const char *path, int flags)
{
	struct file *f;
	int err = vfs_open(NULL, path, flags, 0644, &f);

	if (!err)
		file_put(f);
	return err;
}

static void test_open(void **state)
{
	(void)state;
	assert_int_equal(vfs_mkdir(NULL, "/d", 0755), 0);
	assert_int_equal(vfs_symlink("/d/new", NULL, "/s"), 0);
	assert_int_equal(open_close("/d/f", O_RDONLY), -ENOENT);
	assert_int_equal(open_close("/d/f", O_CREAT | O_EXCL), 0);
	assert_int_equal(open_close("/d/f", O_CREAT | O_EXCL), -EEXIST);
	assert_int_equal(open_close("/d/f", O_CREAT), 0);
	assert_int_equal(open_close("/d/g/", O_CREAT), -EISDIR);
	assert_int_equal(open_close("/d", O_CREAT), -EISDIR);
	assert_int_equal(open_close("/d", O_WRONLY), -EISDIR);
	assert_int_equal(open_close("/d", O_RDONLY), 0);
	assert_int_equal(open_close("/d/f", O_DIRECTORY), -ENOTDIR);
	assert_int_equal(open_close("/d", O_DIRECTORY), 0);
	/* A dangling link is made where it points to, but not with O_EXCL. */
	assert_int_equal(open_close("/s", O_CREAT | O_EXCL), -EEXIST);
	assert_int_equal(open_close("/s", O_CREAT | O_NOFOLLOW), -ELOOP);
	assert_int_equal(open_close("/s", O_CREAT), 0);
	assert_int_equal(lookup("/d/new", 0), 0);
	assert_int_equal(open_close("/s", O_NOFOLLOW), -ELOOP);
	assert_int_equal(open_close("/s", O_NOFOLLOW | O_PATH), 0);
	assert_int_equal(open_close("/d/f", O_PATH), 0);
	assert_int_equal(open_close("/d/f", O_CREAT | O_DIRECTORY), -EINVAL);
	assert_int_equal(open_close("/no/f", O_CREAT), -ENOENT);
	assert_int_equal(open_close("/d/f/g", O_CREAT), -ENOTDIR);
}

static void test_remove(void **state)
{
	(void)state;
	assert_int_equal(vfs_mkdir(NULL, "/d", 0755), 0);
	assert_int_equal(vfs_mkdir(NULL, "/d", 0755), -EEXIST);
	assert_int_equal(vfs_mkdir(NULL, "/", 0755), -EEXIST);
	assert_int_equal(vfs_mkdir(NULL, "/d/e/", 0755), 0);
	touch("/d/e/f");
	assert_int_equal(vfs_unlink(NULL, "/d/e", true), -ENOTEMPTY);
	assert_int_equal(vfs_unlink(NULL, "/d/e", false), -EISDIR);
	assert_int_equal(vfs_unlink(NULL, "/d/e/f", true), -ENOTDIR);
	assert_int_equal(vfs_unlink(NULL, "/d/e/f/", false), -ENOTDIR);
	assert_int_equal(vfs_unlink(NULL, "/d/e/.", true), -EINVAL);
	assert_int_equal(vfs_unlink(NULL, "/d/e/..", true), -ENOTEMPTY);
	assert_int_equal(vfs_unlink(NULL, "/", true), -EBUSY);
	assert_int_equal(vfs_unlink(NULL, "/d/e/f", false), 0);
	assert_int_equal(vfs_unlink(NULL, "/d/e/f", false), -ENOENT);
	assert_int_equal(lookup("/d/e/f", 0), -ENOENT);
	assert_int_equal(vfs_unlink(NULL, "/d/e", true), 0);
	assert_int_equal(vfs_unlink(NULL, "/d", true), 0);
	assert_int_equal(lookup("/d", 0), -ENOENT);
}

/* Nothing can be made in a directory that is gone. */
static void test_dead_directory(void **state)
{
	struct dentry *d;

	(void)state;
	assert_int_equal(vfs_mkdir(NULL, "/d", 0755), 0);
	assert_int_equal(vfs_lookup(NULL, "/d", 0, &d), 0);
	assert_int_equal(fs_chdir(d), 0);
	assert_int_equal(vfs_unlink(NULL, "/d", true), 0);
	assert_int_equal(vfs_mkdir(d, "x", 0755), -ENOENT);
	assert_int_equal(lookup("x", 0), -ENOENT);
	assert_string_equal(path_of("."), "/d (deleted)");
	assert_string_equal(path_of(".."), "/");
	dentry_put(d);
	assert_int_equal(vfs_lookup(NULL, "/", 0, &d), 0);
	assert_int_equal(fs_chdir(d), 0);
	dentry_put(d);
}

static void test_link(void **state)
{
	struct dentry *d;
	struct vattr a;

	(void)state;
	touch("/f");
	assert_int_equal(vfs_mkdir(NULL, "/d", 0755), 0);
	assert_int_equal(vfs_lookup(NULL, "/f", 0, &d), 0);
	assert_int_equal(vfs_link(d, NULL, "/d/g"), 0);
	assert_int_equal(vfs_link(d, NULL, "/d/g"), -EEXIST);
	assert_int_equal(vfs_getattr(dentry_vnode(d), &a), 0);
	assert_int_equal(a.nlink, 2);
	assert_int_equal(vfs_unlink(NULL, "/f", false), 0);
	assert_int_equal(vfs_getattr(dentry_vnode(d), &a), 0);
	assert_int_equal(a.nlink, 1);
	assert_int_equal(vfs_unlink(NULL, "/d/g", false), 0);
	assert_int_equal(vfs_link(d, NULL, "/again"), -ENOENT);
	dentry_put(d);
	assert_int_equal(vfs_lookup(NULL, "/d", 0, &d), 0);
	assert_int_equal(vfs_link(d, NULL, "/e"), -EPERM);
	dentry_put(d);
}

static int mv(const char *from, const char *to)
{
	return vfs_rename(NULL, from, NULL, to, 0);
}

static void test_rename(void **state)
{
	(void)state;
	assert_int_equal(vfs_mkdir(NULL, "/a", 0755), 0);
	assert_int_equal(vfs_mkdir(NULL, "/a/b", 0755), 0);
	assert_int_equal(vfs_mkdir(NULL, "/c", 0755), 0);
	touch("/a/b/f");
	touch("/g");
	assert_int_equal(mv("/none", "/x"), -ENOENT);
	assert_int_equal(mv("/a", "/a/b/x"), -EINVAL);
	assert_int_equal(mv("/a/b", "/a"), -ENOTEMPTY);
	assert_int_equal(mv("/a", "/g"), -ENOTDIR);
	assert_int_equal(mv("/g", "/c"), -EISDIR);
	assert_int_equal(mv("/g", "/h/"), -ENOTDIR);
	assert_int_equal(mv("/c", "/a"), -ENOTEMPTY);
	assert_int_equal(mv("/.", "/x"), -EBUSY);
	assert_int_equal(vfs_rename(NULL, "/g", NULL, "/c", 1), -EEXIST);
	assert_int_equal(vfs_rename(NULL, "/g", NULL, "/c", 2), -EINVAL);
	assert_int_equal(mv("/a/b", "/c"), 0); /* over an empty directory */
	assert_string_equal(path_of("/c/f"), "/c/f");
	assert_int_equal(lookup("/a/b", 0), -ENOENT);
	assert_int_equal(mv("/g", "/c/f"), 0);
	assert_int_equal(lookup("/g", 0), -ENOENT);
	assert_int_equal(mv("/c/f", "/c/f"), 0);
	assert_int_equal(mv("/c", "/new"), 0);
	assert_string_equal(path_of("/new/f"), "/new/f");
	assert_int_equal(mv("/a", "/new/a/"), 0);
	assert_string_equal(path_of("/new/a/.."), "/new");
}

static void test_rename_moves_open_names(void **state)
{
	struct dentry *d;
	char buf[64];

	(void)state;
	assert_int_equal(vfs_mkdir(NULL, "/a", 0755), 0);
	touch("/a/f");
	assert_int_equal(vfs_lookup(NULL, "/a/f", 0, &d), 0);
	assert_int_equal(mv("/a", "/b"), 0);
	assert_int_equal(dentry_path(d, buf, sizeof(buf)), 4);
	assert_string_equal(buf, "/b/f");
	assert_int_equal(dentry_path(d, buf, 4), -ENAMETOOLONG);
	touch("/b/g");
	assert_int_equal(mv("/b/g", "/b/f"), 0);
	assert_true(dentry_unlinked(d));
	dentry_put(d);
}

static void test_mounts(void **state)
{
	(void)state;
	assert_int_equal(vfs_mkdir(NULL, "/m", 0755), 0);
	touch("/m/below");
	assert_int_equal(vfs_mount("nofs", NULL, "/m", 0, NULL), -ENODEV);
	assert_int_equal(vfs_mount("tmpfs", NULL, "/no", 0, NULL), -ENOENT);
	assert_int_equal(vfs_mount("tmpfs", NULL, "/m", 0, NULL), 0);
	assert_int_equal(lookup("/m/below", 0), -ENOENT);
	touch("/m/above");
	assert_string_equal(path_of("/m/above"), "/m/above");
	assert_string_equal(path_of("/m/.."), "/");
	assert_string_equal(path_of("/m/../m/above"), "/m/above");
	assert_int_equal(mv("/m/above", "/x"), -EXDEV);
	assert_int_equal(mv("/m", "/n"), -EBUSY);
	assert_int_equal(vfs_unlink(NULL, "/m", true), -EBUSY);
	assert_int_equal(vfs_unmount("/"), -EBUSY);
	assert_int_equal(vfs_unmount("/m"), 0);
	assert_int_equal(lookup("/m/below", 0), 0);
	assert_int_equal(vfs_unmount("/m"), -EINVAL);
}

static void test_readonly_mount(void **state)
{
	(void)state;
	assert_int_equal(vfs_mkdir(NULL, "/m", 0755), 0);
	assert_int_equal(vfs_mount("tmpfs", NULL, "/m", 1, NULL), 0);
	assert_int_equal(open_close("/m/f", O_CREAT | O_RDWR), -EROFS);
	assert_int_equal(open_close("/m/f", O_RDONLY), -ENOENT);
	assert_int_equal(vfs_mkdir(NULL, "/m/d", 0755), -EROFS);
	assert_int_equal(vfs_unmount("/m"), 0);
}

static void test_umask(void **state)
{
	struct dentry *d;

	(void)state;
	assert_int_equal(fs_set_umask(027), 0);
	assert_int_equal(vfs_mkdir(NULL, "/d", 0777), 0);
	assert_int_equal(fs_set_umask(0), 027);
	assert_int_equal(vfs_lookup(NULL, "/d", 0, &d), 0);
	assert_int_equal(dentry_vnode(d)->mode, S_IFDIR | 0750);
	dentry_put(d);
}

/* Every allocation fails once: an error, and nothing is lost. */
static void test_no_memory(void **state)
{
	(void)state;
	assert_int_equal(vfs_mkdir(NULL, "/d", 0755), 0);
	assert_int_equal(vfs_symlink("d/./f", NULL, "/s"), 0);
	for (long n = 1;; n++) {
		int err;

		fake_mm_fail_nth(n);
		err = open_close("/s", O_CREAT | O_RDWR);
		if (!fake_mm_failed()) {
			assert_int_equal(err, 0);
			break;
		}
		assert_true(err == 0 || err == -ENOMEM);
		vfs_unlink(NULL, "/d/f", false);
	}
	fake_mm_fail_nth(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FS_TEST(test_walk),
		FS_TEST(test_long_names),
		FS_TEST(test_symlinks),
		FS_TEST(test_open),
		FS_TEST(test_remove),
		FS_TEST(test_dead_directory),
		FS_TEST(test_link),
		FS_TEST(test_rename),
		FS_TEST(test_rename_moves_open_names),
		FS_TEST(test_mounts),
		FS_TEST(test_readonly_mount),
		FS_TEST(test_umask),
		FS_TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
