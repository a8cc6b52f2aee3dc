/*
 * Plain QEMU without KVM: no hypervisor signature matches, the TSC and the
 * local APIC keep time.  kvm.c builds on the same parts.
 */

#include "kern/arch.h"
#include "kern/compiler.h"
#include "kern/platform.h"

#include "acpi_int.h"
#include "mmio_int.h"
#include "pc_int.h"
#include "vpci_int.h"

int pc_early(uint32_t cpuid_base)
{
	(void)cpuid_base;
	uart_early();
	return 0;
}

/* A terminal needs the carriage return; console.c may have sent it. */
void pc_putc(char c)
{
	static char last;

	if (c == '\n' && last != '\r')
		uart_putc('\r');
	uart_putc(c);
	last = c;
}

int pc_init(void)
{
	uart_init(); /* a machine without a UART is fine */
	acpi_power_init();
	return 0;
}

void pc_probe(void)
{
	if (pci_cfg_init())
		pci_scan(vpci_found);
	vmmio_probe();
}

static const struct platform pc_platform = {
	.name = "pc",
	.cpuid_sig = NULL,
	.early = pc_early,
	.putc = pc_putc,
	.init = pc_init,
	.probe = pc_probe,
	.halt = pc_halt,
};
PLATFORM(pc_platform);
