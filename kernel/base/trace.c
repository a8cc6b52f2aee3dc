/*
 * Trace points: a ring of records on each cpu, written by that cpu with
 * interrupts off and read by anybody.  A reader copies a record and takes it
 * only if its number is the same before and after.
 */

#include "kern/trace.h"

#include "kern/clock.h"
#include "kern/errno.h"
#include "kern/lock.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/param.h"
#include "kern/procfs.h"
#include "kern/sched.h"
#include "kern/string.h"

#define RING_RECORDS 4096u /* a power of 2 */
#define NAME_MAX     64

struct record {
	_Atomic uint64_t number; /* from 1; 0: being written */
	uint64_t time;
	const struct tracepoint *tp;
	uint64_t args[TRACE_ARGS];
	uint32_t tid;
	char comm[16];
};

struct ring {
	uint64_t head;         /* records ever written; its cpu's */
	_Atomic uint64_t tail; /* records before it were cleared */
	struct record record[RING_RECORDS];
};

extern struct tracepoint *const trace_set_start[];
extern struct tracepoint *const trace_set_end[];

/* Of each cpu; made when the first point is switched on, and kept. */
static struct ring *rings[CPU_MAX];

static struct mutex control = MUTEX_INIT(control);

void trace_record(const struct tracepoint *tp, const uint64_t args[TRACE_ARGS])
{
	unsigned long flags = irq_save();
	struct ring *r = rings[cpu_self()->id];
	const struct thread *t = thread_self();
	struct record *rec = &r->record[r->head % RING_RECORDS];

	atomic_store_explicit(&rec->number, 0, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	rec->time = clock_mono();
	rec->tp = tp;
	memcpy(rec->args, args, sizeof(rec->args));
	rec->tid = t->id;
	memcpy(rec->comm, t->name, sizeof(rec->comm));
	WRITE_ONCE(r->head, r->head + 1);
	atomic_store_explicit(&rec->number, r->head, memory_order_release);
	irq_restore(flags);
}

/* Up to the first of two separators, or the end. */
static size_t word_length(const char *s, char a, char b)
{
	size_t n = 0;

	while (s[n] && s[n] != a && s[n] != b)
		n++;
	return n;
}

/* --- switching on and off ------------------------------------------------ */

/* "*" and "?" as a shell has them. */
static bool matches(const char *glob, size_t n, const char *s)
{
	while (n && *glob != '*') {
		if (!*s || (*glob != '?' && *glob != *s))
			return false;
		glob++, n--, s++;
	}
	if (!n)
		return !*s;
	do {
		if (matches(glob + 1, n - 1, s))
			return true;
	} while (*s++);
	return false;
}

/* "sched:sched_switch", "sched_switch" or "sched:*". */
static bool names(const char *glob, size_t n, const struct tracepoint *tp)
{
	char full[NAME_MAX];

	(void)snprintf(full, sizeof(full), "%s:%s", tp->system, tp->name);
	return matches(glob, n, full) || matches(glob, n, tp->name);
}

static int rings_make(void)
{
	for (unsigned i = 0; i < cpu_count(); i++)
		if (!rings[i] && !(rings[i] = vmalloc(sizeof(*rings[i]))))
			return -ENOMEM;
	return 0;
}

static void branches_set(void *arg)
{
	(void)arg;
	for (struct tracepoint *const *p = trace_set_start; p < trace_set_end;
	     p++)
		arch_branch_set(*p, (*p)->on);
}

/* The points that (glob) names; -EINVAL when there is none. */
static int points_set(const char *glob, size_t n, bool on)
{
	int err = -EINVAL;

	for (struct tracepoint *const *p = trace_set_start; p < trace_set_end;
	     p++) {
		if (!names(glob, n, *p))
			continue;
		(*p)->on = on;
		if ((*p)->changed)
			(*p)->changed();
		err = 0;
	}
	return err;
}

/* (list): globs with commas or blanks between; "!" switches off. */
static int trace_set(const char *list)
{
	int err, wrong = 0;

	mutex_lock(&control);
	err = rings_make();
	while (!err && *list) {
		size_t n = word_length(list, ',', ' ');
		bool off = *list == '!';

		if (n > off && points_set(list + off, n - off, !off)) {
			log_warn("trace: no trace point is called %.*s; see "
				 "/sys/kernel/tracing/available_events",
			    (int)n, list);
			wrong = -EINVAL;
		}
		list += n + (list[n] != '\0');
	}
	if (!err)
		err = cpus_stop(branches_set, NULL);
	mutex_unlock(&control);
	return err ? err : wrong;
}

void trace_start(void)
{
	if (boot_params.trace && trace_set(boot_params.trace) == -ENOMEM)
		log_err(
		    "trace: no memory for the rings: --trace has no effect");
}

/* --- what a reader sees -------------------------------------------------- */

static void print_value(
    struct proc_out *o, const char *field, size_t n, uint64_t v)
{
	if (n > 2 && !strncmp(field + n - 2, "%x", 2))
		proc_printf(
		    o, " %.*s=%#lx", (int)n - 2, field, (unsigned long)v);
	else
		proc_printf(o, " %.*s=%ld", (int)n, field, (long)v);
}

static void print_record(
    struct proc_out *o, unsigned cpu, const struct record *rec)
{
	uint64_t us = rec->time / 1000;
	const char *field = rec->tp->fields;

	proc_printf(o, "%16s-%-7u [%03u] %6lu.%06lu: %s:", rec->comm, rec->tid,
	    cpu, (unsigned long)(us / 1000000), (unsigned long)(us % 1000000),
	    rec->tp->name);
	for (unsigned i = 0; i < TRACE_ARGS && *field; i++) {
		size_t n = word_length(field, ',', ',');

		print_value(o, field, n, rec->args[i]);
		field += n + (field[n] != '\0');
	}
	proc_printf(o, "\n");
}

/* Copy record (number) of (r); false: it is gone. */
static bool record_copy(
    const struct ring *r, uint64_t number, struct record *out)
{
	const struct record *rec = &r->record[(number - 1) % RING_RECORDS];

	if (atomic_load_explicit(&rec->number, memory_order_acquire) != number)
		return false;
	memcpy(out, rec, sizeof(*out));
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&rec->number, memory_order_relaxed) ==
	       number;
}

