/*
 * The xenstore client.  Requests carry an id, so that several threads can
 * wait for their replies at once; the ring's event takes whatever has come,
 * gives replies to their waiters and queues watch events for xs_watch.c's
 * thread.
 */

#include "kern/clock.h"
#include "kern/errno.h"
#include "kern/lock.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/sched.h"
#include "kern/string.h"
#include "xen/xenstore.h"
#include "xen_int.h"
#include "xenstore_int.h"
#include "xs_wire.h"

#define REPLY_NS (30 * NSEC_PER_SEC)
#define PARTS    4

/* A request under way; on its sender's stack. */
struct xs_req {
	struct list link;
	uint32_t id, type;
	bool done;
	int err;
	char *reply; /* kmalloc()ed, with a NUL more than (len) says */
	uint32_t len;
};

/* What is being received. */
struct xs_rx {
	struct xsd_sockmsg hdr;
	uint32_t got;  /* bytes of header and payload */
	char *payload; /* NULL: nobody wants it, skip */
};

struct xs_part {
	const void *data;
	size_t len;
};

static struct xenstore_domain_interface *page;
static evtchn_port_t port;
static struct xs_ring ring;
static bool dead; /* and everybody has been told */
static struct xs_rx rx;
static struct list reqs = LIST_INIT(reqs);
static uint32_t last_id;
static struct waitq waiters = WAITQ_INIT(waiters);
static struct mutex tx_mutex = MUTEX_INIT(tx_mutex); /* one message at once */
/* The ring's event needs it: protects everything above but tx_mutex. */
static struct spinlock lock = SPINLOCK_INIT;

/* --- receiving: the lock is held ---------------------------------------- */

static struct xs_req *req_find(uint32_t id)
{
	struct xs_req *r;

	list_foreach (r, &reqs, link) {
		if (r->id == id)
			return r;
	}
	return NULL;
}

static void req_finish(struct xs_req *r, int err)
{
	r->err = err;
	r->done = true;
	list_del(&r->link);
}

static void break_ring(const char *why)
{
	struct xs_req *r, *tmp;

	if (dead)
		return;
	dead = ring.broken = true;
	log_err("xenstore: %s: no longer used", why);
	kfree(rx.payload);
	rx.payload = NULL;
	list_foreach_safe (r, tmp, &reqs, link)
		req_finish(r, -EIO);
}

/* The header is complete: who wants the payload? */
static void rx_header(void)
{
	if (!xs_hdr_ok(&rx.hdr)) {
		break_ring("a message that makes no sense");
		return;
	}
	if (rx.hdr.type == XS_WATCH_EVENT || req_find(rx.hdr.req_id))
		rx.payload = kmalloc((size_t)rx.hdr.len + 1);
}

static void rx_reply(struct xs_req *r)
{
	if (!rx.payload) {
		req_finish(r, -ENOMEM);
	} else if (rx.hdr.type == XS_ERROR) {
		req_finish(r, xs_error(rx.payload, rx.hdr.len));
	} else if (rx.hdr.type != r->type) {
		req_finish(r, -EIO);
	} else {
		r->reply = rx.payload;
		r->len = rx.hdr.len;
		rx.payload = NULL;
		req_finish(r, 0);
	}
}

static void rx_message(void)
{
	struct xs_req *r;

	if (rx.payload)
		rx.payload[rx.hdr.len] = '\0';
	if (rx.hdr.type == XS_WATCH_EVENT) {
		xs_watch_event(rx.payload, rx.hdr.len);
		rx.payload = NULL;
	} else {
		r = req_find(rx.hdr.req_id);
		if (r)
			rx_reply(r);
	}
	kfree(rx.payload);
	memset(&rx, 0, sizeof(rx));
}

/* Take some bytes.  False: there were none. */
static bool rx_some(void)
{
	const uint32_t hdr_len = sizeof(rx.hdr);
	size_t n;

	if (rx.got < hdr_len) {
		n = xs_ring_take(
		    &ring, (char *)&rx.hdr + rx.got, hdr_len - rx.got);
		rx.got += (uint32_t)n;
		if (n != 0 && rx.got == hdr_len)
			rx_header();
	} else {
		n = xs_ring_take(&ring,
		    rx.payload ? rx.payload + (rx.got - hdr_len) : NULL,
		    hdr_len + rx.hdr.len - rx.got);
		rx.got += (uint32_t)n;
	}
	if (!ring.broken && rx.got >= hdr_len &&
	    rx.got == hdr_len + rx.hdr.len) {
		rx_message();
		n = 1;
	}
	return n != 0;
}

