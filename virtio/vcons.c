/* The virtio console's port 0: hvc0.  VIRTIO 1.1, section 5.3. */

#include "kern/arch.h"
#include "kern/compiler.h"
#include "kern/console.h"
#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/string.h"
#include "virtio/virtio.h"

#define VCONS_RX_VQ 0
#define VCONS_TX_VQ 1
#define VCONS_NUM   16
#define VCONS_BYTES 256

/* How long to wait for a writer on another cpu, or for a host that reads. */
#define VCONS_SPIN_MAX 1000000

struct vcons_buf {
	char data[VCONS_BYTES];
};

struct vcons {
	struct virtio_dev *vd;
	struct console con;
	struct virtq *rx, *tx;

	/* Input is read in event context. */
	struct spinlock rx_lock;
	struct vcons_buf *rx_buf, *rx_cur;
	size_t rx_off, rx_len; /* in rx_cur */

	/* Not a lock of kern/lock.h: after a panic its holder may never run
	 * again, and output must then be dropped. */
	_Atomic bool tx_busy;
	struct vcons_buf *tx_buf;
	uint32_t tx_free; /* bits */
};

/* --- output -------------------------------------------------------------- */

static bool tx_enter(struct vcons *vc)
{
	for (unsigned i = 0; i < VCONS_SPIN_MAX; i++) {
		if (!atomic_exchange_explicit(
			&vc->tx_busy, true, memory_order_acquire))
			return true;
		cpu_relax();
	}
	return false;
}

static void tx_leave(struct vcons *vc)
{
	atomic_store_explicit(&vc->tx_busy, false, memory_order_release);
}

static void tx_reclaim(struct vcons *vc)
{
	struct vcons_buf *b;
	uint32_t len;

	while ((b = vq_take(vc->tx, &len)) != NULL) {
		vc->tx_free |= 1u << (b - vc->tx_buf);
		vc->con.stuck = false;
	}
}

static struct vcons_buf *tx_get(struct vcons *vc)
{
	unsigned i;

	tx_reclaim(vc);
	if (vc->tx_free == 0)
		vq_kick(vc->tx);
	for (i = 0; vc->tx_free == 0 && !vc->con.stuck; i++) {
		vc->con.stuck = i == VCONS_SPIN_MAX || vc->tx->fault;
		cpu_relax();
		tx_reclaim(vc);
	}
	if (vc->tx_free == 0)
		return NULL;
	i = (unsigned)__builtin_ctz(vc->tx_free);
	vc->tx_free &= ~(1u << i);
	return &vc->tx_buf[i];
}

static void tx_all(struct vcons *vc, const char *s, size_t n)
{
	while (n != 0) {
		struct vcons_buf *b = tx_get(vc);
		struct vq_seg seg;

		if (!b)
			break;
		seg.va = b->data;
		seg.len = (uint32_t)MIN(n, sizeof(b->data));
		memcpy(b->data, s, seg.len);
		if (vq_add(vc->tx, &seg, 1, 0, b) != 0) {
			vc->tx_free |= 1u << (b - vc->tx_buf);
			break;
		}
		s += seg.len;
		n -= seg.len;
	}
	vq_kick(vc->tx);
}

/* For who must get in, and does not come from a panic. */
static unsigned long tx_lock(struct vcons *vc)
{
	unsigned long flags = irq_save();

	while (!tx_enter(vc))
		;
	return flags;
}

static void tx_unlock(struct vcons *vc, unsigned long flags)
{
	tx_leave(vc);
	irq_restore(flags);
}

static void vcons_write(struct console *con, const char *s, size_t n)
{
	struct vcons *vc = con->softc;
	unsigned long flags = irq_save();

	if (tx_enter(vc)) {
		tx_all(vc, s, n);
		tx_leave(vc);
	}
	irq_restore(flags);
}

/* The device is asked for an interrupt only when somebody has to wait.  Who was
 * promised one may depend on it, so only the interrupt takes that back. */
static size_t tx_room(struct vcons *vc)
{
	tx_reclaim(vc);
	while (vc->tx_free == 0 && !vc->tx->fault && vq_arm(vc->tx))
		tx_reclaim(vc);
	if (vc->con.stuck || vc->tx->fault)
		return SIZE_MAX;
	/* Or more: each piece has a buffer of its own. */
	return vc->tx_free ? VCONS_BYTES : 0;
}

static size_t vcons_room(struct console *con)
{
	struct vcons *vc = con->softc;
	unsigned long flags = tx_lock(vc);
	size_t room = tx_room(vc);

	tx_unlock(vc, flags);
	return room;
}

static void vcons_give_up(struct console *con)
{
	struct vcons *vc = con->softc;
	unsigned long flags = tx_lock(vc);

	tx_reclaim(vc);
	if (vc->tx_free == 0)
		con->stuck = true;
	tx_unlock(vc, flags);
}

