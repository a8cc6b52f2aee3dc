#ifndef KERN_CLOCK_H
#define KERN_CLOCK_H

/* The clocks, ns.  Any context.  kernel/arch/x86_64/clock.c */

#include <stdint.h>

uint64_t clock_mono(void); /* since boot, never goes back on any cpu */
uint64_t clock_wall(void); /* since 1970 */
void clock_wall_set(uint64_t ns);

#endif /* KERN_CLOCK_H */
