/* Control messages of datagram sockets: ip(7), ipv6(7), cmsg(3). */

#include "inet_dgram.h"

#include "kern/errno.h"
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

/* As Linux's put_cmsg(): what does not fit whole is cut, and told. */
static void cmsg_put(
    struct cmsg_out *o, int level, int type, const void *v, size_t n)
{
	size_t room = o->room - o->used;
	struct cmsg h = { sizeof(h) + n, level, type };
	size_t whole = ALIGN_UP(h.len, 8ul);

	if (room < h.len)
		o->truncated = true;
	if (room < sizeof(h))
		return;
	h.len = MIN(h.len, room);
	memcpy(o->buf + o->used, &h, sizeof(h));
	memcpy(o->buf + o->used + sizeof(h), v, h.len - sizeof(h));
	o->used += MIN(whole, room);
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
	int ttl = d->ttl, tos = d->tos;

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
	if (opt->recvtos && s->domain == AF_INET6)
		cmsg_put(&o, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
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

/* 0, or -EINVAL: an int in [-1, 255]; -1 stands for the socket's own. */
static int get_byte(const void *v, size_t n, int *out)
{
	if (n < sizeof(*out))
		return -EINVAL;
	memcpy(out, v, sizeof(*out));
	return *out < -1 || *out > 255 ? -EINVAL : 0;
}

static int get_ip(int type, const void *v, size_t n, struct dgram_from *from)
{
	switch (type) {
	case IP_PKTINFO:
		if (n < sizeof(struct in_pktinfo))
			return -EINVAL;
		from_pktinfo(v, from);
		return 0;
	case IP_TTL:
		return get_byte(v, n, &from->ttl);
	case IP_TOS:
		return get_byte(v, n, &from->tos);
	default:
		return -EINVAL;
	}
}

static int get_ip6(int type, const void *v, size_t n, struct dgram_from *from)
{
	switch (type) {
	case IPV6_PKTINFO:
		if (n < sizeof(struct pktinfo6))
			return -EINVAL;
		from_pktinfo6(v, from);
		return 0;
	case IPV6_HOPLIMIT:
		return get_byte(v, n, &from->ttl);
	case IPV6_TCLASS:
		return get_byte(v, n, &from->tos);
	default:
		return -EINVAL;
	}
}

int inet_cmsg_get(const struct sock_msg *m, struct dgram_from *from)
{
	const uint8_t *buf = m->control;
	size_t at = 0;
	struct cmsg h;

	memset(from, 0, sizeof(*from));
	from->ttl = from->tos = -1;
	while (buf && m->controllen - at >= sizeof(h)) {
		const void *v = buf + at + sizeof(h);
		int err = 0;

		memcpy(&h, buf + at, sizeof(h));
		if (h.len < sizeof(h) || h.len > m->controllen - at)
			return -EINVAL;
		if (h.level == IPPROTO_IP)
			err = get_ip(h.type, v, h.len - sizeof(h), from);
		else if (h.level == IPPROTO_IPV6)
			err = get_ip6(h.type, v, h.len - sizeof(h), from);
		if (err)
			return err;
		at += MIN(ALIGN_UP(h.len, 8ul), m->controllen - at);
	}
	return 0;
}
