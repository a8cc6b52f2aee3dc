/* The cpio reader and what it unpacks. */

#include "fs_fixture.h"

#include <stdlib.h>

#include "cpio.h"
#include "kern/num.h"

static char archive[200000];
static size_t len;

static void begin(void)
{
	memset(archive, 0, sizeof(archive));
	len = 0;
}

struct entry {
	unsigned ino, mode, nlink;
	const char *name, *body;
	size_t size; /* 0: the length of (body) */
	unsigned dev, sum;
	const char *magic; /* NULL: 070701 */
};

static void pad(void)
{
	len = (len + 3) & ~(size_t)3;
}

static void add(struct entry e)
{
	size_t size = e.size ? e.size : e.body ? strlen(e.body) : 0;

	len += (size_t)sprintf(archive + len,
	    "%s%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
	    e.magic ? e.magic : "070701", e.ino, e.mode, 1u, 2u,
	    e.nlink ? e.nlink : 1, 1000u, (unsigned)size, 0u, e.dev, 5u, 6u,
	    (unsigned)strlen(e.name) + 1, e.sum);
	len += (size_t)sprintf(archive + len, "%s", e.name) + 1;
	pad();
	if (e.body) {
		memcpy(archive + len, e.body, MIN(size, strlen(e.body)));
		len += size;
		pad();
	}
}

static void trailer(void)
{
	add((struct entry){ .name = "TRAILER!!!" });
}

/* --- the reader ---------------------------------------------------------- */

static int read_all(char *names)
{
	struct cpio_entry e;
	struct cpio c;
	int more;
	/* In memory of its own size, so that a read past it is seen. */
	char *copy = malloc(len ? len : 1);

	memcpy(copy, archive, len);
	cpio_init(&c, copy, len);
	if (names)
		names[0] = '\0';
	while ((more = cpio_next(&c, &e)) > 0) {
		if (!names)
			continue;
		strncat(names, e.name, e.name_len);
		strcat(names, " ");
	}
	assert_true(more == 0 || c.error);
	free(copy);
	return more;
}

static void test_names(void **state)
{
	char names[500];

	(void)state;
	begin();
	assert_int_equal(read_all(names), 0);
	add((struct entry){ .name = ".", .mode = 040755 });
	add((struct entry){ .name = "./a", .mode = 040755 });
	add((struct entry){ .name = "/a/b", .mode = 0100644, .body = "x" });
	add((struct entry){ .name = "//./c//", .mode = 040755 });
	add((struct entry){ .name = "..d/e..f/...", .mode = 040755 });
	trailer();
	assert_int_equal(read_all(names), 0);
	assert_string_equal(names, " a a/b c ..d/e..f/... ");
}

static void test_bad_names(void **state)
{
	static const char *const bad[] = { "..", "../x", "a/..", "a/../b",
		"/..", "./.." };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		begin();
		add((struct entry){ .name = bad[i], .mode = 040755 });
		assert_int_equal(read_all(NULL), -EINVAL);
	}
	begin();
	add((struct entry){ .name = "", .mode = 040755 });
	assert_int_equal(read_all(NULL), -EINVAL);
	begin();
	add((struct entry){ .name = "abc", .mode = 040755 });
	archive[111] = '\0'; /* inside */
	assert_int_equal(read_all(NULL), -EINVAL);
	archive[111] = 'b';
	archive[113] = 'd'; /* no end */
	assert_int_equal(read_all(NULL), -EINVAL);
}

static void test_several_archives(void **state)
{
	char names[500];

	(void)state;
	begin();
	add((struct entry){ .name = "one", .mode = 0100644 });
	trailer();
	len = 512;
	add((struct entry){ .name = "two", .mode = 0100644 });
	trailer();
	len = 2048;
	assert_int_equal(read_all(names), 0);
	assert_string_equal(names, "one two ");
	memcpy(archive + 1600, "garbage", 7);
	assert_int_equal(read_all(names), -EINVAL);
	/* Without a trailer at the end, too: some tools cut it off. */
	begin();
	add((struct entry){ .name = "one", .mode = 0100644 });
	assert_int_equal(read_all(names), 0);
}

static void test_checksum(void **state)
{
	struct entry e = { .name = "f",
		.mode = 0100644,
		.body = "abc",
		.sum = 'a' + 'b' + 'c',
		.magic = "070702" };

	(void)state;
	begin();
	add(e);
	trailer();
	assert_int_equal(read_all(NULL), 0);
	begin();
	e.sum++;
	add(e);
	assert_int_equal(read_all(NULL), -EINVAL);
}

