/* The order in which the processor's parts come up; kernel/main.c calls. */

#include "kern/compiler.h"
#include "kern/panic.h"
#include "kern/platform.h"

#include "apic.h"
#include "arch_int.h"
#include "fpu.h"
#include "time.h"

void arch_early_init(void)
{
	cpu_features_init();
	trap_init();
	cpu_boot_init();
	pvh_read_start_info();
}

void arch_memory_init(void)
{
	clock_early_init();
	bootmem_normalise(&boot_info);
	if (!boot_info.nmem)
		panic("the loader gave no memory map");
	smp_reserve();
	paging_init();
}

void arch_irq_init(void)
{
	fpu_init();
	apic_init();
	ipi_init();
	apic_cpu_init();
	clock_apic_start();
	apic_topology_read();
	ioapic_init();
	clock_init();
	if (platform->cpu_init)
		platform->cpu_init(0);
}
