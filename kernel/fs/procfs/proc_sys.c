#include "procfs.h"

#include "kern/boot.h"
#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/rand.h"
#include "kern/string.h"
#include "kern/vm.h"
#include "pcache.h"

/* The whole machine: proc_meminfo(5), proc_sys(5), and the little of /sys that
 * programs look at. */

/* --- meminfo ------------------------------------------------------------- */

/*
 * MemTotal is the sum of MemFree, AnonPages, Cached, Slab, KernelStack,
 * PageTables, VmallocUsed, Reserved and KernelPages; the last two are ours.
 */

static void mem_line(struct proc_out *o, const char *name, uint64_t bytes)
{
	proc_printf(
	    o, "%-15s %8llu kB\n", name, (unsigned long long)(bytes >> 10));
}

static int meminfo_show(struct proc_out *o)
{
	uint64_t limit, committed;
	struct mm_stats s;

	mm_stats(&s);
	vm_commit_stats(&limit, &committed);
	mem_line(o, "MemTotal:", s.total);
	mem_line(o, "MemFree:", s.free);
	mem_line(
	    o, "MemAvailable:", MIN(s.free + pcache_reclaimable(), s.total));
	mem_line(o, "Buffers:", 0);
	mem_line(o, "Cached:", s.file_cache);
	mem_line(o, "SwapCached:", 0);
	mem_line(o, "Active:", s.anon + s.file_cache);
	mem_line(o, "Inactive:", 0);
	mem_line(o, "Active(anon):", s.anon);
	mem_line(o, "Inactive(anon):", 0);
	mem_line(o, "Active(file):", s.file_cache);
	mem_line(o, "Inactive(file):", 0);
	mem_line(o, "Unevictable:", 0);
	mem_line(o, "Mlocked:", 0);
	mem_line(o, "SwapTotal:", 0);
	mem_line(o, "SwapFree:", 0);
	mem_line(o, "Dirty:", 0);
	mem_line(o, "Writeback:", 0);
	mem_line(o, "AnonPages:", s.anon);
	mem_line(o, "Mapped:", 0);
	mem_line(o,
	    "Shmem:", s.file_cache - MIN(pcache_reclaimable(), s.file_cache));
	mem_line(o, "KReclaimable:", 0);
	mem_line(o, "Slab:", s.slab);
	mem_line(o, "SReclaimable:", 0);
	mem_line(o, "SUnreclaim:", s.slab);
	proc_printf(o, "KernelStack:    %8llu kB\n",
	    (unsigned long long)(s.kstacks >> 10));
	mem_line(o, "PageTables:", s.page_tables);
	mem_line(o, "VmallocUsed:", s.vmalloc);
	mem_line(o, "Reserved:", s.reserved);
	mem_line(o, "KernelPages:", s.rest);
	mem_line(o, "Balloon:", s.balloon);
	mem_line(o, "CommitLimit:", limit);
	mem_line(o, "Committed_AS:", committed);
	mem_line(o, "AnonHugePages:", s.anon_huge);
	proc_printf(o, "HugePages_Total:       0\nHugePages_Free:        0\n"
		       "HugePages_Rsvd:        0\nHugePages_Surp:        0\n"
		       "Hugepagesize:       2048 kB\n");
	return 0;
}

static const struct proc_file meminfo_file = {
	.path = "meminfo",
	.show = meminfo_show,
};
PROC_FILE(meminfo_file);

static int cmdline_show(struct proc_out *o)
{
	proc_printf(o, "%s\n", boot_info.cmdline);
	return 0;
}

static const struct proc_file cmdline_file = {
	.path = "cmdline",
	.show = cmdline_show,
};
PROC_FILE(cmdline_file);

/* --- random -------------------------------------------------------------- */

struct uuid {
	uint8_t b[16];
};

/* Version 4: RFC 4122. */
static struct uuid uuid_make(void)
{
	struct uuid u;

