#ifndef NET_IFCONFIG_H
#define NET_IFCONFIG_H

/* Addresses, routes and name servers from the boot options or from DHCP.
 * kernel/net/ifconfig.c; core lock held. */

struct netif;

void ifconfig_init(void); /* the loopback */
void ifconfig_attach(struct netif *, const char *name);
void ifconfig_detach(struct netif *);

#endif /* NET_IFCONFIG_H */
