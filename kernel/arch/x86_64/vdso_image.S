/* The vDSO's file, as it is mapped into programs. */

	.section .rodata
	.globl vdso_image, vdso_image_end
	.balign 16
vdso_image:
	.incbin VDSO_FILE
vdso_image_end:

	.section .note.GNU-stack, "", @progbits
