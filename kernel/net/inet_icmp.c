/*
 * ICMP errors, to the UDP socket that caused them: Linux gives a connected one
 * ECONNREFUSED when nobody listens at the other end.
 */

#include "inet_dgram.h"

#include "kern/string.h"

#include "lwip/prot/icmp.h"

#include <linux/in.h>

static int icmp_to_errno(bool v6, unsigned type, unsigned code)
{
	if (v6)
		return code == 4   ? ECONNREFUSED
		       : code == 1 ? EACCES
				   : EHOSTUNREACH;
	if (type != ICMP_DUR)
		return 0;
	switch (code) {
	case 0:
		return ENETUNREACH;
	case 2:
		return ENOPROTOOPT;
	case 3:
		return ECONNREFUSED;
	case 4:
		return EMSGSIZE;
	default:
		return EHOSTUNREACH;
	}
}

/* (q) is the head of a UDP datagram that we sent, as the other end quotes. */
static void udp_error(bool v6, const uint8_t *addr, const uint8_t *q, int err)
{
	uint16_t lport = (uint16_t)(q[0] << 8 | q[1]);
	uint16_t rport = (uint16_t)(q[2] << 8 | q[3]);
	uint8_t remote[16];
	struct inet_sock *s;

	list_foreach (s, &inet_socks, link) {
		if (s->kind != INET_UDP || s->lport != lport ||
		    s->rport != rport ||
		    atomic_load(&s->state) != INET_CONNECTED)
			continue;
		inet_addr_bytes(&s->remote, remote);
		if (!memcmp(v6 ? remote : remote + 12, addr, v6 ? 16 : 4)) {
			inet_error(s, err);
			return;
		}
	}
}

void net_icmp_error(struct pbuf *p, unsigned type, unsigned code)
{
	uint8_t q[8 + 60 + 8];
	unsigned n = pbuf_copy_partial(p, q, sizeof(q), 0), hl;
	bool v6;
	int err;

	if (n < 8 + 20)
		return;
	v6 = q[8] >> 4 == 6;
	err = icmp_to_errno(v6, type, code);
	hl = v6 ? 40 : (q[8] & 15u) * 4;
	if (!err || n < 8 + hl + 8 || hl < 20)
		return;
	if (q[8 + (v6 ? 6 : 9)] != IPPROTO_UDP)
		return;
	udp_error(v6, q + 8 + (v6 ? 24 : 16), q + 8 + hl, err);
}
