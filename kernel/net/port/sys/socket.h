#ifndef NET_PORT_SYS_SOCKET_H
#define NET_PORT_SYS_SOCKET_H

/* <linux/if.h> includes the C library's name, for this. */

struct sockaddr {
	unsigned short sa_family;
	char sa_data[14];
};

#endif /* NET_PORT_SYS_SOCKET_H */
