/* The page cache and files of ramfs and tmpfs. */

#include "fs_fixture.h"

#include <linux/falloc.h>
#include <stdlib.h>

#include "kern/num.h"
#include "pcache.h"

static struct file *open_file(const char *path, int flags)
{
	struct file *f;

	assert_int_equal(vfs_open(NULL, path, flags, 0644, &f), 0);
	return f;
}

static long put_at(struct file *f, const void *p, size_t n, uint64_t off)
{
	struct uio u;

	uio_init(&u, (void *)(uintptr_t)p, n, false);
	return f->ops->write(f, &u, &off);
}

/* --- the tree of pages --------------------------------------------------- */

#define WORDS 300

static void test_ptree(void **state)
{
	uint64_t index[WORDS];
	struct ptree t = { 0 };
	uint64_t at = 0, seen = 0;
	long live = fake_mm_live();

	(void)state;
	srand(1);
	for (unsigned i = 0; i < WORDS; i++) {
		/* Dense, sparse, and at the very end. */
		index[i] =
		    i < 100   ? i
		    : i < 299 ? ((uint64_t)rand() << 31 | (unsigned)rand()) << 2
			      : UINT64_MAX;
		assert_int_equal(ptree_set(&t, index[i], i * 4 + 4), 0);
	}
	for (unsigned i = 0; i < WORDS; i++)
		assert_int_equal(ptree_get(&t, index[i]), i * 4 + 4);
	assert_int_equal(ptree_get(&t, 100), 0);
	/* In order, each once. */
	for (uint64_t last = 0;; at++, seen++) {
		if (!ptree_next(&t, &at))
			break;
		assert_true(seen == 0 || at > last);
		last = at;
		if (at == UINT64_MAX) {
			seen++;
			break;
		}
	}
	assert_int_equal(seen, WORDS);
	for (unsigned i = 0; i < WORDS; i++) {
		unsigned j = (i * 7) % WORDS;

		assert_int_equal(ptree_clear(&t, index[j]), j * 4 + 4);
		assert_int_equal(ptree_clear(&t, index[j]), 0);
	}
	at = 0;
	assert_int_equal(ptree_next(&t, &at), 0);
	assert_int_equal(fake_mm_live(), live);
}

static void test_ptree_no_memory(void **state)
{
	struct ptree t = { 0 };
	long live = fake_mm_live();

	(void)state;
	for (long n = 1;; n++) {
		fake_mm_fail_nth(n);
		if (ptree_set(&t, 1ull << 50, 4) == 0)
			break;
		assert_int_equal(ptree_get(&t, 1ull << 50), 0);
		ptree_clear(&t, 1ull << 50);
		assert_int_equal(fake_mm_live(), live);
	}
	fake_mm_fail_nth(0);
	assert_int_equal(ptree_clear(&t, 1ull << 50), 4);
	assert_int_equal(fake_mm_live(), live);
}

/* --- contents ------------------------------------------------------------ */

/* Random writes, truncations and holes, compared with an array. */
static void test_against_model(void **state)
{
	enum { SIZE = 60000 };
	static uint8_t model[SIZE], buf[SIZE];
	struct file *f = open_file("/f", O_CREAT | O_RDWR);
	size_t size = 0;

	(void)state;
	srand(2);
	memset(model, 0, sizeof(model));
	for (int step = 0; step < 3000; step++) {
		size_t off = (size_t)rand() % (SIZE - 9000);
		size_t n = (size_t)rand() % (step % 3 ? 9000 : 50);

		switch (rand() % 5) {
		case 0:
			assert_int_equal(f->ops->truncate(f, off), 0);
			memset(
			    model + MIN(off, size), 0, SIZE - MIN(off, size));
			size = off;
			break;
		case 1:
			if (n == 0)
				break;
			assert_int_equal(
			    f->ops->fallocate(f,
				FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off,
				n),
			    0);
			memset(model + off, 0, n);
			break;
		default:
			for (size_t i = 0; i < n; i++)
				buf[i] = (uint8_t)rand();
			assert_int_equal(put_at(f, buf, n, off), n);
			memcpy(model + off, buf, n);
			if (n)
				size = MAX(size, off + n);
		}
		assert_int_equal(vnode_size(f->vnode), size);
		assert_int_equal(file_read_at(f, buf, SIZE, 0), size);
		assert_memory_equal(buf, model, size);
	}
	file_put(f);
}

