/*
 * /proc/net and /proc/sys/net, in the formats of proc(5): programs and tools
 * parse them.
 */

#include "inet_int.h"
#include "netchan_int.h"

#include "kern/num.h"
#include "kern/procfs.h"
#include "kern/string.h"

#include <linux/in.h>

/* --- sockets ------------------------------------------------------------- */

static void put_ip(struct proc_out *o, bool v6, const ip_addr_t *ip)
{
	uint8_t b[16];
	uint32_t w[4];

	inet_addr_bytes(ip, b);
	if (v6 && ip_addr_isany(ip))
		memset(b, 0, sizeof(b));
	memcpy(w, b, sizeof(w));
	if (v6)
		proc_printf(o, "%08X%08X%08X%08X", w[0], w[1], w[2], w[3]);
	else
		proc_printf(o, "%08X", w[3]);
}

static void put_sock(struct proc_out *o, const struct inet_sock *s,
    unsigned line, unsigned state, unsigned long txq)
{
	bool v6 = s->domain == AF_INET6;
	size_t start = o->len;

	proc_printf(o, "%4u: ", line);
	put_ip(o, v6, &s->local);
	proc_printf(o, ":%04X ", s->lport);
	put_ip(o, v6, &s->remote);
	proc_printf(o, ":%04X %02X %08lX:%08lX 00:00000000 00000000 %5u %8u ",
	    s->rport, state, txq, (unsigned long)atomic_load(&s->rx_avail), 0,
	    0);
	proc_printf(o, "%lu %u 0000000000000000",
	    s->so ? (unsigned long)s->so->ino : 0ul, s->refs);
	if (s->kind == INET_TCP)
		proc_printf(o, " 100 0 0 10 0");
	else
		proc_printf(o, " 0");
	if (!v6)
		while (!o->error && o->len - start < 149 && s->kind == INET_TCP)
			proc_printf(o, " ");
	proc_printf(o, "\n");
}

static void put_header(struct proc_out *o, bool v6, bool tcp)
{
	if (v6)
		proc_printf(o,
		    "  sl  local_address                         "
		    "remote_address                        st tx_queue "
		    "rx_queue tr tm->when retrnsmt   uid  timeout "
		    "inode%s\n",
		    tcp ? "" : " ref pointer drops");
	else if (tcp)
		proc_printf(o, "%-149s\n",
		    "  sl  local_address rem_address   st tx_queue rx_queue "
		    "tr tm->when retrnsmt   uid  timeout inode");
	else
		proc_printf(o,
		    "  sl  local_address rem_address   st tx_queue rx_queue "
		    "tr tm->when retrnsmt   uid  timeout inode ref pointer "
		    "drops\n");
}

static int show_socks(struct proc_out *o, enum inet_kind kind, int domain)
{
	struct inet_sock *s;
	unsigned line = 0;

	put_header(o, domain == AF_INET6, kind == INET_TCP);
	net_lock();
	list_foreach (s, &inet_socks, link) {
		unsigned state = 7;
		unsigned long txq = 0;

		if (s->kind != kind || s->domain != domain)
			continue;
		if (kind == INET_TCP) {
			if (atomic_load(&s->state) == INET_NEW)
				continue;
			state = inet_tcp_linux_state(s);
			txq = atomic_load(&s->tcp.tx_queued);
		} else if (!s->bound) {
			continue;
		} else if (atomic_load(&s->state) == INET_CONNECTED) {
			state = 1;
		}
		put_sock(o, s, line++, state, txq);
	}
	net_unlock();
	return o->error;
}

static int show_tcp(struct proc_out *o)
{
	return show_socks(o, INET_TCP, AF_INET);
}

static int show_tcp6(struct proc_out *o)
{
	return show_socks(o, INET_TCP, AF_INET6);
}

static int show_udp(struct proc_out *o)
{
	return show_socks(o, INET_UDP, AF_INET);
}

static int show_udp6(struct proc_out *o)
{
	return show_socks(o, INET_UDP, AF_INET6);
}

static int show_raw(struct proc_out *o)
{
	return show_socks(o, INET_RAW, AF_INET);
}

static const struct proc_file tcp_file = { "net/tcp", show_tcp, NULL };
static const struct proc_file tcp6_file = { "net/tcp6", show_tcp6, NULL };
static const struct proc_file udp_file = { "net/udp", show_udp, NULL };
static const struct proc_file udp6_file = { "net/udp6", show_udp6, NULL };
static const struct proc_file raw_file = { "net/raw", show_raw, NULL };
PROC_FILE(tcp_file);
PROC_FILE(tcp6_file);
PROC_FILE(udp_file);
PROC_FILE(udp6_file);
PROC_FILE(raw_file);

static int show_sockstat(struct proc_out *o)
{
	unsigned n[3] = { 0, 0, 0 };
	struct inet_sock *s;

	net_lock();
	list_foreach (s, &inet_socks, link)
		n[s->kind]++;
	net_unlock();
	proc_printf(o, "sockets: used %u\n", n[0] + n[1] + n[2]);
	proc_printf(o, "TCP: inuse %u orphan 0 tw 0 alloc %u mem 0\n",
	    n[INET_TCP], n[INET_TCP]);
	proc_printf(o, "UDP: inuse %u mem 0\n", n[INET_UDP]);
	proc_printf(o, "RAW: inuse %u\nFRAG: inuse 0 memory 0\n", n[INET_RAW]);
	return o->error;
}

static const struct proc_file sockstat_file = { "net/sockstat", show_sockstat,
	NULL };
PROC_FILE(sockstat_file);

/* --- interfaces ---------------------------------------------------------- */

