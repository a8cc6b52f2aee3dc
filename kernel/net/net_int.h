#ifndef NET_INT_H
#define NET_INT_H

/*
 * Inside the network room, without lwIP's types.
 *
 * One sleeping lock, the core lock, is around every call of lwIP and protects
 * all state of inet sockets that does not say otherwise.  It is the consumer's
 * lock of every channel.
 */

#include <stdbool.h>
#include <stdint.h>

#include "kern/net.h"

/* --- lwip_port.c: the core lock and the net thread ----------------------- */

void net_lock(void);
/*
 * Before the lock is free: what was sent to ourselves is delivered, what is
 * for a device is given to it in one burst, sleepers are woken.
 */
void net_unlock(void);

/* Any context: a channel has packets that nobody may come for. */
void net_drain_soon(bool urgent);
/* Any context: packets for the slow path, from who may not sleep. */
void net_defer_input(struct net_dev *, struct pkt *);

/* --- nif.c: between net_dev and lwIP ----------------------------------- */

int nif_attach(struct net_dev *);
void nif_detach(struct net_dev *);
void nif_link(struct net_dev *, bool up);
/* A burst from receive queue (queue); core lock not held.  Takes them. */
void nif_input(struct net_dev *, unsigned queue, struct pkt **, unsigned n);
/* One packet by the slow path, its flow's channel first; core lock held.
 * (dev) may have gone: the packet is then dropped. */
void nif_input_one(struct net_dev *, struct pkt *);
/* The same from a channel.  Core lock held. */
void nif_input_chan(struct net_dev *, struct pkt *);
/* Core lock held: give what was collected to the devices. */
void nif_flush(void);

/* --- netdev.c ------------------------------------------------------------ */

/* Thread context.  Takes the packets: sent, kept for later, or dropped. */
void net_dev_tx(struct net_dev *, unsigned queue, struct pkt **, unsigned n);
/* Every device, with the list's lock held. */
void net_dev_foreach(void (*fn)(struct net_dev *, void *), void *arg);

#endif /* NET_INT_H */
