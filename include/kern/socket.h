#ifndef KERN_SOCKET_H
#define KERN_SOCKET_H

/*
 * Sockets.  kernel/linux/sys_socket.c checks and copies all arguments;
 * families implement the rest: kernel/net/inet*.c, kernel/fs/unix.c.
 */

#include <stddef.h>
#include <stdint.h>

#include "compiler.h"
#include "file.h"
#include "uio.h"

#define SOCKADDR_MAX 128

struct sockaddr_any { /* a checked copy in the kernel */
	uint16_t family;
	uint8_t data[SOCKADDR_MAX - 2];
};

struct socket;

struct sock_msg {
	struct sockaddr_any *name; /* NULL: none wanted, none given */
	unsigned namelen;          /* in: size; out: what there was */
	struct uio *uio;
	void *control;     /* kernel buffer */
	size_t controllen; /* in: size; out: used */
	int flags;         /* in: MSG_*; out: MSG_TRUNC... */
	bool nonblock;     /* O_NONBLOCK or MSG_DONTWAIT */
};

/* Thread context.  NULL: -EOPNOTSUPP. */
struct socket_ops {
	int (*bind)(struct socket *, const struct sockaddr_any *, unsigned len);
	int (*connect)(struct socket *, const struct sockaddr_any *,
	    unsigned len, bool nonblock);
	int (*listen)(struct socket *, int backlog);
	/* (out) has been made with the same family and type by the layer. */
	int (*accept)(struct socket *, struct socket **out, bool nonblock);
	int (*name)(
	    struct socket *, bool peer, struct sockaddr_any *, unsigned *len);
	long (*send)(struct socket *, struct sock_msg *);
	long (*recv)(struct socket *, struct sock_msg *);
	int (*shutdown)(struct socket *, int how);
	int (*setsockopt)(
	    struct socket *, int level, int opt, const void *, unsigned len);
	int (*getsockopt)(
	    struct socket *, int level, int opt, void *, unsigned *len);
	long (*ioctl)(struct socket *, unsigned req, unsigned long arg);
	uint32_t (*poll)(struct socket *, struct poll_entry *);
	void (*release)(struct socket *);
};

struct socket {
	const struct socket_ops *ops;
	int domain, type, proto;
	uint64_t ino;
	void *priv; /* the family's */
};

struct socket_family {
	int domain;
	/* Sets s->ops and s->priv.  -EPROTONOSUPPORT, -ESOCKTNOSUPPORT. */
	int (*create)(struct socket *s);
	int (*pair)(struct socket *a, struct socket *b); /* NULL: -EOPNOTSUPP */
};
#define SOCKET_FAMILY(f) LINKER_SET_ADD(sockfam_set, struct socket_family, f)

/* Not in Linux's UAPI headers. */
#define AF_UNSPEC        0
#define AF_UNIX          1
#define AF_INET          2
#define AF_INET6         10
#define AF_NETLINK       16
#define AF_PACKET        17

#define SOCK_STREAM      1
#define SOCK_DGRAM       2
#define SOCK_RAW         3
#define SOCK_SEQPACKET   5
#define SOCK_NONBLOCK    04000
#define SOCK_CLOEXEC     02000000

#define MSG_OOB          0x1
#define MSG_PEEK         0x2
#define MSG_DONTROUTE    0x4
#define MSG_CTRUNC       0x8
#define MSG_TRUNC        0x20
#define MSG_DONTWAIT     0x40
#define MSG_EOR          0x80
#define MSG_WAITALL      0x100
#define MSG_NOSIGNAL     0x4000
#define MSG_MORE         0x8000
#define MSG_WAITFORONE   0x10000
#define MSG_CMSG_CLOEXEC 0x40000000

#define SHUT_RD          0
#define SHUT_WR          1
#define SHUT_RDWR        2

#define SCM_RIGHTS       1
#define SCM_CREDENTIALS  2

#endif /* KERN_SOCKET_H */