/* A reader's place in one ring. */
struct cursor {
	uint64_t next, end; /* numbers */
	struct record rec;  /* number (next), if there is one */
};

static void cursor_load(struct cursor *c, const struct ring *r)
{
	while (c->next < c->end && !record_copy(r, c->next, &c->rec))
		c->next++;
}

static void cursor_begin(struct cursor *c, const struct ring *r)
{
	uint64_t head = READ_ONCE(r->head);
	uint64_t kept = head > RING_RECORDS ? head - RING_RECORDS : 0;

	c->next = MAX(kept, atomic_load(&r->tail)) + 1;
	c->end = head + 1;
	cursor_load(c, r);
}

/* The cpu whose next record is the oldest; (ncpu): there is none. */
static unsigned oldest(const struct cursor *c, unsigned ncpu)
{
	unsigned best = ncpu;

	for (unsigned i = 0; i < ncpu; i++)
		if (c[i].next < c[i].end &&
		    (best == ncpu || c[i].rec.time < c[best].rec.time))
			best = i;
	return best;
}

static int trace_show(struct proc_out *o)
{
	unsigned ncpu = 0, i;
	struct cursor *c;

	proc_printf(o, "# tracer: nop\n#\n"
		       "#           TASK-PID     CPU#     TIMESTAMP  FUNCTION\n"
		       "#              | |         |         |         |\n");
	while (ncpu < CPU_MAX && rings[ncpu])
		ncpu++;
	c = ncpu ? kmalloc_array(ncpu, sizeof(*c)) : NULL;
	if (!c)
		return ncpu ? -ENOMEM : 0;
	for (i = 0; i < ncpu; i++)
		cursor_begin(&c[i], rings[i]);
	while ((i = oldest(c, ncpu)) < ncpu) {
		print_record(o, i, &c[i].rec);
		c[i].next++;
		cursor_load(&c[i], rings[i]);
	}
	kfree(c);
	return 0;
}

/* Whatever is written clears it: a shell's "echo > trace". */
static int trace_clear(const char *text)
{
	(void)text;
	for (unsigned i = 0; i < CPU_MAX && rings[i]; i++)
		atomic_store(&rings[i]->tail, READ_ONCE(rings[i]->head));
	return 0;
}

static int show_points(struct proc_out *o, bool all)
{
	for (struct tracepoint *const *p = trace_set_start; p < trace_set_end;
	     p++)
		if (all || (*p)->on)
			proc_printf(o, "%s:%s\n", (*p)->system, (*p)->name);
	return 0;
}

static int available_show(struct proc_out *o)
{
	return show_points(o, true);
}

static int event_show(struct proc_out *o)
{
	return show_points(o, false);
}

static const struct proc_file trace_file = {
	.path = "/sys/kernel/tracing/trace",
	.show = trace_show,
	.store = trace_clear,
};
PROC_FILE(trace_file);

static const struct proc_file event_file = {
	.path = "/sys/kernel/tracing/set_event",
	.show = event_show,
	.store = trace_set,
};
PROC_FILE(event_file);

static const struct proc_file available_file = {
	.path = "/sys/kernel/tracing/available_events",
	.show = available_show,
};
PROC_FILE(available_file);
