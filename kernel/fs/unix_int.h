#ifndef FS_UNIX_INT_H
#define FS_UNIX_INT_H

/*
 * AF_UNIX sockets.  unix.c: life, connecting, readiness; unix_name.c:
 * addresses; unix_msg.c: sending and receiving; unix_scm.c: descriptors and
 * credentials; unix_opt.c: options.
 *
 * Each socket has a mutex for all of its fields.  The only place where two
 * are held is connecting: the listener's, then the connecting one's, which
 * cannot be a listener then.  A peer is reached with a reference, after
 * letting go of one's own lock.
 */

#include "kern/cred.h"
#include "kern/list.h"
#include "kern/lock.h"
#include "kern/sched.h"
#include "kern/socket.h"

#define UNIX_PATH_MAX  108
#define UNIX_SNDBUF    212992u /* net.core.wmem_default */
#define UNIX_DGRAM_MAX 10u     /* net.unix.max_dgram_qlen */
#define UNIX_FDS_MAX   253u    /* Linux's SCM_MAX_FD */

/* There is room: who waits for any of these has to hear of it. */
#define UNIX_POLL_OUT (EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND)

/* shut: the direction that is closed */
#define UNIX_SHUT_RD   1u
#define UNIX_SHUT_WR   2u
#define UNIX_SHUT_BOTH 3u

enum unix_state {
	UNIX_NEW,
	UNIX_CONNECTING,
	UNIX_CONNECTED,
	UNIX_LISTENING,
	UNIX_CLOSED
};

struct unix_addr {
	unsigned len; /* of struct sockaddr_un in use; 0: unnamed */
	char path[UNIX_PATH_MAX + 1];
};

/* What SCM_RIGHTS carries.  The references are its own. */
struct unix_fds {
	struct list link; /* on the reaper's list */
	unsigned n;
	struct file *file[];
};

struct unix_msg {
	struct list link;
	struct cred cred;
	struct unix_fds *fds;  /* NULL: none */
	struct unix_addr from; /* datagrams */
	size_t off, len;       /* of data: not yet read */
	size_t charge;         /* against the receiver's limit */
	char data[];
};

struct unix_sock {
	_Atomic unsigned refs;
	struct mutex lock;
	int type;
	enum unix_state state;
	_Atomic unsigned shut;
	struct unix_sock *peer; /* a reference */
	int error;              /* SO_ERROR */

	struct list queue; /* received */
	unsigned queued_msgs;
	size_t queued; /* the sum of charges */
	size_t sndbuf, rcvbuf;

	struct list backlog; /* accept_link of those not yet accepted */
	struct list accept_link;
	unsigned nbacklog, max_backlog;

	struct waitq can_read;  /* data or a connection */
	struct waitq can_write; /* room in this one's queue or backlog */
	struct poll_head poll;
	/* On it are the relays of senders that found no room. */
	struct poll_head room;
	/* On the peer's room; notifies (poll).  A datagram socket's. */
	struct poll_entry relay;

	struct unix_addr addr;
	struct vnode *vnode;   /* of a path: a reference */
	struct list name_link; /* table_lock, unix_name.c */

	struct cred cred, peer_cred;
	bool passcred;
	uint64_t rcvtimeo, sndtimeo; /* ns; TIME_NEVER: none */
	unsigned rcvlowat;
};

static inline struct unix_sock *unix_of(const struct socket *s)
{
	return s->priv;
}

static inline bool unix_is_dgram(const struct unix_sock *u)
{
	return u->type == SOCK_DGRAM;
}

/* unix.c */
void unix_get(struct unix_sock *);
void unix_put(struct unix_sock *);
struct unix_sock *unix_peer_get(struct unix_sock *); /* NULL: none */
/* The datagram socket (u) found no room at its peer (to): who polls (u) hears
 * when there is.  True: from now on only, so look again.  None is locked. */
bool unix_await_room(struct unix_sock *u, struct unix_sock *to);
/* Sleep with (u) locked: 0, -EAGAIN at the deadline, -ERESTARTSYS, -EINTR. */
int unix_sleep(struct unix_sock *, struct waitq *, uint64_t deadline);

/* unix_name.c */
int unix_bind(struct socket *, const struct sockaddr_any *, unsigned len);
int unix_autobind(struct unix_sock *);
void unix_unbind(struct unix_sock *);
/* The socket at an address, with a reference. */
int unix_find(
    const struct sockaddr_any *, unsigned len, int type, struct unix_sock **);
int unix_name(struct socket *, bool peer, struct sockaddr_any *, unsigned *len);
void unix_addr_out(
    const struct unix_addr *, struct sockaddr_any *, unsigned *len);

/* unix_msg.c */
long unix_send(struct socket *, struct sock_msg *);
long unix_recv(struct socket *, struct sock_msg *);
void unix_msg_free(struct unix_msg *);
/* Room for a datagram or some bytes of (from) in (to)'s queue; locked. */
bool unix_has_room(
    const struct unix_sock *to, const struct unix_sock *from, size_t bytes);

/* unix_scm.c */
struct unix_ctl {
	struct cred cred;
	struct unix_fds *fds; /* NULL: none; moves to the message */
};
/* Check and take in what sendmsg gave: -EINVAL, -EBADF, -EPERM, ... */
int unix_ctl_import(struct unix_ctl *, const struct sock_msg *);
/* To the receiver (u), when it asked for them. */
void unix_give_cred(
    struct unix_sock *u, const struct cred *, struct sock_msg *, size_t *used);
/* (take): the descriptors move out of (msg). */
void unix_give_rights(
    struct unix_msg *msg, bool take, struct sock_msg *, size_t *used);
/* Puts off dropping them; NULL: nothing.  A lock may be held. */
void unix_fds_free(struct unix_fds *);
/* Drops what was put off; no lock is held. */
void unix_fds_reap(void);

/* unix_opt.c */
int unix_setsockopt(
    struct socket *, int level, int opt, const void *, unsigned len);
int unix_getsockopt(struct socket *, int level, int opt, void *, unsigned *len);
long unix_ioctl(struct socket *, unsigned req, unsigned long arg);

#endif /* FS_UNIX_INT_H */
