/*
 * AF_UNIX: what travels beside the bytes.  Descriptors in flight are files
 * with a reference.  They are dropped one after another by unix_fds_reap(),
 * with no lock held: a queue may hold a socket whose queue holds a socket,
 * and so on, and each release() inside the other would use up the stack.
 * There may not be more in flight than a process may have open, which bounds
 * what sockets that are in each other's queues can keep for ever.
 */

#include "unix_int.h"

#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/string.h"

#include <asm/socket.h>

/* Linux's struct cmsghdr; not in the UAPI headers. */
struct cmsg {
	size_t len; /* of this header and the data */
	int level, type;
};

#define CMSG_ALIGN(n) ALIGN_UP((n), sizeof(size_t))

static struct mutex reap_lock = MUTEX_INIT(reap_lock);
static struct list reap_list = LIST_INIT(reap_list);
static bool reaping; /* somebody is: maybe a caller of the caller */
static _Atomic unsigned in_flight;

static void unix_fds_drop(struct unix_fds *fds)
{
	for (unsigned i = 0; i < fds->n; i++)
		file_put(fds->file[i]);
	atomic_fetch_sub(&in_flight, fds->n);
	kfree(fds);
}

void unix_fds_reap(void)
{
	struct unix_fds *fds;
	bool mine;

	mutex_lock(&reap_lock);
	mine = !reaping;
	while (mine && !list_empty(&reap_list)) {
		reaping = true;
		fds = list_entry(reap_list.next, struct unix_fds, link);
		list_del(&fds->link);
		mutex_unlock(&reap_lock);
		unix_fds_drop(fds);
		mutex_lock(&reap_lock);
	}
	if (mine)
		reaping = false;
	mutex_unlock(&reap_lock);
}

void unix_fds_free(struct unix_fds *fds)
{
	if (!fds || fds->n == 0) {
		kfree(fds);
		return;
	}
	mutex_lock(&reap_lock);
	list_add_tail(&reap_list, &fds->link);
	mutex_unlock(&reap_lock);
}

static struct unix_fds *unix_fds_new(unsigned room)
{
	struct unix_fds *fds =
	    kzalloc(sizeof(*fds) + room * sizeof(fds->file[0]));

	if (fds)
		list_init(&fds->link);
	return fds;
}

static void unix_fds_add(struct unix_fds *fds, struct file *f)
{
	fds->file[fds->n++] = f;
	atomic_fetch_add(&in_flight, 1);
}

/* --- sending ----------------------------------------------------------- */

static int unix_take_fds(struct unix_ctl *c, const char *data, size_t len)
{
	unsigned n = (unsigned)(len / sizeof(int));

	if (len % sizeof(int) != 0 || n > UNIX_FDS_MAX)
		return -EINVAL;
	if (n == 0)
		return 0;
	if (atomic_load(&in_flight) + n > fd_limit())
		return -ETOOMANYREFS;
	if (!c->fds)
		c->fds = unix_fds_new(UNIX_FDS_MAX);
	if (!c->fds)
		return -ENOMEM;
	if (c->fds->n + n > UNIX_FDS_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < n; i++) {
		struct file *f;
		int fd;

		memcpy(&fd, data + i * sizeof(fd), sizeof(fd));
		f = fd_get(fd);
		if (!f)
			return -EBADF;
		unix_fds_add(c->fds, f);
	}
	return 0;
}

static int unix_take_one(
    struct unix_ctl *c, const struct cmsg *h, const char *data)
{
	size_t len = h->len - sizeof(*h);

	if (h->level != SOL_SOCKET)
		return 0;
	if (h->type == SCM_RIGHTS)
		return unix_take_fds(c, data, len);
	if (h->type != SCM_CREDENTIALS || len != sizeof(c->cred))
		return -EINVAL;
	/* The program is root: it may say it is anybody. */
	memcpy(&c->cred, data, sizeof(c->cred));
	return 0;
}

