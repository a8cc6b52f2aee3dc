/* The time stamp counter and its frequency. */

#include "kern/arch.h"

static uint64_t hz;
static uint64_t ns_mul; /* ns per tick, 32.32 */

uint64_t tsc_read(void)
{
	uint32_t lo, hi;

	/* not before the loads and the calls that precede it */
	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi)::"memory");
	return (uint64_t)hi << 32 | lo;
}

uint64_t tsc_hz(void)
{
	return hz;
}

void tsc_set_hz(uint64_t value)
{
	hz = value;
	ns_mul = (1000000000ull << 32) / value;
}

/* 0 before the frequency is known. */
uint64_t tsc_to_ns(uint64_t delta)
{
	return (uint64_t)((unsigned __int128)delta * ns_mul >> 32);
}
