#ifndef NET_INET_INT_H
#define NET_INET_INT_H

/*
 * The inet sockets: inet.c (what all have), inet_addr.c, inet_opt.c and
 * inet_opt_table.c, inet_tcp.c, inet_tcp_io.c, inet_dgram.c (UDP, raw and
 * ping).
 *
 * Life: a socket is held by the program's file and by lwIP's PCB; the last
 * to go frees it, after a grace period since a channel's producer may be
 * calling inet_chan_wake().
 *
 * Locks, in this order: rlock or wlock (one reader, one writer: they copy
 * from and to the program without the core lock), the core lock, ev_lock.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "kern/errno.h"
#include "kern/list.h"
#include "kern/lock.h"
#include "kern/netchan.h"
#include "kern/poll.h"
#include "kern/sched.h"
#include "kern/signal.h"
#include "kern/socket.h"
#include "net_hooks.h"
#include "net_int.h"

#include "lwip/ip.h"
#include "lwip/netif.h"
#include "lwip/raw.h"
#include "lwip/tcp.h"
#include "lwip/udp.h"

#define INET_BUF_MIN  2304u /* Linux's SOCK_MIN_RCVBUF */
#define INET_BUF_MAX  (1u << 24)
#define INET_RCVBUF   131072u /* what a new TCP socket reports */
#define INET_SNDBUF   16384u
#define INET_DGRAMBUF 212992u /* net.core.rmem_default */

enum inet_kind { INET_TCP, INET_UDP, INET_RAW };

enum inet_state {
	INET_NEW, /* no peer */
	INET_CONNECTING,
	INET_CONNECTED, /* for a datagram socket: it has a default peer */
	INET_LISTEN,
	INET_CLOSED, /* was connected */
};

#define INET_SHUT_RD 1u /* by us, or the peer's FIN */
#define INET_SHUT_WR 2u
#define INET_GOT_FIN 4u

struct inet_opts {
	bool reuseaddr, reuseport, keepalive, broadcast, v6only, linger;
	bool nodelay, cork, quickack, pktinfo, recvttl, recvtos, hdrincl;
	bool pktinfo6, mcast_loop, timestamp, rcvbuf_set, sndbuf_set;
	uint8_t ttl, mcast_ttl, tos;
	uint8_t mcast_if;
	int linger_secs, defer_accept, syncnt, user_timeout, maxseg;
	int priority, mark;
	unsigned rcvbuf, sndbuf, rcvlowat;
	unsigned keepidle, keepintvl, keepcnt; /* seconds, seconds, count */
	uint64_t rcvtimeo, sndtimeo;           /* ns; TIME_NEVER: none */
	uint32_t icmp_filter;
};

/* A queue of pbufs: the bytes of a stream in order. */
struct inet_bytes {
	struct pbuf *head, *tail;
};

/* One page of data on its way out; at the start of the page itself. */
struct inet_txpage {
	struct inet_txpage *next;
	uint32_t fill;    /* next free byte; the writer's */
	uint32_t unacked; /* bytes lwIP has */
};

struct inet_tcp {
	struct tcp_pcb *pcb; /* NULL: none, or it is gone */
	struct mutex rlock, wlock;
	struct inet_bytes rxq; /* received, core lock */
	unsigned rx_room;      /* bytes free behind rxq.tail; core lock */
	struct inet_bytes rd;  /* taken over by the reader, rlock */
	unsigned rd_off;       /* bytes of rd.head that are consumed */
	size_t rd_avail;
	size_t recved; /* consumed, lwIP not told: rlock */
	struct inet_txpage *tx_head, *tx_tail; /* core lock */
	struct inet_txpage *wr_page;           /* changed with both locks */
	_Atomic size_t tx_queued;              /* bytes lwIP has */
	struct list accept_q;                  /* a listener's; core lock */
	struct list accept_link;               /* a child's */
	struct inet_sock *listener;            /* while on accept_q */
	unsigned backlog;
};

struct inet_dgram {
	union {
		struct udp_pcb *udp;
		struct raw_pcb *raw;
	};
	struct mutex rlock;
	struct list rxq;    /* core lock */
	struct list groups; /* inet_mcast.c */
};

struct inet_sock {
	struct socket *so; /* NULL: the program has closed it */
	enum inet_kind kind;
	int domain;
	unsigned proto;
	_Atomic unsigned state;  /* enum inet_state */
	_Atomic unsigned shut;   /* INET_SHUT_* */
	_Atomic int error;       /* positive errno: SO_ERROR */
	_Atomic size_t rx_avail; /* bytes to read; TCP listener: children */
	unsigned refs;           /* core lock */
	bool bound, autobound, was_connected;
	bool dg_ping;            /* a datagram ICMP socket */
	ip_addr_t local, remote; /* as the program sees them */
	uint16_t lport, rport;
	struct inet_opts opt;
	struct netchan *_Atomic chan;

	struct poll_head poll;
	/* A spinlock: channels wake from event context. */
	struct spinlock ev_lock;
	struct waitq ev_wait;
	_Atomic unsigned ev_seq;
	struct list late_link; /* core lock */
	unsigned late_puts;
	struct list wake_link; /* core lock */
	uint32_t wake_events;