int unix_ctl_import(struct unix_ctl *c, const struct sock_msg *m)
{
	size_t off = 0;
	int err = 0;

	c->fds = NULL;
	cred_current(&c->cred);
	while (
	    !err && m->control && m->controllen - off >= sizeof(struct cmsg)) {
		const char *at = (const char *)m->control + off;
		struct cmsg h;

		memcpy(&h, at, sizeof(h));
		if (h.len < sizeof(h) || h.len > m->controllen - off)
			err = -EINVAL;
		else
			err = unix_take_one(c, &h, at + sizeof(h));
		if (err)
			break;
		if (CMSG_ALIGN(h.len) >= m->controllen - off)
			break;
		off += CMSG_ALIGN(h.len);
	}
	if (err) {
		unix_fds_free(c->fds);
		c->fds = NULL;
	}
	return err;
}

/* --- receiving --------------------------------------------------------- */

/* Room for (len) bytes of data after a header, else 0 and MSG_CTRUNC. */
static char *unix_put_cmsg(
    struct sock_msg *m, size_t *used, int type, size_t len)
{
	struct cmsg h = { sizeof(h) + len, SOL_SOCKET, type };
	char *at = (char *)m->control + *used;

	if (!m->control || m->controllen - *used < h.len) {
		m->flags |= MSG_CTRUNC;
		return NULL;
	}
	memcpy(at, &h, sizeof(h));
	*used = MIN(*used + CMSG_ALIGN(h.len), m->controllen);
	return at + sizeof(h);
}

/* Install as many as there is room for; how many that was.  (take): their
 * references go with them. */
static unsigned unix_give_fds(
    struct unix_fds *fds, int *fd, unsigned room, bool cloexec, bool take)
{
	unsigned n;

	for (n = 0; n < fds->n && n < room; n++) {
		if (!take)
			file_get(fds->file[n]);
		fd[n] = fd_install(fds->file[n], cloexec, 0);
		if (fd[n] < 0) {
			if (!take)
				file_put(fds->file[n]); /* not the last */
			break;
		}
	}
	return n;
}

/* The first (n) have been given away; those that did not fit go later. */
static void unix_fds_given(struct unix_fds *fds, unsigned n)
{
	for (unsigned i = n; i < fds->n; i++)
		fds->file[i - n] = fds->file[i];
	fds->n -= n;
	atomic_fetch_sub(&in_flight, n);
	unix_fds_free(fds);
}

/* How many were given. */
static unsigned unix_export_fds(
    struct unix_fds *fds, bool take, struct sock_msg *m, size_t *used)
{
	bool cloexec = m->flags & MSG_CMSG_CLOEXEC;
	size_t left = m->control ? m->controllen - *used : 0;
	size_t room = left > sizeof(struct cmsg)
			  ? (left - sizeof(struct cmsg)) / sizeof(int)
			  : 0;
	int *fd = kmalloc(UNIX_FDS_MAX * sizeof(*fd));
	unsigned n = 0;
	char *at;

	if (fd)
		n = unix_give_fds(
		    fds, fd, (unsigned)MIN(room, UNIX_FDS_MAX), cloexec, take);
	if (n < fds->n)
		m->flags |= MSG_CTRUNC;
	if (n > 0) {
		at = unix_put_cmsg(m, used, SCM_RIGHTS, n * sizeof(*fd));
		memcpy(at, fd, n * sizeof(*fd));
	}
	kfree(fd);
	return n;
}

void unix_give_cred(
    struct unix_sock *u, const struct cred *c, struct sock_msg *m, size_t *used)
{
	char *at;

	if (!u->passcred)
		return;
	at = unix_put_cmsg(m, used, SCM_CREDENTIALS, sizeof(*c));
	if (at)
		memcpy(at, c, sizeof(*c));
}

void unix_give_rights(
    struct unix_msg *msg, bool take, struct sock_msg *m, size_t *used)
{
	unsigned n;

	if (!msg->fds)
		return;
	n = unix_export_fds(msg->fds, take, m, used);
	if (take) {
		unix_fds_given(msg->fds, n);
		msg->fds = NULL;
	}
}
