/*
 * Descriptor tables.  Readers take no lock: the array of slots is replaced,
 * never moved, and a file is freed only after a grace period.  Writers hold
 * the table's mutex.
 */

#include "files_int.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/sched.h"
#include "kern/string.h"

#define FD_ARRAY_MIN 64u /* a power of two, and a word of bits */

static struct fd_array *fd_array_create(unsigned n)
{
	size_t bits = n / 8;
	struct fd_array *a =
	    vmalloc(sizeof(*a) + n * sizeof(a->slot[0]) + 2 * bits);

	if (!a)
		return NULL;
	a->n = n;
	a->open = (uint64_t *)(void *)&a->slot[n];
	a->cloexec = a->open + bits / sizeof(uint64_t);
	return a;
}

static void fd_array_free(struct rcu_head *rcu)
{
	vfree(container_of(rcu, struct fd_array, rcu));
}

static bool fd_bit(const uint64_t *map, unsigned fd)
{
	return map[fd / 64] >> (fd % 64) & 1;
}

static void fd_bit_set(uint64_t *map, unsigned fd, bool on)
{
	uint64_t bit = 1ull << (fd % 64);

	if (on)
		map[fd / 64] |= bit;
	else
		map[fd / 64] &= ~bit;
}

/* The first open descriptor from (fd) on, or a->n. */
static unsigned fd_find_open(const struct fd_array *a, unsigned fd)
{
	while (fd < a->n) {
		uint64_t word = a->open[fd / 64] >> (fd % 64);

		if (word)
			return fd + (unsigned)__builtin_ctzll(word);
		fd = ALIGN_DOWN(fd, 64) + 64;
	}
	return a->n;
}

static unsigned fd_find_free(const struct fd_array *a, unsigned fd)
{
	while (fd < a->n) {
		uint64_t word = ~a->open[fd / 64] >> (fd % 64);

		if (word)
			return fd + (unsigned)__builtin_ctzll(word);
		fd = ALIGN_DOWN(fd, 64) + 64;
	}
	return a->n;
}

struct fdtable *fdtable_create(void)
{
	struct fdtable *t = kzalloc(sizeof(*t));

	if (!t)
		return NULL;
	t->array = fd_array_create(FD_ARRAY_MIN);
	if (!t->array) {
		kfree(t);
		return NULL;
	}
	mutex_init(&t->lock);
	t->refs = 1;
	t->limit = FD_MAX_DEFAULT;
	return t;
}

/* Room for (fd).  The table is locked. */
static int fd_grow(struct fdtable *t, unsigned fd)
{
	struct fd_array *old = t->array, *new;
	unsigned n = old->n;

	if (fd < n)
		return 0;
	while (n <= fd)
		n *= 2;
	new = fd_array_create(n);
	if (!new)
		return -ENOMEM;
	memcpy(new->slot, old->slot, old->n * sizeof(old->slot[0]));
	memcpy(new->open, old->open, old->n / 8);
	memcpy(new->cloexec, old->cloexec, old->n / 8);
	rcu_store(t->array, new);
	rcu_call(&old->rcu, fd_array_free);
	return 0;
}

static void fd_put_in(
    struct fdtable *t, unsigned fd, struct file *f, bool cloexec)
{
	struct fd_array *a = t->array;

	fd_bit_set(a->open, fd, true);
	fd_bit_set(a->cloexec, fd, cloexec);
	rcu_store(a->slot[fd], f);
}

/* The file that was there, with the table's reference; NULL: none. */
static struct file *fd_take_out(struct fdtable *t, unsigned fd)
{
	struct fd_array *a = t->array;
	struct file *f;

	if (fd >= a->n || !a->slot[fd])
		return NULL;
	f = a->slot[fd];
	rcu_store(a->slot[fd], NULL);
	fd_bit_set(a->open, fd, false);
	fd_bit_set(a->cloexec, fd, false);
	t->lowest = MIN(t->lowest, fd);
	return f;
}

/* A reference on slot (fd), against all that writers do meanwhile. */
struct file *fd_get(int fd)
{
	struct fdtable *t = thread_self()->files;
	struct fd_array *a;
	struct file *f;

	rcu_read_lock();
	for (;;) {
		a = rcu_load(t->array);
		f = (unsigned)fd < a->n ? rcu_load(a->slot[(unsigned)fd])
					: NULL;
		if (!f || likely(file_try_get(f)))
			break;
		/* Closed since: look again at what is there now. */
		cpu_relax();
	}
	rcu_read_unlock();
	return f;
}

int fd_install(struct file *f, bool cloexec, int from)
{
	struct fdtable *t = thread_self()->files;
	unsigned fd;
	int err = -EMFILE;

	if (from < 0)
		return -EINVAL;
	mutex_lock(&t->lock);
	fd = MAX((unsigned)from, t->lowest);
	fd = fd < t->array->n ? fd_find_free(t->array, fd) : fd;
	if (fd < t->limit)
		err = fd_grow(t, fd);
	if (err == 0) {
		if ((unsigned)from <= t->lowest)
			t->lowest = fd + 1;
		fd_put_in(t, fd, f, cloexec);
	}
	mutex_unlock(&t->lock);
	return err ? err : (int)fd;
}

