/*
 * Branches that are a no-op of five bytes in the text until somebody wants them
 * taken: the no-op becomes a jump of the same length.
 */

#include "kern/compiler.h"
#include "kern/string.h"

#include "arch_int.h"

#define BRANCH_LEN 5
#define JMP_REL32  0xe9

/* What branch_enabled() leaves behind for each of its places. */
struct branch_site {
	uintptr_t at, target;
	const void *key;
};

extern const struct branch_site branch_sites_start[], branch_sites_end[];

static const uint8_t nop[BRANCH_LEN] = { 0x0f, 0x1f, 0x44, 0, 0 };

static void site_set(const struct branch_site *s, bool on)
{
	uint8_t jmp[BRANCH_LEN] = { JMP_REL32 };
	uint32_t rel = (uint32_t)(s->target - (s->at + BRANCH_LEN));

	memcpy(jmp + 1, &rel, sizeof(rel));
	memcpy((void *)s->at, on ? jmp : nop, BRANCH_LEN);
}

/*
 * The text has no writable alias.  Write protection is off for the stores
 * only; interrupts are, so that nobody else runs without it.
 */
void arch_branch_set(const void *key, bool on)
{
	unsigned long flags = irq_save();
	uint64_t cr0 = read_cr0();

	write_cr0(cr0 & ~(uint64_t)CR0_WP);
	for (const struct branch_site *s = branch_sites_start;
	     s < branch_sites_end; s++)
		if (s->key == key)
			site_set(s, on);
	write_cr0(cr0);
	arch_sync_core();
	irq_restore(flags);
}

/* CPUID serialises: Intel SDM volume 3, 9.1.3. */
void arch_sync_core(void)
{
	uint32_t r[4];

	cpuid(0, 0, r);
}
