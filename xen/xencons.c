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
#define PATIENCE_NS (3ull * 1000 * 1000 * 1000) /* without any progress */

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

/* All of the buffer, or as much as the other end takes. */
static void flush_wait(void)
{
	uint64_t until = xen_clock_mono() + PATIENCE_NS;

	cons.stuck = true;
	while (xen_clock_mono() < until) {
		if (xencons_push(ring, &pending) != 0)
			until = xen_clock_mono() + PATIENCE_NS;
		if (xencons_buf_empty(&pending)) {
			cons.stuck = false;
			break;
		}
		wait_reader();
	}
	evtchn_notify(port);
}

void xencons_putc(char c)
{
	if (!ring)
		return;
	while (xencons_buf_put(&pending, &c, 1) == 0) {
		if (cons.stuck)
			return;
		flush_wait();
	}
	if (xencons_push(ring, &pending) != 0 && c == '\n')
		evtchn_notify(port);
}

/* --- the console -------------------------------------------------------- */

static void push(void)
{
	if (xencons_push(ring, &pending) == 0)
		return;
	cons.stuck = false;
	evtchn_notify(port);
}

static void cons_write(struct console *con, const char *s, size_t n)
{
	unsigned long flags = spin_lock_irqsave(&lock);
	size_t done;

	while (n != 0) {
		done = xencons_buf_put(&pending, s, n);
		s += done;
		n -= done;
		push();
		if (n == 0 || con->stuck)
			break;
		if (done == 0)
			flush_wait();
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

/* The domain is about to stop: the other end must have read the last line.
 * No lock: its holder may be a cpu that was stopped. */
void xencons_drain(void)
{
	uint64_t until;

	if (!ring)
		return;
	flush_wait();
	until = xen_clock_mono() + PATIENCE_NS;
	while (
	    !xencons_all_read(ring) && !cons.stuck && xen_clock_mono() < until)
		wait_reader();
}
