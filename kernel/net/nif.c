/*
 * Between devices and lwIP: packets in and out, and one lwIP netif for each
 * net_dev.
 *
 * In: a page of the driver's becomes a pbuf without a copy, unless the packet
 * is small: a queue of tiny segments must not hold a page for each.
 * Out: nif_tx.c.
 */

#include "ifconfig.h"
#include "inet_int.h"
#include "netchan_int.h"
#include "nif.h"

#include "kern/mm.h"
#include "kern/num.h"
#include "kern/string.h"

#include "lwip/etharp.h"
#include "lwip/ethip6.h"
#include "lwip/mld6.h"
#include "netif/ethernet.h"

#define COPY_BELOW 512u /* received packets that are copied */
#define HEAD_MIN   128u /* all headers are in the first segment */
#define ETH_LEN    14u

static struct list nifs = LIST_INIT(nifs); /* core lock */

/* A received segment as lwIP sees it. */
struct rx_pbuf {
	struct pbuf_custom pc; /* first: lwIP gives us its address back */
	struct pkt *seg;
};

/* NULL: the device has gone; (dev) may then point nowhere. */
static struct nif *nif_find(const struct net_dev *dev)
{
	struct nif *n;

	list_foreach (n, &nifs, link)
		if (n->dev == dev)
			return n;
	return NULL;
}

const char *nif_name(const struct netif *lw)
{
	const struct nif *n = lw->state;

	return n->dev->name;
}

/* --- in ------------------------------------------------------------------ */

static void rx_pbuf_free(struct pbuf *p)
{
	struct rx_pbuf *r = container_of(p, struct rx_pbuf, pc.pbuf);

	r->seg->free(r->seg);
	kfree(r);
}

static struct pbuf *wrap_seg(struct pkt *seg)
{
	struct rx_pbuf *r = kmalloc(sizeof(*r));

	if (!r)
		return NULL;
	r->seg = seg;
	r->pc.custom_free_function = rx_pbuf_free;
	return pbuf_alloced_custom(
	    PBUF_RAW, seg->len, PBUF_REF, &r->pc, seg->data, seg->len);
}

/* Frees (p) in any case. */
static struct pbuf *wrap_all(struct pkt *p)
{
	struct pbuf *chain = NULL;
	struct pkt *seg, *next;

	for (seg = p; seg; seg = next) {
		struct pbuf *q = wrap_seg(seg);

		next = seg->seg_next;
		if (!q) {
			pkt_free(seg);
			if (chain)
				pbuf_free(chain);
			return NULL;
		}
		seg->seg_next = NULL;
		if (chain)
			pbuf_cat(chain, q);
		else
			chain = q;
	}
	return chain;
}

/* Frees (p) in any case. */
static struct pbuf *copy_all(struct pkt *p)
{
	struct pbuf *q = pbuf_alloc(PBUF_RAW, (u16_t)p->totlen, PBUF_RAM);
	size_t at = 0;
	struct pkt *seg;

	for (seg = p; q && seg; seg = seg->seg_next) {
		size_t part = MIN((size_t)seg->len, p->totlen - at);

		memcpy((char *)q->payload + at, seg->data, part);
		at += part;
	}
	pkt_free(p);
	return q;
}

static struct pbuf *pkt_to_pbuf(struct pkt *p)
{
	bool split = p->len < MIN(p->totlen, HEAD_MIN);

	return p->totlen < COPY_BELOW || split ? copy_all(p) : wrap_all(p);
}

/* The checksum of a reassembled datagram is nobody's but ours to verify. */
static bool is_fragment(const struct pkt *p)
{
	const uint8_t *f = p->data;

	if (p->len < ETH_LEN + 20)
		return true;
	if (f[12] == 0x08 && f[13] == 0x00)
		return (f[ETH_LEN + 6] & 0x3f) || f[ETH_LEN + 7];
	return f[12] == 0x86 && f[13] == 0xdd && f[ETH_LEN + 6] == 44;
}

