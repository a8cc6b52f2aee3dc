/*
 * The loader's hvm_start_info, checked and copied to boot_info: afterwards
 * nothing of it but the modules themselves is needed.  All of it is below
 * 4 GiB, where the boot page tables map it.
 * Source: xen/include/public/arch-x86/hvm/start_info.h
 */

#include <stdint.h>
#include <xen/arch-x86/hvm/start_info.h>

#include "kern/compiler.h"
#include "kern/log.h"
#include "kern/num.h"
#include "kern/panic.h"
#include "kern/string.h"

#include "arch_int.h"

#define REACH (1ull << 32)

struct boot_info boot_info;

static void *reach(uint64_t pa, uint64_t len)
{
	return pa && range_ok(pa, len, REACH) ? direct_map(pa) : NULL;
}

static void copy_string(char *dst, size_t size, uint64_t pa)
{
	const char *s = reach(pa, size);
	size_t n;

	if (!s)
		return;
	n = strnlen(s, size - 1);
	memcpy(dst, s, n);
	dst[n] = '\0';
	if (s[n])
		log_warn("boot: a command line was cut at %zu bytes", n);
}

static void read_modules(const struct hvm_start_info *si)
{
	uint32_t n = MIN(si->nr_modules, BOOT_MODULE_MAX + 0u);
	const struct hvm_modlist_entry *list =
	    reach(si->modlist_paddr, n * sizeof(*list));

	for (uint32_t i = 0; list && i < n; i++) {
		struct boot_module *m = &boot_info.module[boot_info.nmodule];
		uint64_t end;

		if (!list[i].paddr || !list[i].size ||
		    add_overflow(list[i].paddr, list[i].size, &end))
			continue;
		m->pa = list[i].paddr;
		m->len = list[i].size;
		copy_string(
		    m->cmdline, sizeof(m->cmdline), list[i].cmdline_paddr);
		boot_info.nmodule++;
	}
	if (si->nr_modules > BOOT_MODULE_MAX)
		log_warn("boot: only the first %u of %u modules are used",
		    BOOT_MODULE_MAX, si->nr_modules);
}

static enum boot_mem_type memmap_type(uint32_t type)
{
	switch (type) {
	case XEN_HVM_MEMMAP_TYPE_RAM:
		return BOOT_MEM_RAM;
	case XEN_HVM_MEMMAP_TYPE_ACPI:
		return BOOT_MEM_ACPI;
	case XEN_HVM_MEMMAP_TYPE_NVS:
		return BOOT_MEM_NVS;
	case XEN_HVM_MEMMAP_TYPE_UNUSABLE:
	case XEN_HVM_MEMMAP_TYPE_DISABLED:
		return BOOT_MEM_UNUSABLE;
	default:
		return BOOT_MEM_RESERVED;
	}
}

void boot_mem_add(uint64_t pa, uint64_t len, uint32_t type)
{
	if (boot_info.nmem == BOOT_MEM_MAX)
		return;
	boot_info.mem[boot_info.nmem++] =
	    (struct boot_mem){ pa, len, memmap_type(type) };
}

static void read_memmap(const struct hvm_start_info *si)
{
	const struct hvm_memmap_table_entry *e;

	if (si->version < 1 || !si->memmap_entries)
		return;
	e = reach(si->memmap_paddr, si->memmap_entries * sizeof(*e));
	for (uint32_t i = 0; e && i < si->memmap_entries; i++)
		boot_mem_add(e[i].addr, e[i].size, e[i].type);
}

void pvh_read_start_info(void)
{
	const struct hvm_start_info *si =
	    reach(boot_start_info_pa, sizeof(*si));

	boot_info.entry_tsc = boot_entry_tsc;
	if (!si || si->magic != XEN_HVM_START_MAGIC_VALUE)
		panic("not started by a PVH loader");
	copy_string(
	    boot_info.cmdline, sizeof(boot_info.cmdline), si->cmdline_paddr);
	boot_info.rsdp_pa = si->rsdp_paddr;
	read_modules(si);
	read_memmap(si);
}
