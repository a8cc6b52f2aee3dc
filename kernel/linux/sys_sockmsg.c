/* Sockets: the calls that move data.  See sys_socket.c. */

#include "file_io.h"
#include "socket_int.h"

#include "kern/arch.h"
#include "kern/clock.h"
#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/sched.h"
#include "kern/string.h"
#include "syscalls.h"

#include <linux/time.h>
#include <linux/uio.h>

#define MSG_ERRQUEUE 0x2000
#define CONTROL_MAX  20480u /* Linux's optmem_max */
#define MMSG_MAX     1024u
#define TRANSFER_MAX 0x7ffff000ul /* MAX_RW_COUNT */

/* --- one buffer ---------------------------------------------------------- */

long sys_sendto(
    int fd, const void *buf, size_t n, int flags, const void *addr, int addrlen)
{
	struct sockaddr_any name;
	struct uio u;
	struct sock_msg m = { .uio = &u, .flags = flags };
	struct file *f;
	int err;
	struct socket *s = socket_get(fd, &f, &err);
	long r;

	if (!s)
		return err;
	n = MIN(n, TRANSFER_MAX);
	r = user_range_ok(buf, n) ? 0 : -EFAULT;
	uio_init(&u, (void *)(uintptr_t)buf, n, true);
	if (!r && addr) {
		r = sockaddr_import(&name, addr, addrlen);
		m.name = &name;
		m.namelen = (unsigned)addrlen;
	}
	if (!r)
		r = socket_send(f, s, &m);
	file_put(f);
	return r;
}

long sys_recvfrom(
    int fd, void *buf, size_t n, int flags, void *addr, int *addrlen)
{
	struct sockaddr_any name = { 0 };
	struct uio u;
	struct sock_msg m = { .uio = &u, .flags = flags };
	struct file *f;
	int err;
	struct socket *s = socket_get(fd, &f, &err);
	long r;

	if (!s)
		return err;
	n = MIN(n, TRANSFER_MAX);
	uio_init(&u, buf, n, true);
	if (addr) {
		m.name = &name;
		m.namelen = sizeof(name);
	}
	if (flags & MSG_ERRQUEUE)
		r = -EAGAIN;
	else
		r = user_range_ok(buf, n) ? socket_recv(f, s, &m) : -EFAULT;
	if (r >= 0 && addr) {
		err = sockaddr_export(&name, m.namelen, addr, addrlen);
		if (err)
			r = err;
	}
	file_put(f);
	return r;
}

/* --- messages ------------------------------------------------------------ */

/* Everything a message needs while it is in the kernel. */
struct msg_ctx {
	struct linux_msghdr h;
	struct sockaddr_any name;
	struct iov_buf iov;
	struct uio uio;
	struct sock_msg m;
};

static int msg_import(struct msg_ctx *c, const void *user, int flags)
{
	int err = copy_from_user(&c->h, user, sizeof(c->h));

	if (err)
		return err;
	if (c->h.iovlen > UIO_MAXIOV)
		return -EMSGSIZE;
	if (!c->h.name)
		c->h.namelen = 0;
	if (c->h.namelen < 0)
		return -EINVAL;
	c->h.namelen = MIN(c->h.namelen, SOCKADDR_MAX);
	c->m = (struct sock_msg){ .uio = &c->uio, .flags = flags };
	return io_vec_import(&c->iov, &c->uio, c->h.iov, c->h.iovlen);
}

static void msg_release(struct msg_ctx *c)
{
	kfree(c->m.control);
	io_vec_free(&c->iov);
}

static int msg_import_send(struct msg_ctx *c)
{
	int err;

	if (c->h.name && c->h.namelen) {
		err = sockaddr_import(&c->name, c->h.name, c->h.namelen);
		if (err)
			return err;
		c->m.name = &c->name;
		c->m.namelen = (unsigned)c->h.namelen;
	}
	if (!c->h.control || !c->h.controllen)
		return 0;
	if (c->h.controllen > CONTROL_MAX)
		return -ENOBUFS;
	c->m.control = kmalloc(c->h.controllen);
	if (!c->m.control)
		return -ENOBUFS;
	c->m.controllen = c->h.controllen;
	return copy_from_user(c->m.control, c->h.control, c->h.controllen);
}

static long send_one(
    struct file *f, struct socket *s, const void *user, int flags)
{
	struct msg_ctx c;
	long r = msg_import(&c, user, flags);

	if (r)
		return r;
	r = msg_import_send(&c);
	if (!r)
		r = socket_send(f, s, &c.m);
	msg_release(&c);
	return r;
}

static int msg_import_recv(struct msg_ctx *c)
{
	if (c->h.name) {
		memset(&c->name, 0, sizeof(c->name));
		c->m.name = &c->name;
		c->m.namelen = sizeof(c->name);
	}
	if (!c->h.control || !c->h.controllen)
		return 0;
	c->m.controllen = MIN(c->h.controllen, (uint64_t)CONTROL_MAX);
	c->m.control = kzalloc(c->m.controllen);
	return c->m.control ? 0 : -ENOBUFS;
}

