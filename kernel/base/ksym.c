/*
 * Names of kernel functions, for backtraces.  The table is made by tools/mksyms
 * from the first link: sorted pairs of (offset from KERNEL_BASE, offset of the
 * name), both 32 bits; then the names.
 */

#include <stddef.h>

#include "kern/arch.h"
#include "kern/compiler.h"
#include "kern/ksym.h"

struct ksym {
	uint32_t addr, name;
};

/* Both at 0 in the first link, which has no table. */
extern const char ksyms_start[] WEAK, ksyms_end[] WEAK;
extern const char ksyms_names[] WEAK;

const char *ksym_find(uint64_t addr, uint64_t *off)
{
	const struct ksym *s = (const void *)ksyms_start;
	size_t lo = 0;
	size_t hi = (size_t)(ksyms_end - ksyms_start) / sizeof(*s);
	uint64_t rel = addr - KERNEL_BASE;

	if (!hi || addr < (uintptr_t)kernel_start ||
	    addr >= (uintptr_t)text_end || rel < s[0].addr)
		return NULL;
	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (s[mid].addr <= rel)
			lo = mid;
		else
			hi = mid;
	}
	*off = rel - s[lo].addr;
	return ksyms_names + s[lo].name;
}
