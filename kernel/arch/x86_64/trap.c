/*
 * What the gates of door.S lead to.  Frames are on the kernel stack of the
 * current thread; interrupts are off on entry and on return.
 */

#include "kern/app.h"
#include "kern/compiler.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/panic.h"
#include "kern/sched.h"
#include "kern/vm.h"

#include "arch_int.h"
#include "site.h"

#define VEC_DE        0
#define VEC_DB        1
#define VEC_NMI       2
#define VEC_BP        3
#define VEC_UD        6
#define VEC_NM        7
#define VEC_DF        8
#define VEC_PF        14
#define VEC_MF        16
#define VEC_AC        17
#define VEC_MC        18
#define VEC_XM        19
#define VEC_IRQ_FIRST 32

#define PF_WRITE      2u
#define PF_RSVD       8u
#define PF_FETCH      16u

struct gate {
	uint16_t off0, sel, ist_type, off1;
	uint32_t off2, reserved;
} PACKED;

#define GATE_INTERRUPT 0x8e00

extern char trap_stubs[];

const struct app_ops *app_ops;

static struct gate idt[256] ALIGNED(16);

void trap_init(void)
{
	for (unsigned v = 0; v < 256; v++) {
		uint64_t a = (uintptr_t)trap_stubs + 16ul * v;
		unsigned ist = IST_TRAP;

		if (v == VEC_NMI)
			ist = IST_NMI;
		else if (v == VEC_DF)
			ist = IST_FAULT;
		else if (v == VEC_MC)
			ist = IST_MCE;
		idt[v] = (struct gate){
			.off0 = (uint16_t)a,
			.sel = KERNEL_CS,
			.ist_type = (uint16_t)(GATE_INTERRUPT | ist),
			.off1 = (uint16_t)(a >> 16),
			.off2 = (uint32_t)(a >> 32),
		};
	}
}

void trap_cpu_init(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} PACKED ptr = { sizeof(idt) - 1, (uintptr_t)idt };

	__asm__ volatile("lidt %0" ::"m"(ptr));
}

/*
 * Whoever is on the thread's kernel stack is the kernel, even with a RIP of 0.
 * The program may have jumped into the upper half, or point its RSP there: its
 * own fault, unless it runs our text.
 */
static bool from_app(const struct trapframe *tf)
{
	bool on_kstack = cpu_self()->kstack_top - tf->rsp <= KSTACK_SIZE;
	bool in_text =
	    tf->rip >= (uintptr_t)kernel_start && tf->rip < (uintptr_t)text_end;

	return !on_kstack && !in_text;
}

static const char *trap_name(uint64_t vector)
{
	static const char *const names[] = { "divide error", "debug trap",
		"NMI", "breakpoint", "overflow", "bound", "invalid opcode",
		"no FPU", "double fault", "FPU segment", "invalid TSS",
		"segment not present", "stack segment fault",
		"general protection fault", "page fault", "reserved",
		"x87 error", "alignment check", "machine check", "SIMD error" };

	if (vector == TRAP_OVERFLOW)
		return "kernel stack overflow";
	return vector < ARRAY_SIZE(names) ? names[vector] : "exception";
}

static enum app_fault app_fault_of(uint64_t vector)
{
	switch (vector) {
	case VEC_DE:
		return APP_FAULT_DIVIDE;
	case VEC_DB:
		return APP_FAULT_DEBUG;
	case VEC_BP:
		return APP_FAULT_BREAK;
	case VEC_UD:
	case VEC_NM:
		return APP_FAULT_OPCODE;
	case VEC_MF:
	case VEC_XM:
		return APP_FAULT_FPU;
	case VEC_AC:
		return APP_FAULT_ALIGN;
	default:
		return APP_FAULT_GP;
	}
}

/*
 * Look once more at everything that must be done before the program goes on,
 * with interrupts off: what comes later interrupts the program itself.
 */
