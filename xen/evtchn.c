/* Event channels: the ports, their handlers, and the upcall. */

#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/lock.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/percpu.h"
#include "kern/string.h"
#include "xen_int.h"

struct port {
	evtchn_fn fn; /* NULL: nobody's */
	void *arg;
	uint32_t cpu;
	uint32_t running;
};

#define PORTS_PER_CHUNK 128u
#define CHUNKS          (EVTCHN_FIFO_NR_CHANNELS / PORTS_PER_CHUNK)

static const struct evtchn_abi *abi;
static struct port *chunks[CHUNKS];
/* Cpus bind their timers with interrupts off: a mutex cannot serve. */
static struct spinlock grow_lock = SPINLOCK_INIT;

const char *evtchn_abi_name(void)
{
	return abi ? abi->name : "none";
}

int evtchn_cpu_init(struct xen_cpu *xc)
{
	if (abi)
		return abi->cpu_init(xc);
	if (xen_option("xen.fifo", true) && evtchn_fifo.cpu_init(xc) == 0) {
		abi = &evtchn_fifo;
		return 0;
	}
	abi = &evtchn_2l;
	return abi->cpu_init(xc);
}

static struct port *port_get(evtchn_port_t n)
{
	struct port *chunk;

	if (n == 0 || n >= EVTCHN_FIFO_NR_CHANNELS)
		return NULL;
	chunk = __atomic_load_n(&chunks[n / PORTS_PER_CHUNK], __ATOMIC_ACQUIRE);
	return chunk ? &chunk[n % PORTS_PER_CHUNK] : NULL;
}

/* The same, but makes room for it; NULL when there is no memory. */
static struct port *port_make(evtchn_port_t n)
{
	struct port **slot = &chunks[n / PORTS_PER_CHUNK];
	unsigned long flags = spin_lock_irqsave(&grow_lock);

	if (!*slot)
		__atomic_store_n(slot,
		    kmalloc_array(PORTS_PER_CHUNK, sizeof(struct port)),
		    __ATOMIC_RELEASE);
	spin_unlock_irqrestore(&grow_lock, flags);
	return port_get(n);
}

/* --- making ports ------------------------------------------------------- */

int evtchn_alloc(domid_t remote, evtchn_port_t *port)
{
	struct evtchn_alloc_unbound op = {
		.dom = DOMID_SELF,
		.remote_dom = remote,
	};
	int err = hypercall_evtchn(EVTCHNOP_alloc_unbound, &op);

	*port = err == 0 ? op.port : 0;
	return err;
}

int evtchn_bind_virq(unsigned virq, unsigned cpu, evtchn_port_t *port)
{
	struct xen_cpu *xc = xen_cpu(cpu);
	struct evtchn_bind_virq op = { .virq = virq };
	int err;

	*port = 0;
	if (!xc)
		return -EINVAL;
	op.vcpu = xc->vcpu;
	err = hypercall_evtchn(EVTCHNOP_bind_virq, &op);
	if (err == 0)
		*port = op.port;
	return err;
}

int evtchn_bind_ipi(unsigned cpu, evtchn_port_t *port)
{
	struct xen_cpu *xc = xen_cpu(cpu);
	struct evtchn_bind_ipi op = { .vcpu = 0 };
	int err;

	*port = 0;
	if (!xc)
		return -EINVAL;
	op.vcpu = xc->vcpu;
	err = hypercall_evtchn(EVTCHNOP_bind_ipi, &op);
	if (err == 0)
		*port = op.port;
	return err;
}

/*
 * Virtual interrupts and IPIs are bound to their vcpu for ever and Xen says
 * EINVAL to a second binding, even to the same one.
 */
static int port_bind_cpu(evtchn_port_t n, uint32_t vcpu)
{
	struct evtchn_status st = { .dom = DOMID_SELF, .port = n };
	struct evtchn_bind_vcpu op = { .port = n, .vcpu = vcpu };
	int err = hypercall_evtchn(EVTCHNOP_status, &st);

	if (err != 0)
		return err;
	if (st.status == EVTCHNSTAT_closed)
		return -EINVAL;
	if (st.vcpu == vcpu)
		return 0;
	return hypercall_evtchn(EVTCHNOP_bind_vcpu, &op);
}

int evtchn_handle(evtchn_port_t n, unsigned cpu, evtchn_fn fn, void *arg)
{
	struct xen_cpu *xc = xen_cpu(cpu);
	struct port *p;
	int err;

	if (!abi || !xc || n == 0 || n >= abi->nports)
		return -EINVAL;
	p = port_make(n);
	if (!p)
		return -ENOMEM;
	err = abi->port_init(n);
	if (err != 0)
		return err;
	err = port_bind_cpu(n, xc->vcpu);
	if (err != 0)
		return err;
	p->arg = arg;
	p->cpu = cpu;
	__atomic_store_n(&p->fn, fn, __ATOMIC_SEQ_CST);
	return 0;
}

/* --- using them --------------------------------------------------------- */

void evtchn_mask(evtchn_port_t n)
{
	if (port_get(n))
		abi->mask(n);
}

void evtchn_unmask(evtchn_port_t n)
{
	if (port_get(n))
		abi->unmask(n);
}

void evtchn_notify(evtchn_port_t n)
{
	struct evtchn_send op = { .port = n };

	if (n != 0)
		hypercall_evtchn(EVTCHNOP_send, &op);
}

void evtchn_close(evtchn_port_t n)
{
	struct evtchn_close op = { .port = n };
	struct port *p = port_get(n);

	if (n == 0)
		return;
	if (p) {
		evtchn_mask(n);
		__atomic_store_n(&p->fn, NULL, __ATOMIC_SEQ_CST);
		while (__atomic_load_n(&p->running, __ATOMIC_SEQ_CST))
			cpu_relax();
	}
	/* A pending bit that stays is replayed to the port's next user. */
	hypercall_evtchn(EVTCHNOP_close, &op);
}

/*
 * (running) is set before (fn) is read, and evtchn_close() clears (fn) before
 * it reads (running): one of the two sees the other.  It also keeps two cpus
 * out of one handler: with the FIFO ABI a port that was closed while queued
 * can show up once on the cpu of its former life.
 */
void evtchn_deliver(struct xen_cpu *xc, evtchn_port_t n)
{
	struct port *p = port_get(n);
	evtchn_fn fn;

	if (!p || (p->cpu != xc->cpu && !abi->strays))
		return;
	abi->clear(n);
	while (__atomic_exchange_n(&p->running, 1, __ATOMIC_SEQ_CST))
		cpu_relax();
	fn = __atomic_load_n(&p->fn, __ATOMIC_SEQ_CST);
	if (fn)
		fn(p->arg);
	__atomic_store_n(&p->running, 0, __ATOMIC_SEQ_CST);
}

void evtchn_upcall(struct xen_cpu *xc)
{
	do {
		/* First, so that an event during the scan is not lost. */
		__atomic_exchange_n(
		    &xc->info.evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);
		abi->scan(xc);
	} while (READ_ONCE(xc->info.evtchn_upcall_pending) != 0);
}
