#include "procfs.h"

#include "kern/arch.h"
#include "kern/boot.h"
#include "kern/clock.h"
#include "kern/num.h"
#include "kern/percpu.h"
#include "kern/sched.h"
#include "kern/string.h"

/* The processors and their time: proc_cpuinfo(5), proc_stat(5),
 * proc_uptime(5), proc_loadavg(5). */

/* --- cpuinfo ------------------------------------------------------------- */

/* Linux's names of CPUID bits, in the order in which it prints them. */
static const char *const cpu_flags_1_edx[32] = {
	"fpu",
	"vme",
	"de",
	"pse",
	"tsc",
	"msr",
	"pae",
	"mce",
	"cx8",
	"apic",
	NULL,
	"sep",
	"mtrr",
	"pge",
	"mca",
	"cmov",
	"pat",
	"pse36",
	"pn",
	"clflush",
	NULL,
	"dts",
	"acpi",
	"mmx",
	"fxsr",
	"sse",
	"sse2",
	"ss",
	"ht",
	"tm",
	"ia64",
	"pbe",
};
static const char *const cpu_flags_ext_edx[32] = {
	[11] = "syscall",
	[19] = "mp",
	[20] = "nx",
	[22] = "mmxext",
	[25] = "fxsr_opt",
	[26] = "pdpe1gb",
	[27] = "rdtscp",
	[29] = "lm",
	[30] = "3dnowext",
	[31] = "3dnow",
};
static const char *const cpu_flags_1_ecx[32] = {
	"pni",
	"pclmulqdq",
	"dtes64",
	"monitor",
	"ds_cpl",
	"vmx",
	"smx",
	"est",
	"tm2",
	"ssse3",
	"cid",
	"sdbg",
	"fma",
	"cx16",
	"xtpr",
	"pdcm",
	NULL,
	"pcid",
	"dca",
	"sse4_1",
	"sse4_2",
	"x2apic",
	"movbe",
	"popcnt",
	"tsc_deadline_timer",
	"aes",
	"xsave",
	NULL,
	"avx",
	"f16c",
	"rdrand",
	"hypervisor",
};
static const char *const cpu_flags_ext_ecx[32] = {
	"lahf_lm",
	"cmp_legacy",
	"svm",
	"extapic",
	"cr8_legacy",
	"abm",
	"sse4a",
	"misalignsse",
	"3dnowprefetch",
	"osvw",
	"ibs",
	"xop",
	"skinit",
	"wdt",
	[15] = "lwp",
	[16] = "fma4",
	[17] = "tce",
	[19] = "nodeid_msr",
	[21] = "tbm",
	[22] = "topoext",
};
static const char *const cpu_flags_7_ebx[32] = {
	"fsgsbase",
	"tsc_adjust",
	NULL,
	"bmi1",
	"hle",
	"avx2",
	NULL,
	"smep",
	"bmi2",
	"erms",
	"invpcid",
	"rtm",
	"cqm",
	NULL,
	"mpx",
	"rdt_a",
	"avx512f",
	"avx512dq",
	"rdseed",
	"adx",
	"smap",
	"avx512ifma",
	NULL,
	"clflushopt",
	"clwb",
	"intel_pt",
	"avx512pf",
	"avx512er",
	"avx512cd",
	"sha_ni",
	"avx512bw",
	"avx512vl",
};

static void cpu_flags(
    struct proc_out *o, const char *const name[32], uint32_t bits)
{
	for (unsigned i = 0; i < 32; i++)
		if ((bits & (1u << i)) && name[i])
			proc_printf(o, "%s ", name[i]);
}

static void cpu_block(
    struct proc_out *o, unsigned n, const struct cpu_ident *id)
{
	uint64_t khz = tsc_hz() / 1000;

	proc_printf(o,
	    "processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\n"
	    "model\t\t: %u\nmodel name\t: %s\nstepping\t: %u\n",
	    n, id->vendor, id->family, id->model, id->model_name, id->stepping);
	proc_printf(o, "cpu MHz\t\t: %llu.%03llu\n",
	    (unsigned long long)khz / 1000, (unsigned long long)khz % 1000);
	proc_printf(o,
	    "physical id\t: %u\nsiblings\t: 1\ncore id\t\t: 0\n"
	    "cpu cores\t: 1\napicid\t\t: %u\ninitial apicid\t: %u\n"
	    "fpu\t\t: yes\nfpu_exception\t: yes\nwp\t\t: yes\nflags\t\t: ",
	    n, cpus[n]->apic_id, cpus[n]->apic_id);
	cpu_flags(o, cpu_flags_1_edx, id->feat_1_edx);
	cpu_flags(o, cpu_flags_ext_edx, id->feat_ext_edx);
	cpu_flags(o, cpu_flags_1_ecx, id->feat_1_ecx);
	cpu_flags(o, cpu_flags_ext_ecx, id->feat_ext_ecx);
	cpu_flags(o, cpu_flags_7_ebx, id->feat_7_ebx);
	o->len -= o->len > 0; /* the blank after the last */
	proc_printf(o,
	    "\nbugs\t\t:\nbogomips\t: %llu.%02llu\nclflush size\t: 64\n"
	    "cache_alignment\t: 64\n"
	    "address sizes\t: 46 bits physical, 48 bits virtual\n"
	    "power management:\n\n",
	    (unsigned long long)khz / 500, (unsigned long long)khz / 5 % 100);
}

