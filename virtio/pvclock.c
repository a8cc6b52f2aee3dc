#include <stdatomic.h>

#include "kern/arch.h"
#include "kern/compiler.h"

#include "pvclock.h"

static _Atomic uint64_t last_read;

static uint64_t scale(uint64_t ticks, uint32_t mul, int shift)
{
	if (shift >= 0)
		ticks <<= shift & 63;
	else
		ticks >>= -shift & 63;
	return (uint64_t)((unsigned __int128)ticks * mul >> 32);
}

static uint64_t clamp(uint64_t now)
{
	uint64_t last = atomic_load(&last_read);

	while (last < now)
		if (atomic_compare_exchange_weak(&last_read, &last, now))
			return now;
	return last;
}

uint64_t pvclock_read(const struct pvclock_info *info, uint64_t (*tsc)(void))
{
	const volatile struct pvclock_info *v = info;
	uint32_t version;
	uint64_t now;
	uint8_t flags;

	for (;;) {
		version = __atomic_load_n(&info->version, __ATOMIC_ACQUIRE);
		now = v->system_time + scale(tsc() - v->tsc, v->mul, v->shift);
		flags = v->flags;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (!(version & 1) && version == v->version)
			break;
		cpu_relax();
	}
	return flags & PVCLOCK_TSC_STABLE ? now : clamp(now);
}
