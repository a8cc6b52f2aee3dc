/*
 * EROFS: images made by mkfs.erofs are read back and compared with the tree
 * they were made from, and must not do harm when they are damaged.
 */

#include "fake_disk.h"
#include "fs_fixture.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "pcache.h"

#define TREE  "erofs-test-tree"
#define SMALL "erofs-test-small"
#define IMAGE "erofs-test-image"

static uint8_t *image;
static size_t image_len;

/* --- trees --------------------------------------------------------------- */

static uint64_t seed = 1;

static uint8_t random_byte(void)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint8_t)(seed >> 56);
}

enum contents { NOISE, TEXT, ZEROES, MIXED };

static uint8_t contents_byte(enum contents what, size_t i)
{
	static const char text[] =
	    "It was the best of times, it was the worst of times. ";

	switch (what) {
	case NOISE:
		return random_byte();
	case TEXT:
		return (
		    uint8_t)(text[(i * 7 / 5 + i / 999) % (sizeof(text) - 1)]);
	case ZEROES:
		return 0;
	case MIXED:
	default:
		return i / 10000 % 2 ? random_byte() : (uint8_t)(i / 64);
	}
}

static void make_file(
    const char *dir, const char *name, size_t n, enum contents what)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "wb");
	assert_non_null(f);
	for (size_t i = 0; i < n; i++)
		putc(contents_byte(what, i), f);
	assert_int_equal(fclose(f), 0);
}

static int run(const char *command)
{
	return system(command);
}

static void make_small(void)
{
	assert_int_equal(run("rm -rf " SMALL " && mkdir -p " SMALL "/d"), 0);
	make_file(SMALL, "empty", 0, TEXT);
	make_file(SMALL, "short", 100, TEXT);
	make_file(SMALL, "d/text", 50000, TEXT);
	make_file(SMALL, "d/mixed", 30000, MIXED);
	assert_int_equal(run("ln -s d/text " SMALL "/link"), 0);
}

