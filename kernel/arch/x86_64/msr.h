#ifndef ARCH_MSR_H
#define ARCH_MSR_H

/*
 * Bits of the processor's own registers and of page table entries.
 * Source: Intel SDM volume 3 (2.5, 4.5, 10) and volume 4; AMD APM volume 2.
 * For C and assembly.
 */

#define CR0_PE           0x1
#define CR0_MP           0x2
#define CR0_TS           0x8
#define CR0_ET           0x10
#define CR0_NE           0x20
#define CR0_WP           0x10000
#define CR0_PG           0x80000000

#define CR4_PAE          0x20
#define CR4_MCE          0x40
#define CR4_PGE          0x80
#define CR4_OSFXSR       0x200
#define CR4_OSXMMEXCPT   0x400
#define CR4_FSGSBASE     0x10000
#define CR4_OSXSAVE      0x40000

#define MSR_APIC_BASE    0x1b
#define MSR_TSC_DEADLINE 0x6e0
#define MSR_X2APIC       0x800
#define MSR_EFER         0xc0000080
#define MSR_STAR         0xc0000081
#define MSR_LSTAR        0xc0000082
#define MSR_FMASK        0xc0000084
#define MSR_FS_BASE      0xc0000100
#define MSR_GS_BASE      0xc0000101
#define MSR_KERNEL_GS    0xc0000102

#define EFER_SCE         0x1
#define EFER_LME         0x100
#define EFER_NXE         0x800

#define PTE_P            0x1
#define PTE_W            0x2
#define PTE_U            0x4
#define PTE_PWT          0x8
#define PTE_PCD          0x10
#define PTE_A            0x20
#define PTE_D            0x40
#define PTE_PS           0x80
#define PTE_G            0x100

#ifndef __ASSEMBLY__
#include <stdint.h>

#define PTE_NX   (1ull << 63)
#define PTE_ADDR 0x000ffffffffff000ull
#endif

#endif /* ARCH_MSR_H */
