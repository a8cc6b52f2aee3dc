/*
 * The handshake by the store.  Source: xen/include/public/io/netif.h, the
 * comments on the nodes.
 */

#include "kern/errno.h"
#include "kern/num.h"
#include "kern/percpu.h"
#include "kern/string.h"
#include "netfront_int.h"

#define MTU_DEFAULT 1500
#define MTU_MIN     68
#define MTU_MAX     65521 /* a frame of it is as long as a packet may be */

/* --- the card ------------------------------------------------------------ */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int netfront_parse_mac(const char *text, uint8_t mac[6])
{
	if (strnlen(text, 18) != 17)
		return -EINVAL;
	for (unsigned i = 0; i < 6; i++, text += 3) {
		int hi = hex_digit(text[0]), lo = hex_digit(text[1]);

		if (hi < 0 || lo < 0 || text[2] != (i < 5 ? ':' : '\0'))
			return -EINVAL;
		mac[i] = (uint8_t)(hi << 4 | lo);
	}
	return mac[0] & 1 ? -EINVAL : 0; /* a group's address */
}

int netfront_read_mac(struct xenbus_dev *xd, uint8_t mac[6])
{
	char text[32];
	int len = xs_read(NULL, xd->node, "mac", text, sizeof(text));

	return len < 0 ? len : netfront_parse_mac(text, mac);
}

uint16_t netfront_read_mtu(struct xenbus_dev *xd)
{
	uint32_t mtu;

	if (xs_read_u32(NULL, xd->node, "mtu", MTU_DEFAULT, &mtu) != 0 ||
	    mtu < MTU_MIN || mtu > MTU_MAX)
		return MTU_DEFAULT;
	return (uint16_t)mtu;
}

bool netfront_read_carrier(struct xenbus_dev *xd)
{
	return xenbus_peer_u32(xd, "carrier", 1) != 0;
}

/* --- what the back end offers -------------------------------------------- */

static bool offered(struct xenbus_dev *xd, const char *node)
{
	return xenbus_peer_u32(xd, node, 0) != 0;
}

int netfront_negotiate(struct xenbus_dev *xd, struct netneg *neg)
{
	uint32_t queues = xenbus_peer_u32(xd, "multi-queue-max-queues", 1);
	struct nf_feat *f = &neg->feat;

	memset(neg, 0, sizeof(*neg));
	if (!offered(xd, "feature-rx-copy"))
		return -EOPNOTSUPP;
	queues = MIN(queues, MIN(cpu_count(), NETFRONT_QUEUES_MAX));
	neg->nqueues = MAX(queues, 1u);
	neg->split = offered(xd, "feature-split-event-channels");
	f->sg = offered(xd, "feature-sg");
	f->csum4 = !offered(xd, "feature-no-csum-offload");
	f->csum6 = offered(xd, "feature-ipv6-csum-offload");
	f->gso4 = f->sg && f->csum4 && offered(xd, "feature-gso-tcpv4");
	f->gso6 = f->sg && f->csum6 && offered(xd, "feature-gso-tcpv6");
	return 0;
}

/* --- our half ------------------------------------------------------------ */

static int put_ports(
    struct xs_txn *txn, const char *dir, const struct netqueue *q)
{
	int err;

	if (q->tx_port == q->rx_port)
		return xs_printf(txn, dir, "event-channel", "%u", q->tx_port);
	err = xs_printf(txn, dir, "event-channel-tx", "%u", q->tx_port);
	if (!err)
		err = xs_printf(txn, dir, "event-channel-rx", "%u", q->rx_port);
	return err;
}

static int put_queue(
    struct xs_txn *txn, const char *dir, const struct netqueue *q)
{
	int err = xs_printf(txn, dir, "tx-ring-ref", "%u", q->tx_mem.ref[0]);

	if (!err)
		err =
		    xs_printf(txn, dir, "rx-ring-ref", "%u", q->rx_mem.ref[0]);
	return err ? err : put_ports(txn, dir, q);
}

static int put_queues(struct xs_txn *txn, const struct netfront *nf)
{
	char dir[XENBUS_NODE_MAX + 20];
	int err;

	if (nf->neg.nqueues == 1)
		return put_queue(txn, nf->xd->node, &nf->queue[0]);
	err = xs_printf(
	    txn, nf->xd->node, "multi-queue-num-queues", "%u", nf->neg.nqueues);
	for (unsigned i = 0; !err && i < nf->neg.nqueues; i++) {
		snprintf(dir, sizeof(dir), "%s/queue-%u", nf->xd->node, i);
		err = put_queue(txn, dir, &nf->queue[i]);
	}
	return err;
}

static int put_all(struct xs_txn *txn, const struct netfront *nf)
{
	static const char *const ours[] = {
		"request-rx-copy",
		"feature-rx-notify",
		"feature-sg",
		"feature-gso-tcpv4",
		"feature-gso-tcpv6",
		"feature-ipv6-csum-offload",
	};
	int err = put_queues(txn, nf);

	for (unsigned i = 0; !err && i < ARRAY_SIZE(ours); i++)
		err = xs_write(txn, nf->xd->node, ours[i], "1");
	return err;
}

int netfront_publish(struct netfront *nf)
{
	struct xs_txn txn;
	int err, end;

	do {
		err = xs_txn_begin(&txn);
		if (err)
			return err;
		err = put_all(&txn, nf);
		end = xs_txn_end(&txn, err != 0);
	} while (!err && end == -EAGAIN);
	return err ? err : end;
}
