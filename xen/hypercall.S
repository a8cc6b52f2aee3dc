/*
 * The page that Xen fills with one 32-byte stub for each hypercall, and the
 * call into it from C.  xen_hypercall(nr, a, b, c, d) is in xen_int.h.
 * ABI: arguments in rdi rsi rdx r10 r8, result in rax.
 * Source: xen/include/public/arch-x86/xen-x86_64.h
 */

	.section .text.hypercall_page, "ax", @progbits
	.globl	hypercall_page
	.type	hypercall_page, @object
	.balign	4096
hypercall_page:
	.skip	4096, 0xcc
	.size	hypercall_page, 4096

	.text
	.globl	xen_hypercall
	.type	xen_hypercall, @function
	.balign	16
xen_hypercall:
	movl	%edi, %eax
	shlq	$5, %rax
	addq	$hypercall_page, %rax
	movq	%rsi, %rdi
	movq	%rdx, %rsi
	movq	%rcx, %rdx
	movq	%r8, %r10
	jmp	*%rax
	.size	xen_hypercall, . - xen_hypercall

	.section .note.GNU-stack, "", @progbits
