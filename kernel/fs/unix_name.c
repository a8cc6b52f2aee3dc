/* AF_UNIX: addresses, in the file system and abstract.  See unix_int.h. */

#include "unix_int.h"

#include "kern/errno.h"
#include "kern/num.h"
#include "kern/string.h"
#include "kern/vfs.h"

#include "kern/stat.h"

#define UNIX_ADDR_MAX (sizeof(uint16_t) + UNIX_PATH_MAX)
#define UNIX_AUTO_LEN 5 /* "\0" and so many hex digits */

/* All bound sockets.  It comes after a socket's own lock. */
static struct mutex table_lock = MUTEX_INIT(table_lock);
static struct list table = LIST_INIT(table);

/* A checked copy; *abstract: the first byte is 0.  A path gets its NUL and is
 * counted with it. */
static int unix_addr_in(struct unix_addr *out, const struct sockaddr_any *a,
    unsigned len, bool *abstract)
{
	if (len <= sizeof(a->family) || len > UNIX_ADDR_MAX ||
	    a->family != AF_UNIX)
		return -EINVAL;
	memset(out, 0, sizeof(*out));
	out->len = len;
	memcpy(out->path, a->data, len - sizeof(a->family));
	*abstract = out->path[0] == '\0';
	if (!*abstract)
		out->len =
		    (unsigned)(sizeof(a->family) + strlen(out->path) + 1);
	return 0;
}

void unix_addr_out(
    const struct unix_addr *addr, struct sockaddr_any *a, unsigned *len)
{
	a->family = AF_UNIX;
	*len = sizeof(a->family);
	if (addr->len > sizeof(a->family)) {
		*len = addr->len;
		memcpy(a->data, addr->path, addr->len - sizeof(a->family));
	}
}

static bool unix_addr_equal(
    const struct unix_addr *a, const struct unix_addr *b)
{
	return a->len == b->len &&
	       memcmp(a->path, b->path, a->len - sizeof(uint16_t)) == 0;
}

/* By vnode, or by abstract name when that is NULL.  The table is locked. */
static struct unix_sock *unix_lookup(
    const struct vnode *v, const struct unix_addr *addr)
{
	struct unix_sock *u;

	list_foreach (u, &table, name_link) {
		if (v ? u->vnode == v
		      : !u->vnode && unix_addr_equal(&u->addr, addr))
			return u;
	}
	return NULL;
}

static int unix_bind_abstract(struct unix_sock *u, const struct unix_addr *addr)
{
	int err = -EADDRINUSE;

	mutex_lock(&table_lock);
	if (!unix_lookup(NULL, addr)) {
		u->addr = *addr;
		list_add(&table, &u->name_link);
		err = 0;
	}
	mutex_unlock(&table_lock);
	return err;
}

static int unix_bind_path(struct unix_sock *u, const struct unix_addr *addr)
{
	struct dentry *d;
	int err =
	    vfs_mknod(NULL, addr->path, S_IFSOCK | (0777 & ~fs_umask()), 0, &d);

	if (err)
		return err == -EEXIST ? -EADDRINUSE : err;
	mutex_lock(&table_lock);
	u->vnode = dentry_vnode(d);
	vnode_get(u->vnode);
	u->addr = *addr;
	list_add(&table, &u->name_link);
	mutex_unlock(&table_lock);
	dentry_put(d);
	return 0;
}

/* (u) is locked and has no address. */
static int unix_bind_auto(struct unix_sock *u)
{
	static _Atomic unsigned last;
	struct unix_addr addr = {
		.len = sizeof(uint16_t) + 1 + UNIX_AUTO_LEN,
	};

	for (unsigned tries = 0; tries < 1u << 20; tries++) {
		unsigned n = atomic_fetch_add(&last, 1) & 0xfffff;

		snprintf(addr.path + 1, UNIX_AUTO_LEN + 1, "%05x", n);
		if (unix_bind_abstract(u, &addr) == 0)
			return 0;
	}
	return -ENOSPC;
}

int unix_autobind(struct unix_sock *u)
{
	int err = 0;

	mutex_lock(&u->lock);
	if (u->addr.len == 0)
		err = unix_bind_auto(u);
	mutex_unlock(&u->lock);
	return err;
}

/* A second address: Linux makes the file first, and says what came of it. */
static int unix_bind_twice(const struct unix_addr *addr, bool abstract)
{
	struct dentry *d;

	if (abstract || vfs_lookup(NULL, addr->path, 0, &d))
		return -EINVAL;
	dentry_put(d);
	return -EADDRINUSE;
}

int unix_bind(struct socket *s, const struct sockaddr_any *a, unsigned len)
{
	struct unix_sock *u = unix_of(s);
	struct unix_addr addr;
	bool abstract;
	int err;

	if (len == sizeof(a->family) && a->family == AF_UNIX)
		return unix_autobind(u);
	err = unix_addr_in(&addr, a, len, &abstract);
	if (err)
		return err;
	mutex_lock(&u->lock);
	if (u->addr.len != 0)
		err = unix_bind_twice(&addr, abstract);
	else if (abstract)
		err = unix_bind_abstract(u, &addr);
	else
		err = unix_bind_path(u, &addr);
	mutex_unlock(&u->lock);
	return err;
}

void unix_unbind(struct unix_sock *u)
{
	struct vnode *v;

	mutex_lock(&table_lock);
	list_del(&u->name_link);
	v = u->vnode;
	u->vnode = NULL;
	mutex_unlock(&table_lock);
	if (v)
		vnode_put(v);
}

static int unix_find_path(const char *path, struct dentry **d)
{
	struct vnode *v;
	int err = vfs_lookup(NULL, path, 0, d);

	if (err)
		return err;
	v = dentry_vnode(*d);
	if (v && S_ISSOCK(v->mode))
		return 0;
	dentry_put(*d);
	return v ? -ECONNREFUSED : -ENOENT;
}

int unix_find(const struct sockaddr_any *a, unsigned len, int type,
    struct unix_sock **out)
{
	struct dentry *d = NULL;
	struct unix_addr addr;
	struct unix_sock *u;
	bool abstract;
	int err = unix_addr_in(&addr, a, len, &abstract);

	if (err == 0 && !abstract)
		err = unix_find_path(addr.path, &d);
	if (err)
		return err;
	mutex_lock(&table_lock);
	u = unix_lookup(d ? dentry_vnode(d) : NULL, &addr);
	if (!u)
		err = -ECONNREFUSED;
	else if (u->type != type)
		err = -EPROTOTYPE;
	else
		unix_get(u);
	mutex_unlock(&table_lock);
	if (d)
		dentry_put(d);
	*out = u;
	return err;
}

int unix_name(
    struct socket *s, bool peer, struct sockaddr_any *a, unsigned *len)
{
	struct unix_sock *u = unix_of(s);

	if (peer) {
		u = unix_peer_get(u);
		if (!u)
			return -ENOTCONN;
	}
	mutex_lock(&u->lock);
	unix_addr_out(&u->addr, a, len);
	mutex_unlock(&u->lock);
	if (peer)
		unix_put(u);
	return 0;
}
