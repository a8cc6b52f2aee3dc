#ifndef ARCH_INT_H
#define ARCH_INT_H

/* What the files of kernel/arch/x86_64 share and nobody else sees. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kern/arch.h"
#include "kern/boot.h"
#include "kern/mm.h"
#include "kern/percpu.h"

#include "msr.h"
#include "offsets.h"

struct thread;

/* --- cpu.c: this processor's tables and features ------------------------ */

#define IST_SIZE  4096
#define IST_COUNT 4

struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3, iomap;
} PACKED;

struct pgtable;

#define CPU_SET_WORDS (CPU_MAX / 64)

struct cpu_set {
	uint64_t bits[CPU_SET_WORDS];
};

/* ipi.c */
struct cpu_call {
	void (*fn)(void *);
	void *arg;
	_Atomic unsigned pending; /* cpus that have not run fn yet */
};

struct arch_cpu {
	uint64_t gdt[5];
	struct tss tss ALIGNED(16);
	struct pgtable *pgtable;  /* in CR3 */
	_Atomic unsigned tlb;     /* tlb.c: enum tlb_state */
	struct thread *fpu_owner; /* whose vector state the registers hold */
	uint8_t *ist;             /* IST_COUNT stacks */
	struct cpu_call call;     /* of this cpu to others */
	_Atomic uint64_t call_from[CPU_SET_WORDS];
};

struct cpu_features {
	bool gbpages, fsgsbase, xsave, xsaveopt, x2apic, tsc_deadline;
	bool rdrand, rdseed, hypervisor;
	bool fast_switch; /* fpu.c: XSAVEOPT, XRSTOR and WRFSBASE are there */
	uint32_t max_leaf, max_ext_leaf;
};
extern struct cpu_features cpu_features;

void cpu_features_init(void);
/* The boot cpu: GS base, GDT, TSS; nothing may touch cpu_self() before. */
void cpu_boot_init(void);
/* 0 or -ENOMEM: make (c)->arch. */
int cpu_alloc_arch(struct cpu *c);
/* The cpu that runs: load what cpu_alloc_arch() made, set the MSRs. */
void cpu_load(struct cpu *c);

static inline uint64_t read_cr2(void)
{
	uint64_t v;

	__asm__ volatile("movq %%cr2, %0" : "=r"(v));
	return v;
}

static inline uint64_t read_cr3(void)
{
	uint64_t v;

	__asm__ volatile("movq %%cr3, %0" : "=r"(v)::"memory");
	return v;
}

static inline void write_cr3(uint64_t v)
{
	__asm__ volatile("movq %0, %%cr3" ::"r"(v) : "memory");
}

static inline uint64_t read_cr4(void)
{
	uint64_t v;

	__asm__ volatile("movq %%cr4, %0" : "=r"(v));
	return v;
}

static inline void write_cr4(uint64_t v)
{
	__asm__ volatile("movq %0, %%cr4" ::"r"(v) : "memory");
}

static inline uint64_t read_cr0(void)
{
	uint64_t v;

	__asm__ volatile("movq %%cr0, %0" : "=r"(v));
	return v;
}

static inline void write_cr0(uint64_t v)
{
	__asm__ volatile("movq %0, %%cr0" ::"r"(v) : "memory");
}

static inline void invlpg(uintptr_t va)
{
	__asm__ volatile("invlpg (%0)" ::"r"(va) : "memory");
}

/* --- pvh.c -------------------------------------------------------------- */

extern uint64_t boot_entry_tsc, boot_start_info_pa;
extern char boot_pml4[], boot_stack_guard[], boot_stack_top[];

/* Fill boot_info from what the loader left; panics on garbage. */
void pvh_read_start_info(void);

/* --- bootmem.c: the boot memory map, pure ------------------------------- */

/* Sort (info)->mem, cut overlaps (the stricter type wins) and round RAM to
 * pages. */
void bootmem_normalise(struct boot_info *info);
/* Take (len) bytes below (limit) out of the map's RAM: the physical address,
 * or 0.  Keeps clear of modules and of [keep_start, keep_end). */
uint64_t bootmem_carve(struct boot_info *info, uint64_t len, uint64_t limit,
    uint64_t keep_start, uint64_t keep_end);

/* --- paging_boot.c ------------------------------------------------------ */

extern char rodata_end[];

/* Final kernel page tables; loads CR3. */
void paging_init(void);
extern uint64_t paging_kernel_root; /* physical */

static inline uint64_t image_pa(const void *p)
{
	return (uintptr_t)p - KERNEL_BASE;
}

/* Valid for RAM below 4 GiB from the first instruction on. */
static inline void *direct_map(uint64_t pa)
{
	return (void *)(uintptr_t)(DIRECT_MAP_BASE + pa);
}

/* --- paging.c ----------------------------------------------------------- */

/* What pt_prune() took out, when no cpu walks through it any more. */
void pt_free_tables(void *tables);

/* --- door.S, trap.c, extable.c, irq.c ----------------------------------- */

void trap_init(void);     /* builds the IDT, once */
void trap_cpu_init(void); /* loads it */

/* From door.S. */
void trap_handler(struct trapframe *tf);
void trap_handler_stay(struct trapframe *tf);
void trap_app_exit(struct trapframe *tf);
/* Run the call of (tf), which door.S has filled in part, or only end it.
 * True: the short way back will do; false: all of (tf) is to be loaded. */
bool syscall_handler(struct trapframe *tf);
bool syscall_exit_handler(struct trapframe *tf);
/* As syscall_handler(); the call is one of those whose site is looked at. */
bool syscall_sample_handler(struct trapframe *tf);
/* The same for door (b). */
bool call_handler(struct trapframe *tf);
bool call_exit_handler(struct trapframe *tf);
void syscall_entry(void);
extern char door_syscall_exit[], door_syscall_jump[];
extern char door_call_exit[], door_call_ret[], door_call_again[];
_Noreturn void enter_app(const struct trapframe *tf);
void switch_stacks(uint64_t *save_rsp, uint64_t rsp);
void thread_first(void);

/* The fix-up address for a fault at (rip), or 0. */
uintptr_t extable_find(uintptr_t rip);

void irq_dispatch(unsigned vector);

/* --- ipi.c -------------------------------------------------------------- */

void ipi_init(void);
/* Run fn(arg) on the cpus of (set), not this one, and wait: preemption off,
 * interrupts on. */
void cpu_call_set(const struct cpu_set *set, void (*fn)(void *), void *arg);

/* --- tlb.c -------------------------------------------------------------- */

/* This cpu goes on with a thread whose table is (pt), NULL for a kernel
 * thread, which runs on whatever is loaded.  Interrupts off. */
void tlb_switch(struct pgtable *pt);
/* No cpu has (pt) loaded any more.  Like pt_flush(). */
void tlb_leave(struct pgtable *pt);

/* --- smp.c -------------------------------------------------------------- */

/* Take the trampoline's page out of boot_info.mem. */
void smp_reserve(void);

/* An NMI came: does a panic want this cpu to stop?  Then it does not return. */
void smp_stop_check(void);

#endif /* ARCH_INT_H */
