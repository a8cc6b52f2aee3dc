#include "exec_int.h"

#include <linux/personality.h>

#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/procfs.h"
#include "kern/rand.h"
#include "kern/string.h"
#include "kern/vm.h"
#include "task_int.h"

/*
 * Where the parts of a program go.  How many bits are random is Linux's default
 * for x86-64; so are the bases.  Source: arch/x86/mm/mmap.c,
 * arch/x86/kernel/process.c and fs/binfmt_elf.c
 */

#define PIE_BASE   0x555555554000ul
#define PIE_BITS   28 /* pages */
#define STACK_BITS 22
#define BRK_BITS   13

/* randomize_va_space of /proc/sys/kernel: 0 nothing, 1 not the break, 2 all. */
static _Atomic unsigned randomize = 2;

static uint64_t random_pages(unsigned bits)
{
	return (rand_u64() & ((1ul << bits) - 1)) << PAGE_SHIFT;
}

void exec_layout_choose(uint32_t personality, struct exec_layout *l)
{
	unsigned how = atomic_load(&randomize);

	if (personality & ADDR_NO_RANDOMIZE)
		how = 0;
	*l = (struct exec_layout){
		.random = how > 0,
		.pie_base = PIE_BASE,
		.stack_top = USER_MAX - PAGE_SIZE,
	};
	if (how > 0) {
		l->pie_base += random_pages(PIE_BITS);
		l->stack_top -= random_pages(STACK_BITS);
	}
	if (how > 1)
		l->brk_gap = random_pages(BRK_BITS);
}

static int show_randomize(struct proc_out *o)
{
	proc_printf(o, "%u\n", atomic_load(&randomize));
	return 0;
}

static int store_randomize(const char *text)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (end == text || *end || v > 2)
		return -EINVAL;
	atomic_store(&randomize, (unsigned)v);
	return 0;
}

static const struct proc_file randomize_file = {
	.path = "sys/kernel/randomize_va_space",
	.show = show_randomize,
	.store = store_randomize,
};
PROC_FILE(randomize_file);
