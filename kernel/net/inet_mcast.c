/*
 * Multicast groups.  lwIP counts the members of a group per device; which
 * socket joined is remembered here, to leave when it closes.
 */

#include "inet_int.h"
#include "inet_mcast.h"

#include "kern/mm.h"
#include "kern/string.h"

#include "lwip/igmp.h"
#include "lwip/mld6.h"

#include <linux/in.h>
#include <linux/in6.h>

struct inet_group {
	struct list link;
	ip_addr_t group;
	uint8_t ifindex;
};

#define GROUPS_MAX 20 /* net.ipv4.igmp_max_memberships */

static struct netif *pick(const ip_addr_t *group, unsigned ifindex)
{
	struct netif *n;

	if (ifindex)
		return netif_get_by_index((u8_t)ifindex);
	n = ip_route(IP_IS_V6(group) ? IP6_ADDR_ANY : IP4_ADDR_ANY, group);
	return n ? n : netif_default;
}

static err_t tell(struct netif *n, const ip_addr_t *group, bool join)
{
	if (IP_IS_V6(group))
		return join ? mld6_joingroup_netif(n, ip_2_ip6(group))
			    : mld6_leavegroup_netif(n, ip_2_ip6(group));
	return join ? igmp_joingroup_netif(n, ip_2_ip4(group))
		    : igmp_leavegroup_netif(n, ip_2_ip4(group));
}

static struct inet_group *find(
    struct inet_sock *s, const ip_addr_t *group, unsigned *count)
{
	struct inet_group *g;

	*count = 0;
	list_foreach (g, &s->dg.groups, link) {
		if (ip_addr_cmp(&g->group, group))
			return g;
		++*count;
	}
	return NULL;
}

static int change(
    struct inet_sock *s, const ip_addr_t *group, unsigned ifindex, bool join)
{
	struct netif *n = pick(group, ifindex);
	unsigned count;
	struct inet_group *g;

	if (!ip_addr_ismulticast(group))
		return -EINVAL;
	g = find(s, group, &count);
	if (!join && !g)
		return -EADDRNOTAVAIL;
	if (!join) {
		n = netif_get_by_index(g->ifindex);
		if (n)
			tell(n, group, false);
		list_del(&g->link);
		kfree(g);
		return 0;
	}
	if (g)
		return -EADDRINUSE;
	if (!n)
		return -ENODEV;
	g = count < GROUPS_MAX ? kmalloc(sizeof(*g)) : NULL;
	if (!g)
		return -ENOBUFS;
	g->group = *group;
	g->ifindex = netif_get_index(n);
	if (tell(n, group, true) != ERR_OK) {
		kfree(g);
		return -ENODEV;
	}
	list_add(&s->dg.groups, &g->link);
	return 0;
}

static unsigned index_of(uint32_t addr)
{
	struct netif *n;

	NETIF_FOREACH(n)
	if (ip4_addr_get_u32(netif_ip4_addr(n)) == addr)
		return netif_get_index(n);
	return 0;
}

int inet_mcast_set4(struct inet_sock *s, int opt, const void *p, unsigned len)
{
	struct ip_mreqn m = { { 0 }, { 0 }, 0 };
	ip_addr_t group;

	if (opt == IP_MULTICAST_IF && len < sizeof(struct ip_mreq)) {
		if (len < sizeof(m.imr_address))
			return -EINVAL;
		memcpy(&m.imr_address, p, sizeof(m.imr_address));
	} else {
		if (len < sizeof(struct ip_mreq))
			return -EINVAL;
		memcpy(&m, p, len < sizeof(m) ? len : sizeof(m));
	}
	if (!m.imr_ifindex && m.imr_address.s_addr)
		m.imr_ifindex = (int)index_of(m.imr_address.s_addr);
	if (opt == IP_MULTICAST_IF) {
		s->opt.mcast_if = (uint8_t)m.imr_ifindex;
		return 0;
	}
	if (s->kind == INET_TCP)
		return -EINVAL;
	memset(&group, 0, sizeof(group));
	ip_addr_set_ip4_u32_val(group, m.imr_multiaddr.s_addr);
	return change(
	    s, &group, (unsigned)m.imr_ifindex, opt == IP_ADD_MEMBERSHIP);
}

int inet_mcast_set6(struct inet_sock *s, int opt, const void *p, unsigned len)
{
	struct ipv6_mreq m;
	ip_addr_t group;

	if (len < sizeof(m) || s->kind == INET_TCP)
		return -EINVAL;
	memcpy(&m, p, sizeof(m));
	memset(&group, 0, sizeof(group));
	IP_SET_TYPE_VAL(group, IPADDR_TYPE_V6);
	memcpy(ip_2_ip6(&group)->addr, &m.ipv6mr_multiaddr, 16);
	return change(
	    s, &group, (unsigned)m.ipv6mr_ifindex, opt == IPV6_ADD_MEMBERSHIP);
}

void inet_mcast_leave_all(struct inet_sock *s)
{
	struct inet_group *g, *tmp;

	list_foreach_safe (g, tmp, &s->dg.groups, link) {
		struct netif *n = netif_get_by_index(g->ifindex);

		if (n)
			tell(n, &g->group, false);
		list_del(&g->link);
		kfree(g);
	}
}