static void tx_irq(void *arg)
{
	struct vcons *vc = arg;
	unsigned long flags = irq_save();

	if (tx_enter(vc)) {
		vq_disarm(vc->tx);
		tx_leave(vc);
	}
	irq_restore(flags);
	console_tx_ready(&vc->con);
	if (vc->tx->fault)
		virtio_fail(vc->vd, vc->tx->fault);
}

/* --- input --------------------------------------------------------------- */

static void rx_give(struct vcons *vc, struct vcons_buf *b)
{
	struct vq_seg seg = { b->data, sizeof(b->data) };

	vq_add(vc->rx, &seg, 0, 1, b); /* there is room: it was taken out */
}

static bool rx_next(struct vcons *vc)
{
	uint32_t len = 0;

	if (vc->rx_cur && vc->rx_off < vc->rx_len)
		return true;
	if (vc->rx_cur)
		rx_give(vc, vc->rx_cur);
	vc->rx_cur = vq_take(vc->rx, &len);
	vc->rx_off = 0;
	vc->rx_len = len;
	return vc->rx_cur && len != 0;
}

static size_t vcons_read(struct console *con, char *buf, size_t n)
{
	struct vcons *vc = con->softc;
	unsigned long flags = spin_lock_irqsave(&vc->rx_lock);
	size_t got = 0, len;

	do {
		while (got < n && rx_next(vc)) {
			len = MIN(n - got, vc->rx_len - vc->rx_off);
			memcpy(buf + got, vc->rx_cur->data + vc->rx_off, len);
			vc->rx_off += len;
			got += len;
		}
	} while (got < n && !vc->rx->fault && vq_arm(vc->rx));
	vq_kick(vc->rx);
	spin_unlock_irqrestore(&vc->rx_lock, flags);
	return got;
}

static const struct console_ops vcons_ops = {
	.write = vcons_write,
	.room = vcons_room,
	.give_up = vcons_give_up,
	.read = vcons_read,
};

/* The reader arms the queue again when it has emptied it. */
static void rx_irq(void *arg)
{
	struct vcons *vc = arg;

	console_rx_ready(&vc->con);
	if (vc->rx->fault)
		virtio_fail(vc->vd, vc->rx->fault);
}

/* --- attaching ----------------------------------------------------------- */

static void vcons_free(struct vcons *vc)
{
	virtio_stop(vc->vd);
	virtio_queues_free(vc->vd);
	kfree(vc->rx_buf);
	kfree(vc->tx_buf);
}

static int vcons_setup(struct vcons *vc)
{
	struct vq_config rx = { .num_max = VCONS_NUM, .fn = rx_irq, .arg = vc };
	struct vq_config tx = { .num_max = VCONS_NUM, .fn = tx_irq, .arg = vc };
	int err;

	vc->rx_buf = kmalloc_array(VCONS_NUM, sizeof(*vc->rx_buf));
	vc->tx_buf = kmalloc_array(VCONS_NUM, sizeof(*vc->tx_buf));
	if (!vc->rx_buf || !vc->tx_buf)
		return -ENOMEM;
	vc->tx_free = (1u << VCONS_NUM) - 1;
	err = virtio_negotiate(vc->vd, 0);
	if (!err)
		err = virtio_queues(vc->vd, 2);
	if (!err)
		err = vq_create(vc->vd, VCONS_RX_VQ, &rx, &vc->rx);
	if (!err)
		err = vq_create(vc->vd, VCONS_TX_VQ, &tx, &vc->tx);
	return err;
}

static int vcons_attach(struct device *dev)
{
	struct vcons *vc = dev->softc;
	int err;

	vc->vd = dev->bus_dev;
	vc->con.name = "hvc0";
	vc->con.ops = &vcons_ops;
	vc->con.softc = vc;
	err = vcons_setup(vc);
	if (err)
		goto free;
	for (unsigned i = 0; i < VCONS_NUM; i++)
		rx_give(vc, &vc->rx_buf[i]);
	vq_disarm(vc->tx);
	vq_arm(vc->rx);
	virtio_ready(vc->vd);
	vq_kick(vc->rx);
	err = console_register(&vc->con);
	if (err)
		goto free;
	return 0;
free:
	vcons_free(vc);
	return err;
}

static void vcons_detach(struct device *dev)
{
	struct vcons *vc = dev->softc;

	console_unregister(&vc->con);
	vcons_free(vc);
}

static const struct driver vcons_driver = {
	.name = "vcons",
	.bus = "virtio",
	.type = "console",
	.softc_size = sizeof(struct vcons),
	.attach = vcons_attach,
	.detach = vcons_detach,
};
DRIVER(vcons_driver);
