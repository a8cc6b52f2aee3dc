#ifndef KERN_ARCH_H
#define KERN_ARCH_H

/*
 * The processor, behind names: no privileged instruction is written outside
 * kernel/arch, so that a build for another privilege level changes nothing
 * else.  Implemented in kernel/arch/x86_64/.
 *
 * The program runs at the kernel's privilege level in the lower half of the
 * address space; "app" below means "RIP or RSP is in the lower half".
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"
#include "errno.h"

struct thread;
struct cpu;

#define USER_MIN 0x10000ul        /* below: always faults */
#define USER_MAX 0x7ffffffff000ul /* first address past the lower half */

/* --- interrupts -------------------------------------------------------- */

#define IRQ_FLAG_IF 0x200ul

static inline unsigned long irq_save(void)
{
#ifdef __KERNEL__
	unsigned long flags;
	__asm__ volatile("pushfq; popq %0; cli" : "=r"(flags)::"memory");
	return flags;
#else
	return 0;
#endif
}

static inline void irq_restore(unsigned long flags)
{
#ifdef __KERNEL__
	if (flags & IRQ_FLAG_IF)
		__asm__ volatile("sti" ::: "memory");
#else
	(void)flags;
#endif
}

static inline void irq_enable(void)
{
#ifdef __KERNEL__
	__asm__ volatile("sti" ::: "memory");
#endif
}

static inline void irq_disable(void)
{
#ifdef __KERNEL__
	__asm__ volatile("cli" ::: "memory");
#endif
}

bool irq_enabled(void);

/*
 * Interrupts on and wait for one, atomically: an interrupt that came before
 * ends the wait at once.  Called with interrupts off, returns with them on.
 */
void cpu_wait_for_irq(void);

static inline void cpu_relax(void)
{
	__builtin_ia32_pause();
}

typedef void (*irq_fn)(void *arg); /* event context: interrupts off */

#define VECTOR_XEN_UPCALL 0x30 /* the Xen event channel callback */
#define VECTOR_DYN_FIRST  0x31 /* irq_vector_alloc()'s */
#define VECTOR_DYN_LAST   0xdf
#define VECTOR_TIMER      0xf0
#define VECTOR_RESCHED    0xf1
#define VECTOR_CALL       0xf2 /* cpu_call() */
#define VECTOR_SPURIOUS   0xff

/* A fixed vector, on every cpu.  The arch acknowledges the local APIC for all
 * but VECTOR_XEN_UPCALL. */
void irq_vector_set(unsigned vector, irq_fn fn, void *arg);

/* Run the handler of a fixed vector: for platforms whose IPIs arrive in another
 * way.  Event context. */
void irq_vector_run(unsigned vector);

/* A vector of (cpu)'s for an MSI.  Returns it, or -ENOSPC. */
int irq_vector_alloc(unsigned cpu, irq_fn fn, void *arg);
/* Returns when no handler of it runs any more.  Thread context. */
void irq_vector_free(unsigned cpu, unsigned vector);
/* What a device must write to raise (vector) on (cpu). */
void irq_msi_message(
    unsigned cpu, unsigned vector, uint64_t *addr, uint32_t *data);

/* A line of the I/O APIC (gsi), shared if (level); 0 or -errno. */
int irq_gsi_attach(
    unsigned gsi, bool level, bool active_low, irq_fn fn, void *arg);
void irq_gsi_detach(unsigned gsi, irq_fn fn, void *arg);

/* --- cpus -------------------------------------------------------------- */

/* Run fn(arg) on every other cpu (or on (cpu)) in event context and wait. */
void cpu_call_others(void (*fn)(void *), void *arg);
void cpu_call(unsigned cpu, void (*fn)(void *), void *arg);
void cpu_ipi(unsigned cpu, unsigned vector);

/* r: eax ebx ecx edx */
void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t r[4]);
uint64_t rdmsr(uint32_t msr);
void wrmsr(uint32_t msr, uint64_t value);
uint8_t inb(uint16_t port);
uint16_t inw(uint16_t port);
uint32_t inl(uint16_t port);
void outb(uint16_t port, uint8_t v);
void outw(uint16_t port, uint16_t v);
void outl(uint16_t port, uint32_t v);

/* True and 64 bits when RDRAND or RDSEED gave any. */
bool arch_random(uint64_t *out);

