/*
 * The first instructions.  A PVH loader (Xen, QEMU, Firecracker) enters at
 * pvh_entry in 32-bit protected mode, paging off, flat segments, interrupts
 * off, the physical address of struct hvm_start_info in %ebx.
 * Source: xen/docs/misc/pvh.pandoc, xen/include/public/elfnote.h
 */

#include <xen/elfnote.h>

#include "msr.h"
#include "offsets.h"

#define PA(x) ((x) - KERNEL_BASE)

	.section .note.Xen, "a", @note
	.balign 4
	.long 4
	.long 4
	.long XEN_ELFNOTE_PHYS32_ENTRY
	.asciz "Xen"
	.long PA(pvh_entry)

	.section .text.boot, "ax"
	.code32
	.globl pvh_entry
pvh_entry:
	cld
	cli
	rdtsc
	movl %eax, PA(boot_entry_tsc)
	movl %edx, PA(boot_entry_tsc) + 4
	movl %ebx, PA(boot_start_info_pa)

	/* 4 GiB in 2 MiB pages, all rights: replaced by paging_init(). */
	movl $PA(boot_pd), %edi
	movl $(PTE_P | PTE_W | PTE_PS), %eax
	xorl %edx, %edx
1:	movl %eax, (%edi)
	movl %edx, 4(%edi)
	addl $8, %edi
	addl $0x200000, %eax
	jnc 1b

	movl $(PA(boot_pd) + PTE_P + PTE_W), %eax
	movl %eax, PA(boot_pdpt)
	movl %eax, PA(boot_pdpt_kernel) + 510 * 8
	addl $0x1000, %eax
	movl %eax, PA(boot_pdpt) + 8
	addl $0x1000, %eax
	movl %eax, PA(boot_pdpt) + 16
	addl $0x1000, %eax
	movl %eax, PA(boot_pdpt) + 24
	movl $(PA(boot_pdpt) + PTE_P + PTE_W), %eax
	movl %eax, PA(boot_pml4)
	movl %eax, PA(boot_pml4) + 272 * 8
	movl $(PA(boot_pdpt_kernel) + PTE_P + PTE_W), %eax
	movl %eax, PA(boot_pml4) + 511 * 8

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
	lgdt PA(boot_gdt_ptr)
	ljmpl $KERNEL_CS, $PA(2f)

	.code64
2:	movq $3f, %rax
	jmpq *%rax
3:	movl $KERNEL_SS, %eax
	movl %eax, %ss
	movl %eax, %ds
	movl %eax, %es
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	movq $boot_stack_top, %rsp
	pushq $0
	pushq $0
	xorl %ebp, %ebp
	call kernel_main
	ud2

	.section .rodata
	.balign 8
	.globl boot_gdt, boot_gdt_ptr
boot_gdt:
	.quad 0
	.quad 0x00af9b000000ffff
	.quad 0x00cf93000000ffff
boot_gdt_end:
boot_gdt_ptr:
	.word boot_gdt_end - boot_gdt - 1
	.long PA(boot_gdt)

	.section .data
	.balign 8
	.globl boot_entry_tsc, boot_start_info_pa
boot_entry_tsc:
	.quad 0
boot_start_info_pa:
	.quad 0

	/*
	 * The boot tables stay: the identity map of the first GiB is what the
	 * other processors turn paging on with.
	 */
	.section .bss.page_aligned, "aw", @nobits
	.balign 4096
	.globl boot_pml4
boot_pml4:
	.skip 4096
boot_pdpt:
	.skip 4096
boot_pdpt_kernel:
	.skip 4096
boot_pd:
	.skip 4 * 4096

	/* The first thread's stack; paging_init() unmaps the guard. */
	.globl boot_stack_guard, boot_stack_top
boot_stack_guard:
	.skip 4096
	.skip BOOT_STACK_SIZE
boot_stack_top:

	.section .note.GNU-stack, "", @progbits
