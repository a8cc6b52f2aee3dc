#ifndef INET_OPT_FIXTURE_H
#define INET_OPT_FIXTURE_H

/* One inet socket of a kind to set and get the options of. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/net/inet_int.h"

#include <asm/socket.h>
#include <linux/icmp.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/tcp.h>

#define SOL_IP        0
#define SOL_TCP       6
#define SOL_IPV6      41
#define SOL_ICMPV6    58
#define SOL_RAW       255
#define ICMPV6_FILTER 1

enum { TCP4 = 1, UDP4 = 2, RAW4 = 4, TCP6 = 8, UDP6 = 16, RAW6 = 32 };
#define TCP (TCP4 | TCP6)
#define UDP (UDP4 | UDP6)
#define RAW (RAW4 | RAW6)
#define V6  (TCP6 | UDP6 | RAW6)
#define ALL (TCP | UDP | RAW)

extern struct inet_sock sk;
extern struct tcp_pcb pcb; /* a TCP socket's */

/* What the options have asked of the rest of the room. */
extern struct inet_opt_calls {
	unsigned applied, push, drain, mcast4, mcast6;
	int error; /* SO_ERROR's, to be given by the test */
} calls;

/* All is as new. */
void make(unsigned kind);

/* What is taken must be applied, what is refused must change nothing. */
int set_len(int level, int opt, const void *p, unsigned len);
int set(int level, int opt, int v);

/* Into room for (room) bytes: -errno, or how many there were. */
int get_len(int level, int opt, void *p, unsigned room);
/* One that is an int, and can be got. */
int get(int level, int opt);
/* The error of one that cannot; 0: it has no bytes. */
int cannot_get(int level, int opt);

#endif /* INET_OPT_FIXTURE_H */
