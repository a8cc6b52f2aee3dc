/*
 * The Xen platform: a PVH (or HVM) guest of Xen 4.11 or later.
 */

#include "kern/arch.h"
#include "kern/boot.h"
#include "kern/compiler.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/param.h"
#include "kern/sched.h"
#include "kern/string.h"
#include "xen_int.h"
#include "xen/xenstore.h"
#include <xen/features.h>
#include <xen/hvm/hvm_op.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/version.h>

#define LARGE_PAGE (2ul << 20)
/* More than the pages of a guest that its map lacks: console, store, ... */
#define SPECIAL_BYTES (64 * PAGE_SIZE)

/* Xen puts its own page in the place of this one. */
static uint8_t shared_page[4096] ALIGNED(4096);
struct shared_info *const xen_shared = (void *)shared_page;

/* --- hypervisor services ------------------------------------------------ */

int xen_param_get(unsigned index, uint64_t *value)
{
	struct xen_hvm_param op = { .domid = DOMID_SELF, .index = index };
	int err = hypercall_hvm(HVMOP_get_param, &op);

	*value = err == 0 ? op.value : 0;
	return err;
}

int xen_param_set(unsigned index, uint64_t value)
{
	struct xen_hvm_param op = {
		.domid = DOMID_SELF,
		.index = index,
		.value = value,
	};

	return hypercall_hvm(HVMOP_set_param, &op);
}

int xen_add_to_physmap(unsigned space, unsigned long idx, const void *va)
{
	struct xen_add_to_physmap op = {
		.domid = DOMID_SELF,
		.space = space,
		.idx = idx,
		.gpfn = va_to_pa(va) >> PAGE_SHIFT,
	};

	return hypercall_memory(XENMEM_add_to_physmap, &op);
}

bool xen_option(const char *key, bool dflt)
{
	const char *v = param_loader(key, 0);

	if (!v)
		return dflt;
	return strcmp(v, "0") != 0;
}

/* --- early -------------------------------------------------------------- */

/* PVH start info before version 1 has no memory map; entries as in e820. */
struct e820_entry {
	uint64_t addr, size;
	uint32_t type;
} PACKED;

static void memory_map_get(void)
{
	static struct e820_entry map[BOOT_MEM_MAX];
	struct xen_memory_map op = { .nr_entries = BOOT_MEM_MAX };
	uint64_t end;

	if (boot_info.nmem != 0)
		return;
	set_xen_guest_handle(op.buffer, map);
	if (hypercall_memory(XENMEM_memory_map, &op) != 0)
		return;
	for (unsigned i = 0; i < MIN(op.nr_entries, BOOT_MEM_MAX); i++) {
		struct boot_mem *m = &boot_info.mem[boot_info.nmem];

		/* Xen's own map is sorted; a bad entry is left out. */
		if (map[i].size == 0 ||
		    add_overflow(map[i].addr, map[i].size, &end))
			continue;
		m->pa = map[i].addr;
		m->len = map[i].size;
		m->type = map[i].type == 1 ? BOOT_MEM_RAM : BOOT_MEM_RESERVED;
		boot_info.nmem++;
	}
}

/* The RAM at the highest address, NULL: none. */
static struct boot_mem *highest_ram(void)
{
	struct boot_mem *top = NULL;

	for (unsigned i = 0; i < boot_info.nmem; i++) {
		struct boot_mem *m = &boot_info.mem[i];

		if (m->type == BOOT_MEM_RAM && m->len != 0 &&
		    (!top || m->pa > top->pa))
			top = m;
	}
	return top;
}

static uint64_t ram_bytes(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < boot_info.nmem; i++) {
		if (boot_info.mem[i].type == BOOT_MEM_RAM)
			sum += boot_info.mem[i].len;
	}
	return sum;
}

/* The end of (m), from (cut) on, is not there. */
static void mark_absent(struct boot_mem *m, uint64_t cut)
{
	struct boot_info *bi = &boot_info;
	uint64_t end = m->pa + m->len;
	unsigned i = (unsigned)(m - bi->mem);

	if (cut == m->pa) {
		m->type = BOOT_MEM_ABSENT;
		return;
	}
	m->len = cut - m->pa;
	if (bi->nmem == BOOT_MEM_MAX)
		return; /* it is never used */
	memmove(m + 2, m + 1, (bi->nmem - i - 1) * sizeof(*m));
	m[1] = (struct boot_mem){ cut, end - cut, BOOT_MEM_ABSENT };
	bi->nmem++;
}

