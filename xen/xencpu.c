/*
 * What each vcpu needs: its vcpu_info in our memory, event delivery to the
 * upcall vector, a timer, and event channels by which other cpus interrupt it
 * (an IPI through the local APIC costs an exit on both sides).
 */

#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/panic.h"
#include "kern/percpu.h"
#include "kern/sched.h"
#include "xen_int.h"
#include <xen/arch-x86/cpuid.h>
#include <xen/hvm/hvm_op.h>
#include <xen/vcpu.h>

#define MSR_APIC_BASE     0x1b
#define APIC_BASE_X2APIC  (1ull << 10)
#define MSR_X2APIC_APICID 0x802
#define MSR_X2APIC_EOI    0x80b
#define APIC_MMIO         0xfee00000ul
#define APIC_MMIO_EOI     0xb0

static struct xen_cpu boot_cpu;
/* The boot cpu comes here before the scheduler has filled cpus[]. */
static struct xen_cpu *xen_cpus[CPU_MAX];
static bool upcall_by_lapic; /* then it wants an EOI */
static uint8_t *lapic;       /* NULL: x2APIC */

struct xen_cpu *xen_cpu(unsigned cpu)
{
	return cpu < CPU_MAX ? xen_cpus[cpu] : NULL;
}

static void lapic_eoi(void)
{
	if (lapic)
		WRITE_ONCE(*(uint32_t *)(void *)(lapic + APIC_MMIO_EOI), 0);
	else
		wrmsr(MSR_X2APIC_EOI, 0);
}

static void upcall(void *arg)
{
	(void)arg;
	if (upcall_by_lapic)
		lapic_eoi();
	evtchn_upcall(cpu_self()->xen);
}

/* Xen's number of the cpu we run on. */
static uint32_t vcpu_id(void)
{
	uint32_t base, r[4];

	for (base = 0x40000000; base < 0x40010000; base += 0x100) {
		cpuid(base, 0, r);
		if (r[1] != XEN_CPUID_SIGNATURE_EBX || r[0] < base + 4)
			continue;
		cpuid(base + 4, 0, r);
		if (r[0] & XEN_HVM_CPUID_VCPU_ID_PRESENT)
			return r[1];
		break;
	}
	/* Xen before 4.5 or so: it numbers local APICs in steps of two. */
	return cpu_self()->apic_id / 2;
}

static void vcpu_info_register(struct xen_cpu *xc)
{
	struct vcpu_register_vcpu_info op = {
		.mfn = va_to_pa(&xc->info) >> PAGE_SHIFT,
		.offset = (uint32_t)(va_to_pa(&xc->info) & (PAGE_SIZE - 1)),
	};
	int err = hypercall_vcpu(VCPUOP_register_vcpu_info, xc->vcpu, &op);

	if (err != 0)
		panic("xen: vcpu %u: no vcpu_info: error %d", xc->vcpu, err);
}

/* Through the cpu's own local APIC, as an edge that is in service until its
 * EOI: Xen cannot inject it twice. */
static int upcall_set(const struct xen_cpu *xc)
{
	struct xen_hvm_evtchn_upcall_vector op = {
		.vcpu = xc->vcpu,
		.vector = VECTOR_XEN_UPCALL,
	};

	if (!xen_option("xen.upcall", true))
		return -ENOSYS;
	return hypercall_hvm(HVMOP_set_evtchn_upcall_vector, &op);
}

/* The older way, without an EOI, for all vcpus at once. */
static int callback_set(void)
{
	uint64_t via =
	    (uint64_t)HVM_PARAM_CALLBACK_TYPE_VECTOR << 56 | VECTOR_XEN_UPCALL;

	return xen_param_set(HVM_PARAM_CALLBACK_IRQ, via);
}

static void delivery_set(const struct xen_cpu *xc)
{
	if (upcall_set(xc) != 0) {
		if (callback_set() != 0)
			panic("xen: no way to deliver events");
		return;
	}
	upcall_by_lapic = true;
	if (!lapic && !(rdmsr(MSR_APIC_BASE) & APIC_BASE_X2APIC))
		lapic = mmio_map(APIC_MMIO, PAGE_SIZE);
}

static void timer_event(void *arg)
{
	(void)arg;
	timer_interrupt();
}

static void ipi_event(void *arg)
{
	irq_vector_run((unsigned)(uintptr_t)arg);
}

static void ipi_bind(struct xen_cpu *xc, unsigned vector)
{
	evtchn_port_t port;

	if (evtchn_bind_ipi(xc->cpu, &port) != 0 ||
	    evtchn_handle(
		port, xc->cpu, ipi_event, (void *)(uintptr_t)vector) != 0)
		panic("xen: cpu %u: no port for interrupts", xc->cpu);
	evtchn_unmask(port);
	/* Others look at it as soon as it is there. */
	__atomic_store_n(
	    &xc->ipi[vector - VECTOR_RESCHED], port, __ATOMIC_RELEASE);
}

static void timer_bind(struct xen_cpu *xc)
{
	evtchn_port_t port;
	int err;

	/* Harmless where there is no periodic timer. */
	hypercall_vcpu(VCPUOP_stop_periodic_timer, xc->vcpu, NULL);
	err = evtchn_bind_virq(VIRQ_TIMER, xc->cpu, &port);
	if (err == 0)
		err = evtchn_handle(port, xc->cpu, timer_event, NULL);
	if (err != 0)
		panic("xen: cpu %u: no timer: error %d", xc->cpu, err);
	evtchn_unmask(port);
	xc->timer_ready = true;
}

/* Interrupts are off.  A cpu without events or a timer is of no use, so
 * failure is a panic. */
void xen_cpu_init(unsigned cpu)
{
	struct xen_cpu *xc =
	    cpu == 0 ? &boot_cpu : kzalloc(sizeof(struct xen_cpu));

	if (!xc)
		panic("xen: cpu %u: no memory", cpu);
	xc->cpu = cpu;
	xc->vcpu = vcpu_id();
	vcpu_info_register(xc);
	cpu_self()->xen = xen_cpus[cpu] = xc;
	if (cpu == 0) {
		xen_clock_cpu_ready();
		irq_vector_set(VECTOR_XEN_UPCALL, upcall, NULL);
	}
	if (evtchn_cpu_init(xc) != 0)
		panic("xen: cpu %u: no event channels", cpu);
	delivery_set(xc);
	timer_bind(xc);
	ipi_bind(xc, VECTOR_RESCHED);
	ipi_bind(xc, VECTOR_CALL);
}

void xen_ipi(unsigned cpu, unsigned vector)
{
	struct xen_cpu *xc = xen_cpu(cpu);
	unsigned i = vector - VECTOR_RESCHED;

	if (xc && i < ARRAY_SIZE(xc->ipi))
		evtchn_notify(__atomic_load_n(&xc->ipi[i], __ATOMIC_ACQUIRE));
}