	rand_bytes(u.b, sizeof(u.b));
	u.b[6] = (u.b[6] & 0x0f) | 0x40;
	u.b[8] = (u.b[8] & 0x3f) | 0x80;
	return u;
}

static void uuid_put(struct proc_out *o, const struct uuid *u)
{
	for (unsigned i = 0; i < sizeof(u->b); i++)
		proc_printf(o, "%s%02x",
		    i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", u->b[i]);
	proc_printf(o, "\n");
}

static int uuid_show(struct proc_out *o)
{
	struct uuid u = uuid_make();

	uuid_put(o, &u);
	return 0;
}

static const struct proc_file uuid_file = {
	.path = "sys/kernel/random/uuid",
	.show = uuid_show,
};
PROC_FILE(uuid_file);

static int boot_id_show(struct proc_out *o)
{
	static struct mutex lock = MUTEX_INIT(lock);
	static struct uuid id;
	static bool made;

	mutex_lock(&lock);
	if (!made)
		id = uuid_make();
	made = true;
	mutex_unlock(&lock);
	uuid_put(o, &id);
	return 0;
}

static const struct proc_file boot_id_file = {
	.path = "sys/kernel/random/boot_id",
	.show = boot_id_show,
};
PROC_FILE(boot_id_file);

/* --- settings ------------------------------------------------------------ */

static int drop_caches_store(const char *text)
{
	unsigned long what = strtoul(text, NULL, 10);

	if (what < 1 || what > 3)
		return -EINVAL;
	if (what & 2)
		dentry_prune(UINT32_MAX);
	if (what & 1)
		pcache_shrink_all();
	return 0;
}

static const struct proc_file drop_caches_file = {
	.path = "sys/vm/drop_caches",
	.store = drop_caches_store,
};
PROC_FILE(drop_caches_file);

/* A setting that is as it is: writing it is refused. */
#define PROC_CONST(id, where, text)                     \
	static int id##_show(struct proc_out *o)        \
	{                                               \
		proc_write(o, text "\n", sizeof(text)); \
		return 0;                               \
	}                                               \
	static const struct proc_file id##_file = {     \
		.path = where,                          \
		.show = id##_show,                      \
	};                                              \
	PROC_FILE(id##_file)

PROC_CONST(swappiness, "sys/vm/swappiness", "60");
PROC_CONST(mmap_min_addr, "sys/vm/mmap_min_addr", "65536");
PROC_CONST(nr_hugepages, "sys/vm/nr_hugepages", "0");
PROC_CONST(pid_max, "sys/kernel/pid_max", "4194304");
PROC_CONST(threads_max, "sys/kernel/threads-max", "32768");
PROC_CONST(ngroups_max, "sys/kernel/ngroups_max", "65536");
PROC_CONST(cap_last_cap, "sys/kernel/cap_last_cap", "40");
PROC_CONST(core_pattern, "sys/kernel/core_pattern", "core");
PROC_CONST(entropy, "sys/kernel/random/entropy_avail", "256");
PROC_CONST(poolsize, "sys/kernel/random/poolsize", "256");
PROC_CONST(file_max, "sys/fs/file-max", "9223372036854775807");
PROC_CONST(nr_open, "sys/fs/nr_open", "1048576");
PROC_CONST(pipe_max, "sys/fs/pipe-max-size", "1048576");
PROC_CONST(somaxconn, "sys/net/core/somaxconn", "4096");

PROC_CONST(thp_defrag, "/sys/kernel/mm/transparent_hugepage/defrag",
    "always defer defer+madvise [madvise] never");
PROC_CONST(
    thp_size, "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", "2097152");
PROC_CONST(node_online, "/sys/devices/system/node/online", "0");
PROC_CONST(clocksource,
    "/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc");
PROC_CONST(clocksources,
    "/sys/devices/system/clocksource/clocksource0/available_clocksource",
    "tsc");