/* Cut at every byte: the whole entries before the cut, and then an error. */
static void test_truncated(void **state)
{
	size_t full;

	(void)state;
	begin();
	add((struct entry){ .name = "dir", .mode = 040755 });
	add((struct entry){ .name = "file", .mode = 0100644, .body = "body" });
	trailer();
	full = len;
	for (len = 1; len < full; len++) {
		int r = read_all(NULL);

		assert_true(r == 0 || r == -EINVAL);
	}
}

/* Every field with what should not be there. */
static void test_corrupt(void **state)
{
	static const char *const value[] = { "FFFFFFFF", "80000000", "7FFFFFFF",
		"00001001", "0000000 ", "-0000001", "0x000001", "zzzzzzzz",
		"00000000" };
	char good[1000];
	size_t full;

	(void)state;
	begin();
	add((struct entry){ .name = "file", .mode = 0100644, .body = "body" });
	trailer();
	memcpy(good, archive, len);
	full = len;
	for (unsigned f = 0; f < 13; f++) {
		for (size_t v = 0; v < ARRAY_SIZE(value); v++) {
			memcpy(archive, good, full);
			memcpy(archive + 6 + f * 8, value[v], 8);
			len = full;
			read_all(NULL);
		}
	}
	/* Each byte with each bit turned. */
	for (size_t bit = 0; bit < full * 8; bit++) {
		memcpy(archive, good, full);
		archive[bit / 8] ^= (char)(1 << bit % 8);
		read_all(NULL);
	}
}

static void test_kinds_of_data(void **state)
{
	(void)state;
	begin();
	add((struct entry){ .name = "f", .mode = 0100644 });
	assert_true(cpio_is_archive(archive, len));
	assert_false(cpio_is_archive(archive, 100));
	assert_false(cpio_is_archive("070707", 6));
	assert_string_equal(cpio_compression("\x1f\x8b\x08", 3), "gzip");
	assert_string_equal(cpio_compression("\x28\xb5\x2f\xfd", 4), "zstd");
	assert_null(cpio_compression("\x1f", 1));
	assert_null(cpio_compression(archive, len));
}

/* --- unpacking ----------------------------------------------------------- */

static uint64_t told;

static void consumed(void *arg, uint64_t upto)
{
	(void)arg;
	assert_true(upto >= told && upto <= len);
	told = upto;
}

static int unpack(void)
{
	struct dentry *root = fs_root();
	int err;

	told = 0;
	err = cpio_unpack(archive, len, root->vnode, consumed, NULL);
	dentry_put(root);
	return err;
}

static struct vattr attr(const char *path)
{
	struct vattr a;
	struct dentry *d;

	assert_int_equal(vfs_lookup(NULL, path, WALK_NOFOLLOW, &d), 0);
	assert_int_equal(vfs_getattr(dentry_vnode(d), &a), 0);
	dentry_put(d);
	return a;
}

static void check(const char *path, const char *body, size_t size)
{
	char *buf = malloc(size + 1);
	struct file *f;

	assert_int_equal(vfs_open(NULL, path, O_RDONLY, 0, &f), 0);
	assert_int_equal(file_read_at(f, buf, size + 1, 0), size);
	assert_memory_equal(buf, body, size);
	file_put(f);
	free(buf);
}

static void test_unpack(void **state)
{
	static char large[100001];

	(void)state;
	for (size_t i = 0; i < sizeof(large) - 1; i++)
		large[i] = (char)(i % 251 + 1);
	begin();
	add((struct entry){ .name = ".", .mode = 040711 });
	add((struct entry){ .name = "etc", .mode = 040750 });
	add((struct entry){
	    .name = "etc/passwd", .mode = 0100640, .body = "root" });
	add((struct entry){
	    .name = "deep/er/file", .mode = 0100755, .body = large });
	add((struct entry){
	    .name = "link", .mode = 0120777, .body = "etc/passwd" });
	add((struct entry){ .name = "null", .mode = 020666 });
	add((struct entry){ .name = "fifo", .mode = 010600 });
	trailer();
	assert_int_equal(unpack(), 0);
	assert_true(told > 100000);
	assert_int_equal(attr("/").mode, 040711);
	assert_int_equal(attr("/etc").mode, 040750);
	assert_int_equal(attr("/deep").mode, 040755);
	assert_int_equal(attr("/etc/passwd").mode, 0100640);
	assert_int_equal(attr("/etc/passwd").uid, 1);
	assert_int_equal(attr("/etc/passwd").gid, 2);
	assert_int_equal(attr("/etc/passwd").mtime, 1000 * 1000000000ull);
	assert_int_equal(attr("/null").rdev, 5 << 8 | 6);
	assert_int_equal(attr("/fifo").mode, 010600);
	check("/link", "root", 4);
	check("/deep/er/file", large, sizeof(large) - 1);
}

