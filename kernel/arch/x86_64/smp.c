/* Other processors. */

#include "kern/compiler.h"

#include "apic.h"
#include "arch_int.h"

static _Atomic bool stopping;

void arch_hang(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

void smp_stop_check(void)
{
	if (stopping)
		arch_hang();
}

void arch_stop_others(void)
{
	unsigned self = cpu_self()->id;

	stopping = true;
	if (!apic_present())
		return;
	for (unsigned i = 0; i < CPU_MAX && cpus[i]; i++)
		if (i != self && cpus[i]->online)
			apic_send(cpus[i]->apic_id, APIC_DELIVER_NMI);
}

void cpu_ipi(unsigned cpu, unsigned vector)
{
	apic_send(cpus[cpu]->apic_id, APIC_DELIVER_FIXED | vector);
}

void cpu_call(unsigned cpu, void (*fn)(void *), void *arg)
{
	(void)cpu;
	(void)fn;
	(void)arg;
}

void smp_start(void)
{
}
