/* Where a physical address is seen, and what lies behind a kernel address. */

#include "kern/arch.h"
#include "kern/mm.h"
#include "kern/panic.h"

paddr_t va_to_pa(const void *va)
{
	uintptr_t a = (uintptr_t)va;

	if (a >= KERNEL_BASE)
		return a - KERNEL_BASE;
	assert(a >= DIRECT_MAP_BASE && a < KMAP_BASE);
	return a - DIRECT_MAP_BASE;
}

void *pa_to_va(paddr_t pa)
{
	return (void *)(DIRECT_MAP_BASE + pa);
}
