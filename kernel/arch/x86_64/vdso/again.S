/*
 * Where a plain call (door (b), see ../door.S) goes on that a signal has
 * interrupted and that is to be made again: the number is in rax, the arguments
 * are in their registers, and the caller's address is on the stack.
 */
	.text
	.globl vdso_call_again
	.hidden vdso_call_again
	.type vdso_call_again, @function
vdso_call_again:
	.cfi_startproc
	syscall
	ret
	.cfi_endproc
	.size vdso_call_again, . - vdso_call_again

	.section .note.GNU-stack, "", @progbits
