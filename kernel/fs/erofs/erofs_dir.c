#include "erofs.h"

#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/string.h"

/*
 * Directories: blocks of entries, each block with its entries first and their
 * names behind, all sorted by name.
 */

struct dirblock {
	uint8_t *data;
	size_t len;     /* the last one is shorter */
	unsigned count; /* entries */
};

struct dirname {
	uint64_t nid;
	const char *name;
	size_t len;
	uint8_t type;
};

static uint64_t dir_blocks(const struct erofs_inode *n)
{
	const struct erofs *fs = erofs_of(&n->vnode);

	return (n->vnode.size + (1ull << fs->blkbits) - 1) >> fs->blkbits;
}

/* (b)->data has room for a block. */
static int dirblock_read(struct erofs_inode *n, uint64_t i, struct dirblock *b)
{
	unsigned bits = erofs_of(&n->vnode)->blkbits;
	struct erofs_dirent first;
	int err;

	b->len = MIN(1ull << bits, n->vnode.size - (i << bits));
	err = erofs_read(n, i << bits, b->data, b->len);
	if (err)
		return err;
	if (b->len < sizeof(first))
		return -EIO;
	memcpy(&first, b->data, sizeof(first));
	if (first.nameoff < sizeof(first) || first.nameoff > b->len ||
	    first.nameoff % sizeof(first))
		return -EIO;
	b->count = first.nameoff / sizeof(first);
	return 0;
}

static int dirblock_get(
    const struct dirblock *b, unsigned i, struct dirname *out)
{
	struct erofs_dirent d, next;
	size_t end = b->len;

	memcpy(&d, b->data + i * sizeof(d), sizeof(d));
	if (i + 1 < b->count) {
		memcpy(&next, b->data + (i + 1) * sizeof(d), sizeof(d));
		end = next.nameoff;
	}
	if (d.nameoff < b->count * sizeof(d) || d.nameoff >= end ||
	    end > b->len)
		return -EIO;
	out->nid = d.nid;
	out->name = (const char *)b->data + d.nameoff;
	/* The last name of a block may be followed by zeroes. */
	out->len = strnlen(out->name, end - d.nameoff);
	out->type = d.type;
	if (out->len == 0 || out->len > FS_NAME_MAX ||
	    memchr(out->name, '/', out->len))
		return -EIO;
	return 0;
}

static int name_compare(const char *a, size_t alen, const char *b, size_t blen)
{
	int r = memcmp(a, b, MIN(alen, blen));

	return r ? r : (alen > blen) - (alen < blen);
}

/* --- lookup -------------------------------------------------------------- */

/* 1: found; 0: not in this block; (*after): it would be behind it. */
static int dirblock_search(const struct dirblock *b, const char *name,
    size_t len, struct dirname *out, bool *after)
{
	unsigned lo = 0, hi = b->count;

	*after = false;
	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;
		int err = dirblock_get(b, mid, out), r;

		if (err)
			return err;
		r = name_compare(name, len, out->name, out->len);
		if (r == 0)
			return 1;
		if (r < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	*after = lo == b->count;
	return 0;
}

static int dir_search(struct erofs_inode *n, struct dirblock *b,
    const char *name, size_t len, struct dirname *out)
{
	uint64_t lo = 0, hi = dir_blocks(n);
	bool after;

	while (lo < hi) {
		uint64_t mid = (lo + hi) / 2;
		int r = dirblock_read(n, mid, b);

		if (!r)
			r = dirblock_search(b, name, len, out, &after);
		if (r)
			return r < 0 ? r : 0;
		if (after)
			lo = mid + 1;
		else
			hi = mid;
	}
	return -ENOENT;
}

int erofs_lookup(
    struct vnode *v, const char *name, size_t len, struct vnode **out)
{
	struct dirblock b = { .data = kmalloc(PAGE_SIZE) };
	struct dirname found;
	int err;

	if (!b.data)
		return -ENOMEM;
	err = dir_search(erofs_inode(v), &b, name, len, &found);
	kfree(b.data);
	return err ? err : erofs_iget(v->mount, found.nid, out);
}

/* --- readdir ------------------------------------------------------------- */

/* A cookie is the entry's byte in the directory, and 2. */
struct dirscan {
	uint64_t *off;
	bool (*emit)(void *arg, const char *name, size_t len, uint64_t ino,
	    uint8_t type, uint64_t next);
	void *arg;
};

static uint8_t dir_type(uint8_t type)
{
	/* FT_REG_FILE 1, DIR, CHRDEV, BLKDEV, FIFO, SOCK, SYMLINK 7 */
	static const uint8_t dt[] = { 0, 8, 4, 2, 6, 1, 12, 10 };

	return type < ARRAY_SIZE(dt) ? dt[type] : 0;
}

/* 1: full, 0: go on. */
static int dirblock_emit(const struct dirblock *b, uint64_t base, unsigned i,
    const struct dirscan *s)
{
	for (; i < b->count; i++) {
		uint64_t next = base + (i + 1) * sizeof(struct erofs_dirent);
		struct dirname d;
		int err = dirblock_get(b, i, &d);

		if (err)
			return err;
		if (!name_is_dots(d.name, d.len) &&
		    !s->emit(s->arg, d.name, d.len, d.nid, dir_type(d.type),
			next + 2))
			return 1;
		*s->off = next + 2;
	}
	return 0;
}

int erofs_readdir(struct vnode *v, uint64_t *off,
    bool (*emit)(void *arg, const char *name, size_t len, uint64_t ino,
	uint8_t type, uint64_t next),
    void *arg)
{
	struct erofs_inode *n = erofs_inode(v);
	struct dirscan s = { .off = off, .emit = emit, .arg = arg };
	struct dirblock b = { .data = kmalloc(PAGE_SIZE) };
	unsigned bits = erofs_of(v)->blkbits;
	uint64_t blocks = dir_blocks(n);
	int r = b.data ? 0 : -ENOMEM;

	while (!r && (*off - 2) >> bits < blocks) {
		uint64_t i = (*off - 2) >> bits, base = i << bits;

		r = dirblock_read(n, i, &b);
		if (!r)
			r = dirblock_emit(&b, base,
			    (unsigned)((*off - 2 - base) /
				       sizeof(struct erofs_dirent)),
			    &s);
		if (!r)
			*off = base + (1ull << bits) + 2;
	}
	kfree(b.data);
	return r < 0 ? r : 0;
}
