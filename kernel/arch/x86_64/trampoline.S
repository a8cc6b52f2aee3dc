/*
 * Where another processor starts: real mode, in a page below 1 MiB to which
 * smp.c copied this.  It turns everything on at once and jumps to the kernel.
 */

#include "msr.h"
#include "offsets.h"

#define PA(x)  ((x) - KERNEL_BASE)
#define OFF(x) ((x) - trampoline_start)

	.section .rodata
	.code16
	.balign 16
	.globl trampoline_start, trampoline_end, trampoline_jump
trampoline_start:
	cli
	cld
	movw %cs, %ax
	movw %ax, %ds
	lgdtl OFF(1f)
	movl $(CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT), %eax
	movl %eax, %cr4
	movl $PA(boot_pml4), %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	xorl %edx, %edx
	movl $(EFER_LME | EFER_NXE | EFER_SCE), %eax
	wrmsr
	movl $(CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG), %eax
	movl %eax, %cr0
	ljmpl *OFF(trampoline_jump)
	.balign 4
trampoline_jump:
	.long OFF(2f) /* smp.c adds the page's address */
	.word KERNEL_CS
1:	.word 3 * 8 - 1
	.long PA(boot_gdt)
	.code64
2:	movq $3f, %rax
	jmpq *%rax
trampoline_end:

	.text
	/* On the boot tables still, which have no kernel stacks. */
3:	movl $KERNEL_SS, %eax
	movl %eax, %ss
	movl %eax, %ds
	movl %eax, %es
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	movq paging_kernel_root, %rax
	movq %rax, %cr3
	/* the cpu it is to be; one that comes too late finds none */
	xorl %edi, %edi
	xchgq %rdi, smp_next
	testq %rdi, %rdi
	jz 4f
	movq CPU_KSTACK_TOP(%rdi), %rsp
	pushq $0
	pushq $0
	xorl %ebp, %ebp
	call smp_cpu_main
4:	cli
	hlt
	jmp 4b

	.section .note.GNU-stack, "", @progbits
