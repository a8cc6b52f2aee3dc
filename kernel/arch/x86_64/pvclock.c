/* Reading the clock that the host keeps for us; see kern/pvclock.h. */

#include <stdatomic.h>

#include "kern/arch.h"
#include "kern/compiler.h"
#include "kern/pvclock.h"

#define NS_PER_S 1000000000ull

static _Atomic uint64_t latest; /* that any cpu was told */

static uint64_t scale(uint64_t ticks, uint32_t mul, int shift)
{
	if (shift >= 0)
		ticks <<= (unsigned)shift & 63;
	else
		ticks >>= (unsigned)-shift & 63;
	return (uint64_t)((unsigned __int128)ticks * mul >> 32);
}

/* The clocks of two cpus may differ a little. */
static uint64_t not_before_latest(uint64_t now)
{
	uint64_t seen = atomic_load_explicit(&latest, memory_order_relaxed);

	while (seen < now)
		if (atomic_compare_exchange_weak_explicit(&latest, &seen, now,
			memory_order_relaxed, memory_order_relaxed))
			return now;
	return seen;
}

/* What is read between the two is of one writing if the second says no. */
static uint32_t read_begin(const struct pvclock_time *t)
{
	return __atomic_load_n(&t->version, __ATOMIC_ACQUIRE) & ~1u;
}

static bool read_again(const struct pvclock_time *t, uint32_t version)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return READ_ONCE(t->version) != version;
}

uint64_t pvclock_ns(const struct pvclock_time *t)
{
	uint32_t version;
	uint64_t now, tsc, stamp;
	uint8_t flags;

	do {
		version = read_begin(t);
		stamp = READ_ONCE(t->tsc);
		tsc = tsc_read();
		now = READ_ONCE(t->system_time);
		if (tsc > stamp)
			now += scale(tsc - stamp, READ_ONCE(t->mul),
			    READ_ONCE(t->shift));
		flags = READ_ONCE(t->flags);
	} while (read_again(t, version));
	return flags & PVCLOCK_TSC_STABLE ? now : not_before_latest(now);
}

uint64_t pvclock_tsc_hz(const struct pvclock_time *t)
{
	uint32_t version, mul;
	int8_t shift;
	uint64_t hz;

	do {
		version = read_begin(t);
		mul = READ_ONCE(t->mul);
		shift = READ_ONCE(t->shift);
	} while (read_again(t, version));
	if (!mul || shift > 31 || shift < -31)
		return 0;
	hz = (NS_PER_S << 32) / mul;
	return shift >= 0 ? hz >> shift : hz << -shift;
}