int fd_close(int fd)
{
	struct fdtable *t = thread_self()->files;
	struct file *f;

	if (fd < 0)
		return -EBADF;
	mutex_lock(&t->lock);
	f = fd_take_out(t, (unsigned)fd);
	mutex_unlock(&t->lock);
	if (!f)
		return -EBADF;
	file_closed(f);
	return 0;
}

int fd_dup_to(struct file *f, int fd, bool cloexec)
{
	struct fdtable *t = thread_self()->files;
	struct file *old = NULL;
	int err = -EBADF;

	mutex_lock(&t->lock);
	if (fd >= 0 && (unsigned)fd < t->limit)
		err = fd_grow(t, (unsigned)fd);
	if (err == 0) {
		/* One store, so that readers see one file or the other. */
		old = t->array->slot[fd];
		fd_put_in(t, (unsigned)fd, f, cloexec);
	}
	mutex_unlock(&t->lock);
	if (old)
		file_closed(old);
	return err ? err : fd;
}

int fd_get_flags(int fd)
{
	struct fdtable *t = thread_self()->files;
	int r = -EBADF;

	mutex_lock(&t->lock);
	if (fd >= 0 && (unsigned)fd < t->array->n && t->array->slot[fd])
		r = fd_bit(t->array->cloexec, (unsigned)fd) ? FD_CLOEXEC : 0;
	mutex_unlock(&t->lock);
	return r;
}

int fd_set_flags(int fd, int flags)
{
	struct fdtable *t = thread_self()->files;
	int r = -EBADF;

	mutex_lock(&t->lock);
	if (fd >= 0 && (unsigned)fd < t->array->n && t->array->slot[fd]) {
		fd_bit_set(t->array->cloexec, (unsigned)fd, flags & FD_CLOEXEC);
		r = 0;
	}
	mutex_unlock(&t->lock);
	return r;
}

void fd_set_limit(unsigned max)
{
	thread_self()->files->limit = MIN(max, FD_MAX_LIMIT);
}

unsigned fd_limit(void)
{
	return thread_self()->files->limit;
}

int fd_next(int fd)
{
	struct fdtable *t = thread_self()->files;
	unsigned found;

	mutex_lock(&t->lock);
	found = fd_find_open(t->array, fd < 0 ? 0 : (unsigned)fd);
	if (found == t->array->n)
		found = ~0u;
	mutex_unlock(&t->lock);
	return (int)found;
}

/*
 * Close the open descriptors of [first, last], or those with FD_CLOEXEC, one
 * by one: release() may sleep, so not under the table's lock.
 */
static void fd_close_some(
    struct fdtable *t, unsigned first, unsigned last, bool only_cloexec)
{
	unsigned fd = first;

	for (;;) {
		struct file *f = NULL;

		mutex_lock(&t->lock);
		for (;;) {
			fd = fd_find_open(t->array, fd);
			if (fd == t->array->n || fd > last || !only_cloexec ||
			    fd_bit(t->array->cloexec, fd))
				break;
			fd++;
		}
		if (fd < t->array->n && fd <= last)
			f = fd_take_out(t, fd);
		mutex_unlock(&t->lock);
		if (!f)
			return;
		file_closed(f);
	}
}

void fd_close_all(struct fdtable *t)
{
	fd_close_some(t, 0, ~0u, false);
}

void fd_close_cloexec(void)
{
	fd_close_some(thread_self()->files, 0, ~0u, true);
}

void fd_close_range(unsigned first, unsigned last, bool only_mark)
{
	struct fdtable *t = thread_self()->files;

	if (!only_mark) {
		fd_close_some(t, first, last, false);
		return;
	}
	mutex_lock(&t->lock);
	for (unsigned fd = fd_find_open(t->array, first);
	     fd < t->array->n && fd <= last;
	     fd = fd_find_open(t->array, fd + 1))
		fd_bit_set(t->array->cloexec, fd, true);
	mutex_unlock(&t->lock);
}

struct fdtable *fdtable_copy(struct fdtable *from)
{
	struct fdtable *t = fdtable_create();
	unsigned fd = 0;
	int err;

	if (!t)
		return NULL;
	mutex_lock(&from->lock);
	t->limit = from->limit;
	t->lowest = from->lowest;
	err = fd_grow(t, from->array->n - 1);
	while (!err && (fd = fd_find_open(from->array, fd)) < from->array->n) {
		file_get(from->array->slot[fd]);
		fd_put_in(t, fd, from->array->slot[fd],
		    fd_bit(from->array->cloexec, fd));
		fd++;
	}
	mutex_unlock(&from->lock);
	if (err) {
		fdtable_put(t);
		return NULL;
	}
	return t;
}

void fdtable_get(struct fdtable *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
}

void fdtable_join(struct fdtable *t)
{
	atomic_fetch_add_explicit(&t->users, 1, memory_order_relaxed);
}

/* Release: what the leaving thread did to the table is seen by the last. */
void fdtable_leave(struct fdtable *t)
{
	atomic_fetch_sub_explicit(&t->users, 1, memory_order_release);
}

void fdtable_put(struct fdtable *t)
{
	if (atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
		return;
	fd_close_all(t);
	vfree(t->array);
	kfree(t);
}
