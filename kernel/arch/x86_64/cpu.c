/* The processor itself: features, ports, MSRs, GDT, TSS and struct cpu. */

#include "kern/compiler.h"
#include "kern/errno.h"
#include "kern/num.h"
#include "kern/string.h"

#include "arch_int.h"

struct cpu_features cpu_features;

static struct cpu boot_cpu;
static struct arch_cpu boot_arch_cpu;
static uint8_t boot_ist[IST_COUNT * IST_SIZE] ALIGNED(PAGE_SIZE);
static struct cpu_ident ident;

void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
			 : "a"(leaf), "c"(subleaf));
}

uint64_t rdmsr(uint32_t msr)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr) : "memory");
	return (uint64_t)hi << 32 | lo;
}

void wrmsr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)value),
			 "d"((uint32_t)(value >> 32))
			 : "memory");
}

uint8_t inb(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

uint16_t inw(uint16_t port)
{
	uint16_t v;

	__asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

uint32_t inl(uint16_t port)
{
	uint32_t v;

	__asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

void outb(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" ::"a"(v), "Nd"(port));
}

void outw(uint16_t port, uint16_t v)
{
	__asm__ volatile("outw %0, %1" ::"a"(v), "Nd"(port));
}

void outl(uint16_t port, uint32_t v)
{
	__asm__ volatile("outl %0, %1" ::"a"(v), "Nd"(port));
}

bool irq_enabled(void)
{
	unsigned long flags;

	__asm__ volatile("pushfq; popq %0" : "=r"(flags));
	return flags & IRQ_FLAG_IF;
}

/* The instruction after sti still runs with interrupts held off. */
void cpu_wait_for_irq(void)
{
	__asm__ volatile("sti; hlt" ::: "memory");
}

/* RDSEED first; either may come back empty-handed. */
bool arch_random(uint64_t *out)
{
	uint8_t ok = 0;

	for (int i = 0; i < 8 && cpu_features.rdseed && !ok; i++)
		__asm__ volatile("rdseed %0; setc %1" : "=r"(*out), "=qm"(ok));
	for (int i = 0; i < 8 && cpu_features.rdrand && !ok; i++)
		__asm__ volatile("rdrand %0; setc %1" : "=r"(*out), "=qm"(ok));
	return ok;
}

static void ident_init(const uint32_t leaf0[4], const uint32_t leaf1[4])
{
	uint32_t eax = leaf1[0];

	memcpy(ident.vendor, &leaf0[1], 4);
	memcpy(ident.vendor + 4, &leaf0[3], 4);
	memcpy(ident.vendor + 8, &leaf0[2], 4);
	ident.stepping = eax & 0xf;
	ident.model = (eax >> 4 & 0xf) | (eax >> 12 & 0xf0);
	ident.family = eax >> 8 & 0xf;
	if (ident.family == 0xf)
		ident.family += eax >> 20 & 0xff;
	ident.feat_1_ecx = leaf1[2];
	ident.feat_1_edx = leaf1[3];
}

/* Under a hypervisor each cpuid is a trip to it: the name is read when asked
 * for, and the same by whoever comes first. */
const struct cpu_ident *cpu_ident(void)
{
	uint32_t r[4];

	if (ident.model_name[0] || cpu_features.max_ext_leaf < 0x80000004)
		return &ident;
	for (unsigned i = 3; i-- > 0;) {
		cpuid(0x80000002 + i, 0, r);
		memcpy(ident.model_name + 16 * i, r, 16);
	}
	return &ident;
}

void cpu_features_init(void)
{
	struct cpu_features *f = &cpu_features;
	uint32_t r0[4], r1[4], r[4];

	cpuid(0, 0, r0);
	f->max_leaf = r0[0];
	cpuid(1, 0, r1);
	f->x2apic = r1[2] >> 21 & 1;
	f->tsc_deadline = r1[2] >> 24 & 1;
	f->xsave = r1[2] >> 26 & 1;
	f->rdrand = r1[2] >> 30 & 1;
	f->hypervisor = r1[2] >> 31 & 1;
	cpuid(0x80000000, 0, r);
	f->max_ext_leaf = r[0];
	ident_init(r0, r1);
	if (f->max_leaf >= 7) {
		cpuid(7, 0, r);
		ident.feat_7_ebx = r[1];
		f->fsgsbase = r[1] & 1;
		f->rdseed = r[1] >> 18 & 1;
	}
	if (f->xsave && f->max_leaf >= 0xd) {
		cpuid(0xd, 1, r);
		f->xsaveopt = r[0] & 1;
	}
	cpuid(0x80000001, 0, r);
	ident.feat_ext_ecx = r[2];
	ident.feat_ext_edx = r[3];
	f->gbpages = r[3] >> 26 & 1;
}

static void arch_cpu_fill(struct arch_cpu *a, uint8_t *ist)
{
	uint64_t base = (uintptr_t)&a->tss;
	uint64_t limit = sizeof(a->tss) - 1;

	a->gdt[KERNEL_CS / 8] = 0x00af9b000000ffff;
	a->gdt[KERNEL_SS / 8] = 0x00cf93000000ffff;
	a->gdt[KERNEL_TSS / 8] = limit | (base & 0xffffff) << 16 |
				 0x89ull << 40 | (base >> 24 & 0xff) << 56;
	a->gdt[KERNEL_TSS / 8 + 1] = base >> 32;
	a->tss.iomap = sizeof(a->tss);
	a->ist = ist;
	for (unsigned i = 0; i < IST_COUNT; i++)
		a->tss.ist[i] = (uintptr_t)ist + (i + 1) * IST_SIZE;
}

int cpu_alloc_arch(struct cpu *c)
{
	struct arch_cpu *a = kzalloc(sizeof(*a));
	uint8_t *ist = page_alloc(ilog2(IST_COUNT), 0);

	if (!a || !ist) {
		kfree(a);
		if (ist)
			page_free(ist, ilog2(IST_COUNT));
		return -ENOMEM;
	}
	arch_cpu_fill(a, ist);
	c->arch = a;
	return 0;
}

/* FMASK: what a system call clears, all but the reserved bits, as Linux. */
static void syscall_msrs(void)
{
	wrmsr(MSR_STAR, (uint64_t)KERNEL_CS << 32);
	wrmsr(MSR_LSTAR, (uintptr_t)syscall_entry);
	wrmsr(MSR_FMASK, 0x257fd5);
}

void cpu_load(struct cpu *c)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} PACKED ptr = { sizeof(c->arch->gdt) - 1, (uintptr_t)c->arch->gdt };
	uint64_t cr4 = read_cr4() | CR4_PGE;

	__asm__ volatile("lgdt %0" ::"m"(ptr));
	__asm__ volatile("ltr %w0" ::"r"(KERNEL_TSS));
	wrmsr(MSR_GS_BASE, (uintptr_t)c);
	wrmsr(MSR_KERNEL_GS, (uintptr_t)c); /* a stray swapgs does nothing */
	wrmsr(MSR_FS_BASE, 0);
	if (cpu_features.fsgsbase)
		cr4 |= CR4_FSGSBASE;
	write_cr4(cr4);
	syscall_msrs();
	trap_cpu_init();
}

void cpu_boot_init(void)
{
	struct cpu *c = &boot_cpu;

	c->self = c;
	c->kstack_top = (uintptr_t)boot_stack_top;
	c->arch = &boot_arch_cpu;
	arch_cpu_fill(c->arch, boot_ist);
	cpu_load(c);
	c->online = true;
}