static void test_positions(void **state)
{
	struct file *f = open_file("/f", O_CREAT | O_RDWR), *app;
	uint64_t off = 0;

	(void)state;
	assert_int_equal(put_at(f, "hello", 5, 3), 5);
	assert_int_equal(f->ops->seek(f, -2, SEEK_END), 6);
	assert_int_equal(f->ops->seek(f, 1, SEEK_CUR), 7);
	assert_int_equal(f->ops->seek(f, -8, SEEK_CUR), -EINVAL);
	assert_int_equal(f->ops->seek(f, INT64_MAX, SEEK_CUR), -EOVERFLOW);
	assert_int_equal(f->ops->seek(f, 0, 77), -EINVAL);
	app = open_file("/f", O_WRONLY | O_APPEND);
	assert_int_equal(put_at(app, "!", 1, off), 1);
	assert_int_equal(vnode_size(f->vnode), 9);
	assert_int_equal(put_at(f, "x", 1, INT64_MAX), -EFBIG);
	assert_int_equal(put_at(f, "x", 1, INT64_MAX - 1), 1);
	assert_int_equal(f->ops->truncate(f, 1ull << 63), -EFBIG);
	file_put(app);
	file_put(f);
}

static void test_holes(void **state)
{
	struct file *f = open_file("/f", O_CREAT | O_RDWR);
	struct vattr a;

	(void)state;
	put_at(f, "x", 1, 10 * PAGE_SIZE);
	put_at(f, "x", 1, 20 * PAGE_SIZE);
	assert_int_equal(f->ops->seek(f, 0, SEEK_DATA), 10 * PAGE_SIZE);
	assert_int_equal(
	    f->ops->seek(f, 10 * PAGE_SIZE, SEEK_HOLE), 11 * PAGE_SIZE);
	assert_int_equal(
	    f->ops->seek(f, 11 * PAGE_SIZE + 5, SEEK_DATA), 20 * PAGE_SIZE);
	assert_int_equal(
	    f->ops->seek(f, 20 * PAGE_SIZE, SEEK_HOLE), 20 * PAGE_SIZE + 1);
	assert_int_equal(
	    f->ops->seek(f, 20 * PAGE_SIZE + 1, SEEK_DATA), -ENXIO);
	assert_int_equal(f->ops->seek(f, -1, SEEK_HOLE), -ENXIO);
	assert_int_equal(vfs_getattr(f->vnode, &a), 0);
	assert_int_equal(a.blocks, 16);
	file_put(f);
}

static void test_unlinked_and_nameless(void **state)
{
	struct file *f = open_file("/f", O_CREAT | O_RDWR);
	char buf[8];

	(void)state;
	put_at(f, "data", 4, 0);
	assert_int_equal(vfs_unlink(NULL, "/f", false), 0);
	assert_int_equal(file_read_at(f, buf, 8, 0), 4);
	put_at(f, "more", 4, 4);
	assert_int_equal(vnode_size(f->vnode), 8);
	file_put(f);
	f = open_file("/", O_TMPFILE | O_RDWR);
	put_at(f, "temp", 4, 0);
	assert_int_equal(vfs_link(f->dentry, NULL, "/kept"), 0);
	file_put(f);
	f = open_file("/kept", O_RDONLY);
	assert_int_equal(file_read_at(f, buf, 8, 0), 4);
	file_put(f);
}

static void test_mapping(void **state)
{
	struct file *f = open_file("/f", O_CREAT | O_RDWR);
	struct vm_object *obj;
	uint64_t dev, ino;
	char *page, c;

	(void)state;
	put_at(f, "map", 3, PAGE_SIZE);
	assert_int_equal(f->ops->mmap(f, VM_READ, true, &obj), 0);
	assert_string_equal(obj->ops->name(obj), "/f");
	obj->ops->ident(obj, &dev, &ino);
	assert_int_equal(ino, f->vnode->ino);
	assert_int_equal(obj->ops->page(obj, 2, false, (void **)&page), -EIO);
	assert_int_equal(obj->ops->page(obj, 0, false, (void **)&page), 0);
	page[5] = 'S'; /* what is written through a mapping is in the file */
	page_put(page);
	assert_int_equal(file_read_at(f, &c, 1, 5), 1);
	assert_int_equal(c, 'S');
	assert_int_equal(obj->ops->page(obj, 1, true, (void **)&page), 0);
	assert_memory_equal(page, "map", 3);
	/* The page outlives its place in the file while it is mapped. */
	assert_int_equal(f->ops->truncate(f, 0), 0);
	assert_memory_equal(page, "map", 3);
	page_put(page);
	file_put(f);
	assert_int_equal(vfs_unlink(NULL, "/f", false), 0);
	obj->ops->put(obj);
}

