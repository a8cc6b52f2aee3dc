/*
 * Event channels in both ABIs, with Xen's part played by the test: what it
 * does to the shared words is written from its public header.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake_mm.h"
#include "fake_sched.h"
#include "kern/errno.h"
#include "kern/mm.h"
#include "xen/xen_int.h"

#define PORTS 8192u

static struct shared_info shared;
struct shared_info *const xen_shared = &shared;
static struct xen_cpu cpu0;
static bool offer_fifo;

/* Xen's side */
static struct evtchn_fifo_control_block *block;
static event_word_t *array[8];
static unsigned npages, fail_expand;
static uint32_t tail[EVTCHN_FIFO_MAX_QUEUES];
static uint32_t status[PORTS], next_port;

static bool fifo(void)
{
	return block != NULL;
}

static event_word_t *word(uint32_t port)
{
	return &array[port / 1024][port % 1024];
}

static void fifo_link(uint32_t port)
{
	const unsigned q = EVTCHN_FIFO_PRIORITY_DEFAULT;
	event_word_t *w = word(port);
	bool queued;

	if (*w & (1u << EVTCHN_FIFO_LINKED))
		return;
	queued = tail[q] && (*word(tail[q]) & (1u << EVTCHN_FIFO_LINKED));
	*w = (*w & ~(uint32_t)EVTCHN_FIFO_LINK_MASK) | 1u << EVTCHN_FIFO_LINKED;
	if (queued)
		*word(tail[q]) |= port;
	else
		block->head[q] = port;
	tail[q] = port;
	block->ready |= 1u << q;
	cpu0.info.evtchn_upcall_pending = 1;
}

static void xen_raise(uint32_t port)
{
	uint64_t bit = 1ull << port % 64;

	if (fifo()) {
		*word(port) |= 1u << EVTCHN_FIFO_PENDING;
		if (!(*word(port) & (1u << EVTCHN_FIFO_MASKED)))
			fifo_link(port);
		return;
	}
	shared.evtchn_pending[port / 64] |= bit;
	if (shared.evtchn_mask[port / 64] & bit)
		return;
	cpu0.info.evtchn_pending_sel |= 1ull << port / 64;
	cpu0.info.evtchn_upcall_pending = 1;
}

static void xen_unmask(uint32_t port)
{
	uint64_t bit = 1ull << port % 64;

	if (fifo()) {
		*word(port) &= ~(1u << EVTCHN_FIFO_MASKED);
		if (*word(port) & (1u << EVTCHN_FIFO_PENDING))
			fifo_link(port);
		return;
	}
	if (!(shared.evtchn_mask[port / 64] & bit))
		return; /* not by this call: nothing is raised */
	shared.evtchn_mask[port / 64] &= ~bit;
	if (shared.evtchn_pending[port / 64] & bit)
		xen_raise(port);
}

static long evtchn_op(unsigned long cmd, void *arg)
{
	struct evtchn_init_control *ic = arg;
	struct evtchn_expand_array *ea = arg;
	struct evtchn_alloc_unbound *au = arg;
	struct evtchn_status *st = arg;

	switch (cmd) {
	case EVTCHNOP_init_control:
		if (!offer_fifo)
			return -ENOSYS;
		assert_int_equal(ic->offset % 8, 0);
		block = (void *)(uintptr_t)((ic->control_gfn << PAGE_SHIFT) +
					    ic->offset);
		return 0;
	case EVTCHNOP_expand_array:
		if (fail_expand != 0 && --fail_expand == 0)
			return -ENOSPC;
		array[npages++] =
		    (void *)(uintptr_t)(ea->array_gfn << PAGE_SHIFT);
		return 0;
	case EVTCHNOP_alloc_unbound:
		au->port = ++next_port;
		status[au->port] = EVTCHNSTAT_unbound;
		return 0;
	case EVTCHNOP_status:
		st->status = status[st->port];
		st->vcpu = 0;
		return 0;
	case EVTCHNOP_close:
		status[((struct evtchn_close *)arg)->port] = EVTCHNSTAT_closed;
		return 0;
	case EVTCHNOP_unmask:
		xen_unmask(((struct evtchn_unmask *)arg)->port);
		return 0;
	default:
		fail();
		return -ENOSYS;
	}
}

long xen_hypercall(unsigned nr, unsigned long a, unsigned long b,
    unsigned long c, unsigned long d)
{
	(void)c;
	(void)d;
	assert_int_equal(nr, __HYPERVISOR_event_channel_op);
	return evtchn_op(a, (void *)b);
}

struct xen_cpu *xen_cpu(unsigned cpu)
{
	return cpu == 0 ? &cpu0 : NULL;
}

bool xen_option(const char *key, bool dflt)
{
	assert_string_equal(key, "xen.fifo");
	return dflt;
}

/* --- tests --------------------------------------------------------------- */

static unsigned order[64], norder;

static void on_event(void *arg)
{
	order[norder++] = *(evtchn_port_t *)arg;
}

static void upcall(void)
{
	if (cpu0.info.evtchn_upcall_pending)
		evtchn_upcall(&cpu0);
	assert_int_equal(cpu0.info.evtchn_upcall_pending, 0);
}

static evtchn_port_t ports[70];

static evtchn_port_t open_port(unsigned i)
{
	assert_int_equal(evtchn_alloc(0, &ports[i]), 0);
	assert_int_equal(evtchn_handle(ports[i], 0, on_event, &ports[i]), 0);
	return ports[i];
}

