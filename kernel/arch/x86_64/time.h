#ifndef ARCH_TIME_H
#define ARCH_TIME_H

/* tsc.c, clock.c, rtc.c */

#include <stdint.h>

/*
 * Find the TSC's frequency, and the APIC timer's when that is needed.  The
 * first two start what measures them, so that little is waited for at last:
 * as soon as the platform has had its say; after apic_cpu_init() of the boot
 * cpu; before the scheduler.
 */
void clock_early_init(void);
void clock_apic_start(void);
void clock_init(void);

extern uint64_t tsc_ns_mul; /* ns per tick, 32.32; 0: not known yet */

static inline uint64_t tsc_now(void)
{
	uint32_t lo, hi;

	/* not before the loads and the calls that precede it */
	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi)::"memory");
	return (uint64_t)hi << 32 | lo;
}

static inline uint64_t tsc_scale(uint64_t delta)
{
	return (uint64_t)((unsigned __int128)delta * tsc_ns_mul >> 32);
}

/* ns since 1970 by the CMOS clock; 0 when there is none. */
uint64_t rtc_read(void);

#endif /* ARCH_TIME_H */
