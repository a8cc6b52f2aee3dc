#ifndef KERN_TRACE_H
#define KERN_TRACE_H

/*
 * Static trace points.  One that is off costs a no-op; one that is on writes a
 * record of fixed size into a ring of its cpu, where new records replace old
 * ones.  Any context but an NMI.  Names, files and formats are those of
 * Linux's tracefs: /sys/kernel/tracing/{available_events,set_event,trace}, and
 * --trace= at boot.  kernel/base/trace.c
 */

#include <stdbool.h>
#include <stdint.h>

#include "arch.h"
#include "compiler.h"

#define TRACE_ARGS 4

struct tracepoint {
	const char *system, *name; /* "sched", "sched_switch" */
	/* The names of the values with commas between; signed decimal, or
	 * hexadecimal with "%x" behind the name. */
	const char *fields;
	bool on; /* kernel/base/trace.c's, under its lock */
	/* It was switched on or off.  NULL: nobody has to know. */
	void (*changed)(void);
};

/* At file scope, where the thing happens: TRACEPOINT(sched, sched_switch,
 * "prev_pid,next_pid"). */
#define TRACEPOINT(sys, event, names) \
	TRACEPOINT_WATCHED(sys, event, names, NULL)
/* The same, with what to call when it is switched. */
#define TRACEPOINT_WATCHED(sys, event, names, fn)         \
	static struct tracepoint trace_##event = {        \
		.system = #sys,                           \
		.name = #event,                           \
		.fields = names,                          \
		.changed = fn,                            \
	};                                                \
	static struct tracepoint *const trace_set_##event \
	    __attribute__((section("trace_set"), used)) = &trace_##event

/* TRACE(sched_switch, prev->id, next->id): up to TRACE_ARGS values, which are
 * not computed while the point is off. */
#define TRACE(event, ...)                                                   \
	do {                                                                \
		if (branch_enabled(&trace_##event))                         \
			CALL_KEEPING2(trace_record, &trace_##event,         \
			    ((const uint64_t[TRACE_ARGS]){ __VA_ARGS__ })); \
	} while (0)

KEEPS_REGISTERS void trace_record(
    const struct tracepoint *, const uint64_t args[TRACE_ARGS]);

/* Boot, thread context, once the cpus are up: what --trace= names. */
void trace_start(void);

#endif /* KERN_TRACE_H */
