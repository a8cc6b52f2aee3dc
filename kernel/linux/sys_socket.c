/*
 * Sockets: the calls that make, name, connect and tune them, and the file
 * that stands for one.  All of the program's memory is read and written here
 * and in sys_sockmsg.c; families see checked copies.
 */

#include "socket_int.h"

#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/signal.h"
#include "kern/sockopt.h"
#include "kern/string.h"
#include "syscalls.h"

#include <asm/socket.h>
#include <asm/stat.h>
#include <asm/signal.h>
#include <linux/stat.h>

#define SOCK_TYPE_MASK 0xf
#define SOCKOPT_MAX    1024u

extern const struct socket_family *const sockfam_set_start[];
extern const struct socket_family *const sockfam_set_end[];

/* --- the file of a socket ------------------------------------------------ */

static struct socket *priv_socket(struct file *f)
{
	return f->priv;
}

static bool nonblocking(struct file *f, int flags)
{
	return (flags & MSG_DONTWAIT) || (atomic_load(&f->flags) & O_NONBLOCK);
}

long socket_send(struct file *f, struct socket *s, struct sock_msg *m)
{
	int flags = m->flags;
	long r;

	if (!s->ops->send)
		return -EOPNOTSUPP;
	m->nonblock = nonblocking(f, flags);
	r = s->ops->send(s, m);
	if (r == -EPIPE && s->type == SOCK_STREAM && !(flags & MSG_NOSIGNAL))
		signal_raise_self(SIGPIPE);
	return r;
}

long socket_recv(struct file *f, struct socket *s, struct sock_msg *m)
{
	if (!s->ops->recv)
		return -EOPNOTSUPP;
	m->nonblock = nonblocking(f, m->flags);
	return s->ops->recv(s, m);
}

static long sockfile_read(struct file *f, struct uio *u, uint64_t *off)
{
	struct sock_msg m = { .uio = u };

	(void)off;
	return socket_recv(f, priv_socket(f), &m);
}

static long sockfile_write(struct file *f, struct uio *u, uint64_t *off)
{
	struct sock_msg m = { .uio = u };

	(void)off;
	return socket_send(f, priv_socket(f), &m);
}

static long sockfile_ioctl(struct file *f, unsigned req, unsigned long arg)
{
	struct socket *s = priv_socket(f);

	return s->ops->ioctl ? s->ops->ioctl(s, req, arg) : -ENOTTY;
}

static uint32_t sockfile_poll(struct file *f, struct poll_entry *pe)
{
	struct socket *s = priv_socket(f);

	return s->ops->poll ? s->ops->poll(s, pe) : EPOLLIN | EPOLLOUT;
}

static int sockfile_stat(struct file *f, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_mode = S_IFSOCK | 0777;
	st->st_ino = priv_socket(f)->ino;
	st->st_nlink = 1;
	st->st_blksize = PAGE_SIZE;
	return 0;
}

static int sockfile_path(struct file *f, char *buf, size_t n)
{
	snprintf(buf, n, "socket:[%lu]", (unsigned long)priv_socket(f)->ino);
	return 0;
}

static void socket_free(struct socket *s)
{
	if (s->ops && s->ops->release)
		s->ops->release(s);
	kfree(s);
}

static void sockfile_release(struct file *f)
{
	socket_free(priv_socket(f));
}

static const struct file_ops sockfile_ops = {
	.read = sockfile_read,
	.write = sockfile_write,
	.ioctl = sockfile_ioctl,
	.poll = sockfile_poll,
	.stat = sockfile_stat,
	.path = sockfile_path,
	.release = sockfile_release,
};

static struct socket *socket_alloc(int domain, int type, int proto)
{
	static _Atomic uint64_t last_ino = 4096;
	struct socket *s = kzalloc(sizeof(*s));

	if (!s)
		return NULL;
	s->domain = domain;
	s->type = type;
	s->proto = proto;
	s->ino = atomic_fetch_add(&last_ino, 1) + 1;
	return s;
}

/* On failure the socket is still the caller's. */
static struct file *socket_file(struct socket *s, uint32_t flags)
{
	return file_new(&sockfile_ops, O_RDWR | (flags & O_NONBLOCK), s);
}

static struct socket *file_socket(struct file *f)
{
	return f->ops == &sockfile_ops ? priv_socket(f) : NULL;
}

struct socket *socket_get(int fd, struct file **f, int *err)
{
	struct socket *s;

	*f = fd_get(fd);
	if (!*f) {
		*err = -EBADF;
		return NULL;
	}
	s = file_socket(*f);
	if (!s) {
		file_put(*f);
		*err = -ENOTSOCK;
	}
	return s;
}

