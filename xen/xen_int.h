#ifndef XEN_INT_H
#define XEN_INT_H

/* What the files of xen/ share.  Nothing else includes this. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kern/compiler.h"
#include "kern/platform.h"
#include "xen/abi.h"
#include "xen/evtchn.h"
#include <xen/hvm/params.h>

/* --- hypercall.S -------------------------------------------------------- */

extern uint8_t hypercall_page[];

long xen_hypercall(unsigned nr, unsigned long a, unsigned long b,
    unsigned long c, unsigned long d);

static inline int hypercall_op(unsigned nr, unsigned cmd, void *arg)
{
	return (int)xen_hypercall(nr, cmd, (unsigned long)arg, 0, 0);
}

static inline int hypercall_memory(unsigned cmd, void *arg)
{
	return hypercall_op(__HYPERVISOR_memory_op, cmd, arg);
}

static inline int hypercall_evtchn(unsigned cmd, void *arg)
{
	return hypercall_op(__HYPERVISOR_event_channel_op, cmd, arg);
}

static inline int hypercall_sched(unsigned cmd, void *arg)
{
	return hypercall_op(__HYPERVISOR_sched_op, cmd, arg);
}

static inline int hypercall_hvm(unsigned cmd, void *arg)
{
	return hypercall_op(__HYPERVISOR_hvm_op, cmd, arg);
}

static inline int hypercall_vcpu(unsigned cmd, unsigned vcpu, void *arg)
{
	return (int)xen_hypercall(
	    __HYPERVISOR_vcpu_op, cmd, vcpu, (unsigned long)arg, 0);
}

static inline int hypercall_gnttab(unsigned cmd, void *arg, unsigned count)
{
	return (int)xen_hypercall(
	    __HYPERVISOR_grant_table_op, cmd, (unsigned long)arg, count, 0);
}

/* --- xen.c -------------------------------------------------------------- */

extern struct shared_info *const xen_shared;

/* 0 or -errno. */
int xen_param_get(unsigned index, uint64_t *value);
int xen_param_set(unsigned index, uint64_t value);

/* Make page (idx) of (space) appear at the page of RAM (va). */
int xen_add_to_physmap(unsigned space, unsigned long idx, const void *va);

/* A boot token "xen.KEY=0" turns a feature off. */
bool xen_option(const char *key, bool dflt);

/* --- xencpu.c ----------------------------------------------------------- */

/* One per cpu, in struct cpu's xen. */
struct xen_cpu {
	struct vcpu_info info; /* Xen writes here: inside one page */
	uint32_t cpu, vcpu;
	evtchn_port_t ipi[2]; /* VECTOR_RESCHED, VECTOR_CALL; 0: none */
	bool timer_ready;

	/* evtchn_fifo.c's: heads of the queues as we have read them */
	struct evtchn_fifo_control_block *fifo;
	uint32_t fifo_head[EVTCHN_FIFO_MAX_QUEUES];
} ALIGNED(CACHE_LINE);

/* NULL while (cpu) has not been through xen_cpu_init(). */
struct xen_cpu *xen_cpu(unsigned cpu);

void xen_cpu_init(unsigned cpu);
void xen_ipi(unsigned cpu, unsigned vector);

/* --- xenclock.c --------------------------------------------------------- */

uint64_t xen_tsc_hz(void);
uint64_t xen_clock_mono(void);
uint64_t xen_clock_wall(void);
const volatile struct pvclock_time *xen_clock_area(void);
void xen_timer_set(uint64_t deadline);
/* Time comes from the cpu's own registered area from now on. */
void xen_clock_cpu_ready(void);

/* --- evtchn.c ----------------------------------------------------------- */

struct evtchn_abi {
	const char *name;
	uint32_t nports;
	int (*cpu_init)(struct xen_cpu *); /* 0 or -errno */
	int (*port_init)(evtchn_port_t);   /* leaves the port masked */
	/* An event may show up on another cpu than its port's. */
	bool strays;
	void (*clear)(evtchn_port_t); /* the pending bit */
	void (*mask)(evtchn_port_t);
	void (*unmask)(evtchn_port_t);
	void (*scan)(struct xen_cpu *); /* evtchn_deliver() what is due */
};
extern const struct evtchn_abi evtchn_2l, evtchn_fifo;

int evtchn_cpu_init(struct xen_cpu *); /* the first one chooses the ABI */
void evtchn_upcall(struct xen_cpu *);  /* event context */
void evtchn_deliver(struct xen_cpu *, evtchn_port_t);
const char *evtchn_abi_name(void);

/* --- gnttab.c, xenstore.c, xenbus.c, xencons.c, shutdown.c, balloon.c ---- */

int gnttab_init(void);
void xenstore_early(void);
int xenstore_init(void);
void xenbus_probe(void); /* the devices of now; waits for their drivers */
void xenbus_watch(void); /* and those to come */
void xencons_early(void);
void xencons_putc(char);
void xencons_init(void);
void xencons_drain(bool crash); /* before the domain stops: bounded */
void xen_shutdown_init(void);
void xen_balloon_init(void);

#endif /* XEN_INT_H */
