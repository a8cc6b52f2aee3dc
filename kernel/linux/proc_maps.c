#include <linux/kdev_t.h>

#include "kern/num.h"
#include "kern/procfs.h"
#include "kern/string.h"
#include "kern/vm.h"
#include "task_int.h"

/* /proc/self/maps and smaps: proc(5). */

/* Linux's 12 bits of major and 20 bits of minor number. */
static unsigned dev_major(uint64_t dev)
{
	return (dev >> 8) & 0xfff;
}

static unsigned dev_minor(uint64_t dev)
{
	return (dev & 0xff) | ((dev >> 12) & 0xfff00);
}

static const char *row_name(const struct vm_info *v)
{
	const char *name = NULL;

	if (v->obj && v->obj->ops->name)
		name = v->obj->ops->name(v->obj);
	if (name)
		return name;
	if (v->flags & VM_HEAP)
		return "[heap]";
	return v->flags & VM_STACK ? "[stack]" : "";
}

static void show_row(const struct vm_info *v, void *arg)
{
	uint64_t dev = 0, ino = 0;
	const char *name = row_name(v);
	char row[128];

	if (v->obj && v->obj->ops->ident)
		v->obj->ops->ident(v->obj, &dev, &ino);
	snprintf(row, sizeof(row), "%08lx-%08lx %c%c%c%c %08llx %02x:%02x %llu",
	    v->start, v->end, v->prot & VM_READ ? 'r' : '-',
	    v->prot & VM_WRITE ? 'w' : '-', v->prot & VM_EXEC ? 'x' : '-',
	    v->flags & VM_SHARED ? 's' : 'p', (unsigned long long)v->off,
	    dev_major(dev), dev_minor(dev), (unsigned long long)ino);
	if (*name)
		proc_printf(arg, "%-72s %s\n", row, name);
	else
		proc_printf(arg, "%s \n", row);
}

static int show_maps(struct proc_out *out)
{
	vm_foreach(proc_self()->vm, show_row, out);
	return 0;
}

static const struct proc_file maps_file = {
	.path = "self/maps",
	.show = show_maps,
};
PROC_FILE(maps_file);

static void show_flags(const struct vm_info *v, struct proc_out *out)
{
	proc_printf(out, "VmFlags:%s%s%s%s mr mw me%s%s%s%s%s \n",
	    v->prot & VM_READ ? " rd" : "", v->prot & VM_WRITE ? " wr" : "",
	    v->prot & VM_EXEC ? " ex" : "", v->flags & VM_SHARED ? " sh" : "",
	    v->flags & VM_GROWSDOWN ? " gd" : "",
	    v->flags & VM_LOCKED ? " lo" : "",
	    v->flags & VM_NORESERVE ? " nr" : "",
	    v->flags & VM_HUGE ? " hg" : "", v->flags & VM_NOHUGE ? " nh" : "");
}

static void show_smap(const struct vm_info *v, void *arg)
{
	unsigned long size = (v->end - v->start) / 1024;
	unsigned long rss = v->resident / 1024;
	unsigned long anon = v->obj ? 0 : rss;
	struct proc_out *out = arg;

	show_row(v, out);
	proc_printf(out,
	    "Size: %18lu kB\nKernelPageSize: %8u kB\n"
	    "MMUPageSize: %11u kB\nRss: %19lu kB\n"
	    "Pss: %19lu kB\n",
	    size, 4, 4, rss, rss);
	proc_printf(out,
	    "Shared_Clean: %10u kB\nShared_Dirty: %10u kB\n"
	    "Private_Clean: %9lu kB\nPrivate_Dirty: %9lu kB\n"
	    "Referenced: %12lu kB\nAnonymous: %13lu kB\n",
	    0, 0, rss - anon, anon, rss, anon);
	proc_printf(out,
	    "LazyFree: %14u kB\nAnonHugePages: %9lu kB\n"
	    "ShmemPmdMapped: %8u kB\nFilePmdMapped: %9u kB\n"
	    "Shared_Hugetlb: %8u kB\nPrivate_Hugetlb: %7u kB\n",
	    0, v->huge / 1024, 0, 0, 0, 0);
	proc_printf(out,
	    "Swap: %18u kB\nSwapPss: %15u kB\n"
	    "Locked: %16lu kB\nTHPeligible: %11u\n",
	    0, 0, v->flags & VM_LOCKED ? rss : 0, 0);
	show_flags(v, out);
}

static int show_smaps(struct proc_out *out)
{
	vm_foreach(proc_self()->vm, show_smap, out);
	return 0;
}

static const struct proc_file smaps_file = {
	.path = "self/smaps",
	.show = show_smaps,
};
PROC_FILE(smaps_file);

static int show_rollup(struct proc_out *out)
{
	struct proc *p = proc_self();
	struct vm_usage use;
	unsigned long rss;

	vm_usage(p->vm, &use);
	rss = use.resident / 1024;
	proc_printf(out, "%08lx-%08lx ---p 00000000 00:00 0 %26s[rollup]\n",
	    USER_MIN, USER_MAX, "");
	proc_printf(out,
	    "Rss: %19lu kB\nPss: %19lu kB\n"
	    "Private_Dirty: %9lu kB\nAnonymous: %13lu kB\n"
	    "AnonHugePages: %9u kB\nSwap: %18u kB\n",
	    rss, rss, rss, rss, 0, 0);
	return 0;
}

static const struct proc_file rollup_file = {
	.path = "self/smaps_rollup",
	.show = show_rollup,
};
PROC_FILE(rollup_file);
