#ifndef NET_NIF_H
#define NET_NIF_H

/* One of lwIP's network interfaces and its device: nif.c, nif_tx.c. */

#include "kern/list.h"
#include "kern/net.h"

#include "lwip/netif.h"

#define NIF_TX_BURST 64u

struct nif {
	struct netif lw;
	struct net_dev *dev;
	struct pkt *tx[NIF_TX_BURST]; /* to go at net_unlock(); core lock */
	unsigned ntx;
	struct list link;
};

err_t nif_output(struct netif *, struct pbuf *);
void nif_tx_flush(struct nif *);

#endif /* NET_NIF_H */
