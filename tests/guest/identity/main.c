/* Who the program is, its limits, and calls that answer without doing much. */
#define _GNU_SOURCE
#include "../show.h"
#include <asm/prctl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/membarrier.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

extern char **environ;

static void startup(int argc, char **argv)
{
	unsigned long *p = (unsigned long *)argv - 1;
	unsigned char *random = (void *)getauxval(AT_RANDOM), r = 0;

	printf("argc %d, before argv %lu, argv ends %d\n", argc, *p,
	    argv[argc] == NULL);
	printf("stack aligned %d\n", ((uintptr_t)p & 15) == 0);
	printf("platform %s, secure %lu, page %lu, ticks %lu\n",
	    (char *)getauxval(AT_PLATFORM), getauxval(AT_SECURE),
	    getauxval(AT_PAGESZ), getauxval(AT_CLKTCK));
	printf("ids %lu %lu %lu %lu\n", getauxval(AT_UID), getauxval(AT_EUID),
	    getauxval(AT_GID), getauxval(AT_EGID));
	for (int i = 0; i < 16; i++)
		r |= random[i];
	printf("random %d, phdr %d, entry %d, hwcap %d\n", r != 0,
	    getauxval(AT_PHDR) != 0, getauxval(AT_ENTRY) != 0,
	    getauxval(AT_HWCAP) != 0);
	printf("execfn ends with /test %d\n",
	    strcmp(strrchr((char *)getauxval(AT_EXECFN), '/'), "/test") == 0);
	printf("strings in order %d\n",
	    argv[0] + strlen(argv[0]) + 1 == (argc > 1 ? argv[1] : environ[0]));
}

static void ids(void)
{
	uid_t r, e, s;
	gid_t groups[3] = { 1, 2, 3 }, got[10];

	show("uid", getuid());
	show("setgroups", setgroups(3, groups));
	show("getgroups", getgroups(10, got));
	show("getgroups too few", getgroups(1, got));
	show("setresgid", setresgid(10, 11, 12));
	show("egid", getegid());
	show("setresuid", setresuid(20, 21, 22));
	getresuid(&r, &e, &s);
	printf("%u %u %u\n", r, e, s);
	show("setuid other", setuid(30));
	show("seteuid saved", seteuid(22));
	show("seteuid root", seteuid(0));
	show("setgroups now", setgroups(0, NULL));
}

static void limits(void)
{
	struct rlimit r;

	show("nofile", getrlimit(RLIMIT_NOFILE, &r));
	r.rlim_cur = 100;
	show("set", setrlimit(RLIMIT_NOFILE, &r));
	getrlimit(RLIMIT_NOFILE, &r);
	printf("now %ld\n", (long)r.rlim_cur);
	errno = 0;
	show("dup past it", dup2(1, 100));
	r.rlim_cur = r.rlim_max;
	r.rlim_max = 10;
	show("soft over hard", setrlimit(RLIMIT_NOFILE, &r));
	show("unknown", getrlimit(99, &r));
	show("nowhere", syscall(SYS_getrlimit, RLIMIT_NOFILE, 8));
}

static void prctls(void)
{
	char name[16];

	show("set name", prctl(PR_SET_NAME, "a name that is too long"));
	prctl(PR_GET_NAME, name);
	printf("name '%s'\n", name);
	show("dumpable", prctl(PR_SET_DUMPABLE, 0));
	show("dumpable", prctl(PR_GET_DUMPABLE));
	show("dumpable 5", prctl(PR_SET_DUMPABLE, 5));
	show("no new privs", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	show("no new privs", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	show("pdeathsig", prctl(PR_SET_PDEATHSIG, 9));
	show("capbset", prctl(PR_CAPBSET_READ, 100));
	show("unknown", prctl(12345));
	show("arch_prctl", syscall(SYS_arch_prctl, 0x9999, 0));
}

static void others(void)
{
	struct sysinfo si;
	struct utsname u;
	unsigned char buf[300] = { 0 };
	int r = 0;

	uname(&u);
	printf("%s %s\n", u.sysname, u.machine);
	show("sysinfo", sysinfo(&si));
	printf("memory %d\n", si.totalram > 0 && si.mem_unit > 0);
	show("getrandom", getrandom(buf, 300, 0));
	for (int i = 0; i < 300; i++)
		r |= buf[i];
	printf("random %d\n", r != 0);
	show("getrandom bad", getrandom(buf, 300, 0x100));
	show("personality", personality(0xffffffff));
	show("membarrier", syscall(SYS_membarrier, 0, 0, 0) > 0);
	show("membarrier unregistered",
	    syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
	show("membarrier register",
	    syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
		0, 0));
	show("membarrier",
	    syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
	show("sethostname too long", sethostname(u.version, 100));
	show("getpgid of nobody", getpgid(0x7ffffff));
	show("reboot without magic", syscall(SYS_reboot, 1, 2, 3, 4));
	show("set_robust_list", syscall(SYS_set_robust_list, buf, 5));
	show("no such call", syscall(500));
	show("far past the last", syscall(100000));
	show("gettid", syscall(SYS_gettid) == getpid());
}

int main(int argc, char **argv)
{
	startup(argc, argv);
	limits();
	prctls();
	others();
	ids();
	return 0;
}
