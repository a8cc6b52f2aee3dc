#ifndef VIRTIO_PC_INT_H
#define VIRTIO_PC_INT_H

/* What pc.c and kvm.c share: both are QEMU's PC, with or without KVM. */

#include <stdbool.h>
#include <stdint.h>

#include "kern/platform.h"

/* uart.c: the 16550 at 0x3f8, ttyS0 */
void uart_early(void);  /* no memory, no interrupts yet */
void uart_putc(char c); /* any context */
int uart_init(void);    /* thread context; 0, -ENODEV */

/* pc.c */
int pc_early(uint32_t cpuid_base);
void pc_putc(char c);
int pc_init(void);
void pc_probe(void);

/* pc_halt.c */
void pc_halt(enum platform_halt how, int status);

#endif /* VIRTIO_PC_INT_H */