static void set_checks(struct nif *n, const struct pkt *p)
{
	bool good =
	    (p->flags & (PKT_CSUM_VALID | PKT_CSUM_PARTIAL)) && !is_fragment(p);

	if (good)
		n->lw.chksum_flags &= (u16_t) ~(
		    NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP);
	else
		n->lw.chksum_flags |=
		    NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP;
}

void nif_input_chan(struct net_dev *dev, struct pkt *p)
{
	struct nif *n = nif_find(dev);
	struct pbuf *q;

	/* lwIP's lengths have 16 bits. */
	if (!n || p->totlen < ETH_LEN || p->totlen > 0xffff) {
		pkt_free(p);
		return;
	}
	set_checks(n, p);
	q = pkt_to_pbuf(p);
	if (!q)
		__atomic_fetch_add(&dev->stats.rx_dropped, 1, __ATOMIC_RELAXED);
	else if (n->lw.input(q, &n->lw) != ERR_OK)
		pbuf_free(q);
}

void nif_input_one(struct net_dev *dev, struct pkt *p)
{
	/* What the flow's channel holds came before this. */
	netchan_drain_flow(p->data, p->len, p->totlen);
	nif_input_chan(dev, p);
}

void nif_input(struct net_dev *dev, unsigned queue, struct pkt **p, unsigned n)
{
	unsigned i, slow = 0;

	rcu_read_lock();
	for (i = 0; i < n; i++)
		if (netchan_classify(queue, p[i]) != NETCHAN_TAKEN)
			p[slow++] = p[i];
	netchan_flush(queue);
	rcu_read_unlock();
	if (!slow)
		return;
	net_lock();
	for (i = 0; i < slow; i++)
		nif_input_one(dev, p[i]);
	net_unlock();
}

/* --- out ----------------------------------------------------------------- */

void nif_flush(void)
{
	struct nif *n;

	list_foreach (n, &nifs, link)
		nif_tx_flush(n);
}

/* --- coming and going ---------------------------------------------------- */

static err_t nif_init(struct netif *lw)
{
	struct nif *n = lw->state;

	lw->name[0] = 'e';
	lw->name[1] = 't';
	lw->output = etharp_output;
	lw->output_ip6 = ethip6_output;
	lw->linkoutput = nif_output;
	lw->mtu = n->dev->info.mtu ? n->dev->info.mtu : 1500;
	lw->hwaddr_len = 6;
	memcpy(lw->hwaddr, n->dev->info.mac, 6);
	lw->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP |
		    NETIF_FLAG_ETHERNET | NETIF_FLAG_IGMP | NETIF_FLAG_MLD6;
	/* nif_tx.c leaves them to the device. */
	if (n->dev->info.offload & PKT_CSUM_PARTIAL)
		lw->chksum_flags &= (u16_t)~NETIF_CHECKSUM_GEN_TCP;
	return ERR_OK;
}

int nif_attach(struct net_dev *dev)
{
	struct nif *n = kzalloc(sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->dev = dev;
	net_lock();
	if (!netif_add(&n->lw, NULL, NULL, NULL, n, nif_init, ethernet_input)) {
		net_unlock();
		kfree(n);
		return -ENOMEM;
	}
	list_add_tail(&nifs, &n->link);
	ifconfig_attach(&n->lw, dev->name);
	if (atomic_load(&dev->link_up))
		netif_set_link_up(&n->lw);
	net_unlock();
	return 0;
}

void nif_detach(struct net_dev *dev)
{
	struct nif *n;

	net_lock();
	n = nif_find(dev);
	if (n) {
		ifconfig_detach(&n->lw);
		nif_tx_flush(n);
		netif_remove(&n->lw);
		nif_tx_flush(n);
		list_del(&n->link);
	}
	net_unlock();
	kfree(n);
}

void nif_link(struct net_dev *dev, bool up)
{
	struct nif *n;

	net_lock();
	n = nif_find(dev);
	if (n && up)
		netif_set_link_up(&n->lw);
	else if (n)
		netif_set_link_down(&n->lw);
	net_unlock();
}
