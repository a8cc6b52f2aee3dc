#ifndef NET_HOOKS_H
#define NET_HOOKS_H

/*
 * The functions of ours that lwIP calls: LWIP_HOOK_FILENAME, and the places
 * that the patches in kernel/net/lwip-patches/ add.  Core lock held.
 */

#include <stdint.h>

struct tcp_pcb;
struct pbuf;
struct ip_addr;
struct ip4_addr;

/* RFC 6528: a keyed hash of the connection plus a clock.  lwip_port.c */
uint32_t net_tcp_isn(const struct ip_addr *local, uint16_t local_port,
    const struct ip_addr *remote, uint16_t remote_port);

/* The connection of the segment that is being handed in, when the caller
 * knows it; else NULL.  lwip_port.c */
extern struct tcp_pcb *net_tcp_hint;

/* An ICMP error about a datagram of ours; (p) starts with the quoted IP
 * header.  inet_udp.c */
void net_icmp_error(struct pbuf *p, unsigned type, unsigned code);

/* The (n)th DNS server of a DHCP answer.  ifconfig.c */
void net_dns_found(unsigned n, const struct ip4_addr *addr);

#endif /* NET_HOOKS_H */
