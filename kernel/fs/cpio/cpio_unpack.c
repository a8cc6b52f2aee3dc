#include "cpio.h"

#include "fs_int.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/string.h"
#include "pcache.h"

/* Fills a file system that nobody else sees yet, so no lock is taken and no
 * name is cached. */

/* A file with more names to come: names of one inode follow each other. */
struct cpio_link {
	struct cpio_link *next;
	uint32_t ino, major, minor;
	struct vnode *v;
};

struct cpio_job {
	struct vnode *root;
	struct cpio_link *links;
	const uint8_t *data;
	void (*consumed)(void *arg, uint64_t upto);
	void *arg;
	char name[80]; /* of the entry at hand: its memory may be gone */
};

/* Between two reports of memory that is not needed any more. */
#define CPIO_REPORT (64 * PAGE_SIZE)

static struct cpio_link *cpio_link_find(
    struct cpio_job *j, const struct cpio_entry *e)
{
	struct cpio_link *l = j->links;

	while (l && !(l->ino == e->ino && l->major == e->dev_major &&
			l->minor == e->dev_minor))
		l = l->next;
	return l;
}

static int cpio_link_add(
    struct cpio_job *j, const struct cpio_entry *e, struct vnode *v)
{
	struct cpio_link *l = kmalloc(sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->ino = e->ino;
	l->major = e->dev_major;
	l->minor = e->dev_minor;
	l->v = v;
	l->next = j->links;
	j->links = l;
	vnode_get(v);
	return 0;
}

static void cpio_links_free(struct cpio_job *j)
{
	struct cpio_link *l;

	while ((l = j->links)) {
		j->links = l->next;
		vnode_put(l->v);
		kfree(l);
	}
}

/* The directory (name) in (dir), made if it is not there. */
static int cpio_enter(
    struct vnode *dir, const char *name, size_t len, struct vnode **out)
{
	int err = dir->ops->lookup(dir, name, len, out);

	if (err == -ENOENT)
		return dir->ops->create(
		    dir, name, len, S_IFDIR | 0755, 0, NULL, out);
	if (!err && !vnode_is(*out, S_IFDIR)) {
		vnode_put(*out);
		return -ENOTDIR;
	}
	return err;
}

/* The directory of (e), with a reference; *name and *len: the last part. */
static int cpio_parent(struct cpio_job *j, const struct cpio_entry *e,
    struct vnode **out, const char **name, size_t *len)
{
	const char *p = e->name, *end = p + e->name_len, *slash;
	struct vnode *dir = j->root, *sub;
	int err = 0;

	vnode_get(dir);
	while ((slash = memchr(p, '/', (size_t)(end - p)))) {
		size_t n = (size_t)(slash - p);

		if (n > 0 && !(n == 1 && *p == '.')) {
			err = n > FS_NAME_MAX ? -ENAMETOOLONG
					      : cpio_enter(dir, p, n, &sub);
			vnode_put(dir);
			if (err)
				return err;
			dir = sub;
		}
		p = slash + 1;
	}
	*out = dir;
	*name = p;
	*len = (size_t)(end - p);
	return 0;
}

static void cpio_consumed(struct cpio_job *j, const uint8_t *upto)
{
	if (j->consumed)
		j->consumed(j->arg, (uint64_t)(upto - j->data));
}

static int cpio_body(
    struct cpio_job *j, struct vnode *v, const struct cpio_entry *e)
{
	for (uint64_t off = 0; off < e->size; off += PAGE_SIZE) {
		size_t n = MIN(e->size - off, PAGE_SIZE);
		void *page = page_alloc(0, 0);
		int err;

		if (!page)
			return -ENOMEM;
		memcpy(page, e->body + off, n);
		memset((char *)page + n, 0, PAGE_SIZE - n);
		err = pcache_insert(v, off >> PAGE_SHIFT, page);
		if (err) {
			page_put(page);
			return err;
		}
		v->size = off + n;
		if (off % CPIO_REPORT == 0)
			cpio_consumed(j, e->body + off);
	}
	return 0;
}

static int cpio_attributes(struct vnode *v, const struct cpio_entry *e)
{
	struct vattr a = {
		.mode = e->mode & 07777,
		.uid = e->uid,
		.gid = e->gid,
		.mtime = e->mtime * 1000000000ull,
	};

	a.atime = a.mtime;
	return v->ops->setattr(v, &a,
	    VATTR_MODE | VATTR_UID | VATTR_GID | VATTR_MTIME | VATTR_ATIME);
}

/* A later entry replaces an earlier one of its name; a directory stays. */
static int cpio_make_way(struct vnode *dir, const char *name, size_t len,
    const struct cpio_entry *e, struct vnode **there)
{
	struct vnode *v;
	bool is_dir;
	int err = dir->ops->lookup(dir, name, len, &v);

	*there = NULL;
	if (err)
		return err == -ENOENT ? 0 : err;
	is_dir = vnode_is(v, S_IFDIR);
	if (is_dir && S_ISDIR(e->mode)) {
		*there = v;
		return 0;
	}
	err = dir->ops->unlink(dir, name, len, v, is_dir);
	vnode_put(v);
	return err;
}

static int cpio_new(struct vnode *dir, const char *name, size_t len,
    const struct cpio_entry *e, struct vnode **out)
{
	uint64_t rdev = dev_make(e->rdev_major, e->rdev_minor);
	char *target = NULL;
	int err;

	if (S_ISLNK(e->mode)) {
		if (e->size == 0 || e->size >= FS_PATH_MAX ||
		    memchr(e->body, '\0', e->size))
			return -EINVAL;
		target = kmalloc(e->size + 1);
		if (!target)
			return -ENOMEM;
		memcpy(target, e->body, e->size);
		target[e->size] = '\0';
	}
	err = dir->ops->create(dir, name, len, e->mode, rdev, target, out);
	kfree(target);
	return err;
}

static bool cpio_kind_ok(uint32_t mode)
{
	return S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode) ||
	       S_ISCHR(mode) || S_ISBLK(mode) || S_ISFIFO(mode) ||
	       S_ISSOCK(mode);
}

