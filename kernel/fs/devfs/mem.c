#include "kern/devfs.h"

#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/rand.h"
#include "kern/vfs.h"

#include <linux/random.h>

/* null, zero, full, random, urandom: mem(4), random(4). */

static long mem_read_nothing(struct file *f, struct uio *u, uint64_t *off)
{
	(void)f;
	(void)u;
	(void)off;
	return 0;
}

static long mem_read_zero(struct file *f, struct uio *u, uint64_t *off)
{
	(void)f;
	(void)off;
	return uio_zero(u, u->left);
}

static long mem_write_all(struct file *f, struct uio *u, uint64_t *off)
{
	size_t n = u->left;

	(void)f;
	(void)off;
	u->left = 0;
	return (long)n;
}

static long mem_write_full(struct file *f, struct uio *u, uint64_t *off)
{
	(void)f;
	(void)off;
	return u->left ? -ENOSPC : 0;
}

static long mem_read_random(struct file *f, struct uio *u, uint64_t *off)
{
	uint8_t buf[256];
	long done = 0, r;

	(void)f;
	(void)off;
	while (u->left > 0) {
		size_t n = MIN(u->left, sizeof(buf));

		rand_bytes(buf, n);
		r = uio_put(u, buf, n);
		if (r < 0)
			return done ? done : r;
		done += r;
		if ((size_t)r < n)
			break;
	}
	return done;
}

/* What is written stirs the pool, and counts for nothing. */
static long mem_write_random(struct file *f, struct uio *u, uint64_t *off)
{
	uint8_t buf[256];
	long done = 0, r;

	(void)f;
	(void)off;
	while (u->left > 0) {
		r = uio_get(u, buf, sizeof(buf));
		if (r <= 0)
			return done ? done : r;
		rand_add(buf, (size_t)r, false);
		done += r;
	}
	return done;
}

static int64_t mem_seek(struct file *f, int64_t off, int whence)
{
	(void)f;
	(void)off;
	(void)whence;
	return 0;
}

/* A mapping of /dev/zero is memory of its own. */
static int mem_mmap_zero(
    struct file *f, unsigned prot, bool shared, struct vm_object **out)
{
	struct file *anon;
	int err;

	(void)f;
	err = vfs_anon_file("dev/zero", O_RDWR, &anon);
	if (err)
		return err;
	err = anon->ops->truncate(anon, INT64_MAX & ~(PAGE_SIZE - 1));
	if (!err)
		err = anon->ops->mmap(anon, prot, shared, out);
	file_put(anon);
	return err;
}

static void mem_release(struct file *f)
{
	(void)f;
}

static const struct file_ops mem_null_ops = {
	.read = mem_read_nothing,
	.write = mem_write_all,
	.seek = mem_seek,
	.no_position = true,
	.release = mem_release,
};

static const struct file_ops mem_zero_ops = {
	.read = mem_read_zero,
	.write = mem_write_all,
	.seek = mem_seek,
	.no_position = true,
	.mmap = mem_mmap_zero,
	.release = mem_release,
};

static const struct file_ops mem_full_ops = {
	.read = mem_read_zero,
	.write = mem_write_full,
	.seek = mem_seek,
	.no_position = true,
	.release = mem_release,
};

/* random(4): the pool always counts as full, as on Linux since 5.18. */
static int mem_ioctl_entropy(unsigned long arg)
{
	int bits = 256;

	return copy_to_user((void *)arg, &bits, sizeof(bits));
}

static long mem_ioctl_random(struct file *f, unsigned req, unsigned long arg)
{
	(void)f;
	return req == RNDGETENTCNT ? mem_ioctl_entropy(arg) : -ENOTTY;
}

static const struct file_ops mem_random_ops = {
	.read = mem_read_random,
	.write = mem_write_random,
	.seek = mem_seek,
	.no_position = true,
	.ioctl = mem_ioctl_random,
	.release = mem_release,
};

static const struct chardev mem_null = {
	.name = "null",
	.mode = 0666,
	.major = 1,
	.minor = 3,
	.ops = &mem_null_ops,
};
CHARDEV(mem_null);

static const struct chardev mem_zero = {
	.name = "zero",
	.mode = 0666,
	.major = 1,
	.minor = 5,
	.ops = &mem_zero_ops,
};
CHARDEV(mem_zero);

static const struct chardev mem_full = {
	.name = "full",
	.mode = 0666,
	.major = 1,
	.minor = 7,
	.ops = &mem_full_ops,
};
CHARDEV(mem_full);

static const struct chardev mem_random = {
	.name = "random",
	.mode = 0666,
	.major = 1,
	.minor = 8,
	.ops = &mem_random_ops,
};
CHARDEV(mem_random);

static const struct chardev mem_urandom = {
	.name = "urandom",
	.mode = 0666,
	.major = 1,
	.minor = 9,
	.ops = &mem_random_ops,
};
CHARDEV(mem_urandom);