static void event(void *arg)
{
	unsigned long flags = spin_lock_irqsave(&lock);
	bool notify;

	(void)arg;
	while (!ring.broken && rx_some())
		continue;
	notify = ring.was_full;
	ring.was_full = false;
	if (ring.broken)
		break_ring("a ring index that makes no sense");
	/* Also those who wait for room. */
	waitq_wake_all(&waiters);
	spin_unlock_irqrestore(&lock, flags);
	if (notify)
		evtchn_notify(port);
}

/* --- sending ------------------------------------------------------------ */

/* Tells the daemon only when it must make room: see tx_message(). */
static int tx_bytes(const char *p, size_t n)
{
	uint64_t deadline = clock_mono() + REPLY_NS;
	unsigned long flags = spin_lock_irqsave(&lock);
	int err = 0;

	while (n != 0 && err == 0) {
		size_t done = xs_ring_put(&ring, p, n);

		p += done;
		n -= done;
		if (ring.broken) {
			err = -EIO;
		} else if (n != 0) {
			evtchn_notify(port);
			if (done == 0)
				err = waitq_wait(
				    &waiters, &lock, &flags, deadline, 0);
		}
	}
	spin_unlock_irqrestore(&lock, flags);
	return err;
}

static int tx_message(
    const struct xsd_sockmsg *hdr, const struct xs_part *part, unsigned n)
{
	unsigned long flags;
	int err;

	mutex_lock(&tx_mutex);
	err = tx_bytes((const char *)hdr, sizeof(*hdr));
	for (unsigned i = 0; err == 0 && i < n; i++)
		err = tx_bytes(part[i].data, part[i].len);
	if (err == 0) {
		evtchn_notify(port);
	} else {
		/* Half a message is out: the next one would be misread. */
		flags = spin_lock_irqsave(&lock);
		break_ring("the daemon does not read");
		spin_unlock_irqrestore(&lock, flags);
	}
	mutex_unlock(&tx_mutex);
	return err;
}

static int req_begin(struct xs_req *r, uint32_t type)
{
	unsigned long flags;
	int err = 0;

	memset(r, 0, sizeof(*r));
	r->type = type;
	flags = spin_lock_irqsave(&lock);
	if (ring.broken) {
		err = -EIO;
	} else {
		r->id = ++last_id;
		list_add_tail(&reqs, &r->link);
	}
	spin_unlock_irqrestore(&lock, flags);
	return err;
}

/* Wait for the reply; (err): the request was not sent whole. */
static int req_end(struct xs_req *r, int err)
{
	uint64_t deadline = clock_mono() + REPLY_NS;
	unsigned long flags = spin_lock_irqsave(&lock);

	while (!r->done && err == 0)
		err = waitq_wait(&waiters, &lock, &flags, deadline, 0);
	if (!r->done)
		req_finish(r, err);
	spin_unlock_irqrestore(&lock, flags);
	return r->err;
}

/*
 * One request and its reply, which is *reply (kfree() it) and *len; both may
 * be NULL.
 */
static int talk(struct xs_txn *txn, uint32_t type, const struct xs_part *part,
    unsigned nparts, char **reply, uint32_t *len)
{
	struct xsd_sockmsg hdr = { .type = type, .tx_id = txn ? txn->id : 0 };
	struct xs_req r;
	int err;

	if (!page)
		return -ENODEV;
	for (unsigned i = 0; i < nparts; i++)
		hdr.len += (uint32_t)part[i].len;
	if (hdr.len > XENSTORE_PAYLOAD_MAX)
		return -E2BIG;
	err = req_begin(&r, type);
	if (err != 0)
		return err;
	hdr.req_id = r.id;
	err = req_end(&r, tx_message(&hdr, part, nparts));
	if (err == 0 && reply) {
		*reply = r.reply;
		*len = r.len;
	} else {
		kfree(r.reply);
	}
	return err;
}

/* --- paths and values --------------------------------------------------- */

