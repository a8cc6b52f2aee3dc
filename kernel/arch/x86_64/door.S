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
 * instructions of a door and the last one run.  The thread's kernel stack is
 * empty there: trap_entry uses its top.
 */

#include "extable.h"
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
	 * The system call.  Its frame is a struct trapframe at the top of the
	 * thread's kernel stack of which only what a C function may change is
	 * filled in; the rest is still in the registers when that function
	 * returns, so a call that needs all of it (app_call_frame, a signal)
	 * completes the frame then.
	 *
	 * The way back has no cli.  From door_*_exit up to its last
	 * instruction nothing is changed but what the frame can give again:
	 * an interrupt there goes on at door_*_exit (door_windows, trap.c), so
	 * that work which it brought is seen.  The last one runs on the
	 * program's stack: trap.c takes it as done.
	 */
	.macro save_args
	movq %rcx, TF_RIP(%rsp)
	movq %rax, TF_ERROR(%rsp)
	movq %rdx, TF_RDX(%rsp)
	movq %rsi, TF_RSI(%rsp)
	movq %rdi, TF_RDI(%rsp)
	movq %r8, TF_R8(%rsp)
	movq %r9, TF_R9(%rsp)
	movq %r10, TF_R10(%rsp)
	.endm

	.macro restore_args
	movq TF_RDX(%rsp), %rdx
	movq TF_RSI(%rsp), %rsi
	movq TF_RDI(%rsp), %rdi
	movq TF_R8(%rsp), %r8
	movq TF_R9(%rsp), %r9
	movq TF_R10(%rsp), %r10
	movq TF_RIP(%rsp), %rcx
	.endm

	/* Is there anything to do before the program goes on? */
	.macro check_work slow
	movq %gs:CPU_CURRENT, %rcx
	cmpl $0, THREAD_APP_WORK(%rcx)
	jne \slow
#ifdef CONFIG_PREEMPT
	cmpb $0, %gs:CPU_NEED_RESCHED
	jne \slow
#endif
	.endm

	.macro complete_frame
	movq %rax, TF_RAX(%rsp)
	movq %rbx, TF_RBX(%rsp)
	movq %rbp, TF_RBP(%rsp)
	movq %r12, TF_R12(%rsp)
	movq %r13, TF_R13(%rsp)
	movq %r14, TF_R14(%rsp)
	movq %r15, TF_R15(%rsp)
	movq %rsp, %rdi
	.endm

	/*
	 * Door (a), the syscall instruction: RIP in rcx, RFLAGS in r11, the
	 * program's stack, interrupts off.  All registers but rax, rcx and r11
	 * are kept, as Linux does.
	 */
	.globl syscall_entry
	.type syscall_entry, @function
syscall_entry:
	movq %rsp, %gs:CPU_SCRATCH
	movq %gs:CPU_KSTACK_TOP, %rsp
	subq $TF_SIZE, %rsp
	movq %r11, TF_RFLAGS(%rsp)
	movq %gs:CPU_SCRATCH, %r11
	sti
	movq %r11, TF_RSP(%rsp)
	save_args
	decl %gs:CPU_DOOR_COUNT
	js syscall_sample
	cmpq $APP_CALL_COUNT, %rax
	jae syscall_whole
	movq %r10, %rcx
	call *app_calls(, %rax, 8)
	.globl door_syscall_exit
door_syscall_exit:
	check_work syscall_work
	restore_args
	movq TF_RFLAGS(%rsp), %r11
	pushq %r11
	popfq
	movq TF_RSP(%rsp), %rsp
	.globl door_syscall_jump
door_syscall_jump:
	jmpq *%rcx

	/*
	 * Door (c), a rewritten call site (site.c): as (a), but the flags are
	 * not kept.  The number is one of app_calls[].
	 */
	.globl door_site_entry
	.type door_site_entry, @function