static void make_tree(void)
{
	static const size_t edge[] = { 0, 1, 4095, 4096, 4097, 8191, 8192,
		100000 };
	char name[300];

	assert_int_equal(
	    run("rm -rf " TREE " && mkdir -p " TREE "/many " TREE "/a/b/c"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(edge); i++) {
		snprintf(name, sizeof(name), "text%zu", edge[i]);
		make_file(TREE, name, edge[i], TEXT);
		snprintf(name, sizeof(name), "noise%zu", edge[i]);
		make_file(TREE, name, edge[i], NOISE);
	}
	make_file(TREE, "zeroes", 3000000, ZEROES);
	make_file(TREE, "a/mixed", 1000000, MIXED);
	make_file(TREE, "a/b/c/text", 777777, TEXT);
	for (int i = 0; i < 700; i++) {
		snprintf(name, sizeof(name), "many/file-number-%d", i * 37);
		make_file(TREE, name, (size_t)i % 50, TEXT);
	}
	memset(name, 'n', 254); /* mkfs.erofs 1.5 takes no 255 */
	name[254] = '\0';
	make_file(TREE, name, 10, TEXT);
	assert_int_equal(
	    run("ln -s a/mixed " TREE "/rel && ln -s /a/b " TREE "/abs && "
		"ln " TREE "/text4097 " TREE "/a/hard && "
		"mkfifo " TREE "/fifo"),
	    0);
}

static void make_image(const char *tree, const char *options)
{
	char command[512];
	FILE *f;

	snprintf(command, sizeof(command),
	    "mkfs.erofs -T1234567890 %s " IMAGE " %s >/dev/null 2>&1", options,
	    tree);
	assert_int_equal(run(command), 0);
	f = fopen(IMAGE, "rb");
	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	image_len = (size_t)ftell(f);
	rewind(f);
	free(image);
	image = malloc(image_len);
	assert_int_equal(fread(image, 1, image_len, f), image_len);
	fclose(f);
}

/* --- comparing ----------------------------------------------------------- */

static unsigned compared;

static void compare_file(const char *host, const char *guest)
{
	static uint8_t a[70000], b[70000];
	FILE *in = fopen(host, "rb");
	int fd = fileno(in);
	struct file *f;
	uint64_t off = 0;
	long n;

	assert_int_equal(vfs_open(NULL, guest, O_RDONLY, 0, &f), 0);
	do {
		n = read(fd, a, sizeof(a));
		assert_int_equal(file_read_at(f, b, sizeof(b), off), n);
		assert_memory_equal(a, b, (size_t)n);
		off += (uint64_t)n;
	} while (n > 0);
	/* From the end, in another order than the readahead likes. */
	for (uint64_t at = off; at > 4321; at -= 4321) {
		n = pread(fd, a, 99, (off_t)(at - 99));
		assert_int_equal(file_read_at(f, b, 99, at - 99), n);
		assert_memory_equal(a, b, (size_t)n);
		if (off - at > 400000)
			break;
	}
	file_put(f);
	fclose(in);
}

static void compare_link(const char *host, const char *guest)
{
	char a[PATH_MAX], b[PATH_MAX];
	struct dentry *d;
	struct vnode *v;
	ssize_t n = readlink(host, a, sizeof(a));

	assert_int_equal(vfs_lookup(NULL, guest, WALK_NOFOLLOW, &d), 0);
	v = dentry_vnode(d);
	assert_int_equal(v->ops->readlink(v, b, sizeof(b)), n);
	assert_memory_equal(a, b, (size_t)n);
	dentry_put(d);
}

static bool count_entry(void *arg, const char *name, size_t len, uint64_t ino,
    uint8_t type, uint64_t next)
{
	(void)name;
	(void)len;
	(void)ino;
	(void)type;
	(void)next;
	++*(unsigned *)arg;
	return *(unsigned *)arg % 7 != 0; /* begin again now and then */
}

static unsigned guest_entries(const char *guest)
{
	unsigned n = 0, refused = 0, before;
	uint64_t off = 0;
	struct file *f;

	assert_int_equal(vfs_open(NULL, guest, O_RDONLY, 0, &f), 0);
	do {
		before = n;
		assert_int_equal(f->ops->readdir(f, &off, count_entry, &n), 0);
		/* The one that was refused comes again. */
		refused += n != before && n % 7 == 0;
	} while (n != before);
	file_put(f);
	return n - refused;
}

static void compare_dir(const char *host, const char *guest);

static void compare(const char *host, const char *guest, uint8_t type)
{
	struct dentry *d;

	compared++;
	assert_int_equal(vfs_lookup(NULL, guest, WALK_NOFOLLOW, &d), 0);
	assert_int_equal((d->vnode->mode & S_IFMT) >> 12, type);
	dentry_put(d);
	if (type == DT_DIR)
		compare_dir(host, guest);
	else if (type == DT_REG)
		compare_file(host, guest);
	else if (type == DT_LNK)
		compare_link(host, guest);
}

static void compare_dir(const char *host, const char *guest)
{
	char h[2048], g[2048];
	DIR *dir = opendir(host);
	struct dirent *e;
	unsigned n = 0;

	assert_non_null(dir);
	while ((e = readdir(dir))) {
		n++;
		if (name_is_dots(e->d_name, strlen(e->d_name)))
			continue;
		snprintf(h, sizeof(h), "%s/%s", host, e->d_name);
		snprintf(g, sizeof(g), "%s/%s", guest, e->d_name);
		compare(h, g, e->d_type);
	}
	closedir(dir);
	assert_int_equal(guest_entries(*guest ? guest : "/"), n);
	snprintf(g, sizeof(g), "%s/none", guest);
	struct dentry *d;
	assert_int_equal(vfs_lookup(NULL, g, 0, &d), -ENOENT);
}

/* --- whole images -------------------------------------------------------- */

static void check_source(const char *source)
{
	fs_fixture_begin();
	dentry_init();
	assert_int_equal(vfs_mount("erofs", source, "/", 0, NULL), 0);
	compared = 0;
	compare_dir(TREE, "");
	assert_true(compared > 700);
	fs_unmount_root();
	fs_fixture_end();
	assert_int_equal(fake_disk_users(), 0);
}

static void check_image(const char *options)
{
	make_image(TREE, options);
	fake_disk_set(image, image_len);
	fake_disk_module(image, image_len);
	check_source("vda");
	check_source("module:0");
}

static void test_plain(void **state)
{
	(void)state;
	check_image("");
	check_image("-Eforce-inode-compact");
	check_image("-Eforce-inode-extended");
	check_image("-Enoinline_data");
}

static void test_chunks(void **state)
{
	(void)state;
	check_image("--chunksize=4096");
	check_image("--chunksize=65536 -Eforce-chunk-indexes");
	check_image("--chunksize=8192 -Eforce-inode-blockmap");
}

static void test_lz4(void **state)
{
	(void)state;
	check_image("-zlz4");
	check_image("-zlz4hc,9");
	check_image("-zlz4 -Elegacy-compress");
}

static void test_big_pclusters(void **state)
{
	(void)state;
	check_image("-zlz4 -C16384");
	check_image("-zlz4hc -C65536");
	check_image("-zlz4 -C65536 -Elegacy-compress");
}

static int mount_error(void)
{
	int err = vfs_mount("erofs", "module:0", "/", 0, NULL);

	if (!err)
		fs_unmount_root();
	return err;
}

static void test_refused(void **state)
{
	(void)state;
	fs_fixture_begin();
	dentry_init();
	make_image(SMALL, "-zlz4 -Eztailpacking");
	fake_disk_module(image, image_len);
	assert_int_equal(mount_error(), -EINVAL);
	make_image(SMALL, "");
	fake_disk_module(image, image_len);
	assert_int_equal(mount_error(), 0);
	image[1024 + 50] ^= 1; /* the uuid: only the checksum sees it */
	assert_int_equal(mount_error(), -EIO);
	image[1024 + 50] ^= 1;
	for (size_t len = 0; len < 1152; len += 128) {
		fake_disk_module(image, len);
		assert_true(mount_error() < 0);
	}
	fake_disk_module(image, image_len);
	assert_int_equal(vfs_mount("erofs", "module:9", "/", 0, NULL), -ENODEV);
	assert_int_equal(vfs_mount("erofs", "nodisk", "/", 0, NULL), -ENODEV);
	fs_fixture_end();
}

static void test_no_memory(void **state)
{
	int err;

	(void)state;
	fs_fixture_begin();
	dentry_init();
	make_image(SMALL, "-zlz4");
	fake_disk_set(image, image_len);
	for (long n = 1;; n++) {
		struct file *f;
		char buf[9000];

		fake_mm_fail_nth(n);
		err = vfs_mount("erofs", "vda", "/", 0, NULL);
		if (!err) {
			err = vfs_open(NULL, "/link", O_RDONLY, 0, &f);
			if (!err) {
				file_read_at(f, buf, sizeof(buf), 40000);
				file_put(f);
			}
			fs_unmount_root();
		}
		if (!fake_mm_failed())
			break;
	}
	fake_mm_fail_nth(0);
	assert_int_equal(err, 0);
	fs_fixture_end();
}

/* What was read can be thrown away and is read again. */
static void test_shrinker(void **state)
{
	char first[100], again[100];
	struct file *f;

	(void)state;
	make_image(SMALL, "-zlz4");
	fake_disk_set(image, image_len);
	fs_fixture_begin();
	dentry_init();
	assert_int_equal(vfs_mount("erofs", "vda", "/", 0, NULL), 0);
	assert_int_equal(vfs_open(NULL, "/link", O_RDONLY, 0, &f), 0);
	assert_int_equal(file_read_at(f, first, 100, 40000), 100);
	assert_true(pcache_reclaimable() > 0);
	assert_int_equal(pcache_reclaimable(), fake_mm_file_bytes());
	pcache_shrink_all();
	assert_int_equal(pcache_reclaimable(), 0);
	assert_int_equal(file_read_at(f, again, 100, 40000), 100);
	assert_memory_equal(first, again, 100);
	file_put(f);
	fs_unmount_root();
	fs_fixture_end();
}

/* --- damage -------------------------------------------------------------- */

struct visit {
	unsigned depth, budget;
	char path[1024];
};

static void visit_dir(struct visit *, size_t len);

static void visit_name(struct visit *w, size_t len)
{
	char buf[5000];
	struct dentry *d;
	struct file *f;

	if (vfs_lookup(NULL, w->path, WALK_NOFOLLOW, &d) == 0) {
		struct vnode *v = dentry_vnode(d);
		bool dir = vnode_is(v, S_IFDIR);

		if (vnode_is(v, S_IFLNK))
			v->ops->readlink(v, buf, sizeof(buf));
		dentry_put(d);
		if (dir) {
			visit_dir(w, len);
			return;
		}
	}
	if (vfs_open(NULL, w->path, O_RDONLY, 0, &f))
		return;
	for (uint64_t off = 0; off < 60000; off += 4999)
		if (file_read_at(f, buf, sizeof(buf), off) <= 0)
			break;
	file_put(f);
}

struct names {
	char name[20][256];
	unsigned n;
};

static bool keep_name(void *arg, const char *name, size_t len, uint64_t ino,
    uint8_t type, uint64_t next)
{
	struct names *k = arg;

	(void)ino;
	(void)type;
	(void)next;
	memcpy(k->name[k->n], name, len);
	k->name[k->n][len] = '\0';
	return ++k->n < ARRAY_SIZE(k->name);
}

/* A damaged tree may be as wide and as deep as it likes. */
static void visit_dir(struct visit *w, size_t len)
{
	struct names *k;
	uint64_t off = 2;
	struct file *f;

	if (w->depth == 3 ||
	    vfs_open(NULL, *w->path ? w->path : "/", O_RDONLY, 0, &f))
		return;
	k = calloc(1, sizeof(*k));
	w->depth++;
	f->ops->readdir(f, &off, keep_name, k);
	file_put(f);
	for (unsigned i = 0; i < k->n && w->budget > 0; i++) {
		int n = snprintf(
		    w->path + len, sizeof(w->path) - len, "/%s", k->name[i]);

		w->budget--;
		visit_name(w, len + (size_t)n);
		w->path[len] = '\0';
	}
	w->depth--;
	free(k);
}

static void visit_image(const char *source)
{
	struct visit w = { .budget = 30 };

	if (vfs_mount("erofs", source, "/", 0, NULL))
		return;
	visit_dir(&w, 0);
	fs_unmount_root();
}

/*
 * Every bit of the metadata is turned over, and one of each 64 bytes of the
 * rest; EROFS_FUZZ=1 in the environment: all of them.
 */
static void damage(const char *options)
{
	size_t step = getenv("EROFS_FUZZ") ? 1 : 512;
	unsigned n = 0;

	make_image(SMALL, options);
	image[1024 + 8] &= (uint8_t)~1; /* no checksum of the superblock */
	fake_disk_set(image, image_len);
	fake_disk_module(image, image_len);
	fs_fixture_begin();
	for (size_t bit = 1024 * 8; bit < image_len * 8;
	     bit += bit < 2300 * 8 ? 1 : step + n % 8) {
		alarm(20); /* a loop without end is a failure */
		image[bit / 8] ^= (uint8_t)(1u << bit % 8);
		visit_image(n++ % 2 ? "vda" : "module:0");
		image[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	alarm(0);
	fs_fixture_end();
	assert_true(n > 5000);
}

static void test_damaged_plain(void **state)
{
	(void)state;
	damage("");
}

static void test_damaged_compact(void **state)
{
	(void)state;
	damage("-zlz4 -C16384");
}

static void test_damaged_full(void **state)
{
	(void)state;
	damage("-zlz4 -Elegacy-compress");
}

static void test_damaged_chunks(void **state)
{
	(void)state;
	damage("--chunksize=4096");
}

static void test_truncated(void **state)
{
	(void)state;
	make_image(SMALL, "-zlz4");
	image[1024 + 8] &= (uint8_t)~1;
	fs_fixture_begin();
	for (size_t len = 0; len < image_len; len += 512) {
		fake_disk_set(image, len);
		fake_disk_module(image, len);
		visit_image("vda");
		visit_image("module:0");
	}
	fs_fixture_end();
}

static int group_setup(void **state)
{
	(void)state;
	make_tree();
	make_small();
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	free(image);
	return run("rm -rf " TREE " " SMALL " " IMAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_lz4),
		cmocka_unit_test(test_big_pclusters),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_shrinker),
		cmocka_unit_test(test_damaged_plain),
		cmocka_unit_test(test_damaged_compact),
		cmocka_unit_test(test_damaged_full),
		cmocka_unit_test(test_damaged_chunks),
		cmocka_unit_test(test_truncated),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