	struct list link; /* all sockets; core lock */
	struct rcu_head rcu;
	union {
		struct inet_tcp tcp;
		struct inet_dgram dg;
	};
};

static inline struct inet_sock *inet_of(struct socket *so)
{
	return so->priv;
}

/* --- inet.c -------------------------------------------------------------- */

extern struct list inet_socks; /* core lock */

/* With one reference, on the list of all; NULL.  Takes the core lock. */
struct inet_sock *inet_sock_new(enum inet_kind, int domain, unsigned proto);
void inet_get(struct inet_sock *); /* core lock */
void inet_put(struct inet_sock *); /* core lock */
/* The same at net_unlock(): for what lwIP may name once more until then. */
void inet_put_late(struct inet_sock *);
void inet_put_all_late(void); /* net_unlock()'s */

/* (s) became ready: tell sleepers and pollers at net_unlock().  Core lock. */
void inet_notify(struct inet_sock *, uint32_t events);
void inet_wake_all(void); /* net_unlock()'s */

static inline unsigned inet_seq(struct inet_sock *s)
{
	return atomic_load(&s->ev_seq);
}
/*
 * Sleep until something happened since inet_seq() was (seq).  0; -EAGAIN at
 * the deadline; -ERESTARTSYS, or -EINTR when there is a deadline.
 */
int inet_wait(struct inet_sock *, unsigned seq, uint64_t deadline);

/* Make the flow's channel; no channel is no error.  Core lock. */
void inet_chan_open(struct inet_sock *);
void inet_chan_close(struct inet_sock *);
/* Hand queued packets to lwIP.  Core lock. */
void inet_chan_drain(struct inet_sock *);
static inline bool inet_chan_pending(struct inet_sock *s)
{
	struct netchan *c = atomic_load(&s->chan);

	return c && !netchan_empty(c);
}

void inet_error(struct inet_sock *, int err);
int inet_take_error(struct inet_sock *); /* 0 or -errno, once */
int inet_errno(err_t);                   /* 0 or -errno */

/* 0, -EADDRNOTAVAIL: is it any, ours, or multicast?  Core lock. */
int inet_addr_is_local(const ip_addr_t *);

/* A random free port is looked for by (try), which returns ERR_USE. */
err_t inet_autobind(
    struct inet_sock *, err_t (*try)(struct inet_sock *, uint16_t port));

/* --- inet_addr.c --------------------------------------------------------- */

enum inet_addr_use { INET_FOR_BIND, INET_FOR_CONNECT, INET_FOR_SENDTO };

/* Check an address for a socket of (domain): 0, -EINVAL, -EAFNOSUPPORT. */
int inet_addr_import(int domain, const struct sockaddr_any *, unsigned len,
    enum inet_addr_use, ip_addr_t *, uint16_t *port);
/* As a socket of (domain) shows it: IPv4 is mapped for AF_INET6. */
unsigned inet_addr_export(
    int domain, const ip_addr_t *, uint16_t port, struct sockaddr_any *);
void inet_addr_bytes(const ip_addr_t *, uint8_t out[16]);

/* --- inet_opt.c ---------------------------------------------------------- */

void inet_opts_init(struct inet_opts *, enum inet_kind);
int inet_setsockopt(
    struct socket *, int level, int opt, const void *, unsigned len);
int inet_getsockopt(struct socket *, int level, int opt, void *, unsigned *len);

/* --- inet_opt_table.c ---------------------------------------------------- */

uint8_t inet_tcp_linux_state(const struct inet_sock *); /* /proc, TCP_INFO */

/* --- inet_ioctl.c -------------------------------------------------------- */

long inet_ioctl(struct socket *, unsigned req, unsigned long arg);
/* "lo", "eth0": 16 bytes.  Core lock. */
void inet_if_name(const struct netif *, char out[16]);

/* --- nif.c --------------------------------------------------------------- */

const char *nif_name(const struct netif *); /* not of the loopback */

/* --- inet_tcp.c ---------------------------------------------------------- */

extern const struct socket_ops inet_tcp_ops;
int inet_tcp_create(struct socket *);
void inet_tcp_apply(struct inet_sock *); /* options to the PCB; core lock */

/* --- inet_tcp_io.c ------------------------------------------------------- */

long inet_tcp_send(struct socket *, struct sock_msg *);
long inet_tcp_recv(struct socket *, struct sock_msg *);
/* lwIP's callbacks; core lock */
err_t inet_tcp_on_recv(void *, struct tcp_pcb *, struct pbuf *, err_t);
err_t inet_tcp_on_sent(void *, struct tcp_pcb *, uint16_t);
void inet_tcp_free_io(struct inet_sock *);
void inet_tcp_drop_tx(struct inet_sock *); /* lwIP refers to none; core lock */
void inet_tcp_push(struct inet_sock *);    /* send what is corked */

/* --- inet_dgram.c -------------------------------------------------------- */

extern const struct socket_ops inet_dgram_ops;
int inet_dgram_create(struct socket *, enum inet_kind, unsigned proto);
void inet_dgram_apply(struct inet_sock *);
size_t inet_dgram_next_size(struct inet_sock *);

#endif /* NET_INET_INT_H */
