/*
 * hvc0: the console ring that the toolstack set up for us.
 * Source: xen/include/public/io/console.h
 *
 * The other end writes the ring's indices: each is loaded once and checked.
 * Output goes through a buffer of our own, so that a burst longer than the
 * ring need not wait.  When that is full too, a program has slept (tty.c); the
 * kernel's own messages wait a bounded time, and are dropped then.
 */

#include "kern/arch.h"
#include "kern/compiler.h"
#include "kern/console.h"
#include "kern/errno.h"
#include "kern/lock.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/string.h"
#include "xen_int.h"
#include "xencons_int.h"
#include <xen/sched.h>

#define POLL_NS     (1000ull * 1000)
#define PATIENCE_NS (3ull * 1000 * 1000 * 1000)
#define DRAIN_NS    (10ull * 1000 * 1000 * 1000) /* while something is read */

static struct xencons_ring *ring; /* NULL: no console */
static evtchn_port_t port;
/* Panics and interrupt handlers write as well: a mutex cannot serve. */
static struct spinlock lock = SPINLOCK_INIT;
static struct xencons_buf pending;
static struct console cons;

/* --- early: before memory and locks ------------------------------------- */

void xencons_early(void)
{
	uint64_t pfn, evtchn;

	if (xen_param_get(HVM_PARAM_CONSOLE_PFN, &pfn) != 0 || pfn == 0)
		return;
	if (xen_param_get(HVM_PARAM_CONSOLE_EVTCHN, &evtchn) != 0)
		return;
	ring = early_map_page(pfn << PAGE_SHIFT);
	port = (evtchn_port_t)evtchn;
}

/* Sleep in the hypervisor: the other end may have read something then. */
static void wait_reader(void)
{
	struct sched_poll op = {
		.nr_ports = 0,
		.timeout = xen_clock_mono() + POLL_NS,
	};

	evtchn_notify(port);
	hypercall_sched(SCHEDOP_poll, &op);
}

static void push(void)
{
	if (xencons_push(ring, &pending) == 0)
		return;
	cons.stuck = false;
	evtchn_notify(port);
}

/* How long it is worth to wait for who reads, which was not in vain before. */
static uint64_t patience(void)
{
	return cons.stuck ? 0 : xen_clock_mono() + PATIENCE_NS;
}

/* Is there room for a byte, or is there (until) then?  Stuck if not. */
static bool wait_room(uint64_t until)
{
	while (push(), xencons_buf_room(&pending) == 0) {
		if (xen_clock_mono() >= until) {
			cons.stuck = true;
			return false;
		}
		wait_reader();
	}
	return true;
}

void xencons_putc(char c)
{
	if (!ring)
		return;
	if (xencons_buf_put(&pending, &c, 1) == 0) {
		if (!wait_room(patience()))
			return;
		xencons_buf_put(&pending, &c, 1);
	}
	if (xencons_push(ring, &pending) != 0 && c == '\n')
		evtchn_notify(port);
}

/* --- the console -------------------------------------------------------- */

static void cons_write(struct console *con, const char *s, size_t n)
{
	unsigned long flags = spin_lock_irqsave(&lock);
	uint64_t until = 0; /* for all of it, however slowly it is read */
	size_t done;

	(void)con;
	for (;;) {
		done = xencons_buf_put(&pending, s, n);
		s += done;
		n -= done;
		push();
		if (n == 0)
			break;
		if (until == 0)
			until = patience();
		if (!wait_room(until))
			break;
	}
	spin_unlock_irqrestore(&lock, flags);
}

/* The other end sends an event for whatever it reads. */
static size_t cons_room(struct console *con)
{
	unsigned long flags = spin_lock_irqsave(&lock);
	size_t room;

	push();
	room = con->stuck ? SIZE_MAX : xencons_buf_room(&pending);
	spin_unlock_irqrestore(&lock, flags);
	return room;
}

static void cons_give_up(struct console *con)
{
	unsigned long flags = spin_lock_irqsave(&lock);

	push();
	if (xencons_buf_room(&pending) < CONSOLE_ROOM)
		con->stuck = true;
	spin_unlock_irqrestore(&lock, flags);
}

static size_t cons_read(struct console *con, char *buf, size_t n)
{
	unsigned long flags = spin_lock_irqsave(&lock);
	size_t got = xencons_pull(ring, buf, n);

	(void)con;
	spin_unlock_irqrestore(&lock, flags);
	if (got != 0)
		evtchn_notify(port);
	return got;
}

static const struct console_ops cons_ops = {
	.write = cons_write,
	.room = cons_room,
	.give_up = cons_give_up,
	.read = cons_read,
};

static struct console cons = {
	.name = "hvc0",
	.ops = &cons_ops,
};

/* The other end wrote input or made room for output. */
static void cons_event(void *arg)
{
	unsigned long flags = spin_lock_irqsave(&lock);
	bool input;

	(void)arg;
	push();
	input = xencons_readable(ring);
	spin_unlock_irqrestore(&lock, flags);
	console_tx_ready(&cons);
	if (input)
		console_rx_ready(&cons);
}

void xencons_init(void)
{
	int err;

	if (!ring)
		return;
	err = evtchn_handle(port, 0, cons_event, NULL);
	if (err != 0)
		log_warn("hvc0: event channel %u: error %d", port, err);
	else
		evtchn_unmask(port);
	console_register(&cons);
}

/*
 * The domain is about to stop: the other end must have read the last line.
 * Nobody else writes any more, so that the lock is kept; after a crash its
 * holder may be a cpu that was stopped.
 */
void xencons_drain(bool crash)
{
	uint64_t limit = xen_clock_mono() + DRAIN_NS, until = 0;
	size_t left, before = SIZE_MAX;

	if (!ring)
		return;
	if (!crash) {
		irq_disable();
		spin_lock(&lock);
	}
	while (push(), (left = xencons_unread(ring, &pending)) != 0) {
		uint64_t now = xen_clock_mono();

		if (left != before)
			until = MIN(now + PATIENCE_NS, limit);
		if (now >= until)
			break;
		before = left;
		wait_reader();
	}
}
