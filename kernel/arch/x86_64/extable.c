/* Which kernel instructions may fault, and where they go on then. */

#include "kern/compiler.h"

#include "arch_int.h"
#include "extable.h"

struct extable_entry {
	uint64_t rip, fixup;
};

extern const struct extable_entry ex_table_start[], ex_table_end[];

uintptr_t extable_find(uintptr_t rip)
{
	const struct extable_entry *e;

	for (e = ex_table_start; e < ex_table_end; e++)
		if (e->rip == rip)
			return e->fixup;
	return 0;
}