static int cpuinfo_show(struct proc_out *o)
{
	for (unsigned i = 0; i < CPU_MAX; i++)
		if (cpus[i] && cpus[i]->online)
			cpu_block(o, i, cpu_ident());
	return 0;
}

static const struct proc_file cpuinfo_file = {
	.path = "cpuinfo",
	.show = cpuinfo_show,
};
PROC_FILE(cpuinfo_file);

/* --- stat ---------------------------------------------------------------- */

#define TICK_NS (NSEC_PER_SEC / 100) /* USER_HZ */

/* What is not idle is counted as the program's: the kernel's share of it is
 * not kept apart. */
static void stat_cpu(
    struct proc_out *o, const char *name, uint64_t busy, uint64_t idle)
{
	proc_printf(o, "%s %llu 0 0 %llu 0 0 0 0 0 0\n", name,
	    (unsigned long long)(busy / TICK_NS),
	    (unsigned long long)(idle / TICK_NS));
}

static void stat_cpus(struct proc_out *o)
{
	uint64_t now = clock_mono(), busy = 0, idle = 0;
	char name[16];

	for (unsigned i = 0; i < CPU_MAX; i++) {
		if (!cpus[i] || !cpus[i]->online)
			continue;
		idle += cpu_idle_time(i);
		busy += now - MIN(now, cpu_idle_time(i));
	}
	stat_cpu(o, "cpu ", busy, idle);
	for (unsigned i = 0; i < CPU_MAX; i++) {
		if (!cpus[i] || !cpus[i]->online)
			continue;
		idle = MIN(now, cpu_idle_time(i));
		snprintf(name, sizeof(name), "cpu%u", i);
		stat_cpu(o, name, now - idle, idle);
	}
}

static bool count_threads(struct thread *t, void *arg)
{
	unsigned *n = arg;

	*n += t->task != NULL;
	return true;
}

static unsigned threads_now(void)
{
	unsigned n = 0;

	thread_foreach(count_threads, &n);
	return n;
}

static int stat_show(struct proc_out *o)
{
	uint64_t nirq = 0, nswitch = 0;

	stat_cpus(o);
	for (unsigned i = 0; i < CPU_MAX; i++) {
		nirq += cpus[i] ? cpus[i]->nirq : 0;
		nswitch += cpus[i] ? cpus[i]->nswitch : 0;
	}
	proc_printf(o,
	    "intr %llu\nctxt %llu\nbtime %llu\nprocesses %u\n"
	    "procs_running %u\nprocs_blocked 0\n"
	    "softirq 0 0 0 0 0 0 0 0 0 0 0\n",
	    (unsigned long long)nirq, (unsigned long long)nswitch,
	    (unsigned long long)((clock_wall() - clock_mono()) / NSEC_PER_SEC),
	    threads_now(), MAX(sched_runnable(), 1u));
	return 0;
}

static const struct proc_file stat_file = {
	.path = "stat",
	.show = stat_show,
};
PROC_FILE(stat_file);

/* --- uptime, loadavg ----------------------------------------------------- */

static void put_hundredths(struct proc_out *o, uint64_t ns, const char *end)
{
	uint64_t h = ns / (NSEC_PER_SEC / 100);

	proc_printf(o, "%llu.%02llu%s", (unsigned long long)(h / 100),
	    (unsigned long long)(h % 100), end);
}

static int uptime_show(struct proc_out *o)
{
	uint64_t idle = 0;

	for (unsigned i = 0; i < CPU_MAX; i++)
		if (cpus[i] && cpus[i]->online)
			idle += cpu_idle_time(i);
	put_hundredths(o, clock_mono(), " ");
	put_hundredths(o, idle, "\n");
	return 0;
}

static const struct proc_file uptime_file = {
	.path = "uptime",
	.show = uptime_show,
};
PROC_FILE(uptime_file);

static int loadavg_show(struct proc_out *o)
{
	uint32_t avg[3];

	sched_loadavg(avg);
	for (unsigned i = 0; i < 3; i++) {
		uint32_t h = (uint32_t)(((uint64_t)avg[i] * 100 + 32768) >> 16);

		proc_printf(o, "%u.%02u ", h / 100, h % 100);
	}
	proc_printf(o, "%u/%u %u\n", MAX(sched_runnable(), 1u), threads_now(),
	    thread_self()->id);
	return 0;
}

static const struct proc_file loadavg_file = {
	.path = "loadavg",
	.show = loadavg_show,
};
PROC_FILE(loadavg_file);

/* --- /sys/devices/system/cpu --------------------------------------------- */

static int cpus_show(struct proc_out *o)
{
	unsigned n = cpu_count();

	if (n > 1)
		proc_printf(o, "0-%u\n", n - 1);
	else
		proc_printf(o, "0\n");
	return 0;
}

static const struct proc_file cpus_online = {
	.path = "/sys/devices/system/cpu/online",
	.show = cpus_show,
};
PROC_FILE(cpus_online);

static const struct proc_file cpus_possible = {
	.path = "/sys/devices/system/cpu/possible",
	.show = cpus_show,
};
PROC_FILE(cpus_possible);

static const struct proc_file cpus_present = {
	.path = "/sys/devices/system/cpu/present",
	.show = cpus_show,
};
PROC_FILE(cpus_present);
