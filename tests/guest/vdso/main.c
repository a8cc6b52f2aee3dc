/*
 * The vDSO: a shared object that the kernel brings, whose clocks are those of
 * the system calls.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 3000

/* --- looking symbols up -------------------------------------------------- */

static struct {
	uintptr_t base;
	const Elf64_Sym *sym;
	const char *str;
	const uint32_t *hash;
	const uint16_t *versym;
	const Elf64_Verdef *verdef;
} so;

static void look_around(const Elf64_Dyn *d)
{
	for (; d->d_tag != DT_NULL; d++) {
		const void *p = (void *)(so.base + d->d_un.d_ptr);

		if (d->d_tag == DT_SYMTAB)
			so.sym = p;
		if (d->d_tag == DT_STRTAB)
			so.str = p;
		if (d->d_tag == DT_HASH)
			so.hash = p;
		if (d->d_tag == DT_VERSYM)
			so.versym = p;
		if (d->d_tag == DT_VERDEF)
			so.verdef = p;
	}
}

static int open_vdso(void)
{
	const Elf64_Ehdr *e = (void *)getauxval(AT_SYSINFO_EHDR);
	const Elf64_Phdr *p;

	if (!e || memcmp(e->e_ident, ELFMAG, SELFMAG))
		return 0;
	so.base = (uintptr_t)e;
	p = (void *)(so.base + e->e_phoff);
	for (int i = 0; i < e->e_phnum; i++)
		if (p[i].p_type == PT_DYNAMIC)
			look_around((void *)(so.base + p[i].p_vaddr));
	return so.sym && so.str && so.hash && so.versym && so.verdef;
}

static const char *version_of(unsigned i)
{
	const char *p = (void *)so.verdef;

	for (;;) {
		const Elf64_Verdef *v = (void *)p;

		if (v->vd_ndx == (so.versym[i] & 0x7fff))
			return so.str +
			       ((Elf64_Verdaux *)(p + v->vd_aux))->vda_name;
		if (!v->vd_next)
			return "?";
		p += v->vd_next;
	}
}

static void *find(const char *name)
{
	for (unsigned i = 0; i < so.hash[1]; i++) {
		if (strcmp(so.str + so.sym[i].st_name, name))
			continue;
		printf("%s is of %s\n", name, version_of(i));
		return (void *)(so.base + so.sym[i].st_value);
	}
	printf("%s is missing\n", name);
	return NULL;
}

/* --- clocks  ---------------------------------------------------------- */

static int (*v_gettime)(int, struct timespec *);
static int (*v_getres)(int, struct timespec *);
static int (*v_gettimeofday)(struct timeval *, void *);
static long (*v_time)(long *);
static long (*v_getcpu)(unsigned *, unsigned *, void *);

static int64_t ns(const struct timespec *t)
{
	return t->tv_sec * 1000000000ll + t->tv_nsec;
}

static void clocks(int clock, const char *name)
{
	struct timespec a, b, c, r1, r2;
	long back = 0, odd = 0;

	for (int i = 0; i < ROUNDS; i++) {
		int e = v_gettime(clock, &a);

		e |= (int)syscall(SYS_clock_gettime, clock, &b);
		e |= v_gettime(clock, &c);
		back += ns(&a) > ns(&b) || ns(&b) > ns(&c);
		odd += e || a.tv_nsec < 0 || a.tv_nsec > 999999999;
	}
	v_getres(clock, &r1);
	syscall(SYS_clock_getres, clock, &r2);
	printf("%s: %ld backwards, %ld odd, resolution %s\n", name, back, odd,
	    ns(&r1) == ns(&r2) ? "the same" : "another");
}

static void errors(void)
{
	static const int bad[] = { 10, 12, 31, 32, 99, -1, -100000 };
	struct timespec t;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		printf("clock %d: %d\n", bad[i], v_gettime(bad[i], &t));
	printf("cpu time: %d %d\n", v_gettime(CLOCK_PROCESS_CPUTIME_ID, &t),
	    v_gettime(CLOCK_THREAD_CPUTIME_ID, &t));
}

