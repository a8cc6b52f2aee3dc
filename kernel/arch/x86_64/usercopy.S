/*
 * Copying from and to the program's memory: every load and store of it may
 * fault, and is in the exception table.  The program's pages are as accessible
 * to the kernel as its own, so there is nothing to open and close around.
 */

#include <asm/errno.h>

#include "extable.h"
#include "offsets.h"

	.code64
	.text

	/*
	 * int copy_from_user(void *dst, const void *user_src, size_t n);
	 * int copy_to_user(void *user_dst, const void *src, size_t n)
	 *
	 * Up to 16 bytes, which is what most calls pass, go in at most two
	 * loads and two stores of one size, which overlap: rep movsb takes
	 * tens of cycles to begin.  A fault says not how far it came.
	 */
	.macro check_range user
	movabsq $COPY_USER_MAX, %rax
	subq %rdx, %rax         /* borrows when (n) is above it */
	jb copy_fault
	cmpq %rax, \user
	ja copy_fault
	.endm

	.macro copy_two mov, first, last, size
1:	\mov (%rsi), \first
2:	\mov -\size(%rsi, %rdx), \last
3:	\mov \first, (%rdi)
4:	\mov \last, -\size(%rdi, %rdx)
	xorl %eax, %eax
	ret
	extable 1b, copy_fault
	extable 2b, copy_fault
	extable 3b, copy_fault
	extable 4b, copy_fault
	.endm

	.globl copy_from_user
	.type copy_from_user, @function
copy_from_user:
	check_range %rsi
	jmp copy

	.globl copy_to_user
	.type copy_to_user, @function
copy_to_user:
	check_range %rdi
copy:
	cmpq $16, %rdx
	ja copy_long
	cmpl $8, %edx
	jae copy_8_to_16
	cmpl $4, %edx
	jae copy_4_to_7
	cmpl $2, %edx
	jae copy_2_to_3
	testl %edx, %edx
	jz 3f
1:	movb (%rsi), %al
2:	movb %al, (%rdi)
	extable 1b, copy_fault
	extable 2b, copy_fault
3:	xorl %eax, %eax
	ret
copy_2_to_3:
	copy_two movw, %ax, %cx, 2
copy_4_to_7:
	copy_two movl, %eax, %ecx, 4
copy_8_to_16:
	copy_two movq, %rax, %rcx, 8

copy_long:
	movq %rdx, %rcx
	shrq $3, %rcx
	andl $7, %edx
1:	rep movsq
	movl %edx, %ecx
2:	rep movsb
	xorl %eax, %eax
	ret
	extable 1b, copy_fault
	extable 2b, copy_fault

copy_fault:
	movl $-EFAULT, %eax
	ret

	/* size_t user_clear(void *dst, size_t n): the bytes NOT cleared. */
	.globl user_clear
	.type user_clear, @function
user_clear:
	xorl %eax, %eax
	movq %rsi, %rcx
	andl $7, %esi
	shrq $3, %rcx
1:	rep stosq
	movl %esi, %ecx
2:	rep stosb
	ret
3:	leaq (%rsi, %rcx, 8), %rcx
4:	movq %rcx, %rax
	ret
	extable 1b, 3b
	extable 2b, 4b

	.section .note.GNU-stack, "", @progbits