static void test_deliver(void **state)
{
	evtchn_port_t a = open_port(0), b = open_port(1), c = open_port(2);

	(void)state;
	norder = 0;
	xen_raise(a); /* masked at the start: kept */
	upcall();
	assert_int_equal(norder, 0);
	evtchn_unmask(a);
	upcall();
	assert_int_equal(norder, 1);
	evtchn_unmask(b);
	evtchn_unmask(c);
	upcall();
	assert_int_equal(norder, 1);
	xen_raise(a);
	xen_raise(b);
	xen_raise(c);
	xen_raise(b); /* two before delivery are one */
	upcall();
	assert_int_equal(norder, 4);
	assert_int_equal(order[1], a);
	assert_int_equal(order[2], b);
	assert_int_equal(order[3], c);
	upcall();
	assert_int_equal(norder, 4);
	for (unsigned i = 0; i < 3; i++)
		evtchn_close(ports[i]);
}

static void test_mask(void **state)
{
	evtchn_port_t a = open_port(0);

	(void)state;
	norder = 0;
	evtchn_unmask(a);
	xen_raise(a);
	evtchn_mask(a); /* between the event and its delivery */
	upcall();
	assert_int_equal(norder, 0);
	xen_raise(a);
	evtchn_unmask(a);
	upcall();
	assert_int_equal(norder, 1);
	evtchn_mask(a);
	evtchn_unmask(a);
	upcall();
	assert_int_equal(norder, 1);
	evtchn_close(a);
}

static evtchn_port_t raise_next;

static void on_event_raise(void *arg)
{
	on_event(arg);
	if (raise_next) {
		xen_raise(raise_next);
		raise_next = 0;
	}
}

/* An event that comes while another is handled, or the same again. */
static void test_during(void **state)
{
	evtchn_port_t a = open_port(0), b = open_port(1);

	(void)state;
	norder = 0;
	assert_int_equal(evtchn_handle(a, 0, on_event_raise, &ports[0]), 0);
	evtchn_unmask(a);
	evtchn_unmask(b);
	raise_next = b;
	xen_raise(a);
	upcall();
	assert_int_equal(norder, 2);
	raise_next = a;
	xen_raise(a);
	upcall();
	assert_int_equal(norder, 4);
	evtchn_close(a);
	evtchn_close(b);
}

static void test_close(void **state)
{
	evtchn_port_t a = open_port(0), b = open_port(1);

	(void)state;
	norder = 0;
	evtchn_unmask(a);
	evtchn_unmask(b);
	xen_raise(a);
	xen_raise(b);
	evtchn_close(a); /* due, and gone before delivery */
	upcall();
	assert_int_equal(norder, 1);
	assert_int_equal(order[0], b);
	evtchn_close(a);
	evtchn_close(0);
	evtchn_close(b);
	assert_int_equal(evtchn_handle(b, 0, on_event, &ports[1]), -EINVAL);
}

static void test_bad_ports(void **state)
{
	(void)state;
	assert_int_equal(evtchn_handle(0, 0, on_event, NULL), -EINVAL);
	assert_int_equal(evtchn_handle(1u << 20, 0, on_event, NULL), -EINVAL);
	assert_int_equal(evtchn_handle(5, 7, on_event, NULL), -EINVAL);
	evtchn_mask(1u << 20);
	evtchn_unmask(UINT32_MAX);
	evtchn_unmask(4000);
}

/* A head that Xen could not have written does not go out of the array. */
static void test_bad_head(void **state)
{
	(void)state;
	if (!fifo())
		return;
	block->head[3] = 120000;
	block->head[4] = UINT32_MAX;
	block->ready = 1u << 3 | 1u << 4 | 1u << 20;
	cpu0.info.evtchn_upcall_pending = 1;
	upcall();
	assert_int_equal(cpu0.fifo_head[3], 0);
}

static void test_many(void **state)
{
	evtchn_port_t first = 3000;

	(void)state;
	norder = 0;
	next_port = first - 1;
	if (fifo()) {
		fail_expand = 1;
		assert_int_equal(evtchn_alloc(0, &ports[0]), 0);
		assert_int_equal(
		    evtchn_handle(ports[0], 0, on_event, NULL), -ENOSPC);
	}
	for (unsigned i = 0; i < 60; i++) {
		open_port(i);
		evtchn_unmask(ports[i]);
	}
	for (unsigned i = 60; i-- > 0;)
		xen_raise(ports[i]);
	upcall();
	assert_int_equal(norder, 60);
	/* FIFO keeps the order of arrival, 2-level that of numbers. */
	assert_int_equal(order[0], ports[fifo() ? 59 : 0]);
	for (unsigned i = 0; i < 60; i++)
		evtchn_close(ports[i]);
}

static void test_no_memory(void **state)
{
	evtchn_port_t a;

	(void)state;
	next_port = 3500;
	assert_int_equal(evtchn_alloc(0, &a), 0);
	fake_mm_fail_nth(1);
	assert_int_equal(evtchn_handle(a, 0, on_event, NULL), -ENOMEM);
	fake_mm_fail_nth(0);
	assert_int_equal(evtchn_handle(a, 0, on_event, NULL), 0);
	evtchn_close(a);
}

/* The ABI is chosen once, so each is a program of its own. */
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deliver),
		cmocka_unit_test(test_mask),
		cmocka_unit_test(test_during),
		cmocka_unit_test(test_close),
		cmocka_unit_test(test_bad_ports),
		cmocka_unit_test(test_bad_head),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_no_memory),
	};

#ifdef TEST_FIFO
	offer_fifo = true;
#endif
	if (evtchn_cpu_init(&cpu0) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
