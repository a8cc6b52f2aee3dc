/*
 * A program of a few instructions, for osv and as Linux's /init: prints the
 * time stamp counter at its first instruction, then powers the machine off.
 */
	.globl _start
_start:
	rdtsc
	shl $32, %rdx
	or %rdx, %rax
	lea end(%rip), %rsi
	mov $10, %rcx
1:	xor %edx, %edx
	div %rcx
	add $'0', %dl
	dec %rsi
	mov %dl, (%rsi)
	test %rax, %rax
	jnz 1b
	sub $6, %rsi
	movl $0x54534946, (%rsi)	/* "FIST==" in two stores */
	movw $0x3d3d, 4(%rsi)
	lea end(%rip), %rdx
	movb $'\n', (%rdx)
	inc %rdx
	sub %rsi, %rdx
	mov $1, %edi
	mov $1, %eax
	syscall				/* write(1, "FIST==N\n", n) */
	mov $0xfee1dead, %edi
	mov $672274793, %esi
	mov $0x4321fedc, %edx
	mov $169, %eax
	syscall				/* reboot(POWER_OFF): Linux's init */
	xor %edi, %edi
	mov $231, %eax
	syscall				/* exit_group(0): osv's program */
	.data
buffer:	.fill 48
end:	.byte 0
