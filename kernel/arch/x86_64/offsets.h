#ifndef ARCH_OFFSETS_H
#define ARCH_OFFSETS_H

/*
 * Numbers that assembly and C share.  Those that describe C structs are
 * checked against them in offsets.c.
 */

#define KERNEL_CS       0x08
#define KERNEL_SS       0x10
#define KERNEL_TSS      0x18

#define IST_TRAP        1 /* everything but: */
#define IST_NMI         2
#define IST_FAULT       3 /* double fault */
#define IST_MCE         4

#define BOOT_STACK_SIZE 16384 /* KSTACK_SIZE */

#ifdef __ASSEMBLY__
#define KERNEL_BASE 0xffffffff80000000
#endif

#define COPY_USER_MAX 0x7ffffffff000 /* USER_MAX */

/* struct cpu */
#define CPU_SELF         0
#define CPU_KSTACK_TOP   8
#define CPU_SCRATCH      16
#define CPU_CURRENT      24
#define CPU_NEED_RESCHED 36
#define CPU_ID           40
#define CPU_DOOR_COUNT   52
#define CPU_ARCH         88

/* struct arch_cpu */
#define ARCH_CPU_IST_FAULT 100

/* The stack a trap in the kernel must find, its frame included. */
#define TRAP_STACK_ROOM 1024

/* struct thread */
#define THREAD_APP_WORK 40

#define APP_CALL_COUNT  512   /* APP_NCALL */
#define TRAP_OVERFLOW   0x101 /* no room on the kernel stack */

/* struct trapframe */
#define TF_R15       0
#define TF_R14       8
#define TF_R13       16
#define TF_R12       24
#define TF_R11       32
#define TF_R10       40
#define TF_R9        48
#define TF_R8        56
#define TF_RBP       64
#define TF_RDI       72
#define TF_RSI       80
#define TF_RDX       88
#define TF_RCX       96
#define TF_RBX       104
#define TF_RAX       112
#define TF_VECTOR    120
#define TF_ERROR     128
#define TF_RIP       136
#define TF_CS        144
#define TF_RFLAGS    152
#define TF_RSP       160
#define TF_SS        168
#define TF_SIZE      176

#define RFLAGS_FIXED 0x2 /* always set */
#define RFLAGS_TF    0x100
#define RFLAGS_IF    0x200
#define RFLAGS_IOPL  0x3000
#define RFLAGS_NT    0x4000
#define RFLAGS_RF    0x10000
#define RFLAGS_VM    0x20000

/* What the program's flags may never have, and always have. */
#define RFLAGS_APP_CLEAR (RFLAGS_IOPL | RFLAGS_NT | RFLAGS_VM)

#endif /* ARCH_OFFSETS_H */
