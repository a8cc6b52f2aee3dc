#ifndef LINUX_SOCKET_INT_H
#define LINUX_SOCKET_INT_H

/* Between the files of the socket calls: sys_socket.c, sys_sockmsg.c. */

#include <stdint.h>

#include "kern/file.h"
#include "kern/socket.h"

/* struct msghdr and struct mmsghdr of the x86-64 ABI. */
struct linux_msghdr {
	void *name;
	int32_t namelen, pad0;
	void *iov;
	uint64_t iovlen;
	void *control;
	uint64_t controllen;
	uint32_t flags, pad1;
};

struct linux_mmsghdr {
	struct linux_msghdr hdr;
	uint32_t len, pad;
};

/* The program's address: 0, -EINVAL, -EFAULT.  The rest of (out) is zero. */
int sockaddr_import(struct sockaddr_any *out, const void *user, int len);
/* Copies no more than *user_len says; stores the true length there. */
int sockaddr_export(
    const struct sockaddr_any *, unsigned len, void *user, int *user_len);

/* The socket behind a descriptor; *f has the reference.  NULL: *err. */
struct socket *socket_get(int fd, struct file **f, int *err);

/* A transfer, with MSG_* in m->flags; SIGPIPE is raised here. */
long socket_send(struct file *, struct socket *, struct sock_msg *);
long socket_recv(struct file *, struct socket *, struct sock_msg *);

#endif /* LINUX_SOCKET_INT_H */