void trap_app_exit(struct trapframe *tf)
{
	for (;;) {
		irq_disable();
#ifdef CONFIG_PREEMPT
		if (cpu_self()->need_resched) {
			sched_preempt();
			continue;
		}
#endif
		if (thread_self()->app_work) {
			irq_enable();
			app_ops->work(tf);
			continue;
		}
		if (likely(tf->rip < USER_MAX))
			break;
		irq_enable();
		app_ops->fault(tf, APP_FAULT_PAGE, tf->rip, -EFAULT);
	}
	tf->rflags = (tf->rflags & ~(uint64_t)RFLAGS_APP_CLEAR) | RFLAGS_IF;
	tf->cs = KERNEL_CS;
	tf->ss = KERNEL_SS;
}

/* What door.S left out of a system call's frame. */
static void complete_frame(struct trapframe *tf, uint64_t vector)
{
	tf->rcx = tf->rip;
	tf->r11 = tf->rflags;
	tf->vector = vector;
	tf->cs = KERNEL_CS;
	tf->ss = KERNEL_SS;
}

/* As if the call had returned; its flags are nobody's. */
static bool complete_call(struct trapframe *tf)
{
	uintptr_t sp = tf->rsp;

	tf->rip = 0;
	tf->rflags = RFLAGS_IF | RFLAGS_FIXED;
	complete_frame(tf, 0);
	if (copy_from_user(&tf->rip, (void *)sp, sizeof(tf->rip)) != 0) {
		app_ops->fault(tf, APP_FAULT_PAGE, sp, -EFAULT);
		return false;
	}
	tf->rsp += sizeof(tf->rip);
	complete_frame(tf, TRAP_CALL);
	return true;
}

/* The short way back will do: on it rcx and r11 are rip and rflags. */
static bool leaves_short(struct trapframe *tf)
{
	trap_app_exit(tf);
	return tf->rcx == tf->rip && tf->r11 == tf->rflags &&
	       !(tf->rflags & (RFLAGS_TF | RFLAGS_RF));
}

bool syscall_handler(struct trapframe *tf)
{
	complete_frame(tf, TRAP_SYSCALL);
	app_ops->syscall(tf);
	return leaves_short(tf);
}

bool syscall_sample_handler(struct trapframe *tf)
{
	site_look(tf);
	return syscall_handler(tf);
}

bool syscall_exit_handler(struct trapframe *tf)
{
	complete_frame(tf, TRAP_SYSCALL);
	return leaves_short(tf);
}

bool call_handler(struct trapframe *tf)
{
	if (complete_call(tf))
		app_ops->syscall(tf);
	return leaves_short(tf);
}

bool call_exit_handler(struct trapframe *tf)
{
	(void)complete_call(tf);
	return leaves_short(tf);
}

static unsigned fault_access(uint64_t error)
{
	if (error & PF_FETCH)
		return VM_FAULT_EXEC;
	return error & PF_WRITE ? VM_FAULT_WRITE : VM_FAULT_READ;
}

static void app_trap(struct trapframe *tf, uintptr_t cr2)
{
	struct vm_space *vm = thread_self()->vm;
	int err = -EFAULT;

	irq_enable();
	if ((tf->vector == VEC_UD && site_trapped(tf)) ||
	    (tf->vector == VEC_DB && site_stepped(tf)))
		return;
	if (tf->vector != VEC_PF) {
		app_ops->fault(tf, app_fault_of(tf->vector), tf->rip, 0);
		return;
	}
	if (cr2 < USER_MAX && vm && !(tf->error & PF_RSVD))
		err = vm_fault(vm, cr2, fault_access(tf->error));
	if (err)
		app_ops->fault(tf, APP_FAULT_PAGE, cr2, err);
}

/* May the kernel wait for a page of the program's here? */
static bool may_page_in(const struct trapframe *tf, uintptr_t cr2)
{
	return cr2 < USER_MAX && (tf->rflags & RFLAGS_IF) &&
	       !cpu_self()->preempt_off && !cpu_self()->in_irq &&
	       thread_self()->vm;
}