/* GNU cpio gives the contents with the last name, others with the first. */
static void test_hard_links(void **state)
{
	(void)state;
	begin();
	add((struct entry){
	    .ino = 7, .nlink = 2, .name = "a", .mode = 0100644 });
	add((struct entry){ .ino = 8,
	    .nlink = 2,
	    .name = "x",
	    .mode = 0100644,
	    .body = "first" });
	add((struct entry){ .ino = 7,
	    .nlink = 2,
	    .name = "b",
	    .mode = 0100644,
	    .body = "shared" });
	add((struct entry){
	    .ino = 8, .nlink = 2, .name = "y", .mode = 0100644 });
	add((struct entry){
	    .ino = 7, .nlink = 2, .name = "other", .mode = 0100644, .dev = 3 });
	trailer();
	assert_int_equal(unpack(), 0);
	check("/a", "shared", 6);
	check("/b", "shared", 6);
	check("/y", "first", 5);
	check("/other", "", 0);
	assert_int_equal(attr("/a").ino, attr("/b").ino);
	assert_int_equal(attr("/a").nlink, 2);
	assert_int_equal(attr("/other").nlink, 1);
}

static void test_later_wins(void **state)
{
	(void)state;
	begin();
	add((struct entry){
	    .name = "f", .mode = 0100644, .body = "long text" });
	add((struct entry){ .name = "d", .mode = 040700 });
	add((struct entry){ .name = "d/x", .mode = 0100644, .body = "x" });
	add((struct entry){ .name = "f", .mode = 0100600, .body = "new" });
	add((struct entry){ .name = "d", .mode = 040755 });
	trailer();
	assert_int_equal(unpack(), 0);
	check("/f", "new", 3);
	check("/d/x", "x", 1);
	assert_int_equal(attr("/d").mode, 040755);
}

static void test_unpack_refuses(void **state)
{
	char name[400];

	(void)state;
	begin();
	add((struct entry){ .name = "f", .mode = 0100644 });
	add((struct entry){ .name = "f/g", .mode = 0100644 });
	assert_int_equal(unpack(), -ENOTDIR);
	begin();
	add((struct entry){ .name = "weird", .mode = 0170644 });
	assert_int_equal(unpack(), -EINVAL);
	begin();
	add((struct entry){ .name = ".", .mode = 0100644 });
	assert_int_equal(unpack(), -EINVAL);
	begin();
	memset(name, 'x', 300);
	name[300] = '\0';
	add((struct entry){ .name = name, .mode = 0100644 });
	assert_int_equal(unpack(), -ENAMETOOLONG);
	begin();
	add((struct entry){ .name = "l", .mode = 0120777 });
	assert_int_equal(unpack(), -EINVAL); /* a link to nowhere */
	begin();
	add((struct entry){
	    .name = "l", .mode = 0120777, .body = "a\0b", .size = 3 });
	assert_int_equal(unpack(), -EINVAL);
	begin();
	add((struct entry){ .name = "e", .mode = 040755 });
	add((struct entry){ .name = "e/f", .mode = 0100644 });
	add((struct entry){ .name = "e", .mode = 0100644 });
	assert_int_equal(unpack(), -ENOTEMPTY);
}

static void test_no_memory(void **state)
{
	int err;

	(void)state;
	begin();
	add((struct entry){ .name = "d/e/f",
	    .ino = 3,
	    .nlink = 2,
	    .mode = 0100644,
	    .body = "text" });
	add((struct entry){
	    .name = "g", .ino = 3, .nlink = 2, .mode = 0100644 });
	add((struct entry){ .name = "s", .mode = 0120777, .body = "g" });
	trailer();
	for (long n = 1;; n++) {
		fake_mm_fail_nth(n);
		err = unpack();
		if (!fake_mm_failed())
			break;
		fake_mm_fail_nth(0);
		fs_unmount_root();
		assert_int_equal(vfs_mount("ramfs", "rootfs", "/", 0, NULL), 0);
	}
	fake_mm_fail_nth(0);
	assert_int_equal(err, 0);
	check("/g", "text", 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_bad_names),
		cmocka_unit_test(test_several_archives),
		cmocka_unit_test(test_checksum),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_corrupt),
		cmocka_unit_test(test_kinds_of_data),
		FS_TEST(test_unpack),
		FS_TEST(test_hard_links),
		FS_TEST(test_later_wins),
		FS_TEST(test_unpack_refuses),
		FS_TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
