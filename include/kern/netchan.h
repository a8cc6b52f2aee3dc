#ifndef KERN_NETCHAN_H
#define KERN_NETCHAN_H

/*
 * Net channels: a single-producer, single-consumer ring of packets from the
 * receive poller of one queue to the socket that owns one flow.  The reasons
 * are in docs/adr/0002-core-lock-and-channels.md.
 * kernel/net/netchan.c, netchan_parse.c (pure), netchan_ring.h (pure).
 *
 * Producer: the receive poller; when a flow's packets come by two queues, the
 *           channel belongs to the first, and the other's take the slow path.
 * Consumer: whoever holds the socket's lock.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pkt;

struct netchan_key { /* network byte order; IPv4 as ::ffff:a.b.c.d */
	uint8_t laddr[16], faddr[16]; /* all zero: any (UDP, bound only) */
	uint16_t lport, fport;        /* fport 0: any */
	uint8_t proto;                /* IPPROTO_TCP, IPPROTO_UDP */
	uint8_t pad[3];               /* zero: the key is hashed as bytes */
};

enum netchan_verdict {
	NETCHAN_TAKEN, /* queued; the packet is not yours */
	NETCHAN_PASS,  /* no channel: give it to the stack */
	NETCHAN_FULL,  /* channel full: counted, give it to the stack, which
	                * drains the channel first */
};

/*
 * Read the key of the frame at (frame, len), of which (totlen) bytes arrived
 * in all.  Pure: touches nothing else.  Returns false for anything that must
 * take the slow path: not IPv4/IPv6 TCP or UDP, a fragment, IP options or
 * extension headers, a length that does not fit, a short frame, a bad IPv4
 * header checksum, SYN, FIN or RST.
 */
bool netchan_parse(
    const void *frame, size_t len, size_t totlen, struct netchan_key *);

struct netchan;

/* Receive poller only; RCU read is held from the first packet of a burst
 * until netchan_flush() has returned. */
enum netchan_verdict netchan_classify(unsigned queue, struct pkt *);
void netchan_flush(unsigned queue); /* wake consumers, once per burst */

/*
 * (input): consumer's context; takes the packet.  (wake): event or thread
 * context, with RCU read held: must not sleep; (arg) must live until a grace
 * period after netchan_destroy().  NULL: -ENOMEM.
 */
struct netchan *netchan_create(
    void (*input)(void *arg, struct pkt *), void (*wake)(void *arg), void *arg);
int netchan_bind(
    struct netchan *, const struct netchan_key *); /* -EADDRINUSE */
/*
 * Takes the flow out of the table; does not wait.  A producer that found it
 * before may still queue packets for a grace period: they, and what was in
 * the ring, are then given to (input) with a NULL (arg), in thread context
 * and without the consumer's lock.  Consumer's lock held; also from (input).
 */
void netchan_destroy(struct netchan *);
/* Consumer's lock held.  Returns how many packets were handed to (input). */
unsigned netchan_drain(struct netchan *, unsigned budget);
bool netchan_empty(const struct netchan *); /* any context */

struct netchan_stats {
	uint64_t taken, passed, full, wakes;
};
void netchan_stats(struct netchan_stats *);

#endif /* KERN_NETCHAN_H */
