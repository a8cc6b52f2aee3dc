/*
 * The calls that need no kernel: vdso(7).  This is code of the program's: no
 * data but the page before it, no relocations, nothing of the kernel's.
 */

#include <linux/time.h>
#include <linux/time_types.h>

#include "kern/pvclock.h"
#include "kern/vdso.h"

#include "offsets.h"

#define NS_PER_S   1000000000ull
#define NS_PER_US  1000ull
#define COARSE_NS  4000000 /* Linux's coarse clocks, at 250 Hz */

#define NR_GETTIME 228
#define NR_GETRES  229

#define PUBLIC     __attribute__((visibility("default")))
#define ALIAS(of)  __attribute__((weak, visibility("default"), alias(#of)))

/* What both clocks of time of day and of time since boot are called. */
#define WALL_CLOCKS \
	(1u << CLOCK_REALTIME | 1u << CLOCK_REALTIME_COARSE | 1u << CLOCK_TAI)
#define MONO_CLOCKS                                          \
	(1u << CLOCK_MONOTONIC | 1u << CLOCK_MONOTONIC_RAW | \
	    1u << CLOCK_MONOTONIC_COARSE | 1u << CLOCK_BOOTTIME)
#define COARSE_CLOCKS \
	(1u << CLOCK_REALTIME_COARSE | 1u << CLOCK_MONOTONIC_COARSE)

/* In the page before the image: vdso.lds. */
extern const volatile struct vdso_data vdso_data
    __attribute__((visibility("hidden")));

static long system_call(long nr, long a, long b)
{
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "0"(nr), "D"(a), "S"(b)
			 : "rcx", "r11", "memory");
	return r;
}

static inline uint64_t read_tsc(void)
{
	uint32_t lo, hi;

	/* not before the loads that precede it */
	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi)::"memory");
	return (uint64_t)hi << 32 | lo;
}

static inline uint64_t scale(uint64_t ticks, uint64_t mul)
{
	return (uint64_t)((unsigned __int128)ticks * mul >> 32);
}

/* As pvclock_ns(), of the first cpu's, whose time is everybody's while it is
 * stable; 0 when it is not. */
static uint64_t pvclock_read(const volatile struct pvclock_time *t)
{
	uint32_t version;
	uint64_t now, ticks;
	uint8_t flags;
	int shift;

	do {
		version = t->version & ~1u;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		ticks = read_tsc();
		ticks = ticks > t->tsc ? ticks - t->tsc : 0;
		shift = t->shift;
		ticks =
		    shift >= 0 ? ticks << (shift & 63) : ticks >> (-shift & 63);
		now = t->system_time + scale(ticks, t->mul);
		flags = t->flags;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (t->version != version);
	return flags & PVCLOCK_TSC_STABLE ? now : 0;
}

/* Time since boot, of the day with (wall); 0: the kernel has to be asked. */
static inline uint64_t now_ns(unsigned wall)
{
	const volatile struct vdso_data *d = &vdso_data;
	uint32_t seq;
	uint64_t ns;

	do {
		seq = d->seq & ~1u;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__builtin_expect(d->clock == VDSO_CLOCK_TSC, 1)) {
			ns = scale(read_tsc() - d->tsc_base, d->ns_mul);
		} else {
			if (d->clock != VDSO_CLOCK_PVCLOCK)
				return 0;
			ns = pvclock_read(d->pvclock);
			if (ns == 0)
				return 0;
			ns -= d->mono_base;
		}
		if (wall)
			ns += d->wall_offset;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (__builtin_expect(d->seq != seq, 0));
	return ns;
}

PUBLIC int __vdso_clock_gettime(int clock, struct __kernel_timespec *ts)
{
	unsigned bit = (unsigned)clock < 32 ? 1u << clock : 0;
	uint64_t ns = 0;

	if (bit & (WALL_CLOCKS | MONO_CLOCKS))
		ns = now_ns(bit & WALL_CLOCKS);
	if (ns == 0)
		return (int)system_call(NR_GETTIME, clock, (long)ts);
	ts->tv_sec = (long long)(ns / NS_PER_S);
	ts->tv_nsec = (long long)(ns % NS_PER_S);
	return 0;
}

PUBLIC int __vdso_clock_getres(int clock, struct __kernel_timespec *ts)
{
	unsigned bit = (unsigned)clock < 32 ? 1u << clock : 0;

	if (!(bit & (WALL_CLOCKS | MONO_CLOCKS)))
		return (int)system_call(NR_GETRES, clock, (long)ts);
	if (ts) {
		ts->tv_sec = 0;
		ts->tv_nsec = bit & COARSE_CLOCKS ? COARSE_NS : 1;
	}
	return 0;
}

static uint64_t wall_ns(void)
{
	struct __kernel_timespec ts;
	uint64_t ns = now_ns(1);

	if (ns)
		return ns;
	system_call(NR_GETTIME, CLOCK_REALTIME, (long)&ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

PUBLIC int __vdso_gettimeofday(
    struct __kernel_old_timeval *tv, struct timezone *tz)
{
	uint64_t ns;

	if (tv) {
		ns = wall_ns();
		tv->tv_sec = (long)(ns / NS_PER_S);
		tv->tv_usec = (long)(ns % NS_PER_S / NS_PER_US);
	}
	if (tz) {
		tz->tz_minuteswest = 0;
		tz->tz_dsttime = 0;
	}
	return 0;
}

PUBLIC long __vdso_time(long *t)
{
	long now = (long)(wall_ns() / NS_PER_S);

	if (t)
		*t = now;
	return now;
}

/* GS is the kernel's in the program, too. */
PUBLIC int __vdso_getcpu(unsigned *cpu, unsigned *node, void *unused)
{
	unsigned id;

	(void)unused;
	__asm__ volatile("movl %%gs:%c1, %0" : "=r"(id) : "i"(CPU_ID));
	if (cpu)
		*cpu = id;
	if (node)
		*node = 0;
	return 0;
}

ALIAS(__vdso_clock_gettime)
int clock_gettime(int clock, struct __kernel_timespec *ts);
ALIAS(__vdso_clock_getres)
int clock_getres(int clock, struct __kernel_timespec *ts);
ALIAS(__vdso_gettimeofday)
int gettimeofday(struct __kernel_old_timeval *tv, struct timezone *tz);
ALIAS(__vdso_time) long time(long *t);
ALIAS(__vdso_getcpu) int getcpu(unsigned *cpu, unsigned *node, void *unused);