static int msg_export(const struct msg_ctx *c, struct linux_msghdr *user)
{
	uint32_t flags = (uint32_t)c->m.flags & ~MSG_CMSG_CLOEXEC;
	uint64_t used = c->m.control ? c->m.controllen : 0;
	unsigned n = MIN((unsigned)c->h.namelen, c->m.namelen);
	int err = 0;

	if (c->h.name)
		err = copy_to_user(c->h.name, &c->name, n);
	if (!err && c->h.name)
		err = user_store32((uint32_t *)&user->namelen, c->m.namelen);
	if (!err && used)
		err = copy_to_user(c->h.control, c->m.control, used);
	if (!err)
		err = copy_to_user(&user->controllen, &used, sizeof(used));
	return err ? err : user_store32(&user->flags, flags);
}

static long recv_one(
    struct file *f, struct socket *s, struct linux_msghdr *user, int flags)
{
	struct msg_ctx c;
	long r = msg_import(&c, user, flags);
	int err;

	if (r)
		return r;
	r = msg_import_recv(&c);
	if (!r)
		r = flags & MSG_ERRQUEUE ? -EAGAIN : socket_recv(f, s, &c.m);
	if (r >= 0) {
		/* On return the flags are results only. */
		c.m.flags &=
		    MSG_TRUNC | MSG_CTRUNC | MSG_EOR | MSG_CMSG_CLOEXEC;
		err = msg_export(&c, user);
		if (err)
			r = err;
	}
	msg_release(&c);
	return r;
}

long sys_sendmsg(int fd, const void *msg, int flags)
{
	struct file *f;
	int err;
	struct socket *s = socket_get(fd, &f, &err);
	long r;

	if (!s)
		return err;
	r = send_one(f, s, msg, flags);
	file_put(f);
	return r;
}

long sys_recvmsg(int fd, void *msg, int flags)
{
	struct file *f;
	int err;
	struct socket *s = socket_get(fd, &f, &err);
	long r;

	if (!s)
		return err;
	r = recv_one(f, s, msg, flags);
	file_put(f);
	return r;
}

/* --- several messages ---------------------------------------------------- */

long sys_sendmmsg(int fd, void *vec, unsigned n, int flags)
{
	struct linux_mmsghdr *mm = vec;
	struct file *f;
	int err;
	struct socket *s = socket_get(fd, &f, &err);
	unsigned i;
	long r = 0;

	if (!s)
		return err;
	n = MIN(n, MMSG_MAX);
	for (i = 0; i < n; i++) {
		r = send_one(f, s, &mm[i].hdr, flags);
		if (r < 0)
			break;
		r = user_store32(&mm[i].len, (uint32_t)r);
		if (r < 0)
			break;
	}
	file_put(f);
	return i ? (long)i : r;
}

/* *deadline is TIME_NEVER without a timeout. */
static int timeout_import(const void *user, uint64_t *deadline)
{
	struct __kernel_timespec ts;
	uint64_t ns;

	*deadline = TIME_NEVER;
	if (!user)
		return 0;
	if (copy_from_user(&ts, user, sizeof(ts)))
		return -EFAULT;
	if (ts.tv_sec < 0 || ts.tv_nsec < 0 ||
	    (uint64_t)ts.tv_nsec >= NSEC_PER_SEC)
		return -EINVAL;
	if (mul_overflow((uint64_t)ts.tv_sec, NSEC_PER_SEC, &ns) ||
	    add_overflow(ns, (uint64_t)ts.tv_nsec, &ns) ||
	    add_overflow(ns, clock_mono(), deadline))
		*deadline = TIME_NEVER;
	return 0;
}

/*
 * The deadline is looked at after each message only: that is what Linux does
 * (recvmmsg(2), BUGS).
 */
long sys_recvmmsg(int fd, void *vec, unsigned n, int flags, void *timeout)
{
	struct linux_mmsghdr *mm = vec;
	struct file *f;
	struct socket *s;
	uint64_t deadline;
	unsigned i;
	long r = 0;
	int err = timeout_import(timeout, &deadline);

	if (err)
		return err;
	s = socket_get(fd, &f, &err);
	if (!s)
		return err;
	for (i = 0; i < n; i++) {
		r = recv_one(f, s, &mm[i].hdr, flags & ~MSG_WAITFORONE);
		if (r < 0)
			break;
		r = user_store32(&mm[i].len, (uint32_t)r);
		if (r < 0)
			break;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		if (deadline != TIME_NEVER && clock_mono() >= deadline) {
			i++;
			break;
		}
	}
	file_put(f);
	return i ? (long)i : r;
}