static void put_dev(
    struct proc_out *o, const char *name, const struct net_stats *st)
{
	proc_printf(o,
	    "%6s: %7lu %7lu %4lu %4lu    0     0          0         0 "
	    "%8lu %7lu %4lu %4lu    0     0       0          0\n",
	    name, (unsigned long)st->rx_bytes, (unsigned long)st->rx_packets,
	    (unsigned long)st->rx_errors, (unsigned long)st->rx_dropped,
	    (unsigned long)st->tx_bytes, (unsigned long)st->tx_packets,
	    (unsigned long)st->tx_errors, (unsigned long)st->tx_dropped);
}

static void put_net_dev(struct net_dev *dev, void *arg)
{
	put_dev(arg, dev->name, &dev->stats);
}

static int show_dev(struct proc_out *o)
{
	static const struct net_stats none;

	proc_printf(o, "Inter-|   Receive                            "
		       "                    |  Transmit\n"
		       " face |bytes    packets errs drop fifo frame "
		       "compressed multicast|bytes    packets errs "
		       "drop fifo colls carrier compressed\n");
	/* lwIP does not count what it sends to itself. */
	put_dev(o, "lo", &none);
	net_dev_foreach(put_net_dev, o);
	return o->error;
}

static void put_route(struct proc_out *o, const char *name, uint32_t dst,
    uint32_t gw, uint32_t mask)
{
	char line[128];

	snprintf(line, sizeof(line),
	    "%s\t%08X\t%08X\t%04X\t%d\t%u\t%d\t%08X\t%d\t%u\t%u", name, dst, gw,
	    gw ? 3 : 1, 0, 0, 0, mask, 0, 0, 0);
	proc_printf(o, "%-127s\n", line);
}

static int show_route(struct proc_out *o)
{
	struct netif *n;
	char name[16];

	proc_printf(o, "%-127s\n",
	    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\t"
	    "MTU\tWindow\tIRTT");
	net_lock();
	NETIF_FOREACH(n)
	{
		uint32_t ip = ip4_addr_get_u32(netif_ip4_addr(n));
		uint32_t mask = ip4_addr_get_u32(netif_ip4_netmask(n));
		uint32_t gw = ip4_addr_get_u32(netif_ip4_gw(n));

		inet_if_name(n, name);
		if (!ip || !strcmp(name, "lo"))
			continue;
		if (gw && n == netif_default)
			put_route(o, name, 0, gw, 0);
		put_route(o, name, ip & mask, 0, mask);
	}
	net_unlock();
	return o->error;
}

static unsigned ip6_scope(const ip6_addr_t *a)
{
	if (ip6_addr_isloopback(a))
		return 0x10;
	return ip6_addr_islinklocal(a) ? 0x20 : 0;
}

static int show_if_inet6(struct proc_out *o)
{
	struct netif *n;
	char name[16];
	int i, k;

	net_lock();
	NETIF_FOREACH(n)
	{
		inet_if_name(n, name);
		for (i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
			const ip6_addr_t *a = netif_ip6_addr(n, i);
			bool lo = ip6_addr_isloopback(a);

			if (!ip6_addr_isvalid(netif_ip6_addr_state(n, i)))
				continue;
			for (k = 0; k < 4; k++)
				proc_printf(o, "%08x", be32(a->addr[k]));
			proc_printf(o, " %02x %02x %02x %02x %8s\n",
			    netif_get_index(n), lo ? 128 : 64, ip6_scope(a),
			    0x80, name);
		}
	}
	net_unlock();
	return o->error;
}

static const struct proc_file dev_file = { "net/dev", show_dev, NULL };
static const struct proc_file route_file = { "net/route", show_route, NULL };
static const struct proc_file if_inet6_file = { "net/if_inet6", show_if_inet6,
	NULL };
PROC_FILE(dev_file);
PROC_FILE(route_file);
PROC_FILE(if_inet6_file);

/* --- our own: the channels ----------------------------------------------- */

static int show_netchan(struct proc_out *o)
{
	struct netchan_stats st;

	netchan_stats(&st);
	proc_printf(o, "taken %lu\npassed %lu\nfull %lu\nwakes %lu\n",
	    (unsigned long)st.taken, (unsigned long)st.passed,
	    (unsigned long)st.full, (unsigned long)st.wakes);
	return o->error;
}

static const struct proc_file netchan_file = { "net/netchan", show_netchan,
	NULL };
PROC_FILE(netchan_file);

/* --- /proc/sys/net: what is fixed here, readable ------------------------- */

#define SYSCTL(id, name, text)                                       \
	static int show_##id(struct proc_out *o)                     \
	{                                                            \
		proc_printf(o, text "\n");                           \
		return o->error;                                     \
	}                                                            \
	static const struct proc_file id##_file = { "sys/net/" name, \
		show_##id, NULL };                                   \
	PROC_FILE(id##_file)

SYSCTL(rmem_max, "core/rmem_max", "212992");
SYSCTL(wmem_max, "core/wmem_max", "212992");
SYSCTL(port_range, "ipv4/ip_local_port_range", "32768\t60999");
SYSCTL(max_syn, "ipv4/tcp_max_syn_backlog", "4096");
SYSCTL(keep_time, "ipv4/tcp_keepalive_time", "7200");
SYSCTL(keep_intvl, "ipv4/tcp_keepalive_intvl", "75");
SYSCTL(keep_probes, "ipv4/tcp_keepalive_probes", "9");
SYSCTL(fastopen, "ipv4/tcp_fastopen", "0");
SYSCTL(no_ip6, "ipv6/conf/all/disable_ipv6", "0");
SYSCTL(bindv6only, "ipv6/bindv6only", "0");