door_site_entry:
	movq %rsp, %r11
	movq %gs:CPU_KSTACK_TOP, %rsp
	subq $TF_SIZE, %rsp
	cld
	movq %r11, TF_RSP(%rsp)
	save_args
	movq %r10, %rcx
	call *app_calls(, %rax, 8)
site_called:
	.globl door_site_exit
door_site_exit:
	check_work site_work
	restore_args
	movq TF_RSP(%rsp), %rsp
	.globl door_site_jump
door_site_jump:
	jmpq *%rcx

	/*
	 * Door (b), an ordinary call: number in rax, arguments where C has
	 * them, RIP on the program's stack.  What a C function may change is
	 * not kept; the arguments are saved for a call that is made again.
	 */
	.globl arch_call_entry
	.type arch_call_entry, @function
arch_call_entry:
	movq %rsp, %r11
	movq %gs:CPU_KSTACK_TOP, %rsp
	subq $TF_SIZE, %rsp
	movq %r11, TF_RSP(%rsp)
	movq %rax, TF_ERROR(%rsp)
	movq %rdi, TF_RDI(%rsp)
	movq %rsi, TF_RSI(%rsp)
	movq %rdx, TF_RDX(%rsp)
	movq %rcx, TF_R10(%rsp)
	movq %r8, TF_R8(%rsp)
	movq %r9, TF_R9(%rsp)
	cmpq $APP_CALL_COUNT, %rax
	jae call_whole
	call *app_calls(, %rax, 8)
call_called:
	.globl door_call_exit
door_call_exit:
	check_work call_work
	movq TF_RSP(%rsp), %rsp
	.globl door_call_ret
door_call_ret:
	ret
	extable door_call_ret, call_stuck

	/* An interrupt came before ret: is there anything to do now? */
	.globl door_call_again
door_call_again:
	movq %rsp, %r11
	movq %gs:CPU_KSTACK_TOP, %rsp
	subq $TF_SIZE, %rsp
	movq %r11, TF_RSP(%rsp)
	jmp door_call_exit

	/* The program's stack has gone: call_exit_handler will see. */
call_stuck:
	movq %rsp, %r11
	movq %gs:CPU_KSTACK_TOP, %rsp
	subq $TF_SIZE, %rsp
	movq %r11, TF_RSP(%rsp)
	jmp call_work

	/* In app_calls[] where sys_x() wants the whole frame. */
	.globl app_call_frame
	.type app_call_frame, @function
app_call_frame:
	popq %r11
	cmpq $call_called, %r11
	je call_whole
	cmpq $site_called, %r11
	jne syscall_whole
	pushfq
	popq TF_RFLAGS(%rsp)
syscall_whole:
	complete_frame
	call syscall_handler
	jmp 1f
syscall_sample:
	complete_frame
	call syscall_sample_handler
	jmp 1f
site_work:
	pushfq
	popq TF_RFLAGS(%rsp)
syscall_work:
	complete_frame
	call syscall_exit_handler
	jmp 1f
call_whole:
	complete_frame
	call call_handler
	jmp 1f
call_work:
	complete_frame
	call call_exit_handler
1:	testb %al, %al
	jz trap_return
	movq TF_RAX(%rsp), %rax
	movq TF_RBX(%rsp), %rbx
	movq TF_RBP(%rsp), %rbp
	movq TF_R12(%rsp), %r12
	movq TF_R13(%rsp), %r13
	movq TF_R14(%rsp), %r14
	movq TF_R15(%rsp), %r15
	sti
	jmp door_syscall_exit

	/*
	 * long arch_call(app_call_fn *fn, const struct trapframe *tf): fn()
	 * with the arguments of a system call.
	 */
	.globl arch_call
	.type arch_call, @function
arch_call:
	movq %rdi, %rax
	movq %rsi, %r11
	movq TF_RDI(%r11), %rdi
	movq TF_RSI(%r11), %rsi
	movq TF_RDX(%r11), %rdx
	movq TF_R10(%r11), %rcx
	movq TF_R8(%r11), %r8
	movq TF_R9(%r11), %r9
	jmpq *%rax

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
