#include "procfs.h"

#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/string.h"

#include <linux/fs.h>

/*
 * Open texts.  The text is made when it is read from its beginning and stays
 * until that happens again, so that a reader in pieces gets one whole.
 */

#define PROC_TEXT_FIRST 512u
#define PROC_STORE_MAX  4096u

struct proc_text {
	const struct proc_file *file; /* NULL: a descriptor's fdinfo */
	uint32_t tid;
	int fd;
	struct mutex lock; /* protects (out) */
	struct proc_out out;
	bool made;
};

/* --- the text ------------------------------------------------------------ */

/* Room for (n) more bytes and a NUL. */
static bool proc_room(struct proc_out *o, size_t n)
{
	size_t cap = MAX(o->cap, PROC_TEXT_FIRST), need;
	char *buf;

	if (o->error)
		return false;
	if (add_overflow(o->len, n, &need) || need > SIZE_MAX / 4) {
		o->error = -ENOMEM;
		return false;
	}
	if (need < o->cap)
		return true;
	while (cap <= need)
		cap *= 2;
	buf = krealloc(o->buf, cap);
	if (!buf) {
		o->error = -ENOMEM;
		return false;
	}
	o->buf = buf;
	o->cap = cap;
	return true;
}

void proc_write(struct proc_out *o, const void *p, size_t n)
{
	if (!proc_room(o, n))
		return;
	memcpy(o->buf + o->len, p, n);
	o->len += n;
}

void proc_printf(struct proc_out *o, const char *fmt, ...)
{
	char line[128];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0 || !proc_room(o, (size_t)n))
		return;
	if ((size_t)n < sizeof(line)) {
		memcpy(o->buf + o->len, line, (size_t)n);
	} else {
		va_start(ap, fmt);
		vsnprintf(o->buf + o->len, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	o->len += (size_t)n;
}

static int proc_text_make(struct proc_text *t)
{
	int err;

	t->out.len = 0;
	t->out.error = 0;
	t->out.tid = t->tid;
	t->made = true;
	if (!t->file)
		err = proc_fdinfo_show(&t->out, t->fd);
	else
		err = t->file->show ? t->file->show(&t->out) : -EIO;
	return err ? err : t->out.error;
}

/* --- the file ------------------------------------------------------------ */

static long proc_text_read(struct file *f, struct uio *u, uint64_t *off)
{
	struct proc_text *t = f->priv;
	long n = 0;

	mutex_lock(&t->lock);
	if (*off == 0 || !t->made)
		n = proc_text_make(t);
	if (!n && *off < t->out.len)
		n = uio_put(u, t->out.buf + *off, t->out.len - *off);
	mutex_unlock(&t->lock);
	if (n > 0)
		*off += (uint64_t)n;
	return n;
}

static long proc_text_write(struct file *f, struct uio *u, uint64_t *off)
{
	struct proc_text *t = f->priv;
	char *text;
	long n;
	int err;

	if (!t->file || !t->file->store)
		return -EIO;
	if (u->left >= PROC_STORE_MAX)
		return -EINVAL;
	text = kmalloc(PROC_STORE_MAX);
	if (!text)
		return -ENOMEM;
	n = uio_get(u, text, PROC_STORE_MAX - 1);
	if (n > 0) {
		text[n - (text[n - 1] == '\n')] = '\0';
		text[n] = '\0';
		err = t->file->store(text);
		*off += (uint64_t)n;
		n = err ? err : n;
	}
	kfree(text);
	return n;
}

static int64_t proc_text_seek(struct file *f, int64_t off, int whence)
{
	if (whence == SEEK_END)
		return -EINVAL;
	return vfile_seek_size(f, off, whence, 0);
}

/* Programs truncate before they write. */
static int proc_text_truncate(struct file *f, uint64_t len)
{
	(void)f;
	(void)len;
	return 0;
}

static void proc_text_release(struct file *f)
{
	struct proc_text *t = f->priv;

	kfree(t->out.buf);
	kfree(t);
}

const struct file_ops proc_text_file_ops = {
	.read = proc_text_read,
	.write = proc_text_write,
	.seek = proc_text_seek,
	.truncate = proc_text_truncate,
	.release = proc_text_release,
};

int proc_text_open_with(
    struct file *f, const struct proc_file *file, uint32_t tid, int fd)
{
	struct proc_text *t;

	if (file && file_writable(f) && !file->store)
		return -EACCES;
	t = kzalloc(sizeof(*t));
	if (!t)
		return -ENOMEM;
	mutex_init(&t->lock);
	t->file = file;
	t->tid = tid;
	t->fd = fd;
	f->priv = t;
	file_set_ops(f, &proc_text_file_ops);
	return 0;
}

static int proc_text_open(struct vnode *v, struct file *f)
{
	return proc_text_open_with(f, proc_node(v)->file, 0, -1);
}

/* O_TRUNC does nothing here; neither does anything else. */
static int proc_text_setattr(
    struct vnode *v, const struct vattr *a, unsigned what)
{
	(void)v;
	(void)a;
	return what & ~VATTR_SIZE ? -EPERM : 0;
}

const struct vnode_ops proc_text_ops = {
	.getattr = proc_getattr,
	.setattr = proc_text_setattr,
	.open = proc_text_open,
	.reclaim = proc_reclaim_never,
};