static int path_make(char path[XS_PATH_MAX], const char *dir, const char *node)
{
	int n = snprintf(
	    path, XS_PATH_MAX, "%s%s%s", dir, node[0] != '\0' ? "/" : "", node);

	return n < XS_PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* A request about one path. */
static int talk_path(struct xs_txn *txn, uint32_t type, const char *dir,
    const char *node, char **reply, uint32_t *len)
{
	char path[XS_PATH_MAX];
	struct xs_part part = { .data = path };
	int err = path_make(path, dir, node);

	if (err != 0)
		return err;
	part.len = strlen(path) + 1;
	return talk(txn, type, &part, 1, reply, len);
}

int xs_read(struct xs_txn *txn, const char *dir, const char *node, char *buf,
    size_t size)
{
	char *reply;
	uint32_t len;
	int err = talk_path(txn, XS_READ, dir, node, &reply, &len);

	if (err != 0)
		return err;
	if (len >= size)
		err = -E2BIG;
	else if (memchr(reply, '\0', len))
		err = -EINVAL;
	else
		memcpy(buf, reply, (size_t)len + 1);
	kfree(reply);
	return err != 0 ? err : (int)len;
}

int xs_read_u64(struct xs_txn *txn, const char *dir, const char *node,
    uint64_t dflt, uint64_t *out)
{
	char *reply;
	uint32_t len;
	int err;

	*out = dflt;
	err = talk_path(txn, XS_READ, dir, node, &reply, &len);
	if (err != 0)
		return err == -ENOENT ? 0 : err;
	err = xs_parse_u64(reply, len, out);
	kfree(reply);
	return err;
}

int xs_read_u32(struct xs_txn *txn, const char *dir, const char *node,
    uint32_t dflt, uint32_t *out)
{
	uint64_t v;
	int err = xs_read_u64(txn, dir, node, dflt, &v);

	if (v > UINT32_MAX) {
		v = dflt;
		err = -EINVAL;
	}
	*out = (uint32_t)v;
	return err;
}

int xs_write(
    struct xs_txn *txn, const char *dir, const char *node, const char *value)
{
	char path[XS_PATH_MAX];
	struct xs_part part[2] = { { .data = path }, { .data = value } };
	int err = path_make(path, dir, node);

	if (err != 0)
		return err;
	part[0].len = strlen(path) + 1;
	part[1].len = strlen(value); /* no NUL: a value is just bytes */
	return talk(txn, XS_WRITE, part, 2, NULL, NULL);
}

int xs_printf(
    struct xs_txn *txn, const char *dir, const char *node, const char *fmt, ...)
{
	char value[XS_VALUE_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(value))
		return -E2BIG;
	return xs_write(txn, dir, node, value);
}

int xs_rm(struct xs_txn *txn, const char *dir, const char *node)
{
	return talk_path(txn, XS_RM, dir, node, NULL, NULL);
}

int xs_directory(
    struct xs_txn *txn, const char *dir, const char *node, char **out)
{
	char *reply;
	uint32_t len;
	int n;

	*out = NULL;
	n = talk_path(txn, XS_DIRECTORY, dir, node, &reply, &len);
	if (n != 0)
		return n;
	n = xs_count_names(reply, len);
	if (n < 0)
		kfree(reply);
	else
		*out = reply;
	return n;
}

const char *xs_next(const char *name)
{
	return name + strlen(name) + 1;
}

int xs_number(const char *text, uint64_t *out)
{
	return xs_parse_u64(text, strlen(text), out);
}

/* --- transactions and watches ------------------------------------------- */

int xs_txn_begin(struct xs_txn *txn)
{
	struct xs_part part = { .data = "", .len = 1 };
	char *reply;
	uint32_t len;
	uint64_t id;
	int err;

	txn->id = 0;
	err = talk(NULL, XS_TRANSACTION_START, &part, 1, &reply, &len);
	if (err != 0)
		return err;
	if (xs_parse_u64(reply, len, &id) != 0 || id == 0 || id > UINT32_MAX)
		err = -EIO;
	else
		txn->id = (uint32_t)id;
	kfree(reply);
	return err;
}

int xs_txn_end(struct xs_txn *txn, bool abort)
{
	struct xs_part part = { .data = abort ? "F" : "T", .len = 2 };

	return talk(txn, XS_TRANSACTION_END, &part, 1, NULL, NULL);
}

/* XS_WATCH or XS_UNWATCH. */
int xs_watch_talk(uint32_t type, const char *path, uint32_t token)
{
	char tok[12];
	struct xs_part part[2] = {
		{ .data = path, .len = strlen(path) + 1 },
		{ .data = tok },
	};

	part[1].len = (size_t)snprintf(tok, sizeof(tok), "%u", token) + 1;
	return talk(NULL, type, part, 2, NULL, NULL);
}

/* --- start -------------------------------------------------------------- */

void xenstore_early(void)
{
	uint64_t pfn, evtchn;

	if (xen_param_get(HVM_PARAM_STORE_PFN, &pfn) != 0 || pfn == 0)
		return;
	if (xen_param_get(HVM_PARAM_STORE_EVTCHN, &evtchn) != 0)
		return;
	page = early_map_page(pfn << PAGE_SHIFT);
	port = (evtchn_port_t)evtchn;
}

int xenstore_init(void)
{
	int err;

	if (!page)
		return -ENODEV;
	xs_ring_init(&ring, page);
	err = evtchn_handle(port, 0, event, NULL);
	if (err == 0)
		err = xs_watch_init();
	if (err != 0) {
		page = NULL;
		return err;
	}
	evtchn_unmask(port);
	return 0;
}