/*
 * When "maxmem" is above "memory" the map shows maxmem, but there is only as
 * much behind it as "memory" says (populate on demand): Xen ends a domain that
 * touches more.  So the top is left to balloon.c.  Some pages are counted that
 * the map does not show, and Xen fills in whole large pages.
 */
static void memory_trim(void)
{
	domid_t self = DOMID_SELF;
	int pages = hypercall_memory(XENMEM_current_reservation, &self);
	uint64_t ram = ram_bytes(), excess, cut;
	struct boot_mem *top;

	if (pages <= 0 || (uint64_t)pages * PAGE_SIZE >= ram)
		return;
	excess = ram - (uint64_t)pages * PAGE_SIZE + SPECIAL_BYTES;
	while (excess != 0 && (top = highest_ram()) != NULL) {
		uint64_t end = top->pa + top->len;

		cut = end - MIN(excess, top->len);
		cut = MAX(ALIGN_DOWN(cut, LARGE_PAGE), top->pa);
		excess -= MIN(excess, end - cut);
		mark_absent(top, cut);
	}
	log_info("xen: %lu of %lu MiB of memory are there",
	    (unsigned long)(ram_bytes() >> 20), (unsigned long)(ram >> 20));
}

static int early(uint32_t cpuid_base)
{
	uint32_t r[4];
	uint64_t hz;
	int err;

	cpuid(cpuid_base + 2, 0, r);
	if (r[0] == 0)
		return -ENOSYS;
	wrmsr(r[1], va_to_pa(hypercall_page));
	err = xen_add_to_physmap(XENMAPSPACE_shared_info, 0, shared_page);
	if (err != 0)
		return err;
	xencons_early();
	xenstore_early();
	memory_map_get();
	memory_trim();
	hz = xen_tsc_hz();
	if (hz != 0)
		tsc_set_hz(hz);
	return 0;
}

/* --- thread context ----------------------------------------------------- */

static void log_features(void)
{
	struct xen_feature_info fi = { .submap_idx = 0 };
	char extra[16] = "";
	int v;

	v = hypercall_op(__HYPERVISOR_xen_version, XENVER_version, NULL);
	hypercall_op(__HYPERVISOR_xen_version, XENVER_extraversion, extra);
	extra[sizeof(extra) - 1] = '\0';
	hypercall_op(__HYPERVISOR_xen_version, XENVER_get_features, &fi);
	log_info("xen: %d.%d%s, features %#x, %s event channels", v >> 16,
	    v & 0xffff, extra, fi.submap, evtchn_abi_name());
}

static int init(void)
{
	int err;

	log_features();
	xencons_init();
	err = gnttab_init();
	if (err == 0)
		err = xenstore_init();
	if (err != 0)
		log_warn("xen: no xenstore, no devices: error %d", err);
	return 0;
}

/* What the boot need not wait for: each is a turn of the store's daemon. */
static void late_thread(void *arg)
{
	(void)arg;
	xenbus_watch();
	xen_shutdown_init();
	xen_balloon_init();
}

static void probe(void)
{
	struct thread *t;

	xenbus_probe();
	if (thread_create(&t, "xenlate", late_thread, NULL, -1) != 0) {
		log_warn("xen: no memory: no hot-plug, no xl shutdown, no xl "
			 "mem-set");
		return;
	}
	thread_start(t);
	thread_put(t);
}

static const unsigned shutdown_reason[] = {
	[PLATFORM_POWEROFF] = SHUTDOWN_poweroff,
	[PLATFORM_REBOOT] = SHUTDOWN_reboot,
	[PLATFORM_HALT] = SHUTDOWN_poweroff,
	[PLATFORM_CRASH] = SHUTDOWN_crash,
};

static void halt(enum platform_halt how, int status)
{
	struct sched_shutdown op = { .reason = shutdown_reason[how] };

	/* A panic may come from anywhere: no sleeping then. */
	if (how != PLATFORM_CRASH && irq_enabled())
		xs_printf(NULL, "data", "exit-status", "%d", status);
	xencons_drain(how == PLATFORM_CRASH);
	hypercall_sched(SCHEDOP_shutdown, &op);
	irq_disable();
	for (;;)
		cpu_relax();
}

static const struct platform xen_platform = {
	.name = "xen",
	.cpuid_sig = "XenVMMXenVMM",
	.early = early,
	.putc = xencons_putc,
	.init = init,
	.probe = probe,
	.cpu_init = xen_cpu_init,
	.clock_mono = xen_clock_mono,
	.clock_wall = xen_clock_wall,
	.clock_area = xen_clock_area,
	.timer_set = xen_timer_set,
	.ipi = xen_ipi,
	.halt = halt,
};
PLATFORM(xen_platform);
