/*
 * Calls between processors.  Each cpu has one call of its own under way at
 * most, since it waits for its end with preemption off; the cpus it concerns
 * have its bit set in their (from).
 */

#include "kern/compiler.h"
#include "kern/panic.h"
#include "kern/platform.h"
#include "kern/sched.h"

#include "apic.h"
#include "arch_int.h"

void cpu_ipi(unsigned cpu, unsigned vector)
{
	if (platform->ipi)
		platform->ipi(cpu, vector);
	else
		apic_send(cpus[cpu]->apic_id, APIC_DELIVER_FIXED | vector);
}

static void call_serve(unsigned sender)
{
	struct cpu_call *call = &cpus[sender]->arch->call;

	call->fn(call->arg);
	/* the last access: the sender may go on */
	atomic_fetch_sub_explicit(&call->pending, 1, memory_order_release);
}

static void call_vector(void *arg)
{
	struct arch_cpu *a = cpu_self()->arch;

	(void)arg;
	for (unsigned w = 0; w < CPU_SET_WORDS; w++) {
		uint64_t bits;

		if (!atomic_load_explicit(
			&a->call_from[w], memory_order_relaxed))
			continue;
		bits = atomic_exchange(&a->call_from[w], 0);
		for (; bits; bits &= bits - 1)
			call_serve(w * 64 + (unsigned)__builtin_ctzll(bits));
	}
}

void ipi_init(void)
{
	irq_vector_set(VECTOR_CALL, call_vector, NULL);
}

static unsigned set_count(const struct cpu_set *set)
{
	unsigned n = 0;

	for (unsigned w = 0; w < CPU_SET_WORDS; w++)
		for (uint64_t b = set->bits[w]; b; b &= b - 1)
			n++;
	return n;
}

void cpu_call_set(const struct cpu_set *set, void (*fn)(void *), void *arg)
{
	struct cpu *self = cpu_self();
	struct cpu_call *call = &self->arch->call;
	unsigned n = set_count(set);

	if (!n)
		return;
	/* with interrupts off two cpus could wait for each other for ever */
	assert(irq_enabled() && self->preempt_off);
	call->fn = fn;
	call->arg = arg;
	atomic_store_explicit(&call->pending, n, memory_order_relaxed);
	for (unsigned i = 0; i < CPU_MAX; i++) {
		if (!(set->bits[i / 64] >> (i % 64) & 1))
			continue;
		atomic_fetch_or(&cpus[i]->arch->call_from[self->id / 64],
		    1ull << (self->id % 64));
		cpu_ipi(i, VECTOR_CALL);
	}
	while (atomic_load_explicit(&call->pending, memory_order_acquire))
		cpu_relax();
}

void cpu_call_others(void (*fn)(void *), void *arg)
{
	struct cpu_set set = { 0 };

	preempt_disable();
	for (unsigned i = 0; i < CPU_MAX && cpus[i]; i++)
		if (cpus[i] != cpu_self() && cpus[i]->online)
			set.bits[i / 64] |= 1ull << (i % 64);
	cpu_call_set(&set, fn, arg);
	preempt_enable();
}

void cpu_call(unsigned cpu, void (*fn)(void *), void *arg)
{
	struct cpu_set set = { 0 };
	unsigned long flags;

	preempt_disable();
	if (cpu == cpu_self()->id) {
		flags = irq_save();
		fn(arg);
		irq_restore(flags);
	} else {
		set.bits[cpu / 64] |= 1ull << (cpu % 64);
		cpu_call_set(&set, fn, arg);
	}
	preempt_enable();
}
