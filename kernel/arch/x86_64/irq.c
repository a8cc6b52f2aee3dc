/*
 * Interrupt vectors: fixed ones, which are the same on every cpu, and those
 * that irq_vector_alloc() gives out per cpu for MSIs.
 */

#include "kern/compiler.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/num.h"
#include "kern/panic.h"
#include "kern/sched.h"
#include "kern/trace.h"

#include "apic.h"
#include "arch_int.h"

TRACEPOINT(irq, irq_handler_entry, "irq");
TRACEPOINT(irq, irq_handler_exit, "irq,handled");

struct irq_slot {
	_Atomic(irq_fn) fn;
	void *arg;
};

#define NDYN (VECTOR_DYN_LAST - VECTOR_DYN_FIRST + 1)

static struct irq_slot fixed[256];
static struct irq_slot *dynamic[CPU_MAX]; /* NDYN each */

/*
 * Protects the finding of a free slot.  A spinlock, because drivers may be
 * handed vectors with preemption off; held for a scan.
 */
static struct spinlock alloc_lock = SPINLOCK_INIT;

void irq_vector_set(unsigned vector, irq_fn fn, void *arg)
{
	fixed[vector].arg = arg;
	atomic_store_explicit(&fixed[vector].fn, fn, memory_order_release);
}

static bool slot_run(struct irq_slot *s)
{
	irq_fn fn = atomic_load_explicit(&s->fn, memory_order_acquire);

	if (fn)
		fn(s->arg);
	return fn;
}

void irq_vector_run(unsigned vector)
{
	slot_run(&fixed[vector]);
}

void irq_dispatch(unsigned vector)
{
	struct irq_slot *dyn = dynamic[cpu_self()->id];
	bool ran;

	TRACE(irq_handler_entry, vector);
	ran = slot_run(&fixed[vector]);
	if (vector >= VECTOR_DYN_FIRST && vector <= VECTOR_DYN_LAST && dyn)
		ran |= slot_run(&dyn[vector - VECTOR_DYN_FIRST]);
	TRACE(irq_handler_exit, vector, ran);
	if (!ran && vector != VECTOR_SPURIOUS)
		log_once(LOG_WARN, "interrupt %#x is nobody's", vector);
	if (vector != VECTOR_XEN_UPCALL && vector != VECTOR_SPURIOUS)
		apic_eoi();
}

/* Thread context, once per cpu.  The table stays. */
static int dynamic_ready(unsigned cpu)
{
	struct irq_slot *table, *none = NULL;

	if (__atomic_load_n(&dynamic[cpu], __ATOMIC_ACQUIRE))
		return 0;
	table = kmalloc_array(NDYN, sizeof(*table));
	if (!table)
		return -ENOMEM;
	if (!__atomic_compare_exchange_n(&dynamic[cpu], &none, table, false,
		__ATOMIC_RELEASE, __ATOMIC_RELAXED))
		kfree(table);
	return 0;
}

int irq_vector_alloc(unsigned cpu, irq_fn fn, void *arg)
{
	unsigned long flags;
	int found = -ENOSPC;

	if (cpu >= cpu_count() || dynamic_ready(cpu))
		return -ENOSPC;
	flags = spin_lock_irqsave(&alloc_lock);
	for (unsigned i = 0; i < NDYN; i++) {
		struct irq_slot *s = &dynamic[cpu][i];

		if (s->fn || fixed[VECTOR_DYN_FIRST + i].fn)
			continue;
		s->arg = arg;
		atomic_store_explicit(&s->fn, fn, memory_order_release);
		found = VECTOR_DYN_FIRST + (int)i;
		break;
	}
	spin_unlock_irqrestore(&alloc_lock, flags);
	return found;
}

static void nothing(void *arg)
{
	(void)arg;
}

void irq_vector_free(unsigned cpu, unsigned vector)
{
	struct irq_slot *s = &dynamic[cpu][vector - VECTOR_DYN_FIRST];

	atomic_store_explicit(&s->fn, NULL, memory_order_release);
	/* a handler runs with interrupts off: this call comes after it */
	if (cpu != cpu_self()->id)
		cpu_call(cpu, nothing, NULL);
}

/* Intel SDM volume 3, 10.11: fixed delivery, edge, physical destination. */
void irq_msi_message(
    unsigned cpu, unsigned vector, uint64_t *addr, uint32_t *data)
{
	uint32_t id = cpus[cpu]->apic_id;

	assert(id < 256); /* more needs interrupt remapping */
	*addr = 0xfee00000u | id << 12;
	*data = vector;
}