/* The processor's identity for /proc/cpuinfo. */
struct cpu_ident {
	char vendor[13], model_name[49];
	unsigned family, model, stepping;
	uint32_t feat_1_ecx, feat_1_edx, feat_7_ebx, feat_ext_ecx, feat_ext_edx;
};
const struct cpu_ident *cpu_ident(void);

/* ACPI table by signature ("DSDT" too); NULL when there is none.  Checked:
 * (*len) bytes are mapped and the checksum was right. */
const void *acpi_find(const char sig[4], uint32_t *len);

/* --- time -------------------------------------------------------------- */

uint64_t tsc_read(void);
uint64_t tsc_hz(void);
uint64_t tsc_to_ns(uint64_t tsc_delta);
/* For platform->early(), when it knows; else it is measured. */
void tsc_set_hz(uint64_t hz);

/* One-shot event on this cpu at (deadline), clock_mono()'s ns; UINT64_MAX
 * stops it.  By platform->timer_set, else by the local APIC; it arrives as
 * timer_interrupt().  Interrupts off. */
void arch_timer_set(uint64_t deadline);

/* --- the program's memory ---------------------------------------------- */

/*
 * All of these are safe against any pointer: 0 or a count, or -EFAULT; never
 * a panic.  Thread context; may sleep (a page may have to be read in), so no
 * spinlock may be held, except for those named _nofault, which do not page in:
 * preemption is off when they are called.
 */
int copy_from_user(void *dst, const void *user_src, size_t n) MUST_CHECK;
int copy_to_user(void *user_dst, const void *src, size_t n) MUST_CHECK;
int clear_user(void *user_dst, size_t n) MUST_CHECK;
/* Length without the NUL; -ENAMETOOLONG when (n) bytes hold no NUL. */
long strncpy_from_user(char *dst, const char *user_src, size_t n) MUST_CHECK;

int user_load32(const uint32_t *user, uint32_t *out) MUST_CHECK;
int user_store32(uint32_t *user, uint32_t v) MUST_CHECK;
/* *out is what was there; the exchange happened if *out == old. */
int user_cmpxchg32(
    uint32_t *user, uint32_t old, uint32_t new, uint32_t *out) MUST_CHECK;

static inline bool user_range_ok(const void *p, size_t n)
{
	uintptr_t a = (uintptr_t)p;

	return n <= USER_MAX && a <= USER_MAX - n;
}

#ifdef __KERNEL__
/* With preemption off the fault handler goes to the fix-up at once. */
static inline MUST_CHECK int user_load32_nofault(
    const uint32_t *user, uint32_t *out)
{
	int err = -EFAULT;

	if (unlikely(!user_range_ok(user, sizeof(*user))))
		return err;
	__asm__ volatile("1: movl %2, %1\n"
			 "xorl %0, %0\n"
			 "2:\n"
			 ".pushsection ex_table, \"a\"\n"
			 ".balign 8\n"
			 ".quad 1b, 2b\n"
			 ".popsection\n"
			 : "+r"(err), "=&r"(*out)
			 : "m"(*user)
			 : "cc");
	return err;
}
#else
int user_load32_nofault(const uint32_t *user, uint32_t *out) MUST_CHECK;
#endif

/* --- traps and the way into and out of the program --------------------- */

/* All registers of an interrupted or calling context. */
struct trapframe {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector; /* trapframe_is_call(): orig rax in error */
	uint64_t error;
	uint64_t rip, cs, rflags, rsp, ss;
};
#define TRAP_SYSCALL 0x100
#define TRAP_CALL    0x102 /* the same, by arch_call_entry() */

static inline bool trapframe_is_call(const struct trapframe *tf)
{
	return tf->vector == TRAP_SYSCALL || tf->vector == TRAP_CALL;
}

/*
 * Where a program may call the kernel as a C function: a system call's number
 * in rax, its arguments as C has them.  Not for C to call.
 */
void arch_call_entry(void);

/* The program has gone, with all its memory and all threads but the current:
 * forget which of its call sites were rewritten. */
void arch_forget_sites(void);

static inline bool trapframe_is_app(const struct trapframe *tf)
{
	return (int64_t)tf->rip >= 0;
}

