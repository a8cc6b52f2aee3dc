/* Control messages of datagram sockets: ip(7), ipv6(7), cmsg(3). */

#include "inet_dgram.h"

#include "kern/num.h"
#include "kern/string.h"

#include <linux/in.h>
#include <linux/in6.h>

/* struct cmsghdr of the x86-64 ABI. */
struct cmsg {
	uint64_t len;
	int32_t level, type;
};

struct cmsg_out {
	uint8_t *buf;
	size_t room, used;
	bool truncated;
};

static void cmsg_put(
    struct cmsg_out *o, int level, int type, const void *v, size_t n)
{
	struct cmsg h = { sizeof(h) + n, level, type };
	size_t whole = ALIGN_UP(h.len, 8ul);

	if (o->room - o->used < h.len) {
		o->truncated = true;
		return;
	}
	memcpy(o->buf + o->used, &h, sizeof(h));
	memcpy(o->buf + o->used + sizeof(h), v, n);
	o->used += MIN(whole, o->room - o->used);
}

static void put_pktinfo(const struct dgram *d, struct cmsg_out *o)
{
	struct in_pktinfo i = { 0 };

	i.ipi_ifindex = d->ifindex;
	i.ipi_addr.s_addr = ip4_addr_get_u32(ip_2_ip4(&d->to));
	i.ipi_spec_dst = i.ipi_addr;
	cmsg_put(o, IPPROTO_IP, IP_PKTINFO, &i, sizeof(i));
}

/* <linux/ipv6.h>'s, which cannot be included. */
struct pktinfo6 {
	uint8_t addr[16];
	int32_t ifindex;
};

static void put_pktinfo6(const struct dgram *d, struct cmsg_out *o)
{
	struct pktinfo6 i;

	inet_addr_bytes(&d->to, i.addr);
	i.ifindex = d->ifindex;
	cmsg_put(o, IPPROTO_IPV6, IPV6_PKTINFO, &i, sizeof(i));
}

void inet_cmsg_put(
    struct inet_sock *s, const struct dgram *d, struct sock_msg *m)
{
	struct cmsg_out o = { m->control, m->controllen, 0, false };
	const struct inet_opts *opt = &s->opt;
	int ttl = d->ttl;

	if (!m->control)
		o.room = 0;
	if (opt->pktinfo && IP_IS_V4_VAL(d->to))
		put_pktinfo(d, &o);
	if (opt->pktinfo6 && s->domain == AF_INET6)
		put_pktinfo6(d, &o);
	if (opt->recvttl && s->domain == AF_INET)
		cmsg_put(&o, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
	if (opt->recvttl && s->domain == AF_INET6)
		cmsg_put(&o, IPPROTO_IPV6, IPV6_HOPLIMIT, &ttl, sizeof(ttl));
	if (opt->recvtos && s->domain == AF_INET)
		cmsg_put(&o, IPPROTO_IP, IP_TOS, &d->tos, sizeof(d->tos));
	m->controllen = o.used;
	if (o.truncated)
		m->flags |= MSG_CTRUNC;
}

static void from_pktinfo(const void *v, struct dgram_from *from)
{
	struct in_pktinfo i;

	memcpy(&i, v, sizeof(i));
	memset(&from->addr, 0, sizeof(from->addr));
	ip_addr_set_ip4_u32_val(from->addr, i.ipi_spec_dst.s_addr);
	from->ifindex = (unsigned)i.ipi_ifindex;
	from->given = i.ipi_spec_dst.s_addr != 0;
}

static void from_pktinfo6(const void *v, struct dgram_from *from)
{
	struct pktinfo6 i;

	memcpy(&i, v, sizeof(i));
	memset(&from->addr, 0, sizeof(from->addr));
	IP_SET_TYPE_VAL(from->addr, IPADDR_TYPE_V6);
	memcpy(ip_2_ip6(&from->addr)->addr, i.addr, 16);
	from->ifindex = (unsigned)i.ifindex;
	from->given = !ip_addr_isany(&from->addr);
}

int inet_cmsg_get(const struct sock_msg *m, struct dgram_from *from)
{
	const uint8_t *buf = m->control;
	size_t at = 0;
	struct cmsg h;

	memset(from, 0, sizeof(*from));
	while (buf && m->controllen - at >= sizeof(h)) {
		size_t n;

		memcpy(&h, buf + at, sizeof(h));
		if (h.len < sizeof(h) || h.len > m->controllen - at)
			return -EINVAL;
		n = h.len - sizeof(h);
		if (h.level == IPPROTO_IP && h.type == IP_PKTINFO &&
		    n >= sizeof(struct in_pktinfo))
			from_pktinfo(buf + at + sizeof(h), from);
		if (h.level == IPPROTO_IPV6 && h.type == IPV6_PKTINFO &&
		    n >= sizeof(struct pktinfo6))
			from_pktinfo6(buf + at + sizeof(h), from);
		at += MIN(ALIGN_UP(h.len, 8ul), m->controllen - at);
	}
	return 0;
}
