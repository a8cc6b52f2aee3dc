/*
 * Network devices of a Xen guest: attach, the states, the link.
 *
 * When the back end lies the device is broken: the link goes down, what is
 * sent is dropped, and it stays so until it is detached.
 */

#include "kern/clock.h"
#include "kern/compiler.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/percpu.h"
#include "netfront_int.h"

#define PEER_MS  30000u /* for each step of the back end's */
#define CLOSE_MS 5000u

void netfront_broken(struct netfront *nf, const char *why)
{
	if (atomic_exchange(&nf->broken, true))
		return;
	log_err("%s: the back end gave %s: disabled", nf->nd.name, why);
	work_queue(&nf->down);
}

static void down_work(struct work *w)
{
	struct netfront *nf = container_of(w, struct netfront, down);

	net_link(&nf->nd, false);
}

/* --- the layer's calls --------------------------------------------------- */

static int nf_open(struct net_dev *nd)
{
	struct netfront *nf = nd->softc;

	atomic_store(&nf->up, true);
	for (unsigned i = 0; i < nf->neg.nqueues; i++)
		netqueue_start(&nf->queue[i]);
	return 0;
}

static void nf_stop(struct net_dev *nd)
{
	struct netfront *nf = nd->softc;

	atomic_store(&nf->up, false);
	for (unsigned i = 0; i < nf->neg.nqueues; i++)
		netqueue_stop(&nf->queue[i]);
}

static const struct net_ops nf_ops = {
	.open = nf_open,
	.stop = nf_stop,
	.tx = netqueue_tx,
	.rx = netqueue_rx,
	.rx_arm = netqueue_rx_arm,
};

/* --- queues -------------------------------------------------------------- */

static void queues_destroy(struct netfront *nf)
{
	for (unsigned i = 0; nf->queue && i < nf->neg.nqueues; i++)
		netqueue_destroy(&nf->queue[i]);
	kfree(nf->queue);
	nf->queue = NULL;
}

/* Pages to receive in: a share of memory for each queue, but enough for the
 * largest packets one after the other. */
static unsigned rx_target(const struct netfront *nf)
{
	struct mm_stats st;
	uint64_t share;

	mm_stats(&st);
	share = st.total / PAGE_SIZE / 64 / nf->neg.nqueues;
	return (unsigned)MIN(MAX(share, 3ull * NF_RX_SLOTS), 256ull);
}

static int queues_create(struct netfront *nf)
{
	int err = 0;

	nf->queue = kmalloc_array(nf->neg.nqueues, sizeof(struct netqueue));
	if (!nf->queue)
		return -ENOMEM;
	nf->rx_target = rx_target(nf);
	for (unsigned i = 0; !err && i < nf->neg.nqueues; i++)
		err = netqueue_create(nf, i);
	return err;
}

/* --- the device ---------------------------------------------------------- */

/* The back end connects when it sees us Connected. */
static int connect(struct netfront *nf)
{
	int err;

	err = xenbus_wait_peer(nf->xd, XENBUS_IN(XenbusStateInitWait), PEER_MS);
	if (!err)
		err = netfront_read_mac(nf->xd, nf->nd.info.mac);
	if (!err)
		err = netfront_negotiate(nf->xd, &nf->neg);
	if (!err)
		err = queues_create(nf);
	if (!err)
		err = netfront_publish(nf);
	if (!err)
		err = xenbus_set_state(nf->xd, XenbusStateConnected);
	if (!err)
		err = xenbus_wait_peer(
		    nf->xd, XENBUS_IN(XenbusStateConnected), PEER_MS);
	return err;
}

/* What the back end cannot sum is summed here, so that is always offered. */
static void fill_info(struct netfront *nf)
{
	const struct nf_feat *feat = &nf->neg.feat;
	struct net_info *info = &nf->nd.info;
	unsigned most = feat->sg ? UINT16_MAX : PAGE_SIZE - 18;

	info->mtu = (uint16_t)MIN(netfront_read_mtu(nf->xd), most);
	info->nqueues = nf->neg.nqueues;
	info->offload = PKT_CSUM_PARTIAL;
	if (feat->gso4)
		info->offload |= PKT_TSO4;
	if (feat->gso6)
		info->offload |= PKT_TSO6;
	info->max_seg = UINT16_MAX; /* packets are copied */
}

static void close_peer(struct netfront *nf)
{
	xenbus_set_state(nf->xd, XenbusStateClosing);
	xenbus_set_state(nf->xd, XenbusStateClosed);
	(void)xenbus_wait_peer(nf->xd,
	    XENBUS_IN(XenbusStateClosed) | XENBUS_IN(XenbusStateUnknown),
	    CLOSE_MS);
}

static void peer_changed(struct xenbus_dev *xd, enum xenbus_state state)
{
	struct netfront *nf = xd->dev.softc;

	net_link(&nf->nd, state == XenbusStateConnected &&
			      !atomic_load(&nf->broken) &&
			      netfront_read_carrier(xd));
}

static int attach(struct device *dev)
{
	struct netfront *nf = dev->softc;
	int err;

	nf->xd = xenbus_dev_of(dev);
	nf->nd.ops = &nf_ops;
	nf->nd.softc = nf;
	work_init(&nf->down, down_work);
	err = connect(nf);
	if (!err) {
		fill_info(nf);
		err = net_dev_register(&nf->nd);
	}
	if (err) {
		xenbus_fail(nf->xd, err, "cannot connect");
		work_flush();
		close_peer(nf);
		queues_destroy(nf);
		return err;
	}
	net_link(&nf->nd, netfront_read_carrier(nf->xd));
	nf->xd->peer_changed = peer_changed;
	log_info("%s: %s, %u queues%s%s%s", dev->name, nf->nd.name,
	    nf->neg.nqueues, nf->neg.split ? ", split events" : "",
	    nf->neg.feat.sg ? ", sg" : "", nf->neg.feat.gso4 ? ", gso" : "");
	return 0;
}

static void detach(struct device *dev)
{
	struct netfront *nf = dev->softc;

	nf->xd->peer_changed = NULL;
	net_dev_unregister(&nf->nd);
	work_flush();
	close_peer(nf);
	queues_destroy(nf);
}

static const struct driver netfront_driver = {
	.name = "netfront",
	.bus = "xenbus",
	.type = "vif",
	.softc_size = sizeof(struct netfront),
	.attach = attach,
	.detach = detach,
};
DRIVER(netfront_driver);
