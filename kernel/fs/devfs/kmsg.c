#include "kern/devfs.h"

#include "fs_int.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/string.h"

/*
 * /dev/kmsg: Documentation/ABI/testing/dev-kmsg.  A reader sees the log as it
 * was when it opened the file, a record for each read; it does not wait for
 * more.
 */

#define KMSG_SIZE   (64u * 1024)
#define KMSG_RECORD 512u

struct kmsg {
	struct mutex lock;
	size_t len, at;
	unsigned long seq;
	char text[KMSG_SIZE];
};

static int kmsg_open(struct file *f)
{
	struct kmsg *k;
	const char *nl;

	if (!file_readable(f))
		return 0;
	k = vmalloc(sizeof(*k));
	if (!k)
		return -ENOMEM;
	mutex_init(&k->lock);
	k->len = log_read(k->text, sizeof(k->text));
	/* A full ring begins in the middle of a line. */
	nl = k->len == sizeof(k->text) ? memchr(k->text, '\n', k->len) : NULL;
	k->at = nl ? (size_t)(nl + 1 - k->text) : 0;
	f->priv = k;
	return 0;
}

/* "<3>[    0.012345] text" becomes "3,SEQ,12345,-;text". */
static size_t kmsg_record(struct kmsg *k, char *out, const char *line, size_t n)
{
	const char *dot = memchr(line, '.', n), *end = memchr(line, ']', n);
	unsigned long us = 0;
	int len;

	if (!dot || !end || dot > end || n < 5)
		return 0;
	us = strtoul(line + 4, NULL, 10) * 1000000 + strtoul(dot + 1, NULL, 10);
	end += 2;
	len = snprintf(out, KMSG_RECORD, "%c,%lu,%lu,-;%.*s\n", line[1],
	    k->seq++, us, (int)(line + n - end), end);
	return MIN((size_t)len, (size_t)KMSG_RECORD - 1);
}

/* The next line, without its newline; NULL: the end. */
static const char *kmsg_line(struct kmsg *k, size_t *n)
{
	const char *line = k->text + k->at;
	const char *nl = memchr(line, '\n', k->len - k->at);

	if (!nl)
		return NULL;
	*n = (size_t)(nl - line);
	k->at += *n + 1;
	return line;
}

static long kmsg_read(struct file *f, struct uio *u, uint64_t *off)
{
	struct kmsg *k = f->priv;
	char out[KMSG_RECORD];
	const char *line;
	size_t n = 0, len = 0;
	long r;

	(void)off;
	mutex_lock(&k->lock);
	while (len == 0 && (line = kmsg_line(k, &n)))
		len = kmsg_record(k, out, line, n);
	mutex_unlock(&k->lock);
	if (len == 0)
		return file_nonblock(f) ? -EAGAIN : 0;
	if (len > u->left)
		return -EINVAL;
	r = uio_put(u, out, len);
	return r;
}

/* "<3>text": the level is looked at, the facility is not. */
static long kmsg_write(struct file *f, struct uio *u, uint64_t *off)
{
	static const enum log_level level[8] = { LOG_ERR, LOG_ERR, LOG_ERR,
		LOG_ERR, LOG_WARN, LOG_INFO, LOG_INFO, LOG_DEBUG };
	char text[KMSG_RECORD], *at = text;
	size_t all = u->left;
	enum log_level l = LOG_INFO;
	long n = uio_get(u, text, sizeof(text) - 1);

	(void)f;
	(void)off;
	if (n <= 0)
		return n;
	text[n] = '\0';
	if (text[0] == '<') {
		l = level[strtoul(text + 1, &at, 10) & 7];
		at = *at == '>' ? at + 1 : text;
	}
	log_write(l, "%s", at);
	return (long)all;
}

static int64_t kmsg_seek(struct file *f, int64_t off, int whence)
{
	struct kmsg *k = f->priv;

	if (off != 0 || !k)
		return -EINVAL;
	mutex_lock(&k->lock);
	k->at = whence == 2 ? k->len : 0;
	mutex_unlock(&k->lock);
	return 0;
}

static uint32_t kmsg_poll(struct file *f, struct poll_entry *pe)
{
	const struct kmsg *k = f->priv;

	(void)pe;
	return EPOLLOUT | (k && k->at < k->len ? EPOLLIN : 0u);
}

static void kmsg_release(struct file *f)
{
	vfree(f->priv);
}

static const struct file_ops kmsg_ops = {
	.read = kmsg_read,
	.write = kmsg_write,
	.seek = kmsg_seek,
	.poll = kmsg_poll,
	.release = kmsg_release,
};

static const struct chardev kmsg_dev = {
	.name = "kmsg",
	.mode = 0644,
	.major = 1,
	.minor = 11,
	.ops = &kmsg_ops,
	.open = kmsg_open,
};
CHARDEV(kmsg_dev);