/* Only what is listed in the exception table may fault in the kernel. */
static void kernel_trap(struct trapframe *tf, uintptr_t cr2)
{
	uintptr_t fixup = extable_find(tf->rip);

	if (tf->vector == VEC_DB) { /* a step out of the program's */
		tf->rflags &= ~(uint64_t)RFLAGS_TF;
		return;
	}
	if (!fixup) {
		if (tf->vector == VEC_PF)
			panic_trap(tf, "page fault at %#lx (%s)", cr2,
			    tf->error & PF_FETCH   ? "fetch"
			    : tf->error & PF_WRITE ? "write"
						   : "read");
		panic_trap(tf, "%s", trap_name(tf->vector));
	}
	if (tf->vector == VEC_PF && may_page_in(tf, cr2)) {
		int err;

		irq_enable();
		err = vm_fault(thread_self()->vm, cr2, fault_access(tf->error));
		if (err == -ENOMEM)
			app_ops->no_memory();
		irq_disable();
		if (!err)
			return;
	}
	tf->rip = fixup;
}

static void irq_trap(struct trapframe *tf)
{
	struct cpu *c = cpu_self();

	c->in_irq = true;
	c->nirq++;
	irq_dispatch((unsigned)tf->vector);
	c->in_irq = false;
#ifdef CONFIG_PREEMPT
	if (c->need_resched && !c->preempt_off)
		sched_preempt();
#endif
}

/*
 * From (start) on the end of a system call may begin again; at (last) it is
 * over but for one instruction on the program's stack.  See door.S.  The
 * program's flags may be loaded already, which C must not run with (DF) and
 * iretq not return from (NT): they are loaded once more.
 */
static bool in_window(struct trapframe *tf, const char *start, const char *last)
{
	if (likely(tf->rip - (uintptr_t)start >= (uintptr_t)(last - start)))
		return false;
	tf->rip = (uintptr_t)start;
	tf->rsp = cpu_self()->kstack_top - sizeof(*tf);
	tf->rflags = RFLAGS_IF | RFLAGS_FIXED;
	return true;
}

/* True: the program was interrupted; tf->rip says where. */
static bool door_leaving(struct trapframe *tf)
{
	if (in_window(tf, door_syscall_exit, door_syscall_jump) ||
	    in_window(tf, door_site_exit, door_site_jump) ||
	    in_window(tf, door_call_exit, door_call_ret))
		return false;
	if (likely(tf->rip != (uintptr_t)door_syscall_jump &&
		   tf->rip != (uintptr_t)door_site_jump)) {
		if (tf->vector != VEC_DB)
			site_leave_stub(tf);
		return false;
	}
	tf->rip = tf->rcx;
	return true;
}

void trap_handler(struct trapframe *tf)
{
	uintptr_t cr2 = tf->vector == VEC_PF ? read_cr2() : 0;
	bool left = door_leaving(tf), app = from_app(tf);

	if (tf->vector >= VEC_IRQ_FIRST && tf->vector < 256)
		irq_trap(tf);
	else if (left)
		; /* a step out of the kernel: the program has made none */
	else if (app)
		app_trap(tf, cr2);
	else
		kernel_trap(tf, cr2);
	if (app)
		trap_app_exit(tf);
	else if (unlikely(tf->rip == (uintptr_t)door_call_ret))
		tf->rip = (uintptr_t)door_call_again;
}

/*
 * On a stack of its own.  A panic that faults while it reads the stack must
 * find room here.
 */
void trap_handler_stay(struct trapframe *tf)
{
	struct cpu *c = cpu_self();

	if (tf->vector == VEC_NMI) {
		smp_stop_check();
		return;
	}
	c->kstack_top = (uintptr_t)(tf + 1);
	panic_trap(tf, "%s", trap_name(tf->vector));
}
