/*
 * Split devices: finds them under device/ in the store, at the start and at
 * run time, and gives each a thread that follows the back end's state:
 * attaches the driver, detaches it when the back end closes or the device is
 * taken away, and attaches again when the back end starts over.
 */

#include "kern/clock.h"
#include "kern/errno.h"
#include "kern/lock.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/sched.h"
#include "kern/string.h"
#include "xen/xenbus.h"
#include "xen_int.h"

#define PROBE_NS (60 * NSEC_PER_SEC)
#define STARTABLE                                                              \
	(XENBUS_IN(XenbusStateInitialising) | XENBUS_IN(XenbusStateInitWait) | \
	    XENBUS_IN(XenbusStateInitialised) |                                \
	    XENBUS_IN(XenbusStateConnected))
#define CLOSED_MASK                                                      \
	(XENBUS_IN(XenbusStateUnknown) | XENBUS_IN(XenbusStateClosing) | \
	    XENBUS_IN(XenbusStateClosed))

#define RESTARTED \
	(XENBUS_IN(XenbusStateInitialising) | XENBUS_IN(XenbusStateInitWait))

struct xenbus_priv {
	struct xenbus_dev xd;
	struct list link; /* bus_lock's */
	struct thread *thread;
	struct xs_watch watch;
	char state_path[XENBUS_NODE_MAX + 8];
	/* Of the device's thread */
	bool attached;
	bool failed; /* do not try again before it was closed */
	/* The watch thread sets these; protected by bus_lock */
	bool dirty, gone, probed;
};

static struct list devs = LIST_INIT(devs);
static struct waitq bus_waitq = WAITQ_INIT(bus_waitq);
static struct mutex bus_lock = MUTEX_INIT(bus_lock);
/* One look at a device at a time; taken before bus_lock. */
static struct mutex scan_lock = MUTEX_INIT(scan_lock);

static const char *const state_names[] = {
	[XenbusStateUnknown] = "Unknown",
	[XenbusStateInitialising] = "Initialising",
	[XenbusStateInitWait] = "InitWait",
	[XenbusStateInitialised] = "Initialised",
	[XenbusStateConnected] = "Connected",
	[XenbusStateClosing] = "Closing",
	[XenbusStateClosed] = "Closed",
	[XenbusStateReconfiguring] = "Reconfiguring",
	[XenbusStateReconfigured] = "Reconfigured",
};

/* --- for drivers -------------------------------------------------------- */

int xenbus_set_state(struct xenbus_dev *xd, enum xenbus_state state)
{
	int err = xs_printf(NULL, xd->node, "state", "%d", (int)state);

	if (err == 0)
		xd->state = state;
	return err;
}

uint32_t xenbus_peer_u32(struct xenbus_dev *xd, const char *node, uint32_t dflt)
{
	uint32_t v;

	if (xs_read_u32(NULL, xd->backend, node, dflt, &v) == -EINVAL)
		log_warn("%s: the back end's %s is no number", xd->name, node);
	return v;
}

