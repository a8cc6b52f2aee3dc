/* AF_UNIX: options and ioctls.  See unix_int.h. */

#include "unix_int.h"

#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/num.h"
#include "kern/sockopt.h"

#include <asm/ioctls.h>
#include <asm/socket.h>
#include <linux/sockios.h>

#define UNIX_BUF_MAX 212992u /* net.core.wmem_max */
#define UNIX_BUF_MIN 2304u

static void unix_set_buf(size_t *buf, int v)
{
	size_t n = v < 0 ? 0 : (size_t)v;

	/* Linux doubles it, for its own overhead. */
	*buf = MAX(MIN(n, UNIX_BUF_MAX) * 2, UNIX_BUF_MIN);
}

static int unix_set_int(struct unix_sock *u, int opt, int v)
{
	switch (opt) {
	case SO_PASSCRED:
		u->passcred = v != 0;
		return 0;
	case SO_SNDBUF:
	case SO_SNDBUFFORCE:
		unix_set_buf(&u->sndbuf, v);
		return 0;
	case SO_RCVBUF:
	case SO_RCVBUFFORCE:
		unix_set_buf(&u->rcvbuf, v);
		return 0;
	case SO_RCVLOWAT:
		u->rcvlowat = v > 0 ? (unsigned)v : 1;
		return 0;
	case SO_REUSEADDR:
	case SO_REUSEPORT:
	case SO_KEEPALIVE:
	case SO_LINGER:
	case SO_BROADCAST:
	case SO_DONTROUTE:
	case SO_OOBINLINE:
	case SO_PRIORITY:
		return 0; /* nothing that AF_UNIX has to do with */
	default:
		return -ENOPROTOOPT;
	}
}

static int unix_set_option(
    struct unix_sock *u, int opt, const void *val, unsigned len)
{
	int v, err;

	switch (opt) {
	case SO_RCVTIMEO_OLD:
	case SO_RCVTIMEO_NEW:
		return sockopt_get_timeout(val, len, &u->rcvtimeo);
	case SO_SNDTIMEO_OLD:
	case SO_SNDTIMEO_NEW:
		return sockopt_get_timeout(val, len, &u->sndtimeo);
	default:
		err = sockopt_get_int(val, len, &v);
		return err ? err : unix_set_int(u, opt, v);
	}
}

int unix_setsockopt(
    struct socket *s, int level, int opt, const void *val, unsigned len)
{
	struct unix_sock *u = unix_of(s);
	int err;

	if (level != SOL_SOCKET)
		return -EOPNOTSUPP;
	mutex_lock(&u->lock);
	err = unix_set_option(u, opt, val, len);
	mutex_unlock(&u->lock);
	return err;
}

static int unix_get_int(struct unix_sock *u, int opt, int *v)
{
	switch (opt) {
	case SO_ERROR:
		*v = u->error;
		u->error = 0;
		return 0;
	case SO_PASSCRED:
		*v = u->passcred;
		return 0;
	case SO_SNDBUF:
		*v = (int)u->sndbuf;
		return 0;
	case SO_RCVBUF:
		*v = (int)u->rcvbuf;
		return 0;
	case SO_RCVLOWAT:
		*v = (int)u->rcvlowat;
		return 0;
	case SO_ACCEPTCONN:
		*v = u->state == UNIX_LISTENING;
		return 0;
	case SO_REUSEADDR:
	case SO_REUSEPORT:
	case SO_KEEPALIVE:
	case SO_BROADCAST:
		*v = 0;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int unix_get_peercred(struct unix_sock *u, void *val, unsigned *len)
{
	/* As Linux shows a socket that has no peer. */
	struct cred none = { 0, (uint32_t)-1, (uint32_t)-1 };
	const struct cred *c =
	    u->state == UNIX_CONNECTED ? &u->peer_cred : &none;

	return sockopt_put(c, sizeof(*c), val, len);
}

static int unix_get_option(
    struct unix_sock *u, int opt, void *val, unsigned *len)
{
	int v, err;

	switch (opt) {
	case SO_PEERCRED:
		return unix_get_peercred(u, val, len);
	case SO_RCVTIMEO_OLD:
	case SO_RCVTIMEO_NEW:
		return sockopt_put_timeout(u->rcvtimeo, val, len);
	case SO_SNDTIMEO_OLD:
	case SO_SNDTIMEO_NEW:
		return sockopt_put_timeout(u->sndtimeo, val, len);
	default:
		err = unix_get_int(u, opt, &v);
		return err ? err : sockopt_put_int(v, val, len);
	}
}

int unix_getsockopt(
    struct socket *s, int level, int opt, void *val, unsigned *len)
{
	struct unix_sock *u = unix_of(s);
	int err;

	if (level != SOL_SOCKET)
		return -EOPNOTSUPP;
	mutex_lock(&u->lock);
	err = unix_get_option(u, opt, val, len);
	mutex_unlock(&u->lock);
	return err;
}

/* Bytes that a read would find; (u) is locked. */
static size_t unix_readable(struct unix_sock *u)
{
	struct unix_msg *m;
	size_t n = 0;

	list_foreach (m, &u->queue, link) {
		n += m->len - m->off;
		if (u->type != SOCK_STREAM)
			break;
	}
	return n;
}

/* What (u) sent and the peer has not read. */
static size_t unix_unread(struct unix_sock *u)
{
	struct unix_sock *peer = unix_peer_get(u);
	size_t n;

	if (!peer)
		return 0;
	mutex_lock(&peer->lock);
	n = peer->queued;
	mutex_unlock(&peer->lock);
	unix_put(peer);
	return n;
}

long unix_ioctl(struct socket *s, unsigned req, unsigned long arg)
{
	struct unix_sock *u = unix_of(s);
	bool listening;
	int n;

	if (req == TIOCOUTQ) {
		n = (int)unix_unread(u);
	} else if (req == FIONREAD) {
		mutex_lock(&u->lock);
		listening = u->state == UNIX_LISTENING;
		n = (int)unix_readable(u);
		mutex_unlock(&u->lock);
		if (listening)
			return -EINVAL;
	} else {
		return -ENOTTY;
	}
	return copy_to_user((void *)arg, &n, sizeof(n));
}
