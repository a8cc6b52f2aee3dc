#ifndef NET_INET_MCAST_H
#define NET_INET_MCAST_H

/* Multicast groups of a datagram socket.  inet_mcast.c; core lock held. */

struct inet_sock;

int inet_mcast_set4(struct inet_sock *, int opt, const void *, unsigned len);
int inet_mcast_set6(struct inet_sock *, int opt, const void *, unsigned len);
void inet_mcast_leave_all(struct inet_sock *);

#endif /* NET_INET_MCAST_H */