static void test_tmpfs_limit(void **state)
{
	static char block[PAGE_SIZE];
	struct file *f;
	struct fs_stat s;
	uint64_t off = 0;

	(void)state;
	assert_int_equal(vfs_mkdir(NULL, "/t", 0755), 0);
	assert_int_equal(
	    vfs_mount("tmpfs", NULL, "/t", 0, "mode=700,size=16k"), 0);
	f = open_file("/t/f", O_CREAT | O_RDWR);
	while (put_at(f, block, PAGE_SIZE, off) > 0)
		off += PAGE_SIZE;
	assert_int_equal(off, 4 * PAGE_SIZE);
	assert_int_equal(put_at(f, block, 1, off), -ENOSPC);
	assert_int_equal(f->ops->fallocate(f, 0, 0, 5 * PAGE_SIZE), -ENOSPC);
	assert_int_equal(put_at(f, block, 99, 0), 99);
	assert_int_equal(vfs_statfs(f->vnode->mount, &s), 0);
	assert_int_equal(s.blocks, 4);
	assert_int_equal(s.bfree, 0);
	assert_int_equal(f->ops->truncate(f, PAGE_SIZE), 0);
	assert_int_equal(put_at(f, block, 1, off), 1);
	file_put(f);
	assert_int_equal(vfs_unmount("/t"), 0);
}

static void test_bad_fallocate(void **state)
{
	struct file *f = open_file("/f", O_CREAT | O_RDWR);

	(void)state;
	assert_int_equal(f->ops->fallocate(f, 0, 0, 0), -EINVAL);
	assert_int_equal(
	    f->ops->fallocate(f, 0, 1ull << 62, 1ull << 62), -EFBIG);
	assert_int_equal(f->ops->fallocate(f, 0x100, 0, 1), -EOPNOTSUPP);
	assert_int_equal(
	    f->ops->fallocate(f, FALLOC_FL_PUNCH_HOLE, 0, 1), -EOPNOTSUPP);
	file_put(f);
}

/* --- directories --------------------------------------------------------- */

#define MANY 500

struct seen {
	unsigned char times[MANY];
	unsigned n, limit;
};

static bool see(void *arg, const char *name, size_t len, uint64_t ino,
    uint8_t type, uint64_t next)
{
	struct seen *s = arg;

	(void)len;
	(void)ino;
	(void)type;
	(void)next;
	if (s->n == s->limit)
		return false;
	s->n++;
	s->times[atoi(name)]++;
	return true;
}

/* Names that come and go while the directory is read: what stays is seen
 * exactly once. */
static void test_readdir(void **state)
{
	struct seen s = { .limit = 7 };
	uint64_t off = 2, before;
	char name[20];
	struct file *dir;
	unsigned step = 0;

	(void)state;
	assert_int_equal(vfs_mkdir(NULL, "/d", 0755), 0);
	for (int i = 0; i < MANY; i += 2) {
		snprintf(name, sizeof(name), "/d/%03d", i);
		file_put(open_file(name, O_CREAT | O_RDWR));
	}
	dir = open_file("/d", O_RDONLY);
	do {
		before = off;
		s.n = 0;
		assert_int_equal(dir->ops->readdir(dir, &off, see, &s), 0);
		/* Take away one that was seen, add one at the end. */
		snprintf(name, sizeof(name), "/d/%03u", step * 14);
		if (step * 14 < MANY)
			vfs_unlink(NULL, name, false);
		snprintf(name, sizeof(name), "/d/%03u", step * 2 + 1);
		if (step++ < 20)
			file_put(open_file(name, O_CREAT | O_RDWR));
	} while (off != before);
	for (int i = 0; i < MANY; i += 2)
		assert_int_equal(s.times[i], 1);
	file_put(dir);
}

/* --- memory -------------------------------------------------------------- */

static void test_no_memory(void **state)
{
	struct file *f = open_file("/f", O_CREAT | O_RDWR);
	char buf[100];
	long r;

	(void)state;
	for (long n = 1;; n++) {
		fake_mm_fail_nth(n);
		r = put_at(f, "text", 4, 100 * PAGE_SIZE);
		if (!fake_mm_failed())
			break;
		assert_int_equal(r, -ENOMEM);
		assert_int_equal(vnode_size(f->vnode), 0);
	}
	assert_int_equal(r, 4);
	fake_mm_fail_nth(1); /* a hole needs none */
	assert_int_equal(file_read_at(f, buf, 100, 0), 100);
	fake_mm_fail_nth(0);
	file_put(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ptree),
		cmocka_unit_test(test_ptree_no_memory),
		FS_TEST(test_against_model),
		FS_TEST(test_positions),
		FS_TEST(test_holes),
		FS_TEST(test_unlinked_and_nameless),
		FS_TEST(test_mapping),
		FS_TEST(test_tmpfs_limit),
		FS_TEST(test_bad_fallocate),
		FS_TEST(test_readdir),
		FS_TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
