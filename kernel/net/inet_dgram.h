#ifndef NET_INET_DGRAM_H
#define NET_INET_DGRAM_H

/* Between the files of the datagram sockets: inet_dgram.c, inet_cmsg.c. */

#include "inet_int.h"

/* One received message. */
struct dgram {
	struct list link;
	struct pbuf *p;
	ip_addr_t from, to;
	uint16_t port;
	uint8_t ifindex, ttl, tos;
};

/* What a control message asks of one datagram. */
struct dgram_from {
	bool given;
	ip_addr_t addr;
	unsigned ifindex;
	int ttl, tos; /* -1: the socket's */
};

/* Into m->control, what the options ask for about (d). */
void inet_cmsg_put(
    struct inet_sock *, const struct dgram *d, struct sock_msg *m);
/* 0, or -EINVAL for a message that does not fit. */
int inet_cmsg_get(const struct sock_msg *, struct dgram_from *);

#endif /* NET_INET_DGRAM_H */