static void time_of_day(void)
{
	long back = 0, seconds, out;
	struct timespec a, b;
	struct timeval tv;

	for (int i = 0; i < ROUNDS; i++) {
		syscall(SYS_clock_gettime, CLOCK_REALTIME, &a);
		v_gettimeofday(&tv, NULL);
		syscall(SYS_clock_gettime, CLOCK_REALTIME, &b);
		back += a.tv_sec * 1000000 + a.tv_nsec / 1000 >
			tv.tv_sec * 1000000 + tv.tv_usec;
		back += tv.tv_sec * 1000000 + tv.tv_usec >
			b.tv_sec * 1000000 + b.tv_nsec / 1000;
	}
	printf("gettimeofday: %ld backwards, no arguments %d\n", back,
	    v_gettimeofday(NULL, NULL));
	/* Linux's is of the last tick. */
	seconds = v_time(&out);
	printf("time: %s, stored %d\n",
	    seconds - b.tv_sec <= 1 && b.tv_sec - seconds <= 1 ? "right"
							       : "wrong",
	    out == seconds);
}

/* Two processors never see each other's time go back. */
static _Atomic int64_t latest;

static void *watch(void *arg)
{
	long back = 0;

	for (int i = 0; i < 20 * ROUNDS; i++) {
		struct timespec t;
		int64_t seen = latest, now;

		v_gettime(CLOCK_MONOTONIC, &t);
		now = ns(&t);
		back += now < seen;
		while (seen < now &&
		       !atomic_compare_exchange_weak(&latest, &seen, now))
			;
	}
	return (void *)back;
}

static void across_cpus(void)
{
	void *mine, *its;
	pthread_t t;

	pthread_create(&t, NULL, watch, NULL);
	mine = watch(NULL);
	pthread_join(t, &its);
	printf("across processors: %ld backwards\n", (long)mine + (long)its);
}

static void which_cpu(void)
{
	cpu_set_t all, one;
	unsigned cpu, node;
	long wrong = 0;

	sched_getaffinity(0, sizeof(all), &all);
	for (unsigned i = 0; i < CPU_SETSIZE; i++) {
		if (!CPU_ISSET(i, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(i, &one);
		sched_setaffinity(0, sizeof(one), &one);
		cpu = node = ~0u;
		wrong +=
		    v_getcpu(&cpu, &node, NULL) != 0 || cpu != i || node != 0;
		wrong += v_getcpu(NULL, NULL, NULL) != 0;
		wrong += sched_getcpu() != (int)i;
	}
	sched_setaffinity(0, sizeof(all), &all);
	printf("getcpu: %ld wrong\n", wrong);
}

/* --- the mapping ---------------------------------------------------------- */

static sigjmp_buf back;

static void fault(int sig)
{
	siglongjmp(back, sig);
}

static void mapping(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[256], perms[8], *name;
	unsigned long start;

	while (f && fgets(line, sizeof(line), f)) {
		name = strchr(line, '[');
		if (!name ||
		    (strncmp(name, "[vdso]", 6) && strncmp(name, "[vvar]", 6)))
			continue;
		sscanf(line, "%lx-%*x %7s", &start, perms);
		name[strcspn(name, "\n")] = 0;
		printf("%s %s%s\n", name, perms,
		    start == so.base ? ", where it was said to be" : "");
	}
	signal(SIGSEGV, fault);
	if (!sigsetjmp(back, 1)) {
		*(volatile char *)so.base = 0;
		printf("it can be written\n");
	} else {
		printf("it cannot be written\n");
	}
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!open_vdso()) {
		printf("there is no vDSO\n");
		return 1;
	}
	v_gettime = find("__vdso_clock_gettime");
	v_getres = find("__vdso_clock_getres");
	v_gettimeofday = find("__vdso_gettimeofday");
	v_time = find("__vdso_time");
	v_getcpu = find("__vdso_getcpu");
	clocks(CLOCK_REALTIME, "realtime");
	clocks(CLOCK_MONOTONIC, "monotonic");
	clocks(CLOCK_MONOTONIC_RAW, "monotonic raw");
	clocks(CLOCK_REALTIME_COARSE, "realtime coarse");
	clocks(CLOCK_MONOTONIC_COARSE, "monotonic coarse");
	clocks(CLOCK_BOOTTIME, "boottime");
	clocks(CLOCK_TAI, "tai");
	errors();
	time_of_day();
	across_cpus();
	which_cpu();
	mapping();
	return 0;
}
