/*
 * ioctl() of inet sockets: what is in the queue, and the interface table as
 * netdevice(7) has it.  Changing interfaces is the boot options' business.
 */

#include "inet_int.h"

#include "kern/arch.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/string.h"

#include <asm/ioctls.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/in.h>
#include <linux/sockios.h>

static int user_int(unsigned long arg, int v)
{
	return copy_to_user((void *)arg, &v, sizeof(v));
}

/* --- interfaces ---------------------------------------------------------- */

static bool is_loopback(const struct netif *n)
{
	return n->name[0] == 'l' && n->name[1] == 'o';
}

void inet_if_name(const struct netif *n, char out[IFNAMSIZ])
{
	memset(out, 0, IFNAMSIZ);
	if (is_loopback(n))
		memcpy(out, "lo", 3);
	else
		snprintf(out, IFNAMSIZ, "%s", nif_name(n));
}

static struct netif *find_name(const char *name)
{
	char have[IFNAMSIZ];
	struct netif *n;

	NETIF_FOREACH(n)
	{
		inet_if_name(n, have);
		if (!strncmp(have, name, IFNAMSIZ))
			return n;
	}
	return NULL;
}

static short if_flags(const struct netif *n)
{
	short f = 0;

	if (netif_is_up(n))
		f |= IFF_UP;
	if (netif_is_link_up(n))
		f |= IFF_RUNNING;
	if (is_loopback(n))
		return f | IFF_LOOPBACK;
	return f | IFF_BROADCAST | IFF_MULTICAST;
}

static void put_addr(struct sockaddr *sa, uint32_t addr)
{
	struct sockaddr_in a = { .sin_family = AF_INET };

	a.sin_addr.s_addr = addr;
	memcpy(sa, &a, sizeof(a));
}

static int if_answer(struct netif *n, unsigned req, struct ifreq *r)
{
	uint32_t ip = ip4_addr_get_u32(netif_ip4_addr(n));
	uint32_t mask = ip4_addr_get_u32(netif_ip4_netmask(n));

	switch (req) {
	case SIOCGIFFLAGS:
		r->ifr_flags = if_flags(n);
		return 0;
	case SIOCGIFINDEX:
		r->ifr_ifindex = netif_get_index(n);
		return 0;
	case SIOCGIFMTU:
		r->ifr_mtu = is_loopback(n) ? 65536 : n->mtu;
		return 0;
	case SIOCGIFMETRIC:
		r->ifr_metric = 0;
		return 0;
	case SIOCGIFTXQLEN:
		r->ifr_qlen = 1000;
		return 0;
	case SIOCGIFHWADDR:
		memset(&r->ifr_hwaddr, 0, sizeof(r->ifr_hwaddr));
		r->ifr_hwaddr.sa_family =
		    is_loopback(n) ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
		memcpy(r->ifr_hwaddr.sa_data, n->hwaddr, 6);
		return 0;
	case SIOCGIFADDR:
		put_addr(&r->ifr_addr, ip);
		return ip ? 0 : -EADDRNOTAVAIL;
	case SIOCGIFNETMASK:
		put_addr(&r->ifr_netmask, mask);
		return ip ? 0 : -EADDRNOTAVAIL;
	case SIOCGIFBRDADDR:
	case SIOCGIFDSTADDR:
		put_addr(&r->ifr_broadaddr, ip | ~mask);
		return ip ? 0 : -EADDRNOTAVAIL;
	default:
		return -EINVAL;
	}
}

static long if_ioctl(unsigned req, unsigned long arg)
{
	struct ifreq r;
	struct netif *n;
	int err = copy_from_user(&r, (void *)arg, sizeof(r));

	if (err)
		return err;
	r.ifr_name[IFNAMSIZ - 1] = '\0';
	net_lock();
	if (req == SIOCGIFNAME)
		n = netif_get_by_index((u8_t)r.ifr_ifindex);
	else
		n = find_name(r.ifr_name);
	if (!n)
		err = -ENODEV;
	else if (req == SIOCGIFNAME)
		inet_if_name(n, r.ifr_name);
	else
		err = if_answer(n, req, &r);
	net_unlock();
	return err ? err : copy_to_user((void *)arg, &r, sizeof(r));
}

#define IF_MAX 32u

/* SIOCGIFCONF: all that have an IPv4 address; without a buffer, their size. */
static long if_conf(unsigned long arg)
{
	struct ifreq *r = kmalloc_array(IF_MAX, sizeof(*r));
	struct netif *n;
	struct ifconf c;
	unsigned count = 0;
	size_t bytes;
	int err;

	if (!r)
		return -ENOMEM;
	net_lock();
	NETIF_FOREACH(n)
	{
		if (count == IF_MAX || ip4_addr_isany(netif_ip4_addr(n)))
			continue;
		inet_if_name(n, r[count].ifr_name);
		if_answer(n, SIOCGIFADDR, &r[count++]);
	}
	net_unlock();
	err = copy_from_user(&c, (void *)arg, sizeof(c));
	bytes = count * sizeof(*r);
	if (!err && c.ifc_buf) {
		bytes = MIN(bytes, (size_t)MAX(c.ifc_len, 0)) / sizeof(*r) *
			sizeof(*r);
		err = copy_to_user(c.ifc_buf, r, bytes);
	}
	kfree(r);
	c.ifc_len = (int)bytes;
	return err ? err : copy_to_user((void *)arg, &c, sizeof(c));
}

/* --- the operation ------------------------------------------------------- */

static long queue_ioctl(struct inet_sock *s, unsigned req, unsigned long arg)
{
	bool tcp = s->kind == INET_TCP;

	net_lock();
	inet_chan_drain(s);
	net_unlock();
	if (tcp && atomic_load(&s->state) == INET_LISTEN)
		return -EINVAL;
	if (req == TIOCOUTQ)
		return user_int(
		    arg, tcp ? (int)atomic_load(&s->tcp.tx_queued) : 0);
	if (tcp)
		return user_int(arg, (int)atomic_load(&s->rx_avail));
	return user_int(arg, (int)inet_dgram_next_size(s));
}

long inet_ioctl(struct socket *so, unsigned req, unsigned long arg)
{
	switch (req) {
	case FIONREAD:
	case TIOCOUTQ:
		return queue_ioctl(inet_of(so), req, arg);
	case SIOCATMARK:
		return user_int(arg, 0);
	case SIOCGIFCONF:
		return if_conf(arg);
	case SIOCGIFNAME:
	case SIOCGIFFLAGS:
	case SIOCGIFINDEX:
	case SIOCGIFMTU:
	case SIOCGIFMETRIC:
	case SIOCGIFTXQLEN:
	case SIOCGIFHWADDR:
	case SIOCGIFADDR:
	case SIOCGIFNETMASK:
	case SIOCGIFBRDADDR:
	case SIOCGIFDSTADDR:
		return if_ioctl(req, arg);
	default:
		return -ENOTTY;
	}
}
