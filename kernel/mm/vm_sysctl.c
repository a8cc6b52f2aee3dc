/* The files of /proc/sys/vm that say how programs get memory, proc_sys(5), and
 * the one of /sys for large pages. */

#include "kern/errno.h"
#include "kern/procfs.h"
#include "kern/string.h"
#include "vm_int.h"

/* A decimal number of at most (max); -EINVAL for anything else. */
static int parse(const char *text, unsigned max, _Atomic unsigned *out)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (end == text || *end || *text == '-' || v > max)
		return -EINVAL;
	atomic_store(out, (unsigned)v);
	return 0;
}

#define SYSCTL(name, field, max)                         \
	static int name##_show(struct proc_out *o)       \
	{                                                \
		proc_printf(o, "%u\n", vm_tune.field);   \
		return 0;                                \
	}                                                \
	static int name##_store(const char *text)        \
	{                                                \
		return parse(text, max, &vm_tune.field); \
	}                                                \
	static const struct proc_file name##_file = {    \
		.path = "sys/vm/" #name,                 \
		.show = name##_show,                     \
		.store = name##_store,                   \
	};                                               \
	PROC_FILE(name##_file)

SYSCTL(max_map_count, max_map_count, INT32_MAX);
SYSCTL(overcommit_memory, overcommit, 2);
SYSCTL(overcommit_ratio, overcommit_ratio, INT32_MAX);

/* All modes, the one that is on in brackets. */
static int thp_show(struct proc_out *o)
{
	unsigned on = atomic_load(&vm_tune.huge);

	for (unsigned i = 0; vm_huge_modes[i]; i++)
		proc_printf(o, i == on ? "%s[%s]" : "%s%s", i ? " " : "",
		    vm_huge_modes[i]);
	proc_printf(o, "\n");
	return 0;
}

static int thp_store(const char *text)
{
	for (unsigned i = 0; vm_huge_modes[i]; i++) {
		if (strcmp(text, vm_huge_modes[i]) != 0)
			continue;
		atomic_store(&vm_tune.huge, i);
		return 0;
	}
	return -EINVAL;
}

static const struct proc_file thp_file = {
	.path = "/sys/kernel/mm/transparent_hugepage/enabled",
	.show = thp_show,
	.store = thp_store,
};
PROC_FILE(thp_file);