/* Per-thread state of the processor, in struct thread. */
struct arch_thread {
	uint64_t rsp; /* saved kernel stack pointer while switched out */
	uint64_t kstack_top;
	uint64_t fs_base;
	void *fpu;       /* NULL for a kernel thread */
	bool in_app_fpu; /* arch's own bookkeeping */
};

size_t fpu_state_size(void);
/* Vector state of the current thread, for signal frames: XSAVE format.
 * 0 or -EFAULT; fpu_restore_user() refuses what XRSTOR would fault on
 * and gives a clean state for NULL (execve, a signal frame without
 * one).  The buffer is fpu_state_size() bytes, aligned to 64. */
int fpu_save_user(void *user_buf);
int fpu_restore_user(const void *user_buf);

/* (t)->arch.kstack_top is set; make it start in fn(arg), with interrupts off,
 * when switched to.  fn must not return. */
void arch_thread_init(struct thread *t, void (*fn)(void *), void *arg);
/* 0 or -ENOMEM: give (t) vector state, a copy of the current thread's when
 * that has any. */
int arch_thread_init_app(struct thread *t);
void arch_thread_destroy(struct thread *t);

/* Switch from (prev), the current thread, to (next): stacks, FS base, vector
 * state, page table.  Interrupts off.  Returns when (prev) runs again. */
void arch_switch(struct thread *prev, struct thread *next);

void arch_set_fs_base(uint64_t base); /* of the current thread */

/*
 * Leave for the program with these registers; used for the first entry, for a
 * new thread and after execve.  Drops what is on the kernel stack.
 */
_Noreturn void arch_enter_app(const struct trapframe *tf);

/* --- page tables ------------------------------------------------------- */

struct pgtable; /* opaque: physical root */

#define PT_WRITE    1u
#define PT_EXEC     2u
#define PT_UNCACHED 4u
#define PT_GLOBAL   8u
#define PT_NONE     16u /* keeps the page, but every access faults */
#define PT_DIRTY    32u /* pt_map(): as if the processor had written to it */

/* Present is implied.  Sizes are 4 KiB or 2 MiB ((size) says). */
struct pgtable *pgtable_create(void);   /* shares the upper half */
void pgtable_destroy(struct pgtable *); /* frees tables, not pages */
struct pgtable *pgtable_kernel(void);
int pt_map(struct pgtable *, uintptr_t va, uint64_t pa, size_t size,
    unsigned prot); /* 0, -ENOMEM; replaces what was there, no flush */
/*
 * The entry that maps (va), or that will map the (size) bytes it is in: tables
 * above it are made.  One for 2 MiB is not empty either where there is a table
 * of small pages.  NULL: no memory.  Threads may look for entries and fill them
 * at once without whatever serialises changes, while no table is taken out.
 */
struct pt_slot;
struct pt_slot *pt_slot(struct pgtable *, uintptr_t va, size_t size);
bool pt_slot_empty(const struct pt_slot *);
/* False: another thread has mapped something. */
bool pt_slot_fill(
    struct pt_slot *, uint64_t pa, size_t size, unsigned prot) MUST_CHECK;
/* Returns the size unmapped (0: nothing there); *pa as it was.  *cached: a cpu
 * may remember it, so that pt_flush() has to come before the page is freed. */
size_t pt_unmap(struct pgtable *, uintptr_t va, uint64_t *pa, bool *cached);
/* The same for what is not dirty; a write in between keeps it.  0: dirty. */
size_t pt_unmap_clean(
    struct pgtable *, uintptr_t va, uint64_t *pa, bool *cached);
/*
 * Unmap what is in [va, end) until pa[] is full.  Returns where to go on: (end)
 * when all is done.  The physical addresses come with PT_GONE_2M where a page
 * is that large; [first, last) is where a cpu may remember something, empty if
 * first >= last.
 */
#define PT_GONE_2M 1ul
struct pt_batch {
	uint64_t *pa;
	unsigned n, max;
	uintptr_t first, last; /* grow only: begin with UINTPTR_MAX and 0 */
};
uintptr_t pt_unmap_range(
    struct pgtable *, uintptr_t va, uintptr_t end, struct pt_batch *);
/* Let 4 KiB move to where nothing is mapped, with what the processor has noted
 * of them.  0; -ENOENT: nothing there; -ENOMEM.  *cached as above. */
int pt_move(struct pgtable *, uintptr_t from, uintptr_t to, bool *cached);
/* Make small pages of the 2 MiB page that (va) is in: 1; 0 if it is in none;
 * -ENOMEM. */
