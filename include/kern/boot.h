#ifndef KERN_BOOT_H
#define KERN_BOOT_H

/*
 * What the loader told us: a checked copy of PVH's hvm_start_info, made by
 * kernel/arch/x86_64/pvh.c before anything else runs.
 * Source: xen/include/public/arch-x86/hvm/start_info.h
 */

#include <stddef.h>
#include <stdint.h>

#define BOOT_MEM_MAX     64u
#define BOOT_MODULE_MAX  8
#define BOOT_CMDLINE_MAX 4096

enum boot_mem_type {
	BOOT_MEM_RAM = 1,
	BOOT_MEM_RESERVED,
	BOOT_MEM_ACPI,
	BOOT_MEM_NVS,
	BOOT_MEM_UNUSABLE,
	BOOT_MEM_ABSENT /* RAM that the hypervisor has not given yet */
};

struct boot_mem {
	uint64_t pa, len;
	enum boot_mem_type type;
};

struct boot_module {
	uint64_t pa, len;
	char cmdline[128];
};

struct boot_info {
	char cmdline[BOOT_CMDLINE_MAX];
	struct boot_mem mem[BOOT_MEM_MAX]; /* sorted, no overlaps */
	unsigned nmem;
	struct boot_module module[BOOT_MODULE_MAX];
	unsigned nmodule;
	uint64_t rsdp_pa;   /* 0: none */
	uint64_t entry_tsc; /* TSC at the first instruction, for --bootchart */
};

extern struct boot_info boot_info;

/*
 * Add to boot_info.mem; (type) is XEN_HVM_MEMMAP_TYPE_*, which are E820's.
 * For platform->early(), when the loader gave no map (nmem is 0).
 */
void boot_mem_add(uint64_t pa, uint64_t len, uint32_t type);

/*
 * The boot chart: name the moment that has just been reached.  Printed by
 * --bootchart when the program's first instruction is about to run.
 * (name) must be a literal.  kernel/base/bootchart.c
 */
void bootchart_mark(const char *name);
void bootchart_print(void);

#endif /* KERN_BOOT_H */
