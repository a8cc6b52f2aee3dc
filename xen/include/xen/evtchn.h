#ifndef XEN_EVTCHN_H
#define XEN_EVTCHN_H

/*
 * Event channels, in the 2-level or the FIFO ABI: nobody above can tell.
 * Source: xen/include/public/event_channel.h.  xen/evtchn.c
 *
 * A port is a number that Xen gives; a function here that gets one which is
 * out of range or not open returns -EINVAL or does nothing.
 */

#include "xen/abi.h"
#include <xen/event_channel.h>

/* Event context, on the port's cpu; not re-entered for the same port. */
typedef void (*evtchn_fn)(void *arg);

/* A new port that domain (remote) can bind to.  Closed by evtchn_close().
 * Thread context. */
int evtchn_alloc(domid_t remote, evtchn_port_t *port);

/* A virtual interrupt of (cpu), which stays there.  Any context. */
int evtchn_bind_virq(unsigned virq, unsigned cpu, evtchn_port_t *port);

/* A port by which other cpus interrupt (cpu).  Any context. */
int evtchn_bind_ipi(unsigned cpu, evtchn_port_t *port);

/*
 * Events on (port) run fn(arg) on (cpu).  The port starts masked: nothing is
 * delivered until evtchn_unmask().  Thread context, or early boot.
 * 0, -EINVAL, -ENOMEM.
 */
int evtchn_handle(evtchn_port_t port, unsigned cpu, evtchn_fn fn, void *arg);

/* Any context.  An event that comes while masked is delivered on unmask. */
void evtchn_mask(evtchn_port_t port);
void evtchn_unmask(evtchn_port_t port);

/* Send an event to the other end.  Any context. */
void evtchn_notify(evtchn_port_t port);

/* Close the port; returns when no handler of it runs any more.  Thread
 * context, not with a lock held that the handler takes. */
void evtchn_close(evtchn_port_t port);

#endif /* XEN_EVTCHN_H */