/* The vnode of (e): an earlier name's, one that is there, or a new one. */
static int cpio_vnode(struct cpio_job *j, struct vnode *dir, const char *name,
    size_t len, const struct cpio_entry *e, struct vnode **out)
{
	bool shared = S_ISREG(e->mode) && e->nlink > 1;
	struct cpio_link *l = shared ? cpio_link_find(j, e) : NULL;
	int err;

	err = cpio_make_way(dir, name, len, e, out);
	if (err || *out)
		return err;
	if (l) {
		vnode_get(l->v);
		*out = l->v;
		return dir->ops->link(dir, name, len, l->v);
	}
	err = cpio_new(dir, name, len, e, out);
	if (!err && shared)
		err = cpio_link_add(j, e, *out);
	return err;
}

static int cpio_put(struct cpio_job *j, const struct cpio_entry *e)
{
	struct vnode *dir, *v = NULL;
	const char *name;
	size_t len;
	int err;

	if (!cpio_kind_ok(e->mode))
		return -EINVAL;
	if (e->name_len == 0)
		return S_ISDIR(e->mode) ? cpio_attributes(j->root, e) : -EINVAL;
	err = cpio_parent(j, e, &dir, &name, &len);
	if (err)
		return err;
	if (len > FS_NAME_MAX)
		err = -ENAMETOOLONG;
	else if (len == 1 && *name == '.')
		err = -EINVAL;
	else
		err = cpio_vnode(j, dir, name, len, e, &v);
	/* Of several names, the last has the contents. */
	if (!err && S_ISREG(e->mode) && e->size > 0 && v->size == 0)
		err = cpio_body(j, v, e);
	if (!err)
		err = cpio_attributes(v, e);
	if (v)
		vnode_put(v);
	vnode_put(dir);
	return err;
}

static void cpio_complain(
    const struct cpio *c, const struct cpio_job *j, int err)
{
	if (c->error)
		log_err("ramdisk: bad cpio archive: %s at byte %llu", c->error,
		    (unsigned long long)c->off);
	else
		log_err("ramdisk: %s: error %d", j->name, -err);
}

static int cpio_unpack_all(struct cpio_job *j, struct cpio *c)
{
	struct cpio_entry e;
	int more, err;

	while ((more = cpio_next(c, &e)) > 0) {
		snprintf(
		    j->name, sizeof(j->name), "%.*s", (int)e.name_len, e.name);
		err = cpio_put(j, &e);
		if (err)
			return err;
		cpio_consumed(j, c->data + c->off);
	}
	return more;
}

int cpio_unpack(const void *data, uint64_t len, struct vnode *root,
    void (*consumed)(void *arg, uint64_t upto), void *arg)
{
	struct cpio_job j = {
		.root = root,
		.data = data,
		.consumed = consumed,
		.arg = arg,
	};
	struct cpio c;
	int err;

	cpio_init(&c, data, len);
	err = cpio_unpack_all(&j, &c);
	if (err)
		cpio_complain(&c, &j, err);
	cpio_links_free(&j);
	return err;
}