void xenbus_fail(struct xenbus_dev *xd, int err, const char *fmt, ...)
{
	char text[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_err("%s: %s: error %d", xd->name, text, err);
	/* Where xl looks for it; no harm if it may not be written. */
	xs_printf(NULL, "error", xd->node, "%d %s", err, text);
	xenbus_set_state(xd, XenbusStateClosing);
}

int xenbus_evtchn_alloc(struct xenbus_dev *xd, evtchn_port_t *port)
{
	return evtchn_alloc(xd->peer, port);
}

int xenbus_ring_create(
    struct xenbus_dev *xd, unsigned order, struct xenbus_ring *r)
{
	int err;

	memset(r, 0, sizeof(*r));
	for (unsigned i = 0; i < ARRAY_SIZE(r->ref); i++)
		r->ref[i] = GNTTAB_REF_NONE;
	if (order > XENBUS_RING_ORDER_MAX)
		return -EINVAL;
	r->order = order;
	r->va = page_alloc(order, PAGE_ZERO);
	if (!r->va)
		return -ENOMEM;
	for (unsigned i = 0; i < 1u << order; i++) {
		err = gnttab_grant(
		    xd->peer, (char *)r->va + i * PAGE_SIZE, false, &r->ref[i]);
		if (err != 0) {
			xenbus_ring_destroy(xd, r);
			return err;
		}
	}
	return 0;
}

void xenbus_ring_destroy(struct xenbus_dev *xd, struct xenbus_ring *r)
{
	bool kept = false;

	if (!r->va)
		return;
	for (unsigned i = 0; i < 1u << r->order; i++) {
		if (r->ref[i] == GNTTAB_REF_NONE || gnttab_revoke(r->ref[i]))
			continue;
		gnttab_leak(r->ref[i], r->order == 0 ? r->va : NULL);
		kept = true;
	}
	if (!kept)
		page_free(r->va, r->order);
	else if (r->order != 0)
		/* The pages of a block cannot go one by one. */
		log_warn("%s: the back end keeps its ring: %lu KiB lost",
		    xd->name, (PAGE_SIZE << r->order) / 1024);
	memset(r, 0, sizeof(*r));
}

/* --- the back end's state ----------------------------------------------- */

static void peer_state_read(struct xenbus_priv *p)
{
	struct xenbus_dev *xd = &p->xd;
	uint32_t s = xenbus_peer_u32(xd, "state", XenbusStateUnknown);

	if (s >= ARRAY_SIZE(state_names)) {
		log_warn("%s: the back end's state %u is absurd", xd->name, s);
		s = XenbusStateClosed;
	}
	if (s != xd->peer_state)
		log_debug("%s: the back end is %s", xd->name, state_names[s]);
	xd->peer_state = s;
}

static bool peer_in(struct xenbus_priv *p, unsigned mask)
{
	return (XENBUS_IN(p->xd.peer_state) & mask) != 0;
}

/*
 * Sleep until something was written or the device is gone, and look.  0,
 * -ENODEV or -ETIMEDOUT.
 */
static int peer_wait(struct xenbus_priv *p, uint64_t deadline)
{
	int err = 0;

	mutex_lock(&bus_lock);
	while (!p->dirty && !p->gone && err == 0)
		err = waitq_wait_mutex(&bus_waitq, &bus_lock, deadline, 0);
	if (p->gone)
		err = -ENODEV;
	else if (p->dirty)
		err = 0;
	p->dirty = false;
	mutex_unlock(&bus_lock);
	if (err == 0)
		peer_state_read(p);
	return err;
}

int xenbus_wait_peer(struct xenbus_dev *xd, unsigned mask, unsigned ms)
{
	struct xenbus_priv *p = xd->priv;
	uint64_t deadline = clock_mono() + ms * NSEC_PER_MSEC;
	int err = 0;

	while (err == 0 && !peer_in(p, mask)) {
		if (peer_in(p, CLOSED_MASK) && !(mask & CLOSED_MASK))
			return -ENODEV;
		err = peer_wait(p, deadline);
	}
	return err;
}

static void state_changed(struct xs_watch *w, const char *path)
{
	struct xenbus_priv *p = w->arg;

	(void)path;
	mutex_lock(&bus_lock);
	p->dirty = true;
	waitq_wake_all(&bus_waitq);
	mutex_unlock(&bus_lock);
}

/* --- a device's thread -------------------------------------------------- */

static void dev_attach(struct xenbus_priv *p)
{
	int err;

	if (p->xd.state != XenbusStateInitialising)
		xenbus_set_state(&p->xd, XenbusStateInitialising);
	err = device_add(&p->xd.dev);
	p->attached = err == 0;
	p->failed = err != 0;
	if (err != 0 && p->xd.state != XenbusStateInitialising)
		xenbus_set_state(&p->xd, XenbusStateClosed);
}

static void dev_detach(struct xenbus_priv *p)
{
	if (!p->attached)
		return;
	p->attached = false;
	p->xd.peer_changed = NULL;
	device_remove(&p->xd.dev);
	log_info("%s: removed", p->xd.name);
}

/* The back end has written its state. */
static void dev_step(struct xenbus_priv *p)
{
	if (peer_in(p, CLOSED_MASK)) {
		p->failed = false;
		dev_detach(p);
		if (p->xd.state != XenbusStateClosed)
			xenbus_set_state(&p->xd, XenbusStateClosed);
	} else if (p->attached && p->xd.state == XenbusStateConnected &&
		   peer_in(p, RESTARTED)) {
		dev_detach(p);
		dev_attach(p);
	} else if (!p->attached) {
		if (!p->failed && peer_in(p, STARTABLE))
			dev_attach(p);
	} else if (p->xd.peer_changed) {
		p->xd.peer_changed(&p->xd, p->xd.peer_state);
	}
}

static void dev_probed(struct xenbus_priv *p)
{
	mutex_lock(&bus_lock);
	p->probed = true;
	waitq_wake_all(&bus_waitq);
	mutex_unlock(&bus_lock);
}

static void dev_check(const char *type, uint32_t id);

static void dev_thread(void *arg)
{
	struct xenbus_priv *p = arg;
	int err = xs_watch_add(&p->watch);

	if (err != 0)
		log_err("%s: no watch: error %d", p->xd.name, err);
	peer_state_read(p);
	if (err == 0)
		dev_step(p);
	dev_probed(p);
	while (peer_wait(p, TIME_NEVER) == 0)
		dev_step(p);

	if (err == 0)
		xs_watch_remove(&p->watch);
	dev_detach(p);
	mutex_lock(&bus_lock);
	list_del(&p->link);
	mutex_unlock(&bus_lock);
	/* Its successor may be there already, and was taken for it. */
	dev_check(p->xd.type, p->xd.id);
	thread_put(p->thread);
	kfree(p);
}

/* --- finding devices ---------------------------------------------------- */

static struct xenbus_priv *dev_find(const char *type, uint32_t id)
{
	struct xenbus_priv *p;

	list_foreach (p, &devs, link) {
		if (p->xd.id == id && strcmp(p->xd.type, type) == 0)
			return p;
	}
	return NULL;
}

/* What the toolstack wrote about it.  -ENODEV when it is no split device. */
static int dev_read(struct xenbus_dev *xd)
{
	uint32_t peer, state;
	int err;

	err = xs_read(
	    NULL, xd->node, "backend", xd->backend, sizeof(xd->backend));
	if (err <= 0)
		return -ENODEV;
	err = xs_read_u32(NULL, xd->node, "backend-id", UINT32_MAX, &peer);
	if (err != 0 || peer >= DOMID_FIRST_RESERVED)
		return -ENODEV;
	xd->peer = (domid_t)peer;
	xs_read_u32(NULL, xd->node, "state", XenbusStateInitialising, &state);
	xd->state = (enum xenbus_state)state;
	return 0;
}

static struct xenbus_priv *dev_new(const char *type, uint32_t id)
{
	struct xenbus_priv *p = kzalloc(sizeof(*p));
	struct xenbus_dev *xd = &p->xd;

	if (!p)
		return NULL;
	snprintf(xd->type, sizeof(xd->type), "%s", type);
	snprintf(xd->name, sizeof(xd->name), "%s%u", type, id);
	snprintf(xd->node, sizeof(xd->node), "device/%s/%u", type, id);
	xd->id = id;
	xd->priv = p;
	xd->dev.name = xd->name;
	xd->dev.bus = "xenbus";
	xd->dev.type = xd->type;
	xd->dev.bus_dev = xd;
	p->watch.path = p->state_path;
	p->watch.fn = state_changed;
	p->watch.arg = p;
	list_init(&p->link);
	return p;
}

static void dev_add(const char *type, uint32_t id)
{
	struct xenbus_priv *p = dev_new(type, id);

	if (!p || dev_read(&p->xd) != 0 ||
	    thread_create(&p->thread, p->xd.name, dev_thread, p, -1) != 0) {
		kfree(p);
		return;
	}
	snprintf(
	    p->state_path, sizeof(p->state_path), "%s/state", p->xd.backend);
	mutex_lock(&bus_lock);
	list_add_tail(&devs, &p->link);
	mutex_unlock(&bus_lock);
	thread_start(p->thread);
}

/* device/(type)/(id) has come, gone or been written to. */
static void dev_check(const char *type, uint32_t id)
{
	char dir[XENBUS_NODE_MAX], backend[XENBUS_NODE_MAX];
	struct xenbus_priv *p;
	int len;

	snprintf(dir, sizeof(dir), "device/%s/%u", type, id);
	mutex_lock(&scan_lock);
	len = xs_read(NULL, dir, "backend", backend, sizeof(backend));
	mutex_lock(&bus_lock);
	p = dev_find(type, id);
	if (p && (len == -ENOENT ||
		     (len > 0 && strcmp(backend, p->xd.backend) != 0))) {
		p->gone = true;
		waitq_wake_all(&bus_waitq);
	}
	mutex_unlock(&bus_lock);
	if (!p && len > 0)
		dev_add(type, id);
	mutex_unlock(&scan_lock);
}

static void dev_check_text(const char *type, const char *id_text)
{
	uint64_t id;

	if (xs_number(id_text, &id) == 0 && id <= UINT32_MAX &&
	    strlen(type) < sizeof(((struct xenbus_dev *)0)->type))
		dev_check(type, (uint32_t)id);
}

static void scan_type(const char *type)
{
	char *ids;
	const char *id;
	int n = xs_directory(NULL, "device", type, &ids);

	for (id = ids; n > 0; n--, id = xs_next(id))
		dev_check_text(type, id);
	kfree(ids);
}

static void scan_all(void)
{
	char *types;
	const char *type;
	int n = xs_directory(NULL, "device", "", &types);

	for (type = types; n > 0; n--, type = xs_next(type))
		scan_type(type);
	kfree(types);
}

/* Type and id of the (n)th device; false past the end. */
static bool dev_nth(unsigned n, char type[16], uint32_t *id)
{
	struct xenbus_priv *p;
	bool found = false;

	mutex_lock(&bus_lock);
	list_foreach (p, &devs, link) {
		if (n-- != 0)
			continue;
		memcpy(type, p->xd.type, sizeof(p->xd.type));
		*id = p->xd.id;
		found = true;
		break;
	}
	mutex_unlock(&bus_lock);
	return found;
}

/* Those we know: are they still there? */
static void check_known(void)
{
	char type[16];
	uint32_t id;

	for (unsigned n = 0; dev_nth(n, type, &id); n++)
		dev_check(type, id);
}

/*
 * (path): "device", "device/vbd", "device/vbd/51712" or something deeper,
 * which does not make or end a device but for its "backend" node.
 */
static void bus_changed(struct xs_watch *w, const char *path)
{
	char buf[XENBUS_NODE_MAX];
	char *type, *id, *rest;

	(void)w;
	if ((size_t)snprintf(buf, sizeof(buf), "%s", path) >= sizeof(buf))
		return;
	type = strchr(buf, '/');
	id = type ? strchr(type + 1, '/') : NULL;
	if (!id) {
		check_known();
		scan_all();
		return;
	}
	*id++ = '\0';
	rest = strchr(id, '/');
	if (rest)
		*rest++ = '\0';
	if (!rest || strcmp(rest, "backend") == 0)
		dev_check_text(type + 1, id);
}

/* The devices that are there at the start, so that the root file system's
 * disk is there when it is looked for. */
static void wait_probed(void)
{
	uint64_t deadline = clock_mono() + PROBE_NS;
	struct xenbus_priv *p;
	unsigned waiting = 0;
	int err = 0;

	mutex_lock(&bus_lock);
	do {
		if (waiting != 0)
			err = waitq_wait_mutex(
			    &bus_waitq, &bus_lock, deadline, 0);
		waiting = 0;
		list_foreach (p, &devs, link)
			waiting += !p->probed;
	} while (waiting != 0 && err == 0);
	mutex_unlock(&bus_lock);
	if (waiting != 0)
		log_warn("xenbus: %u devices are not ready", waiting);
}

void xenbus_probe(void)
{
	scan_all();
	wait_probed();
}

void xenbus_watch(void)
{
	static struct xs_watch watch = {
		.path = "device",
		.fn = bus_changed,
	};
	int err = xs_watch_add(&watch);

	if (err != 0 && err != -ENODEV)
		log_warn("xenbus: no hot-plug: error %d", err);
}
