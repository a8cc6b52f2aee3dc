/*
 * The ways into the kernel and back: 256 interrupt gates, the syscall
 * instruction, and the return to what was interrupted.
 *
 * Every gate switches to an interrupt stack (IST), because the program runs at
 * the kernel's privilege level and the processor would otherwise push the
 * frame into the program's red zone.  That stack is good for one frame only,
 * so trap_entry moves the frame at once: to the interrupted kernel stack, or
 * to the top of the thread's kernel stack when the program was interrupted.
 * NMI, double fault and machine check have stacks of their own and stay there:
 * they can hit while another frame is still on the common one.
 *
 * Windows: with the program's RSP and the kernel's RIP only the first
 * instructions of syscall_entry and the last of syscall_return run.  Interrupts
 * are off in both, so that only a debug trap or the three above can come; for
 * them the thread's kernel stack is empty, and trap_entry uses its top.  An NMI
 * after the last sti ends its shadow: an interrupt may then come before the
 * jump, which trap.c takes as done.
 */

#include "offsets.h"

	.code64
	.text

	/* Vectors 8, 10-14, 17, 21, 29 and 30 come with an error code. */
	.balign 16
	.globl trap_stubs
trap_stubs:
	.set v, 0
	.rept 256
	.balign 16
	.if !((v == 8) || ((v >= 10) && (v <= 14)) || (v == 17) || \
	    (v == 21) || (v == 29) || (v == 30))
	pushq $0
	.endif
	pushq $v
	.if (v == 2) || (v == 8) || (v == 18)
	jmp trap_entry_stay
	.else
	jmp trap_entry
	.endif
	.set v, v + 1
	.endr

	.macro save_regs_after_rax_rcx
	movq %rdx, TF_RDX(%rsp)
	movq %rbx, TF_RBX(%rsp)
	movq %rsi, TF_RSI(%rsp)
	movq %rdi, TF_RDI(%rsp)
	movq %rbp, TF_RBP(%rsp)
	movq %r8, TF_R8(%rsp)
	movq %r9, TF_R9(%rsp)
	movq %r10, TF_R10(%rsp)
	movq %r11, TF_R11(%rsp)
	movq %r12, TF_R12(%rsp)
	movq %r13, TF_R13(%rsp)
	movq %r14, TF_R14(%rsp)
	movq %r15, TF_R15(%rsp)
	.endm

	.macro push_regs
	pushq %rax
	pushq %rbx
	pushq %rcx
	pushq %rdx
	pushq %rsi
	pushq %rdi
	pushq %rbp
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	.endm

	.macro pop_regs
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rbp
	popq %rdi
	popq %rsi
	popq %rdx
	popq %rcx
	popq %rbx
	popq %rax
	.endm

	/* On the IST stack: vector, error, rip, cs, rflags, rsp, ss. */
	.type trap_entry, @function
trap_entry:
	pushq %rax
	pushq %rcx
	movq 56(%rsp), %rcx
	testq %rcx, %rcx
	jns 1f                  /* the program's, or a window */
	movq %gs:CPU_KSTACK_TOP, %rax
	subq %rcx, %rax
	cmpq $(BOOT_STACK_SIZE - TRAP_STACK_ROOM), %rax
	ja 3f
	andq $-16, %rcx
	jmp 2f
1:	movq %gs:CPU_KSTACK_TOP, %rcx
2:	subq $TF_SIZE, %rcx
	movq 64(%rsp), %rax
	movq %rax, TF_SS(%rcx)
	movq 56(%rsp), %rax
	movq %rax, TF_RSP(%rcx)
	movq 48(%rsp), %rax
	movq %rax, TF_RFLAGS(%rcx)
	movq 40(%rsp), %rax
	movq %rax, TF_CS(%rcx)
	movq 32(%rsp), %rax
	movq %rax, TF_RIP(%rcx)
	movq 24(%rsp), %rax
	movq %rax, TF_ERROR(%rcx)
	movq 16(%rsp), %rax
	movq %rax, TF_VECTOR(%rcx)
	movq 8(%rsp), %rax
	movq %rax, TF_RAX(%rcx)
	movq (%rsp), %rax
	movq %rax, TF_RCX(%rcx)
	movq %rcx, %rsp
	save_regs_after_rax_rcx
	cld
	movq %rsp, %rdi
	call trap_handler
	/* fall through */

	/* Interrupts off, a whole trapframe at %rsp. */
	.globl trap_return
trap_return:
	pop_regs
	addq $16, %rsp
	iretq

	/*
	 * In the upper half, but no room: the program's own mistake if it is
	 * the program's RIP.  Else go to the double fault's stack, from which
	 * there is no way back.
	 */
3:	cmpq $0, 32(%rsp)
	jge 1b
	movq %gs:CPU_ARCH, %rcx
	movq ARCH_CPU_IST_FAULT(%rcx), %rcx
	movq %rcx, %gs:CPU_KSTACK_TOP
	movq $TRAP_OVERFLOW, 16(%rsp)
	jmp 2b

	.type trap_entry_stay, @function
trap_entry_stay:
	push_regs
	cld
	movq %rsp, %rdi
	call trap_handler_stay
	jmp trap_return

	/*
	 * The syscall instruction: RIP in rcx, RFLAGS in r11, the program's
	 * stack, interrupts off.  All registers but rax, rcx and r11 are
	 * kept, as Linux does.
	 */
	.globl syscall_entry
	.type syscall_entry, @function
syscall_entry:
	movq %rsp, %gs:CPU_SCRATCH
	movq %gs:CPU_KSTACK_TOP, %rsp
	pushq $KERNEL_SS
	pushq %gs:CPU_SCRATCH
	pushq %r11
	pushq $KERNEL_CS
	pushq %rcx
	pushq %rax
	pushq $TRAP_SYSCALL_NR
	push_regs
	movq %rsp, %rdi
	call syscall_handler
	testb %al, %al
	jz trap_return

	/*
	 * rcx is rip and r11 is rflags, as after sysret.  The flags are loaded
	 * without IF while the kernel's stack is still in use; sti holds
	 * interrupts off until jmp has been done.
	 */
syscall_return:
	andl $~RFLAGS_IF, TF_RFLAGS(%rsp)
	pop_regs
	addq $(TF_RFLAGS - TF_VECTOR), %rsp
	popfq
	popq %rsp
	sti
	.globl syscall_return_jump
syscall_return_jump:
	jmpq *%rcx

	/*
	 * _Noreturn void enter_app(const struct trapframe *tf): (tf) is on this
	 * stack, below its top, and may overlap the place it goes to: copied
	 * from its end.
	 */
	.globl enter_app
	.type enter_app, @function
enter_app:
	cli
	leaq TF_SIZE - 8(%rdi), %rsi
	movq %gs:CPU_KSTACK_TOP, %rdi
	leaq -TF_SIZE(%rdi), %rdx
	subq $8, %rdi
	movl $(TF_SIZE / 8), %ecx
	std
	rep movsq
	cld
	movq %rdx, %rsp
	xorl %ebp, %ebp
	movq %rdx, %rdi
	call trap_app_exit
	jmp trap_return

	/*
	 * void switch_stacks(uint64_t *save_rsp, uint64_t rsp): keeps what the
	 * C calling convention says a callee keeps.
	 */
	.globl switch_stacks
	.type switch_stacks, @function
switch_stacks:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret

	/* Where a new thread's first switch_stacks() returns to. */
	.globl thread_first
	.type thread_first, @function
thread_first:
	movq %r12, %rdi
	call *%rbx
	ud2

	.section .note.GNU-stack, "", @progbits
