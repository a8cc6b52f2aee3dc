/*
 * Copying from and to the program's memory: every load and store of it may
 * fault, and is in the exception table.  The program's pages are as accessible
 * to the kernel as its own, so there is nothing to open and close around.
 */

#include "extable.h"

	.code64
	.text

	/*
	 * size_t user_copy(void *dst, const void *src, size_t n): the bytes NOT
	 * copied.  Either side may be the program's.
	 */
	.globl user_copy
	.type user_copy, @function
user_copy:
	movq %rdx, %rcx
	cmpq $64, %rdx
	jb 2f
	shrq $3, %rcx
	andl $7, %edx
1:	rep movsq
	movl %edx, %ecx
2:	rep movsb
	xorl %eax, %eax
	ret
3:	leaq (%rdx, %rcx, 8), %rcx /* in words: what is left in bytes */
4:	movq %rcx, %rax
	ret
	extable 1b, 3b
	extable 2b, 4b

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