/* Takes the socket over in any case. */
static int socket_install(struct socket *s, int flags)
{
	struct file *f = socket_file(s, flags & SOCK_NONBLOCK ? O_NONBLOCK : 0);
	int fd;

	if (!f) {
		socket_free(s);
		return -ENOMEM;
	}
	fd = fd_install(f, (flags & SOCK_CLOEXEC) != 0, 0);
	if (fd < 0)
		file_put(f);
	return fd;
}

/* --- addresses ------------------------------------------------------------ */

int sockaddr_import(struct sockaddr_any *out, const void *user, int len)
{
	if (len < 0 || len > SOCKADDR_MAX)
		return -EINVAL;
	memset(out, 0, sizeof(*out));
	return copy_from_user(out, user, (size_t)len);
}

int sockaddr_export(
    const struct sockaddr_any *a, unsigned len, void *user, int *user_len)
{
	int room, err;

	err = user_load32((const uint32_t *)user_len, (uint32_t *)&room);
	if (err)
		return err;
	if (room < 0)
		return -EINVAL;
	err = copy_to_user(user, a, MIN((unsigned)room, len));
	return err ? err : user_store32((uint32_t *)user_len, len);
}

/* --- making -------------------------------------------------------------- */

static const struct socket_family *family_find(int domain)
{
	const struct socket_family *const *p;

	for (p = sockfam_set_start; p < sockfam_set_end; p++)
		if ((*p)->domain == domain)
			return *p;
	return NULL;
}

