/*
 * The classifier's parser: from a frame to the key of its flow.  Pure, and
 * the first code that sees bytes from the network: each length is checked
 * before it is used.  Formats: RFC 791, 8200, 9293, 768.
 */

#include "netchan_int.h"

#include "kern/string.h"

#define ETH_LEN      14u
#define IP4_LEN      20u
#define IP6_LEN      40u
#define TCP_LEN      20u
#define UDP_LEN      8u
#define PROTO_TCP    6u
#define PROTO_UDP    17u
#define TCP_FLAG_FIN 0x01u
#define TCP_FLAG_SYN 0x02u
#define TCP_FLAG_RST 0x04u
#define IP4_MORE_OFF 0x3fffu /* more fragments, or an offset */

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static bool ip4_header_ok(const uint8_t *h)
{
	uint32_t sum = 0;
	unsigned i;

	for (i = 0; i < IP4_LEN; i += 2)
		sum += get16(h + i);
	sum = (sum & 0xffffu) + (sum >> 16);
	sum = (sum & 0xffffu) + (sum >> 16);
	return sum == 0xffffu;
}

static void map_ip4(uint8_t out[16], const uint8_t *addr)
{
	memset(out, 0, 10);
	out[10] = out[11] = 0xff;
	memcpy(out + 12, addr, 4);
}

/* (h): the transport header, of which (len) bytes are here and (payload)
 * bytes exist. */
static bool parse_l4(const uint8_t *h, size_t len, size_t payload,
    unsigned refused_flags, struct netchan_key *key)
{
	size_t need = key->proto == PROTO_TCP ? TCP_LEN : UDP_LEN;

	if (len < need || payload < need)
		return false;
	if (key->proto == PROTO_TCP) {
		size_t hl = (size_t)(h[12] >> 4) * 4;

		if (hl < TCP_LEN || hl > payload)
			return false;
		if (h[13] & refused_flags)
			return false;
	} else if (get16(h + 4) < UDP_LEN || get16(h + 4) > payload) {
		return false;
	}
	memcpy(&key->fport, h, 2);
	memcpy(&key->lport, h + 2, 2);
	return true;
}

static bool parse_ip4(const uint8_t *h, size_t len, size_t totlen,
    unsigned refused_flags, struct netchan_key *key)
{
	size_t iplen;

	if (len < IP4_LEN || h[0] != 0x45)
		return false;
	iplen = get16(h + 2);
	if (iplen < IP4_LEN || iplen > totlen)
		return false;
	if (get16(h + 6) & IP4_MORE_OFF)
		return false;
	if (h[9] != PROTO_TCP && h[9] != PROTO_UDP)
		return false;
	if (!ip4_header_ok(h))
		return false;
	key->proto = h[9];
	map_ip4(key->faddr, h + 12);
	map_ip4(key->laddr, h + 16);
	return parse_l4(
	    h + IP4_LEN, len - IP4_LEN, iplen - IP4_LEN, refused_flags, key);
}

static bool parse_ip6(const uint8_t *h, size_t len, size_t totlen,
    unsigned refused_flags, struct netchan_key *key)
{
	size_t payload;

	if (len < IP6_LEN || h[0] >> 4 != 6)
		return false;
	payload = get16(h + 4);
	if (payload > totlen - IP6_LEN)
		return false;
	if (h[6] != PROTO_TCP && h[6] != PROTO_UDP)
		return false;
	key->proto = h[6];
	memcpy(key->faddr, h + 8, 16);
	memcpy(key->laddr, h + 24, 16);
	return parse_l4(
	    h + IP6_LEN, len - IP6_LEN, payload, refused_flags, key);
}

static bool parse(const void *frame, size_t len, size_t totlen,
    unsigned refused_flags, struct netchan_key *key)
{
	const uint8_t *f = frame;

	memset(key, 0, sizeof(*key));
	if (len < ETH_LEN || totlen < len)
		return false;
	len -= ETH_LEN;
	totlen -= ETH_LEN;
	switch (get16(f + 12)) {
	case 0x0800:
		return parse_ip4(f + ETH_LEN, len, totlen, refused_flags, key);
	case 0x86dd:
		return parse_ip6(f + ETH_LEN, len, totlen, refused_flags, key);
	default:
		return false;
	}
}

bool netchan_parse(
    const void *frame, size_t len, size_t totlen, struct netchan_key *key)
{
	return parse(frame, len, totlen,
	    TCP_FLAG_FIN | TCP_FLAG_SYN | TCP_FLAG_RST, key);
}

bool netchan_parse_any(
    const void *frame, size_t len, size_t totlen, struct netchan_key *key)
{
	return parse(frame, len, totlen, TCP_FLAG_SYN, key);
}
