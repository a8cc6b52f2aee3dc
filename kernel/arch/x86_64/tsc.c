/* The time stamp counter and its frequency. */

#include "kern/arch.h"

#include "time.h"

static uint64_t hz;
uint64_t tsc_ns_mul;

uint64_t tsc_read(void)
{
	return tsc_now();
}

uint64_t tsc_hz(void)
{
	return hz;
}

void tsc_set_hz(uint64_t value)
{
	hz = value;
	tsc_ns_mul = (1000000000ull << 32) / value;
}

/* 0 before the frequency is known. */
uint64_t tsc_to_ns(uint64_t delta)
{
	return tsc_scale(delta);
}