/* Checks the arguments that socket() and socketpair() share. */
static int socket_make(const struct socket_family **famp, struct socket **out,
    int domain, int type, int proto)
{
	const struct socket_family *fam = family_find(domain);
	struct socket *s;
	int err;

	if ((type & ~SOCK_TYPE_MASK) & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
		return -EINVAL;
	type &= SOCK_TYPE_MASK;
	if (!fam)
		return -EAFNOSUPPORT;
	if (type < SOCK_STREAM || type > 10)
		return -EINVAL;
	s = socket_alloc(domain, type, proto);
	if (!s)
		return -ENOMEM;
	err = fam->create(s);
	if (err) {
		s->ops = NULL;
		socket_free(s);
		return err;
	}
	*famp = fam;
	*out = s;
	return 0;
}

long sys_socket(int domain, int type, int proto)
{
	const struct socket_family *fam;
	struct socket *s;
	int err = socket_make(&fam, &s, domain, type, proto);

	return err ? err : socket_install(s, type);
}

long sys_socketpair(int domain, int type, int proto, int *user_fds)
{
	const struct socket_family *fam;
	struct socket *a, *b;
	int fds[2], err;

	err = socket_make(&fam, &a, domain, type, proto);
	if (err)
		return err;
	err = socket_make(&fam, &b, domain, type, proto);
	if (err) {
		socket_free(a);
		return err;
	}
	err = fam->pair ? fam->pair(a, b) : -EOPNOTSUPP;
	if (err) {
		socket_free(a);
		socket_free(b);
		return err;
	}
	fds[0] = socket_install(a, type);
	fds[1] = fds[0] < 0 ? fds[0] : socket_install(b, type);
	if (fds[0] < 0)
		socket_free(b);
	if (fds[1] < 0 && fds[0] >= 0)
		fd_close(fds[0]);
	if (fds[1] < 0)
		return fds[1];
	err = copy_to_user(user_fds, fds, sizeof(fds));
	if (err) {
		fd_close(fds[0]);
		fd_close(fds[1]);
	}
	return err;
}

/* --- naming and connecting ------------------------------------------------ */

long sys_bind(int fd, const void *user, int len)
{
	struct sockaddr_any a;
	struct file *f;
	int err;
	struct socket *s = socket_get(fd, &f, &err);

	if (!s)
		return err;
	err = sockaddr_import(&a, user, len);
	if (!err)
		err = s->ops->bind ? s->ops->bind(s, &a, (unsigned)len)
				   : -EOPNOTSUPP;
	file_put(f);
	return err;
}

long sys_connect(int fd, const void *user, int len)
{
	struct sockaddr_any a;
	struct file *f;
	int err;
	struct socket *s = socket_get(fd, &f, &err);

	if (!s)
		return err;
	err = sockaddr_import(&a, user, len);
	if (!err)
		err = s->ops->connect ? s->ops->connect(s, &a, (unsigned)len,
					    nonblocking(f, 0))
				      : -EOPNOTSUPP;
	file_put(f);
	return err;
}

long sys_listen(int fd, int backlog)
{
	struct file *f;
	int err;
	struct socket *s = socket_get(fd, &f, &err);

	if (!s)
		return err;
	err = s->ops->listen ? s->ops->listen(s, backlog) : -EOPNOTSUPP;
	file_put(f);
	return err;
}

static int socket_name(struct socket *s, bool peer, void *user, int *user_len)
{
	struct sockaddr_any a;
	unsigned len = sizeof(a);
	int err;

	if (!s->ops->name)
		return -EOPNOTSUPP;
	memset(&a, 0, sizeof(a));
	err = s->ops->name(s, peer, &a, &len);
	return err ? err : sockaddr_export(&a, len, user, user_len);
}

static int accept_one(struct socket *s, struct socket **out, bool nonblock)
{
	int err;

	if (!s->ops->accept)
		return -EOPNOTSUPP;
	*out = socket_alloc(s->domain, s->type, s->proto);
	if (!*out)
		return -ENOMEM;
	err = s->ops->accept(s, out, nonblock);
	if (err) {
		(*out)->ops = NULL;
		socket_free(*out);
	}
	return err;
}

long sys_accept4(int fd, void *user, int *user_len, int flags)
{
	struct socket *s, *new;
	struct file *f;
	int err;

	if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
		return -EINVAL;
	s = socket_get(fd, &f, &err);
	if (!s)
		return err;
	err = accept_one(s, &new, nonblocking(f, 0));
	file_put(f);
	if (err)
		return err;
	if (user) {
		err = socket_name(new, true, user, user_len);
		/* Linux: the peer went before its name could be told. */
		if (err == -ENOTCONN)
			err = -ECONNABORTED;
		if (err) {
			socket_free(new);
			return err;
		}
	}
	return socket_install(new, flags);
}

long sys_accept(int fd, void *user, int *user_len)
{
	return sys_accept4(fd, user, user_len, 0);
}

static long name_call(int fd, bool peer, void *user, int *user_len)
{
	struct file *f;
	int err;
	struct socket *s = socket_get(fd, &f, &err);

	if (!s)
		return err;
	err = socket_name(s, peer, user, user_len);
	file_put(f);
	return err;
}

long sys_getsockname(int fd, void *user, int *user_len)
{
	return name_call(fd, false, user, user_len);
}

long sys_getpeername(int fd, void *user, int *user_len)
{
	return name_call(fd, true, user, user_len);
}

long sys_shutdown(int fd, int how)
{
	struct file *f;
	int err;
	struct socket *s = socket_get(fd, &f, &err);

	if (!s)
		return err;
	if (how < SHUT_RD || how > SHUT_RDWR)
		err = -EINVAL;
	else
		err = s->ops->shutdown ? s->ops->shutdown(s, how) : -EOPNOTSUPP;
	file_put(f);
	return err;
}

/* --- options -------------------------------------------------------------- */

static int set_option(
    struct socket *s, int level, int opt, const void *user, unsigned len)
{
	void *val;
	int err;

	if (!s->ops->setsockopt)
		return -ENOPROTOOPT;
	len = MIN(len, SOCKOPT_MAX);
	val = kzalloc(MAX(len, sizeof(int)));
	if (!val)
		return -ENOMEM;
	err = copy_from_user(val, user, len);
	if (!err)
		err = s->ops->setsockopt(s, level, opt, val, len);
	kfree(val);
	return err;
}

long sys_setsockopt(int fd, int level, int opt, const void *user, int len)
{
	struct file *f;
	int err;
	struct socket *s;

	if (len < 0)
		return -EINVAL;
	s = socket_get(fd, &f, &err);
	if (!s)
		return err;
	err = set_option(s, level, opt, user, (unsigned)len);
	file_put(f);
	return err;
}

/* What is the same for every family.  -ENOPROTOOPT: ask the family. */
static int common_option(
    struct socket *s, int level, int opt, void *val, unsigned *len)
{
	int v;

	if (level != SOL_SOCKET)
		return -ENOPROTOOPT;
	switch (opt) {
	case SO_TYPE:
		v = s->type;
		break;
	case SO_DOMAIN:
		v = s->domain;
		break;
	case SO_PROTOCOL:
		v = s->proto;
		break;
	default:
		return -ENOPROTOOPT;
	}
	return sockopt_put_int(v, val, len);
}

static int get_option(
    struct socket *s, int level, int opt, void *user, int *user_len)
{
	unsigned len;
	void *val;
	int n, err;

	err = user_load32((const uint32_t *)user_len, (uint32_t *)&n);
	if (err)
		return err;
	if (n < 0)
		return -EINVAL;
	val = kzalloc(SOCKOPT_MAX);
	if (!val)
		return -ENOMEM;
	len = MIN((unsigned)n, SOCKOPT_MAX);
	err = common_option(s, level, opt, val, &len);
	if (err == -ENOPROTOOPT && s->ops->getsockopt)
		err = s->ops->getsockopt(s, level, opt, val, &len);
	if (!err)
		err = copy_to_user(user, val, MIN(len, SOCKOPT_MAX));
	kfree(val);
	return err ? err : user_store32((uint32_t *)user_len, len);
}

long sys_getsockopt(int fd, int level, int opt, void *user, int *user_len)
{
	struct file *f;
	int err;
	struct socket *s = socket_get(fd, &f, &err);

	if (!s)
		return err;
	err = get_option(s, level, opt, user, user_len);
	file_put(f);
	return err;
}
