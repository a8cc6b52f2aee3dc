/*
 * Time as Xen gives it: system time by the TSC and the scale in the vcpu's
 * time area, wall clock in the shared info page, and one one-shot timer for
 * each vcpu.
 * Source: xen/include/public/xen.h (vcpu_time_info), vcpu.h
 */

#include "kern/arch.h"
#include "kern/log.h"
#include "kern/num.h"
#include "kern/percpu.h"
#include "kern/sched.h"
#include "xen_int.h"
#include <xen/vcpu.h>

static bool cpu_areas; /* struct cpu and its vcpu_info are usable */
static uint64_t last;  /* the latest time any cpu was told */

void xen_clock_cpu_ready(void)
{
	cpu_areas = true;
}

static uint64_t scale(uint64_t delta, uint32_t mul, int8_t shift)
{
	if (shift >= 0)
		delta <<= (unsigned)shift & 63;
	else
		delta >>= (unsigned)-shift & 63;
	return (uint64_t)(((unsigned __int128)delta * mul) >> 32);
}

/* Xen makes the version odd while it writes, on this very vcpu or before it
 * runs, so the loop is short.  (*stable): all vcpus agree. */
static uint64_t time_read(const struct vcpu_time_info *t, bool *stable)
{
	uint32_t version;
	uint64_t ns, tsc, stamp;

	do {
		version = __atomic_load_n(&t->version, __ATOMIC_ACQUIRE) & ~1u;
		stamp = READ_ONCE(t->tsc_timestamp);
		tsc = tsc_read();
		ns = READ_ONCE(t->system_time);
		if (tsc > stamp)
			ns +=
			    scale(tsc - stamp, READ_ONCE(t->tsc_to_system_mul),
				READ_ONCE(t->tsc_shift));
		*stable = (READ_ONCE(t->flags) & XEN_PVCLOCK_TSC_STABLE_BIT);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (READ_ONCE(t->version) != version);
	return ns;
}

static const struct vcpu_time_info *time_area(void)
{
	struct xen_cpu *xc = cpu_areas ? cpu_self()->xen : NULL;

	return xc ? &xc->info.time : &xen_shared->vcpu_info[0].time;
}

/* Never back, also when the vcpus' TSCs differ a little. */
static uint64_t not_before(uint64_t ns)
{
	uint64_t seen = __atomic_load_n(&last, __ATOMIC_RELAXED);

	do {
		if (ns <= seen)
			return seen;
	} while (!__atomic_compare_exchange_n(
	    &last, &seen, ns, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return ns;
}

/* What the scale says of the TSC; 0 when Xen has not filled it in. */
uint64_t xen_tsc_hz(void)
{
	const struct vcpu_time_info *t = time_area();
	uint32_t mul = READ_ONCE(t->tsc_to_system_mul);
	int8_t shift = READ_ONCE(t->tsc_shift);
	uint64_t hz;

	if (mul == 0 || shift > 31 || shift < -31)
		return 0;
	hz = (NSEC_PER_SEC << 32) / mul;
	return shift >= 0 ? hz >> shift : hz << -shift;
}

uint64_t xen_clock_mono(void)
{
	unsigned long flags = irq_save(); /* the area is this cpu's */
	bool stable;
	uint64_t ns = time_read(time_area(), &stable);

	irq_restore(flags);
	return stable ? ns : not_before(ns);
}

uint64_t xen_clock_wall(void)
{
	const struct shared_info *s = xen_shared;
	uint32_t version;
	uint64_t sec, nsec;

	do {
		version =
		    __atomic_load_n(&s->wc_version, __ATOMIC_ACQUIRE) & ~1u;
		sec = READ_ONCE(s->wc_sec) | (uint64_t)READ_ONCE(s->wc_sec_hi)
						 << 32;
		nsec = READ_ONCE(s->wc_nsec);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (READ_ONCE(s->wc_version) != version);
	return sec * NSEC_PER_SEC + nsec + xen_clock_mono();
}

/* A deadline in the past fires at once. */
void xen_timer_set(uint64_t deadline)
{
	struct vcpu_set_singleshot_timer op = { .timeout_abs_ns = deadline };
	struct xen_cpu *xc = cpu_self()->xen;
	int err;

	if (!xc || !xc->timer_ready)
		return;
	if (deadline == UINT64_MAX)
		err = hypercall_vcpu(
		    VCPUOP_stop_singleshot_timer, xc->vcpu, NULL);
	else
		err =
		    hypercall_vcpu(VCPUOP_set_singleshot_timer, xc->vcpu, &op);
	if (err != 0)
		log_once(LOG_ERR, "xen: no one-shot timer: error %d", err);
}
