/*
 * Socket addresses and lwIP's.  What a program gives is checked here: an
 * address of too few bytes or of another family is refused as Linux does.
 */

#include "inet_int.h"

#include "kern/num.h"
#include "kern/string.h"

#include <linux/in.h>
#include <linux/in6.h>

#define SIN6_LEN_MIN 24u /* RFC 2133's, without the scope */

static void from_v4(ip_addr_t *ip, uint32_t net_order)
{
	memset(ip, 0, sizeof(*ip));
	ip_addr_set_ip4_u32_val(*ip, net_order);
}

static void from_v6(ip_addr_t *ip, const struct sockaddr_in6 *a)
{
	uint32_t w[4];

	memcpy(w, &a->sin6_addr, sizeof(w));
	if (!w[0] && !w[1] && w[2] == PP_HTONL(0xffff)) {
		from_v4(ip, w[3]);
		return;
	}
	memset(ip, 0, sizeof(*ip));
	IP_SET_TYPE_VAL(*ip, IPADDR_TYPE_V6);
	memcpy(ip_2_ip6(ip)->addr, w, sizeof(w));
	if (ip6_addr_has_scope(ip_2_ip6(ip), IP6_UNKNOWN))
		ip6_addr_set_zone(ip_2_ip6(ip), (u8_t)a->sin6_scope_id);
}

static int import_v4(
    const struct sockaddr_any *sa, unsigned len, ip_addr_t *ip, uint16_t *port)
{
	struct sockaddr_in a;

	if (len < sizeof(a))
		return -EINVAL;
	memcpy(&a, sa, sizeof(a));
	from_v4(ip, a.sin_addr.s_addr);
	*port = be16(a.sin_port);
	return 0;
}

static int import_v6(
    const struct sockaddr_any *sa, unsigned len, ip_addr_t *ip, uint16_t *port)
{
	struct sockaddr_in6 a;

	if (len < SIN6_LEN_MIN)
		return -EINVAL;
	memset(&a, 0, sizeof(a));
	memcpy(&a, sa, MIN(len, (unsigned)sizeof(a)));
	from_v6(ip, &a);
	*port = be16(a.sin6_port);
	return 0;
}

/* bind() of AF_INET takes AF_UNSPEC for the any address: an old habit. */
static bool unspec_is_any(
    const struct sockaddr_any *sa, unsigned len, enum inet_addr_use use)
{
	struct sockaddr_in a;

	if (use != INET_FOR_BIND || sa->family != AF_UNSPEC || len < sizeof(a))
		return false;
	memcpy(&a, sa, sizeof(a));
	return a.sin_addr.s_addr == 0;
}

int inet_addr_import(int domain, const struct sockaddr_any *sa, unsigned len,
    enum inet_addr_use use, ip_addr_t *ip, uint16_t *port)
{
	if (len < sizeof(sa->family))
		return -EINVAL;
	if (domain == AF_INET) {
		if (len < sizeof(struct sockaddr_in))
			return -EINVAL;
		if (sa->family != AF_INET && !unspec_is_any(sa, len, use) &&
		    !(sa->family == AF_UNSPEC && use == INET_FOR_SENDTO))
			return -EAFNOSUPPORT;
		return import_v4(sa, len, ip, port);
	}
	if (sa->family == AF_INET && use == INET_FOR_SENDTO)
		return import_v4(sa, len, ip, port);
	if (len < SIN6_LEN_MIN)
		return -EINVAL;
	if (sa->family != AF_INET6)
		return -EAFNOSUPPORT;
	return import_v6(sa, len, ip, port);
}

void inet_addr_bytes(const ip_addr_t *ip, uint8_t out[16])
{
	memset(out, 0, 16);
	if (IP_IS_V6(ip)) {
		memcpy(out, ip_2_ip6(ip)->addr, 16);
		return;
	}
	if (IP_IS_ANY_TYPE_VAL(*ip))
		return;
	out[10] = out[11] = 0xff;
	memcpy(out + 12, &ip_2_ip4(ip)->addr, 4);
}

unsigned inet_addr_export(
    int domain, const ip_addr_t *ip, uint16_t port, struct sockaddr_any *out)
{
	struct sockaddr_in a4 = { .sin_family = AF_INET };
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6 };

	memset(out, 0, sizeof(*out));
	if (domain == AF_INET) {
		a4.sin_port = be16(port);
		a4.sin_addr.s_addr =
		    IP_IS_V4(ip) ? ip4_addr_get_u32(ip_2_ip4(ip)) : 0;
		memcpy(out, &a4, sizeof(a4));
		return sizeof(a4);
	}
	a6.sin6_port = be16(port);
	if (IP_IS_V6(ip) || !ip_addr_isany(ip))
		inet_addr_bytes(ip, (uint8_t *)&a6.sin6_addr);
	if (IP_IS_V6(ip) && ip6_addr_has_scope(ip_2_ip6(ip), IP6_UNKNOWN))
		a6.sin6_scope_id = ip6_addr_zone(ip_2_ip6(ip));
	memcpy(out, &a6, sizeof(a6));
	return sizeof(a6);
}