int pt_split(struct pgtable *, uintptr_t va);
/* 0 or -ENOENT.  Splits a 2 MiB page when asked to (-ENOMEM). */
int pt_protect(struct pgtable *, uintptr_t va, size_t size, unsigned prot);
bool pt_lookup(struct pgtable *, uintptr_t va, uint64_t *pa, size_t *size,
    unsigned *prot, bool *accessed, bool *dirty);
/* The first address in [va, end) where something is mapped (PT_NONE counts),
 * by skipping tables that are not there; (end) when there is none. */
uintptr_t pt_next(struct pgtable *, uintptr_t va, uintptr_t end);
/* Clear the accessed or dirty bits of [va, va + len). */
void pt_clean(
    struct pgtable *, uintptr_t va, size_t len, bool accessed, bool dirty);
/* Forget translations on all cpus that may hold them.  Interrupts on, no
 * spinlock held (it waits for the other cpus). */
void pt_flush(struct pgtable *, uintptr_t va, size_t len);
/*
 * Nothing is mapped in [floor, roof), of the lower half: take the tables out
 * that cover some of [va, end) inside it and nothing outside it, and put them
 * before (*tables), a chain that begins as NULL.
 */
void pt_prune(struct pgtable *, uintptr_t va, uintptr_t end, uintptr_t floor,
    uintptr_t roof, void **tables);
/* pt_flush() of all that was unmapped, then free these tables. */
void pt_flush_free(struct pgtable *, uintptr_t va, size_t len, void *tables);
/* Memory that page tables use, but for the kernel's from boot. */
uint64_t pgtable_bytes(void);

/* --- branches in the text ---------------------------------------------- */

/*
 * False, by a no-op in the text that arch_branch_set((key), true) makes a jump:
 * for what is nearly always off.  (key) is the address of a static object;
 * several branches may share one.
 */
static inline __attribute__((always_inline)) bool branch_enabled(
    const void *key)
{
#ifdef __KERNEL__
	__asm__ goto("1: .byte 0x0f, 0x1f, 0x44, 0, 0\n"
		     ".pushsection branch_sites, \"a\"\n"
		     ".balign 8\n"
		     ".quad 1b, %l[yes], %c0\n"
		     ".popsection" ::"i"(key)::yes);
	return false;
yes:
	return true;
#else
	(void)key;
	return false;
#endif
}

/* Change all branches of (key).  Every other cpu stands still (cpus_stop()). */
void arch_branch_set(const void *key, bool on);
/* Forget what was prefetched of the text, after a change. */
void arch_sync_core(void);

/* --- boot and panic ---------------------------------------------------- */

/* kernel/main.c, in this order: cpu 0's tables and boot_info; the kernel's
 * page tables (boot_info.mem must be there); the local APIC and the clock
 * (memory works, the scheduler does not yet; calls platform->cpu_init(0)). */
void arch_early_init(void);
void arch_memory_init(void);
void arch_irq_init(void);
/* Start the other cpus; returns when they are online.  Thread context. */
void smp_start(void);

/* Stop all other cpus for good; any context. */
void arch_stop_others(void);
_Noreturn void arch_hang(void); /* interrupts off, for ever */
/* The last way to a reset: no IDT, then an exception.  Any context. */
_Noreturn void arch_triple_fault(void);
/* Read any address at all: 0 or -EFAULT; for backtraces. */
int arch_probe64(const void *addr, uint64_t *out) MUST_CHECK;

/* --- memory layout, for mm --------------------------------------------- */

#define DIRECT_MAP_BASE 0xffff880000000000ul /* PML4 slot 272 */
#define KMAP_BASE       0xffffc90000000000ul /* stacks, MMIO, ... */
#define KMAP_SIZE       0x0000010000000000ul
#define KERNEL_BASE     0xffffffff80000000ul

/* Map a page below 4 GiB that is not RAM (a hypervisor's ring), cached, for
 * ever.  From platform->early() only. */
void *early_map_page(uint64_t pa);

/* The image, kernel.lds. */
extern char kernel_start[], text_end[], kernel_end[];
/* First physical byte past the image and what the boot code allocated. */
uint64_t arch_boot_pa_end(void);

#endif /* KERN_ARCH_H */
