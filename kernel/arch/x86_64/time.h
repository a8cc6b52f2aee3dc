#ifndef ARCH_TIME_H
#define ARCH_TIME_H

/* tsc.c, clock.c, rtc.c */

#include <stdint.h>

/* Find the TSC's frequency, and the APIC timer's when that is needed.  After
 * apic_cpu_init() of the boot cpu. */
void clock_init(void);

/* ns since 1970 by the CMOS clock; 0 when there is none. */
uint64_t rtc_read(void);

#endif /* ARCH_TIME_H */
