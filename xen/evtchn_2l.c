/*
 * The 2-level event channel ABI: a pending and a mask bit for each of 4096
 * ports in the shared info page, and one selector word for each vcpu.
 */

#include "kern/string.h"
#include "xen_int.h"

#define WORD_BITS 64u

static unsigned long *word_of(xen_ulong_t *array, evtchn_port_t port)
{
	return &array[port / WORD_BITS];
}

static unsigned long bit_of(evtchn_port_t port)
{
	return 1ul << (port % WORD_BITS);
}

static bool is_pending(evtchn_port_t port)
{
	return (__atomic_load_n(word_of(xen_shared->evtchn_pending, port),
		    __ATOMIC_SEQ_CST) &
		   bit_of(port)) != 0;
}

static void l2_mask(evtchn_port_t port)
{
	__atomic_fetch_or(word_of(xen_shared->evtchn_mask, port), bit_of(port),
	    __ATOMIC_SEQ_CST);
}

static void l2_unmask(evtchn_port_t port)
{
	struct evtchn_unmask op = { .port = port };

	__atomic_fetch_and(word_of(xen_shared->evtchn_mask, port),
	    ~bit_of(port), __ATOMIC_SEQ_CST);
	if (!is_pending(port))
		return;
	/*
	 * It came while the port was masked and Xen told nobody.  Xen raises
	 * it only if the unmasking is its own, so mask again first.
	 */
	l2_mask(port);
	hypercall_evtchn(EVTCHNOP_unmask, &op);
}

static void l2_clear(evtchn_port_t port)
{
	__atomic_fetch_and(word_of(xen_shared->evtchn_pending, port),
	    ~bit_of(port), __ATOMIC_SEQ_CST);
}

/* Nothing for each cpu.  Xen starts with every port unmasked. */
static int l2_cpu_init(struct xen_cpu *xc)
{
	if (xc->cpu == 0)
		memset(xen_shared->evtchn_mask, 0xff,
		    sizeof(xen_shared->evtchn_mask));
	return 0;
}

static int l2_port_init(evtchn_port_t port)
{
	l2_mask(port);
	return 0;
}

static void scan_word(struct xen_cpu *xc, unsigned word)
{
	unsigned long due;

	due = __atomic_load_n(
	    &xen_shared->evtchn_pending[word], __ATOMIC_SEQ_CST);
	due &=
	    ~__atomic_load_n(&xen_shared->evtchn_mask[word], __ATOMIC_SEQ_CST);
	while (due != 0) {
		unsigned bit = (unsigned)__builtin_ctzl(due);

		due &= due - 1;
		evtchn_deliver(xc, word * WORD_BITS + bit);
	}
}

static void l2_scan(struct xen_cpu *xc)
{
	unsigned long sel = __atomic_exchange_n(
	    &xc->info.evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);

	while (sel != 0) {
		scan_word(xc, (unsigned)__builtin_ctzl(sel));
		sel &= sel - 1;
	}
}

const struct evtchn_abi evtchn_2l = {
	.name = "2-level",
	.nports = EVTCHN_2L_NR_CHANNELS,
	.cpu_init = l2_cpu_init,
	.port_init = l2_port_init,
	.clear = l2_clear,
	.mask = l2_mask,
	.unmask = l2_unmask,
	.scan = l2_scan,
};
