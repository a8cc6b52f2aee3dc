#include "cpio.h"

#include "kern/errno.h"
#include "kern/num.h"
#include "kern/stat.h"
#include "kern/string.h"

#define CPIO_HEADER   110u
#define CPIO_FIELDS   13u
#define CPIO_NAME_MAX 4096u

enum cpio_field {
	C_INO,
	C_MODE,
	C_UID,
	C_GID,
	C_NLINK,
	C_MTIME,
	C_SIZE,
	C_MAJOR,
	C_MINOR,
	C_RMAJOR,
	C_RMINOR,
	C_NAMESIZE,
	C_CHECK
};

static bool cpio_magic(const uint8_t *p)
{
	return memcmp(p, "070701", 6) == 0 || memcmp(p, "070702", 6) == 0;
}

bool cpio_is_archive(const void *data, uint64_t len)
{
	return len >= CPIO_HEADER && cpio_magic(data);
}

const char *cpio_compression(const void *data, uint64_t len)
{
	static const struct {
		const char *name, *magic;
		size_t len;
	} known[] = {
		{ "gzip", "\x1f\x8b", 2 },
		{ "bzip2", "BZh", 3 },
		{ "xz",
		    "\xfd"
		    "7zXZ",
		    5 },
		{ "lzma", "\x5d\0\0", 3 },
		{ "lzo", "\x89LZO", 4 },
		{ "lz4", "\x02\x21\x4c\x18", 4 },
		{ "zstd", "\x28\xb5\x2f\xfd", 4 },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (len >= known[i].len &&
		    memcmp(data, known[i].magic, known[i].len) == 0)
			return known[i].name;
	return NULL;
}

void cpio_init(struct cpio *c, const void *data, uint64_t len)
{
	memset(c, 0, sizeof(*c));
	c->data = data;
	c->len = len;
}

static int cpio_fail(struct cpio *c, const char *what)
{
	c->error = what;
	return -EINVAL;
}

/* Eight hexadecimal digits, no more and no less. */
static bool cpio_hex(const uint8_t *p, uint32_t *out)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < 8; i++) {
		uint8_t c = p[i], digit;

		if (c >= '0' && c <= '9')
			digit = c - '0';
		else if (c >= 'a' && c <= 'f')
			digit = c - 'a' + 10;
		else if (c >= 'A' && c <= 'F')
			digit = c - 'A' + 10;
		else
			return false;
		v = v << 4 | digit;
	}
	*out = v;
	return true;
}

static bool cpio_header(const uint8_t *p, uint32_t f[CPIO_FIELDS])
{
	for (unsigned i = 0; i < CPIO_FIELDS; i++)
		if (!cpio_hex(p + 6 + i * 8, &f[i]))
			return false;
	return true;
}

/* Zeroes pad an archive's end; another may follow.  True when one does. */
static bool cpio_skip_padding(struct cpio *c)
{
	while (c->off < c->len && c->data[c->off] == 0)
		c->off++;
	return c->off < c->len;
}

static bool cpio_has_dotdot(const char *name, size_t len)
{
	for (size_t i = 0; i + 1 < len; i++)
		if (name[i] == '.' && name[i + 1] == '.' &&
		    (i == 0 || name[i - 1] == '/') &&
		    (i + 2 == len || name[i + 2] == '/'))
			return true;
	return false;
}

static int cpio_set_name(struct cpio *c, struct cpio_entry *e)
{
	if (e->name_len == 0)
		return cpio_fail(c, "an empty name");
	if (memchr(e->name, '\0', e->name_len))
		return cpio_fail(c, "a NUL inside a name");
	if (cpio_has_dotdot(e->name, e->name_len))
		return cpio_fail(c, "'..' in a name");
	while (e->name_len > 0) {
		size_t skip = 0;

		if (e->name[0] == '/')
			skip = 1;
		else if (e->name[0] == '.' &&
			 (e->name_len == 1 || e->name[1] == '/'))
			skip = 1;
		if (!skip)
			break;
		e->name += skip;
		e->name_len -= skip;
	}
	while (e->name_len > 0 && e->name[e->name_len - 1] == '/')
		e->name_len--;
	return 0;
}

static int cpio_check_sum(
    struct cpio *c, const struct cpio_entry *e, uint32_t want)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < e->size; i++)
		sum += e->body[i];
	return sum == want ? 0 : cpio_fail(c, "a wrong checksum");
}

static void cpio_fill(struct cpio_entry *e, const uint32_t f[CPIO_FIELDS])
{
	e->ino = f[C_INO];
	e->mode = f[C_MODE];
	e->uid = f[C_UID];
	e->gid = f[C_GID];
	e->nlink = f[C_NLINK];
	e->mtime = f[C_MTIME];
	e->size = f[C_SIZE];
	e->dev_major = f[C_MAJOR];
	e->dev_minor = f[C_MINOR];
	e->rdev_major = f[C_RMAJOR];
	e->rdev_minor = f[C_RMINOR];
}

/* One entry, TRAILER!!! included; nothing is taken if it is bad. */
static int cpio_entry(struct cpio *c, struct cpio_entry *e)
{
	const uint8_t *p = c->data + c->off;
	uint64_t left = c->len - c->off, body, end;
	uint32_t f[CPIO_FIELDS];
	int err;

	if (left < CPIO_HEADER)
		return cpio_fail(c, "a header that is cut off");
	if (!cpio_magic(p))
		return cpio_fail(c, "no header where one must be");
	if (!cpio_header(p, f))
		return cpio_fail(c, "a header that is not hexadecimal");
	if (f[C_NAMESIZE] < 1 || f[C_NAMESIZE] > CPIO_NAME_MAX)
		return cpio_fail(c, "a name of impossible length");
	body = ALIGN_UP((uint64_t)CPIO_HEADER + f[C_NAMESIZE], 4);
	if (!range_ok(CPIO_HEADER, f[C_NAMESIZE], left))
		return cpio_fail(c, "a name that is cut off");
	if (p[CPIO_HEADER + f[C_NAMESIZE] - 1] != '\0')
		return cpio_fail(c, "a name without an end");
	if (f[C_SIZE] && !range_ok(body, f[C_SIZE], left))
		return cpio_fail(c, "a file that is cut off");
	cpio_fill(e, f);
	e->name = (const char *)p + CPIO_HEADER;
	e->name_len = f[C_NAMESIZE] - 1;
	e->body = p + MIN(body, left);
	err = cpio_set_name(c, e);
	if (!err && p[5] == '2' && S_ISREG(f[C_MODE]))
		err = cpio_check_sum(c, e, f[C_CHECK]);
	end = ALIGN_UP(body + f[C_SIZE], 4);
	if (!err)
		c->off += MIN(end, left);
	return err;
}

int cpio_next(struct cpio *c, struct cpio_entry *e)
{
	int err;

	for (;;) {
		if (c->off == c->len)
			return 0;
		err = cpio_entry(c, e);
		if (err)
			return err;
		if (e->name_len != 10 || memcmp(e->name, "TRAILER!!!", 10) != 0)
			return 1;
		if (!cpio_skip_padding(c))
			return 0;
		if (c->off % 4 != 0)
			return cpio_fail(c, "garbage after the archive");
	}
}
