/*
 * Time as Xen gives it: system time in the vcpu's time area, wall clock in the
 * shared info page, and one one-shot timer for each vcpu.
 * Source: xen/include/public/xen.h (vcpu_time_info), vcpu.h
 */

#include "kern/arch.h"
#include "kern/log.h"
#include "kern/percpu.h"
#include "kern/pvclock.h"
#include "kern/sched.h"
#include "xen_int.h"
#include <xen/vcpu.h>

_Static_assert(sizeof(struct vcpu_time_info) == sizeof(struct pvclock_time),
    "the same area");

static bool cpu_areas; /* struct cpu and its vcpu_info are usable */

void xen_clock_cpu_ready(void)
{
	cpu_areas = true;
}

static const struct pvclock_time *time_area(void)
{
	struct xen_cpu *xc = cpu_areas ? cpu_self()->xen : NULL;

	return (
	    const void *)(xc ? &xc->info.time : &xen_shared->vcpu_info[0].time);
}

uint64_t xen_tsc_hz(void)
{
	return pvclock_tsc_hz(time_area());
}

uint64_t xen_clock_mono(void)
{
	unsigned long flags = irq_save(); /* the area is this cpu's */
	uint64_t ns = pvclock_ns(time_area());

	irq_restore(flags);
	return ns;
}

const volatile struct pvclock_time *xen_clock_area(void)
{
	const struct xen_cpu *xc = cpus[0]->xen;

	return xc ? (const void *)&xc->info.time : NULL;
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
